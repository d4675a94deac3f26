// The portable table's loops: each says in plain C what its function computes. Tests compare the others with these.

#include <math.h>

#include "portable.h"

void portable_convert(const void *x, kernel_type x_type, void *y, kernel_type y_type, int64_t count) {
    for (int64_t i = 0; i < count; i++) element_store(y, y_type, i, element_load(x, x_type, i));
}

void portable_affine(const void *x, float scale, float offset, void *y, kernel_type type, int64_t count) {
    for (int64_t i = 0; i < count; i++) element_store(y, type, i, scale * element_load(x, type, i) + offset);
}

void portable_accumulate(const void *x, float scale, float *y, kernel_type x_type, int64_t count) {
    for (int64_t i = 0; i < count; i++) y[i] += scale * element_load(x, x_type, i);
}

static float normal_distribution(float x) { return 0.5f * erfcf(-x * 0.70710678f); }
static float normal_density(float x) { return 0.39894228f * expf(-0.5f * x * x); }
static float tanh_argument(float x) { return 0.79788456f * (x + 0.044715f * x * x * x); }

static float unary_value(kernel_unary f, float x) {
    switch (f) {
    case kernel_unary_gelu: return x * normal_distribution(x);
    case kernel_unary_gelu_tanh: return 0.5f * x * (1 + tanhf(tanh_argument(x)));
    case kernel_unary_relu: return x < 0 ? 0 : x;
    case kernel_unary_sigmoid: return 1 / (1 + expf(-x));
    case kernel_unary_softplus: return (x > 0 ? x : 0) + log1pf(expf(-fabsf(x)));
    case kernel_unary_tanh: return tanhf(x);
    case kernel_unary_exp: return expf(x);
    case kernel_unary_log: return logf(x);
    case kernel_unary_sqrt: return sqrtf(x);
    case kernel_unary_square: return x * x;
    case kernel_unary_abs: return fabsf(x);
    case kernel_unary_reciprocal: return 1 / x;
    }
    return x;
}

static float unary_slope(kernel_unary f, float x) {
    switch (f) {
    case kernel_unary_gelu: return normal_distribution(x) + x * normal_density(x);
    case kernel_unary_gelu_tanh: {
        float t = tanhf(tanh_argument(x));
        return 0.5f * (1 + t) + 0.5f * x * (1 - t * t) * 0.79788456f * (1 + 3 * 0.044715f * x * x);
    }
    case kernel_unary_relu: return x > 0 ? 1 : 0;
    case kernel_unary_sigmoid: {
        float s = 1 / (1 + expf(-x));
        return s * (1 - s);
    }
    case kernel_unary_softplus: return 1 / (1 + expf(-x));
    case kernel_unary_tanh: {
        float t = tanhf(x);
        return 1 - t * t;
    }
    case kernel_unary_exp: return expf(x);
    case kernel_unary_log: return 1 / x;
    case kernel_unary_sqrt: return 0.5f / sqrtf(x);
    case kernel_unary_square: return 2 * x;
    case kernel_unary_abs: return (x > 0) - (x < 0);
    case kernel_unary_reciprocal: return -1 / (x * x);
    }
    return 1;
}

void portable_unary(kernel_unary f, const void *x, void *y, kernel_type type, int64_t count) {
    for (int64_t i = 0; i < count; i++) element_store(y, type, i, unary_value(f, element_load(x, type, i)));
}

void portable_unary_gradient(
    kernel_unary f, const void *x, const void *dy, void *dx, kernel_type type, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        element_store(dx, type, i, element_load(dy, type, i) * unary_slope(f, element_load(x, type, i)));
}

static float binary_value(kernel_binary f, float a, float b) {
    switch (f) {
    case kernel_binary_add: return a + b;
    case kernel_binary_subtract: return a - b;
    case kernel_binary_multiply: return a * b;
    case kernel_binary_divide: return a / b;
    case kernel_binary_maximum: return a != a || a > b ? a : b;
    case kernel_binary_minimum: return a != a || a < b ? a : b;
    }
    return a;
}

void portable_binary(
    kernel_binary f, const void *a, int64_t a_row_stride, int64_t a_column_stride, const void *b, int64_t b_row_stride,
    int64_t b_column_stride, void *y, kernel_type type, int64_t rows, int64_t columns) {
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++) {
            float left = element_load(a, type, i * a_row_stride + j * a_column_stride);
            float right = element_load(b, type, i * b_row_stride + j * b_column_stride);
            element_store(y, type, i * columns + j, binary_value(f, left, right));
        }
}

void portable_reduce_rows(
    kernel_reduction f, const void *x, kernel_type type, int64_t rows, int64_t columns, float *y) {
    for (int64_t i = 0; i < rows; i++) {
        double sum = 0;
        float maximum = f == kernel_reduction_maximum ? -INFINITY : 0;
        for (int64_t j = 0; j < columns; j++) {
            float value = element_load(x, type, i * columns + j);
            if (f == kernel_reduction_abs_maximum) value = fabsf(value);
            sum += f == kernel_reduction_sum_of_squares ? (double)value * value : value;
            if (value > maximum || value != value) maximum = value;
        }
        bool is_sum = f == kernel_reduction_sum || f == kernel_reduction_sum_of_squares;
        y[i] = is_sum ? (float)sum : maximum;
    }
}

void portable_add_columns(const void *x, kernel_type type, int64_t rows, int64_t columns, float *y) {
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++) y[j] += element_load(x, type, i * columns + j);
}

double portable_sum_of_squares(const float *x, int64_t count) {
    double sum = 0;
    for (int64_t i = 0; i < count; i++) sum += (double)x[i] * x[i];
    return sum;
}

void portable_layer_norm(
    const void *x, const void *residual, const float *weight, const float *bias, float epsilon, void *sum, void *y,
    float *mean, float *inverse_deviation, kernel_type type, int64_t rows, int64_t columns) {
    for (int64_t i = 0; i < rows; i++) {
        const int64_t row = i * columns;
        double total = 0, squares = 0;
        for (int64_t j = 0; j < columns; j++) {
            float s = element_load(x, type, row + j);
            if (residual) s += element_load(residual, type, row + j);
            if (type == kernel_bfloat16) s = element_rounded_to_bfloat16(s);
            if (sum) element_store(sum, type, row + j, s);
            total += s;
            squares += (double)s * s;
        }
        const double average = total / columns;
        const double variance = squares / columns - average * average;
        const float factor = (float)(1 / sqrt((variance > 0 || variance != variance ? variance : 0) + epsilon));
        if (mean) mean[i] = (float)average;
        if (inverse_deviation) inverse_deviation[i] = factor;
        for (int64_t j = 0; j < columns; j++) {
            float s = element_load(sum ? sum : x, type, row + j);
            if (residual && !sum) s += element_load(residual, type, row + j);
            if (type == kernel_bfloat16) s = element_rounded_to_bfloat16(s);
            float normalised = (s - (float)average) * factor;
            if (weight) normalised *= weight[j];
            if (bias) normalised += bias[j];
            element_store(y, type, row + j, normalised);
        }
    }
}

void portable_layer_norm_gradient(
    const void *x, const void *dy, const float *weight, const float *mean, const float *inverse_deviation, void *dx,
    float *weight_gradient, float *bias_gradient, kernel_type type, int64_t rows, int64_t columns) {
    // With n the normalised input and g = dy · weight: dx = inverse_deviation · (g - mean(g) - n · mean(g n)).
    for (int64_t i = 0; i < rows; i++) {
        const int64_t row = i * columns;
        double sum_g = 0, sum_gn = 0;
        for (int64_t j = 0; j < columns; j++) {
            float n = (element_load(x, type, row + j) - mean[i]) * inverse_deviation[i];
            float gradient = element_load(dy, type, row + j);
            float g = weight ? gradient * weight[j] : gradient;
            sum_g += g;
            sum_gn += (double)g * n;
            if (weight_gradient) weight_gradient[j] += gradient * n;
            if (bias_gradient) bias_gradient[j] += gradient;
        }
        const float mean_g = (float)(sum_g / columns), mean_gn = (float)(sum_gn / columns);
        for (int64_t j = 0; j < columns; j++) {
            float n = (element_load(x, type, row + j) - mean[i]) * inverse_deviation[i];
            float g = element_load(dy, type, row + j) * (weight ? weight[j] : 1);
            element_store(dx, type, row + j, inverse_deviation[i] * (g - mean_g - n * mean_gn));
        }
    }
}

void portable_bias_gelu(
    const void *x, const float *bias, void *y, kernel_type type, int64_t rows, int64_t columns) {
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++) {
            float s = element_load(x, type, i * columns + j) + (bias ? bias[j] : 0);
            element_store(y, type, i * columns + j, unary_value(kernel_unary_gelu, s));
        }
}

void portable_bias_gelu_gradient(
    const void *x, const float *bias, const void *dy, void *dx, float *bias_gradient, kernel_type type, int64_t rows,
    int64_t columns) {
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++) {
            float s = element_load(x, type, i * columns + j) + (bias ? bias[j] : 0);
            float g = element_load(dy, type, i * columns + j) * unary_slope(kernel_unary_gelu, s);
            if (bias_gradient) bias_gradient[j] += g;
            element_store(dx, type, i * columns + j, g);
        }
}

void portable_softmax_rows(
    const void *x, void *y, bool logarithmic, kernel_type type, int64_t rows, int64_t columns) {
    for (int64_t i = 0; i < rows; i++) {
        const int64_t row = i * columns;
        float maximum = -INFINITY;
        for (int64_t j = 0; j < columns; j++) {
            float value = element_load(x, type, row + j);
            if (value > maximum || value != value) maximum = value;
        }
        double sum = 0;
        for (int64_t j = 0; j < columns; j++) sum += expf(element_load(x, type, row + j) - maximum);
        for (int64_t j = 0; j < columns; j++) {
            float z = element_load(x, type, row + j) - maximum;
            element_store(y, type, row + j, logarithmic ? z - (float)log(sum) : expf(z) / (float)sum);
        }
    }
}

void portable_softmax_rows_gradient(
    const void *y, const void *dy, void *dx, bool logarithmic, kernel_type type, int64_t rows, int64_t columns) {
    // softmax: dx = y (dy - Σ dy y); logarithm: dx = dy - eʸ Σ dy.
    for (int64_t i = 0; i < rows; i++) {
        const int64_t row = i * columns;
        double sum = 0;
        for (int64_t j = 0; j < columns; j++) {
            float g = element_load(dy, type, row + j);
            sum += logarithmic ? g : (double)g * element_load(y, type, row + j);
        }
        for (int64_t j = 0; j < columns; j++) {
            float g = element_load(dy, type, row + j), value = element_load(y, type, row + j);
            element_store(dx, type, row + j, logarithmic ? g - expf(value) * (float)sum : value * (g - (float)sum));
        }
    }
}

void portable_dot_rows(
    const void *a, int64_t a_stride, const void *b, int64_t b_stride, kernel_type type, int64_t rows, int64_t columns,
    float *y) {
    for (int64_t i = 0; i < rows; i++) {
        double sum = 0;
        for (int64_t j = 0; j < columns; j++)
            sum += (double)element_load(a, type, i * a_stride + j) * element_load(b, type, i * b_stride + j);
        y[i] = (float)sum;
    }
}

void portable_attention_gradient_scores(
    const float *s, const float *dp, const float *log_sum_exp, const float *o_dot, float scale, uint16_t *p,
    uint16_t *ds, int64_t queries, int64_t keys, int64_t size) {
    for (int64_t i = 0; i < size; i++)
        for (int64_t j = 0; j < size; j++) {
            const int64_t at = i * size + j;
            const bool inside = i < queries && j < keys;
            const float probability = inside ? expf(scale * s[at] - log_sum_exp[i]) : 0;
            p[at] = element_to_bfloat16(probability);
            ds[at] = element_to_bfloat16(inside ? scale * probability * (dp[at] - o_dot[i]) : 0);
        }
}

void portable_adamw(
    float *parameter, const float *gradient, float *first_moment, float *second_moment, float learning_rate,
    float beta1, float beta2, float epsilon, float weight_decay, float bias_correction1, float bias_correction2,
    float gradient_scale, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        float g = gradient[i] * gradient_scale;
        float m = beta1 * first_moment[i] + (1 - beta1) * g;
        float v = beta2 * second_moment[i] + (1 - beta2) * g * g;
        first_moment[i] = m;
        second_moment[i] = v;
        float step = m / bias_correction1 / (sqrtf(v / bias_correction2) + epsilon);
        parameter[i] -= learning_rate * (step + weight_decay * parameter[i]);
    }
}

void portable_patchify(
    const void *images, kernel_type images_type, void *tokens, kernel_type tokens_type, int64_t count,
    int64_t channels, int64_t height, int64_t width, int64_t patch) {
    const int64_t grid_rows = height / patch, grid_columns = width / patch;
    int64_t out = 0;
    for (int64_t b = 0; b < count; b++)
        for (int64_t gy = 0; gy < grid_rows; gy++)
            for (int64_t gx = 0; gx < grid_columns; gx++)
                for (int64_t c = 0; c < channels; c++)
                    for (int64_t y = 0; y < patch; y++)
                        for (int64_t x = 0; x < patch; x++) {
                            int64_t in = ((b * channels + c) * height + gy * patch + y) * width + gx * patch + x;
                            element_store(tokens, tokens_type, out++, element_load(images, images_type, in));
                        }
}
