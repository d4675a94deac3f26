#ifndef KERNELS_ATTENTION_PLAN_H
#define KERNELS_ATTENTION_PLAN_H

// What every attention kernel does the same way: which rows and keys belong to a tile, and in which order VFA takes
// the keys.

#include "kernels.h"

#define ATTENTION_LOG2_E 1.44269504088896340736f
#define ATTENTION_LN_2 0.69314718055994530942f

// Where an element of a strided array is, in elements.
static inline int64_t attention_offset(const kernel_strided *x, int64_t batch, int64_t head, int64_t token) {
    return batch * x->batch + head * x->head + token * x->token;
}

static inline int64_t attention_round_up(int64_t x, int64_t unit) { return (x + unit - 1) / unit * unit; }

static inline int64_t attention_tiles(const kernel_attention *p, int64_t tile_queries) {
    return (p->queries + tile_queries - 1) / tile_queries;
}

// Keys of VFA's priority tile for the queries [first, first + count): the sink keys [0, sink_end) and the keys of the
// queries' own tokens with their neighbours one grid row up and down, [own_begin, own_end). Both are multiples of
// `unit` (or the number of keys), and own_begin >= sink_end.
typedef struct attention_priority {
    int64_t sink_end, own_begin, own_end;
} attention_priority;

static inline attention_priority attention_priority_keys(
    const kernel_attention *p, int64_t first, int64_t count, int64_t unit) {
    const int64_t reach = p->grid_width > 0 ? p->grid_width + 1 : 0;
    // With unequal lengths, the place in the keys that corresponds to the place in the queries.
    int64_t begin = first * p->keys / p->queries - reach;
    int64_t end = (first + count) * p->keys / p->queries + reach;
    int64_t sink = attention_round_up(p->leading_tokens > 0 ? p->leading_tokens : 1, unit);
    if (sink > p->keys) sink = p->keys;
    begin = begin < 0 ? 0 : begin / unit * unit;
    end = attention_round_up(end, unit);
    if (end > p->keys) end = p->keys;
    if (begin < sink) begin = sink;
    if (end < begin) end = begin;
    return (attention_priority){sink, begin, end};
}

// Fills `order` with the starts of all groups of `unit` keys, the priority groups first, and returns how many of them
// there are. FA2 takes the groups as they come and has no priority groups.
static inline int64_t attention_order_groups(
    const kernel_attention *p, bool priority, int64_t first, int64_t count, int64_t unit, int64_t *order) {
    int64_t placed = 0;
    if (!priority) {
        for (int64_t k = 0; k < p->keys; k += unit) order[placed++] = k;
        return 0;
    }
    const attention_priority keys = attention_priority_keys(p, first, count, unit);
    for (int64_t k = 0; k < keys.sink_end; k += unit) order[placed++] = k;
    for (int64_t k = keys.own_begin; k < keys.own_end; k += unit) order[placed++] = k;
    const int64_t priority_groups = placed;
    for (int64_t k = keys.sink_end; k < keys.own_begin; k += unit) order[placed++] = k;
    for (int64_t k = keys.own_end; k < p->keys; k += unit) order[placed++] = k;
    return priority_groups;
}

// The smallest sum of exponentials that VFA accepts for `keys` keys: below, exponentials that underflowed to 0 could
// have mattered (each is below 2^-126, so together they are below 2^-24 of the sum).
static inline float attention_smallest_sum(int64_t keys) { return (float)keys * 0x1p-102f; }

#endif
