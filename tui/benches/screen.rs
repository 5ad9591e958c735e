//! What a key costs: a change of the state, its figures, and the frame.

use divan::Bencher;
use kvplan::bench::Bench;

fn main() {
    divan::main();
}

#[divan::bench]
fn a_context_moved_and_drawn_at_200_by_60(bencher: Bencher<'_, '_>) {
    let mut bench = Bench::new(200, 60);
    bencher.bench_local(|| {
        bench.moved();
        bench.draw();
    });
}

#[divan::bench]
fn a_cache_type_changed_and_drawn_at_200_by_60(bencher: Bencher<'_, '_>) {
    let mut bench = Bench::new(200, 60);
    bencher.bench_local(|| {
        bench.changed();
        bench.draw();
    });
}

#[divan::bench]
fn a_frame_at_200_by_60(bencher: Bencher<'_, '_>) {
    let mut bench = Bench::new(200, 60);
    bencher.bench_local(|| bench.draw());
}

#[divan::bench]
fn the_alternatives_that_follow_the_frame(bencher: Bencher<'_, '_>) {
    let mut bench = Bench::new(200, 60);
    bencher.bench_local(|| {
        bench.changed();
        bench.finish();
    });
}
