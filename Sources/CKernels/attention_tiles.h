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

// Keys a block: equal bytes of exponentials in each precision, so many that the accumulator's way through memory is a small
// part of a block. VSA takes smaller ones, because it leaves out whole blocks; so does VFA in 8 bits, because it may have
// to do a block again.
INLINE int64_t block_keys(const kernel_attention *p, int values) {
    if (p->variant == kernel_attention_vsa) return values == INT8 ? 128 : 64;
    if (values == INT8) return p->variant == kernel_attention_vfa ? 256 : 512;
    return values == BFLOAT16 ? 256 : 128;
}

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
    // Which numbers of a group's words of exponentials belong to keys: all, and those of the last group of the head.
    uint32_t full_mask[GROUP], partial_mask[GROUP];
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
    const int64_t block = block_keys(p, values) > priority ? block_keys(p, values) : priority;
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

// Adds the words [w, end) of `keys` keys to their scores.
INLINE void add_words(
    const float *q, const uint32_t *k, int64_t key_stride, int64_t w, int64_t end, int keys, tile_mode mode,
    vf s[][TILE_VECTORS]) {
    for (; w < end; w++) {
        vf queries[TILE_VECTORS];
        UNROLL for (int v = 0; v < mode.vectors; v++) queries[v] = vf_load(q + w * TILE + v * LANES);
        UNROLL for (int key = 0; key < keys; key++)
            UNROLL for (int v = 0; v < mode.vectors; v++)
                s[key][v] = add_scores(s[key][v], k + key * key_stride + w, queries[v], mode.scores);
    }
}

// start + scores of `keys` keys, which begin at k, with all queries of the tile. INT8: integers.
INLINE void key_scores(
    const float *q, const uint32_t *k, int64_t key_stride, int64_t words, int keys, tile_mode mode, const vf *start,
    vf s[][TILE_VECTORS]) {
    UNROLL for (int key = 0; key < keys; key++)
        UNROLL for (int v = 0; v < mode.vectors; v++) s[key][v] = start[v];
    add_words(q, k, key_stride, 0, words, keys, mode, s);
}

// How the second product meets what is in the accumulator.
typedef enum accumulation {
    accumulation_begin,   // there is nothing
    accumulation_rescale, // times a factor
    accumulation_add,
    accumulation_begin_integers, // INT8: sums stay integers
    accumulation_add_integers,
} accumulation;

// o (channels, TILE) = factor · o + values · exponentials, over groups of keys. INT8 sums that become float32 numbers are
// multiplied by block_factor.
INLINE void add_products(
    float *o, int64_t channels, const uint32_t *values, int64_t stride, const uint32_t *e, const int64_t *order,
    int64_t groups, tile_mode mode, accumulation how, const vf *factor, const vf *block_factor) {
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
                    sum *= block_factor[v];
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
    vi largest[TILE_VECTORS];     // INT8: the largest bytes of exponentials since the maximum last changed
    vf left_out[TILE_VECTORS];    // VSA: bound of the exponentials of the keys that were left out
    int64_t keys_left_out;
    // INT8 with a frozen maximum: the part of the sums that is in o_integer, and how many keys made it.
    vi sum_integer[TILE_VECTORS];
    int64_t integer_keys;
    float unit; // log2 of what stands for an exponential of 1
    bool empty; // no key so far
} tile_state;

// log2 of the number that stands for 1. 8-bit exponentials fill their byte if the maximum is that of the scores; where it may
// be up to a bit too low, they keep that bit free, and 255 stands for all that is larger.
#define LARGEST_BYTE 7.99435344f // log2 255
#define BYTE_STEPS 256.0f
INLINE float exponential_unit(bool exact_maximum, int values) {
    return values == INT8 ? (exact_maximum ? LARGEST_BYTE : 6.98868468f) : 0; // log2 127
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

// Exponentials of 8 bits need no more than 16-bit arithmetic, on 32 numbers at a time. The argument counts, in steps of 1/256,
// how many powers of two an exponential lies below 2^15: z = BYTE_STEPS (LARGEST_BYTE + 7 - x), so that 255 is 7 below. A
// table of 32 values gives the fraction (to 1.1 %), a shift the power. What is too large ends as 255.
INLINE __m512i exp2_words(__m512i z) {
    // 65280 · 2^-((j + 1/2) / 32)
    const __m512i fractions = _mm512_set_epi16(
        (short)32995, (short)33718, (short)34456, (short)35211, (short)35982, (short)36770, (short)37575, (short)38398,
        (short)39238, (short)40098, (short)40976, (short)41873, (short)42790, (short)43727, (short)44684, (short)45663,
        (short)46663, (short)47684, (short)48729, (short)49796, (short)50886, (short)52000, (short)53139, (short)54302,
        (short)55491, (short)56707, (short)57948, (short)59217, (short)60514, (short)61839, (short)63193, (short)64577);
    const __m512i fraction = _mm512_permutexvar_epi16(_mm512_srli_epi16(z, 3), fractions);
    return _mm512_avg_epu16(_mm512_srlv_epi16(fraction, _mm512_srli_epi16(z, 8)), _mm512_setzero_si512());
}

// Four rows of arguments z to words of exponentials, the first in the lowest byte.
INLINE vi exponential_bytes(const vf *z) {
    __m512i whole[4];
    UNROLL for (int i = 0; i < 4; i++) whole[i] = _mm512_cvtps_epi32(_mm512_min_ps(_mm512_set1_ps(1e6f), (__m512)z[i]));
    const __m512i low = exp2_words(_mm512_packus_epi32(whole[0], whole[1]));
    const __m512i high = exp2_words(_mm512_packus_epi32(whole[2], whole[3]));
    // Each 128 bits hold four lanes of the first row, of the second …; they become four words.
    const __m512i places = _mm512_broadcast_i32x4(_mm_set_epi8(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0));
    return (vi)_mm512_shuffle_epi8(_mm512_packus_epi16(low, high), places);
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

// The exponentials of the scores of one word's keys (less the maximum, plus the unit; for 8 bits, the argument of exp2_words),
// a lane, as a word, and their sum: one and the same rounded number goes into the sum and into the product.
INLINE vf exponential_word(const vf *s, uint32_t mask, tile_state *state, int v, tile_mode mode) {
    const vi exists = (vi)(int32_t)mask;
#ifdef HAS_DOT_PRODUCTS
    if (mode.values == BFLOAT16) {
        const vf word = (vf)((vi)cut_pair_words(exp2_coarse(s[0]), exp2_coarse(s[1])) & exists);
        const __m512i ones = _mm512_set1_epi32(0x3F803F80);
        state->sum[v] = (vf)_mm512_dpbf16_ps((__m512)state->sum[v], (__m512bh)word, (__m512bh)ones);
        return word;
    }
    if (mode.values == INT8) {
        const vi word = exponential_bytes(s) & exists;
        state->largest[v] = (vi)_mm512_max_epu8((__m512i)state->largest[v], (__m512i)word);
        state->sum_integer[v] =
            (vi)_mm512_dpbusd_epi32((__m512i)state->sum_integer[v], (__m512i)word, _mm512_set1_epi8(1));
        return (vf)word;
    }
#endif
    vf exponential = (vf)((vi)exp2_score(s[0]) & exists);
    if (mode.values == ROUNDED) exponential = vf_rounded_to_bfloat16(exponential);
    state->sum[v] += exponential;
    return exponential;
}

// MARK: - Groups of keys

// What turns sums of scores into the arguments of exponentials: scale · sum + offset.
typedef struct score_finish {
    vf scale[TILE_VECTORS];  // INT8 scores
    vf offset[TILE_VECTORS];
    bool has_offset;         // otherwise the sums began at it
    const uint32_t *mask;    // a word of exponentials each: 0 where there is no key
    uint32_t *e;             // (words, TILE)
} score_finish;

// For a group's scale of scores, and the maximum less the unit.
INLINE void set_finish(score_finish *finish, const vf *scale, const vf *maximum, float unit, tile_mode mode) {
    UNROLL for (int v = 0; v < mode.vectors; v++) {
        finish->offset[v] = unit - maximum[v];
        if (mode.scores == INT8) finish->scale[v] = scale[v];
        if (mode.values == INT8) {
            finish->scale[v] *= -BYTE_STEPS;
            finish->offset[v] = (LARGEST_BYTE + 7.0f - finish->offset[v]) * BYTE_STEPS;
        }
    }
}

// The word of exponentials of a word's keys in lane vector v, to row `row`.
INLINE void finish_word(
    const score_finish *finish, vf s[][TILE_VECTORS], int64_t row, int v, tile_state *state, tile_mode mode) {
    vf finished[4];
    UNROLL for (int i = 0; i < numbers_a_word(mode.values); i++) {
        finished[i] = s[i][v];
        if (mode.scores == INT8)
            finished[i] = vf_fma(
                __builtin_convertvector(__builtin_bit_cast(vi, s[i][v]), vf), finish->scale[v], finish->offset[v]);
        else if (finish->has_offset)
            finished[i] += finish->offset[v];
    }
    const vf word = exponential_word(finished, finish->mask[row], state, v, mode);
    vf_store((float *)finish->e + row * TILE + v * LANES, word);
}

// The exponentials of `keys` keys whose words begin at row `row`.
INLINE void finish_keys(
    const score_finish *finish, vf s[][TILE_VECTORS], int64_t row, int keys, tile_state *state,
    tile_mode mode) {
    const int numbers = numbers_a_word(mode.values);
    UNROLL for (int i = 0; i < keys / numbers; i++)
        UNROLL for (int v = 0; v < mode.vectors; v++)
            finish_word(finish, s + i * numbers, row + i, v, state, mode);
}

// Scores of HALF keys, with what is to be done with those of HALF others dealt out among the steps: the exponentials, whose
// words begin at row `row`, or, without `finish`, their way to memory at `store`. Products, exponentials and stores run in
// different units of the processor, which does not look far enough ahead to find one behind the other; 512-bit stores in
// one go at the end of a group would take an eighth of the time of its products.
INLINE void scores_beside(
    const float *q, const uint32_t *k, int64_t words, const vf *start, vf before[][TILE_VECTORS],
    const score_finish *finish, int64_t row, float *store, tile_state *state, tile_mode mode, vf now[][TILE_VECTORS]) {
    const int numbers = numbers_a_word(mode.values), rows = HALF / numbers;
    const int64_t steps = words / (rows * mode.vectors);
    int64_t w = 0;
    UNROLL for (int key = 0; key < HALF; key++)
        UNROLL for (int v = 0; v < mode.vectors; v++) now[key][v] = start[v];
    UNROLL for (int i = 0; i < rows; i++)
        UNROLL for (int v = 0; v < mode.vectors; v++) {
            if (finish)
                finish_word(finish, before + i * numbers, row + i, v, state, mode);
            else
                UNROLL for (int key = i * numbers; key < (i + 1) * numbers; key++)
                    vf_store(store + key * TILE + v * LANES, before[key][v]);
            add_words(q, k, words, w, w + steps, HALF, mode, now);
            w += steps;
        }
    add_words(q, k, words, w, words, HALF, mode, now);
}

// Raises maxima to the scores of the first `valid` of `keys` keys.
INLINE void raise_maxima(
    vf s[][TILE_VECTORS], int keys, const vf *scale, int64_t valid, tile_mode mode, vf *maximum) {
    if (mode.scores == INT8) {
        vi largest[TILE_VECTORS];
        if (valid <= 0) return;
        UNROLL for (int v = 0; v < mode.vectors; v++) largest[v] = (vi)s[0][v];
        UNROLL for (int key = 1; key < keys; key++)
            if (key < valid) UNROLL for (int v = 0; v < mode.vectors; v++)
                largest[v] = __builtin_elementwise_max(largest[v], (vi)s[key][v]);
        UNROLL for (int v = 0; v < mode.vectors; v++)
            maximum[v] = vf_max(maximum[v], __builtin_convertvector(largest[v], vf) * scale[v]);
        return;
    }
    UNROLL for (int key = 0; key < keys; key++)
        if (key < valid) UNROLL for (int v = 0; v < mode.vectors; v++) maximum[v] = vf_max(maximum[v], s[key][v]);
}

INLINE void group_scale(
    const tile_scratch *x, const tile_state *state, int64_t key, tile_mode mode, vf *scale) {
    if (mode.scores == INT8)
        UNROLL for (int v = 0; v < mode.vectors; v++) scale[v] = state->query_scale[v] * x->k_scales[key / GROUP];
}

INLINE const uint32_t *group_mask(const kernel_attention *p, const tile_scratch *x, int64_t key) {
    return key + GROUP > p->keys ? x->partial_mask : x->full_mask;
}

// Whether a[v] <= b[v] + by in all lanes. NaN counts as larger.
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

// Whether a lane's bytes hold a 255.
INLINE bool holds_overflow(vi bytes) {
#ifdef HAS_DOT_PRODUCTS
    return _mm512_cmpeq_epu8_mask((__m512i)bytes, _mm512_set1_epi8((char)255)) != 0;
#else
    (void)bytes;
    return false;
#endif
}

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

// Adds keys block by block: `first_groups` groups, then `block_groups` at a time.
INLINE block_counts add_blocks(
    const kernel_attention *p, const tile_scratch *x, tile_state *state, const int64_t *order, int64_t groups,
    int64_t first_groups, int64_t block_groups, block_policy policy, float threshold, const vf *rows_in_use,
    tile_mode mode) {
    block_counts counts = {0};
    const int64_t width = padded_width(p), words = channel_words(p, mode.scores);
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
        vf first[HALF][TILE_VECTORS], second[HALF][TILE_VECTORS];
        for (int64_t g = 0; g < count; g++) {
            const uint32_t *k = x->k + keys[g] * words;
            float *to = x->s + g * GROUP * TILE;
            if (g == 0)
                key_scores(x->q, k, words, words, HALF, mode, start, first);
            else
                scores_beside(x->q, k, words, start, second, NULL, 0, to - HALF * TILE, state, mode, first);
            group_scale(x, state, keys[g], mode, scale);
            raise_maxima(first, HALF, scale, p->keys - keys[g], mode, block_maximum);
            scores_beside(x->q, k + HALF * words, words, start, first, NULL, 0, to, state, mode, second);
            raise_maxima(second, HALF, scale, p->keys - keys[g] - HALF, mode, block_maximum);
        }
        UNROLL for (int key = 0; key < HALF; key++)
            UNROLL for (int v = 0; v < mode.vectors; v++)
                vf_store(x->s + (count * GROUP - HALF + key) * TILE + v * LANES, second[key][v]);

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
