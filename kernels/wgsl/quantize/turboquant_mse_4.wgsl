// turboquant_mse_4, in plain f32; quantize/turboquant_mse_4_exact follows.

#import shared/turboquant_mse_4
#import shared/book_plain
