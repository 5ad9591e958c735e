//! The browser planner: one page on core's planner state.
//!
//! - [`chart`]: bytes against context, drawn on a canvas or as SVG.
//! - [`first`]: what the page opens on.
//! - [`taken`]: what was dropped or pasted, told apart.
//!
//! Those three know no browser and are tested without one. The rest is the page, compiled for wasm only: `store` holds the
//! planner and what follows from it, `input` sets, `panel` shows, `address` keeps the URL, `receive` takes files and
//! clipboards, `save` gives files, `theme` is light or dark.

pub mod chart;
pub mod first;
pub mod taken;

#[cfg(target_arch = "wasm32")]
mod address;
#[cfg(target_arch = "wasm32")]
mod input;
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

/// Puts the planner into the page's `#planner`; the glue calls it when the module is loaded.
#[cfg(target_arch = "wasm32")]
#[wasm_bindgen::prelude::wasm_bindgen(start)]
pub fn start() {
    page::mount();
}
