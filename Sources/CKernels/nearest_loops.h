// The fused scan of nearest neighbours on the vocabulary of vector.h: a tile of 6 queries × 64 (AVX2: 16) rows stays in
// registers until its scores have been compared with the queries' thresholds; only the few that pass reach memory.

enum { NEAREST_QUERIES = 6, NEAREST_VECTORS = LANES == 16 ? 4 : 2, NEAREST_COLUMNS = NEAREST_VECTORS * LANES };

static int64_t vector_nearest_columns(void) { return NEAREST_COLUMNS; }

INLINE uint32_t vf_greater(vf a, vf b) {
#if LANES == 16
    return _mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_GT_OQ);
#else
    return (uint32_t)_mm256_movemask_ps(_mm256_cmp_ps((__m256)a, (__m256)b, _CMP_GT_OQ));
#endif
}

// Appends the scores of a tile's row that are above the query's threshold.
static __attribute__((noinline)) void nearest_append(
    const kernel_nearest *p, int64_t query, const float *scores, int32_t first_index) {
    nearest_make_room(p, query, NEAREST_COLUMNS);
    const vf threshold = vf_set(p->thresholds[query]);
    float *to = p->scores + query * p->capacity;
    int32_t *indices = p->indices + query * p->capacity;
    int64_t count = p->counts[query];
    for (int64_t v = 0; v < NEAREST_VECTORS; v++) {
        uint32_t mask = vf_greater(vf_load(scores + v * LANES), threshold);
        for (; mask; mask &= mask - 1) {
            const int64_t column = v * LANES + __builtin_ctz(mask);
            to[count] = scores[column];
            indices[count++] = first_index + (int32_t)column;
        }
    }
    p->counts[query] = (int32_t)count;
}

// acc[r][v] += query r · column, for one step: a number, or a pair of bfloat16 numbers.
INLINE void nearest_scan_type(const kernel_nearest *p, kernel_type type) {
    const float *panel = p->panel;
    for (int64_t group = 0; group < p->groups; group++) {
        const float *queries = (const float *)p->queries + group * p->steps * NEAREST_QUERIES;
        vf sums[NEAREST_QUERIES][NEAREST_VECTORS];
#pragma clang loop unroll(full)
        for (int v = 0; v < NEAREST_VECTORS; v++) {
            const vf start = vf_load(p->start + v * LANES);
#pragma clang loop unroll(full)
            for (int r = 0; r < NEAREST_QUERIES; r++) sums[r][v] = start;
        }
        for (int64_t step = 0; step < p->steps; step++) {
            vf columns[NEAREST_VECTORS];
#pragma clang loop unroll(full)
            for (int v = 0; v < NEAREST_VECTORS; v++)
                columns[v] = vf_load(panel + step * NEAREST_COLUMNS + v * LANES);
#pragma clang loop unroll(full)
            for (int r = 0; r < NEAREST_QUERIES; r++) {
                const vf query = vf_set(queries[step * NEAREST_QUERIES + r]);
#pragma clang loop unroll(full)
                for (int v = 0; v < NEAREST_VECTORS; v++) {
#ifdef HAS_DOT_PRODUCTS
                    if (type == kernel_bfloat16)
                        sums[r][v] = (vf)_mm512_dpbf16_ps((__m512)sums[r][v], (__m512bh)query, (__m512bh)columns[v]);
                    else
#endif
                        sums[r][v] = vf_fma(query, columns[v], sums[r][v]);
                }
            }
        }
#pragma clang loop unroll(full)
        for (int r = 0; r < NEAREST_QUERIES; r++) {
            const int64_t query = group * NEAREST_QUERIES + r;
            vf largest = sums[r][0];
#pragma clang loop unroll(full)
            for (int v = 1; v < NEAREST_VECTORS; v++) largest = vf_max(largest, sums[r][v]);
            if (__builtin_expect(vf_greater(largest, vf_set(p->thresholds[query])) != 0, 0)) {
                float scores[NEAREST_COLUMNS];
#pragma clang loop unroll(full)
                for (int v = 0; v < NEAREST_VECTORS; v++) vf_store(scores + v * LANES, sums[r][v]);
                nearest_append(p, query, scores, p->first_index);
            }
        }
    }
}

static void vector_nearest_scan(const kernel_nearest *p) {
#ifdef HAS_DOT_PRODUCTS
    if (p->type == kernel_bfloat16) return nearest_scan_type(p, kernel_bfloat16);
#else
    if (p->type == kernel_bfloat16) return portable_nearest_scan_columns(p, NEAREST_COLUMNS);
#endif
    nearest_scan_type(p, kernel_float32);
}
