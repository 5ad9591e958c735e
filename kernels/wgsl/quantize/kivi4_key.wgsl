// KIVI at 4 bits, keys.

const KIVI_BITS: u32 = 4u;

#import shared/kivi_key
