//! Plan A beside the plan: what differs, and what it comes to.

use crate::store::Store;
use kvplan_core::plan::{Plan, Request, plan};
use kvplan_core::planner::view::change::differences;
use kvplan_core::planner::view::text::{bytes, difference, grouped};
use kvplan_core::planner::{Action, View};
use leptos::prelude::*;

/// The screen.
pub(crate) fn compare(store: Store) -> AnyView {
    let pinned = Memo::new(move |_| store.planner.with(|planner| planner.state().pinned.as_deref().cloned()));
    let body = move || match pinned.get() {
        None => view! {
            <p>"Pin a plan as A, change something, and both stand here side by side."</p>
            <button type="button" on:click=move |_| store.act(Action::Pin)>"pin this plan as A"</button>
        }
        .into_any(),
        Some(pinned) => beside(store, pinned),
    };
    view! {
        <section class="compare" aria-labelledby="compare-title">
            <h2 id="compare-title">"Plan A beside this one"</h2>
            {body}
        </section>
    }
    .into_any()
}

fn beside(store: Store, pinned: Request) -> AnyView {
    let view = store.view.get();
    let a = plan(&pinned);
    let b = store.answer.get();
    let changes = differences(&pinned, &store.request.get(), view);
    let rows = match (&a, &b) {
        (Ok(a), Ok(b)) => figures(a, b, view),
        (Err(error), _) | (_, Err(error)) => {
            vec![("error", error.message.clone(), String::new(), String::new())]
        }
    };
    view! {
        <p>{if changes.is_empty() { "Nothing differs.".to_owned() } else { changes.join(", ") }}</p>
        <div class="wide" tabindex="0" role="region" aria-label="Figures">
            <table>
                <thead>
                    <tr>
                        <th scope="col">"figure"</th>
                        <th scope="col" class="number">"A"</th>
                        <th scope="col" class="number">"this plan"</th>
                        <th scope="col" class="number">"difference"</th>
                    </tr>
                </thead>
                <tbody>
                    {rows
                        .into_iter()
                        .map(|(label, a, b, change)| {
                            view! {
                                <tr>
                                    <th scope="row">{label}</th>
                                    <td class="number">{a}</td>
                                    <td class="number">{b}</td>
                                    <td class="number">{change}</td>
                                </tr>
                            }
                        })
                        .collect_view()}
                </tbody>
            </table>
        </div>
        <p>
            <button type="button" on:click=move |_| store.act(Action::SwapPinned)>"swap"</button>
            " "
            <button type="button" on:click=move |_| store.act(Action::Unpin)>"let A go"</button>
        </p>
    }
    .into_any()
}

type Row = (&'static str, String, String, String);

fn figures(a: &Plan, b: &Plan, view: View) -> Vec<Row> {
    let of = |label, a, b| (label, bytes(a, view), bytes(b, view), difference(a, b, view));
    let longest = |plan: &Plan| plan.fit.max_context.map(grouped).unwrap_or_default();
    vec![
        of("needed", a.kv.payload_bytes, b.kv.payload_bytes),
        of("reserved", a.kv.allocated_bytes, b.kv.allocated_bytes),
        of("padding", a.kv.waste_bytes, b.kv.waste_bytes),
        ("context", grouped(a.context.get()), grouped(b.context.get()), String::new()),
        ("longest that fits", longest(a), longest(b), String::new()),
    ]
}
