// Checks every kernel of one instruction set against plain loops in double precision, over sizes with remainders. It needs
// nothing but Sources/CKernels, so that it can be compiled for a machine that is not there and run in an emulator: see
// .ci/neon. The sweeps of Tests/NeuralEngineTests do the same, and more, on the machine that the tests run on.
#include "kernel_check.h"

// How a convolution is computed: directly, or by Winograd in tiles of 4 or 2, in one pass or in two.
typedef enum { DIRECT, WHOLE_4, SHARED_4, WHOLE_2, SHARED_2, WAYS } way;
static const char *const ways[] = {"direct", "F(4x4)", "F(4x4) in two passes", "F(2x2)", "F(2x2) in two passes"};
static ck_winograd_form form_of(way way) { return (ck_winograd_form){.tile_side = way < WHOLE_2 ? 4 : 2, .cell_channels = 1}; }

// A convolution's weights, packed, with what runs it.
typedef struct {
    int inputs, outputs, taps, pointwise, fade;
    way way;
    float *first, *second, *bias, *second_bias, *packed, *packed_bias;
} layer;

static layer layer_of(int inputs, int outputs, int taps, int pointwise, int fade, int planar, way way) {
    layer l = {inputs, outputs, taps, pointwise, fade, way, NULL, NULL, NULL, NULL, NULL, NULL};
    size_t each = (size_t)(inputs * taps * taps), panels = (size_t)((outputs + ck_panel_outputs(k, fade) - 1) / ck_panel_outputs(k, fade));
    l.first = drawn((size_t)outputs * each), l.second = drawn((size_t)outputs * (fade ? each : (size_t)pointwise));
    l.bias = drawn((size_t)outputs), l.second_bias = drawn((size_t)outputs);
    if (way == DIRECT) {
        l.packed = zeroed(panels * ck_conv_panel_count(k, inputs, taps, pointwise, planar));
        ck_conv_pack(k, outputs, inputs, taps, pointwise, fade, planar, l.first, l.second, l.packed);
    } else {
        l.packed = zeroed(panels * ck_winograd_panel_count(k, form_of(way), inputs));
        ck_winograd_pack(k, form_of(way), outputs, inputs, fade, l.first, l.second, l.packed);
    }
    l.packed_bias = zeroed(ck_conv_packed_bias_count(k, outputs, fade));
    ck_conv_pack_bias(k, outputs, fade, l.bias, fade ? l.second_bias : NULL, l.packed_bias);
    return l;
}

static void drop(layer *l) {
    free(l->first), free(l->second), free(l->bias), free(l->second_bias), free(l->packed), free(l->packed_bias);
}

static ck_conv conv_of(const layer *l, const map *input) {
    ck_conv c = {0};
    c.input = input->map, c.channels = l->inputs, c.taps = l->taps;
    c.weights = l->packed, c.bias = l->packed_bias, c.outputs = l->outputs;
    c.width = input->width, c.height = input->height, c.rows_per_item = 1 + input->height / 3, c.slope = 1;
    return c;
}

// Items in falling order: none may depend on another one.
static void run(void (*item)(const void *, size_t), const void *task, size_t items) {
    while (items-- > 0) item(task, items);
}

static void run_conv(const layer *l, const ck_conv *c) {
    if (l->way == DIRECT) {
        run(k->conv, c, ck_conv_items(k, c));
        return;
    }
    ck_winograd w = {.conv = *c, .form = form_of(l->way), .tile_rows_per_item = 1 + c->height / 20};
    const ck_winograd_kernels *kernels = ck_winograd_kernels_of(k, w.form);
    w.scratch_stride = ck_winograd_scratch(k, w.form, l->inputs);
    w.scratch = zeroed(w.scratch_stride), w.transformed = zeroed(ck_winograd_transformed(k, &w));
    if (l->way == WHOLE_4 || l->way == WHOLE_2) {
        run(kernels->whole, &w, ck_winograd_items(&w));
    } else {
        run(kernels->input, &w, ck_winograd_input_items(&w));
        run(kernels->product, &w, ck_winograd_product_items(k, &w));
    }
    free(w.scratch), free(w.transformed);
}

static double terms_of(const layer *l) {
    // The transforms add up and scale: 16 times the rounding of the sum itself.
    return (l->way == DIRECT ? 1 : 16) * (l->inputs * l->taps * l->taps + l->pointwise);
}

// y = act(conv + bias + skip), with moments; skip: 0 none, 1 of the same size, 2 of half of it.
static void check_store(int inputs, int outputs, int height, int width, int taps, int pointwise, int skip, way way) {
    layer l = layer_of(inputs, outputs, taps, pointwise, 0, 0, way);
    map input = drawn_map(inputs, height, width, 0), second = drawn_map(pointwise ? pointwise : 1, height, width, 0);
    map from = drawn_map(outputs, skip == 2 ? height / 2 : height, skip == 2 ? width / 2 : width, 0);
    map output = map_of(outputs, height, width, 0);
    int padded = (outputs + 15) / 16 * 16;
    float *scale = zeroed((size_t)padded), *shift = zeroed((size_t)padded), *moments = zeroed((size_t)(padded * height * 2));
    for (int c = 0; c < outputs; c++) scale[c] = draw(), shift[c] = draw();
    ck_conv c = conv_of(&l, &input);
    c.output = output.map, c.slope = 0.2f, c.moments = moments;
    if (pointwise) c.pointwise = second.map, c.pointwise_channels = pointwise;
    if (skip) c.skip = from.map, c.skip_halved = skip == 2, c.skip_scale = scale, c.skip_shift = shift;
    run_conv(&l, &c);
    int failed = spills(ways[way], &output);
    for (int o = 0; o < outputs && !failed; o++)
        for (int y = 0; y < height && !failed; y++)
            for (int x = 0; x < width && !failed; x++) {
                sum s = plus(convolved(&input, y, x, l.first + (size_t)o * (size_t)(inputs * taps * taps), taps), l.bias[o]);
                if (pointwise) {
                    sum p = convolved(&second, y, x, l.second + (size_t)o * (size_t)pointwise, 1);
                    s = (sum){s.value + p.value, s.magnitude + p.magnitude};
                }
                if (skip) s = plus(plus(s, (double)*at(&from, o, skip == 2 ? y / 2 : y, skip == 2 ? x / 2 : x) * scale[o]), shift[o]);
                failed = fails(ways[way], o, y, x, *at(&output, o, y, x), activated(s, 0.2f), terms_of(&l));
            }
    count(failed || moments_fail("moments of rows", &output, moments, 0));
    free(input.memory), free(second.memory), free(from.memory), free(output.memory), free(scale), free(shift), free(moments);
    drop(&l);
}

// y = act((x * scale + shift) * (1 + gamma) + beta) for two maps, the second of half the size: of the same channels, or, where
// the norms are `stacked`, each of its own.
static void check_fade(int channels, int height, int width, int stacked, way way) {
    layer l = layer_of(channels, channels << stacked, 3, 0, 1, 0, way);
    map content = drawn_map(channels, height, width, 0), x[2], output[2];
    ck_modulation modulations[2];
    float *scale[2], *shift[2];
    for (int i = 0; i < 2; i++) {
        x[i] = drawn_map(channels, height >> i, width >> i, 0), output[i] = map_of(channels, height, width, 0);
        scale[i] = zeroed((size_t)channels + 16), shift[i] = zeroed((size_t)channels + 16);
        for (int c = 0; c < channels; c++) scale[i][c] = draw(), shift[i][c] = draw();
        modulations[i] = (ck_modulation){stacked ? i * channels : 0, channels, i ? 1 : 0.2f, x[i].map, i, scale[i], shift[i], output[i].map};
    }
    ck_conv c = conv_of(&l, &content);
    c.epilogue = CK_FADE, c.modulations = modulations, c.modulation_count = 2;
    run_conv(&l, &c);
    int failed = spills("fade", &output[0]) || spills("fade", &output[1]);
    for (int i = 0; i < 2; i++)
        for (int o = 0; o < channels && !failed; o++)
            for (int y = 0; y < height && !failed; y++)
                for (int u = 0; u < width && !failed; u++) {
                    const int of = modulations[i].first + o;
                    const size_t first = (size_t)of * (size_t)channels * 9;
                    sum gamma = plus(plus(convolved(&content, y, u, l.first + first, 3), l.bias[of]), 1);
                    sum beta = plus(convolved(&content, y, u, l.second + first, 3), l.second_bias[of]);
                    double value = *at(&x[i], o, y >> i, u >> i);
                    sum normal = affine((sum){value, fabs(value)}, scale[i][o], shift[i][o]);
                    sum s = {normal.value * gamma.value + beta.value, normal.magnitude * gamma.magnitude + beta.magnitude};
                    failed = fails("fade", o, y, u, *at(&output[i], o, y, u), activated(s, modulations[i].slope), 2 * terms_of(&l));
                }
    count(failed);
    for (int i = 0; i < 2; i++) free(x[i].memory), free(output[i].memory), free(scale[i]), free(shift[i]);
    free(content.memory);
    drop(&l);
}

// tanh(conv + bias) of 12 outputs, woven into a picture of twice the size.
static void check_image(int inputs, int height, int width, way way) {
    layer l = layer_of(inputs, 12, 3, 0, 0, 0, way);
    map input = drawn_map(inputs, height, width, 0);
    const size_t row = (size_t)(2 * width + 3), plane = row * (size_t)(2 * height);
    float *picture = zeroed(3 * plane);
    ck_conv c = conv_of(&l, &input);
    c.epilogue = CK_IMAGE, c.picture_row = row;
    c.red = picture, c.green = picture + plane, c.blue = picture + 2 * plane;
    run_conv(&l, &c);
    int failed = 0;
    for (int colour = 0; colour < 3 && !failed; colour++)
        for (int y = 0; y < 2 * height && !failed; y++)
            for (int x = 0; x < 2 * width && !failed; x++) {
                int o = (y % 2 * 2 + x % 2) * 3 + colour;
                sum s = plus(convolved(&input, y / 2, x / 2, l.first + (size_t)(o * inputs * 9), 3), l.bias[o]);
                // The slope of tanh is at most 1; 3e-7 is what its polynomial may miss.
                sum wanted = {tanh(s.value), s.magnitude + 3e-7 / 0x1p-24 / (terms_of(&l) + 8)};
                failed = fails("image", colour, y, x, picture[(size_t)colour * plane + (size_t)y * row + (size_t)x], wanted, terms_of(&l));
            }
    for (size_t i = 0; i < 3 * plane && !failed; i++)
        if (i % row >= (size_t)(2 * width) && picture[i] != 0) failed = 1, printf("%s image writes beside its rows\n", k->name);
    count(failed);
    free(input.memory), free(picture);
    drop(&l);
}

static void check_planar(int inputs, int outputs, int height, int width, int taps) {
    layer l = layer_of(inputs, outputs, taps, 0, 0, 1, DIRECT);
    map input = drawn_map(inputs, height, width, 1), output = map_of(outputs, height, width, 0);
    float *moments = zeroed((size_t)((outputs + 15) / 16 * 16 * height * 2));
    ck_conv c = conv_of(&l, &input);
    c.output = output.map, c.moments = moments, c.slope = 0.2f;
    run(k->conv_planar, &c, ck_conv_items(k, &c));
    int failed = spills("planar", &output);
    for (int o = 0; o < outputs && !failed; o++)
        for (int y = 0; y < height && !failed; y++)
            for (int x = 0; x < width && !failed; x++) {
                sum s = plus(convolved(&input, y, x, l.first + o * inputs * taps * taps, taps), l.bias[o]);
                failed = fails("planar", o, y, x, *at(&output, o, y, x), activated(s, 0.2f), terms_of(&l));
            }
    count(failed || moments_fail("moments of planar", &output, moments, 0));
    free(input.memory), free(output.memory), free(moments);
    drop(&l);
}

static void check_planar_3(int height, int width) {
    float *weights = drawn(81), *moments = zeroed((size_t)(3 * height * 2));
    map input = drawn_map(3, height, width, 1), output = map_of(3, height, width, 1);
    ck_conv c = {0};
    c.input = input.map, c.output = output.map, c.channels = c.outputs = c.taps = 3, c.weights = weights, c.slope = 1;
    c.width = width, c.height = height, c.rows_per_item = 1 + height / 3, c.moments = moments;
    run(k->conv_planar_3, &c, ck_conv_planar_3_items(&c));
    int failed = spills("planar 3", &output);
    for (int o = 0; o < 3 && !failed; o++)
        for (int y = 0; y < height && !failed; y++)
            for (int x = 0; x < width && !failed; x++)
                failed = fails("planar 3", o, y, x, *at(&output, o, y, x), convolved(&input, y, x, weights + 27 * o, 3), 27);
    count(failed || moments_fail("moments of planar 3", &output, moments, 0));
    free(weights), free(moments), free(input.memory), free(output.memory);
}

static void check_norm(int channels, int height, int width, int planar) {
    map before = drawn_map(channels, height, width, planar), after = copy(&before);
    float *scale = zeroed((size_t)channels + 16), *shift = zeroed((size_t)channels + 16);
    for (int c = 0; c < channels; c++) scale[c] = draw(), shift[c] = draw();
    ck_norm n = {after.map, planar ? channels : (channels + 15) / 16, width, height, 1 + height / 2, scale, shift, 0.2f};
    run(planar ? k->norm_planar : k->norm, &n, ck_row_items(n.blocks, height, n.rows_per_item));
    int failed = spills("norm", &after);
    for (int c = 0; c < channels && !failed; c++)
        for (int y = 0; y < height && !failed; y++)
            for (int x = 0; x < width && !failed; x++) {
                double v = *at(&before, c, y, x);
                sum s = activated(affine((sum){v, fabs(v)}, scale[c], shift[c]), 0.2f);
                failed = fails("norm", c, y, x, *at(&after, c, y, x), s, 2);
            }
    count(failed);
    free(before.memory), free(after.memory), free(scale), free(shift);
}

// A 1x1 convolution of three planes.
typedef struct {
    map planes;
    float *weights;
    ck_colours colours;
} colours;

static colours colours_of(int channels, int height, int width) {
    size_t padded = (size_t)(channels + 15) / 16 * 16;
    colours c = {drawn_map(3, height, width, 1), zeroed(3 * padded), {{NULL, 0, 0}, NULL, padded}};
    for (size_t i = 0; i < 3; i++)
        for (int channel = 0; channel < channels; channel++) c.weights[i * padded + (size_t)channel] = draw();
    c.colours.planes = c.planes.map, c.colours.weights = c.weights;
    return c;
}

static sum colour(const colours *c, int channel, int y, int x) {
    sum s = {0, 0};
    for (int i = 0; i < 3; i++) s = plus(s, (double)*at(&c->planes, i, y, x) * c->weights[(size_t)i * c->colours.channels + (size_t)channel]);
    return s;
}

static void check_colour_moments(int channels, int height, int width) {
    colours source = colours_of(channels, height, width);
    map values = map_of(channels, height, width, 0);
    for (int c = 0; c < channels; c++)
        for (int y = 0; y < height; y++)
            for (int x = 0; x < width; x++) *at(&values, c, y, x) = (float)colour(&source, c, y, x).value;
    float *moments = zeroed(source.colours.channels * (size_t)height * 2);
    ck_colour_moments task = {source.colours, (channels + 15) / 16, width, height, 1 + height / 2, moments};
    run(k->colour_moments, &task, ck_row_items(task.blocks, height, task.rows_per_item));
    count(moments_fail("moments of colours", &values, moments, 3));
    free(source.planes.memory), free(source.weights), free(values.memory), free(moments);
}

// The skip is a map or made of colours, as it is or through an affine; half of the pixels are kept as well, or alone.
static void check_join(int channels, int height, int width, int has_affine, int has_colours, int only_halved) {
    map before = drawn_map(channels, height, width, 0), after = copy(&before), skip = drawn_map(channels, height, width, 0);
    map halved = map_of(channels, height / 2 + 1, width / 2 + 1, 0);
    colours source = colours_of(channels, height, width);
    size_t padded = (size_t)(channels + 15) / 16 * 16;
    float *a = zeroed(4 * padded), *moments = zeroed(padded * (size_t)height * 2);
    for (int c = 0; c < channels; c++)
        for (size_t i = 0; i < 4; i++) a[i * padded + (size_t)c] = draw();
    ck_join j = {.main = after.map, .blocks = (channels + 15) / 16, .width = width, .height = height,
                 .rows_per_item = 1 + height / 2, .scale = a, .shift = a + padded, .slope = 0.2f, .only_halved = only_halved};
    if (has_colours) j.colours = source.colours;
    else j.skip = skip.map;
    if (has_affine) j.skip_scale = a + 2 * padded, j.skip_shift = a + 3 * padded;
    if (only_halved || (width > 1 && height > 1)) j.halved = halved.map;
    if (!only_halved) j.moments = moments;
    run(k->join, &j, ck_row_items(j.blocks, height, j.rows_per_item));
    int failed = spills("join", &after) || spills("half of join", &halved);
    for (int c = 0; c < channels && !failed; c++)
        for (int y = 0; y < height && !failed; y++)
            for (int x = 0; x < width && !failed; x++) {
                double v = *at(&before, c, y, x), w = *at(&skip, c, y, x);
                sum s = activated(affine((sum){v, fabs(v)}, a[c], a[padded + (size_t)c]), 0.2f);
                sum t = has_colours ? colour(&source, c, y, x) : (sum){w, fabs(w)};
                if (has_affine) t = activated(affine(t, a[2 * padded + (size_t)c], a[3 * padded + (size_t)c]), 0.2f);
                sum both = {s.value + t.value, s.magnitude + t.magnitude};
                if (only_halved) both = (sum){v, 0};
                failed = fails("join", c, y, x, *at(&after, c, y, x), both, 4);
                int isHalf = j.halved.origin && y % 2 == 0 && x % 2 == 0 && y / 2 < height / 2 && x / 2 < width / 2;
                both = (sum){s.value + t.value, s.magnitude + t.magnitude};
                if (!failed && isHalf) failed = fails("half of join", c, y, x, *at(&halved, c, y / 2, x / 2), both, 4);
            }
    count(failed || (!only_halved && moments_fail("moments of join", &after, moments, 0)));
    free(before.memory), free(after.memory), free(skip.memory), free(halved.memory), free(a), free(moments);
    free(source.planes.memory), free(source.weights);
}

// Heights and widths: every tile of 12, 8, 6, 4, 2 and 1 pixels, alone and after others; whole and part tiles of 4x4.
static const int sizes[][2] = {{1, 1}, {1, 2}, {2, 3}, {3, 4}, {1, 5}, {2, 6}, {1, 7}, {4, 8}, {2, 12}, {3, 13}, {1, 27}, {5, 31}, {18, 30}, {41, 6}};
// Inputs and outputs: parts of a block, whole blocks, odd numbers of blocks and of vectors.
static const int widths[][2] = {{1, 1}, {2, 4}, {3, 8}, {5, 16}, {8, 5}, {16, 17}, {17, 32}, {20, 36}, {33, 48}, {48, 31}};

#define EACH(name, list) for (size_t name = 0; name < sizeof list / sizeof *list; name++)

static void check_all(void) {
    EACH(s, sizes) {
        const int height = sizes[s][0], width = sizes[s][1], even = height % 2 == 0 && width % 2 == 0;
        EACH(w, widths) {
            const int inputs = widths[w][0], outputs = widths[w][1], skip = (int)(s + w) % (even ? 3 : 2);
            check_store(inputs, outputs, height, width, 1, 0, skip, DIRECT);
            for (way way = DIRECT; way < WAYS; way++) {
                check_store(inputs, outputs, height, width, 3, 0, skip, way);
                if (even && inputs <= 20) check_fade(inputs, height, width, inputs % 16 == 0, way);
                if (inputs <= 20) check_image(inputs, height, width, way);
            }
            check_store(inputs, outputs, height, width, 3, outputs, skip, DIRECT);
            check_norm(outputs, height, width, 0);
            for (int i = 0; i < 8; i++) check_join(outputs, height, width, i & 1, i >> 1 & 1, i >> 2);
            check_colour_moments(outputs, height, width);
        }
        for (int taps = 1; taps <= 3; taps += 2) check_planar(3, 37, height, width, taps), check_planar(1, 8, height, width, taps);
        check_planar_3(height, width);
        check_norm(3, height, width, 1);
    }
}

int main(int count, char **names) {
    const char *const sets[] = {
        [CK_PORTABLE] = "portable", [CK_NEON] = "neon", [CK_AVX2] = "avx2", [CK_AVX512] = "avx512", [CK_AVX512_BF16] = "avx512bf16",
    };
    int ran = 0, failed = 0;
    EACH(isa, sets) {
        if (count > 1 && strcmp(names[1], sets[isa])) continue;
        if (!(k = ck_network_kernels_of((ck_isa)isa))) continue;
        checks = failures = 0;
        check_all();
        printf("%s: %d checks, %d failed\n", k->name, checks, failures);
        ran++, failed += failures;
    }
    if (!ran) printf("this machine has no %s\n", count > 1 ? names[1] : "kernels");
    return !ran || failed;
}
