// Tile registers and the packing of their operands. All tiles have 16 rows of 64 bytes.
// Tiles 0 … 3: sums; 4, 5: left operands; 6, 7: right operands.

enum {
    TILE_KEYS = 16,
    GROUP = 32,         // keys of one step of the second product
    TILE_ELEMENTS = 512, // bfloat16 numbers a tile
    MOST_PARTS = 3,
};

typedef struct tile_configuration {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} tile_configuration;

INLINE void configure_tiles(void) {
    tile_configuration configuration = {.palette = 1};
    for (int i = 0; i < 8; i++) {
        configuration.row_bytes[i] = 64;
        configuration.rows[i] = 16;
    }
    _tile_loadconfig(&configuration);
}

// Which parts meet in a product: left and right, the smallest products first. One part: plain bfloat16.
typedef struct part_pair {
    int left, right;
} part_pair;

static const part_pair part_pairs[6] = {{2, 0}, {1, 1}, {0, 2}, {1, 0}, {0, 1}, {0, 0}};

INLINE int first_pair(int parts) { return parts == 1 ? 5 : 0; }

// Numbers a, b (16 lanes each) to 32 bfloat16 numbers, nearest even, a first.
INLINE __m512i pair_rounded(vf a, vf b) {
    return (__m512i)_mm512_cvtne2ps_pbh((__m512)b, (__m512)a);
}

// What is left of x when its nearest bfloat16 number is taken away; 0 where x is not finite.
INLINE vf rest_after_rounding(vf x) {
    const vf rest = x - vf_rounded_to_bfloat16(x);
    return rest == rest ? rest : vf_set(0);
}

// One row of `width` channels as bfloat16 parts: out + part · part_stride, padded with zeros to padded_width.
INLINE void split_row(
    const void *row, kernel_type type, int64_t width, int64_t padded_width, int parts, int64_t part_stride,
    uint16_t *out) {
    for (int64_t c = 0; c < padded_width; c += 2 * LANES) {
        const int64_t low = width - c, high = width - c - LANES;
        vf a = low <= 0 ? vf_set(0) : load(row, type, c, low < LANES ? low : LANES);
        vf b = high <= 0 ? vf_set(0) : load(row, type, c + LANES, high < LANES ? high : LANES);
        for (int part = 0; part < parts; part++) {
            _mm512_storeu_si512(out + part * part_stride + c, pair_rounded(a, b));
            if (part + 1 < parts) {
                a = rest_after_rounding(a);
                b = rest_after_rounding(b);
            }
        }
    }
}

// Left operands whose rows are tokens: (part, token, padded width), tokens padded with zeros.
INLINE void pack_token_rows(
    const kernel_attention *p, const kernel_strided *x, int64_t head, int64_t tokens, int64_t padded_tokens,
    int64_t padded_width, int parts, uint16_t *out) {
    const size_t size = p->storage == kernel_float32 ? 4 : 2;
    const char *base = (const char *)x->data + (size_t)attention_offset(x, head / p->heads, head % p->heads, 0) * size;
    const int64_t part_stride = padded_tokens * padded_width;
    for (int64_t token = 0; token < tokens; token++)
        split_row(
            base + (size_t)(token * x->token) * size, p->storage, p->width, padded_width, parts, part_stride,
            out + token * padded_width);
    for (int part = 0; part < parts; part++)
        memset(
            out + part * part_stride + tokens * padded_width, 0,
            (size_t)((padded_tokens - tokens) * padded_width) * sizeof(uint16_t));
}

// Left operands whose rows are channels: tiles (group of 32 tokens, part, 16 channels) of 16 x 32. The channel after
// the last is 1 where `ones`, other channels beyond the width are 0.
INLINE void pack_channel_rows(
    const kernel_attention *p, const kernel_strided *x, int64_t head, int64_t tokens, int64_t channel_tiles, bool ones,
    int parts, uint16_t *out) {
    const size_t size = p->storage == kernel_float32 ? 4 : 2;
    const char *base = (const char *)x->data + (size_t)attention_offset(x, head / p->heads, head % p->heads, 0) * size;
    for (int64_t first = 0; first < tokens; first += GROUP)
        for (int64_t tile = 0; tile < channel_tiles; tile++) {
            uint16_t *to = out + (first / GROUP * parts * channel_tiles + tile) * TILE_ELEMENTS;
            const int64_t c = tile * LANES, n = p->width - c < LANES ? p->width - c : LANES;
            vf low[LANES], high[LANES];
            UNROLL for (int i = 0; i < LANES; i++) {
                low[i] = high[i] = vf_set(0);
                if (n > 0 && first + i < tokens)
                    low[i] = load(base + (size_t)((first + i) * x->token) * size, p->storage, c, n);
                if (n > 0 && first + LANES + i < tokens)
                    high[i] = load(base + (size_t)((first + LANES + i) * x->token) * size, p->storage, c, n);
            }
            transpose_square(low);
            transpose_square(high);
            if (ones && n >= 0 && n < LANES) UNROLL for (int i = 0; i < LANES; i++)
                if (i == n) low[i] = high[i] = vf_set(1);
            for (int part = 0; part < parts; part++)
                UNROLL for (int i = 0; i < LANES; i++) {
                    _mm512_storeu_si512(to + part * channel_tiles * TILE_ELEMENTS + i * 32, pair_rounded(low[i], high[i]));
                    if (part + 1 < parts) {
                        low[i] = rest_after_rounding(low[i]);
                        high[i] = rest_after_rounding(high[i]);
                    }
                }
        }
}

// Right operands whose columns are the rows of a query tile: tiles (part, 32 channels, vector) of channel pairs x 16.
INLINE void pack_query_columns(
    const kernel_attention *p, const kernel_strided *x, int64_t head, const int32_t *rows, int64_t count, int vectors,
    int64_t chunks, int parts, uint16_t *out) {
    const size_t size = p->storage == kernel_float32 ? 4 : 2;
    const char *base = (const char *)x->data + (size_t)attention_offset(x, head / p->heads, head % p->heads, 0) * size;
    for (int v = 0; v < vectors; v++)
        for (int64_t chunk = 0; chunk < chunks; chunk++) {
            uint16_t lines[MOST_PARTS][LANES][32];
            for (int i = 0; i < LANES; i++) {
                const int64_t q = v * LANES + i;
                if (q < count)
                    split_row(
                        base + (size_t)(rows[q] * x->token + chunk * 32) * size, p->storage, p->width - chunk * 32, 32,
                        parts, LANES * 32, lines[0][i]);
                else
                    for (int part = 0; part < parts; part++) memset(lines[part][i], 0, 64);
            }
            for (int part = 0; part < parts; part++) {
                vf square[LANES];
                UNROLL for (int i = 0; i < LANES; i++) square[i] = vf_load((const float *)lines[part][i]);
                transpose_square(square);
                float *to = (float *)(out + ((part * chunks + chunk) * vectors + v) * TILE_ELEMENTS);
                UNROLL for (int i = 0; i < LANES; i++) vf_store(to + i * LANES, square[i]);
            }
        }
}

// s (GROUP keys, TILE) = rows (GROUP, padded width) · columns, summed over the pairs of parts.
INLINE void tile_scores(
    const uint16_t *rows, int64_t row_part_stride, int64_t padded_width, const uint16_t *columns, int vectors,
    int parts, float *s) {
    const int64_t chunks = padded_width / 32;
    const size_t stride = (size_t)padded_width * sizeof(uint16_t);
    _tile_zero(0);
    _tile_zero(1);
    if (vectors > 1) {
        _tile_zero(2);
        _tile_zero(3);
    }
    for (int pair = first_pair(parts); pair < 6; pair++) {
        const uint16_t *a = rows + part_pairs[pair].left * row_part_stride;
        const uint16_t *b = columns + part_pairs[pair].right * chunks * vectors * TILE_ELEMENTS;
        for (int64_t chunk = 0; chunk < chunks; chunk++) {
            _tile_loadd(4, a + chunk * 32, stride);
            _tile_loadd(6, b + chunk * vectors * TILE_ELEMENTS, 64);
            _tile_dpbf16ps(0, 4, 6);
            _tile_loadd(5, a + TILE_KEYS * padded_width + chunk * 32, stride);
            _tile_dpbf16ps(1, 5, 6);
            if (vectors > 1) {
                _tile_loadd(7, b + (chunk * vectors + 1) * TILE_ELEMENTS, 64);
                _tile_dpbf16ps(2, 4, 7);
                _tile_dpbf16ps(3, 5, 7);
            }
        }
    }
    const size_t s_stride = TILE * sizeof(float);
    _tile_stored(0, s, s_stride);
    _tile_stored(1, s + TILE_KEYS * TILE, s_stride);
    if (vectors > 1) {
        _tile_stored(2, s + LANES, s_stride);
        _tile_stored(3, s + TILE_KEYS * TILE + LANES, s_stride);
    }
}

// o (channels, TILE) += rows · columns over groups of tokens, for the channel tiles [tile, tile + count).
// rows: tiles (group, part, channel tile); columns: tiles (group, part, vector), groups in the order taken.
// Where `only_first_part`, the channels have one part only (the row of ones).
INLINE void tile_outputs(
    float *o, const uint16_t *rows, int64_t channel_tiles, int64_t tile, int count, const uint16_t *columns,
    const int64_t *order, int64_t groups, int vectors, int parts, bool only_first_part) {
    const size_t stride = TILE * sizeof(float);
    float *at = o + tile * LANES * TILE;
    _tile_loadd(0, at, stride);
    if (count > 1) _tile_loadd(1, at + LANES * TILE, stride);
    if (vectors > 1) {
        _tile_loadd(2, at + LANES, stride);
        if (count > 1) _tile_loadd(3, at + LANES * TILE + LANES, stride);
    }
    for (int64_t g = 0; g < groups; g++) {
        const uint16_t *group_rows = rows + (order[g] / GROUP * parts * channel_tiles + tile) * TILE_ELEMENTS;
        const uint16_t *group_columns = columns + g * parts * vectors * TILE_ELEMENTS;
        for (int pair = first_pair(parts); pair < 6; pair++) {
            if (only_first_part && part_pairs[pair].left != 0) continue;
            const uint16_t *a = group_rows + part_pairs[pair].left * channel_tiles * TILE_ELEMENTS;
            const uint16_t *b = group_columns + part_pairs[pair].right * vectors * TILE_ELEMENTS;
            _tile_loadd(4, a, 64);
            _tile_loadd(6, b, 64);
            _tile_dpbf16ps(0, 4, 6);
            if (count > 1) {
                _tile_loadd(5, a + TILE_ELEMENTS, 64);
                _tile_dpbf16ps(1, 5, 6);
            }
            if (vectors > 1) {
                _tile_loadd(7, b + TILE_ELEMENTS, 64);
                _tile_dpbf16ps(2, 4, 7);
                if (count > 1) _tile_dpbf16ps(3, 5, 7);
            }
        }
    }
    _tile_stored(0, at, stride);
    if (count > 1) _tile_stored(1, at + LANES * TILE, stride);
    if (vectors > 1) {
        _tile_stored(2, at + LANES, stride);
        if (count > 1) _tile_stored(3, at + LANES * TILE + LANES, stride);
    }
}

INLINE vf cut_to_bfloat16(vf x) { return vf_from_bits(vf_bits(x) & 0xFFFF0000u); }

// Two rows (keys 2 i and 2 i + 1) to row i of the tiles (part, vector) of a right operand. One part is cut off, which
// biases all exponentials alike, so that it cancels in their ratio; three parts hold all 24 bits.
INLINE void store_pair_row(vf even, vf odd, int parts, int64_t part_stride, uint16_t *to) {
    for (int part = 0; part < parts; part++) {
        _mm512_store_si512(to + part * part_stride, (__m512i)cut_pair(even, odd));
        if (part + 1 < parts) {
            even -= cut_to_bfloat16(even);
            odd -= cut_to_bfloat16(odd);
        }
    }
}
