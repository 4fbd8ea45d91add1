// Passes over blocked maps around instance norm. Included after conv_kernels.h.

// The rows of an item and its block.
typedef struct {
    size_t block;
    int first, end;
} block_rows;

INLINE block_rows rows_of(size_t item, int height, int rows_per_item) {
    int chunks = (height + rows_per_item - 1) / rows_per_item, first = (int)(item % (size_t)chunks) * rows_per_item;
    return (block_rows){item / (size_t)chunks, first, first + rows_per_item < height ? first + rows_per_item : height};
}

static void KERNEL(norm_f32)(const void *norm, size_t item) {
    const ck_norm *t = norm;
    const block_rows rows = rows_of(item, t->height, t->rows_per_item);
    const size_t block = rows.block;
    const V slope = (V)t->slope;
    for (int y = rows.first; y < rows.end; y++)
        for (int lane = 0; lane < CK_BLOCK; lane += LANES) {
            const V scale = load(t->scale + block * CK_BLOCK + lane), shift = load(t->shift + block * CK_BLOCK + lane);
            float *row = t->map.origin + block * t->map.block + (size_t)y * t->map.row + lane;
            for (int x = 0; x < t->width; x++, row += CK_BLOCK) store(row, activate(load(row) * scale + shift, slope));
        }
}

INLINE row_source colour_row(const ck_colours *c, size_t channel, int y) {
    row_source row = {.map = NULL};
    for (int i = 0; i < 3; i++) {
        row.planes[i] = c->planes.origin + (size_t)i * c->planes.block + (size_t)y * c->planes.row;
        row.weights[i] = load(c->weights + (size_t)i * c->channels + channel);
    }
    return row;
}

static void KERNEL(colour_moments_f32)(const void *colour_moments, size_t item) {
    const ck_colour_moments *t = colour_moments;
    const block_rows rows = rows_of(item, t->height, t->rows_per_item);
    for (int y = rows.first; y < rows.end; y++)
        for (int lane = 0; lane < CK_BLOCK; lane += LANES) {
            const size_t channel = rows.block * CK_BLOCK + (size_t)lane;
            const row_source row = colour_row(&t->colours, channel, y);
            float *to = moments_at(t->moments, t->height, channel, y);
            row_moments(0, &row, t->width, to, to + CK_BLOCK);
        }
}

// Every `step`th pixel of a row of LANES channels.
INLINE void join_row(const int is_map, const ck_join *t, size_t channel, const float *main, const row_source *skip, int width,
                     const int step, float *to) {
    const V scale = load(t->scale + channel), shift = load(t->shift + channel), slope = (V)t->slope;
    if (t->skip_scale) {
        const V skip_scale = load(t->skip_scale + channel), skip_shift = load(t->skip_shift + channel);
        for (int x = 0; x < width; x += step, main += step * CK_BLOCK, to += CK_BLOCK)
            store(to, activate(row_value(is_map, skip, x) * skip_scale + skip_shift, slope) +
                          activate(load(main) * scale + shift, slope));
    } else {
        for (int x = 0; x < width; x += step, main += step * CK_BLOCK, to += CK_BLOCK)
            store(to, row_value(is_map, skip, x) + activate(load(main) * scale + shift, slope));
    }
}

INLINE void join_lanes(const int is_map, const ck_join *t, size_t channel, int y) {
    const row_source skip = is_map ? (row_source){.map = t->skip.origin + (size_t)y * t->skip.row +
                                                         channel / CK_BLOCK * t->skip.block + channel % CK_BLOCK}
                                   : colour_row(&t->colours, channel, y);
    float *main = t->main.origin + channel / CK_BLOCK * t->main.block + (size_t)y * t->main.row + channel % CK_BLOCK;
    float *half = NULL;
    if (t->halved.origin && y % 2 == 0 && y / 2 < t->height / 2)
        half = t->halved.origin + channel / CK_BLOCK * t->halved.block + (size_t)(y / 2) * t->halved.row + channel % CK_BLOCK;
    if (t->only_halved) {
        if (half) join_row(is_map, t, channel, main, &skip, t->width / 2 * 2, 2, half);
        return;
    }
    join_row(is_map, t, channel, main, &skip, t->width, 1, main);
    if (t->moments) {
        const row_source row = {.map = main};
        float *to = moments_at(t->moments, t->height, channel, y);
        row_moments(1, &row, t->width, to, to + CK_BLOCK);
    }
    if (half)
        for (int x = 0; x < t->width / 2; x++) store(half + (size_t)x * CK_BLOCK, load(main + (size_t)x * 2 * CK_BLOCK));
}

static void KERNEL(join_f32)(const void *join, size_t item) {
    const ck_join *t = join;
    assert(!t->only_halved || (t->halved.origin && !t->moments));
    const block_rows rows = rows_of(item, t->height, t->rows_per_item);
    for (int y = rows.first; y < rows.end; y++)
        for (int lane = 0; lane < CK_BLOCK; lane += LANES) {
            const size_t channel = rows.block * CK_BLOCK + (size_t)lane;
            if (t->colours.planes.origin)
                join_lanes(0, t, channel, y);
            else
                join_lanes(1, t, channel, y);
        }
}
