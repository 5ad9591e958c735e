// KIVI at 4 bits, values.

const KIVI_BITS: u32 = 4u;

#import shared/kivi_value
