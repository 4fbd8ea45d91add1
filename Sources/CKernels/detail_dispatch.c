#include <stdlib.h>
#include <string.h>
#include "include/detail.h"

const detail_kernels *detail_kernels_portable(void);
#if defined(__x86_64__)
const detail_kernels *detail_kernels_avx2(void);
const detail_kernels *detail_kernels_avx512(void);
#endif

const detail_kernels *detail_kernels_named(const char *name) {
#if defined(__x86_64__)
    if (strcmp(name, "avx512") == 0) {
        int runs = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                   __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
        return runs ? detail_kernels_avx512() : NULL;
    }
    if (strcmp(name, "avx2") == 0)
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? detail_kernels_avx2() : NULL;
#endif
    const detail_kernels *portable = detail_kernels_portable();
    return strcmp(name, portable->name) == 0 ? portable : NULL;
}

const detail_kernels *detail_kernels_best(void) {
    const char *order[] = {getenv("SOLSTICE_ISA"), "avx512", "avx2"};
    for (size_t k = 0; k < sizeof order / sizeof *order; k++) {
        const detail_kernels *found = order[k] ? detail_kernels_named(order[k]) : NULL;
        if (found) return found;
    }
    return detail_kernels_portable();
}
