// As AVX-512, and bfloat16 products (vdpbf16ps): two channels of a tile by two of a weight, added in float32.
#if defined(__x86_64__)
#include <immintrin.h>
#pragma clang attribute push(__attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,avx512bf16,avx2,fma"))), apply_to = function)
#define LANES 16
#define TILE 12
#define HAS_BF16
#define KERNEL(name) name##_avx512bf16
#define KERNEL_NAME "avx512bf16"
#include "network_kernels.h"
#pragma clang attribute pop
#endif
