// The portable table: the readable twins.

#include "portable.h"
#include "tables.h"

const kernel_table kernel_table_portable = {
    .name = "portable",
    .convert = portable_convert,
    .affine = portable_affine,
    .accumulate = portable_accumulate,
    .unary = portable_unary,
    .unary_gradient = portable_unary_gradient,
    .binary = portable_binary,
    .reduce_rows = portable_reduce_rows,
    .add_columns = portable_add_columns,
    .sum_of_squares = portable_sum_of_squares,
    .layer_norm = portable_layer_norm,
    .layer_norm_gradient = portable_layer_norm_gradient,
    .bias_gelu = portable_bias_gelu,
    .bias_gelu_gradient = portable_bias_gelu_gradient,
    .quantize_rows = portable_quantize_rows,
    .epilogue = portable_epilogue,
    .epilogue_quantized = portable_epilogue_quantized,
    .softmax_rows = portable_softmax_rows,
    .softmax_rows_gradient = portable_softmax_rows_gradient,
    .dot_rows = portable_dot_rows,
    .attention_gradient_scores = portable_attention_gradient_scores,
    .adamw = portable_adamw,
    .patchify = portable_patchify,
    .nearest_scan = portable_nearest_scan,
    .nearest_columns = portable_nearest_columns,
    .multiply_registers = portable_multiply_registers,
    .attention = portable_attention,
    .attention_gradient = portable_attention_gradient,
    .attention_tile_queries = portable_attention_tile_queries,
    .attention_scratch = portable_attention_scratch,
    .attention_gradient_scratch = portable_attention_gradient_scratch,
};
