#include <stdlib.h>
#include <string.h>
#include "include/colour.h"
#include "include/detail.h"

const colour_kernels *colour_kernels_portable(void);
#if defined(__x86_64__)
const colour_kernels *colour_kernels_avx2(void);
const colour_kernels *colour_kernels_avx512(void);
#endif

const colour_kernels *colour_kernels_named(const char *name) {
#if defined(__x86_64__)
    // What the detail transfer's sets need is what these need.
    if (strcmp(name, "avx512") == 0) return detail_kernels_named(name) ? colour_kernels_avx512() : NULL;
    if (strcmp(name, "avx2") == 0) return detail_kernels_named(name) ? colour_kernels_avx2() : NULL;
#endif
    const colour_kernels *portable = colour_kernels_portable();
    return strcmp(name, portable->name) == 0 ? portable : NULL;
}

const colour_kernels *colour_kernels_best(void) { return colour_kernels_named(detail_kernels_best()->name); }
