// Conversions of whole pictures between YCbCr 4:2:0 and RGB.
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "include/colour.h"

/// The taps that make each of `count` samples from a row; those beyond its ends are taken from the end samples.
typedef struct {
    int count, taps;
    int32_t *first;          ///< [count]; first + taps never passes the row's end
    float *weights;          ///< [count][taps]
    float *turned;           ///< [taps][count], what the kernel along x takes
    const float **pointers;  ///< [taps] rows of `turned`
} resampling;

struct colour_plan {
    int width, height, half_width, half_height, w, h;
    const colour_kernels *k;
    colour_matrix matrix;
    colour_inverse inverse;
    resampling across, down, chroma_across, chroma_down;
    float twice[2][5], twice_down[2][4];  ///< chroma to the luma's place along x; along y
    int twice_down_first[2];              ///< the first of the four, counted from half of the luma's row
    float half[8], half_down[8];          ///< back, from the sample twice the chroma's minus 3 on
    float *line[3], *wide[2], *ring[2];   ///< rows with margins; eight rows of U and V
    ptrdiff_t stride;                     ///< of a row with its margins
    void *memory;
};

static double cubic(double x) {
    x = fabs(x);  // Keys' kernel with a = -0.5
    return x <= 1 ? (1.5 * x - 2.5) * x * x + 1 : x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
}

static int clamp_index(int i, int count) { return i < 0 ? 0 : i >= count ? count - 1 : i; }

/// Sample i of `count` lies at (i + 0.5) * step - 0.5 - shift of a row of `size` samples.
static int fill_resampling(resampling *r, int size, int count, double step, double shift) {
    const double stretch = step > 1 ? step : 1;
    const int span = (int)ceil(4 * stretch) + 1, taps = span < size ? span : size;
    r->count = count;
    r->taps = taps;
    r->first = calloc((size_t)count, sizeof *r->first);
    r->weights = calloc((size_t)count * (size_t)taps, sizeof *r->weights);
    r->turned = calloc((size_t)count * (size_t)taps, sizeof *r->turned);
    r->pointers = calloc((size_t)taps, sizeof *r->pointers);
    if (!r->first || !r->weights || !r->turned || !r->pointers) return 0;
    for (int i = 0; i < count; i++) {
        const double centre = (i + 0.5) * step - 0.5 - shift;
        const int from = (int)floor(centre - 2 * stretch) + 1, start = clamp_index(from, size - taps + 1);
        double sum = 0;
        for (int k = 0; k < span; k++) sum += cubic((from + k - centre) / stretch);
        r->first[i] = start;
        for (int k = 0; k < span; k++) {
            float *weight = r->weights + (ptrdiff_t)i * taps + (clamp_index(from + k, size) - start);
            *weight += (float)(cubic((from + k - centre) / stretch) / sum);
        }
        for (int k = 0; k < taps; k++) r->turned[(ptrdiff_t)k * count + i] = r->weights[(ptrdiff_t)i * taps + k];
    }
    for (int k = 0; k < taps; k++) r->pointers[k] = r->turned + (ptrdiff_t)k * count;
    return 1;
}

static void free_resampling(resampling *r) {
    free(r->first);
    free(r->weights);
    free(r->turned);
    free(r->pointers);
}

/// Luma sample 2 i + p lies at i + (p - place) / 2 of the chroma's row.
static void fill_doubling(colour_plan *p, double place_x, double place_y) {
    for (int phase = 0; phase < 2; phase++) {
        double at = (phase - place_x) / 2;
        for (int k = 0; k < 5; k++) p->twice[phase][k] = (float)cubic(at - (k - 2));
        at = (phase - place_y) / 2;
        p->twice_down_first[phase] = (int)floor(at) - 1;
        for (int k = 0; k < 4; k++) p->twice_down[phase][k] = (float)cubic(at - (p->twice_down_first[phase] + k));
    }
}

/// Chroma sample i lies at 2 i + place of the luma's row.
static void fill_halving(float taps[8], double place) {
    double sum = 0;
    for (int k = 0; k < 8; k++) sum += cubic((k - 3 - place) / 2);
    for (int k = 0; k < 8; k++) taps[k] = (float)(cubic((k - 3 - place) / 2) / sum);
}

static void fill_matrices(colour_plan *p, const colour_format *f) {
    const double luma = f->full_range ? 1 : 219.0 / 255, chroma = f->full_range ? 1 : 224.0 / 255;
    const double offset = f->full_range ? 0 : 16, kr = f->kr, kb = f->kb, kg = 1 - kr - kb;
    p->matrix = (colour_matrix){
        .y_scale = (float)(1 / luma), .y_offset = (float)offset, .r_v = (float)(2 * (1 - kr) / chroma),
        .g_u = (float)(-2 * kb * (1 - kb) / kg / chroma), .g_v = (float)(-2 * kr * (1 - kr) / kg / chroma),
        .b_u = (float)(2 * (1 - kb) / chroma)};
    const double y[3] = {kr, kg, kb}, u = chroma / (2 * (1 - kb)), v = chroma / (2 * (1 - kr));
    for (int c = 0; c < 3; c++) {
        p->inverse.y[c] = (float)(luma * y[c]);
        p->inverse.u[c] = (float)(u * ((c == 2) - y[c]));
        p->inverse.v[c] = (float)(v * ((c == 0) - y[c]));
    }
    p->inverse.y[3] = (float)offset;
    p->inverse.u[3] = p->inverse.v[3] = 128;
}

static int allocate_rows(colour_plan *p) {
    const int widest = p->width > p->w ? p->width : p->w;
    // A kernel may write both samples of the last chroma sample, and read whole vectors from any sample.
    p->stride = ((ptrdiff_t)widest + 1 + 15) / 16 * 16 + 64 + 2 * COLOUR_MARGIN;
    enum { ROWS = 3 + 2 + 2 * 8 };
    if (posix_memalign(&p->memory, 64, (size_t)p->stride * ROWS * sizeof(float)) != 0) return 0;
    memset(p->memory, 0, (size_t)p->stride * ROWS * sizeof(float));
    float *row = (float *)p->memory + COLOUR_MARGIN;
    for (int c = 0; c < 3; c++, row += p->stride) p->line[c] = row;
    for (int c = 0; c < 2; c++, row += p->stride) p->wide[c] = row;
    for (int c = 0; c < 2; c++, row += 8 * p->stride) p->ring[c] = row;
    return 1;
}

colour_plan *colour_plan_create(const colour_format *format, int width, int height, const colour_kernels *kernels) {
    assert(format->width > 0 && format->height > 0 && width > 0 && height > 0);
    colour_plan *p = calloc(1, sizeof *p);
    if (!p) return NULL;
    p->width = format->width;
    p->height = format->height;
    p->half_width = (format->width + 1) / 2;
    p->half_height = (format->height + 1) / 2;
    p->w = width;
    p->h = height;
    p->k = kernels;
    fill_matrices(p, format);
    fill_doubling(p, format->chroma_x, format->chroma_y);
    fill_halving(p->half, format->chroma_x);
    fill_halving(p->half_down, format->chroma_y);
    // A luma sample at t is the chroma sample at (t - place) / 2, counted from centres: (t + 0.5) / 2 - 0.5 - shift.
    const double x = (double)p->width / width, y = (double)p->height / height;
    const double shift_x = format->chroma_x / 2 - 0.25, shift_y = format->chroma_y / 2 - 0.25;
    if (!fill_resampling(&p->across, p->width, width, x, 0) || !fill_resampling(&p->down, p->height, height, y, 0) ||
        !fill_resampling(&p->chroma_across, p->half_width, width, x / 2, shift_x) ||
        !fill_resampling(&p->chroma_down, p->half_height, height, y / 2, shift_y) || !allocate_rows(p)) {
        colour_plan_destroy(p);
        return NULL;
    }
    return p;
}

void colour_plan_destroy(colour_plan *plan) {
    if (!plan) return;
    resampling *all[4] = {&plan->across, &plan->down, &plan->chroma_across, &plan->chroma_down};
    for (int k = 0; k < 4; k++) free_resampling(all[k]);
    free(plan->memory);
    free(plan);
}

/// Repeats the end samples into the margins.
static void extend(float *row, int count) {
    for (int k = 1; k <= 4; k++) {
        row[-k] = row[0];
        row[count - 1 + k] = row[count - 1];
    }
}

/// Row y of a plane's picture, along y and then along x; `rows` has room for all taps.
static void resample_row(const colour_plan *p, const uint8_t *plane, ptrdiff_t stride, int width, const resampling *down,
                         const resampling *across, int y, const uint8_t **rows, float *line, float *out) {
    for (int k = 0; k < down->taps; k++) rows[k] = plane + (down->first[y] + k) * stride;
    p->k->blend_u8(width, down->taps, rows, down->weights + (ptrdiff_t)y * down->taps, line);
    p->k->resample_f32(p->w, across->taps, across->first, across->pointers, line, out);
}

void colour_plan_resample(colour_plan *p, const colour_frame *f, float *const rgb[3], ptrdiff_t stride) {
    const int most = p->down.taps > p->chroma_down.taps ? p->down.taps : p->chroma_down.taps;
    const uint8_t *rows[most];
    for (int y = 0; y < p->h; y++) {
        float *const out[3] = {rgb[0] + y * stride, rgb[1] + y * stride, rgb[2] + y * stride};
        resample_row(p, f->planes[0], f->strides[0], p->width, &p->down, &p->across, y, rows, p->line[0], p->line[1]);
        for (int c = 0; c < 2; c++)
            resample_row(p, f->planes[1 + c], f->strides[1 + c], p->half_width, &p->chroma_down, &p->chroma_across, y,
                         rows, p->line[0], p->wide[c]);
        p->k->rgb_f32(p->w, &p->matrix, p->line[1], p->wide[0], p->wide[1], out);
    }
}

void colour_plan_expand(colour_plan *p, const colour_frame *f, uint8_t *const rgb[3], ptrdiff_t stride) {
    for (int y = 0; y < p->height; y++) {
        for (int c = 0; c < 2; c++) {
            const uint8_t *rows[4];
            for (int k = 0; k < 4; k++) {
                int row = clamp_index(y / 2 + p->twice_down_first[y % 2] + k, p->half_height);
                rows[k] = f->planes[1 + c] + row * f->strides[1 + c];
            }
            p->k->blend_u8(p->half_width, 4, rows, p->twice_down[y % 2], p->line[c]);
            extend(p->line[c], p->half_width);
            p->k->double_f32(p->half_width, p->twice, p->line[c], p->wide[c]);
        }
        uint8_t *const out[3] = {rgb[0] + y * stride, rgb[1] + y * stride, rgb[2] + y * stride};
        p->k->rgb_u8(p->width, &p->matrix, f->planes[0] + y * f->strides[0], p->wide[0], p->wide[1], out);
    }
}

void colour_plan_reduce(colour_plan *p, const uint8_t *const rgb[3], ptrdiff_t stride, uint8_t *const planes[3],
                        const ptrdiff_t strides[3]) {
    int done = 0;
    for (int y = 0; y < p->half_height; y++) {
        for (; done <= 2 * y + 4 && done < p->height; done++) {
            const ptrdiff_t at = done * stride, slot = done % 8 * p->stride;
            const uint8_t *const in[3] = {rgb[0] + at, rgb[1] + at, rgb[2] + at};
            p->k->yuv_u8(p->width, &p->inverse, in, planes[0] + done * strides[0], p->ring[0] + slot, p->ring[1] + slot);
        }
        for (int c = 0; c < 2; c++) {
            const float *rows[8];
            for (int k = 0; k < 8; k++) rows[k] = p->ring[c] + clamp_index(2 * y - 3 + k, p->height) % 8 * p->stride;
            p->k->blend_f32(p->width, 8, rows, p->half_down, p->line[c]);
            extend(p->line[c], p->width);
            p->k->halve_u8(p->half_width, p->half, p->line[c], planes[1 + c] + y * strides[1 + c]);
        }
    }
}
