// turboquant_k4, in plain f32; quantize/turboquant_k4_exact follows.

#import shared/turboquant_k4
#import shared/book_plain
