// The modes of a tile, the sizes of what it works on, and the memory for it.

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
