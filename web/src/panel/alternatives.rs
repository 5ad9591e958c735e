//! What else could be asked, and what it would come to. A cell that is looked at is drawn over the plan; taken, it is the
//! plan.

use crate::store::Store;
use kvplan_core::planner::view::table::{Cell, Mark, Table};
use kvplan_core::planner::{Action, Lens, Part};
use leptos::prelude::*;
use strum::IntoEnumIterator as _;

/// The panel.
pub(crate) fn alternatives(store: Store) -> AnyView {
    view! {
        <section class="alternatives" aria-labelledby="alternatives-title">
            <h2 id="alternatives-title">
                {move || store.table.with(|table| table.as_ref().map_or("Alternatives", |table| table.title))}
            </h2>
            <p class="segments" role="group" aria-label="Alternatives by">
                {Lens::iter()
                    .map(|lens| {
                        view! {
                            <button
                                type="button"
                                aria-pressed=move || if store.view.get().lens == lens { "true" } else { "false" }
                                on:click=move |_| store.act(Action::Lens(lens))
                            >
                                {lens.to_string()}
                            </button>
                        }
                    })
                    .collect_view()}
            </p>
            {move || store.table.get().map(|table| grid(store, table))}
        </section>
    }
    .into_any()
}

fn grid(store: Store, table: Table) -> AnyView {
    let by_weights = store.view.get_untracked().lens == Lens::Weights;
    // What the selected figure is decided by lights up with it: the cache's type, the weights, the cell where they meet.
    let here = table
        .rows
        .iter()
        .enumerate()
        .find_map(|(row, line)| Some((row, line.cells.iter().position(|cell| cell.current)?)));
    let is_weights = move || by_weights && store.lit.get() == Some(Part::Weights);
    let is_cache = move || store.lit.get().is_some_and(Part::is_cache);
    let quality = table.quality.map(|figures| {
        view! {
            <tr class="quiet">
                <th scope="row">"quality"</th>
                {figures.into_iter().map(|figure| view! { <td class="number">{figure}</td> }).collect_view()}
            </tr>
        }
    });
    let marks: Vec<Mark> = table.rows.iter().flat_map(|row| row.cells.iter().map(|cell| cell.mark)).collect();
    let said = [(Mark::Limit, "= the model’s own limit"), (Mark::Barely, "! barely")];
    let legend = said.into_iter().filter(|(mark, _)| marks.contains(mark)).map(|(_, words)| words);
    let legend = legend.map(str::to_owned).chain(table.caption).collect::<Vec<_>>().join(" · ");
    view! {
        <div class="wide" tabindex="0" role="region" aria-label="Alternatives">
            <table>
                <thead>
                    <tr>
                        <th scope="col">{table.rows_are}</th>
                        {table
                            .columns
                            .into_iter()
                            .enumerate()
                            .map(|(column, name)| {
                                let is_here = here.is_some_and(|(_, at)| at == column);
                                view! { <th scope="col" class="number" class:lit=move || is_here && is_cache()>{name}</th> }
                            })
                            .collect_view()}
                    </tr>
                </thead>
                <tbody>
                    {table
                        .rows
                        .into_iter()
                        .enumerate()
                        .map(|(at, row)| {
                            let is_here = here.is_some_and(|(row, _)| row == at);
                            view! {
                                <tr>
                                    <th scope="row" class:lit=move || is_here && is_weights()>{row.label} " " <span class="quiet">{row.detail}</span></th>
                                    {row.cells.into_iter().map(|cell| one(store, cell, move || is_cache() || is_weights())).collect_view()}
                                </tr>
                            }
                        })
                        .collect_view()}
                    {quality}
                </tbody>
            </table>
        </div>
        <p class="quiet">{legend}</p>
    }
    .into_any()
}

fn one(store: Store, cell: Cell, lit: impl Fn() -> bool + Send + 'static) -> AnyView {
    let (text, sign) = (cell.text, view! { <span class="sign">{cell.mark.sign()}</span> }.into_any());
    let why = cell.reason;
    let Some(request) = cell.request else {
        let over = cell.mark == Mark::Over;
        return view! { <td class="number quiet" class:over=over title=why>{text} {sign}</td> }.into_any();
    };
    let request = StoredValue::new(*request);
    let look = move || store.preview.set(Some(request.get_value()));
    let away = move || store.preview.set(None);
    let take = move || {
        store.preview.set(None);
        store.act(Action::Adopt(Box::new(request.get_value())));
    };
    view! {
        <td class="number">
            <button
                type="button"
                class="cell"
                class:lit=move || cell.current && lit()
                aria-current=cell.current.then_some("true")
                title=why
                on:pointerenter=move |_| look()
                on:pointerleave=move |_| away()
                on:focus=move |_| look()
                on:blur=move |_| away()
                on:click=move |_| take()
            >
                {text} {sign}
            </button>
        </td>
    }
    .into_any()
}
