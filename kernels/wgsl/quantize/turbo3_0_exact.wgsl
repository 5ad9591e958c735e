// The blocks that quantize/turbo3_0 is not certain of.

#import shared/turbo3_0
#import shared/turbo_exact
