// turbo2_0, in plain f32; quantize/turbo2_0_exact follows.

#import shared/turbo2_0
#import shared/turbo_plain
