// What all tiled attention kernels share: tiles of queries, transposes between rows of tokens and the layout of the
// tiles, where lanes are queries, and the end of a tile.

#define UNROLL _Pragma("clang loop unroll(full)")

#ifndef TILE_VECTORS
#define TILE_VECTORS 3
#endif

enum { TILE = TILE_VECTORS * LANES }; // queries a tile takes

// Transposes a square of LANES x LANES numbers held in LANES vectors.
INLINE void transpose_square(vf r[LANES]) {
#if LANES == 16
    __m512 a[16], b[16];
    UNROLL for (int i = 0; i < 16; i += 2) {
        a[i] = _mm512_unpacklo_ps((__m512)r[i], (__m512)r[i + 1]);
        a[i + 1] = _mm512_unpackhi_ps((__m512)r[i], (__m512)r[i + 1]);
    }
    UNROLL for (int i = 0; i < 16; i += 4) {
        const __m512d low = (__m512d)a[i], high = (__m512d)a[i + 1];
        const __m512d low2 = (__m512d)a[i + 2], high2 = (__m512d)a[i + 3];
        b[i] = (__m512)_mm512_unpacklo_pd(low, low2);
        b[i + 1] = (__m512)_mm512_unpackhi_pd(low, low2);
        b[i + 2] = (__m512)_mm512_unpacklo_pd(high, high2);
        b[i + 3] = (__m512)_mm512_unpackhi_pd(high, high2);
    }
    // b[4 q + i]: rows 4 q … 4 q + 3 of columns i, 4 + i, 8 + i, 12 + i.
    UNROLL for (int i = 0; i < 4; i++) {
        const __m512 even = _mm512_shuffle_f32x4(b[i], b[4 + i], 0x88), odd = _mm512_shuffle_f32x4(b[i], b[4 + i], 0xDD);
        const __m512 even2 = _mm512_shuffle_f32x4(b[8 + i], b[12 + i], 0x88);
        const __m512 odd2 = _mm512_shuffle_f32x4(b[8 + i], b[12 + i], 0xDD);
        r[i] = (vf)_mm512_shuffle_f32x4(even, even2, 0x88);
        r[8 + i] = (vf)_mm512_shuffle_f32x4(even, even2, 0xDD);
        r[4 + i] = (vf)_mm512_shuffle_f32x4(odd, odd2, 0x88);
        r[12 + i] = (vf)_mm512_shuffle_f32x4(odd, odd2, 0xDD);
    }
#else
    __m256 a[8], b[8];
    UNROLL for (int i = 0; i < 8; i += 2) {
        a[i] = _mm256_unpacklo_ps((__m256)r[i], (__m256)r[i + 1]);
        a[i + 1] = _mm256_unpackhi_ps((__m256)r[i], (__m256)r[i + 1]);
    }
    UNROLL for (int i = 0; i < 8; i += 4) {
        b[i] = _mm256_shuffle_ps(a[i], a[i + 2], 0x44);
        b[i + 1] = _mm256_shuffle_ps(a[i], a[i + 2], 0xEE);
        b[i + 2] = _mm256_shuffle_ps(a[i + 1], a[i + 3], 0x44);
        b[i + 3] = _mm256_shuffle_ps(a[i + 1], a[i + 3], 0xEE);
    }
    UNROLL for (int i = 0; i < 4; i++) {
        r[i] = (vf)_mm256_permute2f128_ps(b[i], b[4 + i], 0x20);
        r[4 + i] = (vf)_mm256_permute2f128_ps(b[i], b[4 + i], 0x31);
    }
#endif
}

// The queries [first, first + count) of tile `tile` of a head. Vectors of queries are dealt out evenly, so that the
// last tile is not nearly empty.
typedef struct tile_range {
    int64_t first, count;
} tile_range;

INLINE tile_range tile_queries(const kernel_attention *p, int64_t tile, int64_t tiles) {
    const int64_t vectors = (p->queries + LANES - 1) / LANES;
    const int64_t first = tile * vectors / tiles * LANES;
    int64_t end = (tile + 1) * vectors / tiles * LANES;
    if (end > p->queries) end = p->queries;
    return (tile_range){first, end - first};
}

// Reads rows of a head and writes them transposed: out[channel][TILE], scaled; lanes beyond `count` are 0, and so are
// channels from the width to padded_width.
INLINE void load_transposed(
    const kernel_attention *p, const kernel_strided *x, kernel_type type, int64_t head, const int32_t *rows,
    int64_t count, float scale, bool rounded, int64_t padded_width, float *out) {
    const size_t size = type == kernel_float32 ? 4 : 2;
    const char *base = (const char *)x->data + (size_t)attention_offset(x, head / p->heads, head % p->heads, 0) * size;
    for (int64_t q = 0; q < count; q += LANES)
        for (int64_t c = 0; c < padded_width; c += LANES) {
            const int64_t n = p->width - c < LANES ? (p->width - c > 0 ? p->width - c : 0) : LANES;
            vf square[LANES];
            UNROLL for (int i = 0; i < LANES; i++) {
                square[i] = vf_set(0);
                if (q + i < count) square[i] = load(base + (size_t)(rows[q + i] * x->token) * size, type, c, n) * scale;
                if (rounded) square[i] = vf_rounded_to_bfloat16(square[i]);
            }
            transpose_square(square);
            const int64_t channels = padded_width - c < LANES ? padded_width - c : LANES;
            UNROLL for (int i = 0; i < LANES; i++)
                if (i < channels) vf_store(out + (c + i) * TILE + q, square[i]);
        }
}

// Writes in[channel][TILE] times factor[TILE] to rows of a head, except those marked in skip.
INLINE void store_transposed(
    const kernel_attention *p, const kernel_strided *x, kernel_type type, int64_t head, const int32_t *rows,
    int64_t count, const float *factor, uint64_t skip, const float *in) {
    const size_t size = type == kernel_float32 ? 4 : 2;
    char *base = (char *)x->data + (size_t)attention_offset(x, head / p->heads, head % p->heads, 0) * size;
    for (int64_t q = 0; q < count; q += LANES) {
        const vf factors = vf_load(factor + q);
        for (int64_t c = 0; c < p->width; c += LANES) {
            const int64_t n = p->width - c < LANES ? p->width - c : LANES;
            vf square[LANES];
            UNROLL for (int i = 0; i < LANES; i++)
                square[i] = i < n ? vf_load(in + (c + i) * TILE + q) * factors : vf_set(0);
            transpose_square(square);
            UNROLL for (int i = 0; i < LANES; i++)
                if (q + i < count && !(skip >> (q + i) & 1))
                    store(base + (size_t)(rows[q + i] * x->token) * size, type, c, square[i], n);
        }
    }
}

// Copies a head's rows to a dense float32 array (padded_tokens, padded_width), padded with zeros.
INLINE void load_rows(
    const kernel_attention *p, const kernel_strided *x, kernel_type type, int64_t head, int64_t tokens, bool rounded,
    int64_t padded_tokens, int64_t padded_width, float *out) {
    const size_t size = type == kernel_float32 ? 4 : 2;
    const char *base = (const char *)x->data + (size_t)attention_offset(x, head / p->heads, head % p->heads, 0) * size;
    for (int64_t token = 0; token < tokens; token++) {
        float *row = out + token * padded_width;
        const char *from = base + (size_t)(token * x->token) * size;
        EACH_VECTOR(c, n, p->width) {
            vf value = load(from, type, c, n);
            if (rounded) value = vf_rounded_to_bfloat16(value);
            store(row, kernel_float32, c, value, n);
        }
        for (int64_t c = p->width; c < padded_width; c++) row[c] = 0;
    }
    memset(out + tokens * padded_width, 0, (size_t)((padded_tokens - tokens) * padded_width) * sizeof(float));
}

// Lanes, among the first `count` of a tile, that fail VFA's guard: the sum or a channel of the accumulator is not
// finite, or the sum is so small that exponentials which underflowed could have mattered.
INLINE uint64_t failing_lanes(
    const float *sums, const float *accumulator, int64_t channels, int64_t count, int64_t keys) {
    uint64_t failing = 0;
    for (int64_t q = 0; q < count; q += LANES) {
        vf not_finite = vf_load(sums + q) * 0.0f; // 0 for numbers, NaN for NaN and ∞
        for (int64_t c = 0; c < channels; c++) not_finite = vf_fma(vf_load(accumulator + c * TILE + q), vf_set(0), not_finite);
        const vf passed = vf_load(sums + q) >= attention_smallest_sum(keys) ? not_finite : vf_set(1);
        float lanes[LANES];
        vf_store(lanes, passed);
        for (int i = 0; i < LANES && q + i < count; i++)
            if (!(lanes[i] == 0)) failing |= 1ull << (q + i);
    }
    return failing;
}

// Log-sum-exp of a tile's rows, from maxima and sums in base 2.
INLINE void store_log_sum_exp(
    const kernel_attention *p, int64_t head, const int32_t *rows, int64_t count, const float *maxima,
    const float *sums, uint64_t skip) {
    if (!p->log_sum_exp) return;
    for (int64_t q = 0; q < count; q += LANES) {
        float lanes[LANES];
        vf_store(lanes, vf_load(maxima + q) * ATTENTION_LN_2 + log_exact(vf_load(sums + q)));
        for (int i = 0; i < LANES && q + i < count; i++)
            if (!(skip >> (q + i) & 1)) p->log_sum_exp[head * p->queries + rows[q + i]] = lanes[i];
    }
}
