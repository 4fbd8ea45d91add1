#if defined(__aarch64__)
#define COLOUR_ISA "neon"
#else
#define COLOUR_ISA "portable"
#endif
#include "colour_rows.inc.h"

const colour_kernels *colour_kernels_portable(void) { return &table; }
