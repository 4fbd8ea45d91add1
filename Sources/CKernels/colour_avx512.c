#if defined(__x86_64__)
#include <immintrin.h>

#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"))), apply_to = function)

#include "gather_avx512.inc.h"

#define COLOUR_RESAMPLE gather_avx512
#define COLOUR_ISA "avx512"
#include "colour_rows.inc.h"

#pragma clang attribute pop

const colour_kernels *colour_kernels_avx512(void) { return &table; }
#endif
