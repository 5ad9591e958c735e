// The vectors that quantize/turboquant_mse_2 is not certain of.

#import shared/turboquant_mse_2
#import shared/book_exact
