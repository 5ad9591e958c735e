//! Tells the tests whether there is an adapter, as `kvplan-kernels` found it: without one they are reported as ignored.

fn main() {
    println!("cargo::rustc-check-cfg=cfg(gpu_adapter)");
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var_os("DEP_KVPLAN_KERNELS_GPU_ADAPTER").is_some() {
        println!("cargo::rustc-cfg=gpu_adapter");
    }
}
