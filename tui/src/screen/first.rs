//! What a first open shows: the machine it runs on where it is known, the example otherwise.

use crate::detect::{Depth, detect};
use kvplan_core::engine::EngineName;
use kvplan_core::fit::{self, Unknown};
use kvplan_core::hardware::{Class, catalog};
use kvplan_core::plan::{
    EngineRequest, HardwareEntry, ModelRef, Request, WeightsRequest, plan, resolve_model,
};
use kvplan_core::planner::view::table::formats;
use kvplan_core::planner::{Lens, State};

/// A context that people ask for, where it fits.
const CONTEXT: u64 = 131_072;
/// What a weight format has to leave, where any does.
const LEAST: u64 = 32_768;
const GIB: u64 = 1 << 30;

/// Said beside a machine that was found, not chosen.
pub(crate) const DETECTED: &str = "detected";

/// What a first open shows.
#[derive(Debug)]
pub(crate) struct First {
    pub(crate) state: State,
    /// What to say of it.
    pub(crate) said: &'static str,
    /// Where the machine is from: to be said beside it.
    pub(crate) machine: &'static str,
}

/// A first open, with the model that was used last.
pub(crate) fn first(last: Option<&str>) -> First {
    let found = detect(Depth::Files);
    let (hardware, machine, said) = if !found.has_gpu() {
        let machine = vec![entry("rtx-5090", 1, None), entry("cpu", 1, Some(64 * GIB))];
        (
            machine,
            "example",
            "an example machine and model: d and m choose yours, E other examples, ? shows all keys",
        )
    } else {
        (found.hardware(), DETECTED, "the machine is the detected one; m chooses a model, ? shows all keys")
    };
    // Drivers count what draws this very screen.
    let in_use = if machine == DETECTED { found.in_use() } else { 0 };
    let mut state = State::of(request(hardware, last, in_use));
    // Who serves chooses devices.
    if state.request.engine.as_ref().is_some_and(|engine| engine.name == EngineName::Vllm) {
        state.view.lens = Lens::Devices;
    }
    First { state, said, machine }
}

fn entry(device: &str, count: u64, memory_bytes: Option<u64>) -> HardwareEntry {
    HardwareEntry { device: device.to_owned(), count, memory_bytes, bandwidth_bytes_per_s: None }
}

/// The model that was used last or one of the machine's size, the largest weights that leave room, and a context that fits
/// whatever is estimated, beside what other programs hold.
pub(crate) fn request(hardware: Vec<HardwareEntry>, last: Option<&str>, in_use: u64) -> Request {
    let device = hardware.iter().find_map(|entry| Some((catalog::find(&entry.device).ok()?, entry.count)));
    let memory =
        device.and_then(|(device, count)| device.usable()?.bytes.get().checked_mul(count)).unwrap_or(0);
    let rack = device.is_some_and(|(device, count)| device.class() == Class::DatacenterGpu && count >= 8);
    let serves = device.is_some_and(|(device, _)| device.class() == Class::DatacenterGpu);
    // What a driver keeps of a card of 24 GiB makes it no smaller one.
    let (model, engine) = match memory.saturating_add(GIB / 2) / GIB {
        _ if rack => ("deepseek-v4-flash", EngineName::Vllm),
        _ if serves => ("qwen3.6-27b", EngineName::Vllm),
        24.. => ("qwen3.6-27b", EngineName::LlamaCpp),
        12.. => ("qwen3.5-9b", EngineName::LlamaCpp),
        _ => ("qwen3.5-4b", EngineName::LlamaCpp),
    };
    let mut asked = Request::of(ModelRef::Id(last.unwrap_or(model).to_owned()));
    asked.engine = Some(EngineRequest::default_of(engine));
    asked.context = Some(CONTEXT);
    asked.reserve.in_use_bytes = in_use;
    if serves {
        asked.placement.tp = device.map_or(1, |(_, count)| count);
    }
    asked.hardware = hardware;
    let most = |format: &str, asked: &Request| {
        let weights = Some(WeightsRequest::Format(format.to_owned()));
        plan(&Request { weights, ..asked.clone() }).ok()?.fit.max_context
    };
    // The full 16 bits are nobody's first choice on a desk.
    let mut rooms = formats(engine)
        .iter()
        .skip(usize::from(!serves))
        .filter_map(|format| Some((*format, most(format, &asked).filter(|most| *most >= 1024)?)));
    let mut last_resort = None;
    let wanted = rooms.find(|(format, most)| {
        last_resort = Some((*format, *most));
        *most >= LEAST
    });
    let wanted = wanted.or(last_resort);
    // A model that nothing is known to fit with, or whose weights nothing is known of, is no first view.
    if wanted.is_none() && last.is_some_and(|last| last != model) {
        return request(asked.hardware, None, in_use);
    }
    if let Some((format, most)) = wanted {
        asked.weights = Some(WeightsRequest::Format(format.to_owned()));
        let safe = safe_context(&asked).unwrap_or(most).max(1024);
        asked.context = Some(CONTEXT.min(safe / 1024 * 1024));
    }
    asked
}

/// The longest context that fits whatever is estimated.
fn safe_context(asked: &Request) -> Option<u64> {
    let model = resolve_model(&asked.model).ok()?;
    fit::largest(asked, &model, Unknown::Context).ok()?.found()?.safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use kvplan_core::placement::State as Fit;
    use rstest::rstest;

    #[rstest]
    #[case::desk("rtx-5090", 1, "qwen3.6-27b")]
    #[case::small("rtx-4060", 1, "qwen3.5-4b")]
    #[case::least_middle("rtx-3060-12gb", 1, "qwen3.5-9b")]
    #[case::middle("rtx-4080", 1, "qwen3.5-9b")]
    #[case::least_large("rtx-4090", 1, "qwen3.6-27b")]
    #[case::rack("h200-sxm-141gb", 8, "deepseek-v4-flash")]
    fn a_first_open_fits_the_machine(#[case] device: &str, #[case] count: u64, #[case] model: &str) {
        let asked = request(vec![entry(device, count, None)], None, 0);
        assert_eq!(asked.model, ModelRef::Id(model.to_owned()));
        let plan = plan(&asked).unwrap();
        assert!(matches!(plan.fit.state, Fit::Fits | Fit::Barely), "{:?}", plan.fit);
        assert!(plan.context.get() >= LEAST);
    }

    /// The largest weights that leave 32k, and as much of 128k as they leave: 34 GB of memory less 27 GB of an 8-bit
    /// 27B model are less than the 8 GiB that 128k tokens take.
    #[test]
    fn a_first_open_takes_the_largest_weights_that_leave_room_and_the_capacity_is_in_view() {
        for in_use in [0, 3 * GIB] {
            let asked = request(vec![entry("rtx-5090", 1, None)], None, in_use);
            assert_eq!(asked.weights, Some(WeightsRequest::Format("Q8_0".to_owned())));
            let (context, fit) = (asked.context.unwrap(), plan(&asked).unwrap().fit);
            assert_eq!(fit.state, Fit::Fits, "{fit:?}");
            assert!((LEAST..CONTEXT).contains(&context), "{context}");
            assert_eq!(fit.bound_by, Some(kvplan_core::placement::BoundBy::Memory));
            assert!(fit.max_context.unwrap() - context < 8192, "{fit:?}");
        }
    }
}
