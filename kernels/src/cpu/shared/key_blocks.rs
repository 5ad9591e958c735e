use crate::shader::KeyBlocks;

/// `shared/key_blocks.wgsl`: an entry of the table.
pub(crate) struct KeyGroup {
    pub(crate) bits: u32,
    pub(crate) stored: u32,
    pub(crate) n: u32,
    pub(crate) codes: u32,
    pub(crate) dims: u32,
    pub(crate) cuts: u32,
    pub(crate) levels: u32,
}

/// Words of an entry.
pub(crate) const KEY_GROUP_WORDS: usize = 7;

pub(crate) fn key_group(table: &[u32], i: u32) -> KeyGroup {
    let at = i as usize * KEY_GROUP_WORDS;
    KeyGroup {
        bits: table[at],
        stored: table[at + 1],
        n: table[at + 2],
        codes: table[at + 3],
        dims: table[at + 4],
        cuts: table[at + 5],
        levels: table[at + 6],
    }
}

/// Where group i's norm is in a packed key, in bytes.
pub(in crate::cpu) const fn key_norm(params: &KeyBlocks, i: u32) -> u32 {
    params.row_bytes - 2 * (params.groups - i)
}
