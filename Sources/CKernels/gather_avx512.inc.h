// Weighted sums along x of samples whose places rise unevenly, as averaging and resampling have them.
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

// Sixteen sums at a time where their taps lie within 64 floats, as they do up to a reduction by about four.
static ptrdiff_t gather_avx512(ptrdiff_t n, int count, const int32_t *first, const float *const *weights,
                               const float *src, float *dst) {
    ptrdiff_t x = 0;
    for (; x + 16 <= n && first[x + 15] - first[x] + count <= 64; x += 16) {
        const float *base = src + first[x];
        __m512 a = _mm512_loadu_ps(base), b = _mm512_loadu_ps(base + 16), c = _mm512_loadu_ps(base + 32),
               d = _mm512_loadu_ps(base + 48), sum = _mm512_setzero_ps();
        __m512i index = _mm512_sub_epi32(_mm512_loadu_si512(first + x), _mm512_set1_epi32(first[x]));
        for (int k = 0; k < count; k++) {
            __mmask16 far = _mm512_test_epi32_mask(index, _mm512_set1_epi32(32));
            __m512 value = _mm512_mask_blend_ps(
                far, _mm512_permutex2var_ps(a, index, b), _mm512_permutex2var_ps(c, index, d));
            sum = _mm512_fmadd_ps(_mm512_loadu_ps(weights[k] + x), value, sum);
            index = _mm512_add_epi32(index, _mm512_set1_epi32(1));
        }
        _mm512_storeu_ps(dst + x, sum);
    }
    return x;
}
