// Values of vLLM's TurboQuant at 3 bits.

const VALUE_BITS: u32 = 3u;

#import shared/vllm_value
