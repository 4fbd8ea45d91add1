// Black bars around a picture: they stay as they are, and no window looks at them.
#include "detail_plan.inc.h"

/// A bar's samples are at most this, of 255: what a lossy encoder leaves of black.
#define BLACK 8
/// A bar is at least this part of the frame's side, and what is between bars at least a quarter: other black is the picture's.
#define THINNEST 48

static int sample(const detail_frame *f, int c, ptrdiff_t at) {
    return f->bits == 8 ? ((const uint8_t *)f->source[c])[at] : ((const uint16_t *)f->source[c])[at] >> 8;
}

static int is_black(const detail_frame *f, int x, int y) {
    const ptrdiff_t at = y * f->source_stride + x;
    return sample(f, 0, at) <= BLACK && sample(f, 1, at) <= BLACK && sample(f, 2, at) <= BLACK;
}

static int is_black_row(const detail_frame *f, int width, int y) {
    for (int x = 0; x < width; x++)
        if (!is_black(f, x, y)) return 0;
    return 1;
}

/// A bar that is too thin is none, and so are two that leave too little between them.
static void keep_bars(int count, int *first, int *last) {
    if (*first * THINNEST < count) *first = 0;
    if ((count - *last) * THINNEST < count) *last = count;
    if ((*last - *first) * 4 < count) *first = 0, *last = count;
}

/// What is left of the frame without bars; nothing of it where all of it is black.
static detail_area shown_of(const detail_plan *p, const detail_frame *f) {
    detail_area a = {0, 0, p->width, p->height};
    while (a.top < a.bottom && is_black_row(f, p->width, a.top)) a.top++;
    if (a.top == a.bottom) return a;
    while (is_black_row(f, p->width, a.bottom - 1)) a.bottom--;
    int left = p->width, right = p->width;  // how many columns are black on each side
    for (int y = a.top; y < a.bottom && (left > 0 || right > 0); y++) {
        int x = 0;
        while (x < left && is_black(f, x, y)) x++;
        left = x;
        x = 0;
        while (x < right && is_black(f, p->width - 1 - x, y)) x++;
        right = x;
    }
    a.left = left;
    a.right = p->width - right;
    keep_bars(p->height, &a.top, &a.bottom);
    keep_bars(p->width, &a.left, &a.right);
    return a;
}

/// The samples among `small` that lie wholly in first..<last of `large`; beside a bar one less, which interpolation has mixed.
static void reduce(int small, int large, int first, int last, int *from, int *to) {
    *from = first > 0 ? (int)(((int64_t)first * small + large - 1) / large) + 1 : 0;
    *to = last < large ? (int)((int64_t)last * small / large) - 1 : small;
    if (*to <= *from) *from = 0, *to = small;
}

/// The windows whose centres lie in first..<last.
static void centres(int windows, int first, int last, int *from, int *to) {
    *from = first > 0 ? (first + DETAIL_STEP - 1) / DETAIL_STEP : 0;
    *to = last / DETAIL_STEP < windows && (last + DETAIL_STEP - 1) / DETAIL_STEP < windows ? last / DETAIL_STEP : windows;
    if (*to <= *from) *from = 0, *to = windows;
}

void detail_find_bars(detail_plan *p, const detail_frame *f) {
    p->shown = shown_of(p, f);
    const detail_area *a = &p->shown;
    reduce(p->w, p->width, a->left, a->right, &p->low.left, &p->low.right);
    reduce(p->h, p->height, a->top, a->bottom, &p->low.top, &p->low.bottom);
    centres(p->grid_w, p->low.left, p->low.right, &p->grid.left, &p->grid.right);
    centres(p->grid_h, p->low.top, p->low.bottom, &p->grid.top, &p->grid.bottom);
    for (int x = 0; x < p->grid_w; x++) {
        int left = DETAIL_STEP * x - 7, right = DETAIL_STEP * x + 9, first = left > p->low.left ? left : p->low.left,
            last = right < p->low.right ? right : p->low.right;
        p->samples[x] = (float)(last > first ? last - first : 0);
    }
}

/// Columns left..<right of a row of the result, as they are in the source.
static void copy(const detail_frame *f, int y, int left, int right) {
    if (right <= left) return;
    const size_t size = f->bits == 8 ? 1 : 2;
    for (int c = 0; c < 3; c++)
        memcpy((char *)f->result[c] + (size_t)(y * f->result_stride + left) * size,
               (const char *)f->source[c] + (size_t)(y * f->source_stride + left) * size, (size_t)(right - left) * size);
}

void detail_copy_bars(const detail_plan *p, const detail_frame *f, int y, int left, int right) {
    const detail_area *a = &p->shown;
    if (y < a->top || y >= a->bottom) return copy(f, y, left, right);
    copy(f, y, left, right < a->left ? right : a->left);
    copy(f, y, left > a->right ? left : a->right, right);
}
