// From sums of scores to exponentials, in each precision.

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

#endif

// The exponentials of the scores of one word's keys (less the maximum, plus the unit; for 8 bits, the argument of exp2_words),
// a lane, as a word, and their sum: one and the same rounded number goes into the sum and into the product.
INLINE vf exponential_word(const vf *s, uint32_t mask, tile_state *state, int v, tile_mode mode) {
    const vi exists = (vi)(int32_t)mask;
#ifdef HAS_DOT_PRODUCTS
    if (mode.values == BFLOAT16) {
        const vf word = (vf)((vi)cut_pair(exp2_coarse(s[0]), exp2_coarse(s[1])) & exists);
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
