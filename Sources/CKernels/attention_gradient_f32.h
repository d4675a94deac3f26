// Backward attention with float32 arithmetic: FlashAttention-2, algorithm 2, on the tiles of attention_tiles.h.
//
// For a tile of queries and a block of keys, with l the log-sum-exp, D = Σ do · o of a row and scores in base 2:
//     p = exp2(k·q - l)      dp - D = v·do - D      ds = p (dp - D)
//     dv += p do             dk += ds q             dq += ds k
// The first two products and dq have lanes = queries, as in the forward pass; dv and dk have lanes = channels and
// broadcast p and ds, which are already there. Nothing is transposed but the rows of the tile.

enum { GRADIENT_BLOCK = 64 }; // keys a block

typedef struct gradient_scratch {
    float *k, *v;                   // dense head, (keys, padded width), keys padded to groups
    float *k_gradient, *v_gradient; // (keys, row): sums over the tiles of queries
    float *q, *o_gradient;          // tile, transposed: (width, TILE)
    float *q_rows, *o_gradient_rows; // tile, (TILE, row)
    float *q_gradient;              // tile, transposed: (padded width, TILE)
    float *p, *s_gradient;          // (GRADIENT_BLOCK, TILE)
} gradient_scratch;

// Channels of a row whose lanes are channels.
INLINE int64_t padded_row(const kernel_attention *p) { return attention_round_up(p->width, LANES); }

static size_t divide_gradient_scratch(const kernel_attention *p, void *scratch, gradient_scratch *x) {
    size_t offset = 0;
    const int64_t row = padded_row(p);
    PART(q, float, p->width * TILE);
    PART(o_gradient, float, p->width * TILE);
    PART(q_rows, float, TILE * row);
    PART(o_gradient_rows, float, TILE * row);
    PART(q_gradient, float, padded_width(p) * TILE);
    PART(p, float, GRADIENT_BLOCK * TILE);
    PART(s_gradient, float, GRADIENT_BLOCK * TILE);
    PART(k, float, padded_keys(p) * padded_width(p));
    PART(v, float, padded_keys(p) * padded_width(p));
    PART(k_gradient, float, padded_keys(p) * row);
    PART(v_gradient, float, padded_keys(p) * row);
    return offset;
}

static size_t vector_attention_gradient_scratch(const kernel_attention *p) {
    return divide_gradient_scratch(p, NULL, NULL);
}

// GROUP keys: out (keys, row) += weights (keys, TILE) · rows (TILE, row), `vectors` vectors of channels.
INLINE void add_outer_group(
    float *out, const float *weights, const float *rows, int64_t row, int64_t queries, int vectors) {
    vf sums[GROUP][TILE_VECTORS];
    UNROLL for (int key = 0; key < GROUP; key++)
        UNROLL for (int v = 0; v < vectors; v++) sums[key][v] = vf_load(out + key * row + v * LANES);
    for (int64_t q = 0; q < queries; q++) {
        vf channels[TILE_VECTORS];
        UNROLL for (int v = 0; v < vectors; v++) channels[v] = vf_load(rows + q * row + v * LANES);
        UNROLL for (int key = 0; key < GROUP; key++) {
            const vf weight = vf_set(weights[key * TILE + q]);
            UNROLL for (int v = 0; v < vectors; v++) sums[key][v] = vf_fma(weight, channels[v], sums[key][v]);
        }
    }
    UNROLL for (int key = 0; key < GROUP; key++)
        UNROLL for (int v = 0; v < vectors; v++) vf_store(out + key * row + v * LANES, sums[key][v]);
}

static void add_outer(
    float *out, const float *weights, const float *rows, int64_t row, int64_t queries, int64_t keys) {
    const int64_t vectors = row / LANES, chunks = (vectors + TILE_VECTORS - 1) / TILE_VECTORS;
    for (int64_t key = 0; key < keys; key += GROUP)
        for (int64_t chunk = 0; chunk < chunks; chunk++) {
            const int64_t first = chunk * vectors / chunks, count = (chunk + 1) * vectors / chunks - first;
            float *to = out + key * row + first * LANES;
            const float *from = rows + first * LANES, *weight = weights + key * TILE;
            if (count == 1)
                add_outer_group(to, weight, from, row, queries, 1);
            else if (count == 2)
                add_outer_group(to, weight, from, row, queries, 2);
            else
                add_outer_group(to, weight, from, row, queries, 3);
        }
}

INLINE void gradient_block(
    const kernel_attention *p, const gradient_scratch *x, const float *log_sum_exp, const float *o_dot, int64_t first,
    int64_t keys, int64_t queries, int vectors, bool rounded) {
    const int64_t stride = padded_width(p), row = padded_row(p), groups = attention_round_up(keys, GROUP) / GROUP;
    const tile_mode mode = {vectors, FLOAT32, FLOAT32};
    const uint32_t *k = (const uint32_t *)x->k, *v_words = (const uint32_t *)x->v;
    vf start[TILE_VECTORS], dot_start[TILE_VECTORS];
    UNROLL for (int v = 0; v < vectors; v++) {
        start[v] = -vf_load(log_sum_exp + v * LANES);
        dot_start[v] = -vf_load(o_dot + v * LANES);
    }
    int64_t order[GRADIENT_BLOCK / GROUP];
    for (int64_t g = 0; g < groups; g++) {
        const int64_t key_first = first + g * GROUP;
        order[g] = key_first;
        vf s[GROUP][TILE_VECTORS];
        key_scores(x->q, k + key_first * stride, stride, p->width, GROUP, mode, start, s);
        // Scores of keys that do not exist become -∞. Comparing constants keeps s in registers.
        UNROLL for (int key = 0; key < GROUP; key++)
            if (key >= p->keys - key_first)
                UNROLL for (int v = 0; v < vectors; v++) s[key][v] = vf_set(-__builtin_inff());
        UNROLL for (int key = 0; key < GROUP; key++)
            UNROLL for (int v = 0; v < vectors; v++) {
                vf e = exp2_score(s[key][v]);
                if (rounded) e = vf_rounded_to_bfloat16(e);
                vf_store(x->p + (g * GROUP + key) * TILE + v * LANES, e);
            }
        key_scores(x->o_gradient, v_words + key_first * stride, stride, p->width, GROUP, mode, dot_start, s);
        UNROLL for (int key = 0; key < GROUP; key++)
            UNROLL for (int v = 0; v < vectors; v++) {
                vf g_score = vf_load(x->p + (g * GROUP + key) * TILE + v * LANES) * s[key][v];
                if (rounded) g_score = vf_rounded_to_bfloat16(g_score);
                vf_store(x->s_gradient + (g * GROUP + key) * TILE + v * LANES, g_score);
            }
    }
    const uint32_t *s_gradient = (const uint32_t *)x->s_gradient;
    if (first == 0)
        add_products(x->q_gradient, stride, k, stride, s_gradient, order, groups, mode, accumulation_begin, NULL, NULL);
    else
        add_products(x->q_gradient, stride, k, stride, s_gradient, order, groups, mode, accumulation_add, NULL, NULL);
    add_outer(x->v_gradient + first * row, x->p, x->o_gradient_rows, row, queries, groups * GROUP);
    add_outer(x->k_gradient + first * row, x->s_gradient, x->q_rows, row, queries, groups * GROUP);
}

#define GRADIENT_BODY(v, r)                                                                                            \
    static __attribute__((noinline)) void gradient_block_##v##_##r(                                                    \
        const kernel_attention *p, const gradient_scratch *x, const float *log_sum_exp, const float *o_dot,            \
        int64_t first, int64_t keys, int64_t queries) {                                                                \
        gradient_block(p, x, log_sum_exp, o_dot, first, keys, queries, v, r);                                          \
    }
GRADIENT_BODY(1, false)
GRADIENT_BODY(2, false)
GRADIENT_BODY(3, false)
GRADIENT_BODY(1, true)
GRADIENT_BODY(2, true)
GRADIENT_BODY(3, true)
#undef GRADIENT_BODY

// Rows of a tile as they are: (TILE, row), zero beyond what there is.
INLINE void load_tile_rows(
    const kernel_attention *p, const kernel_strided *x, int64_t head, tile_range range, bool rounded, float *out) {
    kernel_strided from = *x;
    const size_t size = p->storage == kernel_float32 ? 4 : 2;
    from.data = (char *)x->data + (size_t)(range.first * x->token) * size;
    const int64_t queries = attention_round_up(range.count, LANES);
    load_rows(p, &from, p->storage, head, range.count, rounded, queries, padded_row(p), out);
}

// Σ do · o of each row of a tile.
INLINE void dot_rows(const kernel_attention *p, int64_t head, tile_range range, float *out) {
    const int64_t batch = head / p->heads, inner = head % p->heads;
    for (int64_t i = 0; i < TILE; i++) out[i] = 0;
    for (int64_t i = 0; i < range.count; i++) {
        const int64_t o_at = attention_offset(&p->o, batch, inner, range.first + i);
        const int64_t g_at = attention_offset(&p->o_gradient, batch, inner, range.first + i);
        vf sum = vf_set(0);
        EACH_VECTOR(c, n, p->width)
        sum = vf_fma(load(p->o.data, p->storage, o_at + c, n), load(p->o_gradient.data, p->storage, g_at + c, n), sum);
        out[i] = vf_sum(sum);
    }
}

// Writes sums (tokens, row) times a factor to the rows of a head.
INLINE void store_rows(
    const kernel_attention *p, const kernel_strided *x, int64_t head, int64_t tokens, int64_t row, float factor,
    const float *in) {
    for (int64_t token = 0; token < tokens; token++) {
        const int64_t at = attention_offset(x, head / p->heads, head % p->heads, token);
        EACH_VECTOR(c, n, p->width)
        store(x->data, p->storage, at + c, load(in, kernel_float32, token * row + c, n) * factor, n);
    }
}

static void vector_attention_gradient(const kernel_attention *p, int64_t begin, int64_t end, void *scratch) {
    gradient_scratch x;
    divide_gradient_scratch(p, scratch, &x);
    const bool rounded = p->products != kernel_products_float32;
    const int64_t row = padded_row(p), tiles = attention_tiles(p, TILE);
    const size_t gradient_bytes = (size_t)(padded_keys(p) * row) * sizeof(float);
    float factors[TILE];
    for (int64_t i = 0; i < TILE; i++) factors[i] = p->scale;

    for (int64_t head = begin; head < end; head++) {
        load_rows(p, &p->k, p->storage, head, p->keys, rounded, padded_keys(p), padded_width(p), x.k);
        load_rows(p, &p->v, p->storage, head, p->keys, rounded, padded_keys(p), padded_width(p), x.v);
        memset(x.k_gradient, 0, gradient_bytes);
        memset(x.v_gradient, 0, gradient_bytes);
        for (int64_t tile = 0; tile < tiles; tile++) {
            const tile_range range = tile_queries(p, tile, tiles);
            const int64_t vectors = (range.count + LANES - 1) / LANES, queries = vectors * LANES;
            int32_t rows[TILE];
            for (int64_t i = 0; i < range.count; i++) rows[i] = (int32_t)(range.first + i);
            load_transposed(p, &p->q, p->storage, head, rows, range.count, 1, rounded, p->width, x.q);
            load_transposed(p, &p->o_gradient, p->storage, head, rows, range.count, 1, rounded, p->width, x.o_gradient);
            load_tile_rows(p, &p->q, head, range, rounded, x.q_rows);
            load_tile_rows(p, &p->o_gradient, head, range, rounded, x.o_gradient_rows);
            const float scale = p->scale * ATTENTION_LOG2_E;
            for (int64_t c = 0; c < p->width; c++)
                for (int64_t q = 0; q < queries; q += LANES)
                    vf_store(x.q + c * TILE + q, vf_load(x.q + c * TILE + q) * scale);
            float log_sum_exp[TILE], o_dot[TILE];
            for (int64_t i = 0; i < TILE; i++)
                log_sum_exp[i] =
                    i < range.count ? p->log_sum_exp[head * p->queries + range.first + i] * ATTENTION_LOG2_E : 0;
            dot_rows(p, head, range, o_dot);
            for (int64_t first = 0; first < p->keys; first += GRADIENT_BLOCK) {
                const int64_t keys = p->keys - first < GRADIENT_BLOCK ? p->keys - first : GRADIENT_BLOCK;
#define GRADIENT_CALL(v)                                                                                               \
    (rounded ? gradient_block_##v##_true : gradient_block_##v##_false)(                                                \
        p, &x, log_sum_exp, o_dot, first, keys, queries)
                if (vectors == 1)
                    GRADIENT_CALL(1);
                else if (vectors == 2)
                    GRADIENT_CALL(2);
                else
                    GRADIENT_CALL(3);
#undef GRADIENT_CALL
            }
            store_transposed(p, &p->q_gradient, p->storage, head, rows, range.count, factors, 0, x.q_gradient);
        }
        store_rows(p, &p->k_gradient, head, p->keys, row, p->scale, x.k_gradient);
        store_rows(p, &p->v_gradient, head, p->keys, row, 1, x.v_gradient);
    }
}
