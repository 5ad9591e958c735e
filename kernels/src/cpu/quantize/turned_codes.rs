use crate::cpu::shared::{Cuts, turn};

/// `shared/turned_codes.wgsl`: the norm and the codes of one vector.
pub(super) fn turned_codes(
    mut x: Vec<f32>,
    cuts: &Cuts,
    direction: impl Fn(f32, f32) -> f32,
    rotate: impl Fn(&mut [f32]),
) -> (f32, Vec<u32>) {
    let norm = turn::norm(&x);
    x.iter_mut().for_each(|x| *x = direction(*x, norm));
    rotate(&mut x);
    (norm, x.into_iter().map(|x| cuts.code(x)).collect())
}

/// `shared/direction.wgsl`; its rotation is `turn::turned`.
pub(super) fn direction(x: f32, norm: f32) -> f32 {
    x / if norm == 0.0 { 1.0 } else { norm }
}
