// Vectors of 4 through the compiler's vector extensions: SSE2 on x86-64, NEON with fused multiply-add on arm64.
// 6 pixels by 2 vectors fit 16 registers, 12 by 2 the 32 of arm64.
#define LANES 4
#if defined(__aarch64__)
#define TILE 12
#define KERNEL(name) name##_neon
#define KERNEL_NAME "neon"
#else
#define TILE 6
#define KERNEL(name) name##_portable
#define KERNEL_NAME "portable"
#endif
#include "network_kernels.h"
