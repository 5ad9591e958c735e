// KIVI at 2 bits, keys.

const KIVI_BITS: u32 = 2u;

#import shared/kivi_key
