//! Nonnegative least squares in three unknowns, exactly: every set of unknowns that are not zero is tried.

/// Sets of unknowns, smaller ones first and bytes before operations: a larger set must explain more to be taken.
const SETS: [&[usize]; 7] = [&[1], &[2], &[0], &[0, 1], &[0, 2], &[1, 2], &[0, 1, 2]];

/// What a further unknown must take from the remaining squares (of relative errors, per row) to be believed: far below
/// any clock's noise, far above rounding.
const GAIN: f64 = 1e-18;

/// The smallest pivot, of columns scaled to length 1, that is not called zero.
const SINGULAR: f64 = 1e-10;

/// The nonnegative x for which Σ (row·x − 1)² is least; proportional columns leave all but one of them at zero.
pub(super) fn costs(rows: &[[f64; 3]]) -> [f64; 3] {
    // Bytes are many and seconds few: columns of length 1 keep the equations well scaled.
    let mut lengths = [0.0; 3];
    for row in rows {
        for (length, x) in lengths.iter_mut().zip(row) {
            *length += x * x;
        }
    }
    let lengths = lengths.map(f64::sqrt);
    let scaled = |row: &[f64; 3]| {
        let mut row = *row;
        for (x, length) in row.iter_mut().zip(lengths) {
            *x = if length > 0.0 { *x / length } else { 0.0 };
        }
        row
    };
    let rows: Vec<[f64; 3]> = rows.iter().map(scaled).collect();
    let mut best = ([0.0; 3], f64::INFINITY);
    for set in SETS {
        let Some(x) = least_squares(&rows, set).filter(|x| x.iter().all(|x| *x >= 0.0)) else { continue };
        let left: f64 = rows.iter().map(|row| (dot(row, &x) - 1.0).powi(2)).sum();
        let gain = best.1 - left;
        if gain > GAIN * f64::from(u32::try_from(rows.len()).unwrap_or(u32::MAX)) {
            best = (x, left);
        }
    }
    let mut costs = best.0;
    for (x, length) in costs.iter_mut().zip(lengths) {
        *x = if length > 0.0 { *x / length } else { 0.0 };
    }
    costs
}

/// The unknowns of `set` that solve the normal equations, the others 0; nothing where they are not determined.
fn least_squares(rows: &[[f64; 3]], set: &[usize]) -> Option<[f64; 3]> {
    // Gaussian elimination on AᵀA x = Aᵀ1 over the set; the matrix is symmetric and positive, no pivoting is needed.
    let chosen = |row: &[f64; 3]| -> Vec<f64> { set.iter().filter_map(|i| row.get(*i).copied()).collect() };
    let mut system: Vec<Vec<f64>> = vec![vec![0.0; set.len() + 1]; set.len()];
    for row in rows {
        let row = chosen(row);
        for (equation, a) in system.iter_mut().zip(&row) {
            for (entry, b) in equation.iter_mut().zip(row.iter().chain([&1.0])) {
                *entry += a * b;
            }
        }
    }
    let mut solved: Vec<Vec<f64>> = Vec::new();
    for (at, mut equation) in system.into_iter().enumerate() {
        for (column, pivot) in solved.iter().enumerate() {
            let factor = equation.get(column).copied()?;
            for (entry, x) in equation.iter_mut().zip(pivot) {
                *entry -= factor * x;
            }
        }
        let pivot = equation.get(at).copied().filter(|pivot| *pivot > SINGULAR)?;
        equation.iter_mut().for_each(|entry| *entry /= pivot);
        solved.push(equation);
    }
    let mut x = vec![0.0; set.len()];
    for (at, equation) in solved.iter().enumerate().rev() {
        let known: f64 = equation.iter().zip(&x).skip(at + 1).map(|(a, x)| a * x).sum();
        let value = equation.last()? - known;
        *x.get_mut(at)? = value;
    }
    let mut all = [0.0; 3];
    for (i, value) in set.iter().zip(x) {
        *all.get_mut(*i)? = value;
    }
    Some(all)
}

fn dot(a: &[f64; 3], b: &[f64; 3]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
