// Kernels of the detail transfer, and the plan that runs them over a frame.
//
// Names: detail_<operation>_<type>. Every kernel works on one row; the table of one instruction set is filled from the
// same source (detail_rows.inc.h), compiled once for each set. Within a set the results do not depend on how rows are
// split over threads.
#ifndef DETAIL_H
#define DETAIL_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Readable and writable floats before the first and after the last sample of a row that is filtered along x.
#define DETAIL_MARGIN 16

/// Upsampled coefficients of four neighbouring network rows, and the weights that blend them for one row of the frame.
/// `rows[p][k]`: plane p (0 gain, 1...3 base of red, green, blue), tap k.
typedef struct {
    const float *rows[4][4];
    float weights[4];
} detail_taps;

typedef struct {
    const char *name;
    /// y = 0.299 r + 0.587 g + 0.114 b.
    void (*luma_f32)(ptrdiff_t n, const float *r, const float *g, const float *b, float *y);
    /// The same of integer samples, which span -1...1.
    void (*luma_u8)(ptrdiff_t n, const uint8_t *r, const uint8_t *g, const uint8_t *b, float *y);
    void (*luma_u16)(ptrdiff_t n, const uint16_t *r, const uint16_t *g, const uint16_t *b, float *y);
    /// out = a * b.
    void (*product_f32)(ptrdiff_t n, const float *a, const float *b, float *out);
    /// sum += weight * row.
    void (*accumulate_f32)(ptrdiff_t n, float weight, const float *row, float *sum);
    /// Mean over a window of `count` rows and 2 * radius + 1 columns; outside the row nothing counts.
    /// `column` has n + 2 * radius floats; `reciprocal[x]` = 1 / (rows * columns inside).
    void (*box_f32)(ptrdiff_t n, int count, const float *const *rows, int radius, const float *reciprocal, float *column,
                    float *out);
    /// Regression of p on g from window means: a = (mean(gp) - mean(g) mean(p)) / (mean(gg) - mean(g)^2 + epsilon),
    /// b = mean(p) - a mean(g).
    void (*regression_f32)(ptrdiff_t n, float epsilon, const float *g, const float *gg, const float *p, const float *gp,
                           float *a, float *b);
    /// out = p - (a g + b).
    void (*residual_f32)(ptrdiff_t n, const float *a, const float *b, const float *g, const float *p, float *out);
    /// out = rough * (row1 - binomial 3x3 of rows 0...2) + all * row1; rows have margins. Returns the sum of squares.
    float (*roughness_f32)(ptrdiff_t n, float rough, float all, const float *const rows[3], float *out);
    /// out = 2 x - K x, where K upsamples to the frame and averages down again: five taps along y (`down`), then five along
    /// x (`across[t]`, each n long). `column` has n floats and margins; rows have margins. Returns the sum of (x - K x)^2.
    float (*sharpen_f32)(ptrdiff_t n, const float *const rows[5], const float down[5], const float *const across[5],
                         float *column, float *out);
    /// out = max(mean(gg) - mean(g)^2, 0)^0.5.
    void (*deviation_f32)(ptrdiff_t n, const float *mean, const float *meanSquare, float *out);
    /// out = base + (target - got). Returns the sum of (target - got)^2.
    float (*correct_f32)(ptrdiff_t n, const float *target, const float *got, const float *base, float *out);
    /// The gain of the source's fine detail, see detail_tuning.
    void (*gain_f32)(ptrdiff_t n, const float tuning[4], const float *deviation, const float *r, const float *g,
                     const float *b, float *out);
    /// base -= gain * luma.
    void (*unload_f32)(ptrdiff_t n, const float *gain, const float *luma, float *base);
    /// dst[x] = sum over k of weights[k][x] * src[first[x] + k]; first rises by 0 or 1; src has margins.
    void (*upsample_f32)(ptrdiff_t n, const int32_t *first, const float *const weights[4], const float *src, float *dst);
    /// dst[x] = sum over k < count of weights[k][x] * src[first[x] + k]; first rises; 64 floats may be read from src[first[x]].
    void (*average_f32)(ptrdiff_t n, int count, const int32_t *first, const float *const *weights, const float *src,
                        float *dst);
    /// out[c] = clamp(gain * luma(source) + base[c]) in -1...1.
    void (*measure_u8)(ptrdiff_t n, const detail_taps *taps, const uint8_t *const source[3], float *const out[3]);
    void (*measure_u16)(ptrdiff_t n, const detail_taps *taps, const uint16_t *const source[3], float *const out[3]);
    /// out[c] = source[c] + strength * (clamp(gain * luma(source) + base[c]) - source[c]), rounded.
    void (*apply_u8)(ptrdiff_t n, const detail_taps *taps, float strength, const uint8_t *const source[3],
                     uint8_t *const out[3]);
    void (*apply_u16)(ptrdiff_t n, const detail_taps *taps, float strength, const uint16_t *const source[3],
                      uint16_t *const out[3]);
} detail_kernels;

/// The kernels of the instruction set `name` (avx512, avx2, neon, portable), or null where this machine lacks it.
const detail_kernels *detail_kernels_named(const char *name);
/// The best ones that this machine runs, or those that SOLSTICE_ISA names if it runs them.
const detail_kernels *detail_kernels_best(void);

/// What the transfer is tuned by; all of it at the network's size and in its range (-1...1).
typedef struct {
    int radius;          ///< of the guided filter's window
    float epsilon;       ///< its regularisation
    float rough, all;    ///< how much of the unexplained part's roughness, and of all of it, is taken away
    float allowance;     ///< at most this times the squared error that bicubic interpolation makes
    float remainder;     ///< how much of the squared error before the correction remains after it
    float gain;          ///< of the source's fine detail
    float threshold;     ///< deviation of the source's luma at which half of the gain acts
    float headroom;      ///< how strongly the gain yields where detail would leave the range
    float floor;         ///< room that is granted everywhere
} detail_tuning;

typedef struct detail_plan detail_plan;

/// A plan for frames of `width` x `height` and network pictures of `network_width` x `network_height`, neither larger than the
/// frame, for up to `bands` threads. With `guided` 0 the network's picture is only interpolated. Null where memory lacks.
detail_plan *detail_plan_create(int width, int height, int network_width, int network_height, int bands, int guided,
                                const detail_tuning *tuning, const detail_kernels *kernels);
void detail_plan_destroy(detail_plan *plan);

/// One frame's pictures: planes red, green, blue; strides in samples. `bits` of source and result is 8 or 16.
typedef struct {
    const void *source[3];
    ptrdiff_t source_stride;
    void *result[3];
    ptrdiff_t result_stride;
    int bits;
    const float *input[3];
    ptrdiff_t input_stride;
    const float *output[3];
    ptrdiff_t output_stride;
    float strength;
} detail_frame;

/// Stages follow one another; within a stage the bands 0..<bands may run at the same time.
int detail_plan_stages(const detail_plan *plan);
void detail_plan_run(detail_plan *plan, const detail_frame *frame, int stage, int band);

#ifdef __cplusplus
}
#endif
#endif
