#if defined(__x86_64__)
#include <immintrin.h>

#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"))), apply_to = function)

#include <stddef.h>
#include <stdint.h>

// Sixteen samples at a time: their taps lie within 32 floats because `first` rises by at most one a sample.
static ptrdiff_t upsample_avx512(ptrdiff_t n, const int32_t *first, const float *const weights[4], const float *src,
                                 float *dst) {
    ptrdiff_t x = 0;
    for (; x + 16 <= n; x += 16) {
        const float *base = src + first[x];
        __m512 low = _mm512_loadu_ps(base), high = _mm512_loadu_ps(base + 16);
        __m512i index = _mm512_sub_epi32(_mm512_loadu_si512(first + x), _mm512_set1_epi32(first[x]));
        __m512 sum = _mm512_setzero_ps();
        for (int k = 0; k < 4; k++) {
            sum = _mm512_fmadd_ps(_mm512_loadu_ps(weights[k] + x), _mm512_permutex2var_ps(low, index, high), sum);
            index = _mm512_add_epi32(index, _mm512_set1_epi32(1));
        }
        _mm512_storeu_ps(dst + x, sum);
    }
    return x;
}

// Sixteen samples at a time: both samples of each lie within sixteen floats because `first` rises by at most eight over them.
static ptrdiff_t between_avx512(ptrdiff_t n, const int32_t *first, const float *fraction, const float *src, float *dst) {
    ptrdiff_t x = 0;
    for (; x + 16 <= n; x += 16) {
        __m512 from = _mm512_loadu_ps(src + first[x]);
        __m512i index = _mm512_sub_epi32(_mm512_loadu_si512(first + x), _mm512_set1_epi32(first[x]));
        __m512 left = _mm512_permutexvar_ps(index, from);
        __m512 right = _mm512_permutexvar_ps(_mm512_add_epi32(index, _mm512_set1_epi32(1)), from);
        _mm512_storeu_ps(dst + x, _mm512_fmadd_ps(_mm512_loadu_ps(fraction + x), _mm512_sub_ps(right, left), left));
    }
    return x;
}

// Eight patches at a time: their sums of eight differences are what the instruction gives.
static ptrdiff_t differences_avx512(ptrdiff_t n, const uint8_t *now, const uint8_t *before, int32_t *out) {
    ptrdiff_t k = 0;
    for (; k + 8 <= n; k += 8) {
        __m512i sums = _mm512_sad_epu8(_mm512_loadu_si512(now + 8 * k), _mm512_loadu_si512(before + 8 * k));
        __m256i *to = (__m256i *)(out + k);
        _mm256_storeu_si256(to, _mm256_add_epi32(_mm256_loadu_si256(to), _mm512_cvtepi64_epi32(sums)));
    }
    return k;
}

#define DETAIL_DIFFERENCES differences_avx512
#define DETAIL_BETWEEN between_avx512
#define DETAIL_UPSAMPLE upsample_avx512
#define DETAIL_ISA "avx512"
#include "detail_rows.inc.h"

#pragma clang attribute pop

const detail_kernels *detail_kernels_avx512(void) { return &table; }
#endif
