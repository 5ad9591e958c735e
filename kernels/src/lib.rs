//! Kernels that prove the planner's numbers on real hardware.
//!
//! Every kernel packs and reads the block layouts of [`codec`]: the predicted size and the packed size have one
//! definition, which is why this crate takes them from `kvplan-core` and states none of its own.
