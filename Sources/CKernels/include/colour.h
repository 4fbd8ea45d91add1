// Planar 8-bit YCbCr 4:2:0 to RGB and back, at the frame's size and straight to the network's.
//
// Chroma and size are interpolated with Keys' cubic kernel (a = -0.5, stretched where a picture shrinks), edges continued
// by their samples, as libswscale does it for what is not converted here; between planes in and planes out nothing is
// rounded. Within an instruction set the results are the same from run to run.
#ifndef COLOUR_H
#define COLOUR_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Floats before the first and after the last sample of a row that a filter along x reads.
#define COLOUR_MARGIN 16

/// How YCbCr samples are to be read. Primed values 0...255: R = y_scale (Y - y_offset) + r_v (V - 128), and so on.
typedef struct {
    float y_scale, y_offset, r_v, g_u, g_v, b_u;
} colour_matrix;

/// The way back: Y = y[0] R + y[1] G + y[2] B + y[3], and so U and V.
typedef struct {
    float y[4], u[4], v[4];
} colour_inverse;

/// Row kernels of one instruction set, see colour_rows.inc.h.
typedef struct {
    const char *name;
    /// out = sum over k < count of weights[k] * rows[k].
    void (*blend_u8)(ptrdiff_t n, int count, const uint8_t *const *rows, const float *weights, float *out);
    void (*blend_f32)(ptrdiff_t n, int count, const float *const *rows, const float *weights, float *out);
    /// out[2 x + p] = sum over k < 5 of taps[p][k] * in[x - 2 + k], for n values of x; `in` has margins.
    void (*double_f32)(ptrdiff_t n, const float taps[2][5], const float *in, float *out);
    /// out[x] = sum over k < 8 of taps[k] * in[2 x - 3 + k], rounded, in 0...255; `in` has margins.
    void (*halve_u8)(ptrdiff_t n, const float taps[8], const float *in, uint8_t *out);
    void (*rgb_u8)(ptrdiff_t n, const colour_matrix *m, const uint8_t *y, const float *u, const float *v,
                   uint8_t *const out[3]);
    /// The same in -1...1.
    void (*rgb_f32)(ptrdiff_t n, const colour_matrix *m, const float *y, const float *u, const float *v,
                    float *const out[3]);
    void (*yuv_u8)(ptrdiff_t n, const colour_inverse *m, const uint8_t *const in[3], uint8_t *y, float *u, float *v);
    /// out[x] = sum over k < count of weights[k][x] * in[first[x] + k]; 64 floats may be read from in[first[x]].
    void (*resample_f32)(ptrdiff_t n, int count, const int32_t *first, const float *const *weights, const float *in,
                         float *out);
} colour_kernels;

/// The kernels of the instruction set `name` (avx512, avx2, portable), or null where this machine lacks it.
const colour_kernels *colour_kernels_named(const char *name);
/// The best ones that this machine runs, or those that SOLSTICE_ISA names if it runs them.
const colour_kernels *colour_kernels_best(void);

/// What a video's samples are: its size, Kr and Kb of its matrix, its range, and the place of the chroma samples in luma
/// samples from the upper left one's centre (0 to 1).
typedef struct {
    int width, height;
    double kr, kb;
    int full_range;
    double chroma_x, chroma_y;
} colour_format;

/// Samples of a frame: planes Y, U, V (the latter of half the size, rounded up); strides in bytes.
typedef struct {
    const uint8_t *planes[3];
    ptrdiff_t strides[3];
} colour_frame;

typedef struct colour_plan colour_plan;

/// A plan for frames of `format` and pictures of `width` x `height`, any size. Null where memory lacks.
colour_plan *colour_plan_create(const colour_format *format, int width, int height, const colour_kernels *kernels);
void colour_plan_destroy(colour_plan *plan);

/// The frame at the picture's size as floats in -1...1; strides in floats.
void colour_plan_resample(colour_plan *plan, const colour_frame *frame, float *const rgb[3], ptrdiff_t stride);
/// The frame in RGB of its own size.
void colour_plan_expand(colour_plan *plan, const colour_frame *frame, uint8_t *const rgb[3], ptrdiff_t stride);
/// RGB of the frame's size into a frame's planes.
void colour_plan_reduce(colour_plan *plan, const uint8_t *const rgb[3], ptrdiff_t stride, uint8_t *const planes[3],
                        const ptrdiff_t strides[3]);

#ifdef __cplusplus
}
#endif
#endif
