#ifndef KERNELS_TABLES_H
#define KERNELS_TABLES_H

// The tables, one C file each; only dispatch.c may hand them out.

#include "kernels.h"

extern const kernel_table kernel_table_portable;
#if defined(__x86_64__)
extern const kernel_table kernel_table_avx2;
extern const kernel_table kernel_table_avx512;
extern const kernel_table kernel_table_avx512bf16;
extern const kernel_table kernel_table_amx;

// The functions of the AMX table that are not those of AVX-512.
void amx_attention(const kernel_attention *, int64_t, int64_t, void *, kernel_attention_counters *);
int64_t amx_attention_tile_queries(const kernel_attention *);
size_t amx_attention_scratch(const kernel_attention *);
int64_t amx_multiply_registers(int64_t);
#endif

#endif
