//! llama.cpp's offload: the most layers on the devices, the fewest layers whose experts stay in host memory.

use super::{Outcome, Quantity, Question, apply, nothing, obstacle};
use crate::engine::EngineName;
use crate::error::PlanError;

impl Question<'_> {
    fn only_llama_cpp(&self, option: &str) -> Result<(), PlanError> {
        let engine = self.engine();
        if engine == EngineName::LlamaCpp {
            return Ok(());
        }
        let message = format!("{engine} has no {option}: layers are offloaded by llama.cpp");
        Err(PlanError::unsupported("engine.name", message).with_value(engine.as_str()))
    }

    /// The most layers on the devices. Which layers a device has changes with their number, so all numbers are tried.
    pub(super) fn gpu_layers(&self) -> Result<Outcome, PlanError> {
        self.only_llama_cpp("n_gpu_layers")?;
        let case = self.case()?;
        let all = case.offload_limit();
        let reservation = match case.reserve() {
            Ok(reservation) => reservation,
            Err(_) => return nothing(&case, 0),
        };
        let mut beyond = None;
        for n in (0..=all).rev() {
            let placed = case.with_gpu_layers(n);
            if placed.judge(&reservation, &placed.bill(&reservation)?)?.is_held() {
                let mut found = self.found(&placed, Quantity::Count(n), beyond)?;
                if n == all {
                    found.bound_by = Some(crate::placement::BoundBy::Model);
                }
                apply::llama_cpp_option(&mut found.request, "n_gpu_layers", n);
                return Ok(Outcome::Found(Box::new(found)));
            }
            beyond = Some(obstacle::of(&placed, Quantity::Count(n))?);
        }
        nothing(&case.with_gpu_layers(0), 0)
    }

    /// The fewest layers whose routed experts stay in host memory.
    pub(super) fn host_experts(&self) -> Result<Outcome, PlanError> {
        self.only_llama_cpp("n_cpu_moe")?;
        let known = self.weights.as_ref().is_some_and(|weights| weights.routed.iter().any(|b| b.get() > 0));
        if !known {
            let message = "which of the weights are routed experts? give a format of a mixture of experts";
            return Err(PlanError::missing("weights", message));
        }
        let case = self.case()?;
        let reservation = match case.reserve() {
            Ok(reservation) => reservation,
            Err(_) => return nothing(&case, 0),
        };
        let layers = case.offload_limit().saturating_sub(1);
        let mut beyond = None;
        for n in 0..=layers {
            let placed = case.with_host_experts(n);
            if placed.judge(&reservation, &placed.bill(&reservation)?)?.is_held() {
                let mut found = self.found(&placed, Quantity::Count(n), beyond)?;
                if n == 0 {
                    found.bound_by = Some(crate::placement::BoundBy::Model);
                }
                apply::llama_cpp_option(&mut found.request, "n_cpu_moe", n);
                return Ok(Outcome::Found(Box::new(found)));
            }
            beyond = Some(obstacle::of(&placed, Quantity::Count(n))?);
        }
        nothing(&case.with_host_experts(layers), layers)
    }
}
