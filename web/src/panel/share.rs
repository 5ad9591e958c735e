//! One menu for everything that leaves the page: link, figures, pictures.

use crate::chart::{Chart, Ink};
use crate::store::{Store, said as sentence};
use crate::theme::Theme;
use crate::{address, intake, save};
use kvplan_core::plan::Request;
use leptos::html::Canvas;
use leptos::prelude::*;
use wasm_bindgen::JsValue;

/// Size of a picture that is saved, pixels.
const PICTURE: (u32, u32) = (960, 480);

/// The menu.
pub(crate) fn share(
    store: Store,
    theme: Theme,
    chart: Memo<Option<Chart>>,
    canvas: NodeRef<Canvas>,
) -> AnyView {
    let copied = RwSignal::new(None);
    let said = move |done: Result<(), JsValue>| {
        copied.set(Some(if done.is_ok() { "saved" } else { "the browser refuses" }));
    };
    let link = move || save::copy(store.planner.with_untracked(address::of), copied);
    let json = move || {
        let request = Request { explain: false, ..store.request.get_untracked() };
        leptos::task::spawn_local(async move {
            match intake::written("plan", &request).await {
                Ok(text) => said(save::text("plan.json", "application/json", &text)),
                Err(error) => store.notice.set(Some(sentence(&error))),
            }
        });
    };
    let csv = move || {
        let text = chart.with_untracked(|chart| {
            let samples = chart.iter().flat_map(|chart| &chart.curve.samples);
            let rows = samples.map(|sample| format!("{},{}\n", sample.tokens, sample.bytes));
            format!("tokens,bytes\n{}", rows.collect::<String>())
        });
        said(save::text("curve.csv", "text/csv", &text));
    };
    let svg = move || {
        let ink = if theme.dark.get_untracked() { Ink::DARK } else { Ink::LIGHT };
        let drawn =
            chart.with_untracked(|chart| chart.as_ref().and_then(|chart| chart.svg(PICTURE, &ink).ok()));
        said(drawn.ok_or(JsValue::NULL).and_then(|text| save::text("curve.svg", "image/svg+xml", &text)));
    };
    let png = move || {
        let canvas = canvas.get_untracked().ok_or(JsValue::NULL);
        said(canvas.and_then(|canvas| save::png("curve.png", &canvas)));
    };
    view! {
        <details class="menu">
            <summary>"share"</summary>
            <div>
                <button type="button" on:click=move |_| link()>"copy link"</button>
                <button type="button" on:click=move |_| json()>"plan as JSON"</button>
                <button type="button" on:click=move |_| csv()>"curve as CSV"</button>
                <button type="button" on:click=move |_| svg()>"curve as SVG"</button>
                <button type="button" on:click=move |_| png()>"curve as PNG"</button>
                <p class="quiet" role="status">{move || copied.get()}</p>
            </div>
        </details>
    }
    .into_any()
}
