// The plan's storage, shared by detail_plan.c (the stages) and detail_tables.c (what is computed once).
#ifndef DETAIL_PLAN_INC_H
#define DETAIL_PLAN_INC_H

#include <string.h>
#include "include/detail.h"

/// Rows of windows whose sums are formed together: from one to the next only the rows that enter and leave are added and taken
/// away. Groups lie at fixed places, so that the sums do not depend on the bands.
#define DETAIL_GROUP 16

// Planes at the network's size.
enum { OUTPUT, LIGHT = OUTPUT + 3, BRIGHT = LIGHT + 3, DARK, DETAIL_PLANES };

// Planes of a state behind the coefficients.
enum { SOURCE_LUMA = DETAIL_COEFFICIENTS, RESULT_LUMA };

/// What one band works in.
typedef struct {
    float *sums;                        ///< DETAIL_MOMENTS rows of the network's width, with margins
    float *window_sums;                 ///< DETAIL_MOMENTS rows of windows
    float *column;                      ///< two rows of the network's width, with margins
    float *keep;                        ///< a row of windows
    float *map[2];                      ///< coefficients of two rows of windows, for a block of columns
    int map_row[2];                     ///< which rows these are, -1 for none
    float *picture[4];                  ///< four rows of the network's size, for a block of columns
    int picture_row[4];
} detail_scratch;

/// How a block of columns is found among the samples of a smaller row.
typedef struct {
    int32_t *first;
    float *fraction;
} detail_between;

struct detail_plan {
    int width, height, w, h, grid_w, grid_h, bands, guided;
    detail_tuning tuning;
    const detail_kernels *k;
    ptrdiff_t stride, line_stride, grid_stride;
    void *memory;
    float *planes;                       // DETAIL_PLANES of w x h
    float *fits;                         // a state whose coefficients are not averaged yet
    float *current;                      // one whose coefficients are not averaged over time
    double *steadiness;                  // [grid_h]
    unsigned char *lit;                  // [h] whether a row of LIGHT holds any
    detail_scratch *scratch;
    int32_t *right_first, *up_first;     // [width], [height]: first of four taps
    float *right_weights_storage, *up_weights;  // [4][width], [height][4]
    const float *right_weights[4];
    detail_between full_x, full_y, low_x, low_y;  // windows, seen from the frame and from the network's picture
    float *reciprocal;                   // [rows of windows][grid_w] of the average of coefficients
    float *samples;                      // [grid_w] samples along x in a window
};

static inline float *plane_row(const detail_plan *p, int plane, int y) {
    return p->planes + ((ptrdiff_t)plane * p->h + y) * p->stride + DETAIL_MARGIN;
}

/// Row `y` of plane k of a state.
static inline ptrdiff_t state_row(const detail_plan *p, int k, int y) { return ((ptrdiff_t)k * p->grid_h + y) * p->grid_stride; }

#endif
