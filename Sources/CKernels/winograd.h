// Winograd's F(4x4, 3x3) with the points 0, +-5/8, +-3/2 and infinity, which lose half as much as the usual 0, +-1, +-2
// (Toom-Cook; Lavin and Gray 2016; Barabasz et al. 2020 on the choice of points). All constants below are exact in binary.
//
// A group of tile rows is cut into segments of some register tiles, which count in the order of rows.
// Layout of a segment's transformed input: [36 points][tiles / rows][cells / 16][rows][16 cells], with 16 floats of padding after
// each point: at a stride of whole pages the 36 stores of a tile would all fall on one set of the first-level cache.
// Weights: [panel][36 points][cells, in steps of 4][vectors * lanes].
// A cell is one float32, or two bfloat16 of neighbouring channels.
#ifndef CKERNELS_WINOGRAD_H
#define CKERNELS_WINOGRAD_H
#include "layout.h"

enum { TILE_SIDE = 4, WINDOW_SIDE = 6, POINTS = 36, LEAST_REGISTER_TILES = 2, MOST_REGISTER_TILES = 16 };

#define POINT_A 0.625f
#define POINT_B 1.5f
#define POINT_AA 0.390625f
#define POINT_BB 2.25f
#define POINT_AABB 0.87890625f
#define POINT_SUM 2.640625f  // a^2 + b^2
#define POINT_AAA 0.244140625f
#define POINT_BBB 3.375f

// Cells that the channels of a tile take at one point.
static inline int ck_cells(int channels, int cell_channels) { return (channels + cell_channels - 1) / cell_channels; }

static inline int ck_tiles(int pixels) { return (pixels + TILE_SIDE - 1) / TILE_SIDE; }

// Register tiles that are transformed before they are multiplied: few where channels are few, so that the second-level cache
// holds them; many where they are many, so that the weights are read seldom.
static inline int ck_segment(int cells) {
    int wanted = cells / CK_BLOCK;
    return wanted < LEAST_REGISTER_TILES ? LEAST_REGISTER_TILES : wanted > MOST_REGISTER_TILES ? MOST_REGISTER_TILES : wanted;
}

// Floats of the transformed input of `tiles` tiles, of one segment or of several.
static inline size_t ck_transformed_floats(const ck_network_kernels *kernels, int cells, int tiles) {
    int segment = ck_segment(cells) * kernels->winograd_rows;
    size_t segments = (size_t)ck_round_up(tiles, segment) / (size_t)segment;
    return (size_t)POINTS * ((size_t)tiles * (size_t)ck_round_up(cells, CK_BLOCK) + segments * CK_BLOCK);
}

// Groups of tile rows: what an item works on.
static inline int ck_groups(const ck_winograd *w) {
    return (ck_tiles(w->conv.height) + w->tile_rows_per_item - 1) / w->tile_rows_per_item;
}

// Floats of a group's transformed tiles.
static inline size_t ck_group_floats(const ck_network_kernels *kernels, const ck_winograd *w) {
    int tiles = ck_round_up(w->tile_rows_per_item * ck_tiles(w->conv.width), kernels->winograd_rows);
    return ck_transformed_floats(kernels, ck_cells(w->conv.channels, w->cell_channels), tiles);
}

#endif
