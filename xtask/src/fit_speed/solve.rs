//! The fit: a penalised, robust Gauss–Newton on logarithms of times.
//!
//! Minimised is `Σ w ρ(ln estimated − ln measured) + ½ Σ λ θ²`, ρ growing like the absolute value beyond 6 %, so that a
//! wrong row costs little; the penalty keeps a name near zero until several benches agree. What all rows of a bench have
//! in common beyond their names (a power limit, a build's flags, a stopwatch's habit) is a factor of the bench's own,
//! solved for beside the names so that they need not take it up, and then forgotten: no estimate is made for a bench. A
//! bench of n rows counts as √n: they tell of depth and batch each, but repeat one machine's and one model's luck.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use kvplan_core::speed::{Phase, Term, Terms, terms};

use super::PRIORS;
use super::rows::{Row, What, real};

/// Where the loss turns from squares to absolute values.
const BEND: f64 = 0.06;
const ROUNDS: usize = 30;

/// Whose value is forgotten.
const BENCH: &str = "bench";

/// How strongly a name is held to zero, by what it belongs to.
fn penalty(name: &str) -> f64 {
    match name.split(':').next().unwrap_or_default() {
        "e" | BENCH => 18.0,
        "p" => 6.0,
        "h" | "tau" => 5.0,
        "y" | "ek" => 8.0,
        "ff" => 15.0,
        "m" | "f" => 90.0,
        "iq" => 0.5,
        "fa" | "kq" | "mla" | "pa" | "pfa" => 4.0,
        _ => 3.0,
    }
}

/// The names' values, rounded to a ten-thousandth so that another machine's last digits do not matter.
pub(super) fn effects(rows: &[&Row], what: What) -> Result<BTreeMap<String, f64>> {
    let rows: Vec<&Row> =
        rows.iter().copied().filter(|row| row.what == what && phase(row).is_some()).collect();
    let mut sizes: BTreeMap<String, u64> = BTreeMap::new();
    for row in &rows {
        *sizes.entry(row.group()).or_default() += 1;
    }
    let mut names = BTreeMap::new();
    let mut compiled = Vec::new();
    for row in &rows {
        let Some(phase) = phase(row) else { continue };
        let size = sizes.get(&row.group()).copied().unwrap_or(1);
        let mut found = terms(&row.inputs, row.part(), phase, &PRIORS);
        found.factor.push((format!("{BENCH}:{}", row.group()), 1.0));
        compiled.push(Compiled::of(&found, seconds(row).ln(), row.trust / real(size).sqrt(), &mut names));
    }
    let mut held = vec![0.0; names.len()];
    for (name, at) in &names {
        held[*at] = penalty(name);
    }
    let solved = minimise(&compiled, &held)?;
    names.retain(|name, _| !name.starts_with(BENCH));
    let rounded = names.into_iter().map(|(name, at)| (name, (solved[at] * 1e4).round() / 1e4));
    Ok(rounded.filter(|(_, value)| *value != 0.0).collect())
}

/// What a row times; `None` where the device's arithmetic peak is unknown and a prompt was read.
pub(super) fn phase(row: &Row) -> Option<Phase> {
    match row.what {
        What::Decode => Some(Phase::Decode),
        What::Prefill => row.part().rates.flops.and(row.inputs.prompt).map(Phase::Prefill),
    }
}

/// Seconds of the step that a row's rate stands for.
pub(super) fn seconds(row: &Row) -> f64 {
    match (row.what, row.inputs.prompt) {
        (What::Prefill, Some(prompt)) => real(prompt.tokens.min(prompt.ubatch)) / row.measured,
        _ => real(row.inputs.batch.max(1)) / row.measured,
    }
}

type Sparse = Vec<(usize, f64)>;

/// A row with names as indices.
struct Compiled {
    memory: Vec<(f64, Sparse)>,
    compute: Vec<(f64, Sparse)>,
    fixed: Vec<(f64, Sparse)>,
    factor: Sparse,
    target: f64,
    weight: f64,
}

impl Compiled {
    fn of(terms: &Terms, target: f64, weight: f64, names: &mut BTreeMap<String, usize>) -> Self {
        let mut sparse = |effects: &[(String, f64)]| -> Sparse {
            let mut found = Vec::new();
            for (name, sign) in effects {
                let next = names.len();
                found.push((*names.entry(name.clone()).or_insert(next), *sign));
            }
            found
        };
        let mut all =
            |terms: &[Term]| terms.iter().map(|t| (t.seconds, sparse(&t.effects))).collect::<Vec<_>>();
        let (memory, compute, fixed) = (all(&terms.memory), all(&terms.compute), all(&terms.fixed));
        Self { memory, compute, fixed, factor: sparse(&terms.factor), target, weight }
    }

    /// The residual at `at`, and its gradient added up in `slope`.
    fn residual(&self, at: &[f64], slope: &mut Sparse) -> f64 {
        let dot = |sparse: &Sparse| sparse.iter().map(|(i, sign)| sign * at[*i]).sum::<f64>();
        let value = |terms: &[(f64, Sparse)]| {
            terms.iter().map(|(s, sparse)| s * dot(sparse).exp()).collect::<Vec<_>>()
        };
        let (memory, compute, fixed) = (value(&self.memory), value(&self.compute), value(&self.fixed));
        let (bytes, operations) = (memory.iter().sum::<f64>(), compute.iter().sum::<f64>());
        let powers = bytes.powi(4) + operations.powi(4);
        let softened = powers.powf(0.25);
        let total = softened + fixed.iter().sum::<f64>();
        slope.clear();
        let mut share = |values: &[f64], terms: &[(f64, Sparse)], each: f64| {
            for (value, (_, sparse)) in values.iter().zip(terms) {
                slope.extend(sparse.iter().map(|(i, sign)| (*i, sign * value * each / total)));
            }
        };
        share(&memory, &self.memory, softened * bytes.powi(3) / powers);
        share(&compute, &self.compute, softened * operations.powi(3) / powers);
        share(&fixed, &self.fixed, 1.0);
        slope.extend(self.factor.iter().copied());
        total.ln() + dot(&self.factor) - self.target
    }
}

fn loss(rows: &[Compiled], held: &[f64], at: &[f64]) -> f64 {
    let mut slope = Sparse::new();
    let fit: f64 = rows
        .iter()
        .map(|row| {
            let r = row.residual(at, &mut slope);
            row.weight * (r.mul_add(r, BEND * BEND)).sqrt() / (2.0 * BEND)
        })
        .sum();
    fit + 0.5 * held.iter().zip(at).map(|(hold, x)| hold * x * x).sum::<f64>()
}

fn minimise(rows: &[Compiled], held: &[f64]) -> Result<Vec<f64>> {
    let n = held.len();
    let mut at = vec![0.0; n];
    let mut now = loss(rows, held, &at);
    let mut damping = 1.0;
    let mut slope = Sparse::new();
    for _ in 0..ROUNDS {
        let mut curvature = vec![0.0; n * n];
        let mut gradient: Vec<f64> = held.iter().zip(&at).map(|(hold, x)| hold * x).collect();
        for (i, hold) in held.iter().enumerate() {
            curvature[i * n + i] = *hold;
        }
        for row in rows {
            let r = row.residual(&at, &mut slope);
            let weight = row.weight / (r.mul_add(r, BEND * BEND)).sqrt() / (2.0 * BEND);
            for (i, a) in &slope {
                gradient[*i] += weight * r * a;
                for (j, b) in &slope {
                    curvature[i * n + j] += weight * a * b;
                }
            }
        }
        let before = now;
        loop {
            let mut damped = curvature.clone();
            for i in 0..n {
                damped[i * n + i] *= 1.0 + damping;
            }
            let step = solved(damped, &gradient)?;
            let next: Vec<f64> = at.iter().zip(&step).map(|(x, s)| x - s).collect();
            let there = loss(rows, held, &next);
            if there <= now {
                (at, now) = (next, there);
                damping = (damping / 8.0_f64).max(1e-6);
                break;
            }
            damping *= 4.0;
            if damping > 1e8 {
                return Ok(at);
            }
        }
        if before - now < 1e-6 {
            break;
        }
    }
    Ok(at)
}

/// Solves a positive definite system by Cholesky's method.
fn solved(mut a: Vec<f64>, b: &[f64]) -> Result<Vec<f64>> {
    let n = b.len();
    for i in 0..n {
        let (above, from_here) = a.split_at_mut(i * n);
        let row = &mut from_here[..=i];
        for j in 0..i {
            let other = &above[j * n..=j * n + j];
            row[j] = (row[j] - dot(&row[..j], &other[..j])) / other[j];
        }
        let pivot = row[i] - dot(&row[..i], &row[..i]);
        if pivot <= 0.0 || !pivot.is_finite() {
            bail!("the fit's system is singular");
        }
        row[i] = pivot.sqrt();
    }
    let mut x = b.to_vec();
    for i in 0..n {
        let row = &a[i * n..=i * n + i];
        x[i] = (x[i] - dot(&row[..i], &x[..i])) / row[i];
    }
    for i in (0..n).rev() {
        let known: f64 = (i + 1..n).map(|k| a[k * n + i] * x[k]).sum();
        x[i] = (x[i] - known) / a[i * n + i];
    }
    Ok(x)
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    // Four sums side by side: the order of addition is fixed, and the compiler may vectorise it.
    let mut sums = [0.0; 4];
    let (whole, rest) = a.as_chunks::<4>();
    let (whole_b, rest_b) = b.as_chunks::<4>();
    for (x, y) in whole.iter().zip(whole_b) {
        for (sum, (x, y)) in sums.iter_mut().zip(x.iter().zip(y)) {
            *sum += x * y;
        }
    }
    let tail: f64 = rest.iter().zip(rest_b).map(|(x, y)| x * y).sum();
    sums.iter().sum::<f64>() + tail
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_positive_definite_system_is_solved() {
        let x = solved(vec![4.0, 2.0, 2.0, 3.0], &[10.0, 8.0]).unwrap();
        assert!((x[0] - 1.75).abs() < 1e-12 && (x[1] - 1.5).abs() < 1e-12, "{x:?}");
        assert!(solved(vec![0.0], &[1.0]).is_err());
    }
}
