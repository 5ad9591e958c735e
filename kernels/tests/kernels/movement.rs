//! Copying and appending, whatever the alignment of rows.

use crate::common::{Random, fresh, gpu, read, upload};
use kvplan_kernels::cpu::movement as cpu;
use kvplan_kernels::gpu::{POISON, block_on};
use kvplan_kernels::op::{Placement, append, copy};
use kvplan_kernels::shader::Append;

fn random_words(seed: u32, count: usize) -> Vec<u32> {
    let mut random = Random::new(seed);
    (0..count).map(|_| random.word()).collect()
}

#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn a_copy_is_the_same_words() {
    let words = random_words(1, 70_000 * 4);
    let (src, dst) = (upload(&words), fresh(words.len() as u64 * 4));
    block_on(gpu().run(&[copy(&src, &dst).unwrap()])).unwrap();
    assert!(read(&dst) == words);
}

/// Rows of 34 and 17 bytes share words with their neighbours; all else must stay poisoned.
#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn rows_arrive_in_their_slots_and_nowhere_else() {
    for row_bytes in [1, 17, 34, 36, 68, 130] {
        let (rows, first_token, slots) = (11, 6, 24);
        let words = random_words(row_bytes, (rows * row_bytes) as usize / 4 + 1);
        let src = upload(&words);
        let table_words = [2, 0, 3, 5, 1];
        let table = upload(&table_words);
        let mut params = Append { rows, row_bytes, first_token, page_size: 0, ring: 0 };
        let bytes = u64::from(slots * row_bytes);
        let poisoned = || vec![POISON; bytes.div_ceil(4) as usize];

        let mut want = [poisoned(), poisoned(), poisoned()];
        cpu::append(&params, &words, &mut want[0]);
        params.page_size = 4;
        cpu::append_paged(&params, &words, &mut want[1], &table_words);
        params.ring = 13;
        cpu::append_ring(&params, &words, &mut want[2]);

        let paged = Placement::Paged { table: &table, page_size: 4 };
        let placements = [Placement::Contiguous, paged, Placement::Ring { slots: 13 }];
        for (placement, want) in placements.into_iter().zip(want) {
            let cache = fresh(bytes.next_multiple_of(4));
            let launch = append(&src, &cache, placement, first_token, rows, row_bytes).unwrap();
            block_on(gpu().run(&[launch])).unwrap();
            assert!(read(&cache) == want, "{row_bytes} bytes per row, {placement:?}");
        }
    }
}

#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn more_rows_than_a_ring_holds_are_refused() {
    let buffer = fresh(64);
    let error = append(&buffer, &buffer, Placement::Ring { slots: 3 }, 0, 4, 4).unwrap_err();
    assert!(error.to_string().contains("ring of 3"), "{error}");
}
