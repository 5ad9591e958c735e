//! Conversations held: a row a length, what is kept once, and how many copies of the machine the sessions take.

use crate::store::Store;
use kvplan_core::placement::BoundBy;
use kvplan_core::planner::view::serving::{Row, Serving, serving as of};
use leptos::prelude::*;

/// The panel, where the plan serves many from one pool or a workload is asked about.
pub(crate) fn serving(store: Store) -> AnyView {
    let shown = Memo::new(move |_| {
        let view = store.view.get();
        store.shown.with(|shown| of(&shown.as_ref()?.plan, view))
    });
    (move || shown.get().map(|serving| section(store, serving))).into_any()
}

fn section(store: Store, serving: Serving) -> AnyView {
    let counted = serving.copies.is_some();
    view! {
        <section class="serving" aria-labelledby="serving-title" class:stale=move || store.answer.with(Result::is_err)>
            <h2 id="serving-title">"Conversations held"</h2>
            <div class="wide" tabindex="0" role="region" aria-label="Conversations held, by length">
                <table>
                    <thead>
                        <tr>
                            <th scope="col">"length"</th>
                            <th scope="col" class="number">"tokens"</th>
                            <th scope="col" class="number">"each takes"</th>
                            <th scope="col" class="number">"held at once"</th>
                            <th scope="col">"until"</th>
                            {counted.then(|| view! { <th scope="col" class="number">"copies"</th> })}
                        </tr>
                    </thead>
                    <tbody>{serving.rows.into_iter().map(|row| line(row, counted)).collect_view()}</tbody>
                </table>
            </div>
            <p class="quiet">
                {[serving.shared, serving.copies, serving.prints].into_iter().flatten().collect::<Vec<_>>().join(" ")}
            </p>
        </section>
    }
    .into_any()
}

fn line(row: Row, counted: bool) -> AnyView {
    let until = row.bound_by.map(|bound| match bound {
        BoundBy::Memory => "memory is full",
        BoundBy::Model => "the model’s own limit",
        BoundBy::Engine => "the engine’s own limit",
    });
    view! {
        <tr data-length=row.name>
            <th scope="row">{row.name}</th>
            <td class="number">{row.tokens}</td>
            <td class="number">{row.each}</td>
            <td class="number" data-held="">{row.held}</td>
            <td class="quiet">{until}</td>
            {counted.then(|| view! { <td class="number" data-copies="">{row.copies}</td> })}
        </tr>
    }
    .into_any()
}
