// Convolutions, written once for every instruction set. The including file defines LANES (floats of a vector),
// TILE (pixels of the widest register tile, 12 or 6) and KERNEL(name), and turns on the instruction set.
//
// Register tile: `m` pixels of a row by `n` vectors of output channels, accumulated over taps and input channels with one
// broadcast of an input value and `n` weight vectors per step; the epilogue runs on the accumulators.
#include "layout.h"
#include <assert.h>

#pragma clang fp contract(fast)

enum { VECTORS = 2 };

typedef float V __attribute__((ext_vector_type(LANES)));
typedef V VU __attribute__((aligned(4)));
#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("clang loop unroll(full)")

INLINE V load(const float *p) { return *(const V *)p; }
INLINE void store(float *p, V v) { *(V *)p = v; }
INLINE V larger(V a, V b) { return a > b ? a : b; }
INLINE V activate(V v, V slope) { return larger(v, v * slope); }

// tanh to about 2e-7: 1 - 2 / (exp(2v) + 1), exp by range reduction to [-ln2/2, ln2/2] and a polynomial. Not a number
// gives 1: a picture is always finite.
INLINE V hyperbolic_tangent(V v) {
    typedef int I __attribute__((ext_vector_type(LANES)));
    V u = larger(v < (V)9.0f ? v : (V)9.0f, (V)-9.0f) * 2.0f;
    V scaled = u * 1.44269504f;
    V rounded = (scaled + 12582912.0f) - 12582912.0f;
    V r = (u - rounded * 0.693145752f) - rounded * 1.42860677e-6f;
    V p = r * 1.9875691e-4f + 1.3981999e-3f;
    p = p * r + 8.3334519e-3f;
    p = p * r + 4.1665796e-2f;
    p = p * r + 1.6666665e-1f;
    p = p * r + 0.5f;
    p = p * (r * r) + r + 1.0f;
    I exponent = (__builtin_convertvector(rounded, I) + 127) << 23;
    V power;
    __builtin_memcpy(&power, &exponent, sizeof power);
    return 1.0f - 2.0f / (p * power + 1.0f);
}

// One step: acc[r][j] += a[r * pixel] * weights[j].
INLINE void step(const int m, const int n, const int pixel, V acc[TILE][VECTORS], const float *a, const float *weights) {
    V b[VECTORS];
    UNROLL for (int j = 0; j < n; j++) b[j] = load(weights + j * LANES);
    UNROLL for (int r = 0; r < m; r++) {
        V x = (V)a[r * pixel];
        UNROLL for (int j = 0; j < n; j++) acc[r][j] += x * b[j];
    }
}

#ifdef HAS_BF16
// The same for cells of two channels: acc[r][j] += products of both.
INLINE void step_bf16(const int m, const int n, const int pixel, V acc[TILE][VECTORS], const float *a, const float *weights) {
    __m512bh b[VECTORS];
    UNROLL for (int j = 0; j < n; j++) b[j] = (__m512bh)_mm512_load_ps(weights + j * LANES);
    UNROLL for (int r = 0; r < m; r++) {
        __m512bh x = (__m512bh)_mm512_set1_ps(a[r * pixel]);
        UNROLL for (int j = 0; j < n; j++) acc[r][j] = (V)_mm512_dpbf16_ps((__m512)acc[r][j], x, b[j]);
    }
}
#endif

// All channels of one source; returns the weights that follow.
INLINE const float *accumulate(const int m, const int n, V acc[TILE][VECTORS], const float *input, size_t block, size_t row,
                               int channels, int taps, const float *weights) {
    for (int first = 0; first < channels; first += CK_BLOCK, input += block) {
        int depth = channels - first < CK_BLOCK ? (channels - first + DEPTH_STEP - 1) / DEPTH_STEP : CK_BLOCK / DEPTH_STEP;
        for (int dy = 0; dy < taps; dy++)
            for (int dx = 0; dx < taps; dx++) {
                const float *a = input + (size_t)dy * row + (size_t)dx * CK_BLOCK;
                for (int k = 0; k < depth; k++, a += DEPTH_STEP)
                    UNROLL for (int u = 0; u < DEPTH_STEP; u++, weights += n * LANES) step(m, n, CK_BLOCK, acc, a + u, weights);
            }
    }
    return weights;
}

// Where the vectors of a panel lie: output channel of vector j, and of lane 0 in its block.
INLINE size_t lane_offset(const ck_map *map, int channel) {
    return (size_t)(channel / CK_BLOCK) * map->block + (size_t)(channel % CK_BLOCK);
}

INLINE void finish_store(const int m, const int n, V acc[TILE][VECTORS], const ck_conv *c, int panel, int y, int x) {
    const V slope = (V)c->slope;
    UNROLL for (int j = 0; j < n; j++) {
        int channel = (panel * VECTORS + j) * LANES;
        float *out = c->output.origin + lane_offset(&c->output, channel) + (size_t)y * c->output.row + (size_t)x * CK_BLOCK;
        V bias = load(c->bias + channel);
        if (c->skip.origin) {
            const float *skip = c->skip.origin + lane_offset(&c->skip, channel) + (size_t)(y >> c->skip_halved) * c->skip.row;
            V scale = load(c->skip_scale + channel), shift = load(c->skip_shift + channel) + bias;
            UNROLL for (int r = 0; r < m; r++) {
                V v = load(skip + (size_t)((x + r) >> c->skip_halved) * CK_BLOCK) * scale + (acc[r][j] + shift);
                store(out + r * CK_BLOCK, activate(v, slope));
            }
        } else {
            UNROLL for (int r = 0; r < m; r++) store(out + r * CK_BLOCK, activate(acc[r][j] + bias, slope));
        }
    }
}

// Vector 0 is gamma, vector 1 beta of the same channels; they stay in registers while one modulation after the other
// takes them.
INLINE void finish_fade(const int m, V acc[TILE][VECTORS], const ck_conv *c, int panel, int y, int x) {
    const int channel = panel * LANES;
    const V slope = (V)c->slope;
    const V gamma = load(c->bias + channel * VECTORS) + 1.0f, beta = load(c->bias + channel * VECTORS + LANES);
    UNROLL for (int r = 0; r < m; r++) {
        acc[r][0] += gamma;
        acc[r][1] += beta;
    }
    for (int i = 0; i < c->modulation_count; i++) {
        const ck_modulation *f = &c->modulations[i];
        const V scale = load(f->scale + channel), shift = load(f->shift + channel);
        const float *from = f->x.origin + lane_offset(&f->x, channel) + (size_t)(y >> f->x_halved) * f->x.row;
        float *out = f->output.origin + lane_offset(&f->output, channel) + (size_t)y * f->output.row + (size_t)x * CK_BLOCK;
        if (f->x_halved && m % 2 == 0 && x % 2 == 0) {
            // Two neighbours share a pixel of x.
            UNROLL for (int r = 0; r < m; r += 2) {
                V normal = load(from + (size_t)((x + r) / 2) * CK_BLOCK) * scale + shift;
                store(out + r * CK_BLOCK, activate(normal * acc[r][0] + acc[r][1], slope));
                store(out + (r + 1) * CK_BLOCK, activate(normal * acc[r + 1][0] + acc[r + 1][1], slope));
            }
        } else {
            UNROLL for (int r = 0; r < m; r++) {
                V normal = load(from + (size_t)((x + r) >> f->x_halved) * CK_BLOCK) * scale + shift;
                store(out + r * CK_BLOCK, activate(normal * acc[r][0] + acc[r][1], slope));
            }
        }
    }
}

// Output o = (sub-pixel row * 2 + sub-pixel column) * 3 + colour.
INLINE void finish_image(const int m, const int n, V acc[TILE][VECTORS], const ck_conv *c, int panel, int y, int x) {
    UNROLL for (int j = 0; j < n; j++) {
        int first = (panel * VECTORS + j) * LANES;
        V bias = load(c->bias + first);
        float values[TILE * LANES] __attribute__((aligned(64)));
        UNROLL for (int r = 0; r < m; r++) store(values + r * LANES, hyperbolic_tangent(acc[r][j] + bias));
        int lanes = c->outputs - first < LANES ? c->outputs - first : LANES;
        for (int lane = 0; lane < lanes; lane++) {
            int o = first + lane, colour = o % 3, column = o / 3 % 2, line = o / 6;
            float *plane = colour == 0 ? c->red : colour == 1 ? c->green : c->blue;
            float *to = plane + (size_t)(2 * y + line) * c->picture_row + (size_t)(2 * x + column);
            UNROLL for (int r = 0; r < m; r++) to[2 * r] = values[r * LANES + lane];
        }
    }
}

INLINE void finish(const int m, const int n, V acc[TILE][VECTORS], const ck_conv *c, int panel, int y, int x) {
    if (n == VECTORS && c->epilogue == CK_FADE)
        finish_fade(m, acc, c, panel, y, x);
    else if (c->epilogue == CK_IMAGE)
        finish_image(m, n, acc, c, panel, y, x);
    else
        finish_store(m, n, acc, c, panel, y, x);
}

INLINE void clear(const int m, const int n, V acc[TILE][VECTORS]) {
    UNROLL for (int r = 0; r < m; r++)
        UNROLL for (int j = 0; j < n; j++) acc[r][j] = (V)0.0f;
}

static size_t panel_floats(const ck_conv *c, int planar) {
    size_t depth = 0;
    if (planar)
        depth = (size_t)c->channels * (size_t)(c->taps * c->taps);
    else {
        size_t whole = (size_t)((c->channels + DEPTH_STEP - 1) / DEPTH_STEP * DEPTH_STEP);
        depth = whole * (size_t)(c->taps * c->taps);
        depth += (size_t)((c->pointwise_channels + DEPTH_STEP - 1) / DEPTH_STEP * DEPTH_STEP);
    }
    return depth * VECTORS * LANES;
}

INLINE void tile_blocked(const int m, const int n, const ck_conv *c, const float *weights, int panel, int y, int x) {
    V acc[TILE][VECTORS];
    clear(m, n, acc);
    int border = c->taps / 2;
    const float *input = c->input.origin + (ptrdiff_t)(y - border) * (ptrdiff_t)c->input.row + (ptrdiff_t)(x - border) * CK_BLOCK;
    weights = accumulate(m, n, acc, input, c->input.block, c->input.row, c->channels, c->taps, weights);
    if (c->pointwise_channels) {
        input = c->pointwise.origin + (size_t)y * c->pointwise.row + (size_t)x * CK_BLOCK;
        accumulate(m, n, acc, input, c->pointwise.block, c->pointwise.row, c->pointwise_channels, 1, weights);
    }
    finish(m, n, acc, c, panel, y, x);
}

INLINE void tile_planar(const int m, const int n, const ck_conv *c, const float *weights, int panel, int y, int x) {
    V acc[TILE][VECTORS];
    clear(m, n, acc);
    int border = c->taps / 2;
    const float *plane = c->input.origin + (ptrdiff_t)(y - border) * (ptrdiff_t)c->input.row + (x - border);
    for (int channel = 0; channel < c->channels; channel++, plane += c->input.block)
        for (int dy = 0; dy < c->taps; dy++)
            for (int dx = 0; dx < c->taps; dx++, weights += n * LANES)
                step(m, n, 1, acc, plane + (size_t)dy * c->input.row + dx, weights);
    finish_store(m, n, acc, c, panel, y, x);
}

#ifdef HAS_BF16
// 1x1: the input is rounded on its way in.
INLINE void tile_pointwise_bf16(const int m, const int n, const ck_conv *c, const float *weights, int panel, int y, int x) {
    enum { CELLS = CK_BLOCK / 2 };
    V acc[TILE][VECTORS];
    clear(m, n, acc);
    const float *input = c->input.origin + (size_t)y * c->input.row + (size_t)x * CK_BLOCK;
    for (int first = 0; first < c->channels; first += CK_BLOCK, input += c->input.block) {
        float cells[TILE * CELLS] __attribute__((aligned(64)));
        UNROLL for (int r = 0; r < m; r++)
            _mm256_store_si256((__m256i *)(cells + r * CELLS), (__m256i)_mm512_cvtneps_pbh((__m512)load(input + r * CK_BLOCK)));
        for (int k = 0; k < CELLS; k += DEPTH_STEP)
            UNROLL for (int u = 0; u < DEPTH_STEP; u++, weights += VECTORS * LANES) step_bf16(m, n, CELLS, acc, cells + k + u, weights);
    }
    finish(m, n, acc, c, panel, y, x);
}
#endif

// Mean and sum of squared deviations of one row, LANES channels at once; four partial sums in a fixed pattern.
INLINE void row_moments(const float *row, size_t pixel, int width, float *mean, float *m2) {
    V sum[4] = {(V)0.0f, (V)0.0f, (V)0.0f, (V)0.0f};
    int x = 0;
    for (; x + 4 <= width; x += 4)
        UNROLL for (int u = 0; u < 4; u++) sum[u] += load(row + (size_t)(x + u) * pixel);
    for (; x < width; x++) sum[0] += load(row + (size_t)x * pixel);
    V average = ((sum[0] + sum[1]) + (sum[2] + sum[3])) / (float)width;
    UNROLL for (int u = 0; u < 4; u++) sum[u] = (V)0.0f;
    for (x = 0; x + 4 <= width; x += 4)
        UNROLL for (int u = 0; u < 4; u++) {
            V d = load(row + (size_t)(x + u) * pixel) - average;
            sum[u] += d * d;
        }
    for (; x < width; x++) {
        V d = load(row + (size_t)x * pixel) - average;
        sum[0] += d * d;
    }
    store(mean, average);
    store(m2, (sum[0] + sum[1]) + (sum[2] + sum[3]));
}

static void panel_moments(const ck_conv *c, int n, int panel, int y) {
    for (int j = 0; j < n; j++) {
        int channel = (panel * VECTORS + j) * LANES;
        const float *row = c->output.origin + lane_offset(&c->output, channel) + (size_t)y * c->output.row;
        float *to = c->moments + ((size_t)(channel / CK_BLOCK) * (size_t)c->height + (size_t)y) * 2 * CK_BLOCK + channel % CK_BLOCK;
        row_moments(row, CK_BLOCK, c->width, to, to + CK_BLOCK);
    }
}

#if TILE >= 12
#define TILES(body) for (; x + 12 <= c->width; x += 12) body(12) for (; x + 8 <= c->width; x += 8) body(8)
#else
#define TILES(body) for (; x + 6 <= c->width; x += 6) body(6)
#endif
#define ALL_TILES(body) \
    TILES(body) for (; x + 4 <= c->width; x += 4) body(4) for (; x + 2 <= c->width; x += 2) body(2) for (; x < c->width; x++) body(1)

#define PANEL_ROW(name, tile)                                                                                \
    static void name##_2(const ck_conv *c, const float *weights, int panel, int y) {                          \
        int x = 0;                                                                                            \
        ALL_TILES(name##_2_TILE)                                                                              \
    }                                                                                                         \
    static void name##_1(const ck_conv *c, const float *weights, int panel, int y) {                          \
        int x = 0;                                                                                            \
        ALL_TILES(name##_1_TILE)                                                                              \
    }
#define blocked_row_2_TILE(m) tile_blocked(m, 2, c, weights, panel, y, x);
#define blocked_row_1_TILE(m) tile_blocked(m, 1, c, weights, panel, y, x);
#define planar_row_2_TILE(m) tile_planar(m, 2, c, weights, panel, y, x);
#define planar_row_1_TILE(m) tile_planar(m, 1, c, weights, panel, y, x);
PANEL_ROW(blocked_row, tile_blocked)
PANEL_ROW(planar_row, tile_planar)
#ifdef HAS_BF16
#define pointwise_row_2_TILE(m) tile_pointwise_bf16(m, 2, c, weights, panel, y, x);
#define pointwise_row_1_TILE(m) tile_pointwise_bf16(m, 1, c, weights, panel, y, x);
PANEL_ROW(pointwise_row, tile_pointwise_bf16)
#endif

typedef void (*panel_row)(const ck_conv *c, const float *weights, int panel, int y);

// `panel_size`: floats of a panel's weights.
INLINE void conv_item(const ck_conv *c, size_t item, size_t panel_size, panel_row two, panel_row one) {
    int chunks = (c->height + c->rows_per_item - 1) / c->rows_per_item;
    int panel = (int)(item / (size_t)chunks), y = (int)(item % (size_t)chunks) * c->rows_per_item;
    int end = y + c->rows_per_item < c->height ? y + c->rows_per_item : c->height;
    int vectors = (c->outputs + LANES - 1) / LANES;
    int n = c->epilogue == CK_FADE || panel * VECTORS + 1 < vectors ? 2 : 1;
    const float *weights = c->weights + (size_t)panel * panel_size;
    for (; y < end; y++) {
        (n == 2 ? two : one)(c, weights, panel, y);
        if (c->moments) panel_moments(c, n, panel, y);
    }
}

static void KERNEL(conv_f32)(const void *conv, size_t item) {
    const ck_conv *c = conv;
    assert(c->taps == 1 || c->taps == 3);
    assert(c->epilogue != CK_FADE || (c->modulation_count > 0 && !c->moments));
    conv_item(c, item, panel_floats(c, 0), blocked_row_2, blocked_row_1);
}

static void KERNEL(conv_planar_f32)(const void *conv, size_t item) {
    const ck_conv *c = conv;
    assert(c->epilogue == CK_STORE && !c->skip.origin && !c->pointwise_channels);
    conv_item(c, item, panel_floats(c, 1), planar_row_2, planar_row_1);
}

#ifdef HAS_BF16
static void KERNEL(conv_pointwise_bf16)(const void *conv, size_t item) {
    const ck_conv *c = conv;
    assert(c->taps == 1 && c->epilogue == CK_STORE && !c->pointwise_channels);
    conv_item(c, item, (size_t)ck_round_up(c->channels, CK_BLOCK) / 2 * VECTORS * LANES, pointwise_row_2, pointwise_row_1);
}
#endif
