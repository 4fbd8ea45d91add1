// The kernels of one instruction set as a table. See conv_kernels.h for what the including file defines.
#include "include/network.h"
extern const ck_network_kernels KERNEL(ck_network);
#include "conv_kernels.h"
#include "planar_kernels.h"
#include "winograd_kernels.h"
#include "norm_kernels.h"

const ck_network_kernels KERNEL(ck_network) = {
    .name = KERNEL_NAME,
    .lanes = LANES,
    .vectors = VECTORS,
    .conv = KERNEL(conv_f32),
    .conv_planar = KERNEL(conv_planar_f32),
    .conv_planar_3 = KERNEL(conv_planar_3_f32),
    .winograd_rows = WINOGRAD_ROWS,
    .winograd_4 = {KERNEL(winograd_4_f32), KERNEL(winograd_input_4_f32), KERNEL(winograd_product_4_f32)},
    .winograd_2 = {KERNEL(winograd_2_f32), KERNEL(winograd_input_2_f32), KERNEL(winograd_product_2_f32)},
#ifdef HAS_BF16
    .has_bf16 = 1,
    .conv_pointwise_bf16 = KERNEL(conv_pointwise_bf16),
    .winograd_4_bf16 = {KERNEL(winograd_4_bf16), KERNEL(winograd_input_4_bf16), KERNEL(winograd_product_4_bf16)},
#endif
    .norm = KERNEL(norm_f32),
    .norm_planar = KERNEL(norm_planar_f32),
    .join = KERNEL(join_f32),
    .colour_moments = KERNEL(colour_moments_f32),
};
