// F(4x4, 3x3) for one instruction set. Included after conv_kernels.h, whose epilogues it uses. See winograd.h for the layout.
#include "include/threads.h"
#include "winograd.h"

// Tiles of a register tile: `WINOGRAD_ROWS` by 2 vectors of accumulators.
#if TILE >= 12
#define WINOGRAD_ROWS 8
#else
#define WINOGRAD_ROWS 6
#endif

// The six values of one dimension of a window, in place.
INLINE void transform_window(V d[WINDOW_SIDE]) {
    V near_even = d[4] - POINT_BB * d[2], near_odd = POINT_A * (d[3] - POINT_BB * d[1]);
    V far_even = d[4] - POINT_AA * d[2], far_odd = POINT_B * (d[3] - POINT_AA * d[1]);
    V first = POINT_AABB * d[0] - POINT_SUM * d[2] + d[4], last = POINT_AABB * d[1] - POINT_SUM * d[3] + d[5];
    d[0] = first;
    d[1] = near_even + near_odd;
    d[2] = near_even - near_odd;
    d[3] = far_even + far_odd;
    d[4] = far_even - far_odd;
    d[5] = last;
}

// The four outputs of one dimension from its six products.
INLINE void transform_products(const V m[WINDOW_SIDE], V out[TILE_SIDE]) {
    V near_sum = m[1] + m[2], near_difference = m[1] - m[2], far_sum = m[3] + m[4], far_difference = m[3] - m[4];
    out[0] = m[0] + near_sum + far_sum;
    out[1] = POINT_A * near_difference + POINT_B * far_difference;
    out[2] = POINT_AA * near_sum + POINT_BB * far_sum;
    out[3] = POINT_AAA * near_difference + POINT_BBB * far_difference + m[5];
}

// Where a group's tiles lie, and how they are cut.
typedef struct {
    int columns, first, tiles;  // tiles of a row of the map; the group's first tile, and how many it has
    int segment;                // register tiles of a whole segment
    size_t block;               // floats of a register tile's 16 cells
    size_t register_tile;       // floats of a register tile at one point
} group;

INLINE group group_of(const ck_winograd *w, size_t index) {
    const int columns = ck_tiles(w->conv.width), rows = ck_tiles(w->conv.height);
    const int first = (int)index * w->tile_rows_per_item;
    const int end = first + w->tile_rows_per_item < rows ? first + w->tile_rows_per_item : rows;
    const int cells = ck_cells(w->conv.channels, w->cell_channels), blocks = ck_round_up(cells, CK_BLOCK) / CK_BLOCK;
    const size_t block = WINOGRAD_ROWS * CK_BLOCK;
    return (group){columns, first * columns, (end - first) * columns, ck_segment(cells), block, (size_t)blocks * block};
}

// Register tiles of the segment that begins at tile `start` of the group.
INLINE int segment_length(const group *g, int start) {
    int left = (g->tiles - start + WINOGRAD_ROWS - 1) / WINOGRAD_ROWS;
    return left < g->segment ? left : g->segment;
}

// Floats from one point of a segment to the next.
INLINE size_t point_stride(const group *g, int length) { return (size_t)length * g->register_tile + CK_BLOCK; }

// The products of one vector of a panel, one dimension done: four rows of six.
INLINE void gather_columns(const float *products, V half[TILE_SIDE][WINDOW_SIDE]) {
    UNROLL for (int x = 0; x < WINDOW_SIDE; x++) {
        V column[WINDOW_SIDE], short_column[TILE_SIDE];
        UNROLL for (int y = 0; y < WINDOW_SIDE; y++) column[y] = load(products + (size_t)(y * WINDOW_SIDE + x) * VECTORS * LANES);
        transform_products(column, short_column);
        UNROLL for (int y = 0; y < TILE_SIDE; y++) half[y][x] = short_column[y];
    }
}

// A tile's outputs, row by row: those of one row stay in registers.
INLINE void finish_tile(const int n, const float *products, const ck_conv *c, int panel, int y, int x) {
    V half[VECTORS][TILE_SIDE][WINDOW_SIDE], acc[TILE][VECTORS];
    UNROLL for (int j = 0; j < n; j++) gather_columns(products + j * LANES, half[j]);
    const int rows = c->height - y < TILE_SIDE ? c->height - y : TILE_SIDE;
    const int columns = c->width - x < TILE_SIDE ? c->width - x : TILE_SIDE;
    for (int i = 0; i < rows; i++) {
        V out[VECTORS][TILE_SIDE];
        UNROLL for (int j = 0; j < n; j++) transform_products(half[j][i], out[j]);
        if (columns == TILE_SIDE) {
            UNROLL for (int r = 0; r < TILE_SIDE; r++)
                UNROLL for (int j = 0; j < n; j++) acc[r][j] = out[j][r];
            finish(TILE_SIDE, n, acc, c, panel, y + i, x);
        } else {
            for (int r = 0; r < columns; r++) {
                UNROLL for (int j = 0; j < n; j++) acc[0][j] = out[j][r];
                finish(1, n, acc, c, panel, y + i, x + r);
            }
        }
    }
}

// Vectors that a panel holds.
INLINE int panel_vectors(const ck_conv *c, int panel) {
    int vectors = (c->outputs + LANES - 1) / LANES;
    return c->epilogue == CK_FADE || panel * VECTORS + 1 < vectors ? 2 : 1;
}

static void group_moments(const ck_conv *c, const group *g, int panel) {
    int y = g->first / g->columns * TILE_SIDE, end = y + g->tiles / g->columns * TILE_SIDE;
    for (; y < end && y < c->height; y++) panel_moments(c, panel_vectors(c, panel), panel, y);
}

static int panel_count(const ck_conv *c) {
    int vectors = (c->outputs + LANES - 1) / LANES;
    return c->epilogue == CK_FADE ? vectors : (vectors + VECTORS - 1) / VECTORS;
}

static void check_winograd(const ck_winograd *w, int cell_channels) {
    assert(w->cell_channels == cell_channels);
    (void)cell_channels;
    assert(w->conv.taps == 3 && !w->conv.pointwise_channels && w->tile_rows_per_item > 0);
    assert(w->conv.epilogue != CK_FADE || (w->conv.modulation_count > 0 && !w->conv.moments));
    assert(w->scratch);
    (void)w;
}

#define PRECISION(name) KERNEL(name##_f32)
#define CELL_CHANNELS 1
#include "winograd_precision.inc.h"
#undef PRECISION
#undef CELL_CHANNELS
#ifdef HAS_BF16
#define PRECISION(name) KERNEL(name##_bf16)
#define CELL_CHANNELS 2
#include "winograd_precision.inc.h"
#undef PRECISION
#undef CELL_CHANNELS
#endif
