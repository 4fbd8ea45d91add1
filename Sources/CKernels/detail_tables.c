// Weights and storage of a plan, computed once.
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include "detail_plan.inc.h"

/// Keys' kernel with a = -0.5.
static double keys(double x) {
    x = fabs(x);
    return x <= 1 ? (1.5 * x - 2.5) * x * x + 1 : x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
}

/// The cubic B-spline: it never overshoots, so that a light gets no dark rim, and draws no edges where the light has none.
static double spline(double x) {
    x = fabs(x);
    return x <= 1 ? (0.5 * x - 1) * x * x + 2.0 / 3 : x < 2 ? (2 - x) * (2 - x) * (2 - x) / 6 : 0;
}

/// Four taps for each of `large` samples from `small`; weight k of sample i lies at weights[i * step + k * tap].
static void cubic_taps(double (*kernel)(double), int small, int large, int32_t *first, float *weights, ptrdiff_t step, ptrdiff_t tap) {
    for (int i = 0; i < large; i++) {
        double centre = (i + 0.5) * small / large - 0.5, base = floor(centre);
        first[i] = (int32_t)base - 1;
        for (int k = 0; k < 4; k++) weights[i * step + k * tap] = (float)kernel(centre - (base - 1 + k));
    }
}

/// Where each of `large` samples lies among `windows` windows, whose centres are between the samples 2 i and 2 i + 1 of `small`.
static void window_taps(int small, int windows, int large, detail_between *taps) {
    for (int i = 0; i < large; i++) {
        double centre = (((i + 0.5) * small / large - 0.5) - (DETAIL_STEP - 1) / 2.0) / DETAIL_STEP;
        int first = (int)floor(centre);
        double fraction = centre - first;
        if (first < 0) first = 0, fraction = 0;
        if (first > windows - 2) fraction = first > windows - 2 && windows > 1 ? 1 : 0, first = windows > 1 ? windows - 2 : 0;
        taps->first[i] = first;
        taps->fraction[i] = (float)fraction;
    }
}

/// Where each of `windows` windows lies among `patches` patches.
static void patch_taps(int patches, int windows, detail_between *taps) {
    for (int i = 0; i < windows; i++) {
        double centre = (i - (DETAIL_PATCH - 1) / 2.0) / DETAIL_PATCH;
        if (centre > patches - 1) centre = patches - 1;
        if (centre < 0) centre = 0;
        int first = (int)centre;
        if (first > patches - 2 && patches > 1) first = patches - 2;
        taps->first[i] = first;
        taps->fraction[i] = (float)(centre - first);
    }
}

static void distance_table(float *table) {
    for (int y = -DETAIL_SEARCH; y <= DETAIL_SEARCH; y++)
        for (int x = -DETAIL_SEARCH; x <= DETAIL_SEARCH; x++) *table++ = (float)hypot(x, y);
}

static void average_table(int windows, float *table) {
    for (int rows = 1; rows <= 2 * DETAIL_RADIUS + 1; rows++)
        for (int x = 0; x < windows; x++) {
            int left = x < DETAIL_RADIUS ? 0 : x - DETAIL_RADIUS,
                right = x + DETAIL_RADIUS >= windows ? windows - 1 : x + DETAIL_RADIUS;
            table[(ptrdiff_t)rows * windows + x] = 1.0f / (float)(rows * (right - left + 1));
        }
}

/// Interleaved gradient noise (Jimenez 2014): even in every small neighbourhood, and without a grid that the eye finds.
static void dither_table(float *table) {
    for (int y = 0; y < DETAIL_DITHER; y++)
        for (int x = 0; x < DETAIL_DITHER_WIDTH; x++) {
            double phase = 0.06711056 * x + 0.00583715 * y, noise = 52.9829189 * (phase - floor(phase));
            // Half a step: what lies on a level stays on it, and the noise stays below what is seen where the picture moves.
            table[y * DETAIL_DITHER_WIDTH + x] = (float)(0.5 * (noise - floor(noise) - 0.5));
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

static detail_between take_between(arena *a, int count) {
    // Kernels read whole vectors of them.
    return (detail_between){take(a, (size_t)count * sizeof(int32_t) + 64), take(a, (size_t)count * sizeof(float) + 64)};
}

static detail_scratch take_scratch(const detail_plan *p, arena *a) {
    const size_t f = sizeof(float), low = (size_t)p->stride * f, grid = (size_t)p->grid_stride * f, line = DETAIL_LINE * f;
    detail_scratch s = {
        .sums = take(a, DETAIL_MOMENTS * low), .window_sums = take(a, DETAIL_MOMENTS * grid), .column = take(a, 3 * low),
        .keep = take(a, grid),
    };
    s.around = take(a, (size_t)(DETAIL_PATCH + 2 * DETAIL_SEARCH) * (size_t)p->around_stride);
    s.within = take(a, (size_t)DETAIL_PATCH * (size_t)p->around_stride);
    s.costs = take(a, (size_t)(SIDE * SIDE * p->patches_w) * sizeof(int32_t));
    s.patches = take(a, (size_t)p->motion_stride * f + 64);
    s.places = (detail_places){take(a, grid), take(a, grid), take(a, grid), take(a, grid), take(a, (size_t)p->grid_stride)};
    for (int k = 0; k < 2; k++) s.moves[k] = take(a, grid);
    s.before = take(a, (PEAK + 1) * grid);
    for (int k = 0; k < 2; k++) s.map[k] = take(a, DETAIL_COEFFICIENTS * line);
    for (int k = 0; k < 4; k++) s.picture[k] = take(a, 3 * line);
    return s;
}

static void lay_out(detail_plan *p, arena *a) {
    const size_t f = sizeof(float), width = (size_t)p->width, height = (size_t)p->height;
    p->planes = take(a, (size_t)p->stride * f * (size_t)p->h * DETAIL_PLANES + 64 * f);
    p->right_first = take(a, width * sizeof(int32_t) + 64);
    p->up_first = take(a, height * sizeof(int32_t));
    p->right_weights_storage = take(a, 4 * (size_t)p->line_stride * f);
    p->up_weights = take(a, 4 * height * f);
    p->dither = take(a, (size_t)DETAIL_DITHER * DETAIL_DITHER_WIDTH * f);
    p->lit = take(a, (size_t)p->h * sizeof(uint64_t));
    p->segment_zones = take(a, (width / DETAIL_SEGMENT + 1) * sizeof(uint64_t));
    p->scratch = take(a, (size_t)p->bands * sizeof(detail_scratch));
    if (p->guided) {
        p->fits = take(a, (size_t)DETAIL_FIT * (size_t)p->grid_h * (size_t)p->grid_stride * f);
        p->current = take(a, detail_plan_state_count(p) * f);
        p->same = take(a, (size_t)p->grid_h * (size_t)p->grid_stride * f);
        p->turned = take(a, (size_t)p->grid_h * sizeof(int));
        p->full_x = take_between(a, p->width);
        p->full_y = take_between(a, p->height);
        p->low_x = take_between(a, p->w);
        p->low_y = take_between(a, p->h);
        p->reciprocal = take(a, (size_t)(2 * DETAIL_RADIUS + 2) * (size_t)p->grid_w * f);
        for (int k = 0; k < 2; k++) p->motion[k] = take(a, (size_t)p->patches_h * (size_t)p->motion_stride * f);
        p->distances = take(a, SIDE * SIDE * f);
        p->patch_x = take_between(a, p->grid_w);
        p->patch_y = take_between(a, p->grid_h);
        p->samples = take(a, (size_t)p->grid_w * f);
    }
    for (int b = 0; b < p->bands; b++) {
        detail_scratch s = take_scratch(p, a);
        if (p->scratch) p->scratch[b] = s;
    }
}

static void zone_table(detail_plan *p) {
    p->zone = (p->w + 63) / 64 < 16 ? 16 : (p->w + 63) / 64;
    for (int left = 0; left < p->width; left += DETAIL_SEGMENT) {
        const int end = left + DETAIL_SEGMENT < p->width ? left + DETAIL_SEGMENT : p->width;
        int first = p->right_first[left], last = p->right_first[end - 1] + 3;
        first = first < 0 ? 0 : first, last = last >= p->w ? p->w - 1 : last;
        for (int k = first / p->zone; k <= last / p->zone; k++) p->segment_zones[left / DETAIL_SEGMENT] |= UINT64_C(1) << k;
    }
    memset(p->lit, 0xff, (size_t)p->h * sizeof(uint64_t));
}

static void fill_tables(detail_plan *p) {
    // What is added to the map is smooth by itself; a picture that stands alone is interpolated as sharply as it can be.
    double (*kernel)(double) = p->guided ? spline : keys;
    cubic_taps(kernel, p->w, p->width, p->right_first, p->right_weights_storage, 1, p->line_stride);
    cubic_taps(kernel, p->h, p->height, p->up_first, p->up_weights, 4, 1);
    for (int k = 0; k < 4; k++) p->right_weights[k] = p->right_weights_storage + k * p->line_stride;
    dither_table(p->dither);
    zone_table(p);
    if (!p->guided) return;
    window_taps(p->w, p->grid_w, p->width, &p->full_x);
    window_taps(p->h, p->grid_h, p->height, &p->full_y);
    window_taps(p->w, p->grid_w, p->w, &p->low_x);
    window_taps(p->h, p->grid_h, p->h, &p->low_y);
    average_table(p->grid_w, p->reciprocal);
    patch_taps(p->patches_w, p->grid_w, &p->patch_x);
    patch_taps(p->patches_h, p->grid_h, &p->patch_y);
    distance_table(p->distances);
}

detail_plan *detail_plan_create(int width, int height, int network_width, int network_height, int bands, int guided,
                                const detail_tuning *tuning, const detail_kernels *kernels) {
    assert(network_width > 0 && network_height > 0 && network_width <= width && network_height <= height && bands > 0);
    detail_plan *p = calloc(1, sizeof *p);
    if (!p) return NULL;
    p->width = width;
    p->height = height;
    p->w = network_width;
    p->h = network_height;
    p->grid_w = (network_width + DETAIL_STEP - 1) / DETAIL_STEP;
    p->grid_h = (network_height + DETAIL_STEP - 1) / DETAIL_STEP;
    p->bands = bands;
    // At the network's own size there is no detail to carry.
    p->guided = guided && (width > network_width || height > network_height);
    p->tuning = *tuning;
    p->k = kernels;
    p->stride = (network_width + 15) / 16 * 16 + 2 * DETAIL_MARGIN;
    p->line_stride = (width + 15) / 16 * 16;
    p->grid_stride = (p->grid_w + 15) / 16 * 16 + 16;  // kernels read whole vectors beyond a row's end
    p->patches_w = (p->grid_w + DETAIL_PATCH - 1) / DETAIL_PATCH;
    p->patches_h = (p->grid_h + DETAIL_PATCH - 1) / DETAIL_PATCH;
    p->motion_stride = (p->patches_w + 15) / 16 * 16;
    p->around_stride = (DETAIL_PATCH * p->patches_w + 2 * DETAIL_SEARCH + 31) / 32 * 32 + 32;
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

size_t detail_plan_state_count(const detail_plan *plan) {
    return plan->guided ? (size_t)DETAIL_STATE * (size_t)plan->grid_h * (size_t)plan->grid_stride : 0;
}
