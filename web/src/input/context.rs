//! The context: a number and a slider over powers of two, with the edge where memory ends.

use super::number::{bare, id, largest};
use crate::store::Store;
use kvplan_core::planner::view::text::grouped;
use kvplan_core::planner::{Action, Field};
use leptos::ev;
use leptos::prelude::*;

const FIELD: Field = Field::Context;
/// Tokens at the left end.
const LEAST: u64 = 256;
/// Positions between two powers of two.
const FINE: u64 = 64;
/// Positions within which a pointer is drawn to a round number or an edge.
const NEAR: u64 = 2;
/// The right end where no limit is known.
const MOST: u64 = 1 << 20;

/// Number, slider, "= largest".
pub(crate) fn context(store: Store) -> AnyView {
    let tokens = Memo::new(move |_| store.answer.with(|a| a.as_ref().map_or(0, |plan| plan.context.get())));
    let asked =
        Memo::new(move |_| store.request.with(|request| request.context.unwrap_or_else(|| tokens.get())));
    let edge =
        Memo::new(move |_| store.answer.with(|a| a.as_ref().ok().and_then(|plan| plan.fit.max_context)));
    let limit = Memo::new(move |_| store.curve.with(|curve| curve.as_ref().and_then(|curve| curve.limit)));
    let end = Memo::new(move |_| limit.get().unwrap_or(MOST).max(LEAST * 2));
    let held = RwSignal::new(false);
    let free = RwSignal::new(false);
    let pulled = move |position: u64| {
        let snapped = held.get_untracked() && !free.get_untracked();
        let to =
            if snapped { snap(position, edge.get_untracked(), end.get_untracked()) } else { at(position) };
        store.act(Action::Drag { field: FIELD, to: Some(to.min(end.get_untracked())) });
    };
    let let_go = move || {
        held.set(false);
        store.act(Action::Settle);
    };
    let down = move |event: ev::PointerEvent| {
        held.set(true);
        free.set(event.alt_key());
    };
    view! {
        <fieldset>
            <legend>"Context per conversation"</legend>
            <p class="field">
                <label for=id(FIELD) class="hidden">"Context, tokens"</label>
                {bare(store, FIELD, "the model’s own")}
                {largest(store, FIELD)}
            </p>
            <input
                type="range"
                aria-label="Context"
                min="0"
                max=move || position(end.get()).to_string()
                prop:value=move || position(asked.get().min(end.get())).to_string()
                aria-valuetext=move || format!("{} tokens", grouped(asked.get()))
                on:pointerdown=down
                on:input:target=move |event| {
                    if let Ok(position) = event.target().value().parse() {
                        pulled(position);
                    }
                }
                on:change=move |_| let_go()
                on:pointerup=move |_| let_go()
            />
            <p class="ends quiet">
                <span>{grouped(LEAST)}</span>
                <span>{move || edge.get().map(|edge| format!("fits up to {}", grouped(edge)))}</span>
                <span>{move || grouped(end.get())}</span>
            </p>
        </fieldset>
    }
    .into_any()
}

/// Tokens at a position: straight between powers of two, which lie on positions of their own.
const fn at(position: u64) -> u64 {
    let octave = LEAST << (position / FINE);
    octave + octave / FINE * (position % FINE)
}

/// The last position that is not beyond `tokens`.
fn position(tokens: u64) -> u64 {
    let octaves = u64::from((tokens.max(LEAST) / LEAST).ilog2());
    let octave = LEAST << octaves;
    octaves * FINE + (tokens.max(octave) - octave) / (octave / FINE)
}

/// A position as a pointer means it: the edge, a power of two, the end.
fn snap(wanted: u64, edge: Option<u64>, end: u64) -> u64 {
    let near = |tokens: u64| position(tokens).abs_diff(wanted) <= NEAR;
    let power = (wanted + FINE / 2) / FINE * FINE;
    let marks = [edge.filter(|edge| *edge >= LEAST), Some(end), Some(at(power))];
    marks.into_iter().flatten().find(|tokens| near(*tokens)).unwrap_or_else(|| at(wanted))
}
