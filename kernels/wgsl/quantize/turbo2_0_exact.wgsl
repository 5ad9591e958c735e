// The blocks that quantize/turbo2_0 is not certain of.

#import shared/turbo2_0
#import shared/turbo_exact
