// The vectors that quantize/turboquant_mse_4 is not certain of.

#import shared/turboquant_mse_4
#import shared/book_exact
