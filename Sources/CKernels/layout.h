// How outputs and channels are cut for the kernels of one instruction set.
#ifndef CKERNELS_LAYOUT_H
#define CKERNELS_LAYOUT_H
#include "include/network.h"
#include <string.h>

// Channels count in steps of 4: the padding is zero.
enum { DEPTH_STEP = 4 };

static inline int ck_round_up(int value, int step) { return (value + step - 1) / step * step; }

// Outputs in panels of lanes * vectors; gamma and beta of the same lanes make a panel for FADE.
static inline int ck_panels(const ck_network_kernels *kernels, int outputs, int fade) {
    int width = fade ? kernels->lanes : kernels->lanes * kernels->vectors;
    return ck_round_up(outputs, width) / width;
}

// To nearest, ties to even; for finite values.
static inline uint16_t ck_bf16(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

#endif
