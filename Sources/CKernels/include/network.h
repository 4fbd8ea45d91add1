// Kernels of the network: convolutions with fused epilogues, and the passes around instance norm.
//
// A feature map is [blocks][height + 2][width + 2][16] floats: channels in blocks of 16, one pixel of zero border, the
// channels that pad the last block zero. `ck_map.origin` is pixel (0, 0) of block 0, aligned to 64 bytes.
// A planar map is [channels][height + 2][row] floats with the same border and at least 16 readable floats after a row.
//
// Every pass is cut into items that may run in any order and on any thread; an item's result does not depend on how the
// pass is cut, and sums over pixels are kept per row and joined in row order, so the outcome never depends on threads.
#ifndef CKERNELS_NETWORK_H
#define CKERNELS_NETWORK_H
#include <stddef.h>
#include <stdint.h>

enum { CK_BLOCK = 16 };

typedef enum ck_isa { CK_PORTABLE, CK_NEON, CK_AVX2, CK_AVX512, CK_AVX512_BF16 } ck_isa;

typedef struct ck_map {
    float *origin;
    size_t block;  // floats from one block (or plane) to the next
    size_t row;    // floats from one row to the next
} ck_map;

typedef enum ck_epilogue {
    CK_STORE,  // y = act(conv + bias + skip * skip_scale + skip_shift); the skip is optional
    CK_FADE,   // y = act((x * scale + shift) * (1 + gamma) + beta) for every modulation of the channel; gamma, beta = conv + bias
    CK_IMAGE,  // y = tanh(conv + bias): outputs (sub-pixel row, sub-pixel column, colour) woven into a picture of twice the size
} ck_epilogue;

// What FADE modulates. Several of them, one for each style, share the gamma and beta of one pass over the content; and norms
// of the same content are stacked: each takes some channels of the convolution.
typedef struct ck_modulation {
    int first, channels;         // of the convolution: channel `first` is channel 0 of x and of the output; whole blocks, or all
    float slope;                 // act(v) = max(v, slope * v); 1: none
    ck_map x;
    int x_halved;               // 1: x has half the size and is read as (y >> 1, x >> 1)
    const float *scale, *shift;  // per channel, padded to whole blocks
    ck_map output;
} ck_modulation;

// One convolution, 3x3 with zero padding or 1x1, over all rows of a map.
typedef struct ck_conv {
    ck_map input;            // blocked, or planar for `conv_planar`
    int channels, taps;      // taps: 1 or 3, per axis
    ck_map pointwise;        // a second input, 1x1, added to the first; only in `conv`
    int pointwise_channels;  // 0: none
    const float *weights;    // as ck_conv_pack lays them out
    const float *bias;       // as ck_conv_pack_bias lays it out
    int outputs;             // output channels; of FADE: channels that are modulated, which is half of the convolution's
    int width, height;
    int rows_per_item;
    ck_map output;           // blocked; planar for `conv_planar_3`; not used by CK_FADE
    float *red, *green, *blue;  // CK_IMAGE's output instead: planes of 2 height x 2 width samples, rows `picture_row` apart
    size_t picture_row;
    ck_epilogue epilogue;
    float slope;             // act(v) = max(v, slope * v); 1: none; not used by CK_FADE
    ck_map skip;             // CK_STORE's; origin NULL: none
    int skip_halved;         // 1: it has half the size and is read as (y >> 1, x >> 1)
    const float *skip_scale, *skip_shift;  // per channel, padded to whole blocks
    const ck_modulation *modulations;      // CK_FADE's, at least one
    int modulation_count;
    float *moments;          // [blocks][height][2][16]: mean and sum of squared deviations of every row of y; NULL: none
} ck_conv;

// A form of Winograd's convolution.
typedef struct ck_winograd_form {
    int tile_side;      // 4: F(4x4, 3x3), 36 products instead of 144 for each tile; 2: F(2x2, 3x3), 16 instead of 36
    int cell_channels;  // 1: float32; 2: pairs of bfloat16, only with tiles of 4 and `has_bf16`
} ck_winograd_form;

// A 3x3 convolution in tiles of outputs (Lavin and Gray 2016).
// Items are whole rows of tiles, so that moments are joined in row order. Either each item transforms the tiles that it needs
// (`whole`), or `input` transforms all of them and `product` items share them out by panels, which
// reads the weights once where tiles are few.
typedef struct ck_winograd {
    ck_conv conv;              // taps 3, no pointwise input, weights as ck_winograd_pack lays them out
    ck_winograd_form form;
    int tile_rows_per_item;
    float *scratch;            // `scratch_stride` floats for each thread of the pool, see ck_winograd_scratch
    size_t scratch_stride;
    float *transformed;        // all tiles, for `input` and `product`: ck_winograd_transformed floats
} ck_winograd;

// v = act(v * scale + shift), in place.
typedef struct ck_norm {
    ck_map map;
    int blocks, width, height;  // planar: blocks is the number of planes
    int rows_per_item;
    const float *scale, *shift;
    float slope;
} ck_norm;

// A 1x1 convolution of the three planes of a picture that is computed where it is needed, and never stored.
typedef struct ck_colours {
    ck_map planes;         // origin NULL: there is none
    const float *weights;  // [3][channels, padded to whole blocks]
    size_t channels;       // those, padded
} ck_colours;

// The moments of such a convolution.
typedef struct ck_colour_moments {
    ck_colours colours;
    int blocks, width, height;
    int rows_per_item;
    float *moments;  // as in ck_conv
} ck_colour_moments;

// main = act(main * scale + shift) + (skip, or act(skip * skip_scale + skip_shift)), in place; the skip is a map or `colours`.
typedef struct ck_join {
    ck_map main, skip;
    ck_colours colours;
    int blocks, width, height;
    int rows_per_item;
    const float *scale, *shift;
    const float *skip_scale, *skip_shift;  // NULL: the skip is added as it is
    float slope;
    ck_map halved;   // where even rows and columns also go; origin NULL: nowhere
    int only_halved; // 1: they alone are computed, and main stays as it is; without moments
    float *moments;  // as in ck_conv
} ck_join;

typedef struct ck_winograd_kernels {
    void (*whole)(const void *winograd, size_t item);    // transforms and multiplies a group of tile rows
    void (*input)(const void *winograd, size_t item);    // transforms 16 cells of a group
    void (*product)(const void *winograd, size_t item);  // multiplies one panel of a group
} ck_winograd_kernels;

// Items of a pass: `item` runs from 0 to the count that ck_conv_items / ck_row_items gives.
typedef struct ck_network_kernels {
    const char *name;
    int lanes;    // floats of a vector
    int vectors;  // vectors of a weight panel
    void (*conv)(const void *conv, size_t item);
    void (*conv_planar)(const void *conv, size_t item);     // planar input, blocked output, CK_STORE without skip
    void (*conv_planar_3)(const void *conv, size_t item);   // planar input and output of 3 channels, 3x3; moments [3][height][2]
    int winograd_rows;  // tiles of a register tile
    ck_winograd_kernels winograd_4, winograd_2;
    int has_bf16;  // whether what follows is there
    void (*conv_pointwise_bf16)(const void *conv, size_t item);  // 1x1, CK_STORE; weights as ck_pointwise_pack lays them out
    ck_winograd_kernels winograd_4_bf16;
    void (*norm)(const void *norm, size_t item);
    void (*norm_planar)(const void *norm, size_t item);
    void (*join)(const void *join, size_t item);
    void (*colour_moments)(const void *colour_moments, size_t item);
} ck_network_kernels;

// The kernels of an instruction set, or NULL where this CPU or build lacks it.
const ck_network_kernels *ck_network_kernels_of(ck_isa isa);

// Outputs whose weights lie together in a panel; of FADE: outputs of gamma, and as many of beta.
int ck_panel_outputs(const ck_network_kernels *kernels, int fade);
// Floats of a panel's packed weights.
size_t ck_conv_panel_count(const ck_network_kernels *kernels, int channels, int taps, int pointwise_channels, int planar);
size_t ck_conv_packed_bias_count(const ck_network_kernels *kernels, int outputs, int fade);

// Lays weights out for the kernels, panel after panel; panels may be packed one by one. `first` is
// [outputs][channels][taps][taps]; `second` is beta for FADE, the [outputs][pointwise_channels] weights of the pointwise input
// where there is one, else NULL. `planar` weights are for conv_planar.
void ck_conv_pack(const ck_network_kernels *kernels, int outputs, int channels, int taps, int pointwise_channels, int fade,
                  int planar, const float *first, const float *second, float *packed);
// `second` is beta's bias for FADE; NULL biases are zero.
void ck_conv_pack_bias(const ck_network_kernels *kernels, int outputs, int fade, const float *first, const float *second, float *packed);

// The same for `conv_pointwise_bf16`; weights are [outputs][channels].
size_t ck_pointwise_panel_count(const ck_network_kernels *kernels, int channels);
void ck_pointwise_pack(const ck_network_kernels *kernels, int outputs, int channels, const float *weights, float *packed);

// The kernels of a form, which the instruction set must have.
const ck_winograd_kernels *ck_winograd_kernels_of(const ck_network_kernels *kernels, ck_winograd_form form);

// The same for a form of Winograd: each 3x3 window becomes as many values as a tile has products.
size_t ck_winograd_panel_count(const ck_network_kernels *kernels, ck_winograd_form form, int channels);
void ck_winograd_pack(const ck_network_kernels *kernels, ck_winograd_form form, int outputs, int channels, int fade, const float *first,
                      const float *second, float *packed);
// Floats that a thread needs, and that all tiles of a map take.
size_t ck_winograd_scratch(const ck_network_kernels *kernels, ck_winograd_form form, int channels);
size_t ck_winograd_transformed(const ck_network_kernels *kernels, const ck_winograd *winograd);
// Tiles that a thread transforms at once.
int ck_winograd_segment_tiles(const ck_network_kernels *kernels, ck_winograd_form form, int channels);
size_t ck_winograd_items(const ck_winograd *winograd);
size_t ck_winograd_input_items(const ck_winograd *winograd);
size_t ck_winograd_product_items(const ck_network_kernels *kernels, const ck_winograd *winograd);

// Rows per item that make items large enough to be worth claiming, from the shape alone.
size_t ck_conv_items(const ck_network_kernels *kernels, const ck_conv *conv);
size_t ck_conv_planar_3_items(const ck_conv *conv);
size_t ck_row_items(int blocks, int height, int rows_per_item);

// Joins the moments of rows, in row order and in double: mean[c] and the sum of squared deviations m2[c], for
// c < groups * lanes; `moments` is [groups][height][2][lanes].
void ck_moments_join(const float *moments, int groups, int lanes, int height, int width, double *mean, double *m2);

#endif
