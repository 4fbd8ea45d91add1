// A form of Winograd's convolution. The including file defines FORM(name), TILE_SIDE (4 or 2) and CELL_CHANNELS (1 or 2), which are
// undefined at the end. A cell is four bytes: one float32, or two bfloat16 of neighbouring channels, which one instruction
// multiplies and adds.
#define WINDOW_SIDE (TILE_SIDE + 2)
#define POINTS (WINDOW_SIDE * WINDOW_SIDE)

#if CELL_CHANNELS == 1
#define MULTIPLY_STEP(n, acc, a, weights) step(WINOGRAD_ROWS, n, CK_BLOCK, acc, a, weights)
#else
#define MULTIPLY_STEP(n, acc, a, weights) step_bf16(WINOGRAD_ROWS, n, CK_BLOCK, acc, a, weights)
#endif

#if TILE_SIDE == 4
// The points 0, +-5/8, +-3/2 and infinity lose half as much as the usual 0, +-1, +-2 (Toom-Cook; Barabasz et al. 2020 on the
// choice of points). All constants below are exact in binary.
#define POINT_A 0.625f
#define POINT_B 1.5f
#define POINT_AA 0.390625f
#define POINT_BB 2.25f
#define POINT_AABB 0.87890625f
#define POINT_SUM 2.640625f  // a^2 + b^2
#define POINT_AAA 0.244140625f
#define POINT_BBB 3.375f

// The six values of one dimension of a window, in place.
INLINE void FORM(transform_window)(V d[WINDOW_SIDE]) {
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
INLINE void FORM(transform_products)(const V m[WINDOW_SIDE], V out[TILE_SIDE]) {
    V near_sum = m[1] + m[2], near_difference = m[1] - m[2], far_sum = m[3] + m[4], far_difference = m[3] - m[4];
    out[0] = m[0] + near_sum + far_sum;
    out[1] = POINT_A * near_difference + POINT_B * far_difference;
    out[2] = POINT_AA * near_sum + POINT_BB * far_sum;
    out[3] = POINT_AAA * near_difference + POINT_BBB * far_difference + m[5];
}
#else
// The four values of one dimension of a window, in place: the points 0, +-1 and infinity.
INLINE void FORM(transform_window)(V d[WINDOW_SIDE]) {
    V first = d[0] - d[2], sum = d[1] + d[2], difference = d[2] - d[1], last = d[3] - d[1];
    d[0] = first;
    d[1] = sum;
    d[2] = difference;
    d[3] = last;
}

// The two outputs of one dimension from its four products.
INLINE void FORM(transform_products)(const V m[WINDOW_SIDE], V out[TILE_SIDE]) {
    out[0] = m[0] + m[1] + m[2];
    out[1] = m[1] - m[2] + m[3];
}
#endif

INLINE group FORM(group_of)(const ck_winograd *w, size_t index) {
    const int columns = ck_tiles(w->form, w->conv.width), rows = ck_tiles(w->form, w->conv.height);
    const int first = (int)index * w->tile_rows_per_item;
    const int end = first + w->tile_rows_per_item < rows ? first + w->tile_rows_per_item : rows;
    const int cells = ck_cells(w->conv.channels, w->form.cell_channels), blocks = ck_round_up(cells, CK_BLOCK) / CK_BLOCK;
    const size_t block = WINOGRAD_ROWS * CK_BLOCK;
    return (group){columns, first * columns, (end - first) * columns, ck_segment(cells), block, (size_t)blocks * block};
}

// The products of one vector of a panel with one dimension done.
INLINE void FORM(gather_columns)(const float *products, V half[TILE_SIDE][WINDOW_SIDE]) {
    UNROLL for (int x = 0; x < WINDOW_SIDE; x++) {
        V column[WINDOW_SIDE], short_column[TILE_SIDE];
        UNROLL for (int y = 0; y < WINDOW_SIDE; y++) column[y] = load(products + (size_t)(y * WINDOW_SIDE + x) * VECTORS * LANES);
        FORM(transform_products)(column, short_column);
        UNROLL for (int y = 0; y < TILE_SIDE; y++) half[y][x] = short_column[y];
    }
}

// A tile's outputs, row by row: those of one row stay in registers.
INLINE void FORM(finish_tile)(const int n, const float *products, const ck_conv *c, int panel, int y, int x) {
    V half[VECTORS][TILE_SIDE][WINDOW_SIDE], acc[TILE][VECTORS];
    UNROLL for (int j = 0; j < n; j++) FORM(gather_columns)(products + j * LANES, half[j]);
    const int rows = c->height - y < TILE_SIDE ? c->height - y : TILE_SIDE;
    const int columns = c->width - x < TILE_SIDE ? c->width - x : TILE_SIDE;
    for (int i = 0; i < rows; i++) {
        V out[VECTORS][TILE_SIDE];
        UNROLL for (int j = 0; j < n; j++) FORM(transform_products)(half[j][i], out[j]);
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

static void FORM(group_moments)(const ck_conv *c, const group *g, int panel) {
    int y = g->first / g->columns * TILE_SIDE, end = y + g->tiles / g->columns * TILE_SIDE;
    for (; y < end && y < c->height; y++) panel_moments(c, panel_vectors(c, panel), panel, y);
}

static void FORM(check_winograd)(const ck_winograd *w) {
    assert(w->form.tile_side == TILE_SIDE && w->form.cell_channels == CELL_CHANNELS);
    assert(w->conv.taps == 3 && !w->conv.pointwise_channels && w->tile_rows_per_item > 0);
    assert(w->conv.epilogue != CK_FADE || (w->conv.modulation_count > 0 && !w->conv.moments));
    assert(w->scratch);
    (void)w;
}

// The columns of a tile's window of LANES channels, transformed. `rows` and `columns` of it lie in the map and its border; beyond
// is zero.
INLINE void FORM(transform_columns)(const float *window, size_t row, int rows, int columns, V d[WINDOW_SIDE][WINDOW_SIDE]) {
    UNROLL for (int x = 0; x < WINDOW_SIDE; x++) {
        V column[WINDOW_SIDE];
        UNROLL for (int y = 0; y < WINDOW_SIDE; y++)
            column[y] = y < rows && x < columns ? load(window + (size_t)y * row + (size_t)x * CK_BLOCK) : (V)0.0f;
        FORM(transform_window)(column);
        UNROLL for (int y = 0; y < WINDOW_SIDE; y++) d[y][x] = column[y];
    }
}

#if CELL_CHANNELS == 1
// One tile's window of `blocks` (1) blocks of 16 channels.
INLINE void FORM(transform_tile)(const float *window, size_t row, size_t block, int blocks, int rows, int columns, float *to,
                                      size_t point) {
    (void)block, (void)blocks;
    for (int lane = 0; lane < CK_BLOCK; lane += LANES) {
        V d[WINDOW_SIDE][WINDOW_SIDE];
        FORM(transform_columns)(window + lane, row, rows, columns, d);
        UNROLL for (int y = 0; y < WINDOW_SIDE; y++) {
            FORM(transform_window)(d[y]);
            UNROLL for (int x = 0; x < WINDOW_SIDE; x++) store(to + (size_t)(y * WINDOW_SIDE + x) * point + lane, d[y][x]);
        }
    }
}
#else
// One tile's window of one or two blocks of 16 channels, which share a line of cells; a missing one is zero.
INLINE void FORM(transform_tile)(const float *window, size_t row, size_t block, int blocks, int rows, int columns, float *to,
                                      size_t point) {
    V d[CELL_CHANNELS][WINDOW_SIDE][WINDOW_SIDE];
    FORM(transform_columns)(window, row, rows, columns, d[0]);
    FORM(transform_columns)(window + block, row, blocks > 1 ? rows : 0, columns, d[1]);
    UNROLL for (int y = 0; y < WINDOW_SIDE; y++) {
        FORM(transform_window)(d[0][y]);
        FORM(transform_window)(d[1][y]);
        UNROLL for (int x = 0; x < WINDOW_SIDE; x++)
            store(to + (size_t)(y * WINDOW_SIDE + x) * point, (V)_mm512_cvtne2ps_pbh((__m512)d[1][y][x], (__m512)d[0][y][x]));
    }
}
#endif

// Transforms the blocks `first` to `end` of 16 channels of the segment's tiles; both count from a line of cells. Tile after tile of
// one line of cells: six rows that run on are what a prefetcher can follow.
static void FORM(transform_segment)(const ck_conv *c, const group *g, int start, int first, int end, float *to) {
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
                FORM(transform_tile)(from, c->input.row, c->input.block, CELL_CHANNELS, WINDOW_SIDE, WINDOW_SIDE, at, point);
            else
                FORM(transform_tile)(from, c->input.row, c->input.block, end - block, rows, columns, at, point);
            x += TILE_SIDE;
            if (x >= c->width) x = 0, y += TILE_SIDE;
        }
    }
}

// Products of a register tile at one point, all channels summed: rows of [36][vectors * lanes].
INLINE void FORM(multiply)(const int n, const float *a, size_t block, const float *weights, int cells, float *products) {
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
INLINE void FORM(panel_segment)(const int n, const ck_conv *c, const group *g, int start, int panel, const float *input,
                                     float *products) {
    const int length = segment_length(g, start), cells = ck_cells(c->channels, CELL_CHANNELS);
    const size_t weights = (size_t)ck_round_up(cells, DEPTH_STEP) * VECTORS * LANES;
    const float *u = c->weights + (size_t)panel * POINTS * weights;
    for (int point = 0; point < POINTS; point++, u += weights)
        for (int t = 0; t < length; t++) {
            const float *a = input + (size_t)point * point_stride(g, length) + (size_t)t * g->register_tile;
            float *to = products + ((size_t)t * WINOGRAD_ROWS * POINTS + (size_t)point) * VECTORS * LANES;
            FORM(multiply)(n, a, g->block, u, cells, to);
        }
    for (int t = 0; t < length * WINOGRAD_ROWS && start + t < g->tiles; t++) {
        const int tile = g->first + start + t;
        FORM(finish_tile)(n, products + (size_t)t * POINTS * VECTORS * LANES, c, panel, tile / g->columns * TILE_SIDE, tile % g->columns * TILE_SIDE);
    }
}

static void FORM(panel_segment_2)(const ck_conv *c, const group *g, int start, int panel, const float *input, float *products) {
    FORM(panel_segment)(2, c, g, start, panel, input, products);
}

static void FORM(panel_segment_1)(const ck_conv *c, const group *g, int start, int panel, const float *input, float *products) {
    FORM(panel_segment)(1, c, g, start, panel, input, products);
}

INLINE void FORM(product_segment)(const ck_conv *c, const group *g, int start, int panel, const float *input, float *products) {
    (panel_vectors(c, panel) == 2 ? FORM(panel_segment_2) : FORM(panel_segment_1))(c, g, start, panel, input, products);
}

// A group of tile rows, all panels.
static void FORM(winograd)(const void *winograd, size_t item) {
    const ck_winograd *w = winograd;
    const ck_conv *c = &w->conv;
    FORM(check_winograd)(w);
    const group g = FORM(group_of)(w, item);
    float *input = w->scratch + (size_t)ck_pool_thread_index() * w->scratch_stride;
    float *products = input + ck_transformed_floats(&KERNEL(ck_network), w->form, ck_cells(c->channels, CELL_CHANNELS), g.segment * WINOGRAD_ROWS);
    const int blocks = ck_round_up(c->channels, CK_BLOCK) / CK_BLOCK, panels = panel_count(c);
    for (int start = 0; start < g.tiles; start += g.segment * WINOGRAD_ROWS) {
        FORM(transform_segment)(c, &g, start, 0, blocks, input);
        for (int panel = 0; panel < panels; panel++) FORM(product_segment)(c, &g, start, panel, input, products);
    }
    if (c->moments)
        for (int panel = 0; panel < panels; panel++) FORM(group_moments)(c, &g, panel);
}

// Where the group's segment that begins at tile `start` lies among all transformed tiles.
INLINE float *FORM(transformed_segment)(const ck_winograd *w, size_t index, int start) {
    return w->transformed + index * ck_group_floats(&KERNEL(ck_network), w) +
           ck_transformed_floats(&KERNEL(ck_network), w->form, ck_cells(w->conv.channels, CELL_CHANNELS), start);
}

// One line of cells of a group.
static void FORM(winograd_input)(const void *winograd, size_t item) {
    const ck_winograd *w = winograd;
    const size_t groups = (size_t)ck_groups(w), index = item % groups;
    const int first = (int)(item / groups) * CELL_CHANNELS, blocks = ck_round_up(w->conv.channels, CK_BLOCK) / CK_BLOCK;
    const int end = first + CELL_CHANNELS < blocks ? first + CELL_CHANNELS : blocks;
    const group g = FORM(group_of)(w, index);
    for (int start = 0; start < g.tiles; start += g.segment * WINOGRAD_ROWS)
        FORM(transform_segment)(&w->conv, &g, start, first, end, FORM(transformed_segment)(w, index, start));
}

// One panel of a group whose input is transformed.
static void FORM(winograd_product)(const void *winograd, size_t item) {
    const ck_winograd *w = winograd;
    FORM(check_winograd)(w);
    const size_t groups = (size_t)ck_groups(w), index = item % groups;
    const int panel = (int)(item / groups);
    const group g = FORM(group_of)(w, index);
    float *products = w->scratch + (size_t)ck_pool_thread_index() * w->scratch_stride;
    for (int start = 0; start < g.tiles; start += g.segment * WINOGRAD_ROWS)
        FORM(product_segment)(&w->conv, &g, start, panel, FORM(transformed_segment)(w, index, start), products);
    if (w->conv.moments) FORM(group_moments)(&w->conv, &g, panel);
}

#undef MULTIPLY_STEP
#if TILE_SIDE == 4
#undef POINT_A
#undef POINT_B
#undef POINT_AA
#undef POINT_BB
#undef POINT_AABB
#undef POINT_SUM
#undef POINT_AAA
#undef POINT_BBB
#endif
#undef WINDOW_SIDE
#undef POINTS
#undef FORM
#undef TILE_SIDE
#undef CELL_CHANNELS
