#ifndef KERNELS_ATTENTION_PLAN_H
#define KERNELS_ATTENTION_PLAN_H

// What every attention kernel does the same way: which rows and keys belong to a tile, and in which order VFA takes
// the keys.

#include <math.h>
#include <string.h>

#include "kernels.h"

#define ATTENTION_LOG2_E 1.44269504088896340736f
#define ATTENTION_LN_2 0.69314718055994530942f

// The most keys of a priority tile; what is beyond counts as far away.
enum { ATTENTION_MOST_PRIORITY_KEYS = 512 };

// How far above the largest sampled score the expected maximum of all may lie, in powers of 2.
#define ATTENTION_MOST_BEYOND_SAMPLE 1.5f

// Where an element of a strided array is, in elements.
static inline int64_t attention_offset(const kernel_strided *x, int64_t batch, int64_t head, int64_t token) {
    return batch * x->batch + head * x->head + token * x->token;
}

static inline int64_t attention_round_up(int64_t x, int64_t unit) { return (x + unit - 1) / unit * unit; }

static inline int64_t attention_tiles(const kernel_attention *p, int64_t tile_queries) {
    return (p->queries + tile_queries - 1) / tile_queries;
}

// VFA and VSA freeze their maximum, the others follow it.
static inline bool attention_freezes(const kernel_attention *p) {
    return p->variant == kernel_attention_vfa || p->variant == kernel_attention_vsa;
}

// What stands in for the automatic estimate. In float32 and bfloat16 an exponential may be as large as 2^100 without harm, so
// the priority tile alone does for short rows, where an estimate would cost more than it could save.
static inline kernel_maximum_estimate attention_estimate(const kernel_attention *p) {
    if (p->estimate != kernel_estimate_automatic) return p->estimate;
    if (p->products == kernel_products_int8) return kernel_estimate_sampled;
    return p->keys >= 1024 ? kernel_estimate_signed_abs_max : kernel_estimate_none;
}

// Marks the groups of `unit` keys that hold [begin, end).
static inline void attention_mark(
    const kernel_attention *p, int64_t begin, int64_t end, int64_t unit, uint8_t *marked) {
    if (begin < 0) begin = 0;
    if (end > p->keys) end = p->keys;
    if (begin < end) memset(marked + begin / unit, 1, (size_t)((end - 1) / unit - begin / unit + 1));
}

// Marks the groups of the priority tile for the queries [first, first + count): the sink keys, the queries' own tokens,
// and their eight neighbours in the grid.
static inline void attention_mark_priority(
    const kernel_attention *p, int64_t first, int64_t count, int64_t unit, uint8_t *marked) {
    attention_mark(p, 0, p->leading_tokens > 0 ? p->leading_tokens : 1, unit, marked);
    // With unequal lengths, the place in the keys that corresponds to the place in the queries.
    const int64_t begin = first * p->keys / p->queries;
    const int64_t end = ((first + count) * p->keys + p->queries - 1) / p->queries;
    attention_mark(p, begin, end, unit, marked);
    const int64_t width = p->grid_width;
    if (width <= 0) return;
    if (!p->cells) {
        // Row by row, neighbours are three runs of tokens. A run may reach round the edge of a row: that costs a key or two.
        for (int64_t row = -1; row <= 1; row++) attention_mark(p, begin - 1 + row * width, end + 1 + row * width, unit, marked);
        return;
    }
    const int64_t cells = p->keys - p->leading_tokens;
    for (int64_t token = begin < p->leading_tokens ? p->leading_tokens : begin; token < end; token++) {
        const int64_t cell = p->cells[token - p->leading_tokens], column = cell % width;
        for (int64_t near = cell - width; near <= cell + width; near += width) {
            if (near < 0 || near >= cells) continue;
            marked[(p->leading_tokens + p->tokens[near]) / unit] = 1;
            if (column > 0) marked[(p->leading_tokens + p->tokens[near - 1]) / unit] = 1;
            if (column + 1 < width && near + 1 < cells) marked[(p->leading_tokens + p->tokens[near + 1]) / unit] = 1;
        }
    }
}

// Fills `order` with the starts of all groups of `unit` keys, the priority groups first, and returns how many of them
// there are. Without priority the groups are taken as they come. `marked` has a byte a group.
static inline int64_t attention_order_groups(
    const kernel_attention *p, bool priority, int64_t first, int64_t count, int64_t unit, int64_t *order,
    uint8_t *marked) {
    const int64_t groups = attention_round_up(p->keys, unit) / unit;
    int64_t placed = 0;
    if (!priority) {
        for (int64_t g = 0; g < groups; g++) order[placed++] = g * unit;
        return 0;
    }
    memset(marked, 0, (size_t)groups);
    attention_mark_priority(p, first, count, unit, marked);
    const int64_t most = ATTENTION_MOST_PRIORITY_KEYS / unit;
    for (int64_t g = 0; g < groups && placed < most; g++)
        if (marked[g]) {
            order[placed++] = g * unit;
            marked[g] = 2;
        }
    const int64_t priority_groups = placed;
    for (int64_t g = 0; g < groups; g++)
        if (marked[g] != 2) order[placed++] = g * unit;
    return priority_groups;
}

// The smallest sum of exponentials that VFA accepts for `keys` keys: below, exponentials that underflowed to 0 could
// have mattered (each is below 2^-126, so together they are below 2^-24 of the sum).
static inline float attention_smallest_sum(int64_t keys) { return (float)keys * 0x1p-102f; }

// VSA's certificate from what a row left out (at most `skipped` keys whose exponentials add up to at most `bound`) and the
// sum of what it took: |error| of the row's output ≤ c / (1 + c) · (max v - min v).
static inline float attention_certificate(const kernel_attention *p, float skipped, float bound, float sum) {
    const float all_small = skipped * p->skip_threshold;
    const float c = (bound < all_small ? bound : all_small) / sum;
    return c / (1 + c);
}

// The expected largest of n normal numbers, in deviations (to 2 % for n from 2 to 10^6).
static inline float attention_expected_maximum(int64_t n) {
    const float root = sqrtf(2 * logf((float)(n < 2 ? 2 : n)));
    return root - (logf(logf((float)(n < 3 ? 3 : n))) + 2.5310242f) / (2 * root) + 0.5772157f / root;
}

#endif
