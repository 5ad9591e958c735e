//! What the measurements' names stand for: models, weight formats, devices.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use kvplan_core::hardware::{SpeedClass, catalog};
use kvplan_core::speed::Rates;
use serde::Deserialize;
use serde::de::DeserializeOwned;

const MODELS: &str = "model-specs/sources/speed-models.csv";
const FORMATS: &str = "model-specs/sources/speed-formats.csv";
const DEVICES: &str = "model-specs/sources/speed-hardware.csv";

/// The three tables.
pub(super) struct Facts {
    models: BTreeMap<String, Model>,
    formats: BTreeMap<String, f64>,
    devices: Vec<DeviceName>,
}

/// A model's counts, from its publisher's `config.json`.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Model {
    pub(super) id: String,
    pub(super) layers: u64,
    /// Parameters of the text model.
    pub(super) total: u64,
    /// Embedding rows, where the output layer has its own.
    pub(super) unread: u64,
    /// Parameters of all routed experts.
    pub(super) routed: u64,
    pub(super) experts: u64,
    pub(super) active: u64,
    /// Elements a token adds to layers that keep everything.
    pub(super) kv_full: u64,
    /// Elements a token adds to layers that keep a window.
    pub(super) kv_window: u64,
    pub(super) window: u64,
    /// Recurrent state, f32.
    pub(super) state_bytes: u64,
    /// Heads × `head_dim`, over layers that attend to everything.
    pub(super) attn_width: u64,
    pub(super) latent: u8,
    /// Published 4-bit files keep all but routed experts at about 8.5 bits.
    pub(super) wide_rest: u8,
    names: String,
}

#[derive(Debug, Deserialize)]
struct Format {
    format: String,
    bits_per_weight: f64,
}

#[derive(Debug, Deserialize)]
struct DeviceName {
    pattern: String,
    device: String,
    /// The row's processor, where a GPU's memory is read by it.
    processor: String,
    /// Peak bandwidth of the processor's own path to memory, GB/s, where it is less than the memory's: an M Max's
    /// processor was measured at 243 of 400 (AnandTech, M1 Max review).
    processor_gb_per_s: Option<u64>,
}

impl Facts {
    pub(super) fn read() -> Result<Self> {
        let mut models = BTreeMap::new();
        for model in table::<Model>(MODELS)? {
            for name in model.names.split(';') {
                models.insert(name.to_owned(), model.clone());
            }
        }
        let formats = table::<Format>(FORMATS)?.into_iter().map(|f| (f.format, f.bits_per_weight)).collect();
        Ok(Self { models, formats, devices: table(DEVICES)? })
    }

    pub(super) fn model(&self, name: &str) -> Option<&Model> {
        self.models.get(name)
    }

    pub(super) fn bits_per_weight(&self, format: &str) -> Option<f64> {
        self.formats.get(format).copied()
    }

    /// The device of that name; the first pattern it contains decides.
    pub(super) fn rates(&self, name: &str, on_processor: bool) -> Result<Option<Rates>> {
        let on_processor = on_processor || name.contains("[CPU]");
        let found = self
            .devices
            .iter()
            .find(|known| known.processor.is_empty() != on_processor && name.contains(&known.pattern));
        let Some(known) = found else { return Ok(None) };
        let device = catalog::find(&known.device).map_err(|e| anyhow::anyhow!("{DEVICES}: {e}"))?;
        Ok(Rates::of(device).map(|rates| {
            if on_processor {
                Rates {
                    device: known.processor.clone(),
                    class: Some(SpeedClass::Cpu),
                    bandwidth: known.processor_gb_per_s.map_or(rates.bandwidth, |gb| gb * 1_000_000_000),
                    flops: None,
                }
            } else {
                rates
            }
        }))
    }
}

fn table<T: DeserializeOwned>(path: &str) -> Result<Vec<T>> {
    let mut reader = csv::Reader::from_path(path).with_context(|| format!("cannot read {path}"))?;
    reader.deserialize().collect::<Result<_, _>>().with_context(|| format!("cannot read {path}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use kvplan_core::cache::Retention;
    use kvplan_core::spec::catalog as models;

    /// Models whose layers read a cache that another layer owns: they read more than they keep.
    const SHARED: [&str; 1] = ["gemma-4-e4b"];

    #[test]
    fn cache_widths_and_layers_are_the_catalogues() {
        crate::shell::enter_workspace_root().unwrap();
        let mut compared = 0;
        for model in Facts::read().unwrap().models.values() {
            let Ok(spec) = models::find(&model.id) else { continue };
            if SHARED.contains(&model.id.as_str()) || spec.layer_count() == 0 {
                continue;
            }
            let (mut full, mut window) = (0, 0);
            for kind in spec.kinds() {
                for store in kind.stores() {
                    match store.retention {
                        Retention::All => full += store.heads * store.dim * kind.layers(),
                        Retention::Window(_) | Retention::Chunk(_) => {
                            window += store.heads * store.dim * kind.layers()
                        }
                        Retention::Strided(every) => full += store.heads * store.dim * kind.layers() / every,
                        Retention::Fixed(_) | Retention::Encoder | Retention::Evicted(_) => {}
                    }
                }
            }
            assert_eq!(spec.layer_count(), usize::try_from(model.layers).unwrap(), "{}", model.id);
            assert_eq!((full, window), (model.kv_full, model.kv_window), "{}", model.id);
            compared += 1;
        }
        assert!(compared >= 40, "{compared}");
    }
}
