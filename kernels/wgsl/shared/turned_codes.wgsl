// One vector's codes: its norm, its direction turned, the nearest levels. Import after `direction` (an element over the norm) and `rotate`
// are defined.

#import shared/turn

// From `turn_given`, cut at `turn_cuts`, into `turn_codes`; returns the norm.
fn turned_codes(lane: u32, n: u32, bits: u32) -> u32 {
    for (var i = lane; i < n; i += TURN_LANES) {
        turn_bits[i] = turn_given[i];
    }
    workgroupBarrier();
    var norm = turn_norm(lane, n, false);
    for (var i = lane; i < n; i += TURN_LANES) {
        turn_bits[i] = direction(turn_given[i], norm, false);
    }
    rotate(lane, n, false);
    let length = bitcast<f32>(norm);
    let doubts = !turn_plain(length) || turn_half_in_doubt(length, f32(n + 48u));
    // A loop, for a driver that works out both sides of branches leaves loops: nothing on integers where nothing is in doubt.
    for (var again = turn_quantize(lane, n, bits, doubts); again; again = false) {
        norm = turned_exactly(lane, n, bits);
    }
    return norm;
}

// The same on integers only.
fn turned_exactly(lane: u32, n: u32, bits: u32) -> u32 {
    for (var i = lane; i < n; i += TURN_LANES) {
        turn_bits[i] = turn_given[i];
    }
    workgroupBarrier();
    let norm = turn_norm(lane, n, true);
    for (var i = lane; i < n; i += TURN_LANES) {
        turn_bits[i] = direction(turn_given[i], norm, true);
    }
    rotate(lane, n, true);
    for (var i = lane; i < n; i += TURN_LANES) {
        turn_codes[i] = turn_code(turn_bits[i], bits);
    }
    workgroupBarrier();
    return norm;
}
