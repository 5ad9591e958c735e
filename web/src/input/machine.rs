//! The machine: chips for common ones, every catalogued device in a list, memory beside it and what is held back.

use super::number::number;
use crate::first::{self, HOST, MACHINES, is_host};
use crate::store::Store;
use kvplan_core::hardware::{Class, catalog};
use kvplan_core::plan::HardwareEntry;
use kvplan_core::planner::view::words;
use kvplan_core::planner::{Action, Field};
use kvplan_core::unit::{Binary, Bytes, parse_bytes};
use leptos::prelude::*;

const LIST: &str = "in-device";
const COUNT: &str = "in-count";
const RAM: &str = "in-ram";

/// The choice.
pub(crate) fn machine(store: Store, example: bool) -> AnyView {
    let hardware = Memo::new(move |_| store.request.with(|request| request.hardware.clone()));
    let device = Memo::new(move |_| hardware.with(|all| all.iter().find(|one| !is_host(one)).cloned()));
    let host = Memo::new(move |_| hardware.with(|all| all.iter().find(|one| is_host(one)).cloned()));
    let is_example = RwSignal::new(example);
    // Telling a card from a disk takes reading every record: not before someone looks at the list.
    let listed = RwSignal::new(false);
    let set = move |entry: Option<HardwareEntry>, host: Option<HardwareEntry>| {
        is_example.set(false);
        store.act(Action::Devices(entry.into_iter().chain(host).collect()));
    };
    let pick = move |id: &str, count: u64| {
        let entry = (!id.is_empty()).then(|| first::device(id, count));
        // A unified machine's memory is one pool.
        let unified = catalog::find(id).is_ok_and(|device| device.unified());
        set(entry, host.get_untracked().filter(|_| !unified));
    };
    let count = move |text: String| {
        if let (Ok(count), Some(entry)) = (text.trim().parse(), device.get_untracked()) {
            set(Some(HardwareEntry { count, ..entry }), host.get_untracked());
        }
    };
    let error = RwSignal::new(None::<String>);
    let ram = move |text: String| {
        let text = text.trim().to_owned();
        let is_bare = text.ends_with(|c: char| c.is_ascii_digit());
        let text = if is_bare { format!("{text} GiB") } else { text };
        let bytes = if text.is_empty() { Ok(None) } else { parse_bytes(&text).map(Some) };
        match bytes {
            Ok(bytes) => {
                error.set(None);
                let host = bytes
                    .map(|bytes| HardwareEntry { memory_bytes: Some(bytes.get()), ..first::device(HOST, 1) });
                set(device.get_untracked(), host);
            }
            Err(problem) => error.set(Some(problem.to_string())),
        }
    };
    let is = move |machine: &first::Machine| {
        device.with(|now| {
            now.as_ref().is_some_and(|now| now.device == machine.device && now.count == machine.count)
        })
    };
    let memory = move || {
        host.with(|host| {
            host.as_ref()
                .and_then(|host| host.memory_bytes)
                .map(|n| Binary(Bytes::new(n)).to_string())
                .unwrap_or_default()
        })
    };
    view! {
        <fieldset>
            <legend>
                "Machine"
                <Show when=move || is_example.get()>
                    <span class="mark">"example: pick yours"</span>
                </Show>
            </legend>
            <p class="segments">
                {MACHINES
                    .map(|machine| {
                        view! {
                            <button
                                type="button"
                                aria-pressed=move || if is(&machine) { "true" } else { "false" }
                                on:click=move |_| pick(machine.device, machine.count)
                            >
                                {machine.name}
                            </button>
                        }
                    })
                    .collect_view()}
            </p>
            <p class="field">
                <label for=LIST>"Device"</label>
                <select
                    id=LIST
                    on:focus=move |_| listed.set(true)
                    on:pointerenter=move |_| listed.set(true)
                    on:change:target=move |event| pick(&event.target().value(), 1)
                >
                    <option value="" prop:selected=move || device.get().is_none()>"none: only sizes"</option>
                    {move || {
                        let now = device.get().map(|now| now.device);
                        let mut ids = if listed.get() { devices() } else { Vec::new() };
                        if let Some(now) = now.clone().filter(|now| !ids.contains(now)) {
                            ids.push(now);
                        }
                        let mut named: Vec<(String, String)> = ids.into_iter().map(|id| (words::device(&id), id)).collect();
                        kvplan_core::order::by(&mut named, Ord::cmp);
                        named
                            .into_iter()
                            .map(|(name, id)| {
                                let selected = now.as_ref() == Some(&id);
                                view! { <option value=id prop:selected=selected>{name}</option> }
                            })
                            .collect_view()
                    }}
                </select>
            </p>
            <p class="field">
                <label for=COUNT>"how many"</label>
                <input
                    id=COUNT
                    type="number"
                    min="1"
                    max="1024"
                    prop:value=move || device.get().map_or(1, |now| now.count).to_string()
                    on:change:target=move |event| count(event.target().value())
                />
            </p>
            <p class="field">
                <label for=RAM>"RAM"</label>
                <input
                    id=RAM
                    type="text"
                    autocomplete="off"
                    placeholder="not given"
                    prop:value=memory
                    aria-describedby="in-ram-error"
                    on:change:target=move |event| ram(event.target().value())
                />
                <span class="error" id="in-ram-error">{move || error.get()}</span>
            </p>
            {number(store, Field::InUse, "in use", "0")}
            {number(store, Field::KeepFree, "keep free", "0")}
        </fieldset>
    }
    .into_any()
}

/// The ids of everything a plan can be placed on beside host memory.
fn devices() -> Vec<String> {
    let all = catalog::all().filter_map(Result::ok).filter(|device| match device.class() {
        Class::ConsumerGpu
        | Class::WorkstationGpu
        | Class::DatacenterGpu
        | Class::UnifiedSoc
        | Class::MobileNpu
        | Class::Accelerator => true,
        Class::HostMemory | Class::Disk | Class::Link => false,
    });
    all.map(|device| device.id().to_owned()).collect()
}
