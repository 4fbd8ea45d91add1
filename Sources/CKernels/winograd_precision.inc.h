// The parts of F(4x4, 3x3) that depend on how transformed values are kept. A cell is four bytes: one float32, or two
// bfloat16 of neighbouring channels, which one instruction multiplies and adds. The including file defines CELL_CHANNELS
// (1 or 2) and PRECISION(name).

#if CELL_CHANNELS == 1
#define MULTIPLY_STEP(n, acc, a, weights) step(WINOGRAD_ROWS, n, CK_BLOCK, acc, a, weights)
#else
#define MULTIPLY_STEP(n, acc, a, weights) step_bf16(WINOGRAD_ROWS, n, CK_BLOCK, acc, a, weights)
#endif

// The columns of a tile's window of LANES channels, transformed. `rows` and `columns` of it lie in the map and its border; beyond
// is zero.
INLINE void PRECISION(transform_columns)(const float *window, size_t row, int rows, int columns, V d[WINDOW_SIDE][WINDOW_SIDE]) {
    UNROLL for (int x = 0; x < WINDOW_SIDE; x++) {
        V column[WINDOW_SIDE];
        UNROLL for (int y = 0; y < WINDOW_SIDE; y++)
            column[y] = y < rows && x < columns ? load(window + (size_t)y * row + (size_t)x * CK_BLOCK) : (V)0.0f;
        transform_window(column);
        UNROLL for (int y = 0; y < WINDOW_SIDE; y++) d[y][x] = column[y];
    }
}

#if CELL_CHANNELS == 1
// One tile's window of `blocks` (1) blocks of 16 channels.
INLINE void PRECISION(transform_tile)(const float *window, size_t row, size_t block, int blocks, int rows, int columns, float *to,
                                      size_t point) {
    (void)block, (void)blocks;
    for (int lane = 0; lane < CK_BLOCK; lane += LANES) {
        V d[WINDOW_SIDE][WINDOW_SIDE];
        PRECISION(transform_columns)(window + lane, row, rows, columns, d);
        UNROLL for (int y = 0; y < WINDOW_SIDE; y++) {
            transform_window(d[y]);
            UNROLL for (int x = 0; x < WINDOW_SIDE; x++) store(to + (size_t)(y * WINDOW_SIDE + x) * point + lane, d[y][x]);
        }
    }
}
#else
// One tile's window of one or two blocks of 16 channels, which share a line of cells; a missing one is zero.
INLINE void PRECISION(transform_tile)(const float *window, size_t row, size_t block, int blocks, int rows, int columns, float *to,
                                      size_t point) {
    V d[CELL_CHANNELS][WINDOW_SIDE][WINDOW_SIDE];
    PRECISION(transform_columns)(window, row, rows, columns, d[0]);
    PRECISION(transform_columns)(window + block, row, blocks > 1 ? rows : 0, columns, d[1]);
    UNROLL for (int y = 0; y < WINDOW_SIDE; y++) {
        transform_window(d[0][y]);
        transform_window(d[1][y]);
        UNROLL for (int x = 0; x < WINDOW_SIDE; x++)
            store(to + (size_t)(y * WINDOW_SIDE + x) * point, (V)_mm512_cvtne2ps_pbh((__m512)d[1][y][x], (__m512)d[0][y][x]));
    }
}
#endif

// Transforms the blocks `first` to `end` of 16 channels of the segment's tiles; both count from a line of cells. Tile after tile of
// one line of cells: six rows that run on are what a prefetcher can follow.
static void PRECISION(transform_segment)(const ck_conv *c, const group *g, int start, int first, int end, float *to) {
    const int length = segment_length(g, start);
    const size_t point = point_stride(g, length);
    const int tiles = g->tiles - start < length * WINOGRAD_ROWS ? g->tiles - start : length * WINOGRAD_ROWS;
    for (int block = first; block < end; block += CELL_CHANNELS) {
        int y = (g->first + start) / g->columns * TILE_SIDE, x = (g->first + start) % g->columns * TILE_SIDE;
        for (int t = 0; t < tiles; t++) {
            const int rows = c->height + 2 - y, columns = c->width + 2 - x;
            const float *from = c->input.origin + (size_t)block * c->input.block + (ptrdiff_t)(y - 1) * (ptrdiff_t)c->input.row +
                                (ptrdiff_t)(x - 1) * CK_BLOCK;
            float *at = to + (size_t)(t / WINOGRAD_ROWS) * g->register_tile + (size_t)(t % WINOGRAD_ROWS) * CK_BLOCK +
                        (size_t)(block / CELL_CHANNELS) * g->block;
            if (rows >= WINDOW_SIDE && columns >= WINDOW_SIDE && end - block >= CELL_CHANNELS)
                PRECISION(transform_tile)(from, c->input.row, c->input.block, CELL_CHANNELS, WINDOW_SIDE, WINDOW_SIDE, at, point);
            else
                PRECISION(transform_tile)(from, c->input.row, c->input.block, end - block, rows, columns, at, point);
            x += TILE_SIDE;
            if (x >= c->width) x = 0, y += TILE_SIDE;
        }
    }
}

// Products of a register tile at one point, all channels summed: rows of [36][vectors * lanes].
INLINE void PRECISION(multiply)(const int n, const float *a, size_t block, const float *weights, int cells, float *products) {
    V acc[TILE][VECTORS];
    clear(WINOGRAD_ROWS, n, acc);
    for (int first = 0; first < cells; first += CK_BLOCK, a += block) {
        int depth = cells - first < CK_BLOCK ? (cells - first + DEPTH_STEP - 1) / DEPTH_STEP : CK_BLOCK / DEPTH_STEP;
        for (int k = 0; k < depth; k++)
            UNROLL for (int u = 0; u < DEPTH_STEP; u++, weights += VECTORS * LANES)
                MULTIPLY_STEP(n, acc, a + k * DEPTH_STEP + u, weights);
    }
    UNROLL for (int r = 0; r < WINOGRAD_ROWS; r++)
        UNROLL for (int j = 0; j < n; j++) store(products + (size_t)r * POINTS * VECTORS * LANES + j * LANES, acc[r][j]);
}

// One panel of a segment: products at all points, then the outputs.
INLINE void PRECISION(panel_segment)(const int n, const ck_conv *c, const group *g, int start, int panel, const float *input,
                                     float *products) {
    const int length = segment_length(g, start), cells = ck_cells(c->channels, CELL_CHANNELS);
    const size_t weights = (size_t)ck_round_up(cells, DEPTH_STEP) * VECTORS * LANES;
    const float *u = c->weights + (size_t)panel * POINTS * weights;
    for (int point = 0; point < POINTS; point++, u += weights)
        for (int t = 0; t < length; t++) {
            const float *a = input + (size_t)point * point_stride(g, length) + (size_t)t * g->register_tile;
            float *to = products + ((size_t)t * WINOGRAD_ROWS * POINTS + (size_t)point) * VECTORS * LANES;
            PRECISION(multiply)(n, a, g->block, u, cells, to);
        }
    for (int t = 0; t < length * WINOGRAD_ROWS && start + t < g->tiles; t++) {
        const int tile = g->first + start + t;
        finish_tile(n, products + (size_t)t * POINTS * VECTORS * LANES, c, panel, tile / g->columns * TILE_SIDE, tile % g->columns * TILE_SIDE);
    }
}

static void PRECISION(panel_segment_2)(const ck_conv *c, const group *g, int start, int panel, const float *input, float *products) {
    PRECISION(panel_segment)(2, c, g, start, panel, input, products);
}

static void PRECISION(panel_segment_1)(const ck_conv *c, const group *g, int start, int panel, const float *input, float *products) {
    PRECISION(panel_segment)(1, c, g, start, panel, input, products);
}

INLINE void PRECISION(product_segment)(const ck_conv *c, const group *g, int start, int panel, const float *input, float *products) {
    (panel_vectors(c, panel) == 2 ? PRECISION(panel_segment_2) : PRECISION(panel_segment_1))(c, g, start, panel, input, products);
}

// A group of tile rows, all panels.
static void PRECISION(winograd)(const void *winograd, size_t item) {
    const ck_winograd *w = winograd;
    const ck_conv *c = &w->conv;
    check_winograd(w, CELL_CHANNELS);
    const group g = group_of(w, item);
    float *input = w->scratch + (size_t)ck_pool_thread_index() * w->scratch_stride;
    float *products = input + ck_transformed_floats(&KERNEL(ck_network), ck_cells(c->channels, CELL_CHANNELS), g.segment * WINOGRAD_ROWS);
    const int blocks = ck_round_up(c->channels, CK_BLOCK) / CK_BLOCK, panels = panel_count(c);
    for (int start = 0; start < g.tiles; start += g.segment * WINOGRAD_ROWS) {
        PRECISION(transform_segment)(c, &g, start, 0, blocks, input);
        for (int panel = 0; panel < panels; panel++) PRECISION(product_segment)(c, &g, start, panel, input, products);
    }
    if (c->moments)
        for (int panel = 0; panel < panels; panel++) group_moments(c, &g, panel);
}

// Where the group's segment that begins at tile `start` lies among all transformed tiles.
INLINE float *PRECISION(transformed_segment)(const ck_winograd *w, size_t index, int start) {
    return w->transformed + index * ck_group_floats(&KERNEL(ck_network), w) +
           ck_transformed_floats(&KERNEL(ck_network), ck_cells(w->conv.channels, CELL_CHANNELS), start);
}

// One line of cells of a group.
static void PRECISION(winograd_input)(const void *winograd, size_t item) {
    const ck_winograd *w = winograd;
    const size_t groups = (size_t)ck_groups(w), index = item % groups;
    const int first = (int)(item / groups) * CELL_CHANNELS, blocks = ck_round_up(w->conv.channels, CK_BLOCK) / CK_BLOCK;
    const int end = first + CELL_CHANNELS < blocks ? first + CELL_CHANNELS : blocks;
    const group g = group_of(w, index);
    for (int start = 0; start < g.tiles; start += g.segment * WINOGRAD_ROWS)
        PRECISION(transform_segment)(&w->conv, &g, start, first, end, PRECISION(transformed_segment)(w, index, start));
}

// One panel of a group whose input is transformed.
static void PRECISION(winograd_product)(const void *winograd, size_t item) {
    const ck_winograd *w = winograd;
    check_winograd(w, CELL_CHANNELS);
    const size_t groups = (size_t)ck_groups(w), index = item % groups;
    const int panel = (int)(item / groups);
    const group g = group_of(w, index);
    float *products = w->scratch + (size_t)ck_pool_thread_index() * w->scratch_stride;
    for (int start = 0; start < g.tiles; start += g.segment * WINOGRAD_ROWS)
        PRECISION(product_segment)(&w->conv, &g, start, panel, PRECISION(transformed_segment)(w, index, start), products);
    if (w->conv.moments) group_moments(&w->conv, &g, panel);
}

#undef MULTIPLY_STEP
