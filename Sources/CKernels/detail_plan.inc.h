// The plan's storage, shared by detail_plan.c (the stages) and detail_tables.c (what is computed once).
#ifndef DETAIL_PLAN_INC_H
#define DETAIL_PLAN_INC_H

#include <string.h>
#include "include/detail.h"

#define DETAIL_MAX_RADIUS 16
/// Rows whose window means are formed together.
#define DETAIL_GROUP 16

// Planes at the network's size. Some share storage: the later one is first written in a stage that no longer reads the earlier.
enum {
    LUMA, LUMA_SQUARE, GUIDE, GUIDE_SQUARE, RAW_GAIN, GAIN,
    OUTPUT, PRODUCT = OUTPUT + 3, SLOPE = PRODUCT + 3, OFFSET = SLOPE + 3, RESIDUAL = OFFSET + 3,
    DETAIL_PLANES = RESIDUAL + 3,
    REMOVED = SLOPE, BASE = OFFSET, REMOVAL = PRODUCT, FINAL = RESIDUAL
};

/// What one band works in.
typedef struct {
    float *column;    ///< w floats with margins
    float *low[4];    ///< DETAIL_GROUP rows of w floats each
    float *lines[3];  ///< width floats each
    float *sums[3];   ///< width floats each
    float *ring;      ///< upsampled rows [gain, red, green, blue][row % 4][line_stride]
    int ring_row[4];  ///< which rows these are, -1 for none
} detail_scratch;

struct detail_plan {
    int width, height, w, h, bands, guided;
    detail_tuning tuning;
    const detail_kernels *k;
    ptrdiff_t stride, line_stride;
    void *memory;
    float *planes;
    detail_scratch *scratch;
    double *removed_energy, *error_energy, *lack_energy;            // [h]
    int32_t *right_first, *up_first;                                // [width], [height]: first of four bicubic taps
    float *right_weights_storage, *up_weights;                      // [4][width], [height][4]
    const float *right_weights[4];
    int left_count, down_count;                                     // taps of the averages along x, y
    int32_t *left_first, *down_first;                               // [w], [h]
    float *left_weights_storage, *down_weights;                     // [left_count][w], [h][down_count]
    const float **left_weights;
    float *across_storage, *down;                                   // K: [5][w], [h][5]
    const float *across[5];
    float *reciprocal_near, *reciprocal_wide;                       // [rows][w], rows = 0...2 radius + 1
};

static inline float *plane_row(const detail_plan *p, int plane, int y) {
    return p->planes + ((ptrdiff_t)plane * p->h + y) * p->stride + DETAIL_MARGIN;
}

static inline void luma_row(const detail_plan *p, const detail_frame *f, int y, float *out) {
    ptrdiff_t at = y * f->source_stride;
    if (f->bits == 8)
        p->k->luma_u8(p->width, (const uint8_t *)f->source[0] + at, (const uint8_t *)f->source[1] + at,
                      (const uint8_t *)f->source[2] + at, out);
    else
        p->k->luma_u16(p->width, (const uint16_t *)f->source[0] + at, (const uint16_t *)f->source[1] + at,
                       (const uint16_t *)f->source[2] + at, out);
}

#endif
