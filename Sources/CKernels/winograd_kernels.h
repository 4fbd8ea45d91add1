// Winograd's convolutions for one instruction set. Included after conv_kernels.h, whose epilogues it uses. See winograd.h for the layout.
#include "include/threads.h"
#include "winograd.h"

// Tiles of a register tile: `WINOGRAD_ROWS` by 2 vectors of accumulators.
#if TILE >= 12
#define WINOGRAD_ROWS 8
#else
#define WINOGRAD_ROWS 6
#endif

// Where a group's tiles lie, and how they are cut.
typedef struct {
    int columns, first, tiles;  // tiles of a row of the map; the group's first tile, and how many it has
    int segment;                // register tiles of a whole segment
    size_t block;               // floats of a register tile's 16 cells
    size_t register_tile;       // floats of a register tile at one point
} group;

// Register tiles of the segment that begins at tile `start` of the group.
INLINE int segment_length(const group *g, int start) {
    int left = (g->tiles - start + WINOGRAD_ROWS - 1) / WINOGRAD_ROWS;
    return left < g->segment ? left : g->segment;
}

// Floats from one point of a segment to the next.
INLINE size_t point_stride(const group *g, int length) { return (size_t)length * g->register_tile + CK_BLOCK; }

// Vectors that a panel holds.
INLINE int panel_vectors(const ck_conv *c, int panel) {
    int vectors = (c->outputs + LANES - 1) / LANES;
    return c->epilogue == CK_FADE || panel * VECTORS + 1 < vectors ? 2 : 1;
}

static int panel_count(const ck_conv *c) {
    int vectors = (c->outputs + LANES - 1) / LANES;
    return c->epilogue == CK_FADE ? vectors : (vectors + VECTORS - 1) / VECTORS;
}

#define FORM(name) KERNEL(name##_4_f32)
#define TILE_SIDE 4
#define CELL_CHANNELS 1
#include "winograd_form.inc.h"
#define FORM(name) KERNEL(name##_2_f32)
#define TILE_SIDE 2
#define CELL_CHANNELS 1
#include "winograd_form.inc.h"
#ifdef HAS_BF16
#define FORM(name) KERNEL(name##_4_bf16)
#define TILE_SIDE 4
#define CELL_CHANNELS 2
#include "winograd_form.inc.h"
#endif
