// Winograd's F(4x4, 3x3) and F(2x2, 3x3): tiles of outputs, each from a window that is two pixels larger.
//
// A group of tile rows is cut into segments of some register tiles, which count in the order of rows.
// Layout of a segment's transformed input: [points][tiles / rows][cells / 16][rows][16 cells], with 16 floats of padding after
// each point: at a stride of whole pages the 36 stores of a tile would all fall on one set of the first-level cache.
// Weights: [panel][points][cells, in steps of 4][vectors * lanes].
// A cell is one float32, or two bfloat16 of neighbouring channels.
#ifndef CKERNELS_WINOGRAD_H
#define CKERNELS_WINOGRAD_H
#include "layout.h"

enum { MOST_POINTS = 36, LEAST_REGISTER_TILES = 2, MOST_REGISTER_TILES = 16 };

// Cells that the channels of a tile take at one point.
static inline int ck_cells(int channels, int cell_channels) { return (channels + cell_channels - 1) / cell_channels; }

// Products of a tile.
static inline int ck_points(ck_winograd_form form) { return (form.tile_side + 2) * (form.tile_side + 2); }

static inline int ck_tiles(ck_winograd_form form, int pixels) { return (pixels + form.tile_side - 1) / form.tile_side; }

// Register tiles that are transformed before they are multiplied: few where channels are few, so that the second-level cache
// holds them; many where they are many, so that the weights are read seldom.
static inline int ck_segment(int cells) {
    int wanted = cells / CK_BLOCK;
    return wanted < LEAST_REGISTER_TILES ? LEAST_REGISTER_TILES : wanted > MOST_REGISTER_TILES ? MOST_REGISTER_TILES : wanted;
}

// Floats of the transformed input of `tiles` tiles, of one segment or of several.
static inline size_t ck_transformed_floats(const ck_network_kernels *kernels, ck_winograd_form form, int cells, int tiles) {
    int segment = ck_segment(cells) * kernels->winograd_rows;
    size_t segments = (size_t)ck_round_up(tiles, segment) / (size_t)segment;
    return (size_t)ck_points(form) * ((size_t)tiles * (size_t)ck_round_up(cells, CK_BLOCK) + segments * CK_BLOCK);
}

// Groups of tile rows: what an item works on.
static inline int ck_groups(const ck_winograd *w) {
    return (ck_tiles(w->form, w->conv.height) + w->tile_rows_per_item - 1) / w->tile_rows_per_item;
}

// Floats of a group's transformed tiles.
static inline size_t ck_group_floats(const ck_network_kernels *kernels, const ck_winograd *w) {
    int tiles = ck_round_up(w->tile_rows_per_item * ck_tiles(w->form, w->conv.width), kernels->winograd_rows);
    return ck_transformed_floats(kernels, w->form, ck_cells(w->conv.channels, w->form.cell_channels), tiles);
}

#endif
