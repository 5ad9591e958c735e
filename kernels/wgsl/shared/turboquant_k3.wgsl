// Keys of vLLM's TurboQuant at 3 bits: index of its own codebook after the plain Hadamard transform, norm in f16.

#import shared/vllm_key
#import table/vllm_levels_3_at_64 as even_level
#import table/vllm_levels_3_at_128 as odd_level

const BOOK_BITS: u32 = 3u;
