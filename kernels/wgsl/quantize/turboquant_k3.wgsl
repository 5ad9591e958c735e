// turboquant_k3, in plain f32; quantize/turboquant_k3_exact follows.

#import shared/turboquant_k3
#import shared/book_plain
