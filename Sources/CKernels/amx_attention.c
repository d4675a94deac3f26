// Attention on AMX tiles: bfloat16 products, and float32 products as sums of bfloat16 products.
//
// A tile product takes (16 x 32) by (32 x 16) bfloat16 numbers in 16 clocks, 16 times what float32 fused
// multiply-adds do. So a float32 number is taken as the sum of three bfloat16 numbers of 8 bits each, and a float32
// product as the six products of parts that reach into its 24 bits; that is still faster than float32 arithmetic.
//
// Lanes are queries, as in attention_tiles.h:
//   scores      S = K Q'   A: 16 keys x 32 channels as they lie in memory; B: channel pairs x 16 queries, packed once
//   outputs     O = V'P    A: 16 channels x 32 keys, packed once a head;   B: key pairs x 16 queries, from the scores
// A row of ones among the channels of V' makes the tiles add up the exponentials: the sum and the output come from one
// and the same rounded numbers, and the vector units are left to the exponential, which bounds the bfloat16 kernel.
// The scores of the next block of keys are computed between the exponentials of this one, so that both units work.

#if defined(__x86_64__)

#include <immintrin.h>
#include <math.h>

#include "attention_plan.h"
#include "portable.h"
#include "tables.h"

#pragma clang attribute push(                                                                                          \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,amx-tile,amx-bf16,avx2,fma"))),               \
    apply_to = function)

#define LANES 16
#define TILE_VECTORS 2
#include "vector.h"
#include "attention_rows.h"
#include "amx_tiles.h"
#include "attention_amx.h"

#pragma clang attribute pop

#endif
