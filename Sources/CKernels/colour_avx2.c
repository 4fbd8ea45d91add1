#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)

#define COLOUR_ISA "avx2"
#include "colour_rows.inc.h"

#pragma clang attribute pop

const colour_kernels *colour_kernels_avx2(void) { return &table; }
#endif
