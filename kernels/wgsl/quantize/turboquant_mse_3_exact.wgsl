// The vectors that quantize/turboquant_mse_3 is not certain of.

#import shared/turboquant_mse_3
#import shared/book_exact
