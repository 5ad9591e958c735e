// turbo4_0, in plain f32; quantize/turbo4_0_exact follows.

#import shared/turbo4_0
#import shared/turbo_plain
