//! A workgroup's kernel as one invocation's: what the lanes share becomes private to it, and there is one lane.
//!
//! `#import alone/*` is a template over the kernels that take a workgroup for the rows that end on a word together. Their
//! arithmetic stays, so that a kernel can be measured against the same work with an invocation per row.

/// The kernels' names among those of all files: those with lanes of their own, a workgroup to a unit of rows.
pub(crate) fn takes(name: &str, text: &str) -> bool {
    ["quantize/", "dequantize/"].iter().any(|folder| name.starts_with(folder))
        && text.lines().any(|line| line.starts_with("const LANES: u32"))
        && text.lines().any(|line| line.contains("workgroupBarrier()"))
}

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

    #[test]
    fn a_kernel_without_lanes_of_its_own_is_none_of_these() {
        let text = "const LANES: u32 = 64u;\nworkgroupBarrier();\n";
        assert!(takes("quantize/a", text) && takes("dequantize/a", text));
        assert!(!takes("rotate/a", text) && !takes("quantize/a", "workgroupBarrier();"));
    }
}
