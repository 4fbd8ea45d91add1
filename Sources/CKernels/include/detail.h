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

/// Side of the window, in samples of the network's picture, in which the result is fitted to the source.
#define DETAIL_WINDOW 16
/// Distance of two windows.
#define DETAIL_STEP 2
/// How many windows on each side the fits are averaged over.
#define DETAIL_RADIUS 4
/// Sums of a window: 3 of the source's colours, 3 of the result's, 6 products of the source's, 9 of both.
#define DETAIL_MOMENTS 21
/// Coefficients of a window: for each colour c of the result `red, green, blue, constant`, at 4 c.
#define DETAIL_COEFFICIENTS 12
/// What is kept of a window from frame to frame: its coefficients, the source's mean luma, the result's greatest, and the source's
/// mean luma in the window's middle (DETAIL_STEP x DETAIL_STEP samples), which tells how the source moves.
#define DETAIL_STATE 15
/// What is found of a window: the same, the source's mean colour, the deviation of its luma, and how far the greatest has changed.
#define DETAIL_FIT 19
/// Side of the patches that are looked for in the frame before, and how far away they are looked for, in windows.
#define DETAIL_PATCH 8
#define DETAIL_SEARCH 8
/// Reach of what keeps an unexplained light dark: samples on each side.
#define DETAIL_REACH 5
/// Readable floats before the first and after the last sample of a row that a filter along x reads.
#define DETAIL_MARGIN 16
/// Columns of the frame that are made together: few enough for their coefficients to stay in the second-level cache, enough for the
/// rows of most frames, so that memory is read in the order in which it lies.
#define DETAIL_BLOCK 4096
/// Distance of the rows that such columns are interpolated in: not a power of two, for else all would fall on a few sets of that cache.
#define DETAIL_LINE (DETAIL_BLOCK + 16)

/// The coefficients for one row of the frame lie between those of two rows of windows, and its picture between four rows of
/// the network's.
typedef struct {
    /// Coefficient k at x: upper[k * DETAIL_LINE + x] * (1 - fraction) + lower[k * DETAIL_LINE + x] * fraction. Null: none.
    const float *upper, *lower;
    float fraction;
    /// Colour c at x: the sum over k of weights[k] * rows[k][c * DETAIL_LINE + x]. Null: none.
    const float *rows[4];
    float weights[4];
    /// What is added before samples of 8 bits are rounded, in levels, -0.5...0.5: slow gradients then show no steps.
    const float *dither;
} detail_taps;

/// How many places are looked at together.
#define DETAIL_RUN 8

/// Places between the samples of a plane: place x lies `right[x]` (0...1) between from[x] and from[x] + 1, and `down[x]` between these and
/// what is below[x] behind them. Where is_run[x / DETAIL_RUN], from rises by one, and below stays, for DETAIL_RUN places.
typedef struct {
    int32_t *from, *below;
    float *right, *down;
    unsigned char *is_run;
} detail_places;

typedef struct {
    const char *name;
    /// out = in, clamped to -1...1; what is no number becomes -1.
    void (*clamp_f32)(ptrdiff_t n, const float *in, float *out);
    /// y = 0.299 r + 0.587 g + 0.114 b.
    void (*luma_f32)(ptrdiff_t n, const float *r, const float *g, const float *b, float *y);
    /// Adds one row to the DETAIL_MOMENTS rows of `sums`, `stride` apart, or takes it away where `sign` is -1.
    void (*moments_f32)(ptrdiff_t n, float sign, const float *const source[3], const float *const result[3], float *sums,
                        ptrdiff_t stride);
    /// out[i] = the sum of row[2 i - 7 ... 2 i + 8]; `row` has margins, `scratch` room for 2 * (n + 8) floats.
    void (*window_f32)(ptrdiff_t n, const float *row, float *scratch, float *out);
    /// The affine map of the source's colours that comes nearest to the result's, from the window's sums (rows `stride` apart),
    /// with `epsilon` added to the variances; `reciprocal[i]` = 1 / samples in window i. Writes DETAIL_FIT rows, `out_stride`
    /// apart, but for the result's greatest luma and its change.
    void (*solve_f32)(ptrdiff_t n, float epsilon, const float *reciprocal, const float *sums, ptrdiff_t stride, float *out,
                      ptrdiff_t out_stride);
    /// Mean over a window of `count` rows and 2 * radius + 1 columns; outside the row nothing counts.
    /// `column` has n + 2 * radius floats; `reciprocal[x]` = 1 / (rows * columns inside).
    void (*box_f32)(ptrdiff_t n, int count, const float *const *rows, int radius, const float *reciprocal, float *column,
                    float *out);
    /// out[i] = the greatest of `count` rows in columns 2 i - 7 ... 2 i + 8; `column` is a row with margins,
    /// `scratch` has room for 2 * (n + 8) floats.
    void (*window_peak_f32)(ptrdiff_t n, ptrdiff_t width, int count, const float *const *rows, float *column, float *scratch,
                            float *out);
    /// out[x] = the mean of columns 2 x and 2 x + 1 of two rows.
    void (*halve_f32)(ptrdiff_t n, const float *upper, const float *lower, float *out);
    /// out = in, clamped to -1...1, as 0...255.
    void (*levels_u8)(ptrdiff_t n, const float *in, uint8_t *out);
    /// out[k] = the sum of |now - before| over `count` rows and columns DETAIL_PATCH k ... DETAIL_PATCH k + 7, for n patches.
    void (*differences_u8)(ptrdiff_t n, int count, const uint8_t *const *now, const uint8_t *const *before, int32_t *out);
    /// out[x] = src at place x. `src` may be read, and `out` written, up to the next multiple of DETAIL_RUN.
    void (*fetch_f32)(ptrdiff_t n, const detail_places *places, const float *src, float *out);
    /// out = |a - b|.
    void (*change_f32)(ptrdiff_t n, const float *a, const float *b, float *out);
    /// same = 1 where `light` is at most `still`, 0 from `changed` on, and a share between.
    void (*same_f32)(ptrdiff_t n, float still, float changed, const float *light, float *same);
    /// keep[x] *= the greater one of same[x] and a share by the maps of before and now: 1 where these give colours that differ by at most
    /// `still`, at the source's mean colour plus over one deviation of its luma, 0 from `changed` on. `now` is a state, `seen` the rows of
    /// the fit behind it, with rows `stride` apart; those of `before` are `before_stride` apart.
    void (*steady_f32)(ptrdiff_t n, float still, float changed, const float *same, const float *now, const float *seen,
                       ptrdiff_t stride, const float *before, ptrdiff_t before_stride, float *keep);
    /// How many of two rows of lumas differ by more than `changed`.
    int (*turned_f32)(ptrdiff_t n, float changed, const float *before, const float *luma);
    /// row += keep * (before - row).
    void (*blend_f32)(ptrdiff_t n, const float *keep, const float *before, float *row);
    /// dst[x] = src[first[x]] + fraction[x] * (src[first[x] + 1] - src[first[x]]); first rises by 0 or 1, at most 8 in 16
    /// samples; 16 floats may be read from src[first[x]].
    void (*between_f32)(ptrdiff_t n, const int32_t *first, const float *fraction, const float *src, float *dst);
    /// dst[x] = sum over k of weights[k][x] * src[first[x] + k]; first rises by 0 or 1; src has margins.
    void (*upsample_f32)(ptrdiff_t n, const int32_t *first, const float *const weights[4], const float *src, float *dst);
    /// out[c] = what result[c] exceeds the clamped map of the source by; `n` is at most DETAIL_BLOCK.
    void (*excess_f32)(ptrdiff_t n, const detail_taps *taps, const float *const source[3], const float *const result[3],
                       float *const out[3]);
    /// The most that the result exceeds the clamped map by in any colour, and the most that it falls short of it.
    void (*extremes_f32)(ptrdiff_t n, const detail_taps *taps, const float *const source[3], const float *const result[3],
                         float *bright, float *dark);
    /// out = the greatest of `count` rows and 2 * DETAIL_REACH + 1 columns; `column` is a row with margins.
    void (*peak_f32)(ptrdiff_t n, int count, const float *const *rows, float *column, float *out);
    /// bright = scale where it exceeds `weight` times `dark` by `full`; nothing up to `floor`, and a share between.
    /// Returns the greatest share, 0...1.
    float (*share_f32)(ptrdiff_t n, float weight, float floor, float full, float scale, const float *dark, float *bright);
    /// light[c] *= share.
    void (*light_f32)(ptrdiff_t n, const float *share, float *const light[3]);
    /// out[c] = source[c] + strength * (clamp(map of the source + picture) + dither - source[c]), rounded; `n` is at most DETAIL_BLOCK.
    void (*apply_u8)(ptrdiff_t n, const detail_taps *taps, float strength, const uint8_t *const source[3],
                     uint8_t *const out[3]);
    void (*apply_u16)(ptrdiff_t n, const detail_taps *taps, float strength, const uint16_t *const source[3],
                      uint16_t *const out[3]);
} detail_kernels;

/// The kernels of the instruction set `name` (avx512, avx2, neon, portable), or null where this machine lacks it.
const detail_kernels *detail_kernels_named(const char *name);
/// The best ones that this machine runs, or those that SOLSTICE_ISA names if it runs them.
const detail_kernels *detail_kernels_best(void);

/// What the transfer is tuned by, in the network's range (-1...1).
typedef struct {
    float epsilon;    ///< added to the variances
    float weight;     ///< what the map leaves unexplained counts as light where it exceeds this times what it leaves too dark nearby
    float floor;      ///< by this,
    float full;       ///< and fully by this
    float still[2];   ///< changes of a window's light, and of its map, up to which it is averaged over time in full,
    float changed[2]; ///< and from which on it is not
    float turned;     ///< change of a window's luma in the source that is more than motion makes in most windows
    float cut;        ///< share of such windows from which on the frame begins anew
} detail_tuning;

typedef struct detail_plan detail_plan;

/// A plan for frames of `width` x `height` and network pictures of `network_width` x `network_height`, neither larger than the
/// frame, for up to `bands` threads. With `guided` 0 the network's picture is only interpolated. Null where memory lacks.
detail_plan *detail_plan_create(int width, int height, int network_width, int network_height, int bands, int guided,
                                const detail_tuning *tuning, const detail_kernels *kernels);
void detail_plan_destroy(detail_plan *plan);
/// Floats that are kept from frame to frame; 0 where nothing is.
size_t detail_plan_state_count(const detail_plan *plan);

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
    float residual;         ///< how much of the light that the map does not explain is added, 0...1
    float keep;             ///< how much of the previous frame's coefficients is kept, 0...1
    const float *previous;  ///< the state that the frame before left; null where there is none
    float *state;           ///< where this frame leaves its own, see detail_plan_state_count
} detail_frame;

/// Stages follow one another; within a stage the bands 0..<bands may run at the same time.
int detail_plan_stages(const detail_plan *plan);
void detail_plan_run(detail_plan *plan, const detail_frame *frame, int stage, int band);

#ifdef __cplusplus
}
#endif
#endif
