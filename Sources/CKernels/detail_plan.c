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
    for (int y = low_begin(p, band); y < low_begin(p, band + 1); y++)
        for (int c = 0; c < 3; c++) {
            float *row = plane_row(p, OUTPUT + c, y);
            p->k->clamp_f32(p->w, f->output[c] + y * f->output_stride, row);
            extend(p, row);
        }
}

/// Adds rows begin..<end of the network's size to the sums of windows, or takes them away.
static void add_rows(const detail_plan *p, const detail_frame *f, detail_scratch *s, float sign, int begin, int end) {
    if (begin < 0) begin = 0;
    if (end > p->h) end = p->h;
    for (int y = begin; y < end; y++) {
        const float *source[3], *result[3];
        input_row(f, y, source);
        output_row(p, y, result);
        p->k->moments_f32(p->w, sign, source, result, s->sums + DETAIL_MARGIN, p->stride);
    }
}

/// The map from source to result in each window of row y, from the sums of the rows that it spans.
static void fit_row(detail_plan *p, detail_scratch *s, int y) {
    for (int k = 0; k < DETAIL_MOMENTS; k++)
        p->k->window_f32(p->grid_w, s->sums + k * p->stride + DETAIL_MARGIN, s->column, s->window_sums + k * p->grid_stride);
    int top = DETAIL_STEP * y - 7, bottom = DETAIL_STEP * y + 9;
    float rows = (float)((bottom < p->h ? bottom : p->h) - (top > 0 ? top : 0));
    for (int x = 0; x < p->grid_w; x++) s->keep[x] = 1 / (rows * p->samples[x]);
    p->k->solve_f32(p->grid_w, p->tuning.epsilon, s->keep, s->window_sums, p->grid_stride, p->fits + state_row(p, 0, y),
                    (ptrdiff_t)p->grid_h * p->grid_stride);
}

/// Lowers `keep` in the windows of row y whose mean luma has changed.
static void keep_where_steady(const detail_plan *p, const detail_frame *f, float *keep, int luma, int y) {
    const int isSource = luma == SOURCE_LUMA;
    p->k->steady_f32(p->grid_w, isSource ? p->tuning.still : p->tuning.result_still,
                     isSource ? p->tuning.changed : p->tuning.result_changed, f->previous + state_row(p, luma, y),
                     p->fits + state_row(p, luma, y), keep);
}

/// The maps of all windows, and how far the source's luma has kept.
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
        fit_row(p, s, y);
        if (!f->previous) continue;
        for (int x = 0; x < p->grid_w; x++) s->keep[x] = 1;
        keep_where_steady(p, f, s->keep, SOURCE_LUMA, y);
        double sum = 0;
        for (int x = 0; x < p->grid_w; x++) sum += s->keep[x];
        p->steadiness[y] = sum;
    }
}

/// True where so much has changed that nothing of the frame before is kept.
static int is_cut(const detail_plan *p, const detail_frame *f) {
    if (!f->previous || f->keep <= 0) return 1;
    double steady = 0;
    for (int y = 0; y < p->grid_h; y++) steady += p->steadiness[y];
    return steady < (1 - p->tuning.cut) * p->grid_h * p->grid_w;
}

/// Averages the maps over their neighbours, and over time.
static void stage_average(detail_plan *p, const detail_frame *f, detail_scratch *s, int band) {
    const int cut = is_cut(p, f);
    const size_t row_size = (size_t)p->grid_stride * sizeof(float);
    for (int y = grid_begin(p, band); y < grid_begin(p, band + 1); y++) {
        const int top = y < DETAIL_RADIUS ? 0 : y - DETAIL_RADIUS,
                  bottom = y + DETAIL_RADIUS >= p->grid_h ? p->grid_h - 1 : y + DETAIL_RADIUS, count = bottom - top + 1;
        for (int k = SOURCE_LUMA; k <= RESULT_LUMA; k++) memcpy(f->state + state_row(p, k, y), p->fits + state_row(p, k, y), row_size);
        if (!cut) {
            for (int x = 0; x < p->grid_w; x++) s->keep[x] = f->keep;
            keep_where_steady(p, f, s->keep, SOURCE_LUMA, y);
            keep_where_steady(p, f, s->keep, RESULT_LUMA, y);
        }
        for (int k = 0; k < DETAIL_COEFFICIENTS; k++) {
            const float *rows[2 * DETAIL_RADIUS + 1];
            for (int j = 0; j < count; j++) rows[j] = p->fits + state_row(p, k, top + j);
            float *now = p->current + state_row(p, k, y), *out = f->state + state_row(p, k, y);
            p->k->box_f32(p->grid_w, count, rows, DETAIL_RADIUS, p->reciprocal + (ptrdiff_t)count * p->grid_w, s->column, now);
            memcpy(out, now, row_size);
            if (!cut) p->k->blend_f32(p->grid_w, s->keep, f->previous + state_row(p, k, y), out);
        }
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
                              map + k * DETAIL_BLOCK);
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
                                   s->picture[slot] + c * DETAIL_BLOCK);
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
            detail_taps taps = {0};
            if (p->guided) put_map(p, f->state, s, &p->full_x, &p->full_y, left, count, y, &taps);
            if (!p->guided || is_lit(p, f, y)) put_picture(p, s, p->guided ? LIGHT : OUTPUT, left, count, y, &taps);
            apply_row(p, f, &taps, left, count, y);
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
