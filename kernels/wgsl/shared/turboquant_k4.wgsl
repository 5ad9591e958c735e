// Keys of vLLM's TurboQuant at 4 bits: index of its own codebook after the plain Hadamard transform, norm in f16.

#import shared/vllm_key
#import table/vllm_levels_4_at_64 as even_level
#import table/vllm_levels_4_at_128 as odd_level

const BOOK_BITS: u32 = 4u;
