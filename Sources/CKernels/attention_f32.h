// Tiled attention with float32 arithmetic: FA2, VFA and the naive twin on the same tiles and inner loops.
//
// Lanes are queries. A tile of 3 vectors of queries meets GROUP keys at a time, so that 3 · GROUP accumulators stay in
// registers, each key's channels are broadcast, and row maxima, sums and rescales need nothing across lanes. The
// second product has the same form: GROUP channels of the values, broadcast, times the exponentials of a key.
//
// Keys and values of a head are first copied to dense arrays (a few per cent of the time at 200 tokens): rows of a
// fused qkv buffer lie a page apart. With bfloat16 products the copies and the exponentials are rounded.

enum {
#if LANES == 16
    GROUP = 8, // 24 accumulators + 3 queries + 1 broadcast of 32 registers
#else
    GROUP = 4, // 12 + 3 + 1 of 16
#endif
    BLOCK = 64, // keys between two updates of the online softmax
};

// Finite, so that a block of -∞ scores gives exponentials of 0 and not of ∞ - ∞.
#define LOWEST_MAXIMUM (-3e38f)

typedef struct tile_scratch {
    float *k, *v;             // dense head: (keys, width), (keys, padded width); keys padded to groups
    float *representation;    // (key blocks, width), padded to groups
    float *q, *o;             // tile: (width, TILE), (padded width, TILE)
    float *s;                 // scores, then exponentials: (keys of the largest block, TILE)
    int64_t *order;           // groups of keys in the order they are taken
    int32_t *fallback;        // rows of the current head that failed the guard
    int64_t fallback_count;
} tile_scratch;

INLINE int64_t padded_keys(const kernel_attention *p) { return attention_round_up(p->keys, GROUP); }
INLINE int64_t padded_width(const kernel_attention *p) { return attention_round_up(p->width, GROUP); }
INLINE int64_t key_blocks(const kernel_attention *p) { return (p->keys + BLOCK - 1) / BLOCK; }

// Keys of the largest block: the priority tile is taken as one, and the naive twin has one block.
INLINE int64_t largest_block(const kernel_attention *p) {
    if (p->variant == kernel_attention_naive) return padded_keys(p);
    if (p->variant == kernel_attention_fa2) return BLOCK;
    const int64_t own = TILE * (p->keys / p->queries + 1) + 2 * (p->grid_width + 1);
    const int64_t sink = p->leading_tokens > 0 ? p->leading_tokens : 1;
    const int64_t priority = attention_round_up(own, GROUP) + attention_round_up(sink, GROUP) + 2 * GROUP;
    const int64_t all = padded_keys(p);
    const int64_t block = priority > BLOCK ? priority : BLOCK;
    return block < all || all < BLOCK ? block : all;
}

// Divides the scratch; returns its size, and fills `x` where given.
static size_t divide_scratch(const kernel_attention *p, void *scratch, tile_scratch *x) {
    size_t offset = 0;
#define PART(member, type, count)                                                                                      \
    do {                                                                                                               \
        if (x) x->member = (type *)((char *)scratch + offset);                                                         \
        offset += ((size_t)(count) * sizeof(type) + 63) / 64 * 64;                                                     \
    } while (0)
    PART(q, float, p->width * TILE);
    PART(o, float, padded_width(p) * TILE);
    PART(s, float, largest_block(p) * TILE);
    PART(representation, float, attention_round_up(key_blocks(p), GROUP) * p->width);
    PART(k, float, padded_keys(p) * p->width);
    PART(v, float, padded_keys(p) * padded_width(p));
    PART(order, int64_t, padded_keys(p) / GROUP + 1);
    PART(fallback, int32_t, p->queries);
    return offset;
}

static size_t vector_attention_scratch(const kernel_attention *p) { return divide_scratch(p, NULL, NULL); }

static int64_t vector_attention_tile_queries(const kernel_attention *p) {
    (void)p;
    return TILE;
}

// MARK: - Inner loops

// start + scores of GROUP keys, which begin at k, with all queries of the tile.
INLINE void group_scores(
    const float *q, const float *k, int64_t width, int vectors, const vf *start, vf s[GROUP][TILE_VECTORS]) {
    UNROLL for (int key = 0; key < GROUP; key++)
        UNROLL for (int v = 0; v < vectors; v++) s[key][v] = start[v];
    for (int64_t c = 0; c < width; c++) {
        vf queries[TILE_VECTORS];
        UNROLL for (int v = 0; v < vectors; v++) queries[v] = vf_load(q + c * TILE + v * LANES);
        UNROLL for (int key = 0; key < GROUP; key++) {
            const vf channel = vf_set(k[key * width + c]);
            UNROLL for (int v = 0; v < vectors; v++) s[key][v] = vf_fma(channel, queries[v], s[key][v]);
        }
    }
}

// Scores of keys that do not exist become -∞. Compares constants with `valid`, so that s stays in registers.
INLINE void mask_missing_keys(vf s[GROUP][TILE_VECTORS], int vectors, int64_t valid) {
    UNROLL for (int key = 0; key < GROUP; key++)
        if (key >= valid) UNROLL for (int v = 0; v < vectors; v++) s[key][v] = vf_set(-__builtin_inff());
}

// o (channels, TILE) = factor · o + values · exponentials, over groups of keys.
INLINE void add_products(
    float *o, int64_t channels, const float *values, int64_t stride, const float *s, const int64_t *order,
    int64_t groups, int vectors, bool first, const vf *factor) {
    for (int64_t c = 0; c < channels; c += GROUP) {
        vf sums[GROUP][TILE_VECTORS];
        UNROLL for (int i = 0; i < GROUP; i++)
            UNROLL for (int v = 0; v < vectors; v++) {
                sums[i][v] = first ? vf_set(0) : vf_load(o + (c + i) * TILE + v * LANES);
                if (factor) sums[i][v] *= factor[v];
            }
        for (int64_t g = 0; g < groups; g++) {
            const float *from = values + order[g] * stride + c;
            const float *exponentials = s + g * GROUP * TILE;
            for (int key = 0; key < GROUP; key++) {
                vf p[TILE_VECTORS];
                UNROLL for (int v = 0; v < vectors; v++) p[v] = vf_load(exponentials + key * TILE + v * LANES);
                UNROLL for (int i = 0; i < GROUP; i++) {
                    const vf value = vf_set(from[key * stride + i]);
                    UNROLL for (int v = 0; v < vectors; v++) sums[i][v] = vf_fma(value, p[v], sums[i][v]);
                }
            }
        }
        UNROLL for (int i = 0; i < GROUP; i++)
            UNROLL for (int v = 0; v < vectors; v++) vf_store(o + (c + i) * TILE + v * LANES, sums[i][v]);
    }
}

// MARK: - A block of keys

// Maxima, sums and accumulator of a tile while keys go by.
typedef struct tile_state {
    vf maximum[TILE_VECTORS], sum[TILE_VECTORS];
    bool empty; // no key so far
} tile_state;

// The online softmax: maxima of the block, factor of what came before, exponentials, products.
INLINE void add_block_online(
    const kernel_attention *p, const tile_scratch *x, tile_state *state, const int64_t *order, int64_t groups,
    int vectors, bool rounded) {
    const vf zero[TILE_VECTORS] = {vf_set(0), vf_set(0), vf_set(0)};
    vf maximum[TILE_VECTORS];
    UNROLL for (int v = 0; v < vectors; v++) maximum[v] = state->maximum[v];
    for (int64_t g = 0; g < groups; g++) {
        vf s[GROUP][TILE_VECTORS];
        group_scores(x->q, x->k + order[g] * p->width, p->width, vectors, zero, s);
        if (order[g] + GROUP > p->keys) mask_missing_keys(s, vectors, p->keys - order[g]);
        UNROLL for (int key = 0; key < GROUP; key++)
            UNROLL for (int v = 0; v < vectors; v++) {
                maximum[v] = vf_max(maximum[v], s[key][v]);
                vf_store(x->s + (g * GROUP + key) * TILE + v * LANES, s[key][v]);
            }
    }
    vf factor[TILE_VECTORS];
    UNROLL for (int v = 0; v < vectors; v++) {
        factor[v] = exp2_score(state->maximum[v] - maximum[v]);
        state->maximum[v] = maximum[v];
        state->sum[v] *= factor[v];
    }
    for (int64_t key = 0; key < groups * GROUP; key++)
        UNROLL for (int v = 0; v < vectors; v++) {
            float *at = x->s + key * TILE + v * LANES;
            vf e = exp2_score(vf_load(at) - maximum[v]);
            if (rounded) e = vf_rounded_to_bfloat16(e);
            state->sum[v] += e;
            vf_store(at, e);
        }
    if (state->empty)
        add_products(x->o, padded_width(p), x->v, padded_width(p), x->s, order, groups, vectors, true, NULL);
    else
        add_products(x->o, padded_width(p), x->v, padded_width(p), x->s, order, groups, vectors, false, factor);
    state->empty = false;
}

// With the maximum frozen: the products start at -maximum and go straight into the exponential.
INLINE void add_block_frozen(
    const kernel_attention *p, const tile_scratch *x, tile_state *state, const int64_t *order, int64_t groups,
    int vectors, bool rounded) {
    vf start[TILE_VECTORS];
    UNROLL for (int v = 0; v < vectors; v++) start[v] = -state->maximum[v];
    for (int64_t g = 0; g < groups; g++) {
        vf s[GROUP][TILE_VECTORS];
        group_scores(x->q, x->k + order[g] * p->width, p->width, vectors, start, s);
        if (order[g] + GROUP > p->keys) mask_missing_keys(s, vectors, p->keys - order[g]);
        UNROLL for (int key = 0; key < GROUP; key++)
            UNROLL for (int v = 0; v < vectors; v++) {
                vf e = exp2_score(s[key][v]);
                if (rounded) e = vf_rounded_to_bfloat16(e);
                state->sum[v] += e;
                vf_store(x->s + (g * GROUP + key) * TILE + v * LANES, e);
            }
    }
    add_products(x->o, padded_width(p), x->v, padded_width(p), x->s, order, groups, vectors, false, NULL);
}

// The maximum's first estimate: the largest score with a key block's representation.
INLINE void estimate_maximum(const kernel_attention *p, const tile_scratch *x, tile_state *state, int vectors) {
    const vf zero[TILE_VECTORS] = {vf_set(0), vf_set(0), vf_set(0)};
    for (int64_t block = 0; block < key_blocks(p); block += GROUP) {
        vf s[GROUP][TILE_VECTORS];
        group_scores(x->q, x->representation + block * p->width, p->width, vectors, zero, s);
        UNROLL for (int key = 0; key < GROUP; key++)
            UNROLL for (int v = 0; v < vectors; v++) state->maximum[v] = vf_max(state->maximum[v], s[key][v]);
    }
}

// MARK: - Tiles and heads

INLINE void attend_tile(
    const kernel_attention *p, tile_scratch *x, int64_t head, const int32_t *rows, int64_t count, bool frozen,
    bool fallback, int vectors, bool rounded, kernel_attention_counters *counters) {
    load_transposed(p, &p->q, p->storage, head, rows, count, 1, rounded, p->width, x->q);
    const float scale = p->scale * ATTENTION_LOG2_E;
    for (int64_t i = 0; i < p->width; i++)
        UNROLL for (int v = 0; v < vectors; v++) {
            float *at = x->q + i * TILE + v * LANES;
            vf_store(at, vf_load(at) * scale);
        }

    tile_state state = {.empty = true};
    UNROLL for (int v = 0; v < vectors; v++) {
        state.maximum[v] = vf_set(LOWEST_MAXIMUM);
        state.sum[v] = vf_set(0);
    }
    const int64_t groups = padded_keys(p) / GROUP;
    const int64_t block_groups = p->variant == kernel_attention_naive ? groups : BLOCK / GROUP;
    int64_t tiles = 0, done = 0;
    const int64_t priority_groups = attention_order_groups(p, frozen, rows[0], count, GROUP, x->order);
    if (frozen) {
        estimate_maximum(p, x, &state, vectors);
        add_block_online(p, x, &state, x->order, priority_groups, vectors, rounded);
        counters->row_maximum_tiles += 1;
        tiles = 1;
        for (done = priority_groups; done < groups; done += block_groups, tiles++) {
            const int64_t part = groups - done < block_groups ? groups - done : block_groups;
            add_block_frozen(p, x, &state, x->order + done, part, vectors, rounded);
        }
    } else {
        for (; done < groups; done += block_groups, tiles++) {
            const int64_t part = groups - done < block_groups ? groups - done : block_groups;
            add_block_online(p, x, &state, x->order + done, part, vectors, rounded);
        }
        if (fallback) {
            counters->fallback_tiles += tiles;
            counters->fallback_rescales += tiles - 1;
        } else {
            counters->row_maximum_tiles += tiles;
            counters->rescales += tiles - 1;
        }
    }
    if (!fallback) counters->tiles += tiles;

    float sums[TILE], maxima[TILE], factors[TILE];
    UNROLL for (int v = 0; v < vectors; v++) {
        vf_store(sums + v * LANES, state.sum[v]);
        vf_store(maxima + v * LANES, state.maximum[v]);
        vf_store(factors + v * LANES, 1.0f / state.sum[v]);
    }
    uint64_t failing = 0;
    if (frozen) {
        failing = failing_lanes(sums, x->o, padded_width(p), count, p->keys);
        for (uint64_t rest = failing; rest; rest &= rest - 1)
            x->fallback[x->fallback_count++] = rows[__builtin_ctzll(rest)];
    }
    store_transposed(p, &p->o, p->storage, head, rows, count, factors, failing, x->o);
    store_log_sum_exp(p, head, rows, count, maxima, sums, failing);
}

// One body for each number of vectors and rounding, chosen once a tile.
#define TILE_BODY(v, r)                                                                                                \
    static __attribute__((noinline)) void attend_tile_##v##_##r(                                                       \
        const kernel_attention *p, tile_scratch *x, int64_t head, const int32_t *rows, int64_t count, bool frozen,     \
        bool fallback, kernel_attention_counters *counters) {                                                          \
        attend_tile(p, x, head, rows, count, frozen, fallback, v, r, counters);                                        \
    }
TILE_BODY(1, false)
TILE_BODY(2, false)
TILE_BODY(3, false)
TILE_BODY(1, true)
TILE_BODY(2, true)
TILE_BODY(3, true)
#undef TILE_BODY

static void attend_rows(
    const kernel_attention *p, tile_scratch *x, int64_t head, const int32_t *rows, int64_t count, bool frozen,
    bool fallback, kernel_attention_counters *counters) {
    const bool rounded = p->products == kernel_bfloat16;
    const int64_t vectors = (count + LANES - 1) / LANES;
    if (vectors == 1)
        (rounded ? attend_tile_1_true : attend_tile_1_false)(p, x, head, rows, count, frozen, fallback, counters);
    else if (vectors == 2)
        (rounded ? attend_tile_2_true : attend_tile_2_false)(p, x, head, rows, count, frozen, fallback, counters);
    else
        (rounded ? attend_tile_3_true : attend_tile_3_false)(p, x, head, rows, count, frozen, fallback, counters);
}

// The representation of each key block: in each channel the entry of largest magnitude, with its sign. Rows that fill
// the last group repeat the first.
static void represent_key_blocks(const kernel_attention *p, const tile_scratch *x) {
    const int64_t blocks = key_blocks(p), padded = attention_round_up(blocks, GROUP);
    for (int64_t block = 0; block < blocks; block++) {
        const int64_t end = (block + 1) * BLOCK < p->keys ? (block + 1) * BLOCK : p->keys;
        EACH_VECTOR(c, n, p->width) {
            vf largest = vf_set(0);
            for (int64_t key = block * BLOCK; key < end; key++) {
                const vf value = load(x->k, kernel_float32, key * p->width + c, n);
                largest = vf_abs(value) > vf_abs(largest) ? value : largest;
            }
            store(x->representation, kernel_float32, block * p->width + c, largest, n);
        }
    }
    for (int64_t block = blocks; block < padded; block++)
        memcpy(x->representation + block * p->width, x->representation, (size_t)p->width * sizeof(float));
}

// Rows that failed the guard are gathered over a head and redone in full tiles: a guard that sent whole tiles back
// would multiply a few bad rows by the size of the tile.
static void redo_failed_rows(
    const kernel_attention *p, tile_scratch *x, int64_t head, kernel_attention_counters *counters) {
    for (int64_t done = 0; done < x->fallback_count; done += TILE) {
        const int64_t count = x->fallback_count - done < TILE ? x->fallback_count - done : TILE;
        attend_rows(p, x, head, x->fallback + done, count, false, true, counters);
    }
    counters->fallback_rows += x->fallback_count;
    x->fallback_count = 0;
}

static void vector_attention(
    const kernel_attention *p, int64_t begin, int64_t end, void *scratch, kernel_attention_counters *counters) {
    tile_scratch x = {.fallback_count = 0};
    divide_scratch(p, scratch, &x);
    const bool rounded = p->products == kernel_bfloat16, frozen = p->variant == kernel_attention_vfa;
    const int64_t tiles = attention_tiles(p, TILE);
    int64_t current = -1;
    for (int64_t tile = begin; tile < end; tile++) {
        const int64_t head = tile / tiles;
        if (head != current) {
            if (current >= 0) redo_failed_rows(p, &x, current, counters);
            current = head;
            load_rows(p, &p->k, p->storage, head, p->keys, rounded, padded_keys(p), p->width, x.k);
            load_rows(p, &p->v, p->storage, head, p->keys, rounded, padded_keys(p), padded_width(p), x.v);
            if (frozen) represent_key_blocks(p, &x);
        }
        const tile_range range = tile_queries(p, tile % tiles, tiles);
        int32_t rows[TILE];
        for (int64_t i = 0; i < range.count; i++) rows[i] = (int32_t)(range.first + i);
        attend_rows(p, &x, head, rows, range.count, frozen, false, counters);
    }
    if (current >= 0) redo_failed_rows(p, &x, current, counters);
}
