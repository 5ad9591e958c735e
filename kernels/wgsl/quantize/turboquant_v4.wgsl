// Values of vLLM's TurboQuant at 4 bits.

const VALUE_BITS: u32 = 4u;

#import shared/vllm_value
