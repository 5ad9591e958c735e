//! What goes wrong comes back as a typed error.

use crate::common::{fresh, gpu, read};
use kvplan_kernels::gpu::{Choice, Clock, Dispatch, Gpu, GpuError, POISON, adapters, block_on};
use kvplan_kernels::op::copy;
use kvplan_kernels::shader;

#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn a_fresh_buffer_is_poisoned_to_the_last_word() {
    let buffer = fresh((1 << 20) + 12);
    assert!(read(&buffer).iter().all(|word| *word == POISON));
}

#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn an_adapter_is_found_by_part_of_its_name_and_a_wrong_name_lists_what_there_is() {
    let listed = block_on(adapters());
    let name = listed[0].name.to_uppercase();
    let half = name.get(..name.len() / 2).unwrap().to_owned();
    assert_eq!(block_on(Gpu::open(&Choice::Named(half))).unwrap().info(), &listed[0]);
    let error = block_on(Gpu::open(&Choice::Named("no such gpu".into()))).unwrap_err();
    assert!(error.to_string().contains(&listed[0].name), "{error}");
}

#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn a_buffer_past_the_binding_limit_is_refused_before_it_is_made() {
    let bytes = gpu().largest_binding() + 1;
    let error = block_on(gpu().buffer("a large cache", bytes)).unwrap_err();
    let limit = 128 << 20;
    assert_eq!(error, GpuError::BindingTooLarge { label: "a large cache".into(), bytes, limit });
}

#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn a_launch_with_a_missing_buffer_or_an_unknown_constant_is_refused() {
    let buffer = fresh(16);
    let launch = Dispatch::new(&shader::movement::COPY).buffers([&buffer]);
    let error = block_on(gpu().run(&[launch])).unwrap_err();
    assert!(matches!(error, GpuError::Arguments { shader: "movement/copy", .. }), "{error}");
    let launch = Dispatch::new(&shader::movement::COPY).buffers([&buffer, &buffer]).constant("X", 1);
    assert!(block_on(gpu().run(&[launch])).unwrap_err().to_string().contains('X'));
}

#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn what_the_api_refuses_is_a_validation_error_and_the_device_goes_on() {
    let buffer = fresh(16);
    // One buffer both read and written in one launch.
    let error = block_on(gpu().run(&[copy(&buffer, &buffer).unwrap()])).unwrap_err();
    assert!(matches!(error, GpuError::Validation { .. }), "{error}");
    let other = fresh(16);
    block_on(gpu().run(&[copy(&buffer, &other).unwrap()])).unwrap();
}

#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn a_run_says_which_clock_timed_it() {
    let (a, b) = (fresh(1 << 20), fresh(1 << 20));
    let timing = block_on(gpu().run(&[copy(&a, &b).unwrap()])).unwrap();
    assert!(timing.seconds > 0.0 && timing.wall >= timing.seconds * 0.5, "{timing:?}");
    assert!(timing.clock == Clock::Wall || gpu().info().timestamps);
}

#[test]
#[cfg_attr(not(gpu_adapter), ignore = "no adapter")]
fn a_closed_device_is_lost() {
    let own = block_on(Gpu::open(&Choice::Fastest)).unwrap();
    own.close();
    let error = block_on(own.buffer("late", 16)).unwrap_err();
    assert!(matches!(error, GpuError::DeviceLost { .. }), "{error}");
}
