// turboquant_mse_3, in plain f32; quantize/turboquant_mse_3_exact follows.

#import shared/turboquant_mse_3
#import shared/book_plain
