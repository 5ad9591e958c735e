// KIVI's keys at 2 bits.

#import layout/kivi2.key as kv
#import shared/kivi_keys as kv
