use crate::shader::Attention;

/// `shared/slot.wgsl`: the slot of a sequence's token.
pub(in crate::cpu) fn slot(params: &Attention, table: &[u32], sequence: u32, token: u32) -> u32 {
    let at = if params.ring > 0 { token % params.ring } else { token };
    if let Some(page) = at.checked_div(params.page_size) {
        let page = table[(sequence * params.pages + page) as usize];
        return page * params.page_size + at % params.page_size;
    }
    sequence * params.capacity + at
}
