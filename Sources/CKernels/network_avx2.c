// 6 pixels by 2 vectors of 8: 12 accumulators of the 16 registers.
#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#define LANES 8
#define TILE 6
#define KERNEL(name) name##_avx2
#define KERNEL_NAME "avx2"
#include "network_kernels.h"
#pragma clang attribute pop
#endif
