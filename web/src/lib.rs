//! The browser planner: one page on core's planner state.
//!
//! - [`chart`]: bytes against context, drawn on a canvas or as SVG.
//! - [`first`]: what the page opens on.
//!
//! Those two know no browser and are tested without one. The rest is the page, compiled for wasm only: `store` holds the
//! planner and what follows from it, `input` sets, `panel` shows, `address` keeps the URL, `receive` takes files and
//! clipboards, `intake` has them read by a module of its own, `save` gives files, `theme` is light or dark.

pub mod chart;
pub mod first;

#[cfg(target_arch = "wasm32")]
mod address;
#[cfg(target_arch = "wasm32")]
mod input;
#[cfg(target_arch = "wasm32")]
mod intake;
#[cfg(target_arch = "wasm32")]
mod page;
#[cfg(target_arch = "wasm32")]
mod panel;
#[cfg(target_arch = "wasm32")]
mod receive;
#[cfg(target_arch = "wasm32")]
mod save;
#[cfg(target_arch = "wasm32")]
mod store;
#[cfg(target_arch = "wasm32")]
mod theme;

/// Puts the planner into the page's `#planner`. `catalogue` is the text of the models and devices; `read` is asked what a
/// text or a file is beside the model that is set: `read("text", string, model)` and `read("file", File, model)` promise the
/// answer of the module `kvplan-web-intake`.
///
/// # Errors
/// A catalogue that is none.
#[cfg(target_arch = "wasm32")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub async fn open(catalogue: String, read: js_sys::Function) -> Result<(), wasm_bindgen::JsError> {
    kvplan_core::spec::catalog::give(catalogue)?;
    intake::ask_by(read);
    if let Some(line) = address::line() {
        intake::prepare(&line).await;
    }
    page::mount();
    Ok(())
}
