//! A list to choose from. What is set is in it, also where nobody offers it.

use leptos::prelude::*;

/// What a list is called.
pub(crate) struct Words {
    pub id: &'static str,
    pub label: &'static str,
    /// What choosing nothing is called.
    pub none: &'static str,
}

/// A value and how it is shown.
pub(crate) type Offer = (String, String);

/// Values that are shown as they are.
pub(crate) fn plain(values: &[&str]) -> Vec<Offer> {
    values.iter().map(|value| ((*value).to_owned(), (*value).to_owned())).collect()
}

/// The list: what is offered, what is set (empty for nothing; case does not matter), what choosing does, and a signal that
/// becomes true when someone looks at it.
pub(crate) fn choice(
    words: Words,
    offered: impl Fn() -> Vec<Offer> + Send + 'static,
    set: impl Fn() -> String + Send + 'static,
    chosen: impl Fn(Option<String>) + 'static,
    looked: RwSignal<bool>,
) -> AnyView {
    list(words, Box::new(move || (offered(), set())), Box::new(chosen), looked)
}

type Options = Box<dyn Fn() -> (Vec<Offer>, String) + Send>;

fn list(
    words: Words,
    options: Options,
    chosen: Box<dyn Fn(Option<String>)>,
    looked: RwSignal<bool>,
) -> AnyView {
    let options = move || {
        let (mut offered, set) = options();
        if !set.is_empty() && !offered.iter().any(|(value, _)| value.eq_ignore_ascii_case(&set)) {
            offered.insert(0, (set.clone(), set.clone()));
        }
        let none = (String::new(), words.none.to_owned());
        std::iter::once(none)
            .chain(offered)
            .map(|(value, text)| {
                let selected = value.eq_ignore_ascii_case(&set);
                view! { <option value=value prop:selected=selected>{text}</option> }
            })
            .collect_view()
    };
    view! {
        <p class="field">
            <label for=words.id>{words.label}</label>
            <select
                id=words.id
                on:focus=move |_| looked.set(true)
                on:pointerenter=move |_| looked.set(true)
                on:change:target=move |event| {
                    let value = event.target().value();
                    chosen((!value.is_empty()).then_some(value));
                }
            >
                {options}
            </select>
        </p>
    }
    .into_any()
}
