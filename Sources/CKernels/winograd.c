#include "winograd.h"

size_t ck_winograd_packed_count(const ck_network_kernels *k, int outputs, int channels, int fade, int cell_channels) {
    int cells = ck_round_up(ck_cells(channels, cell_channels), DEPTH_STEP);
    return (size_t)ck_panels(k, outputs, fade) * POINTS * (size_t)cells * (size_t)(k->lanes * k->vectors);
}

// The filter of one dimension at the six points.
static void transform_three(const double *w, size_t step, double *out, size_t out_step) {
    const double a = 0.625, b = 1.5, aa = a * a, bb = b * b;
    const double near = 1 / (2 * aa * (aa - bb)), far = 1 / (2 * bb * (bb - aa));
    const double first = w[0], middle = w[step], last = w[2 * step];
    out[0] = first / (aa * bb);
    out[out_step] = (first + a * middle + aa * last) * near;
    out[2 * out_step] = (first - a * middle + aa * last) * near;
    out[3 * out_step] = (first + b * middle + bb * last) * far;
    out[4 * out_step] = (first - b * middle + bb * last) * far;
    out[5 * out_step] = last;
}

static void transform_filter(const float *window, double *points) {
    double w[9], columns[WINDOW_SIDE * 3];
    for (int i = 0; i < 9; i++) w[i] = window[i];
    for (int x = 0; x < 3; x++) transform_three(w + x, 3, columns + x, 3);
    for (int y = 0; y < WINDOW_SIDE; y++) transform_three(columns + 3 * y, 1, points + WINDOW_SIDE * y, 1);
}

void ck_winograd_pack(const ck_network_kernels *k, int outputs, int channels, int fade, int cell_channels, const float *first,
                      const float *second, float *packed) {
    const size_t row = (size_t)(k->lanes * k->vectors);
    const size_t depth = (size_t)ck_round_up(ck_cells(channels, cell_channels), DEPTH_STEP);
    for (int panel = 0; panel < ck_panels(k, outputs, fade); panel++)
        for (int j = 0; j < k->vectors; j++) {
            const float *tensor = fade && j == 1 ? second : first;
            const int from = fade ? panel * k->lanes : (panel * k->vectors + j) * k->lanes;
            float *to = packed + (size_t)panel * POINTS * depth * row + (size_t)(j * k->lanes);
            for (int lane = 0; lane < k->lanes && from + lane < outputs; lane++)
                for (int channel = 0; channel < channels; channel++) {
                    double points[POINTS];
                    transform_filter(tensor + ((size_t)(from + lane) * (size_t)channels + (size_t)channel) * 9, points);
                    for (int p = 0; p < POINTS; p++) {
                        float *cell = to + ((size_t)p * depth + (size_t)(channel / cell_channels)) * row + lane;
                        if (cell_channels == 1) *cell = (float)points[p];
                        else ((uint16_t *)cell)[channel % 2] = ck_bf16((float)points[p]);
                    }
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
