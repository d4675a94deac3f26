/* float32 matrices as sums of bfloat16 parts, so that a processor whose bfloat16 products are many times faster than
   its float32 products (Intel AMX) can compute float32 products with them. */
#ifndef KERNELS_SPLIT_PRODUCTS_H
#define KERNELS_SPLIT_PRODUCTS_H

#include <stddef.h>
#include <stdint.h>

/* Splits x = part 0 + part 1 (+ part 2): part 0 is x rounded to bfloat16, part 1 the rest rounded, and so on. With
   three parts the sum is x to 24 bits. Parts beyond the first are 0 where x is not finite.

   x: rows x columns, row-major. For every slot s, part `part_of[s]` (0 ... parts - 1) of the matrix is written with row
   stride `row_stride` (elements) starting at out + s * slot_stride. */
void kernels_split_bfloat16(const float *x, size_t rows, size_t columns, int parts, const int32_t *part_of, int slots,
                            uint16_t *out, size_t slot_stride, size_t row_stride);

/* Whether this processor has matrix tiles for bfloat16 (Intel AMX), the operating system lets this process use them,
   and products through parts therefore pay. Asks for the permission at the first call. */
int kernels_has_bfloat16_tiles(void);

#endif
