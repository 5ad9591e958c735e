//! Tokens per block (`Platform.update_block_size_for_backend`).
//!
//! A backend's kernels prefer a size; beside recurrent states the block grows until an attention page is at least as
//! large as a state, and the state is padded to it; beside layers left unquantized it grows until a quantized page
//! covers an unquantized one.

use super::backend::{Backend, Family, Kernel};
use super::dtype::KvCacheDtype;
use super::options::Setup;
use crate::error::PlanError;
use crate::unit::Overflow;

/// vLLM's block size where every backend takes it.
const DEFAULT: u64 = 16;

/// Tokens per block, and what follows from it for layers that do not count in blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Blocks {
    /// Tokens per block of the primary attention layers.
    pub size: u64,
    /// What a state's page is padded to.
    pub state_page: Option<u64>,
    /// What a window layer's page is padded to, where unquantized layers share the pool.
    pub window_page: Option<u64>,
}

/// What the block size depends on, gathered from the layers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Needs {
    /// Backends of the attention layers, in layer order, each once.
    pub backends: Vec<Backend>,
    /// Bytes one token of a primary attention layer takes on the first backend.
    pub token: u64,
    /// Bytes of a token left unquantized, where some layers are.
    pub unquantized_token: Option<u64>,
    /// Bytes of the largest recurrent state.
    pub state: u64,
    /// Latent attention.
    pub mla: bool,
    /// What checkpoints inside a prefill must be multiples of.
    pub checkpoint: Option<u64>,
}

impl Needs {
    /// A backend, once.
    pub(super) fn add(&mut self, backend: Backend) {
        if !self.backends.contains(&backend) {
            self.backends.push(backend);
        }
    }
}

/// The block size of a model.
///
/// # Errors
/// `engine-refuses` for a block size no kernel takes.
pub(super) fn choose(setup: &Setup<'_>, needs: &Needs) -> Result<Blocks, PlanError> {
    let mut size = match setup.options.block_size {
        Some(size) => size,
        None => preferred(&needs.backends)?,
    };
    let before = size;
    let mut state_page = None;
    if needs.state > 0 && needs.token > 0 {
        size = size.max(beside_states(setup, needs, size)?);
        let page = size.checked_mul(needs.token).ok_or(Overflow)?;
        state_page = (page != needs.state).then_some(page);
    }
    let mut window_page = None;
    if let (Some(unquantized), Some(first)) = (needs.unquantized_token, needs.backends.first())
        && unquantized != needs.token
    {
        // Compared at the kernel's smallest block.
        let step = first.smallest().max(size);
        let page = unquantized.checked_mul(first.smallest()).ok_or(Overflow)?.max(state_page.unwrap_or(0));
        let span = step.checked_mul(needs.token).ok_or(Overflow)?;
        size = size.max(step.checked_mul(page.div_ceil(span.max(1))).ok_or(Overflow)?);
        let shared = size.checked_mul(needs.token).ok_or(Overflow)?;
        window_page = Some(shared);
        state_page = state_page.map(|_| shared);
    }
    if size != before
        && let Some(backend) = needs.backends.iter().find(|b| !b.takes(size))
    {
        let message = format!(
            "Aligned KV cache block size {size} is not supported by attention backend(s): {backend:?}."
        );
        return Err(PlanError::refused("engine.block_size", message).with_value(size));
    }
    Ok(Blocks { size, state_page, window_page })
}

/// The smallest size every backend takes: 16 if they all do.
fn preferred(backends: &[Backend]) -> Result<u64, PlanError> {
    if let [only] = backends {
        return Ok(if only.takes(DEFAULT) { DEFAULT } else { only.smallest() });
    }
    if backends.iter().all(|b| b.takes(DEFAULT)) {
        return Ok(DEFAULT);
    }
    let mut candidates = vec![1u64];
    for backend in backends {
        let mut next = Vec::new();
        for kernel in backend.kernels() {
            for &c in &candidates {
                next.push(lcm(c, kernel.base())?);
            }
        }
        crate::order::by_key(&mut next, |size| *size);
        next.dedup();
        candidates = next;
    }
    candidates.into_iter().find(|&c| backends.iter().all(|b| b.takes(c))).ok_or_else(|| {
        let message =
            format!("The attention backends share no supported KV cache block size ({backends:?}).");
        PlanError::refused("model", message)
    })
}

/// The block whose attention page holds a state (`_align_hybrid_block_size`).
fn beside_states(setup: &Setup<'_>, needs: &Needs, size: u64) -> Result<u64, PlanError> {
    let first = needs.backends.first().map_or(1, |b| b.smallest());
    let mut step = first.max(size);
    if needs.mla {
        // Latent kernels want whole multiples of 128 tokens.
        step = step.max(128);
    }
    if setup.aligned_states() {
        step = lcm(step, needs.checkpoint.unwrap_or(1))?;
    }
    let span = step.checked_mul(needs.token).ok_or(Overflow)?;
    let block = step.checked_mul(needs.state.div_ceil(span)).ok_or(Overflow)?;
    let mut kernels = 1;
    for backend in &needs.backends {
        kernels = lcm(kernels, backend.smallest())?;
    }
    Ok(block.checked_next_multiple_of(kernels).ok_or(Overflow)?)
}

/// The block of a window layer: the largest its kernels take whose page fits the primary layers' block.
pub(super) fn window_block(backend: Backend, token: u64, blocks: &Blocks) -> Result<u64, PlanError> {
    let budget = match blocks.window_page {
        Some(page) => page,
        None => token.checked_mul(blocks.size).ok_or(Overflow)?,
    };
    let most = budget / token.max(1);
    let candidates = || {
        backend.kernels().iter().map(|k| match *k {
            Kernel::Exactly(n) => n,
            Kernel::MultipleOf(n) => (most / n * n).max(n),
        })
    };
    let fitting = candidates().filter(|&b| b <= most).max();
    Ok(fitting.or_else(|| candidates().min()).unwrap_or(blocks.size))
}

/// Tokens a checkpoint inside a prefill must be a multiple of, for gated delta networks: FlashInfer's prefill kernel
/// exports states every 64 tokens, and runs on Hopper, and on Blackwell for key heads of 128.
pub(super) const fn delta_checkpoint(family: Family, k_dim: u64) -> Option<u64> {
    match family {
        Family::Hopper => Some(64),
        Family::Blackwell | Family::BlackwellConsumer if k_dim == 128 => Some(64),
        Family::Ampere | Family::Blackwell | Family::BlackwellConsumer => None,
    }
}

/// The kernel for heads of 512 in FP8 on Hopper reads pages of 64, and sets the pace for the whole model.
pub(super) fn widen_for_fp8(
    setup: &Setup<'_>,
    dtype: KvCacheDtype,
    widest_head: u64,
    backend: Backend,
) -> Backend {
    let fp8 = matches!(dtype, KvCacheDtype::Fp8 | KvCacheDtype::Fp8E4m3);
    let hopper = setup.options.platform.family() == Family::Hopper;
    if backend == Backend::FlashAttn && hopper && fp8 && widest_head == 512 {
        Backend::FlashAttnFp8Wide
    } else {
        backend
    }
}

pub(super) fn lcm(a: u64, b: u64) -> Result<u64, Overflow> {
    let (mut x, mut y) = (a, b);
    while y != 0 {
        (x, y) = (y, x % y);
    }
    (a / x.max(1)).checked_mul(b).ok_or(Overflow)
}
