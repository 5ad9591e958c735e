// The vectors that quantize/turboquant_k3 is not certain of.

#import shared/turboquant_k3
#import shared/book_exact
