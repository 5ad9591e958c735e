// A vector of length 1, turned as this project turns where a format leaves it open; zeros stay zeros.

fn direction(x: u32, norm: u32, exact: bool) -> u32 {
    return turn_div(x, select(norm, bitcast<u32>(1.0f), norm == 0u), exact);
}

fn rotate(lane: u32, n: u32, exact: bool) {
    turn_default(lane, n, exact);
}
