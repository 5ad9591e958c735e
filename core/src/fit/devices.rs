//! The fewest devices that hold a plan, and the best way to share it out over those there are.

use super::answer::{Ranked, Split};
use super::{Outcome, Quantity, Question, apply, obstacle};
use crate::engine::EngineName;
use crate::error::PlanError;
use crate::placement::{Case, Machine, Trial};
use crate::plan::{HardwareEntry, Request};

/// More devices than this are not tried; llama.cpp has a limit of its own.
const MOST: u64 = 256;
/// `llama_max_devices()`.
const MOST_LLAMA_CPP: u64 = 16;

/// The ways to share a model out over so many devices, tensor parallelism first: `(tp, pp)`.
pub(super) fn splits(engine: EngineName, devices: u64, dp: u64) -> Vec<(u64, u64)> {
    if dp == 0 || !devices.is_multiple_of(dp) {
        return Vec::new();
    }
    let ranks = devices / dp;
    match engine {
        // They deal layers to the devices they are given.
        EngineName::LlamaCpp | EngineName::Transformers | EngineName::Mlx | EngineName::ExllamaV3 => {
            vec![(1, 1)]
        }
        EngineName::Sglang | EngineName::TensorRtLlm => vec![(ranks, 1)],
        EngineName::Payload | EngineName::Vllm => {
            (1..=ranks).rev().filter(|tp| ranks.is_multiple_of(*tp)).map(|tp| (tp, ranks / tp)).collect()
        }
    }
}

impl Question<'_> {
    /// How many devices there are, and how many entries of the request they are in.
    fn devices(&self) -> u64 {
        u64::try_from(self.machine.devices.len()).unwrap_or(u64::MAX)
    }

    /// The request shared out in one way.
    pub(super) fn shared_out(&self, request: &Request, (tp, pp): (u64, u64)) -> Request {
        let mut request = request.clone();
        apply::ranks(&mut request, tp, pp);
        request
    }

    /// The splits of the machine that is given.
    pub(super) fn splits(&self) -> Vec<(u64, u64)> {
        splits(self.engine(), self.devices().max(1), self.request.placement.dp)
    }

    /// The fewest devices of the kind that the request names.
    pub(super) fn fewest_devices(&self) -> Result<Outcome, PlanError> {
        let mut computing = Vec::with_capacity(1);
        for (i, entry) in self.request.hardware.iter().enumerate() {
            if !Machine::of(std::slice::from_ref(entry), self.request.reserve)?.devices.is_empty() {
                computing.push(i);
            }
        }
        let [at] = computing.as_slice() else {
            let message = "how many of which device? name one kind";
            return Err(PlanError::invalid("hardware", message));
        };
        let dp = self.request.placement.dp;
        let most = if self.engine() == EngineName::LlamaCpp { MOST_LLAMA_CPP } else { MOST };
        let mut beyond = None;
        let mut refused = None;
        for n in 1..=most {
            let mut best: Option<(i64, super::Found)> = None;
            for (tp, pp) in splits(self.engine(), n, dp) {
                let mut request = self.shared_out(self.request, (tp, pp));
                if let Some(entry) = request.hardware.get_mut(*at) {
                    *entry = HardwareEntry { count: n, ..entry.clone() };
                }
                let machine = Machine::of(&request.hardware, request.reserve)?;
                // Heads that do not divide, an axis that the engine does not have: another split may do.
                let case = match request.case(&self.model, &machine, self.weights.as_ref()) {
                    Ok(case) => case,
                    Err(error) => {
                        refused.get_or_insert(error);
                        continue;
                    }
                };
                let value = Quantity::Split(Split { devices: n, ranks: ranks_of(&case), layers: Vec::new() });
                match case.trial()? {
                    Trial::Held(verdict) => {
                        let spare = verdict.map_or(0, |v| v.spare);
                        if best.as_ref().is_none_or(|(most, _)| spare > *most) {
                            let mut found = self.found(&case, value, beyond.clone())?;
                            found.request = request;
                            best = Some((spare, found));
                        }
                    }
                    Trial::Over(_) | Trial::Short { .. } | Trial::Refused(_) if best.is_none() => {
                        beyond = Some(obstacle::of(&case, value)?);
                    }
                    Trial::Over(_) | Trial::Short { .. } | Trial::Refused(_) => {}
                }
            }
            if let Some((_, found)) = best {
                return Ok(Outcome::Found(Box::new(found)));
            }
        }
        match (beyond, refused) {
            (Some(last), _) => Ok(Outcome::Nothing(Box::new(last))),
            (None, Some(error)) => Err(error),
            (None, None) => Ok(Outcome::Unbounded),
        }
    }

    /// The split that holds the longest context, or the most sequences where the context is given.
    pub(super) fn best_split(&self) -> Result<Outcome, PlanError> {
        let n = self.devices();
        let mut best: Option<((u64, i64), super::Found)> = None;
        let (mut beyond, mut refused) = (None, None);
        for split in self.splits() {
            let mut request = self.shared_out(self.request, split);
            let case = match request.case(&self.model, &self.machine, self.weights.as_ref()) {
                Ok(case) => case,
                Err(error) => {
                    refused.get_or_insert(error);
                    continue;
                }
            };
            let value = Quantity::Split(Split { devices: n, ranks: ranks_of(&case), layers: Vec::new() });
            let (number, placed) = if request.context.is_some() {
                let Some(case) = case.of_own_length()? else { continue };
                let number = case.max_sequences()?.map_or(u64::MAX, |(n, _)| n);
                apply::sequences(&mut request, number, case.scenario().context);
                (number, case.with_sequences(number.max(1)))
            } else {
                let number = case.max_context()?.map_or(u64::MAX, |(n, _)| n);
                apply::context(&mut request, number);
                (number, case.with_context(number.max(1)))
            };
            if number == 0 {
                beyond.get_or_insert(obstacle::of(&placed, value)?);
                continue;
            }
            let mut found = self.found(&placed, value, None)?;
            found.request = request;
            let rank = (number, found.spare_bytes.unwrap_or(0));
            if best.as_ref().is_none_or(|(most, _)| rank > *most) {
                best = Some((rank, found));
            }
        }
        if let Some(found) = self.dealt(best.as_ref().map(|((number, _), _)| *number))? {
            return Ok(Outcome::Found(Box::new(found)));
        }
        match (best, beyond, refused) {
            (Some((_, found)), _, _) => Ok(Outcome::Found(Box::new(found))),
            (None, Some(last), _) => Ok(Outcome::Nothing(Box::new(last))),
            (None, None, Some(error)) => Err(error),
            (None, None, None) => Ok(Outcome::Unbounded),
        }
    }
}

impl Question<'_> {
    /// llama.cpp's layers dealt by number, where that holds more than `most`, which the split by free memory holds.
    ///
    /// Devices take layers in order. So a length is held by some split if and only if it is held when every device takes
    /// as many layers as it can hold, one device after the other: whoever takes fewer leaves more to those after it.
    fn dealt(&self, most: Option<u64>) -> Result<Option<super::Found>, PlanError> {
        let fixed = self.request.engine.as_ref().is_some_and(|e| e.options.contains_key("n_gpu_layers"));
        if self.engine() != EngineName::LlamaCpp || self.devices() < 2 || fixed {
            return Ok(None);
        }
        let case = self.case()?;
        let of_sequences = self.request.context.is_some();
        let Some(case) = (if of_sequences { case.of_own_length()? } else { Some(case) }) else {
            return Ok(None);
        };
        let at = |n: u64| if of_sequences { case.with_sequences(n) } else { case.with_context(n) };
        let cap = match (of_sequences, case.length_limit()) {
            (true, _) => crate::engine::llama_cpp::MAX_SEQUENCES,
            (false, limit) => limit.unwrap_or(u64::from(u32::MAX)),
        };
        let ask = |n: u64| greedy(&at(n));
        let (mut low, mut high) = (most.unwrap_or(0), cap.saturating_add(1));
        let mut best = None;
        // A number that llama.cpp does not take counts as one that does not fit: the split by free memory is no worse.
        while high.saturating_sub(low) > 1 {
            let middle = low + (high - low) / 2;
            match ask(middle)? {
                Some(layers) => {
                    low = middle;
                    best = Some(layers);
                }
                None => high = middle,
            }
        }
        let Some(layers) = best else { return Ok(None) };
        let placed = at(low).with_layers(&layers);
        let value = Quantity::Split(Split {
            devices: self.devices(),
            ranks: ranks_of(&case),
            layers: layers.clone(),
        });
        let mut found = self.found(&placed, value, None)?;
        if of_sequences {
            apply::sequences(&mut found.request, low, case.scenario().context);
        } else {
            apply::context(&mut found.request, low);
        }
        apply::tensor_split(&mut found.request, &layers);
        Ok(Some(found))
    }
}

/// The layers each device takes where each takes what it can hold, in order; `None` where some are left over, or what is
/// asked does not fit for another reason.
fn greedy(case: &Case<'_>) -> Result<Option<Vec<u16>>, PlanError> {
    let Ok(reservation) = case.reserve() else { return Ok(None) };
    let devices = case.machine().devices.len();
    let all = u16::try_from(case.offload_limit()).map_err(|_| crate::unit::Overflow)?;
    let mut layers = vec![0u16; devices];
    let mut left = all;
    for device in 0..devices {
        let holds = |n: u16| -> Result<bool, PlanError> {
            let mut dealt = layers.clone();
            if let Some(slot) = dealt.get_mut(device) {
                *slot = n;
            }
            // What is left goes to the next device, or there is nowhere for it to go.
            match dealt.get_mut(device + 1) {
                Some(slot) => *slot = left - n,
                None if n < left => return Ok(false),
                None => {}
            }
            let placed = case.with_layers(&dealt);
            Ok(placed.spare_at(&placed.bill(&reservation)?, device)?.is_none_or(|spare| spare >= 0))
        };
        // The most that fit: a device that holds some layers holds fewer too.
        let (mut low, mut high) = (0, left + 1);
        if device + 1 == devices {
            low = if holds(left)? { left } else { 0 };
        } else {
            while high - low > 1 {
                let middle = low + (high - low) / 2;
                if holds(middle)? { low = middle } else { high = middle }
            }
        }
        if let Some(slot) = layers.get_mut(device) {
            *slot = low;
        }
        left -= low;
    }
    let placed = case.with_layers(&layers);
    let held = left == 0 && placed.judge(&reservation, &placed.bill(&reservation)?)?.is_held();
    Ok(held.then_some(layers))
}

/// How a case is shared out.
fn ranks_of(case: &Case<'_>) -> Ranked {
    let ranks = case.ranks();
    Ranked { tp: ranks.tp, pp: ranks.pp, dp: ranks.dp }
}
