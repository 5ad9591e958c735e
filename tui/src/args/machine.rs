//! The machine as it is typed: devices, host memory, ranks, weights, and what is not the plan's.

use crate::detect::{Depth, detect};
use crate::show;
use clap::Args;
use kvplan_core::placement::HOST;
use kvplan_core::plan::{
    CacheRequest, Extras, HardwareEntry, ModelRef, Placement, Request, Reserve, WeightsRequest,
};
use kvplan_core::unit::{Bytes, parse_bytes};
use kvplan_core::weights::WeightFormat;

/// What a plan is held against.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Machine")]
pub(crate) struct MachineArgs {
    /// A device, `local` for those of this machine, `:N` for several, `=MEMORY` (`=24GiB@936GB` with its bandwidth) for
    /// one that is not catalogued; may be repeated
    #[arg(short, long = "device", value_name = "DEVICE", value_parser = device)]
    pub(crate) devices: Vec<HardwareEntry>,
    /// Host memory, for what is kept there (`64GiB@80GB` with its bandwidth, for the speed)
    #[arg(long, value_name = "BYTES", value_parser = host)]
    pub(crate) ram: Option<HardwareEntry>,
    /// Weights: a format (Q4_K_M, bf16, awq, …) or their bytes
    #[arg(short, long, value_name = "FORMAT|BYTES", value_parser = weights)]
    pub(crate) weights: Option<WeightsRequest>,
    /// A draft model for speculative decoding: a catalogued id, or a config.json, .gguf or spec file
    #[arg(long, value_name = "MODEL", value_parser = draft)]
    pub(crate) draft: Option<ModelRef>,
    /// The draft's weights: a format or their bytes
    #[arg(long, value_name = "FORMAT|BYTES", value_parser = weights, requires = "draft")]
    pub(crate) draft_weights: Option<WeightsRequest>,
    /// Codec of the draft's keys and values
    #[arg(long, value_name = "CODEC", requires = "draft")]
    pub(crate) draft_cache: Option<String>,
    /// Bytes of an image projector (mmproj)
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes)]
    pub(crate) projector: Option<Bytes>,
    /// Bytes of adapters (LoRA)
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes)]
    pub(crate) lora: Option<Bytes>,
    /// Memory of every device that other programs hold
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes)]
    pub(crate) in_use: Option<Bytes>,
    /// Memory of every device to keep free
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes)]
    pub(crate) keep_free: Option<Bytes>,
    /// llama.cpp's compute buffers on each device, as its log prints them (default: estimated)
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes)]
    pub(crate) compute: Option<Bytes>,
    /// Peak of a step of vLLM or TensorRT-LLM on each device (default: estimated)
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes)]
    pub(crate) activation: Option<Bytes>,
    /// Their captured CUDA graphs on each device (default: 0.5 GiB, 2 GiB with experts)
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes)]
    pub(crate) cuda_graphs: Option<Bytes>,
    /// What torch does not see on each device (default: 0.25 GiB, 1 GiB with several ranks)
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes)]
    pub(crate) non_torch: Option<Bytes>,
    /// Tensor-parallel ranks
    #[arg(long, default_value_t = 1)]
    pub(crate) tp: u64,
    /// Pipeline stages
    #[arg(long, default_value_t = 1)]
    pub(crate) pp: u64,
    /// Data-parallel replicas
    #[arg(long, default_value_t = 1)]
    pub(crate) dp: u64,
    /// Expert-parallel ranks
    #[arg(long, default_value_t = 1)]
    pub(crate) ep: u64,
    /// Decode-context-parallel ranks
    #[arg(long, default_value_t = 1)]
    pub(crate) dcp: u64,
}

impl MachineArgs {
    /// The request with this machine in it.
    pub(crate) fn add_to(&self, request: Request) -> Request {
        let (mut hardware, in_use) = self.found();
        if let Some(ram) = &self.ram {
            hardware.retain(|entry| entry.device != HOST);
            hardware.push(ram.clone());
        }
        Request {
            hardware,
            weights: self.weights.clone(),
            extras: self.extras(),
            reserve: Reserve {
                in_use_bytes: self.in_use.map_or(in_use, Bytes::get),
                keep_free_bytes: self.keep_free.map_or(0, Bytes::get),
                compute_bytes: self.compute.map(Bytes::get),
                activation_bytes: self.activation.map(Bytes::get),
                cuda_graph_bytes: self.cuda_graphs.map(Bytes::get),
                non_torch_bytes: self.non_torch.map(Bytes::get),
            },
            placement: Placement { tp: self.tp, pp: self.pp, dp: self.dp, ep: self.ep, dcp: self.dcp },
            ..request
        }
    }

    /// What lives beside the model.
    fn extras(&self) -> Option<Extras> {
        let extras = Extras {
            draft: self.draft.clone(),
            draft_weights: self.draft_weights.clone(),
            draft_cache: CacheRequest { kv: self.draft_cache.clone(), ..CacheRequest::default() },
            projector_bytes: self.projector.map_or(0, Bytes::get),
            lora_bytes: self.lora.map_or(0, Bytes::get),
        };
        (extras != Extras::default()).then_some(extras)
    }
}

/// A model by id, or read from its file.
fn draft(text: &str) -> Result<ModelRef, String> {
    if !std::path::Path::new(text).exists() {
        return Ok(ModelRef::Id(text.to_owned()));
    }
    let model = crate::load::model(text).map_err(|error| error.to_string())?;
    serde_json::to_value(model.record()).map(ModelRef::Spec).map_err(|error| error.to_string())
}

/// Names that stand for the machine this runs on.
const LOCAL: [&str; 2] = ["local", "detected"];

impl MachineArgs {
    /// The devices that were named, this machine's in the place of `local`, and what other programs hold of those.
    fn found(&self) -> (Vec<HardwareEntry>, u64) {
        let is_local =
            |entry: &HardwareEntry| LOCAL.contains(&entry.device.as_str()) && entry.memory_bytes.is_none();
        if !self.devices.iter().any(is_local) {
            return (self.devices.clone(), 0);
        }
        let found = detect(Depth::Drivers);
        show::note(&format!("detected: {}", show::machine(&found)));
        let mut hardware: Vec<HardwareEntry> =
            self.devices.iter().filter(|entry| !is_local(entry)).cloned().collect();
        hardware.extend(found.hardware());
        (hardware, found.in_use())
    }
}

/// `rtx-5090`, `rtx-5090:2`, `bench=24GiB`, `bench:4=24GiB@936GB`.
fn device(text: &str) -> Result<HardwareEntry, String> {
    let (name, described) = match text.split_once('=') {
        Some((name, described)) => (name, Some(described)),
        None => (text, None),
    };
    let (name, count) = match name.rsplit_once(':') {
        Some((name, count)) => {
            (name, count.parse().map_err(|_| format!("`{count}` is no number of devices"))?)
        }
        None => (name, 1),
    };
    if name.trim().is_empty() {
        return Err("a device needs a name".to_owned());
    }
    let (memory_bytes, bandwidth_bytes_per_s) = match described.map(memory).transpose()? {
        None => (None, None),
        Some((bytes, rate)) => (Some(bytes), rate),
    };
    Ok(HardwareEntry { device: name.trim().to_owned(), count, memory_bytes, bandwidth_bytes_per_s })
}

/// `24GiB`, `24GiB@936GB`.
fn memory(text: &str) -> Result<(u64, Option<u64>), String> {
    let bytes = |text: &str| parse_bytes(text).map(Bytes::get).map_err(|e| e.to_string());
    match text.split_once('@') {
        Some((memory, rate)) => Ok((bytes(memory)?, Some(bytes(rate.trim_end_matches("/s"))?))),
        None => Ok((bytes(text)?, None)),
    }
}

/// Host memory, as a device of the machine.
fn host(text: &str) -> Result<HardwareEntry, String> {
    let (bytes, bandwidth_bytes_per_s) = memory(text)?;
    Ok(HardwareEntry { device: HOST.to_owned(), count: 1, memory_bytes: Some(bytes), bandwidth_bytes_per_s })
}

/// A format by name, or a number of bytes.
fn weights(text: &str) -> Result<WeightsRequest, String> {
    if WeightFormat::parse(text).is_some() {
        return Ok(WeightsRequest::Format(text.to_owned()));
    }
    parse_bytes(text).map(|bytes| WeightsRequest::Bytes(bytes.get())).map_err(|_| {
        format!(
            "neither a number of bytes (`15.5GiB`) nor a weight format: {}",
            WeightFormat::names().join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_a_format_or_bytes() {
        assert_eq!(weights("Q4_K_M"), Ok(WeightsRequest::Format("Q4_K_M".into())));
        assert_eq!(weights("15GiB"), Ok(WeightsRequest::Bytes(15 << 30)));
        assert!(weights("Q9_X").unwrap_err().contains("Q4_K_M"));
    }

    #[test]
    fn host_memory_may_name_its_bandwidth() {
        let read = |text: &str| host(text).map(|d| (d.device, d.memory_bytes, d.bandwidth_bytes_per_s));
        assert_eq!(read("64GiB"), Ok(("CPU".into(), Some(64 << 30), None)));
        assert_eq!(read("64GiB@80GB/s"), Ok(("CPU".into(), Some(64 << 30), Some(80_000_000_000))));
        assert!(read("much").is_err());
    }

    #[test]
    fn a_device_is_named_counted_and_described() {
        let read =
            |text: &str| device(text).map(|d| (d.device, d.count, d.memory_bytes, d.bandwidth_bytes_per_s));
        assert_eq!(read("rtx-5090"), Ok(("rtx-5090".into(), 1, None, None)));
        assert_eq!(read("RTX 5090:2"), Ok(("RTX 5090".into(), 2, None, None)));
        assert_eq!(read("bench:4=24GiB"), Ok(("bench".into(), 4, Some(24 << 30), None)));
        assert_eq!(read("b=1GB@936GB/s"), Ok(("b".into(), 1, Some(1_000_000_000), Some(936_000_000_000))));
        for bad in ["", "x:y", "x=much", ":2"] {
            assert!(device(bad).is_err(), "{bad}");
        }
    }
}
