//! Bytes against context on a canvas, with the same figures as a table. Pulled with a pointer it sets the context, or, at
//! the line of the device's capacity, how much is kept free.

use crate::chart::{Chart, Ink, Scale, draw, hidpi};
use crate::first::{self, is_host};
use crate::store::Store;
use crate::theme::Theme;
use kvplan_core::hardware::catalog;
use kvplan_core::planner::view::curve::curve as curve_of;
use kvplan_core::planner::view::text::{bytes, grouped};
use kvplan_core::planner::{Action, Field, snap};
use kvplan_core::unit::{Binary, Bytes};
use leptos::ev;
use leptos::html::Canvas;
use leptos::prelude::*;
use wasm_bindgen::JsCast as _;

/// Rows of the table.
const ROWS: usize = 16;
/// Pixels around the capacity's line where a pointer takes it.
const NEAR: i32 = 7;
/// Points of a curve that is only compared with.
const POINTS: u32 = 65;

/// What a pointer has hold of.
#[derive(Clone, Copy)]
enum Pull {
    Context,
    Capacity,
}

/// What the chart shows now.
pub(crate) fn chart(store: Store) -> Memo<Option<Chart>> {
    let pinned = Memo::new(move |_| {
        store.planner.with(|planner| {
            let request = planner.state().pinned.as_deref()?;
            let model = kvplan_core::plan::resolve_model(&request.model).ok()?;
            let context = kvplan_core::plan::plan_model(&model, request).ok()?.context.get();
            curve_of(&model, request, context, POINTS).ok()
        })
    });
    let ghost = Memo::new(move |_| {
        let request = store.preview.get()?;
        store.planner.with_untracked(|planner| {
            let context = planner.plan_of(&request).ok()?.context.get();
            curve_of(planner.model().ok()?, &request, context, POINTS).ok()
        })
    });
    Memo::new(move |_| {
        let curve = store.curve.get()?;
        let (context, most) = store
            .answer
            .with(|answer| answer.as_ref().ok().map(|plan| (plan.context.get(), plan.fit.max_context)))?;
        Some(Chart {
            curve,
            pinned: pinned.get(),
            ghost: ghost.get(),
            context,
            most,
            view: store.view.get(),
            scale: store.scale.get(),
        })
    })
}

/// The panel.
pub(crate) fn curve(
    store: Store,
    theme: Theme,
    chart: Memo<Option<Chart>>,
    canvas: NodeRef<Canvas>,
) -> AnyView {
    let resized = RwSignal::new(0u32);
    let as_table = RwSignal::new(false);
    Effect::new(move |_| {
        let Some(element) = canvas.get() else { return };
        let seen = wasm_bindgen::closure::Closure::<dyn Fn()>::new(move || {
            resized.update(|n| *n = n.wrapping_add(1))
        });
        if let Ok(observer) = web_sys::ResizeObserver::new(seen.as_ref().unchecked_ref()) {
            observer.observe(&element);
        }
        seen.forget();
    });
    Effect::new(move |_| {
        resized.get();
        let ink = if theme.dark.get() { Ink::DARK } else { Ink::LIGHT };
        let (Some(element), Some(chart)) = (canvas.get(), chart.get()) else { return };
        if let Some(backend) = hidpi::HiDpi::new(&element) {
            let _drawn = draw(backend, &chart, &ink);
        }
    });
    let said = move || {
        let words = store.headline.with(|headline| format!("{} {}", headline.first, headline.second));
        format!("Bytes against context. {words}")
    };
    let pulled = RwSignal::new(None::<Pull>);
    let pull = move |event: &ev::PointerEvent, what: Pull| {
        let (Some(element), Some(chart)) = (canvas.get_untracked(), chart.get_untracked()) else { return };
        let Some(frame) = hidpi::size(&element).map(|size| chart.frame(size)) else { return };
        match what {
            Pull::Context => {
                let tokens = frame.tokens_at(event.offset_x());
                let stop = (!event.alt_key()).then(|| stop(store, tokens)).flatten();
                let (to, name) = stop.map_or((tokens, None), |stop| (stop.value, Some(stop.name)));
                store.act(Action::Drag { field: Field::Context, to: Some(to) });
                if let Some(name) = name {
                    store.notice.set(Some(format!("{} tokens: {name}", grouped(to))));
                }
            }
            Pull::Capacity => {
                let held = store.request.with_untracked(|request| request.reserve.keep_free_bytes);
                let room = chart.curve.capacity.unwrap_or_default().saturating_add(held);
                let to = room.saturating_sub(frame.bytes_at(event.offset_y()));
                // Beyond all of it there are larger cards: one for each pull.
                if event.offset_y() < frame.y(room) - NEAR {
                    pulled.set(None);
                    store.act(Action::Settle);
                    larger_card(store);
                } else {
                    store.act(Action::Drag { field: Field::KeepFree, to: Some(to) });
                }
            }
        }
    };
    let down = move |event: ev::PointerEvent| {
        let (Some(element), Some(chart)) = (canvas.get_untracked(), chart.get_untracked()) else { return };
        let Some(frame) = hidpi::size(&element).map(|size| chart.frame(size)) else { return };
        let line = chart.curve.capacity.map(|room| frame.y(room));
        let on_line = line.is_some_and(|y| (event.offset_y() - y).abs() <= NEAR);
        let what = if on_line { Pull::Capacity } else { Pull::Context };
        let _captured = element.set_pointer_capture(event.pointer_id());
        pulled.set(Some(what));
        pull(&event, what);
    };
    let up = move |_| {
        if pulled.get_untracked().is_some() {
            pulled.set(None);
            store.act(Action::Settle);
        }
    };
    view! {
        <section class="curve" aria-labelledby="curve-title" class:stale=move || store.answer.with(Result::is_err)>
            <h2 id="curve-title">
                "Bytes against context"
                <button
                    type="button"
                    class="small"
                    title="Every doubling of the context takes as much room"
                    aria-pressed=move || if store.scale.get() == Scale::Doublings { "true" } else { "false" }
                    on:click=move |_| {
                        store
                            .scale
                            .update(|scale| {
                                *scale = match scale {
                                    Scale::Linear => Scale::Doublings,
                                    Scale::Doublings => Scale::Linear,
                                };
                            });
                    }
                >
                    "log"
                </button>
                <button
                    type="button"
                    class="small"
                    aria-pressed=move || if as_table.get() { "true" } else { "false" }
                    on:click=move |_| as_table.update(|is| *is = !*is)
                >
                    "table"
                </button>
            </h2>
            <canvas
                node_ref=canvas
                role="img"
                aria-label=said
                hidden=move || as_table.get()
                on:pointerdown=down
                on:pointermove=move |event| {
                    if let Some(what) = pulled.get_untracked() {
                        pull(&event, what);
                    }
                }
                on:pointerup=up
                on:pointercancel=up
            ></canvas>
            <Show when=move || as_table.get()>{twin(store, chart)}</Show>
        </section>
    }
    .into_any()
}

/// The value with a name that a pointer means.
fn stop(store: Store, tokens: u64) -> Option<snap::Stop> {
    let answer = store.answer.get_untracked();
    store.planner.with_untracked(|planner| {
        let stops = snap::stops(Field::Context, planner.model().ok()?, answer.as_deref().ok());
        snap::near(&stops, tokens).cloned()
    })
}

/// The next larger card of the same maker takes the place of the one that is set.
fn larger_card(store: Store) {
    let mut devices = store.request.with_untracked(|request| request.hardware.clone());
    let own = devices.iter_mut().find(|entry| !is_host(entry));
    let Some((entry, card)) =
        own.and_then(|entry| catalog::larger_card(&entry.device).map(|card| (entry, card)))
    else {
        return store.notice.set(Some("There is no larger card of that maker.".to_owned()));
    };
    *entry = first::device(card.id(), entry.count);
    store.act(Action::Devices(devices));
    let size = card.memory().map(|memory| format!(", {}", Binary(memory))).unwrap_or_default();
    let words = format!("{}{size}: pull again for a larger one; undo takes it back.", card.name());
    store.notice.set(Some(words));
}

/// The chart's figures.
fn twin(store: Store, chart: Memo<Option<Chart>>) -> AnyView {
    let rows = move || {
        let view = store.view.get();
        chart.with(|chart| {
            let Some(chart) = chart else { return Vec::new() };
            let every = chart.curve.samples.len().div_ceil(ROWS).max(1);
            let room = chart.curve.capacity;
            chart
                .curve
                .samples
                .iter()
                .step_by(every)
                .map(|sample| {
                    let fits = room.map(|room| if sample.bytes <= room { "fits" } else { "over" });
                    (grouped(sample.tokens), bytes(Bytes::new(sample.bytes), view), fits)
                })
                .collect::<Vec<_>>()
        })
    };
    view! {
        <div class="wide" tabindex="0" role="region" aria-label="Bytes against context, as a table">
            <table>
                <thead>
                    <tr>
                        <th scope="col">"tokens"</th>
                        <th scope="col">"bytes"</th>
                        <th scope="col">"usable memory"</th>
                    </tr>
                </thead>
                <tbody>
                    {move || {
                        rows()
                            .into_iter()
                            .map(|(tokens, bytes, fits)| {
                                view! {
                                    <tr>
                                        <td class="number">{tokens}</td>
                                        <td class="number">{bytes}</td>
                                        <td>{fits}</td>
                                    </tr>
                                }
                            })
                            .collect_view()
                    }}
                </tbody>
            </table>
        </div>
    }
    .into_any()
}
