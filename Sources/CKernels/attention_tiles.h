// Tiled attention: the naive twin, FA2, FA4, VFA and VSA on the same tiles and inner loops, in each precision.
//
// Lanes are queries. A tile of 3 vectors of queries meets GROUP keys at a time, so that 3 · GROUP sums stay in registers,
// each word of a key is broadcast, and row maxima, sums and rescales need nothing across lanes. The second product has
// the same form: GROUP channels of the values, broadcast, times the exponentials of a few keys.
//
// Keys and values of a head are first packed (attention_pack.h). Rows of a fused qkv buffer lie a page apart, so that even
// float32 rows are copied.

// MARK: - The maximum's first estimate

// Keys that stand for others, as float32 rows.
INLINE void represent_keys(const kernel_attention *p, tile_scratch *x, int64_t head, tile_mode mode) {
    const kernel_maximum_estimate estimate = attention_estimate(p);
    const char *rows = head_rows(p, &p->k, head);
    const int64_t stride = attention_round_up(p->width, LANES);
    int64_t count = 0;
    if (estimate == kernel_estimate_sampled) {
        count = p->keys < SAMPLES ? p->keys : SAMPLES;
        for (int64_t i = 0; i < count; i++)
            for (int64_t c = 0; c < stride; c += LANES) {
                const int64_t key = (2 * i + 1) * p->keys / (2 * count); // the middles of equal parts
                vf_store(x->representation_rows + i * stride + c, head_channels(p, rows, &p->k, key, c));
            }
    } else if (estimate != kernel_estimate_none) {
        count = represented_blocks(p);
        for (int64_t block = 0; block < count; block++) {
            const int64_t first = block * REPRESENTED_KEYS;
            const int64_t end = first + REPRESENTED_KEYS < p->keys ? first + REPRESENTED_KEYS : p->keys;
            for (int64_t c = 0; c < stride; c += LANES) {
                const vf mean = mode.scores == INT8 ? vf_load(x->k_mean + c) : vf_set(0);
                vf sum = vf_set(0), largest = vf_set(0);
                for (int64_t key = first; key < end; key++) {
                    const vf value = head_channels(p, rows, &p->k, key, c) - mean;
                    sum += value;
                    largest = vf_abs(value) > vf_abs(largest) ? value : largest;
                }
                const vf row = estimate == kernel_estimate_mean ? sum / (float)(end - first) : largest;
                vf_store(x->representation_rows + block * stride + c, row + mean);
            }
        }
    }
    x->representations = count;
    if (count == 0) return;
    for (int64_t row = count; row < attention_round_up(count, GROUP); row++) // rows that fill the last group
        memcpy(x->representation_rows + row * stride, x->representation_rows, (size_t)stride * sizeof(float));
    count = attention_round_up(count, GROUP);
    const int64_t words = channel_words(p, mode.scores);
    kernel_attention rows_problem = *p;
    rows_problem.storage = kernel_float32;
    const kernel_strided dense = {x->representation_rows, 0, 0, stride};
    pack_keys(
        &rows_problem, (const char *)x->representation_rows, &dense, count, words, mode.scores, x->k_mean,
        x->representation, x->representation_scales);
}

// Raises the maximum to the estimate.
INLINE void estimate_maximum(const kernel_attention *p, const tile_scratch *x, tile_state *state, tile_mode mode) {
    const bool sampled = attention_estimate(p) == kernel_estimate_sampled;
    const int64_t words = channel_words(p, mode.scores);
    vf start[TILE_VECTORS], sum[TILE_VECTORS], squares[TILE_VECTORS];
    UNROLL for (int v = 0; v < mode.vectors; v++) {
        start[v] = mode.scores == INT8 ? state->start[v] : vf_set(0);
        sum[v] = squares[v] = vf_set(0);
    }
    for (int64_t row = 0; row < x->representations; row += GROUP) {
        vf s[GROUP][TILE_VECTORS];
        key_scores(x->q, x->representation + row * words, words, words, GROUP, mode, start, s);
        UNROLL for (int key = 0; key < GROUP; key++)
            if (row + key < x->representations) UNROLL for (int v = 0; v < mode.vectors; v++) {
                vf score = s[key][v];
                if (mode.scores == INT8)
                    score = __builtin_convertvector((vi)score, vf) *
                            (state->query_scale[v] * x->representation_scales[row / GROUP]);
                state->maximum[v] = vf_max(state->maximum[v], score);
                sum[v] += score;
                squares[v] = vf_fma(score, score, squares[v]);
            }
    }
    if (!sampled || x->representations < 8) return;
    // The scores of a row are taken to be normal, but only so far: a maximum that is too high costs an 8-bit exponential bits
    // that nothing gives back, one that is too low is found.
    const float n = (float)x->representations, reach = attention_expected_maximum(p->keys);
    UNROLL for (int v = 0; v < mode.vectors; v++) {
        const vf mean = sum[v] / n, variance = squares[v] / n - mean * mean;
        const vf expected = vf_fma(vf_sqrt(vf_max(variance, vf_set(0))), vf_set(reach), mean);
        state->maximum[v] = vf_max(vf_min(expected, state->maximum[v] + ATTENTION_MOST_BEYOND_SAMPLE), state->maximum[v]);
    }
}

// MARK: - Tiles and heads

INLINE void begin_tile(
    const kernel_attention *p, tile_scratch *x, int64_t head, const int32_t *rows, int64_t count, bool exact_maximum,
    tile_mode mode, tile_state *state) {
    const bool rounded = mode.scores == ROUNDED;
    const int64_t words = channel_words(p, mode.scores), numbers = numbers_a_word(mode.scores);
    const float scale = p->scale * ATTENTION_LOG2_E;
    load_transposed(p, &p->q, p->storage, head, rows, count, rounded ? 1 : scale, rounded, words * numbers, x->q);
    *state = (tile_state){.empty = true, .unit = exponential_unit(exact_maximum, mode.values)};
    UNROLL for (int v = 0; v < mode.vectors; v++) {
        state->maximum[v] = vf_set(LOWEST_MAXIMUM);
        state->sum[v] = state->start[v] = state->left_out[v] = state->mean_score[v] = vf_set(0);
        state->sum_integer[v] = state->largest[v] = (vi)0;
    }
    if (rounded)
        for (int64_t i = 0; i < p->width; i++)
            UNROLL for (int v = 0; v < mode.vectors; v++) {
                float *at = x->q + i * TILE + v * LANES;
                vf_store(at, vf_load(at) * scale);
            }
#ifdef HAS_DOT_PRODUCTS
    if (mode.scores == INT8) {
        if (p->log_sum_exp)
            for (int64_t i = 0; i < p->width; i++)
                UNROLL for (int v = 0; v < mode.vectors; v++)
                    state->mean_score[v] =
                        vf_fma(vf_load(x->q + i * TILE + v * LANES), vf_set(x->k_mean[i]), state->mean_score[v]);
        vi starts[TILE_VECTORS];
        pack_int8_queries(x->q, words, mode.vectors, (uint32_t *)x->q, state->query_scale, starts);
        UNROLL for (int v = 0; v < mode.vectors; v++) state->start[v] = (vf)starts[v];
    } else if (mode.scores == BFLOAT16)
        pack_bfloat16_queries(x->q, words, mode.vectors, (uint32_t *)x->q);
#endif
}

// All keys by the online softmax.
INLINE void follow_maximum(
    const kernel_attention *p, const tile_scratch *x, tile_state *state, bool fallback, tile_mode mode,
    kernel_attention_counters *counters) {
    const int64_t groups = padded_keys(p) / GROUP, block_groups = block_keys(p, mode.values) / GROUP;
    const bool naive = !fallback && p->variant == kernel_attention_naive;
    const int64_t first = naive || groups < block_groups ? groups : block_groups;
    block_counts counts;
    if (!fallback && p->variant == kernel_attention_fa4) {
        const float threshold = mode.values == INT8 && p->rescale_threshold > 1 ? 1 : p->rescale_threshold;
        counts = add_blocks(p, x, state, x->order, groups, first, block_groups, policy_threshold, threshold, NULL, mode);
    } else {
        counts = add_blocks(p, x, state, x->order, groups, first, block_groups, policy_follow, 0, NULL, mode);
    }
    if (fallback) {
        counters->fallback_tiles += counts.blocks;
        counters->fallback_rescales += counts.rescales;
    } else {
        counters->tiles += counts.blocks;
        counters->row_maximum_tiles += counts.blocks;
        counters->rescales += counts.rescales;
    }
}

// The priority tile by the online softmax, the other keys under the maximum it left.
INLINE void freeze_maximum(
    const kernel_attention *p, const tile_scratch *x, tile_state *state, int64_t priority_groups, int64_t count,
    tile_mode mode, kernel_attention_counters *counters) {
    const int64_t groups = padded_keys(p) / GROUP, block_groups = block_keys(p, mode.values) / GROUP;
    const int64_t rest = groups - priority_groups;
    const int64_t *order = x->order + priority_groups;
    if (x->representations > 0) estimate_maximum(p, x, state, mode);
    add_blocks(p, x, state, x->order, priority_groups, priority_groups, 1, policy_raise, 0, NULL, mode);
    counters->tiles += 1;
    counters->row_maximum_tiles += 1;
    if (rest == 0) return;
    if (p->variant == kernel_attention_vsa) {
        float lanes[TILE];
        for (int i = 0; i < TILE; i++) lanes[i] = i < count ? 0 : INFINITY; // rows that are none
        vf in_use[TILE_VECTORS];
        UNROLL for (int v = 0; v < mode.vectors; v++) in_use[v] = vf_load(lanes + v * LANES);
        const int64_t first = rest < block_groups ? rest : block_groups;
        const block_counts counts = add_blocks(
            p, x, state, order, rest, first, block_groups, policy_sparse, log2f(p->skip_threshold), in_use, mode);
        counters->tiles += counts.blocks;
        counters->row_maximum_tiles += counts.blocks;
        counters->skipped_tiles += counts.left_out;
        counters->rescales += counts.rescales;
        return;
    }
    const int64_t redone = add_frozen_blocks(p, x, state, order, rest, block_groups, mode);
    counters->tiles += (rest + block_groups - 1) / block_groups;
    counters->redone_tiles += redone;
    counters->rescales += redone;
    counters->row_maximum_tiles += redone;
    if (mode.values == INT8) flush_integers(p, x, state, mode);
}

// Ends a tile: the guard, the certificate, and the rows to memory.
INLINE void finish_tile(
    const kernel_attention *p, tile_scratch *x, int64_t head, const int32_t *rows, int64_t count, bool frozen,
    tile_mode mode, const tile_state *state, kernel_attention_counters *counters) {
    float sums[TILE], maxima[TILE], factors[TILE];
    UNROLL for (int v = 0; v < mode.vectors; v++) {
        // 8-bit factors cannot hold a NaN: a row's scale does.
        const vf sum = mode.scores == INT8 ? vf_fma(state->query_scale[v], vf_set(0), state->sum[v]) : state->sum[v];
        vf_store(sums + v * LANES, sum);
        vf_store(maxima + v * LANES, state->maximum[v] - state->unit + state->mean_score[v]);
        vf_store(factors + v * LANES, 1.0f / sum);
    }
    if (mode.values == INT8)
        for (int64_t c = 0; c < p->width; c++)
            UNROLL for (int v = 0; v < mode.vectors; v++) {
                float *at = x->o + c * TILE + v * LANES;
                vf_store(at, vf_fma(vf_load(at), vf_set(x->v_scales[c]), x->v_middles[c] * state->sum[v]));
            }
    uint64_t failing = 0;
    if (frozen) {
        failing = failing_lanes(sums, x->o, p->width, count, p->keys);
        if (mode.values == INT8) {
            // A maximum more than two bits too high leaves less than six of an exponential's eight bits.
            uint8_t bytes[4 * TILE];
            UNROLL for (int v = 0; v < mode.vectors; v++) memcpy(bytes + 4 * v * LANES, &state->largest[v], sizeof(vi));
            for (int i = 0; i < count; i++) {
                const uint8_t *lane = bytes + 4 * i;
                if (lane[0] < 32 && lane[1] < 32 && lane[2] < 32 && lane[3] < 32) failing |= 1ull << i;
            }
        }
        if (p->variant == kernel_attention_vsa) {
            float left_out[TILE];
            UNROLL for (int v = 0; v < mode.vectors; v++) vf_store(left_out + v * LANES, state->left_out[v]);
            const float unit = exp2f(state->unit); // sums count in units
            for (int i = 0; i < count; i++) {
                const float certificate = attention_certificate(
                    p, (float)state->keys_left_out * unit, left_out[i] * unit, sums[i]);
                if (!(failing >> i & 1) && certificate > p->tolerance) {
                    failing |= 1ull << i;
                    counters->uncertain_rows += 1;
                }
                if (p->certificate)
                    p->certificate[head * p->queries + rows[i]] = failing >> i & 1 ? 0 : certificate;
            }
        }
        for (uint64_t rest = failing; rest; rest &= rest - 1)
            x->fallback[x->fallback_count++] = rows[__builtin_ctzll(rest)];
    }
    store_transposed(p, &p->o, p->storage, head, rows, count, factors, failing, x->o);
    store_log_sum_exp(p, head, rows, count, maxima, sums, failing);
}

INLINE void attend_tile(
    const kernel_attention *p, tile_scratch *x, int64_t head, const int32_t *rows, int64_t count, bool fallback,
    tile_mode mode, kernel_attention_counters *counters) {
    const bool frozen = attention_freezes(p) && !fallback;
    const bool exact_maximum = fallback || p->variant == kernel_attention_naive || p->variant == kernel_attention_fa2;
    tile_state state;
    begin_tile(p, x, head, rows, count, exact_maximum, mode, &state);
    const int64_t priority_groups =
        attention_order_groups(p, frozen, rows[0], count, GROUP, x->order, x->marked);
    if (frozen)
        freeze_maximum(p, x, &state, priority_groups, count, mode, counters);
    else
        follow_maximum(p, x, &state, fallback, mode, counters);
    finish_tile(p, x, head, rows, count, frozen, mode, &state, counters);
}

// One body for each number of vectors and pair of precisions, chosen once a tile.
typedef void tile_body(
    const kernel_attention *, tile_scratch *, int64_t, const int32_t *, int64_t, bool, kernel_attention_counters *);

#define TILE_BODY(name, v, scores, values)                                                                             \
    static __attribute__((noinline)) void name(                                                                        \
        const kernel_attention *p, tile_scratch *x, int64_t head, const int32_t *rows, int64_t count, bool fallback,   \
        kernel_attention_counters *counters) {                                                                         \
        attend_tile(p, x, head, rows, count, fallback, (tile_mode){v, scores, values}, counters);                      \
    }
#define TILE_BODIES(name, scores, values)                                                                              \
    TILE_BODY(name##_1, 1, scores, values)                                                                             \
    TILE_BODY(name##_2, 2, scores, values)                                                                             \
    TILE_BODY(name##_3, 3, scores, values)                                                                             \
    static tile_body *const name[TILE_VECTORS] = {name##_1, name##_2, name##_3};
TILE_BODIES(attend_float32, FLOAT32, FLOAT32)
#ifdef HAS_DOT_PRODUCTS
TILE_BODIES(attend_bfloat16, BFLOAT16, BFLOAT16)
TILE_BODIES(attend_int8, INT8, INT8)
TILE_BODIES(attend_int8_bfloat16, INT8, BFLOAT16)
#else
TILE_BODIES(attend_rounded, ROUNDED, ROUNDED)
#endif

static void attend_rows(
    const kernel_attention *p, tile_scratch *x, int64_t head, const int32_t *rows, int64_t count, bool fallback,
    tile_mode mode, kernel_attention_counters *counters) {
    tile_body *const *body = attend_float32;
#ifdef HAS_DOT_PRODUCTS
    if (mode.values == INT8)
        body = attend_int8;
    else if (mode.scores == INT8)
        body = attend_int8_bfloat16;
    else if (mode.scores == BFLOAT16)
        body = attend_bfloat16;
#else
    if (mode.scores == ROUNDED) body = attend_rounded;
#endif
    body[(count + LANES - 1) / LANES - 1](p, x, head, rows, count, fallback, counters);
}

// Packs a head. Returns how it is to be computed: 8 bits can hold neither NaN nor infinity, so a head with either is
// computed in bfloat16, where they mean what they mean.
INLINE tile_mode pack_head_of(const kernel_attention *p, tile_scratch *x, int64_t head) {
    tile_mode mode = {0, score_products(p), value_products(p)};
#ifdef HAS_DOT_PRODUCTS
    if (mode.scores == INT8 && !mean_of_keys(p, head, x->k_mean)) mode.scores = mode.values = BFLOAT16;
    if (mode.values == INT8 &&
        !pack_int8_values(p, head, padded_keys(p), padded_width(p), x->v, x->v_scales, x->v_middles))
        mode.scores = mode.values = BFLOAT16;
    if (mode.values == BFLOAT16) pack_bfloat16_values(p, head, padded_keys(p), padded_width(p), x->v);
#endif
    if (mode.values == FLOAT32 || mode.values == ROUNDED)
        load_rows(
            p, &p->v, p->storage, head, p->keys, mode.values == ROUNDED, padded_keys(p), padded_width(p), (float *)x->v);
    for (int key = 0; key < GROUP; key++) {
        const int numbers = numbers_a_word(mode.values), bits = 32 / numbers;
        if (key % numbers == 0) x->full_mask[key / numbers] = x->partial_mask[key / numbers] = 0;
        const uint32_t number = (bits == 32 ? ~0u : (1u << bits) - 1) << key % numbers * bits;
        x->full_mask[key / numbers] |= number;
        if (key < (p->keys - 1) % GROUP + 1) x->partial_mask[key / numbers] |= number;
    }
    const int64_t words = channel_words(p, mode.scores);
    pack_keys(
        p, head_rows(p, &p->k, head), &p->k, p->keys, words, mode.scores, x->k_mean, x->k, x->k_scales);
    memset(x->k + p->keys * words, 0, (size_t)((padded_keys(p) - p->keys) * words) * sizeof(uint32_t));
    if (attention_freezes(p)) represent_keys(p, x, head, mode);
    return mode;
}

// Packing with a width of 64 and the storage known to the compiler takes a third of the time.
static tile_mode pack_head(const kernel_attention *p, tile_scratch *x, int64_t head) {
    if (p->width != 64) return pack_head_of(p, x, head);
    kernel_attention usual = *p;
    usual.width = 64;
    if (p->storage == kernel_float32) {
        usual.storage = kernel_float32;
        return pack_head_of(&usual, x, head);
    }
    usual.storage = kernel_bfloat16;
    return pack_head_of(&usual, x, head);
}

// Rows that failed the guard are gathered over a head and redone in full tiles: a guard that sent whole tiles back
// would multiply a few bad rows by the size of the tile.
static void redo_failed_rows(
    const kernel_attention *p, tile_scratch *x, int64_t head, tile_mode mode, kernel_attention_counters *counters) {
    for (int64_t done = 0; done < x->fallback_count; done += TILE) {
        const int64_t count = x->fallback_count - done < TILE ? x->fallback_count - done : TILE;
        attend_rows(p, x, head, x->fallback + done, count, true, mode, counters);
    }
    counters->fallback_rows += x->fallback_count;
    x->fallback_count = 0;
}

static void vector_attention(
    const kernel_attention *p, int64_t begin, int64_t end, void *scratch, kernel_attention_counters *counters) {
    if (runs_portably(p)) {
        portable_attention(p, begin, end, scratch, counters);
        return;
    }
    tile_scratch x = {.fallback_count = 0};
    divide_scratch(p, scratch, &x);
    const int64_t tiles = attention_tiles(p, TILE);
    int64_t current = -1;
    tile_mode mode;
    for (int64_t tile = begin; tile < end; tile++) {
        const int64_t head = tile / tiles;
        if (head != current) {
            if (current >= 0) redo_failed_rows(p, &x, current, mode, counters);
            current = head;
            mode = pack_head(p, &x, head);
        }
        const tile_range range = tile_queries(p, tile % tiles, tiles);
        int32_t rows[TILE];
        for (int64_t i = 0; i < range.count; i++) rows[i] = (int32_t)(range.first + i);
        attend_rows(p, &x, head, rows, range.count, false, mode, counters);
    }
    if (current >= 0) redo_failed_rows(p, &x, current, mode, counters);
}
