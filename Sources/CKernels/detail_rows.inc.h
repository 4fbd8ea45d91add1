// The row kernels of the detail transfer, compiled once for each instruction set: the including file defines
// DETAIL_ISA (a string), and opens the target attribute. Loops are plain so that clang vectorises them; only the
// interpolations along x, whose loads depend on the phase, are written with vectors (DETAIL_UPSAMPLE, DETAIL_BETWEEN).
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "include/detail.h"

#define RED 0.299f
#define GREEN 0.587f
#define BLUE 0.114f
// A comparison that a NaN fails keeps damaged weights from reaching an undefined conversion to integer.
#define CLAMP(v) ((v) > -1.0f ? ((v) < 1.0f ? (v) : 1.0f) : -1.0f)

#define GREATER(a, b) ((a) > (b) ? (a) : (b))

static void clamp_f32(ptrdiff_t n, const float *restrict in, float *restrict out) {
    for (ptrdiff_t x = 0; x < n; x++) {
        float v = in[x];
        out[x] = CLAMP(v);
    }
}

static void luma_f32(ptrdiff_t n, const float *restrict r, const float *restrict g, const float *restrict b,
                     float *restrict y) {
    for (ptrdiff_t x = 0; x < n; x++) y[x] = RED * r[x] + GREEN * g[x] + BLUE * b[x];
}

static void add_f32(ptrdiff_t n, float sign, const float *restrict a, float *restrict sum) {
    for (ptrdiff_t x = 0; x < n; x++) sum[x] += sign * a[x];
}

static void add_product_f32(ptrdiff_t n, float sign, const float *restrict a, const float *restrict b, float *restrict sum) {
    for (ptrdiff_t x = 0; x < n; x++) sum[x] += sign * (a[x] * b[x]);
}

static void moments_f32(ptrdiff_t n, float sign, const float *const source[3], const float *const result[3], float *sums,
                        ptrdiff_t stride) {
    for (int c = 0; c < 3; c++) {
        add_f32(n, sign, source[c], sums + c * stride);
        add_f32(n, sign, result[c], sums + (3 + c) * stride);
    }
    float *row = sums + 6 * stride;
    for (int a = 0; a < 3; a++)
        for (int b = a; b < 3; b++, row += stride) add_product_f32(n, sign, source[a], source[b], row);
    for (int c = 0; c < 3; c++)
        for (int a = 0; a < 3; a++, row += stride) add_product_f32(n, sign, source[a], result[c], row);
}

static void window_f32(ptrdiff_t n, const float *restrict row, float *restrict scratch, float *restrict out) {
    // Pairs (2 k - 1, 2 k) from k = -3 on; eight of them make a window.
    float *restrict pairs = scratch, *restrict fours = scratch + n + 8;
    for (ptrdiff_t k = 0; k < n + 7; k++) pairs[k] = row[2 * k - 7] + row[2 * k - 6];
    for (ptrdiff_t k = 0; k < n + 4; k++) fours[k] = (pairs[k] + pairs[k + 1]) + (pairs[k + 2] + pairs[k + 3]);
    for (ptrdiff_t k = 0; k < n; k++) out[k] = fours[k] + fours[k + 4];
}

static void solve_f32(ptrdiff_t n, float epsilon, const float *restrict reciprocal, const float *restrict sums,
                      ptrdiff_t stride, float *restrict out, ptrdiff_t out_stride) {
    assert(epsilon > 0);
    const float *restrict s = sums;
    for (ptrdiff_t x = 0; x < n; x++) {
        const float scale = reciprocal[x];
        const float r = s[x] * scale, g = s[x + stride] * scale, b = s[x + 2 * stride] * scale;
        const float *restrict m = s + x + 6 * stride;
        // The covariance of the source's colours, positive definite by epsilon, and its adjoint.
        const float rr = m[0] * scale - r * r + epsilon, rg = m[stride] * scale - r * g, rb = m[2 * stride] * scale - r * b,
                    gg = m[3 * stride] * scale - g * g + epsilon, gb = m[4 * stride] * scale - g * b,
                    bb = m[5 * stride] * scale - b * b + epsilon;
        const float irr = gg * bb - gb * gb, irg = rb * gb - rg * bb, irb = rg * gb - rb * gg, igg = rr * bb - rb * rb,
                    igb = rg * rb - rr * gb, ibb = rr * gg - rg * rg;
        const float determinant = rr * irr + rg * irg + rb * irb;
        // Rounding cannot bring it below the cube of epsilon by much; the comparison keeps the quotient finite all the same.
        const float inverse = determinant > 0 ? 1 / determinant : 0;
        const float variance = RED * RED * rr + GREEN * GREEN * gg + BLUE * BLUE * bb +
                               2 * (RED * GREEN * rg + RED * BLUE * rb + GREEN * BLUE * gb);
        float *restrict seen = out + DETAIL_COEFFICIENTS * out_stride + x;
        seen[0] = RED * r + GREEN * g + BLUE * b;
        seen[2 * out_stride] = r;
        seen[3 * out_stride] = g;
        seen[4 * out_stride] = b;
        seen[5 * out_stride] = __builtin_sqrtf(variance > 0 ? variance : 0);
        for (int c = 0; c < 3; c++) {
            const float p = s[x + (3 + c) * stride] * scale;
            const float *restrict q = m + (6 + 3 * c) * stride;
            const float pr = q[0] * scale - r * p, pg = q[stride] * scale - g * p, pb = q[2 * stride] * scale - b * p;
            const float ar = (irr * pr + irg * pg + irb * pb) * inverse, ag = (irg * pr + igg * pg + igb * pb) * inverse,
                        ab = (irb * pr + igb * pg + ibb * pb) * inverse;
            float *restrict to = out + 4 * c * out_stride + x;
            to[0] = ar;
            to[out_stride] = ag;
            to[2 * out_stride] = ab;
            to[3 * out_stride] = p - ar * r - ag * g - ab * b;
        }
    }
}

static void box_f32(ptrdiff_t n, int count, const float *const *rows, int radius, const float *restrict reciprocal,
                    float *restrict column, float *restrict out) {
    assert(count > 0 && radius >= 0);
    float *restrict inner = column + radius;
    for (int k = 0; k < radius; k++) column[k] = inner[n + k] = 0;
    if (count == 9) {  // the transfer's own window, unrolled
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
        enum { SHARED = 256 };
        float four[SHARED + 4];
        for (ptrdiff_t begin = 0; begin < n; begin += SHARED) {
            const float *restrict c = column + begin, *restrict scale = reciprocal + begin;
            float *restrict to = out + begin;
            ptrdiff_t block = n - begin < SHARED ? n - begin : SHARED;
            for (ptrdiff_t x = 0; x < block + 4; x++) four[x] = (c[x] + c[x + 1]) + (c[x + 2] + c[x + 3]);
            for (ptrdiff_t x = 0; x < block; x++) to[x] = ((four[x] + four[x + 4]) + c[x + 8]) * scale[x];
        }
        return;
    }
    for (ptrdiff_t x = 0; x < n; x++) {
        float sum = 0;
        for (int k = 0; k <= 2 * radius; k++) sum += column[x + k];
        out[x] = sum * reciprocal[x];
    }
}

/// out[x] = the greatest of the rows at x.
static void greatest_rows(ptrdiff_t n, int count, const float *const *rows, float *restrict out) {
    memcpy(out, rows[0], (size_t)n * sizeof(float));
    for (int k = 1; k < count; k++) {
        const float *restrict row = rows[k];
        for (ptrdiff_t x = 0; x < n; x++) out[x] = GREATER(row[x], out[x]);
    }
}

static void window_peak_f32(ptrdiff_t n, ptrdiff_t width, int count, const float *const *rows, float *restrict column,
                            float *restrict scratch, float *restrict out) {
    greatest_rows(width, count, rows, column);
    for (int k = 1; k <= 9; k++) column[-k] = column[0], column[width - 1 + k] = column[width - 1];
    float *restrict pairs = scratch, *restrict fours = scratch + n + 8;
    for (ptrdiff_t k = 0; k < n + 7; k++) pairs[k] = GREATER(column[2 * k - 7], column[2 * k - 6]);
    for (ptrdiff_t k = 0; k < n + 4; k++) {
        const float left = GREATER(pairs[k], pairs[k + 1]), right = GREATER(pairs[k + 2], pairs[k + 3]);
        fours[k] = GREATER(left, right);
    }
    for (ptrdiff_t k = 0; k < n; k++) out[k] = GREATER(fours[k], fours[k + 4]);
}

static inline float share_of(float change, float still, float slope, float changed) {
    const float share = change > still ? (changed - change) * slope : 1;
    return share > 0 ? share : 0;
}

static void halve_f32(ptrdiff_t n, const float *restrict upper, const float *restrict lower, float *restrict out) {
    for (ptrdiff_t x = 0; x < n; x++) out[x] = 0.25f * ((upper[2 * x] + upper[2 * x + 1]) + (lower[2 * x] + lower[2 * x + 1]));
}

static void differences_u8(ptrdiff_t n, int count, const uint8_t *const *now, const uint8_t *const *before, int32_t *out) {
    for (ptrdiff_t k = 0; k < n; k++) out[k] = 0;
    for (int y = 0; y < count; y++) {
        ptrdiff_t k = 0;
#ifdef DETAIL_DIFFERENCES
        k = DETAIL_DIFFERENCES(n, now[y], before[y], out);
#endif
        for (; k < n; k++) {
            const uint8_t *a = now[y] + DETAIL_PATCH * k, *b = before[y] + DETAIL_PATCH * k;
            int sum = 0;
            for (int i = 0; i < DETAIL_PATCH; i++) sum += abs(a[i] - b[i]);
            out[k] += sum;
        }
    }
}

static void levels_u8(ptrdiff_t n, const float *restrict in, uint8_t *restrict out) {
    for (ptrdiff_t x = 0; x < n; x++) {
        const float v = in[x];
        out[x] = (uint8_t)(int32_t)(127.5f * CLAMP(v) + 128);
    }
}

typedef float run_f32 __attribute__((vector_size(DETAIL_RUN * sizeof(float))));
#define LOAD_RUN(name, from) run_f32 name; memcpy(&name, from, sizeof name)

static void fetch_f32(ptrdiff_t n, const detail_places *places, const float *restrict src, float *restrict out) {
    for (ptrdiff_t x = 0; x < n; x += DETAIL_RUN) {
        const float *right = places->right + x, *down = places->down + x;
        const int32_t *from = places->from + x, *below = places->below + x;
        if (places->is_run[x / DETAIL_RUN]) {
            const float *upper = src + *from, *lower = upper + *below;
            LOAD_RUN(a, upper); LOAD_RUN(b, upper + 1); LOAD_RUN(c, lower); LOAD_RUN(d, lower + 1); LOAD_RUN(r, right); LOAD_RUN(l, down);
            const run_f32 above = a + r * (b - a), under = c + r * (d - c), value = above + l * (under - above);
            memcpy(out + x, &value, sizeof value);
        } else {
            for (int i = 0; i < DETAIL_RUN; i++) {
                const float *upper = src + from[i], *lower = upper + below[i];
                const float above = upper[0] + right[i] * (upper[1] - upper[0]), under = lower[0] + right[i] * (lower[1] - lower[0]);
                out[x + i] = above + down[i] * (under - above);
            }
        }
    }
}

static void change_f32(ptrdiff_t n, const float *restrict a, const float *restrict b, float *restrict out) {
    for (ptrdiff_t x = 0; x < n; x++) out[x] = __builtin_fabsf(a[x] - b[x]);
}

static void same_f32(ptrdiff_t n, float still, float changed, const float *restrict light, float *restrict same) {
    const float slope = 1 / (changed - still);
    for (ptrdiff_t x = 0; x < n; x++) same[x] = share_of(light[x], still, slope, changed);
}

static void steady_f32(ptrdiff_t n, float still, float changed, const float *restrict same,
                       const float *restrict now, const float *restrict seen, ptrdiff_t stride, const float *restrict before,
                       ptrdiff_t before_stride, float *restrict keep) {
    const float slope = 1 / (changed - still);
    for (ptrdiff_t x = 0; x < n; x++) {
        float most = 0;
        for (int c = 0; c < 3; c++) {
            const float *restrict p = now + 4 * c * stride + x, *restrict q = before + 4 * c * before_stride + x;
            const float r = p[0] - q[0], g = p[stride] - q[before_stride], b = p[2 * stride] - q[2 * before_stride];
            const float level = r * seen[x] + g * seen[x + stride] + b * seen[x + 2 * stride] + p[3 * stride] -
                                q[3 * before_stride];
            const float difference = __builtin_fabsf(level) + __builtin_fabsf(r + g + b) * seen[x + 3 * stride];
            most = difference > most ? difference : most;
        }
        const float alike = share_of(most, still, slope, changed);
        keep[x] *= same[x] > alike ? same[x] : alike;
    }
}

static int turned_f32(ptrdiff_t n, float changed, const float *restrict before, const float *restrict luma) {
    int count = 0;
    for (ptrdiff_t x = 0; x < n; x++) count += __builtin_fabsf(luma[x] - before[x]) > changed;
    return count;
}

static void blend_f32(ptrdiff_t n, const float *restrict keep, const float *restrict before, float *restrict row) {
    for (ptrdiff_t x = 0; x < n; x++) row[x] += keep[x] * (before[x] - row[x]);
}

static void between_f32(ptrdiff_t n, const int32_t *first, const float *fraction, const float *src, float *dst) {
    ptrdiff_t x = 0;
#ifdef DETAIL_BETWEEN
    x = DETAIL_BETWEEN(n, first, fraction, src, dst);
#endif
    for (; x < n; x++) {
        const float *s = src + first[x];
        dst[x] = s[0] + fraction[x] * (s[1] - s[0]);
    }
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

// Coefficient k of one colour at x, between the two rows of windows.
#define COEFFICIENT(k) (upper[(k) * DETAIL_LINE + x] + fraction * (lower[(k) * DETAIL_LINE + x] - upper[(k) * DETAIL_LINE + x]))
#define MAP(r, g, b) (COEFFICIENT(0) * (r) + COEFFICIENT(1) * (g) + COEFFICIENT(2) * (b) + COEFFICIENT(3))

// The loops over a map at the network's size: `rest` is what the result exceeds it by at x.
#define REST(statement)                                                                                            \
    const float fraction = taps->fraction;                                                                            \
    const float *restrict r = source[0], *restrict g = source[1], *restrict b = source[2];                              \
    for (int c = 0; c < 3; c++) {                                                                                    \
        const float *restrict p = result[c], *restrict upper = taps->upper + 4 * c * DETAIL_LINE,                      \
                              *restrict lower = taps->lower + 4 * c * DETAIL_LINE;                                    \
        for (ptrdiff_t x = 0; x < n; x++) {                                                                          \
            const float v = MAP(r[x], g[x], b[x]), rest = p[x] - CLAMP(v);                                          \
            statement                                                                                                \
        }                                                                                                            \
    }

static void excess_f32(ptrdiff_t n, const detail_taps *taps, const float *const source[3], const float *const result[3],
                       float *const out[3]) {
    assert(n <= DETAIL_BLOCK);
    REST(out[c][x] = rest > 0 ? rest : 0;)
}

static void extremes_f32(ptrdiff_t n, const detail_taps *taps, const float *const source[3], const float *const result[3],
                         float *restrict bright, float *restrict dark) {
    assert(n <= DETAIL_BLOCK);
    REST(const float above = c ? bright[x] : 0; const float below = c ? dark[x] : 0; bright[x] = rest > above ? rest : above;
         dark[x] = -rest > below ? -rest : below;)
}

static void peak_f32(ptrdiff_t n, int count, const float *const *rows, float *restrict column, float *restrict out) {
    greatest_rows(n, count, rows, column);
    for (int k = 1; k <= DETAIL_REACH; k++) column[-k] = column[0], column[n - 1 + k] = column[n - 1];
    for (ptrdiff_t x = 0; x < n; x++) {
        float most = column[x - DETAIL_REACH];
        for (int k = 1 - DETAIL_REACH; k <= DETAIL_REACH; k++) most = GREATER(column[x + k], most);
        out[x] = most;
    }
}

static float share_f32(ptrdiff_t n, float weight, float floor, float full, float scale, const float *restrict dark,
                       float *restrict bright) {
    const float slope = 1 / (full - floor);
    float greatest = 0;
    for (ptrdiff_t x = 0; x < n; x++) {
        const float share = (bright[x] - weight * dark[x] - floor) * slope, some = share > 0 ? (share < 1 ? share : 1) : 0;
        bright[x] = scale * some;
        greatest = some > greatest ? some : greatest;
    }
    return greatest;
}

static void light_f32(ptrdiff_t n, const float *restrict share, float *const light[3]) {
    for (int c = 0; c < 3; c++) {
        float *restrict row = light[c];
        for (ptrdiff_t x = 0; x < n; x++) row[x] *= share[x];
    }
}

#define DITHER_u8(x) (strength * dither[x])
#define DITHER_u16(x) 0
#define DETAIL_TYPED(T, NAME, HALF)                                                                                   \
    /* One colour: with all three in one loop the compiler runs out of registers for their rows. */                   \
    static inline __attribute__((always_inline)) void apply_colour_##NAME(                                            \
        ptrdiff_t n, const detail_taps *taps, float strength, const T *const source[3], const int c, T *restrict out, \
        const int mapped, const int pictured) {                                                                       \
        const float *restrict upper = taps->upper + (mapped ? 4 * c * DETAIL_LINE : 0);                               \
        const float *restrict lower = taps->lower + (mapped ? 4 * c * DETAIL_LINE : 0);                               \
        const ptrdiff_t line = pictured ? c * DETAIL_LINE : 0;                                                        \
        const float *restrict row0 = taps->rows[0] + line, *restrict row1 = taps->rows[1] + line;                     \
        const float *restrict row2 = taps->rows[2] + line, *restrict row3 = taps->rows[3] + line;                     \
        const float w0 = taps->weights[0], w1 = taps->weights[1], w2 = taps->weights[2], w3 = taps->weights[3];       \
        const float fraction = taps->fraction, *restrict dither = taps->dither;                                       \
        const T *restrict r = source[0], *restrict g = source[1], *restrict b = source[2], *restrict own = source[c]; \
        const float scale = strength * HALF, keep = 1 - strength, offset = strength * HALF + 0.5f;                    \
        (void)dither;                                                                                                 \
        for (ptrdiff_t x = 0; x < n; x++) {                                                                           \
            float v = 0;                                                                                              \
            if (mapped) v = MAP((float)r[x] * (1 / HALF) - 1, (float)g[x] * (1 / HALF) - 1, (float)b[x] * (1 / HALF) - 1);\
            if (pictured) v += w0 * row0[x] + w1 * row1[x] + w2 * row2[x] + w3 * row3[x];                             \
            out[x] = (T)(int32_t)(keep * (float)own[x] + scale * CLAMP(v) + (offset + DITHER_##NAME(x)));             \
        }                                                                                                             \
    }                                                                                                                 \
    static void apply_##NAME(ptrdiff_t n, const detail_taps *taps, float strength, const T *const source[3],          \
                             T *const out[3]) {                                                                       \
        assert(n <= DETAIL_BLOCK && (taps->upper || taps->rows[0]));                                                  \
        for (int c = 0; c < 3; c++)                                                                                   \
            if (!taps->upper)                                                                                         \
                apply_colour_##NAME(n, taps, strength, source, c, out[c], 0, 1);                                      \
            else if (taps->rows[0])                                                                                   \
                apply_colour_##NAME(n, taps, strength, source, c, out[c], 1, 1);                                      \
            else                                                                                                      \
                apply_colour_##NAME(n, taps, strength, source, c, out[c], 1, 0);                                      \
    }
DETAIL_TYPED(uint8_t, u8, 127.5f)
DETAIL_TYPED(uint16_t, u16, 32767.5f)

static const detail_kernels table = {
    .name = DETAIL_ISA, .clamp_f32 = clamp_f32, .luma_f32 = luma_f32, .moments_f32 = moments_f32, .window_f32 = window_f32,
    .solve_f32 = solve_f32, .box_f32 = box_f32, .window_peak_f32 = window_peak_f32, .halve_f32 = halve_f32, .levels_u8 = levels_u8, .differences_u8 = differences_u8,
    .fetch_f32 = fetch_f32, .change_f32 = change_f32, .same_f32 = same_f32, .steady_f32 = steady_f32, .turned_f32 = turned_f32, .blend_f32 = blend_f32, .between_f32 = between_f32,
    .upsample_f32 = upsample_f32, .excess_f32 = excess_f32, .extremes_f32 = extremes_f32, .peak_f32 = peak_f32, .share_f32 = share_f32, .light_f32 = light_f32, .apply_u8 = apply_u8, .apply_u16 = apply_u16,
};
