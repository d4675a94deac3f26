// How a head's keys and values and a tile's queries lie in memory for the products of attention_tiles.h.
//
// Every operand is made of 32-bit words that hold what one product instruction takes along the summed axis: 1 float32, 2
// bfloat16 or 4 int8 numbers.
//
//     queries  (words of channels, TILE)            signed; one scale a query
//     keys     (keys, words of channels)            unsigned, 128 added; one scale a group of keys, their mean taken away
//     values   (words of keys, padded channels)     signed; one scale a channel, the middle of their range taken away
//
// The softmax does not change when the same vector is taken from all keys, and its weights add up to 1, so that what is
// taken from all values is added to the output. Both make 8 bits go further.

enum {
#if LANES == 16
    GROUP = 8, // 24 sums + 3 queries + 1 broadcast of 32 registers
#else
    GROUP = 4, // 12 + 3 + 1 of 16
#endif
    HALF = GROUP / 2,
    // Whether two halves of a group fit the registers at once, each with sums enough to hide the latency of a product.
    HALVES_OVERLAP = LANES == 16,
    SAMPLES = 64,          // keys that kernel_estimate_sampled looks at
    REPRESENTED_KEYS = 64, // keys that share a representation
};

// How the two products of a tile are computed.
enum {
    FLOAT32,
    ROUNDED,  // float32 arithmetic on factors that were rounded to bfloat16, where there is no instruction for them
    BFLOAT16, // vdpbf16ps
    INT8,     // vpdpbusd
};

// Numbers a word holds.
INLINE int numbers_a_word(int products) { return products == INT8 ? 4 : products == BFLOAT16 ? 2 : 1; }

INLINE const char *head_rows(const kernel_attention *p, const kernel_strided *x, int64_t head) {
    return (const char *)x->data +
           attention_offset(x, head / p->heads, head % p->heads, 0) * (p->storage == kernel_float32 ? 4 : 2);
}

// Channels c … of token `token` of a head whose rows begin at `rows`; beyond the width they are 0.
INLINE vf head_channels(const kernel_attention *p, const char *rows, const kernel_strided *x, int64_t token, int64_t c) {
    const int64_t n = p->width - c < LANES ? p->width - c : LANES;
    return n <= 0 ? vf_set(0) : load(rows, p->storage, token * x->token + c, n);
}

#ifdef HAS_DOT_PRODUCTS

typedef int32_t vi_unaligned __attribute__((ext_vector_type(LANES), aligned(4), may_alias));

// Two rows to words: lane i holds a[i] in its lower and b[i] in its upper half, rounded to nearest even.
INLINE vi pair_words(vf a, vf b) {
    const __m512i halves = (__m512i)_mm512_cvtne2ps_pbh((__m512)b, (__m512)a);
    const __m512i words = _mm512_set_epi16(
        31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1,
        16, 0);
    return (vi)_mm512_permutexvar_epi16(words, halves);
}

// Four rows of numbers from -128 to 127 (or, unsigned, from 0 to 255) to words, the first in the lowest byte, rounded to
// nearest. Adding 1.5 · 2²³ leaves the integer in the low bits, which are then shifted together.
INLINE vi quad_words(vf a, vf b, vf c, vf d) {
    const vf magic = vf_set(12582912.0f);
    __m512i word = _mm512_slli_epi32((__m512i)(a + magic), 24);
    word = _mm512_shrdi_epi32(word, (__m512i)(b + magic), 8);
    word = _mm512_shrdi_epi32(word, (__m512i)(c + magic), 8);
    return (vi)_mm512_shrdi_epi32(word, (__m512i)(d + magic), 8);
}

INLINE void store_words(void *to, vi words) { *(vi_unaligned *)to = words; }

// 16 numbers as bytes.
INLINE void store_bytes(uint8_t *to, vf x, int64_t n) {
    _mm_mask_storeu_epi8(to, (__mmask16)((1u << n) - 1), _mm512_cvtepi32_epi8(_mm512_cvtps_epi32((__m512)x)));
}

// MARK: - Keys

INLINE void pack_bfloat16_keys(
    const kernel_attention *p, const char *rows, const kernel_strided *x, int64_t count, int64_t words, uint32_t *k) {
    for (int64_t key = 0; key < count; key++) {
        uint16_t *row = (uint16_t *)(k + key * words);
        for (int64_t c = 0; c < 2 * words; c += LANES) {
            const int64_t n = 2 * words - c < LANES ? 2 * words - c : LANES;
            store(row, kernel_bfloat16, c, head_channels(p, rows, x, key, c), n);
        }
    }
}

// `count` rows from `first` on, less `mean`, as unsigned bytes; returns their scale.
INLINE float quantize_group(
    const kernel_attention *p, const char *rows, const kernel_strided *x, int64_t first, int64_t count, int64_t words,
    const float *mean, uint32_t *out) {
    vf largest = vf_set(0);
    for (int64_t key = 0; key < count; key++)
        for (int64_t c = 0; c < p->width; c += LANES)
            largest = vf_max(vf_abs(head_channels(p, rows, x, first + key, c) - vf_load(mean + c)), largest);
    const float magnitude = _mm512_reduce_max_ps((__m512)largest);
    const float factor = magnitude > 1e-30f ? 127.0f / magnitude : 0;
    for (int64_t key = 0; key < count; key++)
        for (int64_t c = 0; c < 4 * words; c += LANES) {
            const int64_t n = 4 * words - c < LANES ? 4 * words - c : LANES;
            const vf value = head_channels(p, rows, x, first + key, c) - vf_load(mean + c);
            store_bytes((uint8_t *)(out + key * words) + c, vf_fma(value, vf_set(factor), vf_set(128)), n);
        }
    return magnitude > 1e-30f ? magnitude / 127.0f : 0;
}

// Mean of the keys, a channel (padded to LANES); false where a key is not finite.
INLINE bool mean_of_keys(const kernel_attention *p, int64_t head, float *mean) {
    const char *rows = head_rows(p, &p->k, head);
    vf bad = vf_set(0);
    vf sums[8];
    const int64_t vectors = (p->width + LANES - 1) / LANES;
    for (int64_t i = 0; i < vectors; i++) sums[i] = vf_set(0);
    for (int64_t key = 0; key < p->keys; key++)
        for (int64_t i = 0; i < vectors; i++) sums[i] += head_channels(p, rows, &p->k, key, i * LANES);
    for (int64_t i = 0; i < vectors; i++) {
        const vf value = sums[i] / (float)p->keys;
        bad += value * 0.0f;
        vf_store(mean + i * LANES, value);
    }
    return vf_sum(bad) == 0;
}

INLINE void pack_int8_keys(
    const kernel_attention *p, const char *rows, const kernel_strided *x, int64_t count, int64_t words, int64_t group,
    const float *mean, uint32_t *k, float *scales) {
    for (int64_t key = 0; key < count; key += group) {
        const int64_t members = count - key < group ? count - key : group;
        scales[key / group] = quantize_group(p, rows, x, key, members, words, mean, k + key * words);
    }
}

#endif

// `count` rows from `rows` on as keys. INT8: less `mean`, with a scale for each GROUP of them.
INLINE void pack_keys(
    const kernel_attention *p, const char *rows, const kernel_strided *x, int64_t count, int64_t words, int products,
    const float *mean, uint32_t *k, float *scales) {
#ifdef HAS_DOT_PRODUCTS
    if (products == INT8) {
        pack_int8_keys(p, rows, x, count, words, GROUP, mean, k, scales);
        return;
    }
    if (products == BFLOAT16) {
        pack_bfloat16_keys(p, rows, x, count, words, k);
        return;
    }
#endif
    for (int64_t key = 0; key < count; key++)
        EACH_VECTOR(c, n, p->width) {
            vf value = head_channels(p, rows, x, key, c);
            if (products == ROUNDED) value = vf_rounded_to_bfloat16(value);
            store((float *)k + key * words, kernel_float32, c, value, n);
        }
}

#ifdef HAS_DOT_PRODUCTS

// MARK: - Values

INLINE void pack_bfloat16_values(
    const kernel_attention *p, int64_t head, int64_t padded_keys, int64_t padded_width, uint32_t *v) {
    const char *rows = head_rows(p, &p->v, head);
    for (int64_t key = 0; key < padded_keys; key += 2) {
        uint32_t *row = v + key / 2 * padded_width;
        for (int64_t c = 0; c < padded_width; c += LANES) {
            const vf even = key < p->keys ? head_channels(p, rows, &p->v, key, c) : vf_set(0);
            const vf odd = key + 1 < p->keys ? head_channels(p, rows, &p->v, key + 1, c) : vf_set(0);
            vf_store_part((float *)row + c, (vf)pair_words(even, odd), padded_width - c < LANES ? padded_width - c : LANES);
        }
    }
}

// Also fills scales and middles (padded to LANES channels); returns false where a value is not finite.
INLINE bool pack_int8_values(
    const kernel_attention *p, int64_t head, int64_t padded_keys, int64_t padded_width, uint32_t *v, float *scales,
    float *middles) {
    const char *rows = head_rows(p, &p->v, head);
    vf bad = vf_set(0), low[8], high[8];
    const int64_t vectors = (p->width + LANES - 1) / LANES;
    for (int64_t i = 0; i < vectors; i++) low[i] = high[i] = head_channels(p, rows, &p->v, 0, i * LANES);
    for (int64_t key = 0; key < p->keys; key++)
        for (int64_t i = 0; i < vectors; i++) {
            const vf value = head_channels(p, rows, &p->v, key, i * LANES);
            low[i] = vf_min(low[i], value);
            high[i] = vf_max(high[i], value);
            bad = vf_fma(value, vf_set(0), bad);
        }
    vf factor[8], middle[8];
    for (int64_t i = 0; i < vectors; i++) {
        middle[i] = 0.5f * low[i] + 0.5f * high[i];
        const vf reach = high[i] - middle[i];
        factor[i] = reach > 1e-30f ? 127.0f / reach : vf_set(0);
        bad += reach * 0.0f;
        vf_store(scales + i * LANES, reach / 127.0f);
        vf_store(middles + i * LANES, middle[i]);
    }
    if (vf_sum(bad) != 0) return false;
    for (int64_t key = 0; key < padded_keys; key += 4) {
        uint32_t *row = v + key / 4 * padded_width;
        for (int64_t i = 0; i * LANES < padded_width; i++) {
            vf values[4];
            UNROLL for (int j = 0; j < 4; j++)
                values[j] = key + j < p->keys ? (head_channels(p, rows, &p->v, key + j, i * LANES) - middle[i]) * factor[i]
                                              : vf_set(0);
            const int64_t n = padded_width - i * LANES < LANES ? padded_width - i * LANES : LANES;
            vf_store_part(
                (float *)row + i * LANES, (vf)quad_words(values[0], values[1], values[2], values[3]), n);
        }
    }
    return true;
}

// MARK: - Queries

// From (channels padded to 4, TILE) numbers, in place order: writes the words over `out`, which may be the same memory.
INLINE void pack_bfloat16_queries(const float *q, int64_t words, int vectors, uint32_t *out) {
    for (int64_t w = 0; w < words; w++)
        UNROLL for (int v = 0; v < vectors; v++) {
            const float *from = q + 2 * w * TILE + v * LANES;
            store_words(out + w * TILE + v * LANES, pair_words(vf_load(from), vf_load(from + TILE)));
        }
}

// Also gives each query's scale and what its product with a key of zeros (128 in every byte) is, negative.
INLINE void pack_int8_queries(
    const float *q, int64_t words, int vectors, uint32_t *out, vf *scales, vi *starts) {
    UNROLL for (int v = 0; v < vectors; v++) {
        vf largest = vf_set(0), bad = vf_set(0); // bad: NaN where a query is not finite, and so its scale
        for (int64_t c = 0; c < 4 * words; c++) {
            const vf value = vf_load(q + c * TILE + v * LANES);
            largest = vf_max(largest, vf_abs(value));
            bad = vf_fma(value, vf_set(0), bad);
        }
        const vf factor = largest > 1e-30f ? 127.0f / largest : vf_set(0);
        scales[v] = largest / 127.0f + bad;
        __m512i sum = _mm512_setzero_si512();
        for (int64_t w = 0; w < words; w++) {
            const float *from = q + 4 * w * TILE + v * LANES;
            const vi word = quad_words(
                vf_load(from) * factor, vf_load(from + TILE) * factor, vf_load(from + 2 * TILE) * factor,
                vf_load(from + 3 * TILE) * factor);
            sum = _mm512_dpbusd_epi32(sum, _mm512_set1_epi8((char)128), (__m512i)word);
            store_words(out + w * TILE + v * LANES, word);
        }
        starts[v] = (vi)_mm512_sub_epi32(_mm512_setzero_si512(), sum);
    }
}

#endif
