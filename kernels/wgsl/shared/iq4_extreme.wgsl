// 1e-15: a block of iq4_nl whose extreme is below it has scale 0.
const IQ4_LEAST_EXTREME: u32 = 0x26901d7du;
