// The vectors that quantize/turboquant_k4 is not certain of.

#import shared/turboquant_k4
#import shared/book_exact
