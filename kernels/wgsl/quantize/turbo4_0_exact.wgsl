// The blocks that quantize/turbo4_0 is not certain of.

#import shared/turbo4_0
#import shared/turbo_exact
