// KIVI's values at 2 bits.

#import layout/kivi2.value as kv
#import shared/kivi_values as kv
