// Tiled attention: the naive twin, FA2, FA4, VFA and VSA on the same tiles and inner loops, in each precision.
//
// Lanes are queries. A tile of 3 vectors of queries meets GROUP keys at a time, so that 3 · GROUP sums stay in registers,
// each word of a key is broadcast, and row maxima, sums and rescales need nothing across lanes. The second product has
// the same form: GROUP channels of the values, broadcast, times the exponentials of a few keys.
//
// Keys and values of a head are first packed (attention_pack.h). Rows of a fused qkv buffer lie a page apart, so that even
// float32 rows are copied.

// Finite, so that a block of -∞ scores gives exponentials of 0 and not of ∞ - ∞.
#define LOWEST_MAXIMUM (-3e38f)

// What is fixed while a tile is compiled: vectors of queries, and how the two products are computed.
typedef struct tile_mode {
    int vectors, scores, values;
} tile_mode;

// Keys between two updates of the online softmax: equal bytes of exponentials in each precision.
INLINE int64_t block_keys(int values) { return values == INT8 ? 256 : values == BFLOAT16 ? 128 : 64; }

typedef struct tile_scratch {
    // A head.
    uint32_t *k, *v;
    float *k_scales;               // INT8: a group of keys
    float *k_mean;                 // INT8: a channel
    float *v_scales, *v_middles;   // INT8: a channel
    uint32_t *representation;      // words of keys that stand for others
    float *representation_scales;
    float *representation_rows;    // the same as numbers
    int64_t representations;
    // A tile.
    float *q;           // (channels, TILE) numbers, then (words, TILE)
    float *o;           // (padded width, TILE)
    int32_t *o_integer; // INT8 with a frozen maximum
    float *s;           // scores: (keys of the largest block, TILE)
    uint32_t *e;        // exponentials: (words of the largest block, TILE)
    int64_t *order;     // groups of keys in the order they are taken
    uint8_t *marked;
    // Rows of the current head that are to be redone.
    int32_t *fallback;
    int64_t fallback_count;
} tile_scratch;

INLINE int score_products(const kernel_attention *p) {
#ifdef HAS_DOT_PRODUCTS
    return p->products == kernel_products_float32 ? FLOAT32 : p->products == kernel_products_bfloat16 ? BFLOAT16 : INT8;
#else
    return p->products == kernel_products_float32 ? FLOAT32 : ROUNDED;
#endif
}

INLINE int value_products(const kernel_attention *p) {
    return p->products == kernel_products_int8_bfloat16 ? BFLOAT16 : score_products(p);
}

INLINE int64_t padded_keys(const kernel_attention *p) { return attention_round_up(p->keys, GROUP); }
INLINE int64_t padded_width(const kernel_attention *p) { return attention_round_up(p->width, GROUP); }
INLINE int64_t channel_words(const kernel_attention *p, int products) {
    const int numbers = numbers_a_word(products);
    return (p->width + numbers - 1) / numbers;
}
INLINE int64_t represented_blocks(const kernel_attention *p) {
    return (p->keys + REPRESENTED_KEYS - 1) / REPRESENTED_KEYS;
}

// Keys of the largest block: the priority tile is taken as one, and the naive twin has one block.
INLINE int64_t largest_block(const kernel_attention *p, int values) {
    const int64_t all = padded_keys(p);
    if (p->variant == kernel_attention_naive) return all;
    const int64_t priority = attention_freezes(p) ? ATTENTION_MOST_PRIORITY_KEYS : 0;
    const int64_t block = block_keys(values) > priority ? block_keys(values) : priority;
    return block < all ? block : all;
}

// Divides the scratch; returns its size, and fills `x` where given. Heads with numbers that are not finite are computed
// with bfloat16 products where int8 was asked for, so that the parts are large enough for both.
static size_t divide_scratch(const kernel_attention *p, void *scratch, tile_scratch *x) {
    const int scores = score_products(p), values = value_products(p);
    const int64_t score_words = channel_words(p, scores == INT8 ? BFLOAT16 : scores);
    const int64_t key_numbers = numbers_a_word(values == INT8 ? BFLOAT16 : values);
    const int64_t block = largest_block(p, values);
    const int64_t rows = attention_round_up(
        represented_blocks(p) > SAMPLES ? represented_blocks(p) : SAMPLES, GROUP);
    size_t offset = 0;
#define PART(member, type, count)                                                                                      \
    do {                                                                                                               \
        if (x) x->member = (type *)((char *)scratch + offset);                                                         \
        offset += ((size_t)(count) * sizeof(type) + 63) / 64 * 64;                                                     \
    } while (0)
    PART(q, float, attention_round_up(p->width, 4) * TILE);
    PART(o, float, padded_width(p) * TILE);
    PART(o_integer, int32_t, values == INT8 ? padded_width(p) * TILE : 0);
    PART(s, float, block * TILE);
    PART(e, uint32_t, block / key_numbers * TILE);
    PART(representation, uint32_t, rows * score_words);
    PART(representation_scales, float, rows / GROUP);
    PART(representation_rows, float, rows * attention_round_up(p->width, LANES));
    PART(k, uint32_t, padded_keys(p) * score_words);
    PART(v, uint32_t, padded_keys(p) / key_numbers * padded_width(p));
    PART(k_scales, float, padded_keys(p) / GROUP);
    PART(k_mean, float, attention_round_up(p->width, LANES));
    PART(v_scales, float, attention_round_up(p->width, LANES));
    PART(v_middles, float, attention_round_up(p->width, LANES));
    PART(order, int64_t, padded_keys(p) / GROUP + 1);
    PART(marked, uint8_t, padded_keys(p) / GROUP + 1);
    PART(fallback, int32_t, p->queries);
    return offset;
}

// 8-bit products need their instruction: in float32 arithmetic they would be slower than float32 products. Where it is
// missing the readable twin runs, so that the result is the same everywhere.
INLINE bool runs_portably(const kernel_attention *p) {
#ifdef HAS_DOT_PRODUCTS
    (void)p;
    return false;
#else
    return p->products == kernel_products_int8 || p->products == kernel_products_int8_bfloat16;
#endif
}

static size_t vector_attention_scratch(const kernel_attention *p) {
    return runs_portably(p) ? portable_attention_scratch(p) : divide_scratch(p, NULL, NULL);
}

static int64_t vector_attention_tile_queries(const kernel_attention *p) {
    return runs_portably(p) ? portable_attention_tile_queries(p) : TILE;
}

// MARK: - Inner loops

// sum + key word · query word, a lane.
INLINE vf add_scores(vf sum, const uint32_t *key, vf query, int products) {
#ifdef HAS_DOT_PRODUCTS
    if (products == BFLOAT16)
        return (vf)_mm512_dpbf16_ps((__m512)sum, (__m512bh)query, (__m512bh)_mm512_set1_epi32((int)*key));
    if (products == INT8)
        return (vf)_mm512_dpbusd_epi32((__m512i)sum, _mm512_set1_epi32((int)*key), (__m512i)query);
#endif
    float number;
    memcpy(&number, key, sizeof number);
    return vf_fma(vf_set(number), query, sum);
}

// sum + value word · word of exponentials, a lane.
INLINE vf add_values(vf sum, const uint32_t *value, vf exponentials, int products) {
#ifdef HAS_DOT_PRODUCTS
    if (products == INT8)
        return (vf)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)exponentials, _mm512_set1_epi32((int)*value));
#endif
    return add_scores(sum, value, exponentials, products);
}

// start + scores of GROUP keys, which begin at k, with all queries of the tile. INT8: integers.
INLINE void group_scores(
    const float *q, const uint32_t *k, int64_t key_stride, int64_t words, tile_mode mode, const vf *start,
    vf s[GROUP][TILE_VECTORS]) {
    UNROLL for (int key = 0; key < GROUP; key++)
        UNROLL for (int v = 0; v < mode.vectors; v++) s[key][v] = start[v];
    for (int64_t w = 0; w < words; w++) {
        vf queries[TILE_VECTORS];
        UNROLL for (int v = 0; v < mode.vectors; v++) queries[v] = vf_load(q + w * TILE + v * LANES);
        UNROLL for (int key = 0; key < GROUP; key++)
            UNROLL for (int v = 0; v < mode.vectors; v++)
                s[key][v] = add_scores(s[key][v], k + key * key_stride + w, queries[v], mode.scores);
    }
}

// Scores of keys that do not exist become -∞. Compares constants with `valid`, so that s stays in registers.
INLINE void mask_missing_keys(vf s[GROUP][TILE_VECTORS], tile_mode mode, int64_t valid) {
    UNROLL for (int key = 0; key < GROUP; key++)
        if (key >= valid) UNROLL for (int v = 0; v < mode.vectors; v++) s[key][v] = vf_set(-__builtin_inff());
}

// How the second product meets what is in the accumulator.
typedef enum accumulation {
    accumulation_begin,   // there is nothing
    accumulation_rescale, // times a factor
    accumulation_add,
    accumulation_begin_integers, // INT8: sums stay integers
    accumulation_add_integers,
} accumulation;

// o (channels, TILE) = factor · o + values · exponentials, over groups of keys.
INLINE void add_products(
    float *o, int64_t channels, const uint32_t *values, int64_t stride, const uint32_t *e, const int64_t *order,
    int64_t groups, tile_mode mode, accumulation how, const vf *factor) {
    const int numbers = numbers_a_word(mode.values);
    const bool converts = mode.values == INT8 && (how == accumulation_begin || how == accumulation_rescale);
    const bool empty = how == accumulation_begin || how == accumulation_begin_integers || converts;
    for (int64_t c = 0; c < channels; c += GROUP) {
        vf sums[GROUP][TILE_VECTORS];
        UNROLL for (int i = 0; i < GROUP; i++)
            UNROLL for (int v = 0; v < mode.vectors; v++) {
                sums[i][v] = empty ? vf_set(0) : vf_load(o + (c + i) * TILE + v * LANES);
                if (how == accumulation_rescale && !converts) sums[i][v] *= factor[v];
            }
        for (int64_t g = 0; g < groups; g++) {
            const uint32_t *from = values + order[g] / numbers * stride + c;
            const uint32_t *exponentials = e + g * (GROUP / numbers) * TILE;
            UNROLL for (int word = 0; word < GROUP / numbers; word++) {
                vf words[TILE_VECTORS];
                UNROLL for (int v = 0; v < mode.vectors; v++)
                    words[v] = vf_load((const float *)exponentials + word * TILE + v * LANES);
                UNROLL for (int i = 0; i < GROUP; i++)
                    UNROLL for (int v = 0; v < mode.vectors; v++)
                        sums[i][v] = add_values(sums[i][v], from + word * stride + i, words[v], mode.values);
            }
        }
        UNROLL for (int i = 0; i < GROUP; i++)
            UNROLL for (int v = 0; v < mode.vectors; v++) {
                float *at = o + (c + i) * TILE + v * LANES;
                vf sum = sums[i][v];
                if (converts) {
                    sum = __builtin_convertvector(__builtin_bit_cast(vi, sum), vf);
                    if (how == accumulation_rescale) sum = vf_fma(vf_load(at), factor[v], sum);
                }
                vf_store(at, sum);
            }
    }
}

// MARK: - Exponentials

// Maxima, sums and what else is known of a tile while keys go by. Scores are in base 2.
typedef struct tile_state {
    vf maximum[TILE_VECTORS], sum[TILE_VECTORS];
    vf start[TILE_VECTORS];       // where the sums of scores begin
    vf query_scale[TILE_VECTORS]; // INT8
    vf mean_score[TILE_VECTORS];  // INT8: what taking the mean from the keys took from every score of a row
    vf largest[TILE_VECTORS];     // INT8: the largest score so far, where the maximum may be larger
    vf left_out[TILE_VECTORS];    // VSA: bound of the exponentials of the keys that were left out
    int64_t keys_left_out;
    // INT8 with a frozen maximum: the part of the sums that is in o_integer, and how many keys made it.
    vi sum_integer[TILE_VECTORS];
    int64_t integer_keys;
    float unit; // log2 of what stands for an exponential of 1
    bool empty; // no key so far
} tile_state;

// An exponential of 8 bits is a number from 0 to 255 (rounded).
#define LARGEST_BYTE 7.99717f // log2 255.5

// log2 of the number that stands for 1. 8-bit exponentials fill their byte if the maximum is that of the scores; where it may
// be up to a bit too low, they keep that bit free.
INLINE float exponential_unit(bool exact_maximum, int values) {
    return values == INT8 ? (exact_maximum ? 7.99435344f : 6.98868468f) : 0; // log2 255, log2 127
}

#ifdef HAS_DOT_PRODUCTS

// 2ˣ to 8e-5, for exponentials that are cut to 8 bits; limits as exp2_score.
INLINE vf exp2_coarse(vf x) {
    const vf f = (vf)_mm512_reduce_ps((__m512)x, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
    vf p = vf_fma(f, vf_set(0.07802446186542511f), vf_set(0.22606724500656128f));
    p = vf_fma(f, p, vf_set(0.6958335041999817f));
    p = vf_fma(f, p, vf_set(0.9999251961708069f));
    return (vf)_mm512_scalef_ps((__m512)p, (__m512)x);
}

// 2ˣ to 1.7e-3, for exponentials of 8 bits.
INLINE vf exp2_byte(vf x) {
    const vf f = (vf)_mm512_reduce_ps((__m512)x, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
    vf p = vf_fma(f, vf_set(0.3371894955635071f), vf_set(0.6576362252235413f));
    p = vf_fma(f, p, vf_set(1.0017247200012207f));
    return (vf)_mm512_scalef_ps((__m512)p, (__m512)x);
}

// The upper halves of two rows as words: bfloat16 numbers, cut off. That makes all exponentials of a row smaller by the same
// share on average, which cancels in their ratio.
INLINE vf cut_pair_words(vf even, vf odd) {
    const __m512i halves = _mm512_set_epi16(
        63, 31, 61, 29, 59, 27, 57, 25, 55, 23, 53, 21, 51, 19, 49, 17, 47, 15, 45, 13, 43, 11, 41, 9, 39, 7, 37, 5, 35,
        3, 33, 1);
    return (vf)_mm512_permutex2var_epi16((__m512i)even, halves, (__m512i)odd);
}

#endif

// The exponentials of a group's scores (less the maximum, plus the unit) as words, and their sum: one and the same rounded
// number goes into the sum and into the product.
INLINE void store_exponentials(vf s[GROUP][TILE_VECTORS], uint32_t *e, tile_state *state, tile_mode mode) {
#ifdef HAS_DOT_PRODUCTS
    if (mode.values == BFLOAT16) {
        UNROLL for (int key = 0; key < GROUP; key += 2)
            UNROLL for (int v = 0; v < mode.vectors; v++) {
                const vf word = cut_pair_words(exp2_coarse(s[key][v]), exp2_coarse(s[key + 1][v]));
                const __m512i ones = _mm512_set1_epi32(0x3F803F80);
                state->sum[v] = (vf)_mm512_dpbf16_ps((__m512)state->sum[v], (__m512bh)word, (__m512bh)ones);
                vf_store((float *)e + key / 2 * TILE + v * LANES, word);
            }
        return;
    }
    if (mode.values == INT8) {
        UNROLL for (int key = 0; key < GROUP; key += 4)
            UNROLL for (int v = 0; v < mode.vectors; v++) {
                const vi word = quad_words(
                    exp2_byte(s[key][v]), exp2_byte(s[key + 1][v]), exp2_byte(s[key + 2][v]), exp2_byte(s[key + 3][v]));
                state->sum_integer[v] =
                    (vi)_mm512_dpbusd_epi32((__m512i)state->sum_integer[v], (__m512i)word, _mm512_set1_epi8(1));
                store_words(e + key / 4 * TILE + v * LANES, word);
            }
        return;
    }
#endif
    UNROLL for (int key = 0; key < GROUP; key++)
        UNROLL for (int v = 0; v < mode.vectors; v++) {
            vf exponential = exp2_score(s[key][v]);
            if (mode.values == ROUNDED) exponential = vf_rounded_to_bfloat16(exponential);
            state->sum[v] += exponential;
            vf_store((float *)e + key * TILE + v * LANES, exponential);
        }
}

// MARK: - Blocks of keys

// Scores of the group of keys that begins at `key`, less `offset`.
INLINE void scores_at(
    const kernel_attention *p, const tile_scratch *x, const tile_state *state, int64_t key, tile_mode mode,
    const vf *offset, vf s[GROUP][TILE_VECTORS]) {
    const int64_t words = channel_words(p, mode.scores);
    vf start[TILE_VECTORS];
    UNROLL for (int v = 0; v < mode.vectors; v++) start[v] = mode.scores == INT8 ? state->start[v] : -offset[v];
    group_scores(x->q, x->k + key * words, words, words, mode, start, s);
    if (mode.scores == INT8) {
        const vf key_scale = vf_set(x->k_scales[key / GROUP]);
        vf scale[TILE_VECTORS];
        UNROLL for (int v = 0; v < mode.vectors; v++) scale[v] = state->query_scale[v] * key_scale;
        UNROLL for (int k = 0; k < GROUP; k++)
            UNROLL for (int v = 0; v < mode.vectors; v++)
                s[k][v] = vf_fma(
                    __builtin_convertvector(__builtin_bit_cast(vi, s[k][v]), vf), scale[v], -offset[v]);
    }
    if (key + GROUP > p->keys) mask_missing_keys(s, mode, p->keys - key);
}

// Scores of a block to memory; returns their maxima.
INLINE void store_scores(
    const kernel_attention *p, const tile_scratch *x, const tile_state *state, const int64_t *order, int64_t groups,
    tile_mode mode, vf *maximum) {
    vf zero[TILE_VECTORS];
    UNROLL for (int v = 0; v < mode.vectors; v++) {
        zero[v] = vf_set(0);
        maximum[v] = vf_set(LOWEST_MAXIMUM);
    }
    for (int64_t g = 0; g < groups; g++) {
        vf s[GROUP][TILE_VECTORS];
        scores_at(p, x, state, order[g], mode, zero, s);
        UNROLL for (int key = 0; key < GROUP; key++)
            UNROLL for (int v = 0; v < mode.vectors; v++) {
                maximum[v] = vf_max(maximum[v], s[key][v]);
                vf_store(x->s + (g * GROUP + key) * TILE + v * LANES, s[key][v]);
            }
    }
}

// Exponentials of the scores in memory.
INLINE void exponentials_of_scores(const tile_scratch *x, tile_state *state, int64_t groups, tile_mode mode) {
    vf offset[TILE_VECTORS];
    UNROLL for (int v = 0; v < mode.vectors; v++) offset[v] = state->maximum[v] - state->unit;
    for (int64_t g = 0; g < groups; g++) {
        vf s[GROUP][TILE_VECTORS];
        UNROLL for (int key = 0; key < GROUP; key++)
            UNROLL for (int v = 0; v < mode.vectors; v++)
                s[key][v] = vf_load(x->s + (g * GROUP + key) * TILE + v * LANES) - offset[v];
        store_exponentials(s, x->e + g * (GROUP / numbers_a_word(mode.values)) * TILE, state, mode);
    }
}

// Whether a[v] <= b[v] in all lanes. NaN counts as larger.
INLINE bool none_larger(const vf *a, const vf *b, float by, tile_mode mode) {
    bool larger = false;
    UNROLL for (int v = 0; v < mode.vectors; v++) {
#if LANES == 16
        larger |= _mm512_cmp_ps_mask((__m512)a[v], (__m512)(b[v] + by), _CMP_NLE_UQ) != 0;
#else
        larger |= _mm256_movemask_ps(_mm256_cmp_ps((__m256)a[v], (__m256)(b[v] + by), _CMP_NLE_UQ)) != 0;
#endif
    }
    return !larger;
}

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

// The online softmax on scores in memory: the maximum, the factor of what came before, exponentials, products. Returns
// whether there was anything to rescale.
INLINE bool add_scored_block(
    const kernel_attention *p, const tile_scratch *x, tile_state *state, const int64_t *order, int64_t groups,
    tile_mode mode, const vf *block_maximum, float rescale_threshold) {
    vf factor[TILE_VECTORS];
    const bool keep = !state->empty && rescale_threshold > 0 &&
                      none_larger(block_maximum, state->maximum, rescale_threshold, mode);
    UNROLL for (int v = 0; v < mode.vectors; v++) {
        const vf maximum = keep ? state->maximum[v] : vf_max(state->maximum[v], block_maximum[v]);
        factor[v] = keep ? vf_set(1) : exp2_score(state->maximum[v] - maximum);
        state->largest[v] = vf_max(block_maximum[v], state->largest[v]);
        state->maximum[v] = maximum;
        state->sum[v] *= factor[v];
    }
    exponentials_of_scores(x, state, groups, mode);
    if (mode.values == INT8)
        UNROLL for (int v = 0; v < mode.vectors; v++) {
            state->sum[v] += __builtin_convertvector(state->sum_integer[v], vf);
            state->sum_integer[v] = (vi)0;
        }
    const accumulation how = state->empty ? accumulation_begin
                             : keep && mode.values != INT8 ? accumulation_add : accumulation_rescale;
    if (how == accumulation_begin)
        add_products(x->o, padded_width(p), x->v, padded_width(p), x->e, order, groups, mode, accumulation_begin, NULL);
    else if (how == accumulation_add)
        add_products(x->o, padded_width(p), x->v, padded_width(p), x->e, order, groups, mode, accumulation_add, NULL);
    else
        add_products(
            x->o, padded_width(p), x->v, padded_width(p), x->e, order, groups, mode, accumulation_rescale, factor);
    const bool rescaled = !state->empty && !keep;
    state->empty = false;
    return rescaled;
}

INLINE bool add_block_online(
    const kernel_attention *p, const tile_scratch *x, tile_state *state, const int64_t *order, int64_t groups,
    tile_mode mode, float rescale_threshold) {
    vf block_maximum[TILE_VECTORS];
    store_scores(p, x, state, order, groups, mode, block_maximum);
    return add_scored_block(p, x, state, order, groups, mode, block_maximum, rescale_threshold);
}

// Adds the products of exponentials under a frozen maximum.
INLINE void add_frozen_products(
    const kernel_attention *p, const tile_scratch *x, tile_state *state, const int64_t *order, int64_t groups,
    tile_mode mode) {
    const int64_t width = padded_width(p);
    if (mode.values != INT8)
        add_products(x->o, width, x->v, width, x->e, order, groups, mode, accumulation_add, NULL);
    else if (state->integer_keys == 0)
        add_products((float *)x->o_integer, width, x->v, width, x->e, order, groups, mode, accumulation_begin_integers, NULL);
    else
        add_products((float *)x->o_integer, width, x->v, width, x->e, order, groups, mode, accumulation_add_integers, NULL);
    state->integer_keys += groups * GROUP;
}

// Sums of products of bytes fit an int32 for this many keys.
#define MOST_INTEGER_KEYS 65536

// With the maximum frozen: the sums of scores start at its negative and go straight into the exponential. Returns whether
// an 8-bit exponential overflowed, so that the block was done again with a new maximum.
INLINE bool add_block_frozen(
    const kernel_attention *p, const tile_scratch *x, tile_state *state, const int64_t *order, int64_t groups,
    tile_mode mode) {
    vf offset[TILE_VECTORS], largest[TILE_VECTORS], limit[TILE_VECTORS];
    vi sum_before[TILE_VECTORS];
    UNROLL for (int v = 0; v < mode.vectors; v++) {
        offset[v] = state->maximum[v] - state->unit;
        largest[v] = vf_set(LOWEST_MAXIMUM);
        limit[v] = vf_set(LARGEST_BYTE);
        sum_before[v] = state->sum_integer[v];
    }
    for (int64_t g = 0; g < groups; g++) {
        vf s[GROUP][TILE_VECTORS];
        scores_at(p, x, state, order[g], mode, offset, s);
        if (mode.values == INT8)
            UNROLL for (int key = 0; key < GROUP; key++)
                UNROLL for (int v = 0; v < mode.vectors; v++) largest[v] = vf_max(largest[v], s[key][v]);
        store_exponentials(s, x->e + g * (GROUP / numbers_a_word(mode.values)) * TILE, state, mode);
    }
    if (mode.values == INT8) {
        if (!none_larger(largest, limit, 0, mode)) {
            UNROLL for (int v = 0; v < mode.vectors; v++) state->sum_integer[v] = sum_before[v];
            flush_integers(p, x, state, mode);
            add_block_online(p, x, state, order, groups, mode, 0);
            return true;
        }
        UNROLL for (int v = 0; v < mode.vectors; v++)
            state->largest[v] = vf_max(state->largest[v], largest[v] + offset[v]);
        if (state->integer_keys + groups * GROUP > MOST_INTEGER_KEYS) flush_integers(p, x, state, mode);
    }
    add_frozen_products(p, x, state, order, groups, mode);
    return false;
}

// What became of a block of VSA.
typedef enum sparse_block { sparse_block_taken, sparse_block_left_out, sparse_block_rescaled } sparse_block;

// With the maximum frozen: a block whose scores are all small against it is left out, and what that may have cost noted.
INLINE sparse_block add_block_sparse(
    const kernel_attention *p, const tile_scratch *x, tile_state *state, const int64_t *order, int64_t groups,
    tile_mode mode, const vf *threshold) {
    vf block_maximum[TILE_VECTORS];
    store_scores(p, x, state, order, groups, mode, block_maximum);
    if (none_larger(block_maximum, threshold, 0, mode)) {
        int64_t keys = groups * GROUP;
        for (int64_t g = 0; g < groups; g++)
            if (order[g] + GROUP > p->keys) keys -= order[g] + GROUP - p->keys;
        state->keys_left_out += keys;
        UNROLL for (int v = 0; v < mode.vectors; v++)
            state->left_out[v] += (float)keys * exp2_score(block_maximum[v] - state->maximum[v]);
        return sparse_block_left_out;
    }
    if (mode.values == INT8) {
        if (!none_larger(block_maximum, state->maximum, LARGEST_BYTE - state->unit, mode)) {
            flush_integers(p, x, state, mode);
            vf before[TILE_VECTORS];
            UNROLL for (int v = 0; v < mode.vectors; v++) before[v] = state->maximum[v];
            add_scored_block(p, x, state, order, groups, mode, block_maximum, 0);
            UNROLL for (int v = 0; v < mode.vectors; v++) state->left_out[v] *= exp2_score(before[v] - state->maximum[v]);
            return sparse_block_rescaled;
        }
        UNROLL for (int v = 0; v < mode.vectors; v++) state->largest[v] = vf_max(state->largest[v], block_maximum[v]);
        if (state->integer_keys + groups * GROUP > MOST_INTEGER_KEYS) flush_integers(p, x, state, mode);
    }
    exponentials_of_scores(x, state, groups, mode);
    add_frozen_products(p, x, state, order, groups, mode);
    return sparse_block_taken;
}

// MARK: - The maximum's first estimate

// Keys that stand for others, as float32 rows.
static void represent_keys(const kernel_attention *p, tile_scratch *x, int64_t head, tile_mode mode) {
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
    vf zero[TILE_VECTORS], sum[TILE_VECTORS], squares[TILE_VECTORS];
    UNROLL for (int v = 0; v < mode.vectors; v++) zero[v] = sum[v] = squares[v] = vf_set(0);
    tile_scratch rows = *x;
    rows.k = x->representation;
    rows.k_scales = x->representation_scales;
    kernel_attention problem = *p;
    problem.keys = x->representations;
    for (int64_t row = 0; row < x->representations; row += GROUP) {
        vf s[GROUP][TILE_VECTORS];
        scores_at(&problem, &rows, state, row, mode, zero, s);
        UNROLL for (int key = 0; key < GROUP; key++)
            if (row + key < x->representations) UNROLL for (int v = 0; v < mode.vectors; v++) {
                state->maximum[v] = vf_max(state->maximum[v], s[key][v]);
                sum[v] += s[key][v];
                squares[v] = vf_fma(s[key][v], s[key][v], squares[v]);
            }
    }
    if (!sampled || x->representations < 8) return;
    // The scores of a row are taken to be normal; most of what lies above the expected largest is found by the priority tile.
    const float n = (float)x->representations, reach = attention_expected_maximum(p->keys);
    UNROLL for (int v = 0; v < mode.vectors; v++) {
        const vf mean = sum[v] / n, variance = squares[v] / n - mean * mean;
        const vf expected = vf_fma(vf_sqrt(vf_max(variance, vf_set(0))), vf_set(reach), mean);
        state->maximum[v] = vf_max(expected, state->maximum[v]);
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
        state->maximum[v] = state->largest[v] = vf_set(LOWEST_MAXIMUM);
        state->sum[v] = state->start[v] = state->left_out[v] = state->mean_score[v] = vf_set(0);
        state->sum_integer[v] = (vi)0;
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
    const int64_t groups = padded_keys(p) / GROUP;
    const int64_t block_groups = !fallback && p->variant == kernel_attention_naive ? groups : block_keys(mode.values) / GROUP;
    float threshold = !fallback && p->variant == kernel_attention_fa4 ? p->rescale_threshold : 0;
    if (mode.values == INT8 && threshold > 1) threshold = 1;
    int64_t tiles = 0, rescales = 0;
    for (int64_t done = 0; done < groups; done += block_groups, tiles++) {
        const int64_t part = groups - done < block_groups ? groups - done : block_groups;
        rescales += add_block_online(p, x, state, x->order + done, part, mode, threshold);
    }
    if (fallback) {
        counters->fallback_tiles += tiles;
        counters->fallback_rescales += rescales;
    } else {
        counters->tiles += tiles;
        counters->row_maximum_tiles += tiles;
        counters->rescales += rescales;
    }
}

// The priority tile by the online softmax, the other keys under the maximum it left.
INLINE void freeze_maximum(
    const kernel_attention *p, const tile_scratch *x, tile_state *state, int64_t priority_groups, int64_t count,
    tile_mode mode, kernel_attention_counters *counters) {
    const int64_t groups = padded_keys(p) / GROUP, block_groups = block_keys(mode.values) / GROUP;
    const bool sparse = p->variant == kernel_attention_vsa;
    estimate_maximum(p, x, state, mode);
    add_block_online(p, x, state, x->order, priority_groups, mode, 0);
    counters->tiles += 1;
    counters->row_maximum_tiles += 1;
    vf threshold[TILE_VECTORS];
    float lanes[TILE];
    for (int64_t done = priority_groups; done < groups; done += block_groups) {
        const int64_t part = groups - done < block_groups ? groups - done : block_groups;
        counters->tiles += 1;
        if (!sparse) {
            const bool redone = add_block_frozen(p, x, state, x->order + done, part, mode);
            counters->redone_tiles += redone;
            counters->rescales += redone;
            counters->row_maximum_tiles += redone;
            continue;
        }
        for (int i = 0; i < TILE; i++) lanes[i] = i < count ? log2f(p->skip_threshold) : INFINITY; // rows that are none
        UNROLL for (int v = 0; v < mode.vectors; v++) threshold[v] = state->maximum[v] + vf_load(lanes + v * LANES);
        const sparse_block what = add_block_sparse(p, x, state, x->order + done, part, mode, threshold);
        counters->row_maximum_tiles += 1;
        counters->skipped_tiles += what == sparse_block_left_out;
        counters->rescales += what == sparse_block_rescaled;
    }
    if (mode.values == INT8) flush_integers(p, x, state, mode);
}

// Ends a tile: the guard, the certificate, and the rows to memory.
INLINE void finish_tile(
    const kernel_attention *p, tile_scratch *x, int64_t head, const int32_t *rows, int64_t count, bool frozen,
    tile_mode mode, const tile_state *state, kernel_attention_counters *counters) {
    float sums[TILE], maxima[TILE], factors[TILE];
    UNROLL for (int v = 0; v < mode.vectors; v++) {
        vf_store(sums + v * LANES, state->sum[v]);
        vf_store(maxima + v * LANES, state->maximum[v] - state->unit + state->mean_score[v]);
        vf_store(factors + v * LANES, 1.0f / state->sum[v]);
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
            float high[TILE];
            UNROLL for (int v = 0; v < mode.vectors; v++) vf_store(high + v * LANES, state->maximum[v] - state->largest[v]);
            for (int i = 0; i < count; i++)
                if (!(high[i] <= 2)) failing |= 1ull << i;
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

#define TILE_BODY(name, v, scores, values)                                                                                 static __attribute__((noinline)) void name(                                                                                const kernel_attention *p, tile_scratch *x, int64_t head, const int32_t *rows, int64_t count, bool fallback,           kernel_attention_counters *counters) {                                                                                 attend_tile(p, x, head, rows, count, fallback, (tile_mode){v, scores, values}, counters);                          }
#define TILE_BODIES(name, scores, values)                                                                                  TILE_BODY(name##_1, 1, scores, values)                                                                                 TILE_BODY(name##_2, 2, scores, values)                                                                                 TILE_BODY(name##_3, 3, scores, values)                                                                                 static tile_body *const name[TILE_VECTORS] = {name##_1, name##_2, name##_3};
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
static tile_mode pack_head(const kernel_attention *p, tile_scratch *x, int64_t head) {
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
    const int64_t words = channel_words(p, mode.scores);
    pack_keys(
        p, head_rows(p, &p->k, head), &p->k, p->keys, words, mode.scores, x->k_mean, x->k, x->k_scales);
    memset(x->k + p->keys * words, 0, (size_t)((padded_keys(p) - p->keys) * words) * sizeof(uint32_t));
    if (attention_freezes(p)) represent_keys(p, x, head, mode);
    return mode;
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
