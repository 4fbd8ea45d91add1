// The detail transfer of one frame: what is computed at the network's size, and the pass over the full frame.
// The method is described in samples/detail/README.md; the stages below are its steps in order.
#include <assert.h>
#include <math.h>
#include "detail_plan.inc.h"

static int low_begin(const detail_plan *p, int band) { return (int)((int64_t)p->h * band / p->bands); }
static int grid_begin(const detail_plan *p, int band) { return (int)((int64_t)p->grid_h * band / p->bands); }
static int patch_begin(const detail_plan *p, int band) { return (int)((int64_t)p->patches_h * band / p->bands); }
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
    if (p->guided && band == 0) detail_find_bars(p, f);
    if (p->guided)
        for (int y = grid_begin(p, band); y < grid_begin(p, band + 1); y++) detail_sample_row(p, f, s, y);
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

/// The maps of all windows, how far the luma of the source has changed, and how it has moved.
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
        p->turned[y] = p->k->turned_f32(p->grid_w, p->tuning.turned, f->previous + state_row(p, LUMA, y), p->fits + state_row(p, LUMA, y));
    }
    if (!f->previous || f->keep <= 0) return;
    for (int y = patch_begin(p, band); y < patch_begin(p, band + 1); y++) detail_find_motion(p, f, s, y);
}

/// The rows of windows that the maps of row y are made of; in a bar those of the row next to it.
static void rows_around(const detail_plan *p, int y, int *at, int *top, int *bottom) {
    const int first = p->grid.top, last = p->grid.bottom - 1;
    *at = y < first ? first : y > last ? last : y;
    *top = *at - DETAIL_RADIUS < first ? first : *at - DETAIL_RADIUS;
    *bottom = *at + DETAIL_RADIUS > last ? last : *at + DETAIL_RADIUS;
}

/// True where so much has changed that nothing of the frame before is kept.
static int is_cut(const detail_plan *p, const detail_frame *f) {
    if (!f->previous || f->keep <= 0) return 1;
    int64_t turned = 0;
    for (int y = p->grid.top; y < p->grid.bottom; y++) turned += p->turned[y];
    return (double)turned > p->tuning.cut * (p->grid.bottom - p->grid.top) * p->grid_w;
}

/// Row y of plane k of the state before, moved along with the source; its places are found.
static const float *moved_row(const detail_plan *p, const detail_frame *f, detail_scratch *s, int k) {
    float *to = s->before + k * p->grid_stride;
    p->k->fetch_f32(p->grid_w, &s->places, f->previous + state_row(p, k, 0), to);
    return to;
}

/// How far the light of each window has changed, seen along the motion.
static void stage_change(detail_plan *p, const detail_frame *f, detail_scratch *s, int band) {
    if (is_cut(p, f)) return;
    for (int y = grid_begin(p, band); y < grid_begin(p, band + 1); y++) {
        detail_find_places(p, s, y);
        p->k->change_f32(p->grid_w, p->fits + state_row(p, PEAK, y), moved_row(p, f, s, PEAK), p->fits + state_row(p, CHANGE, y));
    }
}

/// How much of the frame before may stay: nothing where the maps are made of windows whose light has come or gone.
static void stage_same(detail_plan *p, const detail_frame *f, detail_scratch *s, int band) {
    if (is_cut(p, f)) return;
    for (int y = grid_begin(p, band); y < grid_begin(p, band + 1); y++) {
        const float *changes[2 * DETAIL_RADIUS + 1];
        float *column = s->column + DETAIL_MARGIN, *light = column + p->stride;
        int at, top, bottom;
        rows_around(p, y, &at, &top, &bottom);
        for (int k = top; k <= bottom; k++) changes[k - top] = p->fits + state_row(p, CHANGE, k);
        p->k->peak_f32(p->grid_w, bottom - top + 1, changes, column, light);
        p->k->same_f32(p->grid_w, p->tuning.still[0], p->tuning.changed[0], light, p->same + y * p->grid_stride);
    }
}

/// Averages the map of row y of windows, made of rows top...bottom, with that of the frame before, but where a light has come or
/// gone; `at` is the row that was fitted.
static void average_over_time(const detail_plan *p, const detail_frame *f, detail_scratch *s, int y, int at, int top, int bottom) {
    const ptrdiff_t plane = (ptrdiff_t)p->grid_h * p->grid_stride;
    const float *sames[2 * DETAIL_RADIUS + 1];
    float *same = s->column + DETAIL_MARGIN + p->stride;
    for (int k = top; k <= bottom; k++) sames[k - top] = p->same + k * p->grid_stride;
    // Without a step, which would be seen where the maps are not alike.
    p->k->box_f32(p->grid_w, bottom - top + 1, sames, DETAIL_RADIUS, p->reciprocal + (ptrdiff_t)(bottom - top + 1) * p->grid_w, s->column, same);
    for (int x = 0; x < p->grid_w; x++) s->keep[x] = f->keep;
    detail_find_places(p, s, y);
    for (int k = 0; k < DETAIL_COEFFICIENTS; k++) moved_row(p, f, s, k);
    p->k->steady_f32(p->grid_w, p->tuning.still[1], p->tuning.changed[1], same, f->state + state_row(p, 0, y),
                     p->fits + state_row(p, COLOUR, at), plane, s->before, p->grid_stride, s->keep);
    for (int k = 0; k < DETAIL_COEFFICIENTS; k++)
        p->k->blend_f32(p->grid_w, s->keep, s->before + k * p->grid_stride, f->state + state_row(p, k, y));
}

/// Averages the maps over their neighbours, and over time.
static void stage_average(detail_plan *p, const detail_frame *f, detail_scratch *s, int band) {
    const int cut = is_cut(p, f);
    const size_t row_size = (size_t)p->grid_stride * sizeof(float);
    for (int y = grid_begin(p, band); y < grid_begin(p, band + 1); y++) {
        int at, top, bottom;
        rows_around(p, y, &at, &top, &bottom);
        const int count = bottom - top + 1;
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

/// The taps from `skip` columns on, without a picture where there is nothing of it.
static detail_taps part_of(const detail_taps *taps, int skip, int is_lit) {
    detail_taps part = *taps;
    if (part.upper) part.upper += skip, part.lower += skip;
    for (int k = 0; k < 4; k++) part.rows[k] = is_lit ? taps->rows[k] + skip : NULL;
    return part;
}

/// What the map of this frame alone does not explain of the network's picture: how much brighter it is, and how much darker.
static void stage_residual(detail_plan *p, const detail_frame *f, detail_scratch *s, int band) {
    if (f->residual <= 0) return;
    for (int left = 0; left < p->w; left += DETAIL_BLOCK) {
        const int count = p->w - left < DETAIL_BLOCK ? p->w - left : DETAIL_BLOCK;
        forget(s);
        for (int y = low_begin(p, band); y < low_begin(p, band + 1); y++) {
            detail_taps taps = {0};
            put_map(p, p->current, s, &p->low_x, &p->low_y, left, count, y, &taps);
            const float *source[3], *result[3];
            input_row(f, y, source);
            output_row(p, y, result);
            for (int c = 0; c < 3; c++) source[c] += left, result[c] += left;
            p->k->extremes_f32(count, &taps, source, result, plane_row(p, BRIGHT, y) + left, plane_row(p, DARK, y) + left);
        }
    }
}

/// The columns of zone k without bars; none where right <= left.
static void zone_columns(const detail_plan *p, int k, int *left, int *right) {
    *left = k * p->zone > p->low.left ? k * p->zone : p->low.left;
    *right = (k + 1) * p->zone < p->low.right ? (k + 1) * p->zone : p->low.right;
}

/// Lights are where it is brighter than the map says by more than it is darker anywhere near. The beads of which networks make a
/// line are not: the gaps between them are as dark. Writes their shares into BRIGHT, and returns in which zones there are any.
static uint64_t find_lights(const detail_plan *p, const detail_frame *f, detail_scratch *s, int y) {
    const float *rows[2 * DETAIL_REACH + 1];
    float *column = s->column + DETAIL_MARGIN, *dark = column + p->stride, *bright = plane_row(p, BRIGHT, y);
    if (y < p->low.top || y >= p->low.bottom) return 0;
    for (int k = 0; k <= 2 * DETAIL_REACH; k++) rows[k] = plane_row(p, DARK, clamp_row(y + k - DETAIL_REACH, p->h));
    p->k->peak_f32(p->w, 2 * DETAIL_REACH + 1, rows, column, dark);
    uint64_t lit = 0;
    for (int k = 0, left, right; k * p->zone < p->w; k++) {
        zone_columns(p, k, &left, &right);
        if (left >= right) continue;
        const float most = p->k->share_f32(right - left, p->tuning.weight, p->tuning.floor, p->tuning.full, f->residual, dark + left,
                                           bright + left);
        lit |= (uint64_t)(most > 0) << k;
    }
    return lit;
}

/// How bright the lights of row y are: what the map that is applied lacks there. `taps` are those of the block at `begin`.
static void put_lights(const detail_plan *p, const detail_frame *f, const detail_taps *taps, int begin, int end, int y) {
    for (int k = begin / p->zone, left, right; k * p->zone < end; k++) {
        zone_columns(p, k, &left, &right);
        left = left > begin ? left : begin, right = right < end ? right : end;
        if (left >= right || !(p->lit[y] >> k & 1)) continue;
        const float *source[3], *result[3];
        float *light[3];
        input_row(f, y, source);
        output_row(p, y, result);
        for (int c = 0; c < 3; c++) source[c] += left, result[c] += left, light[c] = plane_row(p, LIGHT + c, y) + left;
        const detail_taps part = part_of(taps, left - begin, 0);
        p->k->excess_f32(right - left, &part, source, result, light);
        p->k->light_f32(right - left, plane_row(p, BRIGHT, y) + left, light);
    }
}

static void stage_light(detail_plan *p, const detail_frame *f, detail_scratch *s, int band) {
    if (f->residual <= 0) return;
    for (int y = low_begin(p, band); y < low_begin(p, band + 1); y++) {
        p->lit[y] = find_lights(p, f, s, y);
        if (p->lit[y])
            for (int c = 0; c < 3; c++) memset(plane_row(p, LIGHT + c, y), 0, (size_t)p->w * sizeof(float));
    }
    for (int left = 0; left < p->w; left += DETAIL_BLOCK) {
        const int count = p->w - left < DETAIL_BLOCK ? p->w - left : DETAIL_BLOCK;
        forget(s);
        for (int y = low_begin(p, band); y < low_begin(p, band + 1); y++) {
            if (!p->lit[y]) continue;
            detail_taps taps = {0};
            put_map(p, f->state, s, &p->low_x, &p->low_y, left, count, y, &taps);
            put_lights(p, f, &taps, left, left + count, y);
        }
    }
    for (int y = low_begin(p, band); y < low_begin(p, band + 1); y++)
        if (p->lit[y])
            for (int c = 0; c < 3; c++) extend(p, plane_row(p, LIGHT + c, y));
}

/// The zones of the network's picture that count for row y of the frame: those with lights, or all where there is no map.
static uint64_t zones_of(const detail_plan *p, const detail_frame *f, int y) {
    if (p->guided && f->residual <= 0) return 0;
    uint64_t lit = 0;
    for (int k = 0; k < 4; k++) lit |= p->lit[clamp_row(p->up_first[y] + k, p->h)];
    return lit;
}

/// Where the segments from column `begin` of the frame on end that all are reached by these zones, or all are not. A run ends with
/// a row of the dither, too.
static int end_of_run(const detail_plan *p, uint64_t zones, int begin, int end, int *is_lit) {
    *is_lit = (p->segment_zones[begin / DETAIL_SEGMENT] & zones) != 0;
    do
        begin = (begin / DETAIL_SEGMENT + 1) * DETAIL_SEGMENT;
    while (begin < end && begin % DETAIL_DITHER_WIDTH && ((p->segment_zones[begin / DETAIL_SEGMENT] & zones) != 0) == *is_lit);
    return begin < end ? begin : end;
}

/// Row `row` of a picture at the network's size, interpolated along x; nothing where its zones do not reach.
static void interpolate(const detail_plan *p, int plane, int row, int left, int count, float *to) {
    for (int begin = left, end, is_lit; begin < left + count; begin = end) {
        end = end_of_run(p, p->lit[row], begin, left + count, &is_lit);
        const float *weights[4];
        for (int t = 0; t < 4; t++) weights[t] = p->right_weights[t] + begin;
        for (int c = 0; c < 3; c++) {
            float *out = to + c * DETAIL_LINE + begin - left;
            if (is_lit)
                p->k->upsample_f32(end - begin, p->right_first + begin, weights, plane_row(p, plane + c, row), out);
            else
                memset(out, 0, (size_t)(end - begin) * sizeof(float));
        }
    }
}

/// Four rows of a picture at the network's size for row y of the frame, interpolated along x.
static void put_picture(const detail_plan *p, detail_scratch *s, int plane, int left, int count, int y, detail_taps *taps) {
    for (int k = 0; k < 4; k++) {
        const int row = clamp_row(p->up_first[y] + k, p->h), slot = row % 4;
        if (s->picture_row[slot] != row) interpolate(p, plane, row, left, count, s->picture[slot]);
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
            const uint64_t zones = zones_of(p, f, y);
            detail_taps taps = {0};
            if (p->guided) put_map(p, f->state, s, &p->full_x, &p->full_y, left, count, y, &taps);
            if (zones) put_picture(p, s, p->guided ? LIGHT : OUTPUT, left, count, y, &taps);
            for (int begin = left, end, is_lit; begin < left + count; begin = end) {
                end = end_of_run(p, zones, begin, left + count, &is_lit);
                detail_taps part = part_of(&taps, begin - left, is_lit);
                part.dither = p->dither + y % DETAIL_DITHER * DETAIL_DITHER_WIDTH + begin % DETAIL_DITHER_WIDTH;
                apply_row(p, f, &part, begin, end - begin, y);
            }
            if (p->guided) detail_copy_bars(p, f, y, left, left + count);
        }
    }
}

typedef void (*detail_stage)(detail_plan *, const detail_frame *, detail_scratch *, int);
static const detail_stage guided_stages[] = {stage_prepare, stage_fit, stage_change, stage_same, stage_average, stage_residual, stage_light, stage_apply};
static const detail_stage plain_stages[] = {stage_prepare, stage_apply};

int detail_plan_stages(const detail_plan *plan) {
    return plan->guided ? (int)(sizeof guided_stages / sizeof *guided_stages)
                        : (int)(sizeof plain_stages / sizeof *plain_stages);
}

void detail_plan_run(detail_plan *plan, const detail_frame *frame, int stage, int band) {
    assert(stage >= 0 && stage < detail_plan_stages(plan) && band >= 0 && band < plan->bands);
    (plan->guided ? guided_stages : plain_stages)[stage](plan, frame, plan->scratch + band, band);
}
