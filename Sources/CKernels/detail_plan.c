// The detail transfer of one frame: what is computed at the network's size, and the two passes over the full frame.
// The method is described in samples/detail/README.md; the stages below are its steps in order.
#include <assert.h>
#include <math.h>
#include "detail_plan.inc.h"

static int low_begin(const detail_plan *p, int band) { return (int)((int64_t)p->h * band / p->bands); }
static int full_begin(const detail_plan *p, int band) { return (int)((int64_t)p->height * band / p->bands); }
static int clamp_row(int y, int count) { return y < 0 ? 0 : y >= count ? count - 1 : y; }

/// Repeats the end samples into the margins that filters along x read.
static void extend(const detail_plan *p, float *row) {
    for (int k = 1; k <= 4; k++) {
        row[-k] = row[0];
        row[p->w - 1 + k] = row[p->w - 1];
    }
}

/// The window mean of row y of a plane.
static void box(const detail_plan *p, detail_scratch *s, int plane, int radius, int y, float *out) {
    const float *rows[2 * DETAIL_MAX_RADIUS + 1];
    int top = y - radius < 0 ? 0 : y - radius, bottom = y + radius >= p->h ? p->h - 1 : y + radius;
    for (int k = top; k <= bottom; k++) rows[k - top] = plane_row(p, plane, k);
    int count = bottom - top + 1;
    const float *reciprocal = (radius == 1 ? p->reciprocal_near : p->reciprocal_wide) + (ptrdiff_t)count * p->w;
    // The sums themselves begin at a whole vector.
    p->k->box_f32(p->w, count, rows, radius, reciprocal, s->column + DETAIL_MAX_RADIUS - radius, out);
}

/// out = 2 x - K x of row y of a plane; returns the sum of (x - K x)^2.
static float sharpen(const detail_plan *p, detail_scratch *s, int plane, int y, float *out) {
    const float *rows[5];
    for (int k = 0; k < 5; k++) rows[k] = plane_row(p, plane, clamp_row(y + k - 2, p->h));
    return p->k->sharpen_f32(p->w, rows, p->down + 5 * (ptrdiff_t)y, p->across, s->column + DETAIL_MARGIN, out);
}

/// Averages the source's luma down to the network's size, and forms the products whose window means the regression needs.
static void stage_prepare(detail_plan *p, const detail_frame *f, detail_scratch *s, int band) {
    int done = -1;
    for (int y = low_begin(p, band); y < low_begin(p, band + 1); y++) {
        memset(s->sums[0], 0, (size_t)p->width * sizeof(float));
        for (int k = 0; k < p->down_count; k++) {
            float weight = p->down_weights[(ptrdiff_t)y * p->down_count + k];
            int row = p->down_first[y] + k;
            if (weight == 0) continue;
            if (row != done) luma_row(p, f, row, s->lines[0]);
            done = row;
            p->k->accumulate_f32(p->width, weight, s->lines[0], s->sums[0]);
        }
        float *luma = plane_row(p, LUMA, y), *guide = plane_row(p, GUIDE, y);
        p->k->average_f32(p->w, p->left_count, p->left_first, p->left_weights, s->sums[0], luma);
        extend(p, luma);
        p->k->product_f32(p->w, luma, luma, plane_row(p, LUMA_SQUARE, y));
        p->k->luma_f32(p->w, f->input[0] + y * f->input_stride, f->input[1] + y * f->input_stride,
                       f->input[2] + y * f->input_stride, guide);
        p->k->product_f32(p->w, guide, guide, plane_row(p, GUIDE_SQUARE, y));
        for (int c = 0; c < 3; c++) {
            float *output = plane_row(p, OUTPUT + c, y);
            memcpy(output, f->output[c] + y * f->output_stride, (size_t)p->w * sizeof(float));
            extend(p, output);
            p->k->product_f32(p->w, guide, output, plane_row(p, PRODUCT + c, y));
        }
    }
}

/// The window means of rows begin..<end of a plane, one below the other; a plane at a time, so that its rows stay in the
/// first cache while windows pass over them.
static void boxes(const detail_plan *p, detail_scratch *s, int plane, int radius, int begin, int end, float *out) {
    for (int y = begin; y < end; y++) box(p, s, plane, radius, y, out + (ptrdiff_t)(y - begin) * p->stride);
}

/// The guided filter's regression in the windows of a few rows, and the gain of the source's detail there.
static void regress_rows(detail_plan *p, detail_scratch *s, int begin, int end) {
    const float gain[4] = {p->tuning.gain, p->tuning.threshold, p->tuning.headroom, p->tuning.floor};
    float **m = s->low;
    boxes(p, s, GUIDE, p->tuning.radius, begin, end, m[0]);
    boxes(p, s, GUIDE_SQUARE, p->tuning.radius, begin, end, m[1]);
    for (int c = 0; c < 3; c++) {
        boxes(p, s, OUTPUT + c, p->tuning.radius, begin, end, m[2]);
        boxes(p, s, PRODUCT + c, p->tuning.radius, begin, end, m[3]);
        for (int y = begin; y < end; y++) {
            const ptrdiff_t at = (y - begin) * p->stride;
            p->k->regression_f32(p->w, p->tuning.epsilon, m[0] + at, m[1] + at, m[2] + at, m[3] + at,
                                 plane_row(p, SLOPE + c, y), plane_row(p, OFFSET + c, y));
        }
    }
    boxes(p, s, LUMA, 1, begin, end, m[0]);
    boxes(p, s, LUMA_SQUARE, 1, begin, end, m[1]);
    for (int y = begin; y < end; y++) {
        const ptrdiff_t at = (y - begin) * p->stride;
        p->k->deviation_f32(p->w, m[0] + at, m[1] + at, m[2]);
        p->k->gain_f32(p->w, gain, m[2], plane_row(p, OUTPUT, y), plane_row(p, OUTPUT + 1, y),
                       plane_row(p, OUTPUT + 2, y), plane_row(p, RAW_GAIN, y));
    }
}

static int group_end(const detail_plan *p, int band, int begin) {
    int end = low_begin(p, band + 1);
    return end - begin < DETAIL_GROUP ? end : begin + DETAIL_GROUP;
}

static void stage_regress(detail_plan *p, const detail_frame *f, detail_scratch *s, int band) {
    (void)f;
    for (int y = low_begin(p, band); y < low_begin(p, band + 1); y += DETAIL_GROUP)
        regress_rows(p, s, y, group_end(p, band, y));
}

/// What the averaged regression does not explain of the network's picture.
static void stage_residual(detail_plan *p, const detail_frame *f, detail_scratch *s, int band) {
    (void)f;
    for (int begin = low_begin(p, band); begin < low_begin(p, band + 1); begin += DETAIL_GROUP)
        for (int c = 0; c < 3; c++) {
            const int end = group_end(p, band, begin);
            boxes(p, s, SLOPE + c, p->tuning.radius, begin, end, s->low[0]);
            boxes(p, s, OFFSET + c, p->tuning.radius, begin, end, s->low[1]);
            for (int y = begin; y < end; y++) {
                const ptrdiff_t at = (y - begin) * p->stride;
                float *out = plane_row(p, RESIDUAL + c, y);
                p->k->residual_f32(p->w, s->low[0] + at, s->low[1] + at, plane_row(p, GUIDE, y),
                                   plane_row(p, OUTPUT + c, y), out);
                extend(p, out);
            }
        }
}

/// What would be taken away of it, how that compares with the error that bicubic interpolation makes, and the base without
/// the source's detail.
static void stage_roughness(detail_plan *p, const detail_frame *f, detail_scratch *s, int band) {
    (void)f;
    for (int y = low_begin(p, band); y < low_begin(p, band + 1); y++) {
        double removed = 0, error = 0;
        for (int c = 0; c < 3; c++) {
            const float *rows[3];
            for (int k = 0; k < 3; k++) rows[k] = plane_row(p, RESIDUAL + c, clamp_row(y + k - 1, p->h));
            float *out = plane_row(p, REMOVED + c, y);
            removed += p->k->roughness_f32(p->w, p->tuning.rough, p->tuning.all, rows, out);
            extend(p, out);
            error += sharpen(p, s, OUTPUT + c, y, plane_row(p, BASE + c, y));
        }
        p->removed_energy[y] = removed;
        p->error_energy[y] = error;
    }
}

/// Gain and base at the network's size: result = gain * luma(source) + base, both upsampled; and what is removed, made to
/// come through that upsampling whole.
static void stage_base(detail_plan *p, const detail_frame *f, detail_scratch *s, int band) {
    (void)f;
    for (int y = low_begin(p, band); y < low_begin(p, band + 1); y++) {
        float *gain = plane_row(p, GAIN, y);
        box(p, s, RAW_GAIN, 1, y, gain);
        extend(p, gain);
        sharpen(p, s, LUMA, y, s->low[0]);
        for (int c = 0; c < 3; c++) {
            float *base = plane_row(p, BASE + c, y);
            p->k->unload_f32(p->w, gain, s->low[0], base);
            extend(p, base);
            sharpen(p, s, REMOVED + c, y, plane_row(p, REMOVAL + c, y));
        }
    }
}

/// Upsampled rows of gain and base for row y of the frame; kept from call to call while y grows.
static detail_taps taps_for(const detail_plan *p, detail_scratch *s, int base, int y) {
    detail_taps taps;
    for (int k = 0; k < 4; k++) {
        int row = clamp_row(p->up_first[y] + k, p->h), slot = row % 4;
        for (int i = 0; i < 4; i++) {
            float *line = s->ring + (ptrdiff_t)(4 * i + slot) * p->line_stride;
            if (s->ring_row[slot] != row)
                p->k->upsample_f32(p->width, p->right_first, p->right_weights, plane_row(p, i ? base + i - 1 : GAIN, row), line);
            taps.rows[i][k] = line;
        }
        s->ring_row[slot] = row;
        taps.weights[k] = p->up_weights[4 * (ptrdiff_t)y + k];
    }
    return taps;
}

/// Averages the result down and adds to the base what it lacks: clipping and a gain that varies leave an error.
static void stage_measure(detail_plan *p, const detail_frame *f, detail_scratch *s, int band) {
    int done = -1;
    for (int k = 0; k < 4; k++) s->ring_row[k] = -1;
    for (int y = low_begin(p, band); y < low_begin(p, band + 1); y++) {
        double lack = 0;
        for (int c = 0; c < 3; c++) memset(s->sums[c], 0, (size_t)p->width * sizeof(float));
        for (int k = 0; k < p->down_count; k++) {
            float weight = p->down_weights[(ptrdiff_t)y * p->down_count + k];
            int row = p->down_first[y] + k;
            if (weight == 0) continue;
            if (row != done) {
                detail_taps taps = taps_for(p, s, BASE, row);
                if (f->bits == 8) {
                    const uint8_t *source[3];
                    for (int c = 0; c < 3; c++) source[c] = (const uint8_t *)f->source[c] + row * f->source_stride;
                    p->k->measure_u8(p->width, &taps, source, s->lines);
                } else {
                    const uint16_t *source[3];
                    for (int c = 0; c < 3; c++) source[c] = (const uint16_t *)f->source[c] + row * f->source_stride;
                    p->k->measure_u16(p->width, &taps, source, s->lines);
                }
            }
            done = row;
            for (int c = 0; c < 3; c++) p->k->accumulate_f32(p->width, weight, s->lines[c], s->sums[c]);
        }
        for (int c = 0; c < 3; c++) {
            float *final = plane_row(p, FINAL + c, y);
            p->k->average_f32(p->w, p->left_count, p->left_first, p->left_weights, s->sums[c], s->low[0]);
            lack += p->k->correct_f32(p->w, plane_row(p, OUTPUT + c, y), s->low[0], plane_row(p, BASE + c, y), final);
        }
        p->lack_energy[y] = lack;
    }
}

/// Takes the roughness away, as far as the allowance goes and what the correction will not reach leaves of it.
static void stage_smooth(detail_plan *p, const detail_frame *f, detail_scratch *s, int band) {
    (void)f;
    (void)s;
    double removed = 0, error = 0, lack = 0;
    for (int y = 0; y < p->h; y++) {
        removed += p->removed_energy[y];
        error += p->error_energy[y];
        lack += p->lack_energy[y];
    }
    // Rounding alone leaves about 1e-14 a sample; the small constant keeps a flat picture flat.
    double scale = (p->tuning.allowance * error - p->tuning.remainder * lack) / (removed + 1e-9 * p->w * p->h);
    scale = scale > 0 ? sqrt(scale) : 0;
    if (scale > 1) scale = 1;
    for (int y = low_begin(p, band); y < low_begin(p, band + 1); y++)
        for (int c = 0; c < 3; c++) {
            float *final = plane_row(p, FINAL + c, y);
            p->k->accumulate_f32(p->w, (float)-scale, plane_row(p, REMOVAL + c, y), final);
            extend(p, final);
        }
}

/// Interpolation alone: no gain, and the network's picture as the base.
static void stage_interpolate(detail_plan *p, const detail_frame *f, detail_scratch *s, int band) {
    (void)s;
    for (int y = low_begin(p, band); y < low_begin(p, band + 1); y++) {
        float *gain = plane_row(p, GAIN, y);
        memset(gain - 4, 0, (size_t)(p->w + 8) * sizeof(float));
        for (int c = 0; c < 3; c++) {
            float *base = plane_row(p, FINAL + c, y);
            memcpy(base, f->output[c] + y * f->output_stride, (size_t)p->w * sizeof(float));
            extend(p, base);
        }
    }
}

static void stage_apply(detail_plan *p, const detail_frame *f, detail_scratch *s, int band) {
    for (int k = 0; k < 4; k++) s->ring_row[k] = -1;
    for (int y = full_begin(p, band); y < full_begin(p, band + 1); y++) {
        detail_taps taps = taps_for(p, s, FINAL, y);
        if (f->bits == 8) {
            const uint8_t *source[3];
            uint8_t *result[3];
            for (int c = 0; c < 3; c++) {
                source[c] = (const uint8_t *)f->source[c] + y * f->source_stride;
                result[c] = (uint8_t *)f->result[c] + y * f->result_stride;
            }
            p->k->apply_u8(p->width, &taps, f->strength, source, result);
        } else {
            const uint16_t *source[3];
            uint16_t *result[3];
            for (int c = 0; c < 3; c++) {
                source[c] = (const uint16_t *)f->source[c] + y * f->source_stride;
                result[c] = (uint16_t *)f->result[c] + y * f->result_stride;
            }
            p->k->apply_u16(p->width, &taps, f->strength, source, result);
        }
    }
}

typedef void (*detail_stage)(detail_plan *, const detail_frame *, detail_scratch *, int);
static const detail_stage guided_stages[] = {stage_prepare, stage_regress, stage_residual, stage_roughness,
                                             stage_base,    stage_measure, stage_smooth,   stage_apply};
static const detail_stage plain_stages[] = {stage_interpolate, stage_apply};

int detail_plan_stages(const detail_plan *plan) {
    return plan->guided ? (int)(sizeof guided_stages / sizeof *guided_stages)
                        : (int)(sizeof plain_stages / sizeof *plain_stages);
}

void detail_plan_run(detail_plan *plan, const detail_frame *frame, int stage, int band) {
    assert(stage >= 0 && stage < detail_plan_stages(plan) && band >= 0 && band < plan->bands);
    (plan->guided ? guided_stages : plain_stages)[stage](plan, frame, plan->scratch + band, band);
}
