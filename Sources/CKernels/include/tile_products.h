/* Products of float32 matrices on bfloat16 matrix tiles (Intel AMX).

   While it is packed each factor is split into bfloat16 parts: part 0 is x rounded, part 1 the rest rounded, and so on;
   with three parts the sum is x to 24 bits. Parts beyond the first are 0 where x is not finite. All products of parts that
   matter accumulate in the same float32 tiles, so nothing but the parts themselves travels through memory more often than
   in a plain product: three parts need six tile products, two need three, one needs one (plain bfloat16). */
#ifndef KERNELS_TILE_PRODUCTS_H
#define KERNELS_TILE_PRODUCTS_H

#include <stddef.h>
#include <stdint.h>

/* Whether this processor has matrix tiles for bfloat16 and the operating system lets this process use them. Asks for the
   permission at the first call. The functions below may be called only then. */
int kernels_has_bfloat16_tiles(void);

/* Elements (uint16_t) of a packed right factor (inner, columns), and of the scratch that one call with so many rows
   needs. Both are to be aligned to 64 bytes. */
size_t kernels_tile_packed_count(size_t inner, size_t columns, int parts);
size_t kernels_tile_scratch_count(size_t rows, size_t inner, int parts);

/* Packs the right factor of a product. One of the strides (in elements) is 1. */
void kernels_tile_pack(const float *right, size_t inner, size_t columns, size_t inner_stride, size_t column_stride,
                       int parts, uint16_t *packed);

/* out (rows, columns) = left (rows, inner) · right + bias + residual. One of the strides of left is 1; out and residual
   are dense rows with the given stride. bias (columns) and residual may be NULL, and residual may be out. */
void kernels_tile_product(const float *left, size_t rows, size_t inner, size_t row_stride, size_t inner_stride,
                          const uint16_t *packed, size_t columns, int parts, const float *bias, const float *residual,
                          float *out, size_t out_stride, uint16_t *scratch);

#endif
