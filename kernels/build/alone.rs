//! `#import alone/shared/turn`: a workgroup's functions as one invocation's. What the lanes share becomes private to it, and there
//! is one lane.

/// Expanded text without barriers, atomics and workgroup memory.
pub(crate) fn alone(kernel: &str) -> String {
    let mut out = String::new();
    for line in kernel.lines().filter(|line| line.trim() != "workgroupBarrier();") {
        let line = line.replace("var<workgroup>", "var<private>").replace("atomic<u32>", "u32");
        let line = one_lane(&line);
        let line = loads(&loads(&line, "workgroupUniformLoad(&"), "atomicLoad(&");
        let line = stores(&stores(&line, "atomicStore(&", "="), "atomicOr(&", "|=");
        out.push_str(&line);
        out.push('\n');
    }
    out
}

/// `const TURN_LANES: u32 = 64u;` with one.
fn one_lane(line: &str) -> String {
    match line.split_once("LANES: u32 = ") {
        Some((name, _)) if line.starts_with("const ") => format!("{name}LANES: u32 = 1u;"),
        _ => line.to_owned(),
    }
}

/// `call x)` as `x`.
fn loads(line: &str, call: &str) -> String {
    let Some((before, rest)) = line.split_once(call) else { return line.to_owned() };
    let mut depth = 1;
    let end = rest.find(|c: char| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        depth == 0
    });
    let Some((inner, after)) = end.and_then(|end| rest.split_at_checked(end)) else { return line.to_owned() };
    loads(&format!("{before}{inner}{}", after.get(1..).unwrap_or_default()), call)
}

/// The statement `call place, value);` as `place = value;`.
fn stores(line: &str, call: &str, assign: &str) -> String {
    let parts = line.split_once(call).and_then(|(before, rest)| {
        let (place, value) = rest.split_once(", ")?;
        Some(format!("{before}{place} {assign} {};", value.strip_suffix(");")?))
    });
    parts.unwrap_or_else(|| line.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lanes_share_becomes_one_invocations_own() {
        let kernel = "const TURN_LANES: u32 = 64u;\nvar<workgroup> a: array<atomic<u32>, TURN_LANES>;\n\
                      workgroupBarrier();\natomicOr(&a[i >> 5u], f(x, 1u));\natomicStore(&a[0], 1u);\n\
                      let n = workgroupUniformLoad(&w[(i + 1u)]) + atomicLoad(&a[g(0u)]);\n";
        let own = "const TURN_LANES: u32 = 1u;\nvar<private> a: array<u32, TURN_LANES>;\n\
                   a[i >> 5u] |= f(x, 1u);\na[0] = 1u;\nlet n = w[(i + 1u)] + a[g(0u)];\n";
        assert_eq!(alone(kernel), own);
    }
}
