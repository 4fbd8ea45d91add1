#include "winograd.h"
#include <assert.h>
#include <string.h>

size_t ck_winograd_panel_count(const ck_network_kernels *k, int channels, int cell_channels) {
    return POINTS * (size_t)ck_round_up(ck_cells(channels, cell_channels), DEPTH_STEP) * (size_t)(k->lanes * k->vectors);
}

// Filters are transformed in double precision, four outputs at a time; products and sums are rounded one by one, so that
// the packed weights are the same on every machine.
#pragma clang fp contract(off)
enum { GROUP = 4, MOST_LANES = 32 };
typedef double D __attribute__((ext_vector_type(GROUP)));
typedef float F __attribute__((ext_vector_type(GROUP)));
typedef uint32_t U __attribute__((ext_vector_type(GROUP)));

// The filters of one dimension at the six points.
static inline void transform_three(const D *w, size_t step, D *out, size_t out_step) {
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

// The windows of `count` outputs, `stride` floats apart from `tensor[offset]` on, at the 36 points; the rest of the group is zero.
static void transform_filters(const float *tensor, size_t offset, size_t stride, int count, F points[POINTS]) {
    static const float none[9];
    const float *from[GROUP];
    for (int i = 0; i < GROUP; i++) from[i] = i < count ? tensor + offset + (size_t)i * stride : none;
    D w[9], columns[WINDOW_SIDE * 3], row[WINDOW_SIDE];
    for (int i = 0; i < 9; i++) w[i] = (D){from[0][i], from[1][i], from[2][i], from[3][i]};
    for (int x = 0; x < 3; x++) transform_three(w + x, 3, columns + x, 3);
    for (int y = 0; y < WINDOW_SIDE; y++) {
        transform_three(columns + 3 * y, 1, row, 1);
        // Adding zero makes every zero a positive one, as padding is elsewhere.
        for (int x = 0; x < WINDOW_SIDE; x++) points[y * WINDOW_SIDE + x] = __builtin_convertvector(row[x] + 0.0, F);
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
static void pack_group(const float *tensor, int output, int outputs, int channels, int cell_channels, int first,
                       float stage[POINTS][DEPTH_STEP][MOST_LANES], int lane) {
    const size_t stride = (size_t)channels * 9;
    for (int cell = 0; cell < DEPTH_STEP; cell++) {
        F points[POINTS], second[POINTS];
        const int channel = (first + cell) * cell_channels;
        const size_t offset = (size_t)output * stride + (size_t)channel * 9;
        transform_filters(tensor, offset, stride, channel < channels ? outputs - output : 0, points);
        if (cell_channels == 2) {
            transform_filters(tensor, offset + 9, stride, channel + 1 < channels ? outputs - output : 0, second);
            for (int p = 0; p < POINTS; p++) {
                U pair = rounded_to_bf16(points[p]) | rounded_to_bf16(second[p]) << 16;
                memcpy(&points[p], &pair, sizeof pair);
            }
        }
        for (int p = 0; p < POINTS; p++) memcpy(&stage[p][cell][lane], &points[p], sizeof points[p]);
    }
}

void ck_winograd_pack(const ck_network_kernels *k, int outputs, int channels, int fade, int cell_channels, const float *first,
                      const float *second, float *packed) {
    const int row = k->lanes * k->vectors;
    const int depth = ck_round_up(ck_cells(channels, cell_channels), DEPTH_STEP);
    assert(k->lanes % GROUP == 0 && row <= MOST_LANES && (cell_channels == 1 || cell_channels == 2));
    for (int panel = 0; panel < ck_panels(k, outputs, fade); panel++) {
        float *to = packed + (size_t)panel * ck_winograd_panel_count(k, channels, cell_channels);
        for (int cell = 0; cell < depth; cell += DEPTH_STEP) {
            // The points lie whole pages apart, where single cells would drive each other from the cache.
            float stage[POINTS][DEPTH_STEP][MOST_LANES];
            for (int j = 0; j < k->vectors; j++) {
                const int output = fade ? panel * k->lanes : (panel * k->vectors + j) * k->lanes;
                const float *tensor = fade && j == 1 ? second : first;
                for (int lane = 0; lane < k->lanes; lane += GROUP)
                    pack_group(tensor, output + lane, outputs, channels, cell_channels, cell, stage, j * k->lanes + lane);
            }
            for (int p = 0; p < POINTS; p++)
                for (int i = 0; i < DEPTH_STEP; i++)
                    memcpy(to + ((size_t)p * (size_t)depth + (size_t)(cell + i)) * (size_t)row, stage[p][i], (size_t)row * sizeof *to);
        }
    }
}

size_t ck_winograd_scratch(const ck_network_kernels *k, int channels, int cell_channels) {
    int cells = ck_cells(channels, cell_channels);
    // The transformed input of a segment, and the products of one panel.
    int tiles = ck_segment(cells) * k->winograd_rows;
    return ck_transformed_floats(k, cells, tiles) + (size_t)tiles * POINTS * (size_t)(k->lanes * k->vectors);
}

size_t ck_winograd_transformed(const ck_network_kernels *k, const ck_winograd *w) {
    return ck_winograd_items(w) * ck_group_floats(k, w);
}

size_t ck_winograd_items(const ck_winograd *w) { return (size_t)ck_groups(w); }

size_t ck_winograd_input_items(const ck_winograd *w) {
    return ck_winograd_items(w) * (size_t)(ck_round_up(ck_cells(w->conv.channels, w->cell_channels), CK_BLOCK) / CK_BLOCK);
}

size_t ck_winograd_product_items(const ck_network_kernels *k, const ck_winograd *w) {
    return ck_winograd_items(w) * (size_t)ck_panels(k, w->conv.outputs, w->conv.epilogue == CK_FADE);
}

int ck_winograd_segment_tiles(const ck_network_kernels *k, int channels, int cell_channels) {
    return ck_segment(ck_cells(channels, cell_channels)) * k->winograd_rows;
}
