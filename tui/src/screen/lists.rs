//! The lists that can be chosen from.

use super::command::{Bindings, Command};
use super::picker::{Item, Picker, Take};
use kvplan_core::cache::Knob;
use kvplan_core::codec::Codec;
use kvplan_core::engine::EngineName;
use kvplan_core::hardware::{self, Class};
use kvplan_core::plan::{HardwareEntry, ModelRef, Request, WeightsRequest};
use kvplan_core::planner::preset::PRESETS;
use kvplan_core::planner::view::change;
use kvplan_core::planner::view::table::{cache_types, formats};
use kvplan_core::planner::view::text;
use kvplan_core::planner::{Action, View};
use kvplan_core::spec::{ModelSpec, catalog};
use kvplan_core::unit::{Binary, grouped};
use kvplan_core::weights::{self, WeightFormat};
use strum::IntoEnumIterator as _;

fn does(action: Action) -> Take {
    Take::Do(Box::new(action))
}

/// Whose weights and cache a list sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    /// The model's.
    Model,
    /// The draft's.
    Draft,
}

impl Whose {
    pub(crate) fn weights(self, to: Option<WeightsRequest>) -> Action {
        match self {
            Self::Model => Action::Weights(to),
            Self::Draft => Action::DraftWeights(to),
        }
    }

    fn cache(self, knob: Knob, codec: Option<String>) -> Action {
        match self {
            Self::Model => Action::Cache { knob, codec },
            Self::Draft => Action::DraftCache { knob, codec },
        }
    }

    /// What its list of weights is called; bytes can be typed into it.
    const fn weights_title(self) -> &'static str {
        match self {
            Self::Model => "weights (or bytes: 160 GB)",
            Self::Draft => "draft weights (or bytes: 2 GB)",
        }
    }
}

/// Catalogued models, one row a shape.
pub(crate) fn models(current: Option<&str>) -> Picker {
    let items = catalog::all()
        .filter_map(Result::ok)
        .map(|model| {
            let trained = model.trained_context().map(|n| format!(", trained to {}", grouped(n.get())));
            Item {
                label: model.id().to_owned(),
                detail: format!(
                    "{}  {} layers{}",
                    model.name(),
                    model.layer_count(),
                    trained.unwrap_or_default()
                ),
                also: model.record().aliases.join(" "),
                take: does(Action::Model(ModelRef::Id(model.id().to_owned()))),
            }
        })
        .collect();
    Picker::new("model", items, current)
}

/// Catalogued devices that compute: choosing one keeps the host memory, choosing it again adds another.
pub(crate) fn devices(set: &[HardwareEntry]) -> Picker {
    let host = set.iter().filter(|entry| entry.memory_bytes.is_some());
    let own = set.iter().find(|entry| entry.memory_bytes.is_none());
    let entry = |id: &str, count: u64| HardwareEntry {
        device: id.to_owned(),
        count,
        memory_bytes: None,
        bandwidth_bytes_per_s: None,
    };
    let with_host = |entry: HardwareEntry| -> Vec<HardwareEntry> {
        std::iter::once(entry).chain(host.clone().cloned()).collect()
    };
    let mut items: Vec<Item> = Vec::new();
    if let Some(own) = own {
        for count in [1, 2, 4, 8].into_iter().filter(|count| *count != own.count) {
            let entry = entry(&own.device, count);
            items.push(Item {
                label: change::devices(std::slice::from_ref(&entry)),
                detail: "as many of the same".to_owned(),
                also: String::new(),
                take: does(Action::Devices(with_host(entry))),
            });
        }
    }
    items.extend(hardware::catalog::all().filter_map(Result::ok).filter(|d| computes(d.class())).map(
        |device| {
            let memory = device.memory().map(|bytes| Binary(bytes).to_string());
            Item {
                label: device.id().to_owned(),
                detail: format!("{}  {}", device.name(), memory.unwrap_or_default()),
                also: device.record().aliases.join(" "),
                take: does(Action::Devices(with_host(entry(device.id(), 1)))),
            }
        },
    ));
    items.push(Item {
        label: "none".to_owned(),
        detail: "sizes alone, no verdict".to_owned(),
        also: String::new(),
        take: does(Action::Devices(Vec::new())),
    });
    Picker::new("device (8 x h200: how many)", items, own.map(|own| own.device.as_str())).counted()
}

const fn computes(class: Class) -> bool {
    match class {
        Class::ConsumerGpu
        | Class::WorkstationGpu
        | Class::DatacenterGpu
        | Class::UnifiedSoc
        | Class::Accelerator
        | Class::MobileNpu => true,
        Class::HostMemory | Class::Disk | Class::Link => false,
    }
}

/// Weight formats, those that the engine usually loads first, each with what the model weighs in it.
pub(crate) fn weight_formats(
    whose: Whose,
    model: Option<&ModelSpec>,
    request: &Request,
    view: View,
) -> Picker {
    let engine = request.engine.as_ref().map_or_else(EngineName::default, |engine| engine.name);
    let usual: Vec<String> = formats(engine).iter().map(|name| (*name).to_owned()).collect();
    let rest = WeightFormat::names().into_iter().filter(|name| {
        let known = WeightFormat::parse(name).map(WeightFormat::in_gguf);
        !usual.iter().any(|u| WeightFormat::parse(u).map(WeightFormat::in_gguf) == known)
    });
    let mut items: Vec<Item> = usual
        .iter()
        .cloned()
        .chain(rest)
        .map(|name| {
            let format = WeightFormat::parse(&name);
            let format = format.map(|f| if engine == EngineName::LlamaCpp { f.in_gguf() } else { f });
            let bytes = model.zip(format).map(|(model, format)| {
                weights::of(model, format)
                    .and_then(|weights| Ok(weights.loaded()?))
                    .map(|b| text::bytes(b, view))
            });
            let detail = match bytes {
                Some(Ok(bytes)) => bytes,
                Some(Err(error)) => error.message,
                None => String::new(),
            };
            Item {
                label: name.clone(),
                detail,
                also: String::new(),
                take: does(whose.weights(Some(WeightsRequest::Format(name)))),
            }
        })
        .collect();
    // What no format says: the weights of the file that the model was read from, or none.
    let own = model.and_then(ModelSpec::own_weights);
    let (label, detail) = match own {
        Some(own) => {
            let bytes = own.loaded().map(|bytes| text::bytes(bytes, view)).unwrap_or_default();
            ("this file", format!("{bytes}  {}", own.format))
        }
        None => ("none", "the cache alone".to_owned()),
    };
    let label = label.to_owned();
    let unsaid = Item { label: label.clone(), detail, also: String::new(), take: does(whose.weights(None)) };
    items.insert(if own.is_some() { 0 } else { items.len() }, unsaid);
    let set = match whose {
        Whose::Model => request.weights.as_ref(),
        Whose::Draft => request.extras.as_ref().and_then(|extras| extras.draft_weights.as_ref()),
    };
    let set = if set.is_none() { label } else { change::weights(set, view) };
    Picker::new(whose.weights_title(), items, Some(&set)).of_weights(whose)
}

/// Engines.
pub(crate) fn engines(current: EngineName) -> Picker {
    let items = EngineName::iter()
        .map(|name| Item {
            label: name.to_string(),
            detail: name.modelled_version().unwrap_or("what the tokens need, nothing else").to_owned(),
            also: programs(name).to_owned(),
            take: does(Action::Engine(name)),
        })
        .collect();
    Picker::new("engine", items, Some(current.as_str()))
}

/// Programs that run an engine inside.
const fn programs(name: EngineName) -> &'static str {
    match name {
        EngineName::LlamaCpp => "ollama lm studio lmstudio llama-server koboldcpp",
        EngineName::Mlx => "lm studio apple",
        EngineName::ExllamaV3 => "tabbyapi",
        EngineName::Transformers => "hugging face",
        EngineName::TensorRtLlm => "nvidia trtllm",
        EngineName::Payload | EngineName::Vllm | EngineName::Sglang => "",
    }
}

/// Codecs of one side: those the engine offers first.
/// `refused` says why one cannot be had, of those that the engine does not offer.
pub(crate) fn codecs(
    whose: Whose,
    knob: Knob,
    engine: EngineName,
    current: Option<&str>,
    refused: impl Fn(&str) -> Option<String>,
) -> Picker {
    let offered = cache_types(engine);
    let item = |codec: Codec| {
        let info = codec.layout().info();
        let kl = codec.measured().and_then(|row| row.kl);
        let kl = kl.map(|kl| format!(", KL {kl:.4}")).unwrap_or_default();
        Item {
            label: codec.name().to_owned(),
            detail: format!("{} stored bits{kl}  {}", info.bits_per_element, info.title),
            also: info.aliases.join(" "),
            take: does(whose.cache(knob, Some(codec.name().to_owned()))),
        }
    };
    let first = offered.iter().filter_map(|name| Codec::parse(name)).map(item);
    let rest = Codec::ALL.iter().copied().filter(|codec| !offered.contains(&codec.name()));
    let rest = rest.map(|codec| match refused(codec.name()) {
        Some(reason) => Item { detail: format!("refused: {reason}"), ..item(codec) },
        None => item(codec),
    });
    // What can be had stands before what is refused.
    let (refusals, had): (Vec<Item>, Vec<Item>) = rest.partition(|item| item.detail.starts_with("refused: "));
    let default = Item {
        label: "default".to_owned(),
        detail: "the engine's own".to_owned(),
        also: String::new(),
        take: does(whose.cache(knob, None)),
    };
    let title = match (whose, knob == Knob::V) {
        (Whose::Model, false) => "cache type of keys",
        (Whose::Model, true) => "cache type of values",
        (Whose::Draft, false) => "cache type of the draft's keys",
        (Whose::Draft, true) => "cache type of the draft's values",
    };
    Picker::new(title, first.chain(had).chain([default]).chain(refusals).collect(), current)
}

/// Every command: the help and the palette.
pub(crate) fn commands(bindings: &Bindings) -> Picker {
    let items = Command::iter()
        .map(|command| Item {
            label: command.help().1.to_owned(),
            detail: bindings.key(command),
            also: command.name().to_owned(),
            take: Take::Run(command),
        })
        .collect();
    Picker::new("keys", items, None)
}

/// States that are offered by name.
pub(crate) fn presets() -> Picker {
    let items = PRESETS
        .iter()
        .map(|preset| Item {
            label: preset.name.to_owned(),
            detail: preset.about.to_owned(),
            also: "example".to_owned(),
            take: Take::Open(preset.line),
        })
        .collect();
    Picker::new("examples", items, None)
}
