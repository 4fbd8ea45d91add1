// The row kernels of the colour conversions, compiled once for each instruction set: the including file defines
// COLOUR_ISA (a string), and opens the target attribute. Loops are plain so that clang vectorises them; only the
// resampling along x, whose loads depend on the phase, is written with vectors (COLOUR_RESAMPLE).
#include "include/colour.h"

static inline float within(float v, float low, float high) {
    v = v > low ? v : low;
    return v < high ? v : high;
}

static inline uint8_t byte(float v) { return (uint8_t)(int32_t)(within(v, 0.0f, 255.0f) + 0.5f); }

// Four rows at a time: most blends have four, and longer ones pass over the sum less often.
#define BLEND_TYPED(T, NAME)                                                                                         \
    static void NAME(ptrdiff_t n, int count, const T *const *rows, const float *weights, float *restrict out) {        \
        int k = 0;                                                                                                   \
        for (; k + 4 <= count; k += 4) {                                                                             \
            const T *restrict a = rows[k], *restrict b = rows[k + 1], *restrict c = rows[k + 2],                       \
                             *restrict d = rows[k + 3];                                                              \
            const float wa = weights[k], wb = weights[k + 1], wc = weights[k + 2], wd = weights[k + 3];                \
            if (k == 0)                                                                                              \
                for (ptrdiff_t x = 0; x < n; x++)                                                                    \
                    out[x] = wa * (float)a[x] + wb * (float)b[x] + wc * (float)c[x] + wd * (float)d[x];                \
            else                                                                                                     \
                for (ptrdiff_t x = 0; x < n; x++)                                                                    \
                    out[x] += wa * (float)a[x] + wb * (float)b[x] + wc * (float)c[x] + wd * (float)d[x];               \
        }                                                                                                            \
        for (; k < count; k++) {                                                                                     \
            const T *restrict a = rows[k];                                                                           \
            const float w = weights[k];                                                                              \
            if (k == 0)                                                                                              \
                for (ptrdiff_t x = 0; x < n; x++) out[x] = w * (float)a[x];                                            \
            else                                                                                                     \
                for (ptrdiff_t x = 0; x < n; x++) out[x] += w * (float)a[x];                                           \
        }                                                                                                            \
    }
BLEND_TYPED(uint8_t, blend_u8)
BLEND_TYPED(float, blend_f32)

static void double_f32(ptrdiff_t n, const float taps[2][5], const float *restrict in, float *restrict out) {
    const float a0 = taps[0][0], a1 = taps[0][1], a2 = taps[0][2], a3 = taps[0][3], a4 = taps[0][4];
    const float b0 = taps[1][0], b1 = taps[1][1], b2 = taps[1][2], b3 = taps[1][3], b4 = taps[1][4];
    for (ptrdiff_t x = 0; x < n; x++) {
        float p = in[x - 2], q = in[x - 1], r = in[x], s = in[x + 1], t = in[x + 2];
        out[2 * x] = a0 * p + a1 * q + a2 * r + a3 * s + a4 * t;
        out[2 * x + 1] = b0 * p + b1 * q + b2 * r + b3 * s + b4 * t;
    }
}

static void halve_u8(ptrdiff_t n, const float taps[8], const float *restrict in, uint8_t *restrict out) {
    const float t0 = taps[0], t1 = taps[1], t2 = taps[2], t3 = taps[3], t4 = taps[4], t5 = taps[5], t6 = taps[6],
                t7 = taps[7];
    for (ptrdiff_t x = 0; x < n; x++) {
        const float *from = in + 2 * x - 3;
        float sum = t0 * from[0] + t1 * from[1] + t2 * from[2] + t3 * from[3] + t4 * from[4] + t5 * from[5] +
                    t6 * from[6] + t7 * from[7];
        out[x] = byte(sum);
    }
}

static void rgb_u8(ptrdiff_t n, const colour_matrix *m, const uint8_t *restrict y, const float *restrict u,
                   const float *restrict v, uint8_t *const out[3]) {
    uint8_t *restrict r = out[0], *restrict g = out[1], *restrict b = out[2];
    const colour_matrix t = *m;
    const float offset = -t.y_scale * t.y_offset;
    for (ptrdiff_t x = 0; x < n; x++) {
        float luma = t.y_scale * (float)y[x] + offset, cb = u[x] - 128, cr = v[x] - 128;
        r[x] = byte(luma + t.r_v * cr);
        g[x] = byte(luma + t.g_u * cb + t.g_v * cr);
        b[x] = byte(luma + t.b_u * cb);
    }
}

static void rgb_f32(ptrdiff_t n, const colour_matrix *m, const float *restrict y, const float *restrict u,
                    const float *restrict v, float *const out[3]) {
    float *restrict r = out[0], *restrict g = out[1], *restrict b = out[2];
    const float s = 1 / 127.5f;
    const float yy = m->y_scale * s, offset = -yy * m->y_offset - 1, rv = m->r_v * s, gu = m->g_u * s, gv = m->g_v * s,
                bu = m->b_u * s;
    for (ptrdiff_t x = 0; x < n; x++) {
        float luma = yy * y[x] + offset, cb = u[x] - 128, cr = v[x] - 128;
        r[x] = within(luma + rv * cr, -1.0f, 1.0f);
        g[x] = within(luma + gu * cb + gv * cr, -1.0f, 1.0f);
        b[x] = within(luma + bu * cb, -1.0f, 1.0f);
    }
}

static void yuv_u8(ptrdiff_t n, const colour_inverse *m, const uint8_t *const in[3], uint8_t *restrict y,
                   float *restrict u, float *restrict v) {
    const uint8_t *restrict r = in[0], *restrict g = in[1], *restrict b = in[2];
    const colour_inverse t = *m;
    for (ptrdiff_t x = 0; x < n; x++) {
        float sr = (float)r[x], sg = (float)g[x], sb = (float)b[x];
        y[x] = byte(t.y[0] * sr + t.y[1] * sg + t.y[2] * sb + t.y[3]);
        u[x] = t.u[0] * sr + t.u[1] * sg + t.u[2] * sb + t.u[3];
        v[x] = t.v[0] * sr + t.v[1] * sg + t.v[2] * sb + t.v[3];
    }
}

static void resample_f32(ptrdiff_t n, int count, const int32_t *first, const float *const *weights, const float *in,
                         float *out) {
    ptrdiff_t x = 0;
#ifdef COLOUR_RESAMPLE
    x = COLOUR_RESAMPLE(n, count, first, weights, in, out);
#endif
    for (; x < n; x++) {
        float sum = 0;
        for (int k = 0; k < count; k++) sum += weights[k][x] * in[first[x] + k];
        out[x] = sum;
    }
}

static const colour_kernels table = {
    .name = COLOUR_ISA, .blend_u8 = blend_u8, .blend_f32 = blend_f32, .double_f32 = double_f32, .halve_u8 = halve_u8,
    .rgb_u8 = rgb_u8, .rgb_f32 = rgb_f32, .yuv_u8 = yuv_u8, .resample_f32 = resample_f32,
};
