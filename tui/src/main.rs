//! kvplan
fn main() {}
