#include "layout.h"
#include <assert.h>
#include <string.h>

extern const ck_network_kernels ck_network_avx512bf16, ck_network_avx512, ck_network_avx2, ck_network_neon, ck_network_portable;

#if defined(__x86_64__)
static int has_avx512(void) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bw");
}
#endif

const ck_network_kernels *ck_network_kernels_of(ck_isa isa) {
    switch (isa) {
#if defined(__x86_64__)
    case CK_AVX512_BF16: return has_avx512() && __builtin_cpu_supports("avx512bf16") ? &ck_network_avx512bf16 : NULL;
    case CK_AVX512: return has_avx512() ? &ck_network_avx512 : NULL;
    case CK_AVX2:
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? &ck_network_avx2 : NULL;
#endif
#if defined(__aarch64__)
    case CK_NEON: return &ck_network_neon;
#else
    case CK_PORTABLE: return &ck_network_portable;
#endif
    default: return NULL;
    }
}

static size_t panel_depth(int channels, int taps, int pointwise_channels) {
    return (size_t)ck_round_up(channels, DEPTH_STEP) * (size_t)(taps * taps) + (size_t)ck_round_up(pointwise_channels, DEPTH_STEP);
}

int ck_panel_outputs(const ck_network_kernels *k, int fade) { return fade ? k->lanes : k->lanes * k->vectors; }

size_t ck_conv_panel_count(const ck_network_kernels *k, int channels, int taps, int pointwise_channels, int planar) {
    size_t depth = planar ? (size_t)channels * (size_t)(taps * taps) : panel_depth(channels, taps, pointwise_channels);
    return depth * (size_t)(k->lanes * k->vectors);
}

size_t ck_conv_packed_bias_count(const ck_network_kernels *k, int outputs, int fade) {
    int width = k->lanes * k->vectors;
    return (size_t)ck_round_up(ck_panels(k, outputs, fade) * width, CK_BLOCK);
}

// Where a panel's vector takes its output from: the tensor, and the first output.
typedef struct {
    const float *tensor;
    int output, lanes;
} source;

static source vector_source(const ck_network_kernels *k, int panel, int j, int outputs, int fade, const float *first, const float *second) {
    source s = {fade && j == 1 ? second : first, fade ? panel * k->lanes : (panel * k->vectors + j) * k->lanes, 0};
    s.lanes = outputs - s.output < k->lanes ? outputs - s.output : k->lanes;
    if (s.lanes < 0) s.lanes = 0;
    return s;
}

// Channels of a block that are packed, the padding included.
static int block_depth(int channels, int block) {
    return channels - block < CK_BLOCK ? ck_round_up(channels - block, DEPTH_STEP) : CK_BLOCK;
}

// `channels` of `area` taps each, from channel `first` of tensors of `stride` floats per output, as rows of a panel: for every
// tap `depth` rows, those beyond the channels zero.
static void pack_rows(const source *from, int vectors, int lanes, size_t stride, int first, int channels, int depth, int area,
                      float *to) {
    const size_t row = (size_t)(vectors * lanes);
    memset(to, 0, (size_t)(area * depth) * row * sizeof *to);
    for (int j = 0; j < vectors; j++)
        for (int lane = 0; lane < from[j].lanes; lane++) {
            // An output's taps and channels are neighbours in the tensor.
            const float *tensor = from[j].tensor + (size_t)(from[j].output + lane) * stride + (size_t)(first * area);
            float *at = to + j * lanes + lane;
            for (int k = 0; k < channels; k++)
                for (int tap = 0; tap < area; tap++) at[(size_t)(tap * depth + k) * row] = *tensor++;
        }
}

static float *pack_blocks(const source *from, int vectors, int lanes, int channels, int taps, float *to) {
    const int area = taps * taps;
    for (int block = 0; block < channels; block += CK_BLOCK) {
        const int depth = block_depth(channels, block), there = channels - block < CK_BLOCK ? channels - block : CK_BLOCK;
        pack_rows(from, vectors, lanes, (size_t)(channels * area), block, there, depth, area, to);
        to += (size_t)(area * depth) * (size_t)(vectors * lanes);
    }
    return to;
}

void ck_conv_pack(const ck_network_kernels *k, int outputs, int channels, int taps, int pointwise_channels, int fade, int planar,
                  const float *first, const float *second, float *packed) {
    assert(!(fade && pointwise_channels) && !(planar && (fade || pointwise_channels)));
    const int area = taps * taps;
    const size_t stride = ck_conv_panel_count(k, channels, taps, pointwise_channels, planar);
    for (int panel = 0; panel < ck_panels(k, outputs, fade); panel++) {
        source from[2], pointwise[2];
        int vectors = k->vectors;
        for (int j = 0; j < k->vectors; j++) {
            from[j] = vector_source(k, panel, j, outputs, fade, first, second);
            pointwise[j] = vector_source(k, panel, j, outputs, 0, second, NULL);
            if (from[j].lanes == 0 && vectors > j) vectors = j;
        }
        float *to = packed + (size_t)panel * stride;
        // Rows of planar weights are the taps of one channel after the other: one tap of so many channels.
        if (planar)
            pack_rows(from, vectors, k->lanes, (size_t)(channels * area), 0, channels * area, channels * area, 1, to);
        else
            to = pack_blocks(from, vectors, k->lanes, channels, taps, to);
        if (pointwise_channels) pack_blocks(pointwise, vectors, k->lanes, pointwise_channels, 1, to);
    }
}

size_t ck_pointwise_panel_count(const ck_network_kernels *k, int channels) {
    return (size_t)(ck_round_up(channels, CK_BLOCK) / 2 * k->lanes * k->vectors);
}

void ck_pointwise_pack(const ck_network_kernels *k, int outputs, int channels, const float *weights, float *packed) {
    const int row = k->lanes * k->vectors;
    const size_t panel = ck_pointwise_panel_count(k, channels);
    memset(packed, 0, (size_t)ck_panels(k, outputs, 0) * panel * sizeof *packed);
    for (int output = 0; output < outputs; output++)
        for (int channel = 0; channel < channels; channel++) {
            float *cell = packed + (size_t)(output / row) * panel + (size_t)(channel / 2 * row + output % row);
            ((uint16_t *)cell)[channel % 2] = ck_bf16(weights[(size_t)output * (size_t)channels + (size_t)channel]);
        }
}

void ck_conv_pack_bias(const ck_network_kernels *k, int outputs, int fade, const float *first, const float *second, float *packed) {
    memset(packed, 0, ck_conv_packed_bias_count(k, outputs, fade) * sizeof *packed);
    for (int panel = 0; panel < ck_panels(k, outputs, fade); panel++)
        for (int j = 0; j < k->vectors; j++) {
            source from = vector_source(k, panel, j, outputs, fade, first, second);
            float *to = packed + (panel * k->vectors + j) * k->lanes;
            if (from.tensor && from.lanes > 0) memcpy(to, from.tensor + from.output, (size_t)from.lanes * sizeof *to);
        }
}

size_t ck_row_items(int blocks, int height, int rows_per_item) {
    return (size_t)blocks * (size_t)((height + rows_per_item - 1) / rows_per_item);
}

size_t ck_conv_items(const ck_network_kernels *k, const ck_conv *c) {
    return ck_row_items(ck_panels(k, c->outputs, c->epilogue == CK_FADE), c->height, c->rows_per_item);
}

size_t ck_conv_planar_3_items(const ck_conv *c) { return ck_row_items(1, c->height, c->rows_per_item); }

// Chan, Golub and LeVeque: joining two sets of equal weight per row keeps the deviations small whatever the mean is.
// All lanes of a row at once: the divisions of one row are the same for all of them.
static void join_group(const float *rows, int lanes, int height, int width, double *restrict mean, double *restrict m2) {
    for (int lane = 0; lane < lanes; lane++) mean[lane] = m2[lane] = 0;
    for (int y = 0; y < height; y++, rows += 2 * lanes) {
        const double share = 1.0 / (y + 1), weight = (double)width * y * share;
        for (int lane = 0; lane < lanes; lane++) {
            const double delta = rows[lane] - mean[lane];
            mean[lane] += delta * share;
            m2[lane] += rows[lanes + lane] + delta * delta * weight;
        }
    }
}

void ck_moments_join(const float *moments, int groups, int lanes, int height, int width, double *mean, double *m2) {
    for (int group = 0; group < groups; group++)
        join_group(moments + (size_t)group * (size_t)height * 2 * (size_t)lanes, lanes, height, width, mean + group * lanes,
                   m2 + group * lanes);
}
