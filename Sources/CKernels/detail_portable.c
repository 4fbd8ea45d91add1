#if defined(__aarch64__)
#define DETAIL_ISA "neon"
#else
#define DETAIL_ISA "portable"
#endif
#include "detail_rows.inc.h"

const detail_kernels *detail_kernels_portable(void) { return &table; }
