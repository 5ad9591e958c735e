// KIVI at 2 bits, values.

const KIVI_BITS: u32 = 2u;

#import shared/kivi_value
