// Where the cycles of attention go: the kernels' own inner loops, each alone on one core, as shares of what product
// instructions reach on registers.
//
//     clang -O3 -fno-math-errno -std=gnu2x -I Sources/CKernels -I Sources/CKernels/include benchmarks/attention/loops.c -lm -o loops
//     ./loops [width]
//
// "scores": q kᵀ of blocks of keys, dropped, or stored as the online softmax must. "values": exponentials times values, added to
// the accumulator of the tile. "exponentials": from scores in memory to words, in nanoseconds a vector of 16 and as a share of the time
// of the products that belong to it: what they would cost if nothing ran beside them.

#include <immintrin.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "attention_plan.h"
#include "portable.h"

#pragma clang attribute push(                                                                                          \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx512vnni,avx512vbmi,avx512vbmi2,avx2,fma"))), \
    apply_to = function)

#define LANES 16
#define ROUNDS_TO_BFLOAT16
#define HAS_DOT_PRODUCTS
#include "vector.h"
#include "attention_rows.h"
#include "attention_pack.h"
#include "attention_scratch.h"
#include "attention_products.h"
#include "attention_exponentials.h"

// What the unused functions of the headers refer to.
size_t portable_attention_scratch(const kernel_attention *p) { return (size_t)p->keys; }
int64_t portable_attention_tile_queries(const kernel_attention *p) { return p->queries; }

enum { KEYS = 4096 };

typedef struct loop_memory {
    float *q, *s, *o;
    uint32_t *k, *v, *e;
    int64_t order[KEYS / GROUP];
} loop_memory;

static double seconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

INLINE void scores(loop_memory *x, int64_t width, int64_t block, tile_mode mode, bool stored) {
    const int64_t words = width / numbers_a_word(mode.scores);
    const vf start[TILE_VECTORS] = {vf_set(0), vf_set(0), vf_set(0)};
    for (int64_t key = 0; key < KEYS; key += GROUP) {
        vf s[GROUP][TILE_VECTORS];
        key_scores(x->q, x->k + key * words, words, words, GROUP, mode, start, s);
        UNROLL for (int i = 0; i < GROUP; i++)
            UNROLL for (int v = 0; v < TILE_VECTORS; v++) {
                if (stored)
                    vf_store(x->s + (key % block + i) * TILE + v * LANES, s[i][v]);
                else
                    __asm__ volatile("" : : "v"(s[i][v]));
            }
    }
}

INLINE void values(loop_memory *x, int64_t width, int64_t block, tile_mode mode) {
    for (int64_t key = 0; key < KEYS; key += block)
        add_products(
            x->o, width, x->v, width, x->e, x->order + key / GROUP, block / GROUP, mode,
            mode.values == INT8 ? accumulation_add_integers : accumulation_add, NULL, NULL);
}

INLINE void exponentials(loop_memory *x, int64_t block, tile_mode mode) {
    static const uint32_t all[GROUP] = {~0u, ~0u, ~0u, ~0u, ~0u, ~0u, ~0u, ~0u};
    const int64_t rows = GROUP / numbers_a_word(mode.values);
    const vf one[TILE_VECTORS] = {vf_set(1), vf_set(1), vf_set(1)};
    tile_state state = {0};
    score_finish finish = {.has_offset = true, .mask = all};
    set_finish(&finish, one, one, exponential_unit(true, mode.values), mode);
    for (int64_t key = 0; key < KEYS; key += GROUP) {
        vf s[GROUP][TILE_VECTORS];
        UNROLL for (int i = 0; i < GROUP; i++)
            UNROLL for (int v = 0; v < TILE_VECTORS; v++)
                s[i][v] = vf_load(x->s + (key % block + i) * TILE + v * LANES);
        finish.e = x->e + key % block / GROUP * rows * TILE;
        finish_keys(&finish, s, 0, GROUP, &state, mode);
    }
    __asm__ volatile("" : : "v"(state.sum[0]), "v"(state.sum_integer[0]));
}

// The fastest of many runs.
#define FASTEST(call)                                                                                                  \
    ({                                                                                                                 \
        double best = 1e9;                                                                                             \
        for (int run = 0; run < 60; run++) {                                                                           \
            const double begin = seconds();                                                                            \
            call;                                                                                                      \
            const double time = seconds() - begin;                                                                     \
            best = time < best ? time : best;                                                                          \
        }                                                                                                              \
        best;                                                                                                          \
    })

#define MEASURE(name, products, block)                                                                                 \
    do {                                                                                                               \
        const tile_mode mode = {TILE_VECTORS, products, products};                                                     \
        int64_t operations = 0;                                                                                        \
        const double limit = FASTEST(operations = multiply_registers(products, 40000));                                \
        const double product = 2.0 * KEYS * TILE * (double)width / (double)operations * limit;                         \
        const double dropped = FASTEST(scores(&x, width, block, mode, false));                                         \
        const double stored = FASTEST(scores(&x, width, block, mode, true));                                           \
        const double value = FASTEST(values(&x, width, block, mode));                                                  \
        const double exponential = FASTEST(exponentials(&x, block, mode));                                             \
        printf(                                                                                                        \
            "%-8s %7.0f %8.1f %% %8.1f %% %8.1f %% %9.2f %8.1f %%\n", name, (double)operations / limit * 1e-9,          \
            100 * product / dropped, 100 * product / stored, 100 * product / value,                                    \
            1e9 * exponential / (KEYS * TILE_VECTORS), 100 * exponential / (2 * product));                             \
    } while (0)

int main(int count, char **arguments) {
    const int64_t width = count > 1 ? atoi(arguments[1]) : 64;
    if (width < 8 || width > 128 || width % 8 != 0) {
        fprintf(stderr, "width: a multiple of 8 up to 128\n");
        return 1;
    }
    static loop_memory x;
    const size_t head = (size_t)(KEYS * width) * 4, tile = 512 * TILE * 4;
    x.q = aligned_alloc(64, tile);
    x.s = aligned_alloc(64, tile);
    x.o = aligned_alloc(64, tile);
    x.e = aligned_alloc(64, tile);
    x.k = aligned_alloc(64, head);
    x.v = aligned_alloc(64, head);
    for (size_t i = 0; i < tile / 4; i++) x.q[i] = x.s[i] = x.o[i] = 0, x.e[i] = 0;
    for (size_t i = 0; i < head / 4; i++) x.k[i] = x.v[i] = 0;
    for (int64_t g = 0; g < KEYS / GROUP; g++) x.order[g] = g * GROUP;
    printf("width %d                scores             values   exponentials\n", (int)width);
    printf("%-8s %7s %10s %10s %10s %9s %10s\n", "", "GFLOP/s", "dropped", "stored", "", "ns", "of products");
    MEASURE("float32", FLOAT32, 128);
    MEASURE("bfloat16", BFLOAT16, 256);
    MEASURE("int8", INT8, 512);
    return 0;
}

#pragma clang attribute pop
