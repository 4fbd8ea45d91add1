// Winograd's F(4x4, 3x3) with the points 0, +-5/8, +-3/2 and infinity, which lose half as much as the usual 0, +-1, +-2
// (Toom-Cook; Lavin and Gray 2016; Barabasz et al. 2020 on the choice of points). All constants below are exact in binary.
//
// A group of tile rows is cut into segments of up to SEGMENT_REGISTER_TILES register tiles, which count in the order of rows.
// Layout of a segment's transformed input: [36 points][tiles / rows][channels / 16][rows][16].
// Weights: [panel][36 points][channels, in steps of 4][vectors * lanes].
#ifndef CKERNELS_WINOGRAD_H
#define CKERNELS_WINOGRAD_H
#include "layout.h"

enum { TILE_SIDE = 4, WINDOW_SIDE = 6, POINTS = 36, SEGMENT_REGISTER_TILES = 8 };

#define POINT_A 0.625f
#define POINT_B 1.5f
#define POINT_AA 0.390625f
#define POINT_BB 2.25f
#define POINT_AABB 0.87890625f
#define POINT_SUM 2.640625f  // a^2 + b^2
#define POINT_AAA 0.244140625f
#define POINT_BBB 3.375f

static inline int ck_tiles(int pixels) { return (pixels + TILE_SIDE - 1) / TILE_SIDE; }

// Tiles that are transformed before they are multiplied.
static inline int ck_segment_tiles(const ck_network_kernels *kernels) { return SEGMENT_REGISTER_TILES * kernels->winograd_rows; }
static inline size_t ck_tile_floats(int channels) { return (size_t)POINTS * (size_t)ck_round_up(channels, CK_BLOCK); }

// Groups of tile rows: what an item works on.
static inline int ck_groups(const ck_winograd *w) {
    return (ck_tiles(w->conv.height) + w->tile_rows_per_item - 1) / w->tile_rows_per_item;
}

// Floats of a group's transformed tiles.
static inline size_t ck_group_floats(const ck_network_kernels *kernels, const ck_winograd *w) {
    int tiles = ck_round_up(w->tile_rows_per_item * ck_tiles(w->conv.width), kernels->winograd_rows);
    return (size_t)tiles * ck_tile_floats(w->conv.channels);
}

#endif
