// Passes over planar maps: vectors run along a row. Included after conv_kernels.h.

INLINE V load_any(const float *p) { return *(const VU *)p; }

// Stores the first `count` lanes.
INLINE void store_some(float *p, V v, int count) {
    if (count >= LANES)
        *(VU *)p = v;
    else
        for (int lane = 0; lane < count; lane++) p[lane] = v[lane];
}

// Lanes beyond `count` read as zero.
INLINE V load_some(const float *p, int count) {
    if (count >= LANES) return load_any(p);
    V v = (V)0.0f;
    for (int lane = 0; lane < count; lane++) v[lane] = p[lane];
    return v;
}

// Joins the lanes in a fixed order.
INLINE float lane_sum(V v) {
    float sum = 0;
    for (int lane = 0; lane < LANES; lane++) sum += v[lane];
    return sum;
}

static void planar_row_moments(const float *row, int width, float *to) {
    V sum = (V)0.0f;
    for (int x = 0; x < width; x += LANES) sum += load_some(row + x, width - x);
    float mean = lane_sum(sum) / (float)width;
    sum = (V)0.0f;
    for (int x = 0; x < width; x += LANES) {
        int count = width - x < LANES ? width - x : LANES;
        V d = load_some(row + x, count) - mean;
        if (count < LANES)
            for (int lane = count; lane < LANES; lane++) d[lane] = 0;
        sum += d * d;
    }
    to[0] = mean;
    to[1] = lane_sum(sum);
}

// Weights: [3 outputs][3 channels][3][3] as they come; no bias, no epilogue.
static void planar_3_row(const ck_conv *c, int y) {
    for (int x = 0; x < c->width; x += LANES) {
        V acc[3] = {(V)0.0f, (V)0.0f, (V)0.0f};
        const float *weights = c->weights;
        for (int channel = 0; channel < 3; channel++)
            for (int dy = 0; dy < 3; dy++) {
                const float *from = c->input.origin + (size_t)channel * c->input.block + (ptrdiff_t)(y + dy - 1) * (ptrdiff_t)c->input.row + x - 1;
                UNROLL for (int dx = 0; dx < 3; dx++, weights++) {
                    V value = load_any(from + dx);
                    UNROLL for (int o = 0; o < 3; o++) acc[o] += value * weights[o * 27];
                }
            }
        UNROLL for (int o = 0; o < 3; o++)
            store_some(c->output.origin + (size_t)o * c->output.block + (size_t)y * c->output.row + x, acc[o], c->width - x);
    }
}

static void KERNEL(conv_planar_3_f32)(const void *conv, size_t item) {
    const ck_conv *c = conv;
    assert(c->channels == 3 && c->outputs == 3 && c->taps == 3);
    int y = (int)item * c->rows_per_item, end = y + c->rows_per_item < c->height ? y + c->rows_per_item : c->height;
    for (; y < end; y++) {
        planar_3_row(c, y);
        if (c->moments)
            for (int o = 0; o < 3; o++)
                planar_row_moments(c->output.origin + (size_t)o * c->output.block + (size_t)y * c->output.row, c->width,
                                   c->moments + ((size_t)o * (size_t)c->height + (size_t)y) * 2);
    }
}

static void KERNEL(norm_planar_f32)(const void *norm, size_t item) {
    const ck_norm *t = norm;
    int chunks = (t->height + t->rows_per_item - 1) / t->rows_per_item;
    size_t plane = item / (size_t)chunks;
    int y = (int)(item % (size_t)chunks) * t->rows_per_item;
    int end = y + t->rows_per_item < t->height ? y + t->rows_per_item : t->height;
    const V scale = (V)t->scale[plane], shift = (V)t->shift[plane], slope = (V)t->slope;
    for (; y < end; y++) {
        float *row = t->map.origin + plane * t->map.block + (size_t)y * t->map.row;
        for (int x = 0; x < t->width; x += LANES)
            store_some(row + x, activate(load_any(row + x) * scale + shift, slope), t->width - x);
    }
}
