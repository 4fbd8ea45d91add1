// The row kernels of the detail transfer, compiled once for each instruction set: the including file defines
// DETAIL_ISA (a string), and opens the target attribute. Loops are plain so that clang vectorises them; only the
// interpolation and the averages along x, whose loads depend on the phase, are written with vectors (DETAIL_UPSAMPLE,
// DETAIL_AVERAGE).
#include <assert.h>
#include <math.h>
#include <string.h>
#include "include/detail.h"

#define RED 0.299f
#define GREEN 0.587f
#define BLUE 0.114f

static void luma_f32(ptrdiff_t n, const float *restrict r, const float *restrict g, const float *restrict b,
                     float *restrict y) {
    for (ptrdiff_t x = 0; x < n; x++) y[x] = RED * r[x] + GREEN * g[x] + BLUE * b[x];
}

static void product_f32(ptrdiff_t n, const float *restrict a, const float *restrict b, float *restrict out) {
    for (ptrdiff_t x = 0; x < n; x++) out[x] = a[x] * b[x];
}

static void accumulate_f32(ptrdiff_t n, float weight, const float *restrict row, float *restrict sum) {
    for (ptrdiff_t x = 0; x < n; x++) sum[x] += weight * row[x];
}

static void box_f32(ptrdiff_t n, int count, const float *const *rows, int radius, const float *restrict reciprocal,
                    float *restrict column, float *restrict out) {
    assert(count > 0 && radius >= 0);
    float *restrict inner = column + radius;
    for (int k = 0; k < radius; k++) column[k] = inner[n + k] = 0;
    if (count == 9) {  // the guided filter's own window, unrolled
        const float *restrict r0 = rows[0], *restrict r1 = rows[1], *restrict r2 = rows[2], *restrict r3 = rows[3],
                    *restrict r4 = rows[4], *restrict r5 = rows[5], *restrict r6 = rows[6], *restrict r7 = rows[7],
                    *restrict r8 = rows[8];
        for (ptrdiff_t x = 0; x < n; x++)
            inner[x] = ((r0[x] + r1[x]) + (r2[x] + r3[x])) + ((r4[x] + r5[x]) + (r6[x] + r7[x])) + r8[x];
    } else {
        memcpy(inner, rows[0], (size_t)n * sizeof(float));
        for (int k = 1; k < count; k++) {
            const float *restrict row = rows[k];
            for (ptrdiff_t x = 0; x < n; x++) inner[x] += row[x];
        }
    }
    if (radius == 4) {
        // Sums of four are shared by two windows; a block of them stays in the first cache.
        enum { BLOCK = 256 };
        float four[BLOCK + 4];
        for (ptrdiff_t begin = 0; begin < n; begin += BLOCK) {
            const float *restrict c = column + begin, *restrict scale = reciprocal + begin;
            float *restrict to = out + begin;
            ptrdiff_t count = n - begin < BLOCK ? n - begin : BLOCK;
            for (ptrdiff_t x = 0; x < count + 4; x++) four[x] = (c[x] + c[x + 1]) + (c[x + 2] + c[x + 3]);
            for (ptrdiff_t x = 0; x < count; x++) to[x] = ((four[x] + four[x + 4]) + c[x + 8]) * scale[x];
        }
        return;
    }
    if (radius == 1) {
        for (ptrdiff_t x = 0; x < n; x++) out[x] = ((column[x] + column[x + 1]) + column[x + 2]) * reciprocal[x];
        return;
    }
    for (ptrdiff_t x = 0; x < n; x++) {
        float sum = 0;
        for (int k = 0; k <= 2 * radius; k++) sum += column[x + k];
        out[x] = sum * reciprocal[x];
    }
}

static void regression_f32(ptrdiff_t n, float epsilon, const float *restrict g, const float *restrict gg,
                           const float *restrict p, const float *restrict gp, float *restrict a, float *restrict b) {
    assert(epsilon > 0);
    for (ptrdiff_t x = 0; x < n; x++) {
        float variance = gg[x] - g[x] * g[x];
        variance = variance > 0 ? variance : 0;  // rounding may leave it just below zero
        float slope = (gp[x] - g[x] * p[x]) / (variance + epsilon);
        a[x] = slope;
        b[x] = p[x] - slope * g[x];
    }
}

static void residual_f32(ptrdiff_t n, const float *restrict a, const float *restrict b, const float *restrict g,
                         const float *restrict p, float *restrict out) {
    for (ptrdiff_t x = 0; x < n; x++) out[x] = p[x] - (a[x] * g[x] + b[x]);
}

// Sums of squares go over eight partial sums whatever the vector width, so that their order is written down here.
#define PARTIAL 8

static float fold(const float sums[PARTIAL]) {
    return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

static float sum_of_squares(ptrdiff_t n, const float *restrict row) {
    float sums[PARTIAL] = {0};
    ptrdiff_t x = 0;
    for (; x + PARTIAL <= n; x += PARTIAL)
        for (int k = 0; k < PARTIAL; k++) sums[k] += row[x + k] * row[x + k];
    for (int k = 0; x < n; x++, k++) sums[k] += row[x] * row[x];
    return fold(sums);
}

static float roughness_f32(ptrdiff_t n, float rough, float all, const float *const rows[3], float *restrict out) {
    const float *restrict u = rows[0], *restrict m = rows[1], *restrict d = rows[2];
    for (ptrdiff_t x = 0; x < n; x++) {
        float left = u[x - 1] + 2 * m[x - 1] + d[x - 1];
        float middle = u[x] + 2 * m[x] + d[x];
        float right = u[x + 1] + 2 * m[x + 1] + d[x + 1];
        out[x] = rough * (m[x] - (left + 2 * middle + right) * 0.0625f) + all * m[x];
    }
    return sum_of_squares(n, out);
}

static float sharpen_f32(ptrdiff_t n, const float *const rows[5], const float down[5], const float *const across[5],
                         float *restrict column, float *restrict out) {
    const float *restrict r0 = rows[0], *restrict r1 = rows[1], *restrict r2 = rows[2], *restrict r3 = rows[3],
                *restrict r4 = rows[4];
    for (ptrdiff_t x = -2; x < n + 2; x++)
        column[x] = down[0] * r0[x] + down[1] * r1[x] + down[2] * r2[x] + down[3] * r3[x] + down[4] * r4[x];
    const float *restrict a0 = across[0], *restrict a1 = across[1], *restrict a2 = across[2], *restrict a3 = across[3],
                *restrict a4 = across[4];
    for (ptrdiff_t x = 0; x < n; x++) {
        float smooth = a0[x] * column[x - 2] + a1[x] * column[x - 1] + a2[x] * column[x] + a3[x] * column[x + 1] +
                       a4[x] * column[x + 2];
        out[x] = r2[x] - smooth;
    }
    float error = sum_of_squares(n, out);
    for (ptrdiff_t x = 0; x < n; x++) out[x] += r2[x];
    return error;
}

static void deviation_f32(ptrdiff_t n, const float *restrict mean, const float *restrict meanSquare,
                          float *restrict out) {
    for (ptrdiff_t x = 0; x < n; x++) {
        float variance = meanSquare[x] - mean[x] * mean[x];
        out[x] = __builtin_sqrtf(variance > 0 ? variance : 0);
    }
}

static float correct_f32(ptrdiff_t n, const float *restrict target, const float *restrict got,
                         const float *restrict base, float *restrict out) {
    for (ptrdiff_t x = 0; x < n; x++) out[x] = target[x] - got[x];
    float lack = sum_of_squares(n, out);
    for (ptrdiff_t x = 0; x < n; x++) out[x] += base[x];
    return lack;
}

static void gain_f32(ptrdiff_t n, const float tuning[4], const float *restrict deviation, const float *restrict r,
                     const float *restrict g, const float *restrict b, float *restrict out) {
    const float gain = tuning[0], threshold = tuning[1], headroom = tuning[2], least = tuning[3];
    for (ptrdiff_t x = 0; x < n; x++) {
        float y = RED * r[x] + GREEN * g[x] + BLUE * b[x];
        float room = 1 - __builtin_fabsf(y);  // to the nearer end of the range
        room = (room > 0 ? room : 0) + least;
        float s = deviation[x];
        out[x] = gain * (s / (s + threshold)) * (room / (room + headroom * gain * s));
    }
}

static void unload_f32(ptrdiff_t n, const float *restrict gain, const float *restrict luma, float *restrict base) {
    for (ptrdiff_t x = 0; x < n; x++) base[x] -= gain[x] * luma[x];
}

static void upsample_tail(ptrdiff_t x, ptrdiff_t n, const int32_t *restrict first, const float *const weights[4],
                          const float *restrict src, float *restrict dst) {
    const float *restrict w0 = weights[0], *restrict w1 = weights[1], *restrict w2 = weights[2], *restrict w3 = weights[3];
    for (; x < n; x++) {
        const float *s = src + first[x];
        dst[x] = w0[x] * s[0] + w1[x] * s[1] + w2[x] * s[2] + w3[x] * s[3];
    }
}

static void upsample_f32(ptrdiff_t n, const int32_t *first, const float *const weights[4], const float *src,
                         float *dst) {
    ptrdiff_t x = 0;
#ifdef DETAIL_UPSAMPLE
    x = DETAIL_UPSAMPLE(n, first, weights, src, dst);
#endif
    upsample_tail(x, n, first, weights, src, dst);
}

static void average_f32(ptrdiff_t n, int count, const int32_t *first, const float *const *weights, const float *src,
                        float *dst) {
    ptrdiff_t x = 0;
#ifdef DETAIL_AVERAGE
    x = DETAIL_AVERAGE(n, count, first, weights, src, dst);
#endif
    for (; x < n; x++) {
        float sum = 0;
        for (int k = 0; k < count; k++) sum += weights[k][x] * src[first[x] + k];
        dst[x] = sum;
    }
}

// Blends the four rows of plane p at x.
#define BLEND(p, x) (w0 * p##0[x] + w1 * p##1[x] + w2 * p##2[x] + w3 * p##3[x])
#define ROWS(p, i)                                                                                                   \
    const float *restrict p##0 = taps->rows[i][0], *restrict p##1 = taps->rows[i][1], *restrict p##2 = taps->rows[i][2], \
                          *restrict p##3 = taps->rows[i][3]
#define TAPS                                                                                                         \
    const float w0 = taps->weights[0], w1 = taps->weights[1], w2 = taps->weights[2], w3 = taps->weights[3];             \
    ROWS(gain, 0); ROWS(red, 1); ROWS(green, 2); ROWS(blue, 3)
// A comparison that a NaN fails keeps damaged weights from reaching an undefined conversion to integer.
#define CLAMP(v) ((v) > -1.0f ? ((v) < 1.0f ? (v) : 1.0f) : -1.0f)

#define DETAIL_TYPED(T, NAME, HALF)                                                                                  \
    static void luma_##NAME(ptrdiff_t n, const T *restrict r, const T *restrict g, const T *restrict b,                \
                            float *restrict y) {                                                                     \
        for (ptrdiff_t x = 0; x < n; x++)                                                                            \
            y[x] = (RED * (float)r[x] + GREEN * (float)g[x] + BLUE * (float)b[x]) * (1 / HALF) - 1;                    \
    }                                                                                                                \
    static void measure_##NAME(ptrdiff_t n, const detail_taps *taps, const T *const source[3], float *const out[3]) {  \
        TAPS;                                                                                                        \
        const T *restrict r = source[0], *restrict g = source[1], *restrict b = source[2];                             \
        float *restrict or = out[0], *restrict og = out[1], *restrict ob = out[2];                                     \
        for (ptrdiff_t x = 0; x < n; x++) {                                                                          \
            float y = (RED * (float)r[x] + GREEN * (float)g[x] + BLUE * (float)b[x]) * (1 / HALF) - 1;                 \
            float detail = BLEND(gain, x) * y;                                                                       \
            float vr = BLEND(red, x) + detail, vg = BLEND(green, x) + detail, vb = BLEND(blue, x) + detail;              \
            or[x] = CLAMP(vr);                                                                                       \
            og[x] = CLAMP(vg);                                                                                       \
            ob[x] = CLAMP(vb);                                                                                       \
        }                                                                                                            \
    }                                                                                                                \
    static void apply_##NAME(ptrdiff_t n, const detail_taps *taps, float strength, const T *const source[3],           \
                             T *const out[3]) {                                                                      \
        TAPS;                                                                                                        \
        const T *restrict r = source[0], *restrict g = source[1], *restrict b = source[2];                             \
        T *restrict or = out[0], *restrict og = out[1], *restrict ob = out[2];                                         \
        const float scale = strength * HALF, keep = 1 - strength, offset = strength * HALF + 0.5f;                     \
        for (ptrdiff_t x = 0; x < n; x++) {                                                                          \
            float sr = (float)r[x], sg = (float)g[x], sb = (float)b[x];                                                \
            float y = (RED * sr + GREEN * sg + BLUE * sb) * (1 / HALF) - 1;                                            \
            float detail = BLEND(gain, x) * y;                                                                       \
            float vr = BLEND(red, x) + detail, vg = BLEND(green, x) + detail, vb = BLEND(blue, x) + detail;              \
            or[x] = (T)(int32_t)(keep * sr + scale * CLAMP(vr) + offset);                                              \
            og[x] = (T)(int32_t)(keep * sg + scale * CLAMP(vg) + offset);                                              \
            ob[x] = (T)(int32_t)(keep * sb + scale * CLAMP(vb) + offset);                                              \
        }                                                                                                            \
    }
DETAIL_TYPED(uint8_t, u8, 127.5f)
DETAIL_TYPED(uint16_t, u16, 32767.5f)

static const detail_kernels table = {
    .name = DETAIL_ISA, .luma_f32 = luma_f32, .luma_u8 = luma_u8, .luma_u16 = luma_u16, .product_f32 = product_f32,
    .accumulate_f32 = accumulate_f32, .box_f32 = box_f32, .regression_f32 = regression_f32,
    .residual_f32 = residual_f32, .roughness_f32 = roughness_f32, .sharpen_f32 = sharpen_f32,
    .deviation_f32 = deviation_f32, .correct_f32 = correct_f32, .gain_f32 = gain_f32, .unload_f32 = unload_f32,
    .upsample_f32 = upsample_f32, .average_f32 = average_f32, .measure_u8 = measure_u8, .measure_u16 = measure_u16,
    .apply_u8 = apply_u8, .apply_u16 = apply_u16,
};
