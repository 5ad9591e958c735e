//! Copying and appending.

use super::word;
use crate::gpu::{Buffer, Dispatch, GpuError};
use crate::shader::{self, Append, Copy};

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
    let mut params = Append { rows, row_bytes, first_token, page_size: 0, ring: 0 };
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
    let bytes = u64::from(rows) * u64::from(row_bytes);
    if bytes > src.bytes() {
        return super::refuse(
            shader,
            format!("{rows} rows of {row_bytes} bytes are more than {}", src.bytes()),
        );
    }
    if let Placement::Ring { slots } = placement
        && rows > slots
    {
        return super::refuse(shader, format!("{rows} rows overlap in a ring of {slots}"));
    }
    // A row that does not begin on a word touches one word more: the shader counts in the same way.
    let words = u64::from(row_bytes + 6) / 4;
    let launch = Dispatch::new(shader).params(params.bytes()).buffers(buffers);
    Ok(launch.invocations(u64::from(rows) * words))
}
