//! What a pasted command line or log said: what was taken, what was left and why, printed beside predicted.

use crate::receive::{Inbox, Received};
use kvplan_core::launch::Reading;
use kvplan_core::reconcile::{Reconciliation, Verdict};
use leptos::prelude::*;

/// The panel, where something was received.
pub(crate) fn received(inbox: Inbox) -> AnyView {
    let shown = inbox.shown;
    (move || {
        shown.get().map(|received| {
            let inner = match received {
                Received::Command(reading) => command(*reading),
                Received::Log(found) => log(*found),
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

fn command(reading: Reading) -> AnyView {
    let taken = reading.taken.into_iter().map(|taken| {
        view! { <li><code>{taken.flag} " " {taken.value}</code> " → " {taken.field}</li> }
    });
    let ignored = reading.ignored.into_iter().map(|ignored| {
        view! { <li><code>{ignored.flag} " " {ignored.value}</code> " " {ignored.says.into_owned()}</li> }
    });
    view! {
        <h2>{reading.program}</h2>
        <div class="columns">
            <div>
                <h3>"taken"</h3>
                <ul>{taken.collect_view()}</ul>
            </div>
            <div>
                <h3>"left"</h3>
                <ul>{ignored.collect_view()}</ul>
            </div>
        </div>
        <ul class="quiet">{reading.notes.into_iter().map(|note| view! { <li>{note.into_owned()}</li> }).collect_view()}</ul>
    }
    .into_any()
}

fn log(found: Reconciliation) -> AnyView {
    let rows = found.lines.into_iter().map(|line| {
        let verdict: &'static str = line.verdict.into();
        let differs = line.verdict == Verdict::Differs;
        view! {
            <tr>
                <th scope="row">{line.figure}</th>
                <td class="number">{line.printed}</td>
                <td class="number">{line.planned.unwrap_or_default()}</td>
                <td class:over=differs>{verdict} " " <span class="quiet">{line.says.map(std::borrow::Cow::into_owned)}</span></td>
            </tr>
        }
    });
    view! {
        <h2>{format!("{} on {}", found.model, found.program.unwrap_or(found.engine.as_str()))}</h2>
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
        <ul class="quiet">{found.notes.into_iter().map(|note| view! { <li>{note.into_owned()}</li> }).collect_view()}</ul>
    }
    .into_any()
}
