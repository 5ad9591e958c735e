//! A bar a device, by what its bytes are and how they grow. The plan's own parts are buttons: one is lit everywhere.

use super::{is_lit, light};
use crate::store::Store;
use kvplan_core::planner::view::memory::{Bar, Segment, bars as bars_of};
use kvplan_core::planner::view::text::{bytes, grouped, short};
use kvplan_core::planner::{Figure, Part, Units};
use kvplan_core::unit::Bytes;
use leptos::prelude::*;

/// All bars.
pub(crate) fn bars(store: Store) -> AnyView {
    let all = Memo::new(move |_| {
        store.shown.with(|shown| shown.as_ref().map(|shown| alike(&shown.bars)).unwrap_or_default())
    });
    let pinned = Memo::new(move |_| {
        store.planner.with(|planner| {
            let request = planner.state().pinned.as_deref()?;
            let plan = kvplan_core::plan::plan(request).ok()?;
            Some(outline(&plan.devices))
        })
    });
    let ghost = Memo::new(move |_| {
        let request = store.preview.get()?;
        store.planner.with_untracked(|planner| {
            let plan = planner.plan_of(&request).ok()?;
            Some(
                bars_of(planner.model().ok()?, &plan)
                    .iter()
                    .map(|bar| (bar.name.clone(), bar.used()))
                    .collect::<Vec<_>>(),
            )
        })
    });
    view! {
        <section class="bars" aria-labelledby="memory-title" class:stale=move || store.answer.with(Result::is_err)>
            <h2 id="memory-title">
                "Memory "
                <span class="quiet">{move || match store.view.get().units { Units::GiB => "GiB", Units::GB => "GB" }}</span>
            </h2>
            {move || {
                let (ghost, pinned) = (ghost.get(), pinned.get());
                all.get()
                    .into_iter()
                    .map(|bar| {
                        let of = |all: &Option<Vec<(String, Bytes)>>| {
                            all.as_ref().and_then(|all| all.iter().find(|(name, _)| *name == bar.name).map(|(_, n)| *n))
                        };
                        let marks = (of(&ghost), of(&pinned));
                        one(store, bar, marks)
                    })
                    .collect_view()
            }}
        </section>
    }
    .into_any()
}

/// One bar for neighbours that hold the same: `H200 SXM #1` to `#7` are `H200 SXM #1–7`.
fn alike(bars: &[Bar]) -> Vec<Bar> {
    let same = |a: &Bar, b: &Bar| {
        let unnamed = |bar: &Bar| Bar { name: String::new(), title: String::new(), ..bar.clone() };
        unnamed(a) == unnamed(b)
    };
    let group = |group: &[Bar]| {
        let (first, last) = group.first().zip(group.last())?;
        let to =
            last.title.rsplit_once('#').filter(|_| group.len() > 1).map(|(_, number)| format!("–{number}"));
        Some(Bar { title: format!("{}{}", first.title, to.unwrap_or_default()), ..first.clone() })
    };
    bars.chunk_by(same).filter_map(group).collect()
}

fn outline(devices: &[kvplan_core::placement::DeviceShown]) -> Vec<(String, Bytes)> {
    devices
        .iter()
        .map(|device| {
            let parts = [device.weights_bytes, device.kv_bytes, device.compute_bytes, device.in_use_bytes];
            (
                device.name.clone(),
                Bytes::new(parts.iter().fold(0, |sum: u64, part| sum.saturating_add(part.get()))),
            )
        })
        .collect()
}

fn one(store: Store, bar: Bar, (ghost, pinned): (Option<Bytes>, Option<Bytes>)) -> AnyView {
    let view = store.view.get();
    let used = bar.used();
    let pool = bar.pool_free.unwrap_or_default();
    let whole = bar.capacity.unwrap_or(used).max(Bytes::new(used.get().saturating_add(pool.get())));
    let is_over = bar.free.is_some_and(|free| free < 0);
    let track = bar.segments.iter().map(|segment| stretch(store, *segment, whole)).collect_view();
    let over = bar.free.filter(|free| *free < 0).map(|free| {
        let bytes = Bytes::new(free.unsigned_abs());
        view! { <span class="beyond" style:width=percent(bytes, whole) aria-hidden="true"></span> }
    });
    let outline = |class: &'static str, bytes: Bytes| {
        view! { <span class=class style:width=percent(bytes.min(whole), whole) aria-hidden="true"></span> }
    };
    let free = bar.free.map(|free| {
        let size = bytes(Bytes::new(free.unsigned_abs()), view);
        let words = if free < 0 { format!("over {size}") } else { format!("free {size}") };
        view! { <li class="free" class:over=free < 0 data-part="free" data-bytes=free>{words}</li> }
    });
    let left = bar
        .pool_free
        .map(|left| view! { <li class="free" data-part="room" data-bytes=left.get()>{format!("room for more {}", bytes(left, view))}</li> });
    view! {
        <div class="bar" data-device=bar.name.clone()>
            <span class="name">{bar.title.clone()}</span>
            <div class="track" class:over=is_over>
                {track}
                {(pool > Bytes::ZERO).then(|| view! { <span class="pool" style:width=percent(pool, whole) aria-hidden="true"></span> })}
                {over}
                {ghost.map(|bytes| outline("ghost", bytes))}
                {pinned.map(|bytes| outline("pinned", bytes))}
            </div>
            <span class="capacity">{bar.capacity.map(|capacity| short(capacity, view))}</span>
            <ul class="legend">
                {bar.segments.iter().map(|segment| label(store, *segment)).collect_view()}
                {left}
                {free}
            </ul>
        </div>
    }
    .into_any()
}

/// A stretch of the track; what no token needs is hatched at its end.
fn stretch(store: Store, segment: Segment, whole: Bytes) -> AnyView {
    let figure = Figure::Part(segment.part);
    let waste = (segment.waste > Bytes::ZERO).then(|| {
        view! { <span class="waste" style:width=percent(segment.waste, segment.bytes)></span> }
    });
    let copies = (segment.copies > Bytes::ZERO).then(|| {
        view! { <span class="copies" style:width=percent(segment.copies, segment.bytes)></span> }
    });
    view! {
        <span
            class=format!("part {}", segment.part)
            class:lit=move || is_lit(store, segment.part)
            style:width=percent(segment.bytes, whole)
            title=segment.part.tip()
            aria-hidden="true"
            on:click=move |_| light(store, figure)
        >
            {letter(segment.part)}
            {copies}
            {waste}
        </span>
    }
    .into_any()
}

fn letter(part: Part) -> Option<String> {
    match part {
        Part::InUse | Part::KeptFree => None,
        Part::Weights
        | Part::Full
        | Part::Window
        | Part::Compressed
        | Part::Indexer
        | Part::State
        | Part::Cross
        | Part::Compute => Some(part.letter().to_string()),
    }
}

fn label(store: Store, segment: Segment) -> AnyView {
    let figure = Figure::Part(segment.part);
    let view = store.view.get();
    let about = if segment.about && !view.exact_bytes { "~" } else { "" };
    let copied = match segment.copies {
        Bytes::ZERO => String::new(),
        copies if copies == segment.bytes => " (all copies)".to_owned(),
        copies => format!(" ({} copies)", bytes(copies, view)),
    };
    let beside = match segment.beside {
        Bytes::ZERO => String::new(),
        beside => format!(" ({} beside the model)", bytes(beside, view)),
    };
    view! {
        <li>
            <button
                type="button"
                class="entry"
                data-part=segment.part.to_string()
                data-bytes=segment.bytes.get()
                aria-pressed=move || if is_lit(store, segment.part) { "true" } else { "false" }
                title=format!("{} {}. {} B", segment.part.tip(), segment.part.grows(), grouped(segment.bytes.get()))
                on:click=move |_| light(store, figure)
            >
                <span class=format!("key {}", segment.part) aria-hidden="true"></span>
                {format!("{} {about}{}{beside}{copied}", segment.part.label(), bytes(segment.bytes, view))}
            </button>
        </li>
    }
    .into_any()
}

/// A share of a whole as a CSS width, in ten-thousandths.
fn percent(part: Bytes, whole: Bytes) -> String {
    let share = u128::from(part.get()) * 1_000_000 / u128::from(whole.get().max(1));
    format!("{}.{:04}%", share / 10_000, share % 10_000)
}
