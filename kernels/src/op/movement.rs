//! Copying and appending.

use kvplan_core::codec::Packing;

use super::{Arrangement, SideKernels, Span, Tensor, word};
use crate::gpu::{Buffer, Dispatch, GpuError};
use crate::shader::{self, Append, Copy, Geometry};

/// Where an appended row goes.
#[derive(Debug, Clone, Copy)]
pub enum Placement<'a> {
    /// Token t to slot t.
    Contiguous,
    /// Through a block table: token t to slot t mod `page_size` of page `table[t / page_size]`.
    Paged {
        /// Pages, one word each.
        table: &'a Buffer,
        /// Tokens per page.
        page_size: u32,
    },
    /// Token t to slot t mod `slots`.
    Ring {
        /// Slots.
        slots: u32,
    },
}

/// A cache that tokens are appended to.
#[derive(Debug, Clone, Copy)]
pub struct Destination<'a> {
    /// The side's buffer, or the one of both sides.
    pub buffer: &'a Buffer,
    /// Where a token goes.
    pub placement: Placement<'a>,
    /// How both sides share buffers.
    pub arrangement: Arrangement,
}

/// Copies `src` to `dst`, which is as large.
///
/// # Errors
/// [`GpuError::Arguments`] when it is not.
pub fn copy<'a>(src: &'a Buffer, dst: &'a Buffer) -> Result<Dispatch<'a>, GpuError> {
    let shader = &shader::movement::COPY;
    if src.bytes() != dst.bytes() || !src.bytes().is_multiple_of(16) {
        let message = format!("{} to {} bytes: equal multiples of 16 are copied", src.bytes(), dst.bytes());
        return super::refuse(shader, message);
    }
    let params = Copy { words: word(shader, "words", src.bytes() / 4)? };
    Ok(Dispatch::new(shader).params(params.bytes()).buffers([src, dst]).invocations(src.bytes() / 16))
}

/// Appends `rows` packed rows of `row_bytes`, end to end in `src`, to `cache` as tokens from `first_token` on.
///
/// # Errors
/// [`GpuError::Arguments`] when the rows are not all in `src`, or overlap in a ring.
pub fn append<'a>(
    src: &'a Buffer,
    cache: &'a Buffer,
    placement: Placement<'a>,
    first_token: u32,
    rows: u32,
    row_bytes: u32,
) -> Result<Dispatch<'a>, GpuError> {
    let dst_side = Geometry { page_tokens: 1, page_bytes: row_bytes, heads: 1, ..Geometry::default() };
    let record_bytes = row_bytes;
    let params =
        Append { dst_side, rows, record_bytes, first_token, src_row_bytes: row_bytes, ..Append::default() };
    launch(params, src, cache, placement)
}

impl SideKernels {
    /// Appends the tokens of `tensor`, packed in `src` as [`SideKernels::quantize`] leaves them, to a cache as tokens from
    /// `first_token` on: one launch, or one for codes and one for scales where these lie in planes of their own.
    ///
    /// # Errors
    /// [`GpuError::Arguments`] when the layout does not take the shape or the arrangement, groups tokens, the rows are
    /// not all in `src`, or overlap in a ring.
    pub fn append<'a>(
        &self,
        tensor: Tensor,
        src: &'a Buffer,
        first_token: u32,
        to: Destination<'a>,
    ) -> Result<Vec<Dispatch<'a>>, GpuError> {
        let from = self.geometry(tensor, Arrangement::Rows, Span::default())?;
        let dst_side = self.geometry(tensor, to.arrangement, Span::default())?;
        let mut params = Append {
            dst_side,
            rows: tensor.tokens,
            record_bytes: from.head_bytes,
            first_token,
            src_row_bytes: from.page_bytes,
            src_head_bytes: from.head_bytes,
            ..Append::default()
        };
        match self.packing() {
            // A row of all heads is one record.
            Packing::Row(_) if to.arrangement == Arrangement::Rows => {
                params.record_bytes = from.page_bytes;
                params.dst_side.heads = 1;
            }
            Packing::Row(_) => {
                params.src_head_bytes = from.page_bytes.checked_div(tensor.heads).unwrap_or(0);
                params.record_bytes = params.src_head_bytes;
            }
            Packing::Head { .. } | Packing::Entry { .. } => {}
            Packing::Rate { .. } | Packing::Channel(_) | Packing::TokenGroup { .. } => {
                return super::refuse(&shader::movement::APPEND, "tokens of one group are packed together");
            }
        }
        let Arrangement::Pages { .. } = to.arrangement else {
            return Ok(vec![launch(params, src, to.buffer, to.placement)?]);
        };
        let (codes, scales) = (from.plane, from.head_bytes.saturating_sub(from.plane));
        let side = params.dst_side;
        let plane = Geometry {
            base: side.base + side.plane,
            token_bytes: side.plane_token_bytes,
            head_bytes: side.plane_head_bytes,
            ..side
        };
        let scales = Append { dst_side: plane, record_bytes: scales, src_base: codes, ..params };
        params.record_bytes = codes;
        let codes = launch(params, src, to.buffer, to.placement)?;
        let scales = if side.swizzled > 0 {
            swizzled(scales, src, to.buffer, to.placement)?
        } else {
            launch(scales, src, to.buffer, to.placement)?
        };
        Ok(vec![codes, scales])
    }
}

fn launch<'a>(
    mut params: Append,
    src: &'a Buffer,
    cache: &'a Buffer,
    placement: Placement<'a>,
) -> Result<Dispatch<'a>, GpuError> {
    let (shader, buffers) = match placement {
        Placement::Contiguous => (&shader::movement::APPEND, vec![src, cache]),
        Placement::Paged { table, page_size } => {
            params.page_size = page_size;
            (&shader::movement::APPEND_PAGED, vec![src, cache, table])
        }
        Placement::Ring { slots } => {
            params.ring = slots;
            (&shader::movement::APPEND_RING, vec![src, cache])
        }
    };
    inside(shader, &params, src)?;
    if let Placement::Ring { slots } = placement
        && params.rows > slots
    {
        return super::refuse(shader, format!("{} rows overlap in a ring of {slots}", params.rows));
    }
    // A record that does not begin on a word touches one word more: the shader counts in the same way.
    let words = u64::from(params.record_bytes + 6) / 4;
    let records = u64::from(params.rows) * u64::from(params.dst_side.heads);
    Ok(Dispatch::new(shader).params(params.bytes()).buffers(buffers).invocations(records * words))
}

fn swizzled<'a>(
    mut params: Append,
    src: &'a Buffer,
    cache: &'a Buffer,
    placement: Placement<'a>,
) -> Result<Dispatch<'a>, GpuError> {
    let shader = &shader::movement::APPEND_SWIZZLED;
    inside(shader, &params, src)?;
    let table = match placement {
        Placement::Contiguous => src,
        Placement::Paged { table, page_size } => {
            params.page_size = page_size;
            table
        }
        Placement::Ring { .. } => return super::refuse(shader, "transposed scales are kept in pages"),
    };
    let scales = u64::from(params.rows) * u64::from(params.dst_side.heads) * u64::from(params.record_bytes);
    Ok(Dispatch::new(shader).params(params.bytes()).buffers([src, cache, table]).invocations(scales))
}

/// Refuses records that are not all in `src`.
fn inside(shader: &'static shader::Shader, params: &Append, src: &Buffer) -> Result<(), GpuError> {
    let bytes = u64::from(params.rows) * u64::from(params.src_row_bytes);
    if bytes > src.bytes() {
        let (rows, each) = (params.rows, params.src_row_bytes);
        return super::refuse(shader, format!("{rows} rows of {each} bytes are more than {}", src.bytes()));
    }
    Ok(())
}
