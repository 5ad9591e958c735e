//! Files and the clipboard.

use js_sys::Array;
use leptos::prelude::*;
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Blob, BlobPropertyBag, HtmlAnchorElement, HtmlCanvasElement, Url};

/// Gives a text as a file.
pub(crate) fn text(name: &str, kind: &str, text: &str) -> Result<(), JsValue> {
    let options = BlobPropertyBag::new();
    options.set_type(kind);
    blob(name, &Blob::new_with_str_sequence_and_options(&Array::of1(&text.into()), &options)?)
}

/// Gives a canvas as a PNG file.
pub(crate) fn png(name: &'static str, canvas: &HtmlCanvasElement) -> Result<(), JsValue> {
    let given = wasm_bindgen::closure::Closure::once_into_js(move |made: Option<Blob>| {
        if let Some(made) = made {
            let _saved = blob(name, &made);
        }
    });
    canvas.to_blob(given.unchecked_ref())
}

fn blob(name: &str, blob: &Blob) -> Result<(), JsValue> {
    let url = Url::create_object_url_with_blob(blob)?;
    let anchor: HtmlAnchorElement = document().create_element("a")?.unchecked_into();
    anchor.set_href(&url);
    anchor.set_download(name);
    anchor.click();
    Url::revoke_object_url(&url)
}

/// Copies, and says in `said` whether it worked: a clipboard that refuses must not look like one that took it.
pub(crate) fn copy(text: String, said: RwSignal<Option<&'static str>>) {
    leptos::task::spawn_local(async move {
        let done = JsFuture::from(window().navigator().clipboard().write_text(&text)).await.is_ok();
        said.set(Some(if done { "copied" } else { "the browser refuses: select it and copy by hand" }));
        set_timeout(move || said.set(None), std::time::Duration::from_secs(4));
    });
}
