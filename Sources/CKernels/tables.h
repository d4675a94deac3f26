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
#endif

#endif
