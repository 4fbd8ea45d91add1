// What kernel_check.c draws, and what it compares: maps as the kernels take them, and sums in double precision.
#ifndef KERNEL_CHECK_H
#define KERNEL_CHECK_H
#include "include/network.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int checks, failures;
static const ck_network_kernels *k;

static void *zeroed(size_t floats) {
    void *memory = NULL;
    if (posix_memalign(&memory, 64, (floats + 16) * sizeof(float))) abort();
    return memset(memory, 0, (floats + 16) * sizeof(float));
}

static float draw(void) {
    static uint64_t state = 88172645463325252u;
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return (float)(state >> 40) * 0x1p-23f - 1;
}

static float *drawn(size_t count) {
    float *values = zeroed(count);
    for (size_t i = 0; i < count; i++) values[i] = draw();
    return values;
}

// Blocked maps have 16 channels in a block, planar ones a margin of 16 floats at both ends of a row.
typedef struct {
    int channels, height, width, planar;
    float *memory;
    size_t count;
    ck_map map;
} map;

static map map_of(int channels, int height, int width, int planar) {
    map m = {channels, height, width, planar, NULL, 0, {NULL, 0, 0}};
    m.map.row = planar ? (size_t)(width + 15) / 16 * 16 + 32 : (size_t)(width + 2) * CK_BLOCK;
    m.map.block = (size_t)(height + 2) * m.map.row;
    m.count = (size_t)(planar ? channels : (channels + 15) / 16) * m.map.block;
    m.memory = zeroed(m.count);
    m.map.origin = m.memory + m.map.row + CK_BLOCK;
    return m;
}

static float *at(const map *m, int c, int y, int x) {
    float *origin = m->map.origin + (ptrdiff_t)y * (ptrdiff_t)m->map.row;
    return m->planar ? origin + (size_t)c * m->map.block + x
                     : origin + (size_t)(c / CK_BLOCK) * m->map.block + (ptrdiff_t)x * CK_BLOCK + c % CK_BLOCK;
}

static map drawn_map(int channels, int height, int width, int planar) {
    map m = map_of(channels, height, width, planar);
    for (int c = 0; c < channels; c++)
        for (int y = 0; y < height; y++)
            for (int x = 0; x < width; x++) *at(&m, c, y, x) = draw();
    return m;
}

static map copy(const map *m) {
    map result = map_of(m->channels, m->height, m->width, m->planar);
    memcpy(result.memory, m->memory, m->count * sizeof(float));
    return result;
}

// What a kernel should give, and how much of what was added up: rounding may take `terms` halves of a last bit of it.
typedef struct {
    double value, magnitude;
} sum;

static sum plus(sum a, double v) { return (sum){a.value + v, a.magnitude + fabs(v)}; }
static sum activated(sum a, double slope) { return (sum){a.value < 0 ? a.value * slope : a.value, a.magnitude}; }
static sum affine(sum a, double scale, double shift) {
    return (sum){a.value * scale + shift, a.magnitude * fabs(scale) + fabs(shift)};
}

static sum convolved(const map *m, int y, int x, const float *weights, int taps) {
    sum s = {0, 0};
    for (int c = 0; c < m->channels; c++)
        for (int tap = 0; tap < taps * taps; tap++) {
            int dy = y + tap / taps - taps / 2, dx = x + tap % taps - taps / 2;
            double v = dy < 0 || dx < 0 || dy >= m->height || dx >= m->width ? 0 : *at(m, c, dy, dx);
            s = plus(s, v * weights[c * taps * taps + tap]);
        }
    return s;
}

static int fails(const char *what, int c, int y, int x, double found, sum wanted, double terms) {
    double tolerance = (terms + 8) * 0x1p-24 * (wanted.magnitude + 1e-30);
    if (fabs(found - wanted.value) <= tolerance) return 0;
    printf("%s %s at %d, %d, %d: %g instead of %g, tolerance %g\n", k->name, what, c, y, x, found, wanted.value, tolerance);
    return 1;
}

static void count(int failed) {
    checks++;
    failures += failed;
}

// The moments of every row, [blocks][height][2][16] or [channels][height][2]; of values that are sums
// of up to `magnitude_of_values` themselves, their own rounding counts too.
static int moments_fail(const char *what, const map *m, const float *moments, double magnitude_of_values) {
    int lanes = m->planar ? 1 : CK_BLOCK;
    for (int c = 0; c < m->channels; c++)
        for (int y = 0; y < m->height; y++) {
            double mean = 0, squares = 0, magnitude = 0, rounded = 0;
            for (int x = 0; x < m->width; x++) mean += *at(m, c, y, x), magnitude += fabs(*at(m, c, y, x));
            mean /= m->width;
            for (int x = 0; x < m->width; x++) {
                double value = *at(m, c, y, x), deviation = value - mean;
                squares += deviation * deviation;
                rounded += magnitude_of_values * 2 * fabs(deviation);
            }
            const float *found = moments + ((size_t)(c / lanes) * (size_t)m->height + (size_t)y) * 2 * (size_t)lanes + c % lanes;
            sum wanted = {mean, magnitude / m->width + magnitude_of_values};
            sum deviations = {squares, squares + rounded + 1e-6 * magnitude * magnitude / m->width};
            if (fails(what, c, y, -1, found[0], wanted, m->width)) return 1;
            if (fails(what, c, y, -2, found[lanes], deviations, 4.0 * m->width)) return 1;
        }
    return 0;
}

// Whether anything but the map's own values is not zero.
static int spills(const char *what, const map *m) {
    map rest = copy(m);
    for (int c = 0; c < m->channels; c++)
        for (int y = 0; y < m->height; y++)
            for (int x = 0; x < m->width; x++) *at(&rest, c, y, x) = 0;
    int found = 0;
    for (size_t i = 0; i < rest.count && !found; i++) found = rest.memory[i] != 0;
    free(rest.memory);
    if (found) printf("%s %s writes beside its map\n", k->name, what);
    return found;
}

#endif
