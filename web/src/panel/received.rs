//! What a pasted command line or log said: what was taken, what was left and why, printed beside predicted.

use crate::receive::{Inbox, Received};
use kvplan_web_intake::answer::{Command, Flag, Log};
use leptos::prelude::*;

/// The panel, where something was received.
pub(crate) fn received(inbox: Inbox) -> AnyView {
    let shown = inbox.shown;
    (move || {
        shown.get().map(|received| {
            let inner = match received {
                Received::Command(shown) => command(shown),
                Received::Log(shown) => log(shown),
            };
            view! {
                <section class="received" aria-label="What was pasted">
                    <button type="button" class="small" on:click=move |_| shown.set(None)>"put away"</button>
                    {inner}
                </section>
            }
        })
    })
    .into_any()
}

fn command(command: Command) -> AnyView {
    let flags = |flags: Vec<Flag>, between: &'static str| {
        flags
            .into_iter()
            .map(move |flag| view! { <li><code>{flag.written}</code> {between} {flag.says}</li> })
            .collect_view()
    };
    view! {
        <h2><span>{command.program}</span></h2>
        <div class="columns">
            <div>
                <h3>"taken"</h3>
                <ul>{flags(command.taken, " → ")}</ul>
            </div>
            <div>
                <h3>"left"</h3>
                <ul>{flags(command.left, " ")}</ul>
            </div>
        </div>
        {notes(command.notes)}
    }
    .into_any()
}

fn notes(notes: Vec<String>) -> AnyView {
    view! { <ul class="quiet">{notes.into_iter().map(|note| view! { <li>{note}</li> }).collect_view()}</ul> }
        .into_any()
}

fn log(log: Log) -> AnyView {
    let rows = log.figures.into_iter().map(|line| {
        view! {
            <tr>
                <th scope="row">{line.figure}</th>
                <td class="number">{line.printed}</td>
                <td class="number">{line.planned}</td>
                <td class:over=line.differs>{line.verdict} " " <span class="quiet">{line.says}</span></td>
            </tr>
        }
    });
    view! {
        <h2><span>{format!("{} on {}", log.model, log.program)}</span></h2>
        <div class="wide" tabindex="0" role="region" aria-label="Printed beside predicted">
            <table>
                <thead>
                    <tr>
                        <th scope="col">"figure"</th>
                        <th scope="col" class="number">"printed"</th>
                        <th scope="col" class="number">"predicted"</th>
                        <th scope="col">"verdict"</th>
                    </tr>
                </thead>
                <tbody>{rows.collect_view()}</tbody>
            </table>
        </div>
        {notes(log.notes)}
    }
    .into_any()
}
