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

// One tile's window of LANES channels. `rows` and `columns` of it lie in the map and its border; beyond is zero.
INLINE void transform_tile(const float *window, size_t row, int rows, int columns, float *to, size_t point) {
    V d[WINDOW_SIDE][WINDOW_SIDE];
    UNROLL for (int x = 0; x < WINDOW_SIDE; x++) {
        V column[WINDOW_SIDE];
        UNROLL for (int y = 0; y < WINDOW_SIDE; y++)
            column[y] = y < rows && x < columns ? load(window + (size_t)y * row + (size_t)x * CK_BLOCK) : (V)0.0f;
        transform_window(column);
        UNROLL for (int y = 0; y < WINDOW_SIDE; y++) d[y][x] = column[y];
    }
    UNROLL for (int y = 0; y < WINDOW_SIDE; y++) {
        transform_window(d[y]);
        UNROLL for (int x = 0; x < WINDOW_SIDE; x++) store(to + (size_t)(y * WINDOW_SIDE + x) * point, d[y][x]);
    }
}

// Where a group's tiles lie, and how they are cut.
typedef struct {
    int columns, first, tiles;  // tiles of a row of the map; the group's first tile, and how many it has
    int segment;                // register tiles of a whole segment
    size_t block;               // floats of a register tile's 16 channels
    size_t register_tile;       // floats of a register tile at one point
} group;

INLINE group group_of(const ck_winograd *w, size_t index) {
    const int columns = ck_tiles(w->conv.width), rows = ck_tiles(w->conv.height);
    const int first = (int)index * w->tile_rows_per_item;
    const int end = first + w->tile_rows_per_item < rows ? first + w->tile_rows_per_item : rows;
    const int blocks = ck_round_up(w->conv.channels, CK_BLOCK) / CK_BLOCK;
    const size_t block = WINOGRAD_ROWS * CK_BLOCK;
    return (group){columns, first * columns, (end - first) * columns, ck_segment(w->conv.channels), block, (size_t)blocks * block};
}

// Register tiles of the segment that begins at tile `start` of the group.
INLINE int segment_length(const group *g, int start) {
    int left = (g->tiles - start + WINOGRAD_ROWS - 1) / WINOGRAD_ROWS;
    return left < g->segment ? left : g->segment;
}

// Floats from one point of a segment to the next.
INLINE size_t point_stride(const group *g, int length) { return (size_t)length * g->register_tile + CK_BLOCK; }

// Transforms channel blocks `first` to `end` of the segment's tiles.
static void transform_segment(const ck_conv *c, const group *g, int start, int first, int end, float *to) {
    const int length = segment_length(g, start);
    const size_t point = point_stride(g, length);
    for (int t = 0; t < length * WINOGRAD_ROWS && start + t < g->tiles; t++) {
        const int tile = g->first + start + t, y = tile / g->columns * TILE_SIDE, x = tile % g->columns * TILE_SIDE;
        const int rows = c->height + 2 - y, columns = c->width + 2 - x;
        const float *window = c->input.origin + (ptrdiff_t)(y - 1) * (ptrdiff_t)c->input.row + (ptrdiff_t)(x - 1) * CK_BLOCK;
        float *place = to + (size_t)(t / WINOGRAD_ROWS) * g->register_tile + (size_t)(t % WINOGRAD_ROWS) * CK_BLOCK;
        for (int block = first; block < end; block++)
            for (int lane = 0; lane < CK_BLOCK; lane += LANES) {
                const float *from = window + (size_t)block * c->input.block + lane;
                float *at = place + (size_t)block * g->block + lane;
                if (rows >= WINDOW_SIDE && columns >= WINDOW_SIDE)
                    transform_tile(from, c->input.row, WINDOW_SIDE, WINDOW_SIDE, at, point);
                else
                    transform_tile(from, c->input.row, rows, columns, at, point);
            }
    }
}

// Products of a register tile at one point: [rows][36][vectors * lanes], all channels summed.
INLINE void multiply(const int n, const float *a, size_t block, const float *weights, int channels, float *products) {
    V acc[TILE][VECTORS];
    clear(WINOGRAD_ROWS, n, acc);
    for (int first = 0; first < channels; first += CK_BLOCK, a += block) {
        int depth = channels - first < CK_BLOCK ? (channels - first + DEPTH_STEP - 1) / DEPTH_STEP : CK_BLOCK / DEPTH_STEP;
        for (int k = 0; k < depth; k++)
            UNROLL for (int u = 0; u < DEPTH_STEP; u++, weights += VECTORS * LANES)
                step(WINOGRAD_ROWS, n, CK_BLOCK, acc, a + k * DEPTH_STEP + u, weights);
    }
    UNROLL for (int r = 0; r < WINOGRAD_ROWS; r++)
        UNROLL for (int j = 0; j < n; j++) store(products + (size_t)r * POINTS * VECTORS * LANES + j * LANES, acc[r][j]);
}

// A tile's outputs of one vector of a panel.
INLINE void gather_tile(const float *products, V out[TILE_SIDE][TILE_SIDE]) {
    V half[TILE_SIDE][WINDOW_SIDE];
    UNROLL for (int x = 0; x < WINDOW_SIDE; x++) {
        V column[WINDOW_SIDE], short_column[TILE_SIDE];
        UNROLL for (int y = 0; y < WINDOW_SIDE; y++) column[y] = load(products + (size_t)(y * WINDOW_SIDE + x) * VECTORS * LANES);
        transform_products(column, short_column);
        UNROLL for (int y = 0; y < TILE_SIDE; y++) half[y][x] = short_column[y];
    }
    UNROLL for (int y = 0; y < TILE_SIDE; y++) transform_products(half[y], out[y]);
}

INLINE void finish_tile(const int n, const float *products, const ck_conv *c, int panel, int y, int x) {
    V out[VECTORS][TILE_SIDE][TILE_SIDE], acc[TILE][VECTORS];
    UNROLL for (int j = 0; j < n; j++) gather_tile(products + j * LANES, out[j]);
    const int rows = c->height - y < TILE_SIDE ? c->height - y : TILE_SIDE;
    const int columns = c->width - x < TILE_SIDE ? c->width - x : TILE_SIDE;
    if (columns == TILE_SIDE) {
        for (int i = 0; i < rows; i++) {
            UNROLL for (int r = 0; r < TILE_SIDE; r++)
                UNROLL for (int j = 0; j < n; j++) acc[r][j] = out[j][i][r];
            finish(TILE_SIDE, n, acc, c, panel, y + i, x);
        }
    } else {
        for (int i = 0; i < rows; i++)
            for (int r = 0; r < columns; r++) {
                UNROLL for (int j = 0; j < n; j++) acc[0][j] = out[j][i][r];
                finish(1, n, acc, c, panel, y + i, x + r);
            }
    }
}

// One panel of a segment: products at all points, then the outputs.
INLINE void panel_segment(const int n, const ck_conv *c, const group *g, int start, int panel, const float *input, float *products) {
    const int length = segment_length(g, start);
    const size_t weights = (size_t)ck_round_up(c->channels, DEPTH_STEP) * VECTORS * LANES;
    const float *u = c->weights + (size_t)panel * POINTS * weights;
    for (int point = 0; point < POINTS; point++, u += weights)
        for (int t = 0; t < length; t++) {
            const float *a = input + (size_t)point * point_stride(g, length) + (size_t)t * g->register_tile;
            float *to = products + ((size_t)t * WINOGRAD_ROWS * POINTS + (size_t)point) * VECTORS * LANES;
            multiply(n, a, g->block, u, c->channels, to);
        }
    for (int t = 0; t < length * WINOGRAD_ROWS && start + t < g->tiles; t++) {
        const int tile = g->first + start + t;
        finish_tile(n, products + (size_t)t * POINTS * VECTORS * LANES, c, panel, tile / g->columns * TILE_SIDE, tile % g->columns * TILE_SIDE);
    }
}

static void panel_segment_2(const ck_conv *c, const group *g, int start, int panel, const float *input, float *products) {
    panel_segment(2, c, g, start, panel, input, products);
}

static void panel_segment_1(const ck_conv *c, const group *g, int start, int panel, const float *input, float *products) {
    panel_segment(1, c, g, start, panel, input, products);
}

// Vectors that a panel holds.
INLINE int panel_vectors(const ck_conv *c, int panel) {
    int vectors = (c->outputs + LANES - 1) / LANES;
    return c->epilogue == CK_FADE || panel * VECTORS + 1 < vectors ? 2 : 1;
}

INLINE void product_segment(const ck_conv *c, const group *g, int start, int panel, const float *input, float *products) {
    (panel_vectors(c, panel) == 2 ? panel_segment_2 : panel_segment_1)(c, g, start, panel, input, products);
}

static void group_moments(const ck_conv *c, const group *g, int panel) {
    int y = g->first / g->columns * TILE_SIDE, end = y + g->tiles / g->columns * TILE_SIDE;
    for (; y < end && y < c->height; y++) panel_moments(c, panel_vectors(c, panel), panel, y);
}

static int panel_count(const ck_conv *c) {
    int vectors = (c->outputs + LANES - 1) / LANES;
    return c->epilogue == CK_FADE ? vectors : (vectors + VECTORS - 1) / VECTORS;
}

static void check_winograd(const ck_winograd *w) {
    assert(w->conv.taps == 3 && !w->conv.pointwise_channels && w->tile_rows_per_item > 0);
    assert(w->conv.epilogue != CK_FADE || (w->conv.modulation_count > 0 && !w->conv.moments));
    assert(w->scratch);
    (void)w;
}

// A group of tile rows, all panels.
static void KERNEL(winograd_f32)(const void *winograd, size_t item) {
    const ck_winograd *w = winograd;
    const ck_conv *c = &w->conv;
    check_winograd(w);
    const group g = group_of(w, item);
    float *input = w->scratch + (size_t)ck_pool_thread_index() * w->scratch_stride;
    float *products = input + ck_transformed_floats(&KERNEL(ck_network), c->channels, g.segment * WINOGRAD_ROWS);
    const int blocks = ck_round_up(c->channels, CK_BLOCK) / CK_BLOCK, panels = panel_count(c);
    for (int start = 0; start < g.tiles; start += g.segment * WINOGRAD_ROWS) {
        transform_segment(c, &g, start, 0, blocks, input);
        for (int panel = 0; panel < panels; panel++) product_segment(c, &g, start, panel, input, products);
    }
    if (c->moments)
        for (int panel = 0; panel < panels; panel++) group_moments(c, &g, panel);
}

// One block of 16 channels of a group.
static void KERNEL(winograd_input_f32)(const void *winograd, size_t item) {
    const ck_winograd *w = winograd;
    const int groups = ck_groups(w), block = (int)(item / (size_t)groups);
    const group g = group_of(w, item % (size_t)groups);
    float *to = w->transformed + item % (size_t)groups * ck_group_floats(&KERNEL(ck_network), w);
    for (int start = 0; start < g.tiles; start += g.segment * WINOGRAD_ROWS)
        transform_segment(&w->conv, &g, start, block, block + 1, to + ck_transformed_floats(&KERNEL(ck_network), w->conv.channels, start));
}

// One panel of a group whose input is transformed.
static void KERNEL(winograd_product_f32)(const void *winograd, size_t item) {
    const ck_winograd *w = winograd;
    check_winograd(w);
    const int groups = ck_groups(w), panel = (int)(item / (size_t)groups);
    const group g = group_of(w, item % (size_t)groups);
    const float *input = w->transformed + item % (size_t)groups * ck_group_floats(&KERNEL(ck_network), w);
    float *products = w->scratch + (size_t)ck_pool_thread_index() * w->scratch_stride;
    for (int start = 0; start < g.tiles; start += g.segment * WINOGRAD_ROWS)
        product_segment(&w->conv, &g, start, panel, input + ck_transformed_floats(&KERNEL(ck_network), w->conv.channels, start),
                        products);
    if (w->conv.moments) group_moments(&w->conv, &g, panel);
}
