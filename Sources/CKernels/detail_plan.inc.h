// The plan's storage, shared by detail_plan.c (the stages) and detail_tables.c (what is computed once).
#ifndef DETAIL_PLAN_INC_H
#define DETAIL_PLAN_INC_H

#include <string.h>
#include "include/detail.h"

/// Rows of windows whose sums are formed together: from one to the next only the rows that enter and leave are added and taken
/// away. Groups lie at fixed places, so that the sums do not depend on the bands.
#define DETAIL_GROUP 16

/// Displacements along one axis.
#define SIDE (2 * DETAIL_SEARCH + 1)

/// Columns of the frame that are looked at together for light.
#define DETAIL_SEGMENT 128

/// Rows after which the dither begins anew.
#define DETAIL_DITHER 64
/// Columns after which it does: a multiple of DETAIL_SEGMENT.
#define DETAIL_DITHER_WIDTH 1024

// Planes at the network's size.
enum { OUTPUT, LIGHT = OUTPUT + 3, BRIGHT = LIGHT + 3, DARK, RESULT_LUMA, DETAIL_PLANES };

// Planes of a fit behind the coefficients; the first two are those of a state too.
enum { LUMA = DETAIL_COEFFICIENTS, PEAK, COLOUR, CHANGE = COLOUR + 4 };
// Plane of a state behind these.
enum { SAMPLE = PEAK + 1 };

/// What one band works in.
typedef struct {
    float *sums;                        ///< DETAIL_MOMENTS rows of the network's width, with margins
    float *window_sums;                 ///< DETAIL_MOMENTS rows of windows
    float *column;                      ///< three rows of the network's width, with margins
    float *keep;                        ///< a row of windows
    float *map[2];                      ///< coefficients of two rows of windows, for a block of columns
    int map_row[2];                     ///< which rows these are, -1 for none
    float *picture[4];                  ///< four rows of the network's size, for a block of columns
    int picture_row[4];
    uint8_t *around, *within;           ///< rows of the state before around a row of patches, and of the frame at hand in it
    int32_t *costs;                     ///< [displacements][patches of a row]
    float *patches;                     ///< a row of patches
    float *moves[2];                    ///< a row of windows: how far right and down they were in the frame before,
    detail_places places;               ///< and where that is in a plane
    float *before;                      ///< [PEAK + 1] rows of windows: a row of the state before, moved along
} detail_scratch;

/// A part of a picture: columns left..<right of rows top..<bottom.
typedef struct {
    int left, top, right, bottom;
} detail_area;

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
    float *fits;                         // DETAIL_FIT planes of windows, not averaged yet
    float *current;                      // one whose coefficients are not averaged over time
    float *same;                         // [grid_h] rows of windows: how much of the frame before may stay, by the light
    int *turned;                         // [grid_h] windows of a row whose source has changed
    int zone;                            // columns of a zone of the network's picture; there are at most 64
    uint64_t *lit;                       // [h] a bit for each zone of the row: whether LIGHT holds any there (whether OUTPUT counts)
    uint64_t *segment_zones;             // of each DETAIL_SEGMENT columns of the frame: the zones that reach them
    detail_scratch *scratch;
    int32_t *right_first, *up_first;     // [width], [height]: first of four taps
    float *right_weights_storage, *up_weights;  // [4][width], [height][4]
    const float *right_weights[4];
    detail_between full_x, full_y, low_x, low_y;  // windows, seen from the frame and from the network's picture
    float *reciprocal;                   // [rows of windows][grid_w] of the average of coefficients
    // Without black bars, as they are in the frame at hand: in the frame, in the network's picture, and among the windows.
    detail_area shown, low, grid;
    float *samples;                      // [grid_w] samples along x of `low` in a window
    int patches_w, patches_h;
    ptrdiff_t motion_stride, around_stride;
    float *motion[2];                    // [patches_h] rows: how far right and down each patch was in the frame before, in windows
    float *distances;                    // of each displacement, in windows
    detail_between patch_x, patch_y;     // patches, seen from windows
    float *dither;                       // [DETAIL_DITHER][DETAIL_DITHER_WIDTH]
};

static inline float *plane_row(const detail_plan *p, int plane, int y) {
    return p->planes + ((ptrdiff_t)plane * p->h + y) * p->stride + DETAIL_MARGIN;
}

/// Finds black bars in the frame's source and sets the plan's areas.
void detail_find_bars(detail_plan *p, const detail_frame *f);
/// Copies what columns left..<right of row y have of bars from the source to the result.
void detail_copy_bars(const detail_plan *p, const detail_frame *f, int y, int left, int right);

/// Writes row y of SAMPLE of the frame's state.
void detail_sample_row(const detail_plan *p, const detail_frame *f, detail_scratch *s, int y);
/// Finds the motion of row `row` of patches; all of SAMPLE is there.
void detail_find_motion(detail_plan *p, const detail_frame *f, detail_scratch *s, int row);
/// Finds the `places` of row y of windows; all motion is found.
void detail_find_places(const detail_plan *p, detail_scratch *s, int y);

/// Row `y` of plane k of a state or of fits.
static inline ptrdiff_t state_row(const detail_plan *p, int k, int y) { return ((ptrdiff_t)k * p->grid_h + y) * p->grid_stride; }

#endif
