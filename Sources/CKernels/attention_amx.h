// Forward attention on tiles; amx_attention.c says how.

enum {
    BLOCK = 128,          // keys between two updates of the online softmax
    REPRESENTED_KEYS = 64, // keys that share a representation
};

#define LOWEST_MAXIMUM (-3e38f)

typedef struct tile_scratch {
    uint16_t *k;              // (part, keys, padded width)
    uint16_t *v;              // tiles (group, part, channel tile)
    uint16_t *representation; // (key blocks, padded width)
    uint16_t *q;              // tiles (part, chunk, vector)
    uint16_t *e;              // exponentials: tiles (group, part, vector)
    float *s[2];              // scores of this block and the next: (keys, TILE)
    float *o;                 // (channel tiles · 16, TILE); row `width` holds the sums
    int64_t *order;
    uint8_t *marked;
    int32_t *fallback;
    int64_t fallback_count;
} tile_scratch;

INLINE int parts_of(const kernel_attention *p) { return p->products == kernel_products_bfloat16 ? 1 : MOST_PARTS; }
INLINE int64_t padded_keys(const kernel_attention *p) { return attention_round_up(p->keys, GROUP); }
INLINE int64_t padded_width(const kernel_attention *p) { return attention_round_up(p->width, 32); }
INLINE int64_t channel_tiles(const kernel_attention *p) { return p->width / LANES + 1; } // with the row of ones
INLINE int64_t represented_blocks(const kernel_attention *p) {
    return (p->keys + REPRESENTED_KEYS - 1) / REPRESENTED_KEYS;
}

INLINE int64_t largest_block(const kernel_attention *p) {
    const int64_t all = padded_keys(p);
    if (p->variant == kernel_attention_naive) return all;
    const int64_t priority = attention_freezes(p) ? ATTENTION_MOST_PRIORITY_KEYS : 0;
    return priority < BLOCK ? BLOCK : priority < all ? priority : all < BLOCK ? BLOCK : all;
}

static size_t divide_scratch(const kernel_attention *p, void *scratch, tile_scratch *x) {
    const int parts = parts_of(p);
    size_t offset = 0;
#define PART(member, type, count)                                                                                      \
    do {                                                                                                               \
        if (x) x->member = (type *)((char *)scratch + offset);                                                         \
        offset += ((size_t)(count) * sizeof(type) + 63) / 64 * 64;                                                     \
    } while (0)
    PART(q, uint16_t, parts * padded_width(p) * TILE);
    PART(o, float, channel_tiles(p) * LANES * TILE);
    PART(s[0], float, largest_block(p) * TILE);
    PART(s[1], float, largest_block(p) * TILE);
    PART(e, uint16_t, parts * largest_block(p) * TILE);
    PART(representation, uint16_t, attention_round_up(represented_blocks(p), GROUP) * padded_width(p));
    PART(k, uint16_t, parts * padded_keys(p) * padded_width(p));
    PART(v, uint16_t, parts * padded_keys(p) * channel_tiles(p) * LANES);
    PART(order, int64_t, padded_keys(p) / GROUP + 1);
    PART(marked, uint8_t, padded_keys(p) / GROUP + 1);
    PART(fallback, int32_t, p->queries);
    return offset;
}

size_t amx_attention_scratch(const kernel_attention *p) { return divide_scratch(p, NULL, NULL); }

int64_t amx_attention_tile_queries(const kernel_attention *p) {
    (void)p;
    return TILE;
}

typedef struct tile_state {
    vf maximum[TILE_VECTORS]; // of the scores times scale, in base 2
    bool empty;
} tile_state;

INLINE void group_scores(
    const kernel_attention *p, const tile_scratch *x, int64_t key, int vectors, int parts, float *s) {
    tile_scores(
        x->k + key * padded_width(p), padded_keys(p) * padded_width(p), padded_width(p), x->q, vectors, parts, s);
    for (int64_t missing = p->keys - key; missing < GROUP; missing++)
        UNROLL for (int v = 0; v < vectors; v++)
            vf_store(s + missing * TILE + v * LANES, vf_set(-__builtin_inff()));
}

INLINE void raise_maxima(const float *s, int64_t keys, float scale, int vectors, vf *maximum) {
    vf raw[TILE_VECTORS][2];
    UNROLL for (int v = 0; v < vectors; v++) raw[v][0] = raw[v][1] = vf_set(LOWEST_MAXIMUM);
    for (int64_t key = 0; key < keys; key += 2)
        UNROLL for (int v = 0; v < vectors; v++) {
            raw[v][0] = vf_max(raw[v][0], vf_load(s + key * TILE + v * LANES));
            raw[v][1] = vf_max(raw[v][1], vf_load(s + (key + 1) * TILE + v * LANES));
        }
    UNROLL for (int v = 0; v < vectors; v++)
        maximum[v] = vf_max(maximum[v], vf_max(raw[v][0], raw[v][1]) * scale);
}

// The exponentials of a group's scores, as right operands. Rows beyond the last key are 0 without being computed.
INLINE void group_exponentials(
    const float *s, int64_t valid, float scale, const vf *maximum, int vectors, int parts, uint16_t *e) {
    const int64_t part_stride = vectors * TILE_ELEMENTS;
    for (int64_t key = 0; key < GROUP; key += 2) {
        if (key >= valid) {
            UNROLL for (int v = 0; v < vectors; v++)
                for (int part = 0; part < parts; part++)
                    memset(e + part * part_stride + v * TILE_ELEMENTS + key * LANES, 0, 64);
            continue;
        }
        UNROLL for (int v = 0; v < vectors; v++) {
            const vf a = vf_fma(vf_load(s + key * TILE + v * LANES), vf_set(scale), -maximum[v]);
            const vf b = vf_fma(vf_load(s + (key + 1) * TILE + v * LANES), vf_set(scale), -maximum[v]);
            const vf even = parts == 1 ? exp2_coarse(a) : exp2_score(a);
            const vf odd = parts == 1 ? exp2_coarse(b) : exp2_score(b);
            store_pair_row(even, odd, parts, part_stride, e + v * TILE_ELEMENTS + key * LANES);
        }
    }
}

INLINE void add_outputs(
    const kernel_attention *p, const tile_scratch *x, const int64_t *order, int64_t groups, int vectors, int parts) {
    const int64_t tiles = channel_tiles(p);
    for (int64_t tile = 0; tile < tiles; tile += 2) {
        const bool only_ones = parts > 1 && tile * LANES == p->width;
        if (tile + 1 < tiles)
            tile_outputs(x->o, x->v, tiles, tile, 2, x->e, order, groups, vectors, parts, false);
        else
            tile_outputs(x->o, x->v, tiles, tile, 1, x->e, order, groups, vectors, parts, only_ones);
    }
}

// Takes groups of keys in blocks: `first_block` groups, then BLOCK keys at a time. Row maxima are raised, and what
// there is rescaled, before each of the first `online_blocks` blocks; then the maxima are frozen. Returns the blocks.
INLINE int64_t add_blocks(
    const kernel_attention *p, const tile_scratch *x, tile_state *state, const int64_t *order, int64_t groups,
    int64_t first_block, int64_t online_blocks, int vectors, int parts) {
    const float scale = p->scale * ATTENTION_LOG2_E;
    int64_t begin = 0, count = first_block < groups ? first_block : groups, block = 0;
    for (int64_t g = 0; g < count; g++) group_scores(p, x, order[g], vectors, parts, x->s[0] + g * GROUP * TILE);
    for (; begin < groups; block++) {
        const float *s = x->s[block & 1];
        float *next_s = x->s[~block & 1];
        const int64_t next = begin + count;
        const int64_t next_count = groups - next < BLOCK / GROUP ? groups - next : BLOCK / GROUP;
        if (block < online_blocks) {
            vf before[TILE_VECTORS];
            UNROLL for (int v = 0; v < vectors; v++) before[v] = state->maximum[v];
            raise_maxima(s, count * GROUP, scale, vectors, state->maximum);
            if (!state->empty) {
                vf factor[TILE_VECTORS];
                UNROLL for (int v = 0; v < vectors; v++) factor[v] = exp2_score(before[v] - state->maximum[v]);
                for (int64_t c = 0; c <= p->width; c++)
                    UNROLL for (int v = 0; v < vectors; v++) {
                        float *at = x->o + c * TILE + v * LANES;
                        vf_store(at, vf_load(at) * factor[v]);
                    }
            }
        }
        state->empty = false;
        for (int64_t g = 0; g < count || g < next_count; g++) {
            if (g < next_count)
                group_scores(p, x, order[next + g], vectors, parts, next_s + g * GROUP * TILE);
            if (g < count)
                group_exponentials(
                    s + g * GROUP * TILE, p->keys - order[begin + g], scale, state->maximum, vectors, parts,
                    x->e + g * parts * vectors * TILE_ELEMENTS);
        }
        add_outputs(p, x, order + begin, count, vectors, parts);
        begin = next;
        count = next_count;
    }
    return block;
}

INLINE void estimate_maximum(const kernel_attention *p, const tile_scratch *x, tile_state *state, int vectors) {
    const int64_t blocks = represented_blocks(p);
    for (int64_t block = 0; block < blocks; block += GROUP) {
        // Part 0 of the queries comes first, so one part of them is what a product with one part reads.
        tile_scores(x->representation + block * padded_width(p), 0, padded_width(p), x->q, vectors, 1, x->s[0]);
        const int64_t count = blocks - block < GROUP ? attention_round_up(blocks - block, 2) : GROUP;
        raise_maxima(x->s[0], count, p->scale * ATTENTION_LOG2_E, vectors, state->maximum);
    }
}

INLINE void attend_tile(
    const kernel_attention *p, tile_scratch *x, int64_t head, const int32_t *rows, int64_t count, bool frozen,
    bool fallback, int vectors, int parts, kernel_attention_counters *counters) {
    pack_query_columns(p, &p->q, head, rows, count, vectors, padded_width(p) / 32, parts, x->q);
    memset(x->o, 0, (size_t)(channel_tiles(p) * LANES * TILE) * sizeof(float));
    tile_state state = {.empty = true};
    UNROLL for (int v = 0; v < vectors; v++) state.maximum[v] = vf_set(LOWEST_MAXIMUM);

    const int64_t groups = padded_keys(p) / GROUP;
    const int64_t priority_groups = attention_order_groups(p, frozen, rows[0], count, GROUP, x->order, x->marked);
    if (frozen) {
        estimate_maximum(p, x, &state, vectors);
        counters->tiles += add_blocks(p, x, &state, x->order, groups, priority_groups, 1, vectors, parts);
        counters->row_maximum_tiles += 1;
    } else {
        const int64_t block_groups = p->variant == kernel_attention_naive ? groups : BLOCK / GROUP;
        const int64_t tiles = add_blocks(p, x, &state, x->order, groups, block_groups, groups, vectors, parts);
        if (fallback) {
            counters->fallback_tiles += tiles;
            counters->fallback_rescales += tiles - 1;
        } else {
            counters->tiles += tiles;
            counters->row_maximum_tiles += tiles;
            counters->rescales += tiles - 1;
        }
    }

    const float *sums = x->o + p->width * TILE;
    float maxima[TILE], factors[TILE];
    UNROLL for (int v = 0; v < vectors; v++) {
        vf_store(maxima + v * LANES, state.maximum[v]);
        vf_store(factors + v * LANES, 1.0f / vf_load(sums + v * LANES));
    }
    uint64_t failing = 0;
    if (frozen) {
        failing = failing_lanes(sums, x->o, p->width, count, p->keys);
        for (uint64_t rest = failing; rest; rest &= rest - 1)
            x->fallback[x->fallback_count++] = rows[__builtin_ctzll(rest)];
    }
    store_transposed(p, &p->o, p->storage, head, rows, count, factors, failing, x->o);
    store_log_sum_exp(p, head, rows, count, maxima, sums, failing);
}

#define TILE_BODY(v, n)                                                                                                \
    static __attribute__((noinline)) void attend_tile_##v##_##n(                                                       \
        const kernel_attention *p, tile_scratch *x, int64_t head, const int32_t *rows, int64_t count, bool frozen,     \
        bool fallback, kernel_attention_counters *counters) {                                                          \
        attend_tile(p, x, head, rows, count, frozen, fallback, v, n, counters);                                        \
    }
TILE_BODY(1, 1)
TILE_BODY(2, 1)
TILE_BODY(1, 3)
TILE_BODY(2, 3)
#undef TILE_BODY

static void attend_rows(
    const kernel_attention *p, tile_scratch *x, int64_t head, const int32_t *rows, int64_t count, bool frozen,
    bool fallback, kernel_attention_counters *counters) {
    const bool one_part = parts_of(p) == 1;
    if (count <= LANES)
        (one_part ? attend_tile_1_1 : attend_tile_1_3)(p, x, head, rows, count, frozen, fallback, counters);
    else
        (one_part ? attend_tile_2_1 : attend_tile_2_3)(p, x, head, rows, count, frozen, fallback, counters);
}

// As in attention_tiles.h, from the first part of the keys: an estimate needs no more.
static void represent_key_blocks(const kernel_attention *p, const tile_scratch *x) {
    const int64_t width = padded_width(p), blocks = represented_blocks(p);
    for (int64_t block = 0; block < blocks; block++) {
        const int64_t begin = block * REPRESENTED_KEYS;
        const int64_t end = begin + REPRESENTED_KEYS < p->keys ? begin + REPRESENTED_KEYS : p->keys;
        for (int64_t c = 0; c < width; c += LANES) {
            vf largest = vf_set(0);
            for (int64_t key = begin; key < end; key++) {
                const vf value = load(x->k, kernel_bfloat16, key * width + c, LANES);
                largest = vf_abs(value) > vf_abs(largest) ? value : largest;
            }
            store(x->representation, kernel_bfloat16, block * width + c, largest, LANES);
        }
    }
    for (int64_t block = blocks; block < attention_round_up(blocks, GROUP); block++)
        memcpy(x->representation + block * width, x->representation, (size_t)width * sizeof(uint16_t));
}

static void redo_failed_rows(
    const kernel_attention *p, tile_scratch *x, int64_t head, kernel_attention_counters *counters) {
    for (int64_t done = 0; done < x->fallback_count; done += TILE) {
        const int64_t count = x->fallback_count - done < TILE ? x->fallback_count - done : TILE;
        attend_rows(p, x, head, x->fallback + done, count, false, true, counters);
    }
    counters->fallback_rows += x->fallback_count;
    x->fallback_count = 0;
}

void amx_attention(
    const kernel_attention *p, int64_t begin, int64_t end, void *scratch, kernel_attention_counters *counters) {
    configure_tiles();
    tile_scratch x = {.fallback_count = 0};
    divide_scratch(p, scratch, &x);
    const bool frozen = p->variant == kernel_attention_vfa;
    const int64_t tiles = attention_tiles(p, TILE);
    int64_t current = -1;
    for (int64_t tile = begin; tile < end; tile++) {
        const int64_t head = tile / tiles;
        if (head != current) {
            if (current >= 0) redo_failed_rows(p, &x, current, counters);
            current = head;
            pack_token_rows(p, &p->k, head, p->keys, padded_keys(p), padded_width(p), parts_of(p), x.k);
            pack_channel_rows(p, &p->v, head, p->keys, channel_tiles(p), true, parts_of(p), x.v);
            if (frozen) represent_key_blocks(p, &x);
        }
        const tile_range range = tile_queries(p, tile % tiles, tiles);
        int32_t rows[TILE];
        for (int64_t i = 0; i < range.count; i++) rows[i] = (int32_t)(range.first + i);
        attend_rows(p, &x, head, rows, range.count, frozen, false, counters);
    }
    if (current >= 0) redo_failed_rows(p, &x, current, counters);
    _tile_release();
}
