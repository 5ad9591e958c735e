// KIVI's keys at 4 bits.

#import layout/kivi4.key as kv
#import shared/kivi_keys as kv
