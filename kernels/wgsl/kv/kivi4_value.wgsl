// KIVI's values at 4 bits.

#import layout/kivi4.value as kv
#import shared/kivi_values as kv
