// The parts of F(4x4, 3x3) that depend on how transformed values are kept. A cell is four bytes: one float32, or two
// bfloat16 of neighbouring channels, which one instruction multiplies and adds. The including file defines CELL_CHANNELS
// (1 or 2) and PRECISION(name).

#if CELL_CHANNELS == 1
INLINE void PRECISION(store_point)(float *to, V v) { store(to, v); }
#define MULTIPLY_STEP(n, acc, a, weights) step(WINOGRAD_ROWS, n, CK_BLOCK, acc, a, weights)
#else
INLINE void PRECISION(store_point)(float *to, V v) {
    _mm256_store_si256((__m256i *)to, (__m256i)_mm512_cvtneps_pbh((__m512)v));
}

INLINE void PRECISION(step)(const int n, V acc[TILE][VECTORS], const float *a, const float *weights) {
    __m512bh b[VECTORS];
    UNROLL for (int j = 0; j < n; j++) b[j] = (__m512bh)_mm512_load_ps(weights + j * LANES);
    UNROLL for (int r = 0; r < WINOGRAD_ROWS; r++) {
        __m512bh x = (__m512bh)_mm512_set1_ps(a[r * CK_BLOCK]);
        UNROLL for (int j = 0; j < n; j++) acc[r][j] = (V)_mm512_dpbf16_ps((__m512)acc[r][j], x, b[j]);
    }
}
#define MULTIPLY_STEP(n, acc, a, weights) PRECISION(step)(n, acc, a, weights)
#endif

// One tile's window of LANES channels. `rows` and `columns` of it lie in the map and its border; beyond is zero.
INLINE void PRECISION(transform_tile)(const float *window, size_t row, int rows, int columns, float *to, size_t point) {
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
        UNROLL for (int x = 0; x < WINDOW_SIDE; x++) PRECISION(store_point)(to + (size_t)(y * WINDOW_SIDE + x) * point, d[y][x]);
    }
}

// Transforms the blocks `first` to `end` of 16 channels of the segment's tiles.
static void PRECISION(transform_segment)(const ck_conv *c, const group *g, int start, int first, int end, float *to) {
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
                float *at = place + (size_t)(block / CELL_CHANNELS) * g->block +
                            (block % CELL_CHANNELS * CK_BLOCK + lane) / CELL_CHANNELS;
                if (rows >= WINDOW_SIDE && columns >= WINDOW_SIDE)
                    PRECISION(transform_tile)(from, c->input.row, WINDOW_SIDE, WINDOW_SIDE, at, point);
                else
                    PRECISION(transform_tile)(from, c->input.row, rows, columns, at, point);
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

// One block of 16 channels of a group.
static void PRECISION(winograd_input)(const void *winograd, size_t item) {
    const ck_winograd *w = winograd;
    const size_t groups = (size_t)ck_groups(w), index = item % groups;
    const int block = (int)(item / groups);
    const group g = group_of(w, index);
    for (int start = 0; start < g.tiles; start += g.segment * WINOGRAD_ROWS)
        PRECISION(transform_segment)(&w->conv, &g, start, block, block + 1, PRECISION(transformed_segment)(w, index, start));
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
