// turboquant_mse_2, in plain f32; quantize/turboquant_mse_2_exact follows.

#import shared/turboquant_mse_2
#import shared/book_plain
