// TurboQuant (MSE), 3 bits: Lloyd–Max levels of N(0, 1)/√n, the rotation that this project takes where a format leaves it
// open.

#import shared/lloyd_max
#import table/lloyd_max_3 as normal_level

const BOOK_BITS: u32 = 3u;
