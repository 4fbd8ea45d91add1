// Weights and storage of a plan, computed once.
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include "detail_plan.inc.h"

static double cubic(double x) {
    x = fabs(x);  // Keys' kernel with a = -0.5
    return x <= 1 ? (1.5 * x - 2.5) * x * x + 1 : x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
}

/// Four taps for each of `large` samples from `small`; weight k of sample i lies at weights[i * step + k * tap].
static void bicubic_taps(int small, int large, int32_t *first, float *weights, ptrdiff_t step, ptrdiff_t tap) {
    for (int i = 0; i < large; i++) {
        double centre = (i + 0.5) * small / large - 0.5, base = floor(centre);
        first[i] = (int32_t)base - 1;
        for (int k = 0; k < 4; k++) weights[i * step + k * tap] = (float)cubic(centre - (base - 1 + k));
    }
}

static double overlap(int i, int j, int small, int large) {
    // Sample i of the small row covers [i, i + 1) * large / small; compared in units of 1 / small, exactly.
    int64_t left = (int64_t)i * large, right = left + large, a = (int64_t)j * small, b = a + small;
    int64_t from = left > a ? left : a, to = right < b ? right : b;
    return to > from ? (double)(to - from) / large : 0;
}

static int average_count(int small, int large) {
    int most = 1;
    for (int i = 0; i < small; i++) {
        int64_t first = (int64_t)i * large / small, last = ((int64_t)(i + 1) * large + small - 1) / small;
        if (last - first > most) most = (int)(last - first);
    }
    return most;
}

static void average_taps(int small, int large, int count, int32_t *first, float *weights, ptrdiff_t step, ptrdiff_t tap) {
    for (int i = 0; i < small; i++) {
        int from = (int)((int64_t)i * large / small);
        if (from > large - count) from = large - count;  // taps beyond the row's end would read nothing
        first[i] = from;
        for (int k = 0; k < count; k++) weights[i * step + k * tap] = (float)overlap(i, from + k, small, large);
    }
}

/// Averaging after bicubic upsampling, as five taps at the small size.
static void smoothing_taps(int small, int large, float *taps, ptrdiff_t step, ptrdiff_t tap) {
    for (int i = 0; i < small; i++) {
        double sums[5] = {0};
        int from = (int)((int64_t)i * large / small), to = (int)(((int64_t)(i + 1) * large + small - 1) / small);
        for (int j = from; j < to; j++) {
            double centre = (j + 0.5) * small / large - 0.5, base = floor(centre), share = overlap(i, j, small, large);
            for (int k = 0; k < 4; k++) {
                int offset = (int)base - 1 + k - i + 2;
                double weight = cubic(centre - (base - 1 + k));
                if (offset >= 0 && offset < 5) sums[offset] += share * weight;
                else assert(fabs(share * weight) < 1e-12);
            }
        }
        for (int k = 0; k < 5; k++) taps[i * step + k * tap] = (float)sums[k];
    }
}

static void reciprocals(int w, int radius, float *table) {
    for (int rows = 1; rows <= 2 * radius + 1; rows++)
        for (int x = 0; x < w; x++) {
            int left = x - radius < 0 ? 0 : x - radius, right = x + radius >= w ? w - 1 : x + radius;
            table[(ptrdiff_t)rows * w + x] = 1.0f / (float)(rows * (right - left + 1));
        }
}

/// Hands out 64-byte aligned pieces of one allocation; with a null base it only adds up.
typedef struct {
    char *base;
    size_t used;
} arena;

static void *take(arena *a, size_t bytes) {
    void *piece = a->base ? a->base + a->used : NULL;
    a->used += (bytes + 63) / 64 * 64;
    return piece;
}

static void lay_out(detail_plan *p, arena *a) {
    const size_t f = sizeof(float), line = (size_t)p->line_stride * f, low = (size_t)p->stride * f;
    size_t w = (size_t)p->w, h = (size_t)p->h;
    p->planes = take(a, low * h * DETAIL_PLANES + 64 * f);
    p->removed_energy = take(a, h * sizeof(double));
    p->error_energy = take(a, h * sizeof(double));
    p->lack_energy = take(a, h * sizeof(double));
    p->right_first = take(a, (size_t)p->width * sizeof(int32_t) + 64);
    p->up_first = take(a, (size_t)p->height * sizeof(int32_t));
    p->right_weights_storage = take(a, 4 * line);
    p->up_weights = take(a, 4 * (size_t)p->height * f);
    p->left_first = take(a, w * sizeof(int32_t));
    p->down_first = take(a, h * sizeof(int32_t));
    p->left_weights_storage = take(a, (size_t)p->left_count * low);
    p->left_weights = take(a, (size_t)p->left_count * sizeof(float *));
    p->down_weights = take(a, (size_t)p->down_count * h * f);
    p->across_storage = take(a, 5 * low);
    p->down = take(a, 5 * h * f);
    p->reciprocal_near = take(a, 4 * w * f);
    p->reciprocal_wide = take(a, (size_t)(2 * p->tuning.radius + 2) * w * f);
    p->scratch = take(a, (size_t)p->bands * sizeof(detail_scratch));
    for (int b = 0; b < p->bands; b++) {
        detail_scratch s = {.column = take(a, low + 2 * DETAIL_MAX_RADIUS * f)};
        for (int k = 0; k < 4; k++) s.low[k] = take(a, DETAIL_GROUP * low);
        for (int k = 0; k < 3; k++) s.lines[k] = take(a, line);
        for (int k = 0; k < 3; k++) s.sums[k] = take(a, line);
        s.ring = take(a, 16 * line);  // behind the sums, so that a kernel may read whole vectors beyond their ends
        if (p->scratch) p->scratch[b] = s;
    }
}

static void fill_tables(detail_plan *p) {
    bicubic_taps(p->w, p->width, p->right_first, p->right_weights_storage, 1, p->line_stride);
    bicubic_taps(p->h, p->height, p->up_first, p->up_weights, 4, 1);
    for (int k = 0; k < 4; k++) p->right_weights[k] = p->right_weights_storage + k * p->line_stride;
    average_taps(p->w, p->width, p->left_count, p->left_first, p->left_weights_storage, 1, p->stride);
    average_taps(p->h, p->height, p->down_count, p->down_first, p->down_weights, p->down_count, 1);
    for (int k = 0; k < p->left_count; k++) p->left_weights[k] = p->left_weights_storage + k * p->stride;
    smoothing_taps(p->w, p->width, p->across_storage, 1, p->stride);
    smoothing_taps(p->h, p->height, p->down, 5, 1);
    for (int k = 0; k < 5; k++) p->across[k] = p->across_storage + k * p->stride;
    reciprocals(p->w, 1, p->reciprocal_near);
    reciprocals(p->w, p->tuning.radius, p->reciprocal_wide);
}

detail_plan *detail_plan_create(int width, int height, int network_width, int network_height, int bands, int guided,
                                const detail_tuning *tuning, const detail_kernels *kernels) {
    assert(network_width > 0 && network_height > 0 && network_width <= width && network_height <= height && bands > 0);
    assert(tuning->radius >= 1 && tuning->radius <= DETAIL_MAX_RADIUS);
    detail_plan *p = calloc(1, sizeof *p);
    if (!p) return NULL;
    p->width = width;
    p->height = height;
    p->w = network_width;
    p->h = network_height;
    p->bands = bands;
    // At the network's own size there is no detail to carry.
    p->guided = guided && (width > network_width || height > network_height);
    p->tuning = *tuning;
    p->k = kernels;
    p->stride = (network_width + 15) / 16 * 16 + 2 * DETAIL_MARGIN;
    p->line_stride = (width + 15) / 16 * 16;
    p->left_count = average_count(network_width, width);
    p->down_count = average_count(network_height, height);
    arena need = {0};
    lay_out(p, &need);
    if (posix_memalign(&p->memory, 64, need.used) != 0) {
        free(p);
        return NULL;
    }
    memset(p->memory, 0, need.used);
    arena storage = {.base = p->memory};
    lay_out(p, &storage);
    fill_tables(p);
    return p;
}

void detail_plan_destroy(detail_plan *plan) {
    if (!plan) return;
    free(plan->memory);
    free(plan);
}
