// Passes over blocked maps around instance norm. Included after conv_kernels.h.

static void KERNEL(norm_f32)(const void *norm, size_t item) {
    const ck_norm *t = norm;
    int chunks = (t->height + t->rows_per_item - 1) / t->rows_per_item;
    size_t block = item / (size_t)chunks;
    int first = (int)(item % (size_t)chunks) * t->rows_per_item;
    int end = first + t->rows_per_item < t->height ? first + t->rows_per_item : t->height;
    const V slope = (V)t->slope;
    for (int y = first; y < end; y++)
        for (int lane = 0; lane < CK_BLOCK; lane += LANES) {
            const V scale = load(t->scale + block * CK_BLOCK + lane), shift = load(t->shift + block * CK_BLOCK + lane);
            float *row = t->map.origin + block * t->map.block + (size_t)y * t->map.row + lane;
            for (int x = 0; x < t->width; x++, row += CK_BLOCK) store(row, activate(load(row) * scale + shift, slope));
        }
}

INLINE void join_row(const ck_join *t, size_t block, int y, int lane) {
    const size_t channel = block * CK_BLOCK + (size_t)lane;
    const V scale = load(t->scale + channel), shift = load(t->shift + channel), slope = (V)t->slope;
    float *main = t->main.origin + block * t->main.block + (size_t)y * t->main.row + lane;
    const float *skip = t->skip.origin + block * t->skip.block + (size_t)y * t->skip.row + lane;
    if (t->skip_scale) {
        const V skip_scale = load(t->skip_scale + channel), skip_shift = load(t->skip_shift + channel);
        for (int x = 0; x < t->width; x++, main += CK_BLOCK, skip += CK_BLOCK)
            store(main, activate(load(skip) * skip_scale + skip_shift, slope) + activate(load(main) * scale + shift, slope));
    } else {
        for (int x = 0; x < t->width; x++, main += CK_BLOCK, skip += CK_BLOCK)
            store(main, load(skip) + activate(load(main) * scale + shift, slope));
    }
}

static void KERNEL(join_f32)(const void *join, size_t item) {
    const ck_join *t = join;
    int chunks = (t->height + t->rows_per_item - 1) / t->rows_per_item;
    size_t block = item / (size_t)chunks;
    int first = (int)(item % (size_t)chunks) * t->rows_per_item;
    int end = first + t->rows_per_item < t->height ? first + t->rows_per_item : t->height;
    for (int y = first; y < end; y++)
        for (int lane = 0; lane < CK_BLOCK; lane += LANES) {
            join_row(t, block, y, lane);
            const float *row = t->main.origin + block * t->main.block + (size_t)y * t->main.row + lane;
            if (t->moments) {
                float *to = t->moments + (block * (size_t)t->height + (size_t)y) * 2 * CK_BLOCK + lane;
                row_moments(row, CK_BLOCK, t->width, to, to + CK_BLOCK);
            }
            if (t->halved.origin && y % 2 == 0 && y / 2 < t->height / 2) {
                float *to = t->halved.origin + block * t->halved.block + (size_t)(y / 2) * t->halved.row + lane;
                for (int x = 0; x < t->width / 2; x++) store(to + (size_t)x * CK_BLOCK, load(row + (size_t)x * 2 * CK_BLOCK));
            }
        }
}
