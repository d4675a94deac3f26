#ifndef KERNELS_PORTABLE_H
#define KERNELS_PORTABLE_H

// Functions of the portable table. The other tables use those that have nothing to gain from wider vectors.

#include "element.h"

void portable_convert(const void *, kernel_type, void *, kernel_type, int64_t);
void portable_affine(const void *, float, float, void *, kernel_type, int64_t);
void portable_accumulate(const void *, float, float *, kernel_type, int64_t);
void portable_unary(kernel_unary, const void *, void *, kernel_type, int64_t);
void portable_unary_gradient(kernel_unary, const void *, const void *, void *, kernel_type, int64_t);
void portable_binary(
    kernel_binary, const void *, int64_t, int64_t, const void *, int64_t, int64_t, void *, kernel_type, int64_t,
    int64_t);
void portable_reduce_rows(kernel_reduction, const void *, kernel_type, int64_t, int64_t, float *);
void portable_add_columns(const void *, kernel_type, int64_t, int64_t, float *);
double portable_sum_of_squares(const float *, int64_t);
void portable_layer_norm(
    const void *, const void *, const float *, const float *, float, void *, void *, float *, float *, kernel_type,
    int64_t, int64_t);
void portable_layer_norm_gradient(
    const void *, const void *, const float *, const float *, const float *, void *, float *, float *, kernel_type,
    int64_t, int64_t);
void portable_bias_gelu(const void *, const float *, void *, kernel_type, int64_t, int64_t);
void portable_bias_gelu_gradient(
    const void *, const float *, const void *, void *, float *, kernel_type, int64_t, int64_t);
void portable_quantize_rows(const void *, kernel_type, int8_t *, float *, int64_t, int64_t);
void portable_epilogue(const kernel_epilogue *, void *, kernel_type, int64_t, int64_t);
void portable_epilogue_quantized(const kernel_epilogue *, float *, int8_t *, float *, float *, int64_t, int64_t);

// The least value that an epilogue can give, or -∞ where none is known. GELU has its minimum, -0.16998, at -0.7518.
static inline float epilogue_lower_bound(const kernel_epilogue *e) {
    if (e->factor || e->residual || e->activation == kernel_activation_none) return -__builtin_inff();
    return e->activation == kernel_activation_gelu ? -0.17f : 0;
}
void portable_softmax_rows(const void *, void *, bool, kernel_type, int64_t, int64_t);
void portable_softmax_rows_gradient(const void *, const void *, void *, bool, kernel_type, int64_t, int64_t);
void portable_dot_rows(
    const void *, int64_t, const void *, int64_t, kernel_type, int64_t, int64_t, float *);
void portable_attention_gradient_scores(
    const float *, const float *, const float *, const float *, float, uint16_t *, uint16_t *, int64_t, int64_t,
    int64_t);
void portable_adamw(
    float *, const float *, float *, float *, float, float, float, float, float, float, float, float, int64_t);
void portable_patchify(
    const void *, kernel_type, void *, kernel_type, int64_t, int64_t, int64_t, int64_t, int64_t);
void portable_nearest_scan(const kernel_nearest *);
void portable_nearest_scan_columns(const kernel_nearest *, int64_t);
int64_t portable_nearest_columns(void);

void portable_attention(const kernel_attention *, int64_t, int64_t, void *, kernel_attention_counters *);
void portable_attention_gradient(const kernel_attention *, int64_t, int64_t, void *);
int64_t portable_attention_tile_queries(const kernel_attention *);
size_t portable_attention_scratch(const kernel_attention *);
int64_t portable_multiply_registers(kernel_products, int64_t);
size_t portable_attention_gradient_scratch(const kernel_attention *);

#endif
