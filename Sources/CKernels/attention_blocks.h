// Blocks of keys: with the maximum of their scores known before the exponentials (the online softmax, FA4, VSA), or with a
// maximum that is frozen (VFA).

// MARK: - Blocks of keys: scores in memory

// What is done with the maximum of a block.
typedef enum block_policy {
    policy_follow,    // the online softmax: the maximum becomes the block's, what there is is rescaled
    policy_raise,     // the same for a priority tile, whose maximum will be frozen
    policy_threshold, // FA4: only if it grew by more than the threshold
    policy_sparse,    // VSA: the maximum is frozen, and a block of small scores is left out
} block_policy;

typedef struct block_counts {
    int64_t blocks, rescales, left_out;
} block_counts;

// Scores of a block to memory, and their maxima.
INLINE void store_scores(
    const kernel_attention *p, const tile_scratch *x, tile_state *state, const int64_t *keys, int64_t count,
    const vf *start, vf *maximum, tile_mode mode) {
    const int64_t words = channel_words(p, mode.scores);
    vf scale[TILE_VECTORS];
    if (!HALVES_OVERLAP) {
        for (int64_t g = 0; g < count; g++) {
            vf s[GROUP][TILE_VECTORS];
            key_scores(x->q, x->k + keys[g] * words, words, words, GROUP, mode, start, s);
            raise_maxima(s, GROUP, scale, p->keys - keys[g], mode, maximum);
            UNROLL for (int i = 0; i < GROUP; i++)
                UNROLL for (int v = 0; v < mode.vectors; v++)
                    vf_store(x->s + (g * GROUP + i) * TILE + v * LANES, s[i][v]);
        }
        return;
    }
    vf first[HALF][TILE_VECTORS], second[HALF][TILE_VECTORS];
    for (int64_t g = 0; g < count; g++) {
        const uint32_t *k = x->k + keys[g] * words;
        float *to = x->s + g * GROUP * TILE;
        if (g == 0)
            key_scores(x->q, k, words, words, HALF, mode, start, first);
        else
            scores_beside(x->q, k, words, start, second, NULL, 0, to - HALF * TILE, state, mode, first);
        group_scale(x, state, keys[g], mode, scale);
        raise_maxima(first, HALF, scale, p->keys - keys[g], mode, maximum);
        scores_beside(x->q, k + HALF * words, words, start, first, NULL, 0, to, state, mode, second);
        raise_maxima(second, HALF, scale, p->keys - keys[g] - HALF, mode, maximum);
    }
    UNROLL for (int key = 0; key < HALF; key++)
        UNROLL for (int v = 0; v < mode.vectors; v++)
            vf_store(x->s + (count * GROUP - HALF + key) * TILE + v * LANES, second[key][v]);
}

// Adds keys block by block: `first_groups` groups, then `block_groups` at a time.
INLINE block_counts add_blocks(
    const kernel_attention *p, const tile_scratch *x, tile_state *state, const int64_t *order, int64_t groups,
    int64_t first_groups, int64_t block_groups, block_policy policy, float threshold, const vf *rows_in_use,
    tile_mode mode) {
    block_counts counts = {0};
    const int64_t width = padded_width(p);
    const int64_t word_rows = GROUP / numbers_a_word(mode.values);
    vf start[TILE_VECTORS];
    UNROLL for (int v = 0; v < mode.vectors; v++) start[v] = mode.scores == INT8 ? state->start[v] : vf_set(0);
    int64_t count = first_groups;
    for (int64_t done = 0; done < groups; done += count, count = block_groups) {
        if (count > groups - done) count = groups - done;
        const int64_t *keys = order + done;
        counts.blocks += 1;
        vf block_maximum[TILE_VECTORS], scale[TILE_VECTORS];
        UNROLL for (int v = 0; v < mode.vectors; v++) block_maximum[v] = vf_set(LOWEST_MAXIMUM);
        store_scores(p, x, state, keys, count, start, block_maximum, mode);

        bool keep = !state->empty && policy == policy_threshold && none_larger(block_maximum, state->maximum, threshold, mode);
        if (policy == policy_sparse) {
            vf limit[TILE_VECTORS];
            UNROLL for (int v = 0; v < mode.vectors; v++) limit[v] = state->maximum[v] + rows_in_use[v];
            if (none_larger(block_maximum, limit, threshold, mode)) {
                int64_t left_out = count * GROUP;
                for (int64_t g = 0; g < count; g++)
                    if (keys[g] + GROUP > p->keys) left_out -= keys[g] + GROUP - p->keys;
                state->keys_left_out += left_out;
                UNROLL for (int v = 0; v < mode.vectors; v++)
                    state->left_out[v] += (float)left_out * exp2_score(block_maximum[v] - state->maximum[v]);
                counts.left_out += 1;
                continue;
            }
            // The maximum stays, unless an 8-bit exponential would overflow.
            keep = mode.values != INT8 || none_larger(block_maximum, state->maximum, LARGEST_BYTE - state->unit, mode);
        }
        counts.rescales += !keep && !state->empty;
        // 8-bit exponentials of the online softmax are relative to the maximum of their block, where that is smaller: they use
        // all their bits.
        const bool local = mode.values == INT8 && policy == policy_follow;
        vf factor[TILE_VECTORS], block_factor[TILE_VECTORS], reference[TILE_VECTORS], before[TILE_VECTORS];
        UNROLL for (int v = 0; v < mode.vectors; v++) {
            const vf maximum = keep ? state->maximum[v] : vf_max(state->maximum[v], block_maximum[v]);
            factor[v] = keep ? vf_set(1) : exp2_score(state->maximum[v] - maximum);
            reference[v] = local ? vf_max(block_maximum[v], vf_set(LOWEST_MAXIMUM)) : maximum;
            block_factor[v] = local ? exp2_score(reference[v] - maximum) : vf_set(1);
            state->largest[v] = maximum > state->maximum[v] ? (vi)0 : state->largest[v]; // bytes of another maximum
            state->maximum[v] = maximum;
            before[v] = state->sum[v] * factor[v];
            if (mode.values != INT8) state->sum[v] = before[v];
            if (policy == policy_sparse && !keep) state->left_out[v] *= factor[v];
        }
        for (int64_t g = 0; g < count; g++) {
            score_finish finish = {
                .has_offset = true, .mask = group_mask(p, x, keys[g]), .e = x->e + g * word_rows * TILE};
            group_scale(x, state, keys[g], mode, scale);
            set_finish(&finish, scale, reference, state->unit, mode);
            vf s[GROUP][TILE_VECTORS];
            UNROLL for (int i = 0; i < GROUP; i++)
                UNROLL for (int v = 0; v < mode.vectors; v++) s[i][v] = vf_load(x->s + (g * GROUP + i) * TILE + v * LANES);
            finish_keys(&finish, s, 0, GROUP, state, mode);
        }
        if (mode.values == INT8)
            UNROLL for (int v = 0; v < mode.vectors; v++) {
                state->sum[v] = vf_fma(__builtin_convertvector(state->sum_integer[v], vf), block_factor[v], before[v]);
                state->sum_integer[v] = (vi)0;
            }
        if (state->empty)
            add_products(x->o, width, x->v, width, x->e, keys, count, mode, accumulation_begin, NULL, block_factor);
        else
            add_products(x->o, width, x->v, width, x->e, keys, count, mode, accumulation_rescale, factor, block_factor);
        state->empty = false;
    }
    return counts;
}

// MARK: - Blocks of keys: frozen maximum

// Sums of products of bytes fit an int32 for this many keys.
#define MOST_INTEGER_KEYS 65536

// INT8 with a frozen maximum: adds the integer part of output and sums to the float32 part.
INLINE void flush_integers(const kernel_attention *p, const tile_scratch *x, tile_state *state, tile_mode mode) {
    if (state->integer_keys > 0)
        for (int64_t c = 0; c < padded_width(p); c++)
            UNROLL for (int v = 0; v < mode.vectors; v++) {
                float *at = x->o + c * TILE + v * LANES;
                const vi part = *(const vi *)(x->o_integer + c * TILE + v * LANES);
                vf_store(at, vf_load(at) + __builtin_convertvector(part, vf));
            }
    UNROLL for (int v = 0; v < mode.vectors; v++) {
        state->sum[v] += __builtin_convertvector(state->sum_integer[v], vf);
        state->sum_integer[v] = (vi)0;
    }
    state->integer_keys = 0;
}

// Adds the products of a block whose exponentials are there.
INLINE void add_frozen_products(
    const kernel_attention *p, const tile_scratch *x, tile_state *state, const int64_t *order, int64_t groups,
    tile_mode mode) {
    const int64_t width = padded_width(p);
    if (mode.values != INT8)
        add_products(x->o, width, x->v, width, x->e, order, groups, mode, accumulation_add, NULL, NULL);
    else if (state->integer_keys == 0)
        add_products(
            (float *)x->o_integer, width, x->v, width, x->e, order, groups, mode, accumulation_begin_integers, NULL, NULL);
    else
        add_products(
            (float *)x->o_integer, width, x->v, width, x->e, order, groups, mode, accumulation_add_integers, NULL, NULL);
    state->integer_keys += groups * GROUP;
}

// An 8-bit exponential of a block overflowed under the frozen maximum of lane vector v: that vector's maximum becomes the
// block's, what there is is rescaled, and its exponentials are computed again.
INLINE void redo_exponentials(
    const kernel_attention *p, const tile_scratch *x, tile_state *state, const int64_t *order, int64_t groups, int v,
    tile_mode mode) {
    const tile_mode one = {1, mode.scores, mode.values};
    const int64_t words = channel_words(p, mode.scores), word_rows = GROUP / numbers_a_word(mode.values);
    const float *q = x->q + v * LANES;
    vf maximum = state->maximum[v], scale[TILE_VECTORS];
    for (int pass = 0; pass < 2; pass++) {
        for (int64_t g = 0; g < groups; g++) {
            vf s[GROUP][TILE_VECTORS];
            key_scores(q, x->k + order[g] * words, words, words, GROUP, one, state->start + v, s);
            group_scale(x, state, order[g], mode, scale);
            if (pass == 0) {
                raise_maxima(s, GROUP, scale + v, p->keys - order[g], one, &maximum);
                continue;
            }
            score_finish finish = {.mask = group_mask(p, x, order[g]), .e = x->e + g * word_rows * TILE + v * LANES};
            set_finish(&finish, scale + v, &maximum, state->unit, one);
            tile_state part = {.sum_integer = {state->sum_integer[v]}, .largest = {state->largest[v]}};
            finish_keys(&finish, s, 0, GROUP, &part, one);
            state->sum_integer[v] = part.sum_integer[0];
            state->largest[v] = part.largest[0];
        }
        if (pass == 1) break;
        const vf factor = exp2_score(state->maximum[v] - maximum);
        for (int64_t c = 0; c < padded_width(p); c++) {
            float *at = x->o + c * TILE + v * LANES;
            vi *integers = (vi *)(x->o_integer + c * TILE + v * LANES);
            vf sum = vf_load(at);
            if (state->integer_keys > 0) sum += __builtin_convertvector(*integers, vf);
            vf_store(at, sum * factor);
            *integers = (vi)0;
        }
        state->sum[v] = (state->sum[v] + __builtin_convertvector(state->sum_integer[v], vf)) * factor;
        state->sum_integer[v] = (vi)0;
        state->largest[v] = maximum > state->maximum[v] ? (vi)0 : state->largest[v];
        state->maximum[v] = maximum;
    }
}

// The end of a block under a frozen maximum, whose exponentials are there: its products. Returns whether 8-bit exponentials
// overflowed and had to be computed again.
INLINE bool end_frozen_block(
    const kernel_attention *p, const tile_scratch *x, tile_state *state, const int64_t *order, int64_t groups,
    vi *sum_before, tile_mode mode) {
    bool overflow = false;
    if (mode.values == INT8) {
        if (state->integer_keys + groups * GROUP > MOST_INTEGER_KEYS) {
            vi sum_of_block[TILE_VECTORS];
            UNROLL for (int v = 0; v < mode.vectors; v++) {
                sum_of_block[v] = state->sum_integer[v] - sum_before[v];
                state->sum_integer[v] = sum_before[v];
                sum_before[v] = (vi)0;
            }
            flush_integers(p, x, state, mode);
            UNROLL for (int v = 0; v < mode.vectors; v++) state->sum_integer[v] = sum_of_block[v];
        }
        UNROLL for (int v = 0; v < mode.vectors; v++) {
            if (!holds_overflow(state->largest[v])) continue;
            overflow = true;
            state->sum_integer[v] = sum_before[v];
            redo_exponentials(p, x, state, order, groups, v, mode);
        }
    }
    add_frozen_products(p, x, state, order, groups, mode);
    UNROLL for (int v = 0; v < mode.vectors; v++) sum_before[v] = state->sum_integer[v];
    return overflow;
}

// Keys under a frozen maximum. The sums of scores start at its negative, and no exponential waits for the maximum of a block:
// the scores of half a group are computed beside the exponentials of the half before, all in registers. Returns how many
// blocks were done again because an 8-bit exponential overflowed.
INLINE int64_t add_frozen_blocks(
    const kernel_attention *p, const tile_scratch *x, tile_state *state, const int64_t *order, int64_t groups,
    int64_t block_groups, tile_mode mode) {
    int64_t redone = 0;
    const int64_t words = channel_words(p, mode.scores);
    const int64_t word_rows = GROUP / numbers_a_word(mode.values), half_rows = word_rows / 2;
    vf start[TILE_VECTORS], scale[TILE_VECTORS];
    vi sum_before[TILE_VECTORS];
    UNROLL for (int v = 0; v < mode.vectors; v++) {
        start[v] = mode.scores == INT8 ? state->start[v] : state->unit - state->maximum[v];
        sum_before[v] = (vi)0;
    }
    score_finish finish = {.has_offset = false};
    if (!HALVES_OVERLAP) {
        for (int64_t done = 0; done < groups; done += block_groups) {
            const int64_t count = groups - done < block_groups ? groups - done : block_groups;
            for (int64_t g = 0; g < count; g++) {
                const int64_t key = order[done + g];
                vf s[GROUP][TILE_VECTORS];
                key_scores(x->q, x->k + key * words, words, words, GROUP, mode, start, s);
                finish.mask = group_mask(p, x, key);
                finish.e = x->e + g * word_rows * TILE;
                finish_keys(&finish, s, 0, GROUP, state, mode);
            }
            redone += end_frozen_block(p, x, state, order + done, count, sum_before, mode);
        }
        return redone;
    }
    vf first[HALF][TILE_VECTORS], second[HALF][TILE_VECTORS];
    int64_t in_block = 0; // groups of the current block that are before this one
    for (int64_t g = 0; g < groups; g++) {
        const uint32_t *k = x->k + order[g] * words;
        if (g == 0)
            key_scores(x->q, k, words, words, HALF, mode, start, first);
        else
            scores_beside(x->q, k, words, start, second, &finish, half_rows, NULL, state, mode, first);
        if (in_block == block_groups) {
            redone += end_frozen_block(p, x, state, order + g - in_block, in_block, sum_before, mode);
            in_block = 0;
        }
        finish.mask = group_mask(p, x, order[g]);
        finish.e = x->e + in_block * word_rows * TILE;
        group_scale(x, state, order[g], mode, scale);
        set_finish(&finish, scale, state->maximum, state->unit, mode);
        scores_beside(x->q, k + HALF * words, words, start, first, &finish, 0, NULL, state, mode, second);
        in_block++;
    }
    finish_keys(&finish, second, half_rows, HALF, state, mode);
    redone += end_frozen_block(p, x, state, order + groups - in_block, in_block, sum_before, mode);
    return redone;
}
