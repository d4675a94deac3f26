// The portable table's loops around products of dense layers: what the functions of dense_loops.h compute.

#include <math.h>

#include "portable.h"

static float row_abs_maximum(const void *x, kernel_type type, int64_t first, int64_t columns) {
    float largest = 0;
    for (int64_t j = first; j < first + columns; j++) {
        const float magnitude = fabsf(element_load(x, type, j));
        if (magnitude > largest || magnitude != magnitude) largest = magnitude;
    }
    return largest;
}

// One row of values whose difference to the offset is at most `largest`. Returns its scale.
static float quantize_row(
    const void *x, kernel_type type, int64_t first, float offset, float largest, int8_t *y, int64_t columns) {
    const bool has_integers = largest > 1e-30f && largest < INFINITY;
    const float inverse = 127 / largest;
    for (int64_t j = 0; j < columns; j++)
        y[j] = has_integers ? (int8_t)rintf((element_load(x, type, first + j) - offset) * inverse) : 0;
    return largest / 127;
}

void portable_quantize_rows(
    const void *x, kernel_type type, int8_t *y, float *scale, int64_t rows, int64_t columns) {
    for (int64_t i = 0; i < rows; i++) {
        const float largest = row_abs_maximum(x, type, i * columns, columns);
        scale[i] = quantize_row(x, type, i * columns, 0, largest, y + i * columns, columns);
    }
}

static float epilogue_value(const kernel_epilogue *e, int64_t row, int64_t column, int64_t columns) {
    const int64_t at = row * columns + column;
    float x = e->integer ? (float)((const int32_t *)e->product)[at] : ((const float *)e->product)[at];
    if (e->row_scale) x *= e->row_scale[row];
    if (e->column_scale) x *= e->column_scale[column];
    if (e->row_offset) x += e->row_offset[row] * e->column_sum[column];
    if (e->bias) x += e->bias[column];
    switch (e->activation) {
    case kernel_activation_none: break;
    case kernel_activation_gelu: x *= 0.5f * erfcf(-x * 0.70710678f); break;
    case kernel_activation_relu: x = x < 0 ? 0 : x; break;
    }
    if (e->factor) x *= e->factor[column];
    if (e->residual) x += element_load(e->residual, e->residual_type, at);
    return x;
}

void portable_epilogue(const kernel_epilogue *e, void *y, kernel_type type, int64_t rows, int64_t columns) {
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++)
            element_store(y, type, i * columns + j, epilogue_value(e, i, j, columns));
}

void portable_epilogue_quantized(
    const kernel_epilogue *e, float *values, int8_t *y, float *scale, float *offset, int64_t rows, int64_t columns) {
    const float lowest = epilogue_lower_bound(e);
    for (int64_t i = 0; i < rows; i++) {
        for (int64_t j = 0; j < columns; j++) values[j] = epilogue_value(e, i, j, columns);
        const float highest = row_abs_maximum(values, kernel_float32, 0, columns);
        const bool is_bounded = lowest > -INFINITY && highest < INFINITY;
        offset[i] = is_bounded ? (highest + lowest) / 2 : 0;
        scale[i] = quantize_row(
            values, kernel_float32, 0, offset[i], is_bounded ? (highest - lowest) / 2 : highest, y + i * columns,
            columns);
    }
}
