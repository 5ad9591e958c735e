//! Light, dark, or as the system says.

use leptos::prelude::*;

/// Where the choice is kept.
const KEY: &str = "theme";

/// The choice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, strum::Display, strum::EnumString)]
#[strum(serialize_all = "lowercase")]
pub(crate) enum Choice {
    /// As the system says.
    #[default]
    System,
    Light,
    Dark,
}

/// The choice, and whether it comes to dark.
#[derive(Clone, Copy)]
pub(crate) struct Theme {
    pub choice: RwSignal<Choice>,
    pub dark: Memo<bool>,
}

impl Theme {
    pub(crate) fn new() -> Self {
        let stored =
            window().local_storage().ok().flatten().and_then(|store| store.get_item(KEY).ok().flatten());
        let choice = RwSignal::new(stored.and_then(|text| text.parse().ok()).unwrap_or_default());
        let query = window().match_media("(prefers-color-scheme: dark)").ok().flatten();
        let system = RwSignal::new(query.as_ref().is_some_and(web_sys::MediaQueryList::matches));
        if let Some(query) = query {
            let listened = query.clone();
            let heard =
                wasm_bindgen::closure::Closure::<dyn Fn()>::new(move || system.set(listened.matches()));
            query.set_onchange(Some(wasm_bindgen::JsCast::unchecked_ref(heard.as_ref())));
            heard.forget();
        }
        let dark = Memo::new(move |_| match choice.get() {
            Choice::System => system.get(),
            Choice::Light => false,
            Choice::Dark => true,
        });
        Effect::new(move |_| {
            let choice = choice.get();
            if let Some(root) = document().document_element() {
                let _kept = root.set_attribute("data-theme", &choice.to_string());
            }
            if let Ok(Some(store)) = window().local_storage() {
                let _kept = store.set_item(KEY, &choice.to_string());
            }
        });
        Self { choice, dark }
    }

    /// The next choice.
    pub(crate) fn turn(self) {
        self.choice.update(|choice| {
            *choice = match choice {
                Choice::System => Choice::Light,
                Choice::Light => Choice::Dark,
                Choice::Dark => Choice::System,
            }
        });
    }
}
