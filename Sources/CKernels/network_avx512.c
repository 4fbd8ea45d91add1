// 12 pixels by 2 vectors of 16: 24 accumulators of the 32 registers.
#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,avx2,fma"))), apply_to = function)
#define LANES 16
#define TILE 12
#define KERNEL(name) name##_avx512
#define KERNEL_NAME "avx512"
#include "network_kernels.h"
#pragma clang attribute pop
#endif
