// How the source has moved since the frame before, and the state of that frame moved along.
//
// The source's luma, averaged over 2x2 samples of the network's size, is compared in patches with that of the frame before at
// every displacement of up to DETAIL_SEARCH cells; a parabola through the costs finds fractions. Where no displacement is clearly
// better than none, there is none. Between the centres of patches the motion is interpolated.
#include <math.h>
#include "detail_plan.inc.h"

/// What a cell's difference may be without motion, in levels of 255: a patch below it has not moved.
static const float unmoved = 0.5f;
/// A displacement counts where it leaves less than this share of the differences, each plus `noise` levels.
static const float better = 0.85f, noise = 1.25f;
/// Added to the mean difference for each cell of displacement, in levels.
static const float price = 0.125f;

static int clamp_to(int v, int low, int high) { return v < low ? low : v > high ? high : v; }

/// Row y of cells of the frame at hand: what the frame after it is compared with.
void detail_sample_row(const detail_plan *p, const detail_frame *f, detail_scratch *s, int y) {
    float *lumas[2];
    for (int k = 0; k < 2; k++) {
        const int from = clamp_to(DETAIL_STEP * y + k, 0, p->h - 1);
        const float *input[3];
        for (int c = 0; c < 3; c++) input[c] = f->input[c] + from * f->input_stride;
        lumas[k] = s->column + k * p->stride;
        p->k->luma_f32(p->w, input[0], input[1], input[2], lumas[k]);
        lumas[k][p->w] = lumas[k][p->w - 1];
    }
    float *to = f->state + state_row(p, SAMPLE, y);
    p->k->halve_f32(p->grid_w, lumas[0], lumas[1], to);
    memset(to + p->grid_w, 0, (size_t)(p->grid_stride - p->grid_w) * sizeof(float));
}

/// Row y of SAMPLE of a state in levels, and beyond the picture, up to whole patches and DETAIL_SEARCH cells more, as its border.
static void gather(const detail_plan *p, const float *state, int y, uint8_t *to) {
    const detail_area *grid = &p->grid;
    p->k->levels_u8(p->grid_w, state + state_row(p, SAMPLE, clamp_to(y, grid->top, grid->bottom - 1)), to);
    const int end = DETAIL_PATCH * p->patches_w + DETAIL_SEARCH;
    memset(to - DETAIL_SEARCH, to[grid->left], (size_t)(DETAIL_SEARCH + grid->left));
    memset(to + grid->right, to[grid->right - 1], (size_t)(end - grid->right));
}

/// How far from the lowest of three equally distant values the lowest point of the parabola through them lies: -0.5...0.5.
static float vertex(int32_t left, int32_t middle, int32_t right) {
    const int32_t bend = left - 2 * middle + right;
    const float at = bend > 0 ? 0.5f * (float)(left - right) / (float)bend : 0;
    return at < -0.5f ? -0.5f : at > 0.5f ? 0.5f : at;
}

/// The displacement of one patch in cells, from its costs.
static void choose(const detail_plan *p, detail_scratch *s, int patch, float *right, float *down) {
    const float cells = DETAIL_PATCH * DETAIL_PATCH;
    const int32_t *costs = s->costs + patch;
    const ptrdiff_t step = p->patches_w, still = (DETAIL_SEARCH * SIDE + DETAIL_SEARCH) * step;
    float least = (float)costs[still];
    int x = DETAIL_SEARCH, y = DETAIL_SEARCH;
    for (int dy = 0; dy < SIDE; dy++)
        for (int dx = 0; dx < SIDE; dx++) {
            const float cost = (float)costs[(dy * SIDE + dx) * step] + price * cells * p->distances[dy * SIDE + dx];
            if (cost < least) least = cost, x = dx, y = dy;
        }
    const int32_t *at = costs + (y * SIDE + x) * step;
    if ((float)*at + noise * cells >= better * ((float)costs[still] + noise * cells)) return;
    *right = (float)(x - DETAIL_SEARCH);
    *down = (float)(y - DETAIL_SEARCH);
    if (x > 0 && x < SIDE - 1) *right += vertex(at[-step], *at, at[step]);
    if (y > 0 && y < SIDE - 1) *down += vertex(at[-SIDE * step], *at, at[SIDE * step]);
}

/// How far away each patch of row `row` of patches was in the frame before, in cells.
void detail_find_motion(detail_plan *p, const detail_frame *f, detail_scratch *s, int row) {
    float *right = p->motion[0] + row * p->motion_stride, *down = p->motion[1] + row * p->motion_stride;
    memset(right, 0, (size_t)p->motion_stride * sizeof(float));
    memset(down, 0, (size_t)p->motion_stride * sizeof(float));
    const uint8_t *now[DETAIL_PATCH], *before[DETAIL_PATCH + 2 * DETAIL_SEARCH];
    for (int k = 0; k < DETAIL_PATCH + 2 * DETAIL_SEARCH; k++) {
        uint8_t *to = s->around + k * p->around_stride + DETAIL_SEARCH;
        gather(p, f->previous, DETAIL_PATCH * row + k - DETAIL_SEARCH, to);
        before[k] = to;
    }
    for (int k = 0; k < DETAIL_PATCH; k++) {
        uint8_t *to = s->within + k * p->around_stride + DETAIL_SEARCH;
        gather(p, f->state, DETAIL_PATCH * row + k, to);
        now[k] = to;
    }
    int moves = 0;
    p->k->differences_u8(p->patches_w, DETAIL_PATCH, now, before + DETAIL_SEARCH, s->costs);
    for (int k = 0; k < p->patches_w; k++) moves |= (float)s->costs[k] > unmoved * DETAIL_PATCH * DETAIL_PATCH;
    if (!moves) return;
    for (int dx = 0; dx < SIDE; dx++) {
        const uint8_t *shifted[DETAIL_PATCH + 2 * DETAIL_SEARCH];
        for (int k = 0; k < DETAIL_PATCH + 2 * DETAIL_SEARCH; k++) shifted[k] = before[k] + dx - DETAIL_SEARCH;
        for (int dy = 0; dy < SIDE; dy++)
            p->k->differences_u8(p->patches_w, DETAIL_PATCH, now, shifted + dy, s->costs + (dy * SIDE + dx) * p->patches_w);
    }
    for (int k = 0; k < p->patches_w; k++) choose(p, s, k, right + k, down + k);
}

/// Component k of the motion of row y of cells, up to whole runs of them.
static const float *motion_row(const detail_plan *p, detail_scratch *s, int k, int y, int count) {
    const int row = p->patch_y.first[y], next = row + 1 < p->patches_h ? row + 1 : row;
    const float *upper = p->motion[k] + row * p->motion_stride, *lower = p->motion[k] + next * p->motion_stride;
    const float share = p->patch_y.fraction[y];
    float *between = s->patches, *to = s->moves[k];
    for (ptrdiff_t x = 0; x < p->motion_stride; x++) between[x] = upper[x] + share * (lower[x] - upper[x]);
    p->k->between_f32(p->grid_w, p->patch_x.first, p->patch_x.fraction, between, to);
    for (int x = p->grid_w; x < count; x++) to[x] = to[p->grid_w - 1];
    return to;
}

static float within(float v, float low, float high) { return v < low ? low : v > high ? high : v; }

/// Where each window of row y was in the frame before: where its motion leads, within the picture.
void detail_find_places(const detail_plan *p, detail_scratch *s, int y) {
    const detail_area *grid = &p->grid;
    const int count = (p->grid_w + DETAIL_RUN - 1) / DETAIL_RUN * DETAIL_RUN, stride = (int)p->grid_stride, last = p->grid_h - 1;
    const float *right = motion_row(p, s, 0, y, count), *down = motion_row(p, s, 1, y, count);
    int32_t *restrict from = s->places.from, *restrict below = s->places.below;
    float *restrict across = s->places.right, *restrict along = s->places.down;
    for (int x = 0; x < count; x++) {
        const float u = within((float)x + right[x], (float)grid->left, (float)(grid->right - 1));
        const float v = within((float)y + down[x], (float)grid->top, (float)(grid->bottom - 1));
        const int32_t column = (int32_t)u, line = (int32_t)v;
        from[x] = line * stride + column;
        below[x] = line < last ? stride : 0;
        across[x] = u - (float)column;
        along[x] = v - (float)line;
    }
    for (int x = 0; x < count; x += DETAIL_RUN) {
        int breaks = 0;
        for (int k = 1; k < DETAIL_RUN; k++) breaks |= from[x + k] ^ (from[x] + k);
        s->places.is_run[x / DETAIL_RUN] = breaks == 0;
    }
}
