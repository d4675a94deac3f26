#include "tile_products.h"

#include <string.h>

// A tile of a factor holds 16 lines (rows of the left, columns of the right factor) by 32 inner elements. Left tiles are
// stored line after line; right tiles by pairs of inner elements, as the tile product reads them.
enum { LINES = 16, INNER = 32, TILE = LINES * INNER, PANEL_ROWS = 128 };

static size_t blocks(size_t count, size_t size) { return (count + size - 1) / size; }

// Lines are padded to pairs of tiles: the inner loop makes 2 × 2 tiles of the result.
static size_t tile_pairs(size_t lines) { return blocks(lines, 2 * LINES) * 2; }

size_t kernels_tile_packed_count(size_t inner, size_t columns, int parts) {
    return tile_pairs(columns) * blocks(inner, INNER) * (size_t)parts * TILE;
}

size_t kernels_tile_scratch_count(size_t rows, size_t inner, int parts) {
    size_t panel = rows < PANEL_ROWS ? rows : PANEL_ROWS;
    return tile_pairs(panel) * blocks(inner, INNER) * (size_t)parts * TILE;
}

#if defined(__x86_64__)
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,amx-tile,amx-bf16"))), \
                             apply_to = function)

// What is left of x beyond its bfloat16 part; 0 where x is not finite.
static inline __m512 rest_of(__m512 x, __m512 part) {
    __m512 rest = _mm512_sub_ps(x, part);
    return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(rest, rest, _CMP_ORD_Q), rest);
}

static inline __m512 widened(__m256i half) {
    return (__m512)_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16);
}

// The transpose of a 16 × 16 matrix of 32-bit elements.
static inline void transpose(__m512i r[16]) {
    __m512i t[16];
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
    }
    for (int i = 0; i < 16; i += 4) {
        r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
        r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
        r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
        r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    for (int i = 0; i < 16; i += 8) {
        for (int j = 0; j < 4; j++) {
            t[i + j] = _mm512_shuffle_i32x4(r[i + j], r[i + j + 4], 0x88);
            t[i + j + 4] = _mm512_shuffle_i32x4(r[i + j], r[i + j + 4], 0xdd);
        }
    }
    for (int j = 0; j < 8; j++) {
        r[j] = _mm512_shuffle_i32x4(t[j], t[j + 8], 0x88);
        r[j + 8] = _mm512_shuffle_i32x4(t[j], t[j + 8], 0xdd);
    }
}

// Packs one tile's parts, one behind the other. `by_pairs` asks for the right factor's form.
static void pack_tile(const float *x, size_t lines, size_t inner, size_t line_stride, size_t inner_stride, int parts,
                      int by_pairs, uint16_t *out) {
    __m512i part[3][16];
    if (inner_stride == 1) {
        // Rows of the registers: lines, each 16 pairs of inner elements.
        __mmask16 low = inner >= 16 ? 0xffff : (__mmask16)((1u << inner) - 1);
        __mmask16 high = inner >= 32 ? 0xffff : (__mmask16)(inner > 16 ? (1u << (inner - 16)) - 1 : 0);
        for (size_t i = 0; i < LINES; i++) {
            __mmask16 exists = i < lines ? 0xffff : 0;
            const float *row = x + (i < lines ? i : 0) * line_stride;
            __m512 a = _mm512_maskz_loadu_ps(low & exists, row);
            __m512 b = _mm512_maskz_loadu_ps(high & exists, row + 16);
            for (int p = 0; p < parts; p++) {
                __m512i both = (__m512i)_mm512_cvtne2ps_pbh(b, a);
                part[p][i] = both;
                if (p + 1 == parts) break;
                a = rest_of(a, widened(_mm512_castsi512_si256(both)));
                b = rest_of(b, widened(_mm512_extracti64x4_epi64(both, 1)));
            }
        }
    } else {
        // Rows of the registers: pairs of inner elements, each 16 lines.
        __mmask16 exists = lines >= LINES ? 0xffff : (__mmask16)((1u << lines) - 1);
        for (size_t i = 0; i < 16; i++) {
            const float *row = x + 2 * i * inner_stride;
            _mm_prefetch((const char *)(row + 4 * LINES), _MM_HINT_T0);
            _mm_prefetch((const char *)(row + inner_stride + 4 * LINES), _MM_HINT_T0);
            __m512 a = 2 * i < inner ? _mm512_maskz_loadu_ps(exists, row) : _mm512_setzero_ps();
            __m512 b = 2 * i + 1 < inner ? _mm512_maskz_loadu_ps(exists, row + inner_stride) : _mm512_setzero_ps();
            for (int p = 0; p < parts; p++) {
                __m512i both = (__m512i)_mm512_cvtne2ps_pbh(b, a);
                __m512 first = widened(_mm512_castsi512_si256(both));
                __m512 second = widened(_mm512_extracti64x4_epi64(both, 1));
                part[p][i] = _mm512_or_si512(_mm512_srli_epi32((__m512i)first, 16), (__m512i)second);
                if (p + 1 == parts) break;
                a = rest_of(a, first);
                b = rest_of(b, second);
            }
        }
    }
    for (int p = 0; p < parts; p++) {
        if (by_pairs == (inner_stride == 1)) transpose(part[p]);
        for (int i = 0; i < 16; i++) _mm512_store_si512(out + p * TILE + i * 32, part[p][i]);
    }
}

// Packs a factor: for each group of 16 lines all tiles along the inner dimension.
static void pack(const float *x, size_t lines, size_t inner, size_t line_stride, size_t inner_stride, int parts,
                 int by_pairs, uint16_t *out) {
    size_t steps = blocks(inner, INNER), group = steps * (size_t)parts * TILE;
    size_t present_tiles = blocks(lines, LINES);
    for (size_t t = present_tiles; t < tile_pairs(lines); t++) memset(out + t * group, 0, group * sizeof *out);
    // The memory that is read goes on along the inner dimension or along the lines: the inner loop follows it, because
    // single cache lines of many rows are as slow as memory gets.
    size_t count = present_tiles * steps;
    for (size_t i = 0; i < count; i++) {
        size_t t = inner_stride == 1 ? i / steps : i % present_tiles;
        size_t s = inner_stride == 1 ? i % steps : i / present_tiles;
        size_t first = t * LINES, present = lines - first;
        pack_tile(x + first * line_stride + s * INNER * inner_stride, present < LINES ? present : LINES,
                  inner - s * INNER < INNER ? inner - s * INNER : INNER, line_stride, inner_stride, parts, by_pairs,
                  out + t * group + s * (size_t)parts * TILE);
    }
}

void kernels_tile_pack(const float *right, size_t inner, size_t columns, size_t inner_stride, size_t column_stride,
                       int parts, uint16_t *packed) {
    pack(right, columns, inner, column_stride, inner_stride, parts, 1, packed);
}

// Tiles 0 … 3 are the 2 × 2 results, 4 and 5 left, 6 and 7 right factors.
#define LOAD_LEFT(p)                           \
    _tile_loadd(4, a0 + (p) * TILE, 64);       \
    _tile_loadd(5, a1 + (p) * TILE, 64)
#define LOAD_RIGHT(p)                          \
    _tile_loadd(6, b0 + (p) * TILE, 64);       \
    _tile_loadd(7, b1 + (p) * TILE, 64)
#define MULTIPLY()                             \
    _tile_dpbf16ps(0, 4, 6);                   \
    _tile_dpbf16ps(1, 4, 7);                   \
    _tile_dpbf16ps(2, 5, 6);                   \
    _tile_dpbf16ps(3, 5, 7)

static void block_product(const uint16_t *a0, const uint16_t *a1, const uint16_t *b0, const uint16_t *b1, size_t steps,
                          int parts, float result[32][32]) {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    size_t step = (size_t)parts * TILE;
    for (size_t s = 0; s < steps; s++, a0 += step, a1 += step, b0 += step, b1 += step) {
        LOAD_LEFT(0);
        LOAD_RIGHT(0);
        MULTIPLY();
        if (parts == 1) continue;
        LOAD_RIGHT(1);
        MULTIPLY();
        if (parts == 2) {
            LOAD_LEFT(1);
            LOAD_RIGHT(0);
            MULTIPLY();
            continue;
        }
        LOAD_LEFT(1);
        MULTIPLY();
        LOAD_RIGHT(0);
        MULTIPLY();
        LOAD_LEFT(2);
        MULTIPLY();
        LOAD_LEFT(0);
        LOAD_RIGHT(2);
        MULTIPLY();
    }
    _tile_stored(0, &result[0][0], 128);
    _tile_stored(1, &result[0][16], 128);
    _tile_stored(2, &result[16][0], 128);
    _tile_stored(3, &result[16][16], 128);
}

// Writes a block of the result with bias and residual.
static void finish(float result[32][32], size_t rows, size_t columns, const float *bias, const float *residual,
                   float *out, size_t stride) {
    for (size_t half = 0; half < 2; half++) {
        if (columns <= 16 * half) break;
        size_t left = columns - 16 * half;
        __mmask16 mask = left >= 16 ? 0xffff : (__mmask16)((1u << left) - 1);
        __m512 offset = bias ? _mm512_maskz_loadu_ps(mask, bias + 16 * half) : _mm512_setzero_ps();
        for (size_t r = 0; r < rows; r++) {
            __m512 value = _mm512_add_ps(_mm512_load_ps(&result[r][16 * half]), offset);
            if (residual) {
                value = _mm512_add_ps(value, _mm512_maskz_loadu_ps(mask, residual + r * stride + 16 * half));
            }
            _mm512_mask_storeu_ps(out + r * stride + 16 * half, mask, value);
        }
    }
}

void kernels_tile_product(const float *left, size_t rows, size_t inner, size_t row_stride, size_t inner_stride,
                          const uint16_t *packed, size_t columns, int parts, const float *bias, const float *residual,
                          float *out, size_t out_stride, uint16_t *scratch) {
    struct {
        uint8_t palette, start_row, reserved[14];
        uint16_t bytes[16];
        uint8_t rows[16];
    } __attribute__((packed, aligned(64))) configuration = {.palette = 1};
    for (int t = 0; t < 8; t++) {
        configuration.bytes[t] = 64;
        configuration.rows[t] = 16;
    }
    _tile_loadconfig(&configuration);
    float result[32][32] __attribute__((aligned(64)));
    size_t steps = blocks(inner, INNER), group = steps * (size_t)parts * TILE;
    for (size_t first = 0; first < rows; first += PANEL_ROWS) {
        size_t panel = rows - first < PANEL_ROWS ? rows - first : PANEL_ROWS;
        pack(left + first * row_stride, panel, inner, row_stride, inner_stride, parts, 0, scratch);
        for (size_t c = 0; c < columns; c += 32) {
            const uint16_t *right = packed + c / 16 * group;
            for (size_t r = 0; r < panel; r += 32) {
                const uint16_t *a = scratch + r / 16 * group;
                block_product(a, a + group, right, right + group, steps, parts, result);
                size_t at = (first + r) * out_stride + c;
                finish(result, panel - r < 32 ? panel - r : 32, columns - c < 32 ? columns - c : 32,
                       bias ? bias + c : NULL, residual ? residual + at : NULL, out + at, out_stride);
            }
        }
    }
    _tile_release();
}

#pragma clang attribute pop

#else

void kernels_tile_pack(const float *right, size_t inner, size_t columns, size_t inner_stride, size_t column_stride,
                       int parts, uint16_t *packed) {
    (void)right, (void)inner, (void)columns, (void)inner_stride, (void)column_stride, (void)parts, (void)packed;
}

void kernels_tile_product(const float *left, size_t rows, size_t inner, size_t row_stride, size_t inner_stride,
                          const uint16_t *packed, size_t columns, int parts, const float *bias, const float *residual,
                          float *out, size_t out_stride, uint16_t *scratch) {
    (void)left, (void)rows, (void)inner, (void)row_stride, (void)inner_stride, (void)packed, (void)columns, (void)parts;
    (void)bias, (void)residual, (void)out, (void)out_stride, (void)scratch;
}

#endif

int kernels_has_bfloat16_tiles(void) {
#if defined(__x86_64__)
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };
    static _Atomic int known = -1;
    int answer = known;
    if (answer < 0) {
        unsigned a = 7, b = 0, c = 0, d = 0;
        __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
        int present = (d >> 22 & 1) && (d >> 24 & 1); /* AMX-BF16, AMX-TILE */
        answer = present && __builtin_cpu_supports("avx512bf16") &&
                 syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
        known = answer;
    }
    return answer;
#else
    return 0;
#endif
}
