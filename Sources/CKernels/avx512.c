// The tables' functions for AVX-512: 16 lanes, 32 registers.

#if defined(__x86_64__)

#include <immintrin.h>
#include <math.h>

#include "attention_plan.h"
#include "nearest.h"
#include "portable.h"
#include "tables.h"

#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"))), apply_to = function)

#define LANES 16
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

#define TABLE kernel_table_avx512
#define TABLE_NAME "AVX-512"
#define TABLE_ATTENTION(function) vector_##function
#include "table.h"

#endif
