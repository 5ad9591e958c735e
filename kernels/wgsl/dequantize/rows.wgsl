// A packed cache of one sequence to f32, token by token and head by head, with the decoder attention uses.
//
// An invocation takes sixteen elements of a head, the same ones of RUN tokens: what a block shares is read once, where the
// elements lie is worked out once, neighbours write in order, and there is enough to do for what starting a workgroup
// costs. Heads that are not whole sixteens go by fours. A vector that has to be measured as a whole is one invocation's.

#import shared/geometry

struct Packed {
    src_side: Geometry,
    tokens: u32,
}

@group(0) @binding(0) var<uniform> params: Packed;
@group(0) @binding(1) var<storage, read> src_words: array<u32>;
@group(0) @binding(2) var<storage, read> beside: array<u32>;
@group(0) @binding(3) var<storage, read_write> dst: array<vec4<f32>>;

#import shared/grid
#import kv/* as src

const UNIT: u32 = 4u;
const RUN: u32 = 16u;
// Whether heads are whole sixteens of elements, and the units an invocation takes.
override WHOLE: bool = false;
override UNITS: u32 = select(1u, 4u, WHOLE);
const MEASURED: bool = src_FACTORS > 0u;

fn write(record: Record, element: u32, to: u32) {
    if WHOLE {
        let four = src_load16(record, element);
        dst[to] = four[0];
        dst[to + 1u] = four[1];
        dst[to + 2u] = four[2];
        dst[to + 3u] = four[3];
    } else {
        dst[to] = src_load4(record, element);
    }
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let columns = params.src_side.head_dim / UNIT;
    let row = params.src_side.heads * columns;
    let taken = select(UNITS, columns, MEASURED);
    let unit = grid_index(id, groups, 64u) * taken;
    let at = unit % row;
    let head = at / columns;
    let element = at % columns * UNIT;
    let first = unit / row * RUN;
    for (var token = first; token < min(first + RUN, params.tokens); token++) {
        let record = src_record(Place(0u, token, token, params.tokens), head);
        let to = token * row + at;
        if MEASURED {
            for (var column = 0u; column < columns; column += UNITS) {
                write(record, column * UNIT, to + column);
            }
        } else {
            write(record, element, to);
        }
    }
}
