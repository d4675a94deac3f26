// The two matrix products of a tile. A step of the inner loop is 3 vectors of queries or exponentials times a word of each of
// GROUP (or HALF) keys or channels, so that up to 3 · GROUP sums stay in registers.

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

// MARK: - The limit

// As many independent sums as the tiles have.
INLINE int64_t multiply_registers(int products, int64_t rounds) {
    vf sums[GROUP][TILE_VECTORS], other = vf_set(0);
    UNROLL for (int i = 0; i < GROUP; i++)
        UNROLL for (int v = 0; v < TILE_VECTORS; v++) sums[i][v] = vf_set(0);
    const uint32_t word = 0;
    __asm__ volatile("" : "+v"(other)); // keeps the compiler from knowing the result
    for (int64_t round = 0; round < rounds; round++)
        UNROLL for (int i = 0; i < GROUP; i++)
            UNROLL for (int v = 0; v < TILE_VECTORS; v++) {
                sums[i][v] = add_scores(sums[i][v], &word, other, products);
                __asm__ volatile("" : "+v"(sums[i][v]));
            }
    return rounds * GROUP * TILE_VECTORS * LANES * 2 * numbers_a_word(products);
}

static int64_t vector_multiply_registers(kernel_products products, int64_t rounds) {
#ifdef HAS_DOT_PRODUCTS
    if (products == kernel_products_bfloat16) return multiply_registers(BFLOAT16, rounds);
    if (products == kernel_products_int8) return multiply_registers(INT8, rounds);
#endif
    (void)products;
    return multiply_registers(FLOAT32, rounds);
}
