//! The part of an answer that needs a machine: devices, the verdict, and what was assumed about both.

use super::answer::ComputeShown;
use super::{Detail, Memo, Request};
use crate::engine::{Engine, Reservation};
use crate::error::PlanError;
use crate::placement::{Bill, Case, DeviceShown, FitShown, HOST, Place, PoolShown};
use crate::unit::Bytes;
use std::borrow::Cow;

/// What a machine adds to a plan.
pub(super) struct Placed {
    /// Who holds what; where hardware or several ranks were given.
    pub(super) bill: Option<Bill>,
    pub(super) compute: Option<ComputeShown>,
    pub(super) pool: Option<PoolShown>,
    pub(super) devices: Vec<DeviceShown>,
    pub(super) fit: FitShown,
    pub(super) assumptions: Vec<Cow<'static, str>>,
}

/// Places a reservation; llama.cpp's report is told its buffers.
pub(super) fn place(
    case: &Case<'_>,
    request: &Request,
    reservation: &mut Reservation,
    detail: Detail,
    memo: &mut Memo,
) -> Result<Placed, PlanError> {
    let mut assumptions = Vec::new();
    let given = case.machine().is_given();
    if !given && !case.ranks().is_parallel() {
        note_unused(case, &mut assumptions);
        return Ok(Placed {
            bill: None,
            compute: None,
            pool: None,
            devices: Vec::new(),
            fit: FitShown::unknown(),
            assumptions,
        });
    }
    let bill = case.bill(reservation)?;
    if given {
        case.list_buffers(reservation, &bill)?;
    }
    let devices = case.rows(&bill)?;
    note(case, &bill, &devices, &mut assumptions);
    let fit = match case.verdict(&bill)? {
        None => FitShown::unknown(),
        Some(verdict) => {
            let longest = if detail.max_context { memo.max_context(request, case)? } else { None };
            FitShown {
                state: verdict.state(),
                spare_bytes: Some(verdict.spare),
                doubt_bytes: Some(verdict.doubt),
                device: Some(case.place_name(verdict.place)),
                max_context: longest.map(|(tokens, _)| tokens),
                bound_by: longest.map(|(_, bound)| bound),
            }
        }
    };
    let compute = ComputeShown::of(&bill)?;
    // Three reservations more: left out of sweeps that leave out the largest context.
    let pool = if detail.max_context { case.pool(&bill)? } else { None };
    Ok(Placed { bill: Some(bill), compute, pool, devices, fit, assumptions })
}

/// What was asked about a machine that was not described.
fn note_unused(case: &Case<'_>, assumptions: &mut Vec<Cow<'static, str>>) {
    let reserve = case.machine().reserve;
    if reserve.in_use_bytes > 0 || reserve.keep_free_bytes > 0 {
        assumptions.push(Cow::Borrowed("no hardware is given: what is in use or kept free changes nothing"));
    }
    if let Engine::LlamaCpp(options) = case.engine()
        && options.asks_for_placement()
    {
        assumptions.push(Cow::Borrowed(
            "n_gpu_layers, tensor_split, offload_kqv, n_cpu_moe and override_tensor do not change the total; give hardware to see bytes by device",
        ));
    }
}

/// Whether llama.cpp holds a tied head beside the embedding.
fn has_head_twice(case: &Case<'_>, bill: &Bill) -> bool {
    let on_device = bill.layers.as_ref().and_then(|layers| layers.last());
    matches!(on_device, Some(Place::Device(_)))
        && case.weights().is_some_and(|weights| weights.tied_head > Bytes::ZERO)
}

fn note(case: &Case<'_>, bill: &Bill, rows: &[DeviceShown], assumptions: &mut Vec<Cow<'static, str>>) {
    if case.weights().is_none() {
        assumptions.push(Cow::Borrowed("no weights are given: devices hold the cache alone"));
    }
    let machine = case.machine();
    if machine.is_given() && machine.host.is_none() && rows.iter().any(|row| row.name == HOST) {
        assumptions
            .push(Cow::Borrowed("the size of host memory is not given: what is kept there is taken to fit"));
    }
    if let Engine::Vllm(options) = case.engine()
        && case.takes_small_steps(options)
    {
        assumptions.push(Cow::Borrowed(
            "activation is that of max_num_batched_tokens 2048 and max_num_seqs 256, vLLM's own defaults on GPUs below 70 GiB and on an A100",
        ));
    }
    let lacks_activation = !bill.compute_lines.is_empty()
        && matches!(case.engine(), Engine::Vllm(_) | Engine::TensorRtLlm(_))
        && bill.compute_lines.iter().all(|line| line.name != "activation");
    if lacks_activation {
        assumptions.push(Cow::Borrowed(
            "the peak of a step is not counted: the model's tensors are not understood; give activation_bytes",
        ));
    }
    let world = case.ranks().world().unwrap_or(u64::MAX);
    let devices = u64::try_from(machine.devices.len()).unwrap_or(u64::MAX);
    match case.engine() {
        Engine::LlamaCpp(options) => {
            if options.override_tensor.is_some() {
                assumptions.push(Cow::Borrowed(
                    "override_tensor moves weights only, by tensor names that are not known here: weights are counted where their layers are",
                ));
            }
            if options.n_cpu_moe.is_some() && case.weights().is_some_and(|w| !w.by_part) {
                assumptions.push(Cow::Borrowed(
                    "n_cpu_moe moves experts, which a total of weights does not tell apart: weights are counted where their layers are",
                ));
            }
            if has_head_twice(case, bill) {
                assumptions.push(Cow::Borrowed(
                    "the head is the token embedding, which stays in host memory: it is loaded a second time with the last layer",
                ));
            }
            if bill.devices() > 1 && options.tensor_split.is_none() {
                assumptions.push(Cow::Borrowed(
                    "no tensor_split: layers are split by the memory that is free on each device",
                ));
            }
        }
        Engine::Payload | Engine::Vllm(_) | Engine::Sglang(_) | Engine::TensorRtLlm(_)
            if devices > world && (world > 1 || !matches!(case.engine(), Engine::Payload)) =>
        {
            assumptions.push(Cow::Owned(format!(
                "{world} of {devices} devices are used: set tp, pp or dp to use more"
            )));
        }
        Engine::Payload | Engine::Transformers(_) | Engine::Mlx(_) | Engine::ExllamaV3(_) if devices > 1 => {
            assumptions
                .push(Cow::Borrowed("layers are split over the devices by the memory that is free on each"));
        }
        Engine::Payload
        | Engine::Vllm(_)
        | Engine::Sglang(_)
        | Engine::TensorRtLlm(_)
        | Engine::Transformers(_)
        | Engine::Mlx(_)
        | Engine::ExllamaV3(_) => {}
    }
    if case.weights().is_some_and(|w| !w.by_part) && bill.devices() > 1 {
        assumptions.push(Cow::Borrowed("a total of weights is spread evenly over the layers"));
    }
    if case.ranks().dp > 1 {
        assumptions.push(Cow::Owned(format!("sequences are shared evenly by {} replicas", case.ranks().dp)));
    }
}
