#if defined(__x86_64__)
#include <immintrin.h>

#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)

#include <stddef.h>
#include <stdint.h>

// Eight samples at a time: their taps lie within sixteen floats because `first` rises by at most one a sample.
static ptrdiff_t upsample_avx2(ptrdiff_t n, const int32_t *first, const float *const weights[4], const float *src,
                               float *dst) {
    ptrdiff_t x = 0;
    for (; x + 8 <= n; x += 8) {
        const float *base = src + first[x];
        __m256 low = _mm256_loadu_ps(base), high = _mm256_loadu_ps(base + 8);
        __m256i index = _mm256_sub_epi32(_mm256_loadu_si256((const __m256i *)(first + x)), _mm256_set1_epi32(first[x]));
        __m256 sum = _mm256_setzero_ps();
        for (int k = 0; k < 4; k++) {
            __m256 outside = _mm256_castsi256_ps(_mm256_cmpgt_epi32(index, _mm256_set1_epi32(7)));
            __m256 value = _mm256_blendv_ps(
                _mm256_permutevar8x32_ps(low, index), _mm256_permutevar8x32_ps(high, index), outside);
            sum = _mm256_fmadd_ps(_mm256_loadu_ps(weights[k] + x), value, sum);
            index = _mm256_add_epi32(index, _mm256_set1_epi32(1));
        }
        _mm256_storeu_ps(dst + x, sum);
    }
    return x;
}

// Eight samples at a time: both samples of each lie within eight floats because `first` rises by at most four over them.
static ptrdiff_t between_avx2(ptrdiff_t n, const int32_t *first, const float *fraction, const float *src, float *dst) {
    ptrdiff_t x = 0;
    for (; x + 8 <= n; x += 8) {
        __m256 from = _mm256_loadu_ps(src + first[x]);
        __m256i index = _mm256_sub_epi32(_mm256_loadu_si256((const __m256i *)(first + x)), _mm256_set1_epi32(first[x]));
        __m256 left = _mm256_permutevar8x32_ps(from, index);
        __m256 right = _mm256_permutevar8x32_ps(from, _mm256_add_epi32(index, _mm256_set1_epi32(1)));
        _mm256_storeu_ps(dst + x, _mm256_fmadd_ps(_mm256_loadu_ps(fraction + x), _mm256_sub_ps(right, left), left));
    }
    return x;
}

// Four patches at a time: their sums of eight differences are what the instruction gives.
static ptrdiff_t differences_avx2(ptrdiff_t n, const uint8_t *now, const uint8_t *before, int32_t *out) {
    ptrdiff_t k = 0;
    for (; k + 4 <= n; k += 4) {
        __m256i a = _mm256_loadu_si256((const __m256i *)(now + 8 * k)), b = _mm256_loadu_si256((const __m256i *)(before + 8 * k));
        __m256i sums = _mm256_permutevar8x32_epi32(_mm256_sad_epu8(a, b), _mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7));
        __m128i *to = (__m128i *)(out + k);
        _mm_storeu_si128(to, _mm_add_epi32(_mm_loadu_si128(to), _mm256_castsi256_si128(sums)));
    }
    return k;
}

#define DETAIL_DIFFERENCES differences_avx2
#define DETAIL_BETWEEN between_avx2
#define DETAIL_UPSAMPLE upsample_avx2
#define DETAIL_ISA "avx2"
#include "detail_rows.inc.h"

#pragma clang attribute pop

const detail_kernels *detail_kernels_avx2(void) { return &table; }
#endif
