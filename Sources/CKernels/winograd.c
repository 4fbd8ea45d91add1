#include "winograd.h"
#include <assert.h>
#include <string.h>

const ck_winograd_kernels *ck_winograd_kernels_of(const ck_network_kernels *k, ck_winograd_form form) {
    const int is_large = form.tile_side == 4, is_float = form.cell_channels == 1;
    assert(is_large || form.tile_side == 2);
    assert(is_float || (form.cell_channels == 2 && is_large && k->has_bf16));
    return !is_float ? &k->winograd_4_bf16 : is_large ? &k->winograd_4 : &k->winograd_2;
}

size_t ck_winograd_panel_count(const ck_network_kernels *k, ck_winograd_form form, int channels) {
    return (size_t)ck_points(form) * (size_t)ck_round_up(ck_cells(channels, form.cell_channels), DEPTH_STEP) * (size_t)(k->lanes * k->vectors);
}

// Filters are transformed in double precision, four outputs at a time; products and sums are rounded one by one, so that
// the packed weights are the same on every machine.
#pragma clang fp contract(off)
enum { GROUP = 4, MOST_LANES = 32 };
typedef double D __attribute__((ext_vector_type(GROUP)));
typedef float F __attribute__((ext_vector_type(GROUP)));
typedef uint32_t U __attribute__((ext_vector_type(GROUP)));

enum { MOST_SIDE = 6 };

// The filters of one dimension at the points 0, +-1 and infinity.
static inline void transform_to_four(const D *w, size_t step, D *out, size_t out_step) {
    const D first = w[0], middle = w[step], last = w[2 * step];
    out[0] = first;
    out[out_step] = (first + middle + last) * 0.5;
    out[2 * out_step] = (first - middle + last) * 0.5;
    out[3 * out_step] = last;
}

// The filters of one dimension at the points 0, +-5/8, +-3/2 and infinity.
static inline void transform_to_six(const D *w, size_t step, D *out, size_t out_step) {
    const double a = 0.625, b = 1.5, aa = a * a, bb = b * b;
    const double near = 1 / (2 * aa * (aa - bb)), far = 1 / (2 * bb * (bb - aa));
    const D first = w[0], middle = w[step], last = w[2 * step];
    out[0] = first / (aa * bb);
    out[out_step] = (first + a * middle + aa * last) * near;
    out[2 * out_step] = (first - a * middle + aa * last) * near;
    out[3 * out_step] = (first + b * middle + bb * last) * far;
    out[4 * out_step] = (first - b * middle + bb * last) * far;
    out[5 * out_step] = last;
}

// The windows of `count` outputs, `stride` floats apart from `tensor[offset]` on, at the points of windows of `side`; the rest of the
// group is zero.
static void transform_filters(int side, const float *tensor, size_t offset, size_t stride, int count, F points[MOST_POINTS]) {
    static const float none[9];
    const float *from[GROUP];
    for (int i = 0; i < GROUP; i++) from[i] = i < count ? tensor + offset + (size_t)i * stride : none;
    void (*transform)(const D *, size_t, D *, size_t) = side == MOST_SIDE ? transform_to_six : transform_to_four;
    D w[9], columns[MOST_SIDE * 3], row[MOST_SIDE];
    for (int i = 0; i < 9; i++) w[i] = (D){from[0][i], from[1][i], from[2][i], from[3][i]};
    for (int x = 0; x < 3; x++) transform(w + x, 3, columns + x, 3);
    for (int y = 0; y < side; y++) {
        transform(columns + 3 * y, 1, row, 1);
        // Adding zero makes every zero a positive one, as padding is elsewhere.
        for (int x = 0; x < side; x++) points[y * side + x] = __builtin_convertvector(row[x] + 0.0, F);
    }
}

// To nearest, ties to even; weights are finite.
static U rounded_to_bf16(F values) {
    U bits;
    memcpy(&bits, &values, sizeof bits);
    return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}

// DEPTH_STEP cells from `first` of a group of outputs, from `output` of a tensor on, at the 36 points; what lies beyond the
// outputs and channels is zero.
static void pack_group(const float *tensor, int output, int outputs, int channels, ck_winograd_form form, int first,
                       float stage[MOST_POINTS][DEPTH_STEP][MOST_LANES], int lane) {
    const size_t stride = (size_t)channels * 9;
    const int side = form.tile_side + 2, count = ck_points(form);
    for (int cell = 0; cell < DEPTH_STEP; cell++) {
        F points[MOST_POINTS], second[MOST_POINTS];
        const int channel = (first + cell) * form.cell_channels;
        const size_t offset = (size_t)output * stride + (size_t)channel * 9;
        transform_filters(side, tensor, offset, stride, channel < channels ? outputs - output : 0, points);
        if (form.cell_channels == 2) {
            transform_filters(side, tensor, offset + 9, stride, channel + 1 < channels ? outputs - output : 0, second);
            for (int p = 0; p < count; p++) {
                U pair = rounded_to_bf16(points[p]) | rounded_to_bf16(second[p]) << 16;
                memcpy(&points[p], &pair, sizeof pair);
            }
        }
        for (int p = 0; p < count; p++) memcpy(&stage[p][cell][lane], &points[p], sizeof points[p]);
    }
}

void ck_winograd_pack(const ck_network_kernels *k, ck_winograd_form form, int outputs, int channels, int fade, const float *first,
                      const float *second, float *packed) {
    const int row = k->lanes * k->vectors;
    const int depth = ck_round_up(ck_cells(channels, form.cell_channels), DEPTH_STEP);
    assert(k->lanes % GROUP == 0 && row <= MOST_LANES && (form.cell_channels == 1 || form.cell_channels == 2));
    for (int panel = 0; panel < ck_panels(k, outputs, fade); panel++) {
        float *to = packed + (size_t)panel * ck_winograd_panel_count(k, form, channels);
        for (int cell = 0; cell < depth; cell += DEPTH_STEP) {
            // The points lie whole pages apart, where single cells would drive each other from the cache.
            float stage[MOST_POINTS][DEPTH_STEP][MOST_LANES];
            for (int j = 0; j < k->vectors; j++) {
                const int output = fade ? panel * k->lanes : (panel * k->vectors + j) * k->lanes;
                const float *tensor = fade && j == 1 ? second : first;
                for (int lane = 0; lane < k->lanes; lane += GROUP)
                    pack_group(tensor, output + lane, outputs, channels, form, cell, stage, j * k->lanes + lane);
            }
            for (int p = 0; p < ck_points(form); p++)
                for (int i = 0; i < DEPTH_STEP; i++)
                    memcpy(to + ((size_t)p * (size_t)depth + (size_t)(cell + i)) * (size_t)row, stage[p][i], (size_t)row * sizeof *to);
        }
    }
}

size_t ck_winograd_scratch(const ck_network_kernels *k, ck_winograd_form form, int channels) {
    int cells = ck_cells(channels, form.cell_channels);
    // The transformed input of a segment, and the products of one panel.
    int tiles = ck_segment(cells) * k->winograd_rows;
    return ck_transformed_floats(k, form, cells, tiles) + (size_t)tiles * (size_t)ck_points(form) * (size_t)(k->lanes * k->vectors);
}

size_t ck_winograd_transformed(const ck_network_kernels *k, const ck_winograd *w) {
    return ck_winograd_items(w) * ck_group_floats(k, w);
}

size_t ck_winograd_items(const ck_winograd *w) { return (size_t)ck_groups(w); }

size_t ck_winograd_input_items(const ck_winograd *w) {
    return ck_winograd_items(w) * (size_t)(ck_round_up(ck_cells(w->conv.channels, w->form.cell_channels), CK_BLOCK) / CK_BLOCK);
}

size_t ck_winograd_product_items(const ck_network_kernels *k, const ck_winograd *w) {
    return ck_winograd_items(w) * (size_t)ck_panels(k, w->conv.outputs, w->conv.epilogue == CK_FADE);
}

int ck_winograd_segment_tiles(const ck_network_kernels *k, ck_winograd_form form, int channels) {
    return ck_segment(ck_cells(channels, form.cell_channels)) * k->winograd_rows;
}
