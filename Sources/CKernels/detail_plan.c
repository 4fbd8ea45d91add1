// The detail transfer of one frame: what is computed at the network's size, and the pass over the full frame.
// The method is described in samples/detail/README.md; the stages below are its steps in order.
#include <assert.h>
#include <math.h>
#include "detail_plan.inc.h"

static int low_begin(const detail_plan *p, int band) { return (int)((int64_t)p->h * band / p->bands); }
static int grid_begin(const detail_plan *p, int band) { return (int)((int64_t)p->grid_h * band / p->bands); }
static int full_begin(const detail_plan *p, int band) { return (int)((int64_t)p->height * band / p->bands); }
static int group_begin(const detail_plan *p, int band) {
    int groups = (p->grid_h + DETAIL_GROUP - 1) / DETAIL_GROUP, row = (int)((int64_t)groups * band / p->bands) * DETAIL_GROUP;
    return row < p->grid_h ? row : p->grid_h;
}
static int clamp_row(int y, int count) { return y < 0 ? 0 : y >= count ? count - 1 : y; }

/// Repeats the end samples into the margins that filters along x read.
static void extend(const detail_plan *p, float *row) {
    for (int k = 1; k <= 4; k++) {
        row[-k] = row[0];
        row[p->w - 1 + k] = row[p->w - 1];
    }
}

static void input_row(const detail_frame *f, int y, const float *row[3]) {
    for (int c = 0; c < 3; c++) row[c] = f->input[c] + y * f->input_stride;
}

static void output_row(const detail_plan *p, int y, const float *row[3]) {
    for (int c = 0; c < 3; c++) row[c] = plane_row(p, OUTPUT + c, y);
}

/// The network's picture, within its range whatever its weights are.
static void stage_prepare(detail_plan *p, const detail_frame *f, detail_scratch *s, int band) {
    (void)s;
    if (p->guided && band == 0) detail_find_bars(p, f);
    for (int y = low_begin(p, band); y < low_begin(p, band + 1); y++)
        for (int c = 0; c < 3; c++) {
            float *row = plane_row(p, OUTPUT + c, y);
            p->k->clamp_f32(p->w, f->output[c] + y * f->output_stride, row);
            extend(p, row);
            if (c == 2)
                p->k->luma_f32(p->w, plane_row(p, OUTPUT, y), plane_row(p, OUTPUT + 1, y), row, plane_row(p, RESULT_LUMA, y));
        }
}

/// Adds rows begin..<end of the network's size to the sums of windows, or takes them away.
static void add_rows(const detail_plan *p, const detail_frame *f, detail_scratch *s, float sign, int begin, int end) {
    const int left = p->low.left;
    if (begin < p->low.top) begin = p->low.top;
    if (end > p->low.bottom) end = p->low.bottom;
    for (int y = begin; y < end; y++) {
        const float *source[3], *result[3];
        input_row(f, y, source);
        output_row(p, y, result);
        for (int c = 0; c < 3; c++) source[c] += left, result[c] += left;
        p->k->moments_f32(p->low.right - left, sign, source, result, s->sums + DETAIL_MARGIN + left, p->stride);
    }
}

/// The map from source to result in each window of row y, from the sums of the rows that it spans.
static void fit_row(detail_plan *p, detail_scratch *s, int y) {
    const detail_area *grid = &p->grid;
    for (int k = 0; k < DETAIL_MOMENTS; k++)
        p->k->window_f32(p->grid_w, s->sums + k * p->stride + DETAIL_MARGIN, s->column, s->window_sums + k * p->grid_stride);
    int top = DETAIL_STEP * y - 7, bottom = DETAIL_STEP * y + 9;
    const int first = top > p->low.top ? top : p->low.top, last = bottom < p->low.bottom ? bottom : p->low.bottom;
    const float rows = (float)(last - first);
    for (int x = 0; x < p->grid_w; x++) s->keep[x] = p->samples[x] > 0 ? 1 / (rows * p->samples[x]) : 0;
    p->k->solve_f32(p->grid_w, p->tuning.epsilon, s->keep, s->window_sums, p->grid_stride, p->fits + state_row(p, 0, y),
                    (ptrdiff_t)p->grid_h * p->grid_stride);
    const float *lumas[DETAIL_WINDOW];
    for (int k = first; k < last; k++) lumas[k - first] = plane_row(p, RESULT_LUMA, k);
    p->k->window_peak_f32(p->grid_w, p->w, last - first, lumas, s->column + DETAIL_MARGIN, s->column + p->stride,
                          p->fits + state_row(p, PEAK, y));
    // In a bar what is next to it.
    for (int k = 0; k < DETAIL_FIT; k++) {
        float *row = p->fits + state_row(p, k, y);
        for (int x = 0; x < grid->left; x++) row[x] = row[grid->left];
        for (int x = grid->right; x < p->grid_w; x++) row[x] = row[grid->right - 1];
    }
}

/// The maps of all windows, and how far their light and the luma of the source have changed.
static void stage_fit(detail_plan *p, const detail_frame *f, detail_scratch *s, int band) {
    for (int y = group_begin(p, band); y < group_begin(p, band + 1); y++) {
        const int top = DETAIL_STEP * y - 7, bottom = DETAIL_STEP * y + 9;
        if (y % DETAIL_GROUP == 0) {
            memset(s->sums, 0, (size_t)(DETAIL_MOMENTS * p->stride) * sizeof(float));
            add_rows(p, f, s, 1, top, bottom);
        } else {
            add_rows(p, f, s, 1, bottom - DETAIL_STEP, bottom);
            add_rows(p, f, s, -1, top - DETAIL_STEP, top);
        }
        if (y < p->grid.top || y >= p->grid.bottom) continue;
        fit_row(p, s, y);
        if (!f->previous) continue;
        p->k->change_f32(p->grid_w, p->fits + state_row(p, PEAK, y), f->previous + state_row(p, PEAK, y), p->fits + state_row(p, CHANGE, y));
        p->turned[y] = p->k->turned_f32(p->grid_w, p->tuning.turned, f->previous + state_row(p, LUMA, y), p->fits + state_row(p, LUMA, y));
    }
}

/// True where so much has changed that nothing of the frame before is kept.
static int is_cut(const detail_plan *p, const detail_frame *f) {
    if (!f->previous || f->keep <= 0) return 1;
    int64_t turned = 0;
    for (int y = p->grid.top; y < p->grid.bottom; y++) turned += p->turned[y];
    return (double)turned > p->tuning.cut * (p->grid.bottom - p->grid.top) * p->grid_w;
}

/// Averages the map of row y of windows, made of rows top...bottom, with that of the frame before, but where a light has come or
/// gone; `at` is the row that was fitted.
static void average_over_time(const detail_plan *p, const detail_frame *f, detail_scratch *s, int y, int at, int top, int bottom) {
    const ptrdiff_t plane = (ptrdiff_t)p->grid_h * p->grid_stride;
    const float *changes[2 * DETAIL_RADIUS + 1];
    float *column = s->column + DETAIL_MARGIN, *light = column + p->stride;
    for (int k = top; k <= bottom; k++) changes[k - top] = p->fits + state_row(p, CHANGE, k);
    p->k->peak_f32(p->grid_w, bottom - top + 1, changes, column, light);
    for (int x = 0; x < p->grid_w; x++) s->keep[x] = f->keep;
    p->k->steady_f32(p->grid_w, p->tuning.still, p->tuning.changed, light, f->state + state_row(p, 0, y), f->previous + state_row(p, 0, y),
                     p->fits + state_row(p, COLOUR, at), plane, s->keep);
    for (int k = 0; k < DETAIL_COEFFICIENTS; k++)
        p->k->blend_f32(p->grid_w, s->keep, f->previous + state_row(p, k, y), f->state + state_row(p, k, y));
}

/// Averages the maps over their neighbours, and over time.
static void stage_average(detail_plan *p, const detail_frame *f, detail_scratch *s, int band) {
    const int cut = is_cut(p, f);
    const size_t row_size = (size_t)p->grid_stride * sizeof(float);
    for (int y = grid_begin(p, band); y < grid_begin(p, band + 1); y++) {
        // In a bar what is next to it.
        const int first = p->grid.top, last = p->grid.bottom - 1, at = y < first ? first : y > last ? last : y,
                  top = at - DETAIL_RADIUS < first ? first : at - DETAIL_RADIUS,
                  bottom = at + DETAIL_RADIUS > last ? last : at + DETAIL_RADIUS, count = bottom - top + 1;
        for (int k = 0; k < DETAIL_COEFFICIENTS; k++) {
            const float *rows[2 * DETAIL_RADIUS + 1];
            for (int j = 0; j < count; j++) rows[j] = p->fits + state_row(p, k, top + j);
            float *now = p->current + state_row(p, k, y);
            p->k->box_f32(p->grid_w, count, rows, DETAIL_RADIUS, p->reciprocal + (ptrdiff_t)count * p->grid_w, s->column, now);
            memcpy(f->state + state_row(p, k, y), now, row_size);
        }
        for (int k = LUMA; k <= PEAK; k++) memcpy(f->state + state_row(p, k, y), p->fits + state_row(p, k, at), row_size);
        if (!cut) average_over_time(p, f, s, y, at, top, bottom);
    }
}

/// A block of columns begins: nothing of the last one is of use.
static void forget(detail_scratch *s) {
    for (int k = 0; k < 2; k++) s->map_row[k] = -1;
    for (int k = 0; k < 4; k++) s->picture_row[k] = -1;
}

/// The coefficients of a row of windows at `count` columns from `left` on; kept from call to call while rows grow.
static const float *map_at(const detail_plan *p, const float *state, detail_scratch *s, const detail_between *columns, int left,
                           int count, int row) {
    float *map = s->map[row % 2];
    if (s->map_row[row % 2] != row)
        for (int k = 0; k < DETAIL_COEFFICIENTS; k++)
            p->k->between_f32(count, columns->first + left, columns->fraction + left, state + state_row(p, k, row),
                              map + k * DETAIL_LINE);
    s->map_row[row % 2] = row;
    return map;
}

static void put_map(const detail_plan *p, const float *state, detail_scratch *s, const detail_between *columns,
                    const detail_between *rows, int left, int count, int y, detail_taps *taps) {
    const int row = rows->first[y];
    taps->fraction = rows->fraction[y];
    taps->upper = map_at(p, state, s, columns, left, count, row);
    taps->lower = row + 1 < p->grid_h ? map_at(p, state, s, columns, left, count, row + 1) : taps->upper;
}

/// What the map of this frame alone does not explain of the network's picture says where lights are; how bright they are, what
/// the map that is applied lacks there.
static void stage_residual(detail_plan *p, const detail_frame *f, detail_scratch *s, int band) {
    if (f->residual <= 0) return;
    for (int pass = 0; pass < 2; pass++)
        for (int left = 0; left < p->w; left += DETAIL_BLOCK) {
            const int count = p->w - left < DETAIL_BLOCK ? p->w - left : DETAIL_BLOCK;
            forget(s);
            for (int y = low_begin(p, band); y < low_begin(p, band + 1); y++) {
                detail_taps taps = {0};
                put_map(p, pass ? f->state : p->current, s, &p->low_x, &p->low_y, left, count, y, &taps);
                const float *source[3], *result[3];
                float *light[3];
                input_row(f, y, source);
                output_row(p, y, result);
                for (int c = 0; c < 3; c++) source[c] += left, result[c] += left, light[c] = plane_row(p, LIGHT + c, y) + left;
                if (pass)
                    p->k->excess_f32(count, &taps, source, result, light);
                else
                    p->k->extremes_f32(count, &taps, source, result, plane_row(p, BRIGHT, y) + left, plane_row(p, DARK, y) + left);
            }
        }
}

/// A row of light without what lies in bars.
static void clear_bars(const detail_plan *p, float *row, int isLit) {
    const int left = isLit ? p->low.left : p->w, right = isLit ? p->low.right : p->w;
    memset(row, 0, (size_t)left * sizeof(float));
    memset(row + right, 0, (size_t)(p->w - right) * sizeof(float));
}

/// Lights are where it is brighter than the map says by more than it is darker anywhere near. The beads of which networks make a
/// line are not: the gaps between them are as dark.
static void stage_light(detail_plan *p, const detail_frame *f, detail_scratch *s, int band) {
    if (f->residual <= 0) return;
    for (int y = low_begin(p, band); y < low_begin(p, band + 1); y++) {
        const float *rows[2 * DETAIL_REACH + 1];
        float *light[3], *column = s->column + DETAIL_MARGIN, *dark = column + p->stride;
        for (int k = 0; k <= 2 * DETAIL_REACH; k++) rows[k] = plane_row(p, DARK, clamp_row(y + k - DETAIL_REACH, p->h));
        for (int c = 0; c < 3; c++) light[c] = plane_row(p, LIGHT + c, y);
        p->k->peak_f32(p->w, 2 * DETAIL_REACH + 1, rows, column, dark);
        const float most = p->k->light_f32(p->w, p->tuning.weight, p->tuning.floor, p->tuning.full, f->residual,
                                           plane_row(p, BRIGHT, y), dark, light);
        p->lit[y] = most > 0;
        if (y < p->low.top || y >= p->low.bottom) p->lit[y] = 0;
        for (int c = 0; c < 3; c++) clear_bars(p, light[c], p->lit[y]);
        for (int c = 0; c < 3; c++) extend(p, light[c]);
    }
}

/// True where a light reaches row y of the frame.
static int is_lit(const detail_plan *p, const detail_frame *f, int y) {
    int lit = 0;
    for (int k = 0; k < 4; k++) lit |= p->lit[clamp_row(p->up_first[y] + k, p->h)];
    return f->residual > 0 && lit;
}

/// Four rows of a picture at the network's size for row y of the frame, interpolated along x.
static void put_picture(const detail_plan *p, detail_scratch *s, int plane, int left, int count, int y, detail_taps *taps) {
    for (int k = 0; k < 4; k++) {
        const int row = clamp_row(p->up_first[y] + k, p->h), slot = row % 4;
        const float *weights[4];
        for (int t = 0; t < 4; t++) weights[t] = p->right_weights[t] + left;
        if (s->picture_row[slot] != row)
            for (int c = 0; c < 3; c++)
                p->k->upsample_f32(count, p->right_first + left, weights, plane_row(p, plane + c, row),
                                   s->picture[slot] + c * DETAIL_LINE);
        s->picture_row[slot] = row;
        taps->rows[k] = s->picture[slot];
        taps->weights[k] = p->up_weights[4 * (ptrdiff_t)y + k];
    }
}

static void apply_row(const detail_plan *p, const detail_frame *f, const detail_taps *taps, int left, int count, int y) {
    const ptrdiff_t from = y * f->source_stride + left, to = y * f->result_stride + left;
    if (f->bits == 8) {
        const uint8_t *source[3];
        uint8_t *result[3];
        for (int c = 0; c < 3; c++) source[c] = (const uint8_t *)f->source[c] + from, result[c] = (uint8_t *)f->result[c] + to;
        p->k->apply_u8(count, taps, f->strength, source, result);
    } else {
        const uint16_t *source[3];
        uint16_t *result[3];
        for (int c = 0; c < 3; c++) source[c] = (const uint16_t *)f->source[c] + from, result[c] = (uint16_t *)f->result[c] + to;
        p->k->apply_u16(count, taps, f->strength, source, result);
    }
}

static void stage_apply(detail_plan *p, const detail_frame *f, detail_scratch *s, int band) {
    for (int left = 0; left < p->width; left += DETAIL_BLOCK) {
        const int count = p->width - left < DETAIL_BLOCK ? p->width - left : DETAIL_BLOCK;
        forget(s);
        for (int y = full_begin(p, band); y < full_begin(p, band + 1); y++) {
            detail_taps taps = {.dither = p->dither + y % DETAIL_DITHER * DETAIL_BLOCK};
            if (p->guided) put_map(p, f->state, s, &p->full_x, &p->full_y, left, count, y, &taps);
            if (!p->guided || is_lit(p, f, y)) put_picture(p, s, p->guided ? LIGHT : OUTPUT, left, count, y, &taps);
            apply_row(p, f, &taps, left, count, y);
            if (p->guided) detail_copy_bars(p, f, y, left, left + count);
        }
    }
}

typedef void (*detail_stage)(detail_plan *, const detail_frame *, detail_scratch *, int);
static const detail_stage guided_stages[] = {stage_prepare, stage_fit, stage_average, stage_residual, stage_light, stage_apply};
static const detail_stage plain_stages[] = {stage_prepare, stage_apply};

int detail_plan_stages(const detail_plan *plan) {
    return plan->guided ? (int)(sizeof guided_stages / sizeof *guided_stages)
                        : (int)(sizeof plain_stages / sizeof *plain_stages);
}

void detail_plan_run(detail_plan *plan, const detail_frame *frame, int stage, int band) {
    assert(stage >= 0 && stage < detail_plan_stages(plan) && band >= 0 && band < plan->bands);
    (plan->guided ? guided_stages : plain_stages)[stage](plan, frame, plan->scratch + band, band);
}
