// turbo3_0, in plain f32; quantize/turbo3_0_exact follows.

#import shared/turbo3_0
#import shared/turbo_plain
