// The tables' functions for AVX-512 with dot products of bfloat16 numbers and bytes, without and with AMX tiles.

#if defined(__x86_64__)

#include <immintrin.h>
#include <math.h>

#include "attention_plan.h"
#include "nearest.h"
#include "portable.h"
#include "tables.h"

#pragma clang attribute push(                                                                                          \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx512vnni,avx512vbmi,avx512vbmi2,avx2,fma"))), apply_to = function)

#define LANES 16
#define ROUNDS_TO_BFLOAT16
#define HAS_DOT_PRODUCTS
#include "vector.h"
#include "loops.h"
#include "nearest_loops.h"
#include "attention_rows.h"
#include "attention_pack.h"
#include "attention_scratch.h"
#include "attention_products.h"
#include "attention_exponentials.h"
#include "attention_blocks.h"
#include "attention_tiles.h"
#include "attention_gradient_f32.h"

#pragma clang attribute pop

#define TABLE kernel_table_avx512bf16
#define TABLE_NAME "AVX-512 BF16"
#define TABLE_ATTENTION(function) vector_##function
#include "table.h"

// Float32 products on tiles need three times the memory of the keys and values; they win where that stays in the
// second-level cache and there are keys enough to pay for the packing.
// Of the variants the tiles know the first ones, with the estimate that suits most.
static bool runs_on_tiles(const kernel_attention *p) {
    const bool known = p->variant == kernel_attention_naive || p->variant == kernel_attention_fa2 ||
                       (p->variant == kernel_attention_vfa && p->estimate == kernel_estimate_automatic);
    if (!known) return false;
    if (p->products == kernel_products_bfloat16) return true;
    if (p->products != kernel_products_float32) return false;
    const int64_t bytes = p->keys * 2 * 3 * (2 * attention_round_up(p->width, 32) + LANES);
    return p->keys >= 384 && bytes <= 1536 * 1024;
}

static void amx_or_vector_attention(
    const kernel_attention *p, int64_t begin, int64_t end, void *scratch, kernel_attention_counters *counters) {
    (runs_on_tiles(p) ? amx_attention : vector_attention)(p, begin, end, scratch, counters);
}

static int64_t amx_or_vector_attention_tile_queries(const kernel_attention *p) {
    return (runs_on_tiles(p) ? amx_attention_tile_queries : vector_attention_tile_queries)(p);
}

static size_t amx_or_vector_attention_scratch(const kernel_attention *p) {
    return (runs_on_tiles(p) ? amx_attention_scratch : vector_attention_scratch)(p);
}

static int64_t amx_or_vector_multiply_registers(kernel_products products, int64_t rounds) {
    return products == kernel_products_bfloat16 ? amx_multiply_registers(rounds)
                                                : vector_multiply_registers(products, rounds);
}

#undef TABLE
#undef TABLE_NAME
#undef TABLE_ATTENTION
#define TABLE kernel_table_amx
#define TABLE_NAME "AMX"
#define TABLE_ATTENTION(function) amx_or_vector_##function
#define amx_or_vector_attention_gradient vector_attention_gradient
#define amx_or_vector_attention_gradient_scratch vector_attention_gradient_scratch
#include "table.h"

#endif
