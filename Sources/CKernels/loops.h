// The fused loops on the vocabulary of vector.h. Each does what its twin in portable_loops.c says.

static void vector_convert(const void *x, kernel_type x_type, void *y, kernel_type y_type, int64_t count) {
    if (x_type == y_type) {
        memmove(y, x, (size_t)count * (x_type == kernel_float32 ? 4 : 2));
    } else if (x_type == kernel_float32) {
        EACH_VECTOR(i, n, count) store(y, kernel_bfloat16, i, load(x, kernel_float32, i, n), n);
    } else {
        EACH_VECTOR(i, n, count) store(y, kernel_float32, i, load(x, kernel_bfloat16, i, n), n);
    }
}

static void vector_affine(const void *x, float scale, float offset, void *y, kernel_type type, int64_t count) {
    WITH_TYPE(type, {
        EACH_VECTOR(i, n, count) store(y, TYPE, i, scale * load(x, TYPE, i, n) + offset, n);
    });
}

static void vector_accumulate(const void *x, float scale, float *y, kernel_type type, int64_t count) {
    WITH_TYPE(type, {
        EACH_VECTOR(i, n, count)
        store(y, kernel_float32, i, load(y, kernel_float32, i, n) + scale * load(x, TYPE, i, n), n);
    });
}

// MARK: - Functions of one variable

INLINE vf gelu_tanh_argument(vf x) { return 0.79788456f * (x + 0.044715f * x * x * x); }

INLINE vf gelu(vf x) {
    vf e;
    return x * normal_distribution(x, &e);
}

// GELU to 4e-5, fifty times finer than bfloat16 at 1: x Φ(x) with Φ(x) - 1/2 = x P(x²), a least-maximum fit for |x| < 4.3.
// No division and no exponential: in bfloat16 this loop is what is left when products and attention run on tiles.
INLINE vf gelu_for_bfloat16(vf x) {
    const vf bounded = vf_max(vf_set(-4.3f), vf_min(vf_set(4.3f), x));
    const vf u = bounded * bounded;
    vf p = vf_fma(u, vf_set(4.1974594e-11f), vf_set(-4.2490105e-09f));
    p = vf_fma(u, p, vf_set(1.9022448e-07f));
    p = vf_fma(u, p, vf_set(-5.0061790e-06f));
    p = vf_fma(u, p, vf_set(8.7117777e-05f));
    p = vf_fma(u, p, vf_set(-1.0713871e-03f));
    p = vf_fma(u, p, vf_set(9.6951509e-03f));
    p = vf_fma(u, p, vf_set(-6.6155598e-02f));
    p = vf_fma(u, p, vf_set(3.9880207e-01f));
    const vf distribution = x < -4.3f ? vf_set(0) : vf_fma(bounded, p, vf_set(0.5f));
    return x * distribution;
}

INLINE vf gelu_of_type(vf x, kernel_type type) { return type == kernel_bfloat16 ? gelu_for_bfloat16(x) : gelu(x); }

INLINE vf gelu_slope(vf x) {
    vf e;
    const vf distribution = normal_distribution(x, &e);
    const vf bounded = vf_max(vf_set(-40), vf_min(vf_set(40), x)); // ∞ · 0 is NaN
    return distribution + bounded * e * 0.39894228f;
}

// The slope to 2e-4, for bfloat16: 1/2 + x P(x²), a least-maximum fit for |x| < 4.3.
INLINE vf gelu_slope_for_bfloat16(vf x) {
    const vf bounded = vf_max(vf_set(-4.3f), vf_min(vf_set(4.3f), x));
    const vf u = bounded * bounded;
    vf p = vf_fma(u, vf_set(-3.1420557e-11f), vf_set(3.3210135e-09f));
    p = vf_fma(u, p, vf_set(-1.5560484e-07f));
    p = vf_fma(u, p, vf_set(4.2864748e-06f));
    p = vf_fma(u, p, vf_set(-7.7762000e-05f));
    p = vf_fma(u, p, vf_set(9.8602886e-04f));
    p = vf_fma(u, p, vf_set(-9.0001971e-03f));
    p = vf_fma(u, p, vf_set(5.9009930e-02f));
    p = vf_fma(u, p, vf_set(-2.6531652e-01f));
    p = vf_fma(u, p, vf_set(7.9773621e-01f));
    return vf_fma(bounded, p, vf_set(0.5f));
}

INLINE vf gelu_slope_of_type(vf x, kernel_type type) {
    return type == kernel_bfloat16 ? gelu_slope_for_bfloat16(x) : gelu_slope(x);
}

INLINE vf sigmoid(vf x) { return 1.0f / (1.0f + exp_exact(-x)); }

INLINE vf unary_vector(kernel_unary f, vf x, kernel_type type) {
    switch (f) {
    case kernel_unary_gelu: return gelu_of_type(x, type);
    case kernel_unary_gelu_tanh: return 0.5f * x * (1.0f + tanh_exact(gelu_tanh_argument(x)));
    case kernel_unary_relu: return x < 0.0f ? vf_set(0) : x;
    case kernel_unary_sigmoid: return sigmoid(x);
    case kernel_unary_softplus: return vf_max(vf_set(0), x) + log1p_unit(exp_exact(-vf_abs(x)));
    case kernel_unary_tanh: return tanh_exact(x);
    case kernel_unary_exp: return exp_exact(x);
    case kernel_unary_log: return log_exact(x);
    case kernel_unary_sqrt: return vf_sqrt(x);
    case kernel_unary_square: return x * x;
    case kernel_unary_abs: return vf_abs(x);
    case kernel_unary_reciprocal: return 1.0f / x;
    }
    return x;
}

INLINE vf unary_slope_vector(kernel_unary f, vf x, kernel_type type) {
    switch (f) {
    case kernel_unary_gelu: return gelu_slope_of_type(x, type);
    case kernel_unary_gelu_tanh: {
        const vf t = tanh_exact(gelu_tanh_argument(x));
        return 0.5f * (1.0f + t) + 0.5f * x * (1.0f - t * t) * 0.79788456f * (1.0f + 3.0f * 0.044715f * x * x);
    }
    case kernel_unary_relu: return x > 0.0f ? vf_set(1) : vf_set(0);
    case kernel_unary_sigmoid: {
        const vf s = sigmoid(x);
        return s * (1.0f - s);
    }
    case kernel_unary_softplus: return sigmoid(x);
    case kernel_unary_tanh: {
        const vf t = tanh_exact(x);
        return 1.0f - t * t;
    }
    case kernel_unary_exp: return exp_exact(x);
    case kernel_unary_log: return 1.0f / x;
    case kernel_unary_sqrt: return 0.5f / vf_sqrt(x);
    case kernel_unary_square: return 2.0f * x;
    case kernel_unary_abs: return x > 0.0f ? vf_set(1) : (x < 0.0f ? vf_set(-1) : vf_set(0));
    case kernel_unary_reciprocal: return -1.0f / (x * x);
    }
    return vf_set(1);
}

// One loop for each function, so that the choice is outside of it.
#define EACH_UNARY(loop)                                                                                               \
    switch (f) {                                                                                                       \
    case kernel_unary_gelu: loop(kernel_unary_gelu); break;                                                            \
    case kernel_unary_gelu_tanh: loop(kernel_unary_gelu_tanh); break;                                                  \
    case kernel_unary_relu: loop(kernel_unary_relu); break;                                                            \
    case kernel_unary_sigmoid: loop(kernel_unary_sigmoid); break;                                                      \
    case kernel_unary_softplus: loop(kernel_unary_softplus); break;                                                    \
    case kernel_unary_tanh: loop(kernel_unary_tanh); break;                                                            \
    case kernel_unary_exp: loop(kernel_unary_exp); break;                                                              \
    case kernel_unary_log: loop(kernel_unary_log); break;                                                              \
    case kernel_unary_sqrt: loop(kernel_unary_sqrt); break;                                                            \
    case kernel_unary_square: loop(kernel_unary_square); break;                                                        \
    case kernel_unary_abs: loop(kernel_unary_abs); break;                                                              \
    case kernel_unary_reciprocal: loop(kernel_unary_reciprocal); break;                                                \
    }

static void vector_unary(kernel_unary f, const void *x, void *y, kernel_type type, int64_t count) {
#define LOOP(F) EACH_VECTOR(i, n, count) store(y, TYPE, i, unary_vector(F, load(x, TYPE, i, n), TYPE), n)
    WITH_TYPE(type, EACH_UNARY(LOOP));
#undef LOOP
}

static void vector_unary_gradient(
    kernel_unary f, const void *x, const void *dy, void *dx, kernel_type type, int64_t count) {
#define LOOP(F)                                                                                                        \
    EACH_VECTOR(i, n, count)                                                                                           \
    store(dx, TYPE, i, load(dy, TYPE, i, n) * unary_slope_vector(F, load(x, TYPE, i, n), TYPE), n)
    WITH_TYPE(type, EACH_UNARY(LOOP));
#undef LOOP
}

// MARK: - Functions of two variables

INLINE vf binary_vector(kernel_binary f, vf a, vf b) {
    switch (f) {
    case kernel_binary_add: return a + b;
    case kernel_binary_subtract: return a - b;
    case kernel_binary_multiply: return a * b;
    case kernel_binary_divide: return a / b;
    case kernel_binary_maximum: return a != a ? a : vf_max(a, b);
    case kernel_binary_minimum: return a != a ? a : vf_min(a, b);
    }
    return a;
}

INLINE void binary_row(
    kernel_binary f, const void *a, bool a_varies, const void *b, bool b_varies, void *y, int64_t at, kernel_type type,
    int64_t columns) {
    const vf a_constant = vf_set(element_load(a, type, 0)), b_constant = vf_set(element_load(b, type, 0));
    EACH_VECTOR(i, n, columns) {
        const vf left = a_varies ? load(a, type, i, n) : a_constant;
        const vf right = b_varies ? load(b, type, i, n) : b_constant;
        store(y, type, at + i, binary_vector(f, left, right), n);
    }
}

static void vector_binary(
    kernel_binary f, const void *a, int64_t a_row_stride, int64_t a_column_stride, const void *b, int64_t b_row_stride,
    int64_t b_column_stride, void *y, kernel_type type, int64_t rows, int64_t columns) {
    if (rows < 1 || columns < 1) return;
    // Rows that follow each other in all three arrays are one long row.
    const bool a_dense = a_column_stride == 1 ? a_row_stride == columns : a_row_stride == 0;
    const bool b_dense = b_column_stride == 1 ? b_row_stride == columns : b_row_stride == 0;
    if (a_dense && b_dense) {
        columns *= rows;
        rows = 1;
    }
    const size_t size = type == kernel_float32 ? 4 : 2;
#define ROWS(F)                                                                                                        \
    for (int64_t i = 0; i < rows; i++)                                                                                 \
    binary_row(                                                                                                        \
        F, (const char *)a + (size_t)(i * a_row_stride) * size, a_column_stride == 1,                                  \
        (const char *)b + (size_t)(i * b_row_stride) * size, b_column_stride == 1, y, i * columns, TYPE, columns)
    WITH_TYPE(type, switch (f) {
        case kernel_binary_add: ROWS(kernel_binary_add); break;
        case kernel_binary_subtract: ROWS(kernel_binary_subtract); break;
        case kernel_binary_multiply: ROWS(kernel_binary_multiply); break;
        case kernel_binary_divide: ROWS(kernel_binary_divide); break;
        case kernel_binary_maximum: ROWS(kernel_binary_maximum); break;
        case kernel_binary_minimum: ROWS(kernel_binary_minimum); break;
    });
#undef ROWS
}

// MARK: - Reductions

// NaN in either operand stays.
INLINE vf max_keeping_nan(vf a, vf b) { return b > a ? b : (b != b ? b : a); }

// Sums of at most this many vectors are carried in float32; the partial sums are added in double precision, so that
// the error does not grow with the length of the row.
enum { partial_vectors = 256 };

INLINE float reduce_row(kernel_reduction f, const void *x, kernel_type type, int64_t columns) {
    if (f == kernel_reduction_maximum || f == kernel_reduction_abs_maximum) {
        const float lowest = f == kernel_reduction_maximum ? -__builtin_inff() : 0;
        vf largest = vf_set(lowest);
        const int64_t whole = columns / LANES * LANES;
        for (int64_t i = 0; i < whole; i += LANES) {
            const vf value = load(x, type, i, LANES);
            largest = max_keeping_nan(largest, f == kernel_reduction_maximum ? value : vf_abs(value));
        }
        float result = vf_reduce_max(largest);
        for (int64_t i = whole; i < columns; i++) {
            float value = element_load(x, type, i);
            if (f == kernel_reduction_abs_maximum) value = __builtin_fabsf(value);
            if (value > result || value != value) result = value;
        }
        return result;
    }
    double total = 0;
    for (int64_t first = 0; first < columns; first += partial_vectors * LANES) {
        const int64_t rest = columns - first, part = rest < partial_vectors * LANES ? rest : partial_vectors * LANES;
        vf sums[2] = {vf_set(0), vf_set(0)};
        EACH_VECTOR(i, n, part) {
            const vf value = load(x, type, first + i, n);
            sums[i / LANES & 1] += f == kernel_reduction_sum ? value : value * value;
        }
        total += vf_sum(sums[0] + sums[1]);
    }
    return (float)total;
}

static void vector_reduce_rows(
    kernel_reduction f, const void *x, kernel_type type, int64_t rows, int64_t columns, float *y) {
    const size_t size = (size_t)columns * (type == kernel_float32 ? 4 : 2);
#define ROWS(F)                                                                                                        \
    for (int64_t i = 0; i < rows; i++) y[i] = reduce_row(F, (const char *)x + (size_t)i * size, TYPE, columns)
    WITH_TYPE(type, switch (f) {
        case kernel_reduction_sum: ROWS(kernel_reduction_sum); break;
        case kernel_reduction_maximum: ROWS(kernel_reduction_maximum); break;
        case kernel_reduction_abs_maximum: ROWS(kernel_reduction_abs_maximum); break;
        case kernel_reduction_sum_of_squares: ROWS(kernel_reduction_sum_of_squares); break;
    });
#undef ROWS
}

static void vector_add_columns(const void *x, kernel_type type, int64_t rows, int64_t columns, float *y) {
    // Four vectors of columns at a time stay in registers down all rows.
    WITH_TYPE(type, {
        int64_t first = 0;
        for (; first + 4 * LANES <= columns; first += 4 * LANES) {
            vf sums[4];
            for (int part = 0; part < 4; part++) sums[part] = vf_load(y + first + part * LANES);
            for (int64_t i = 0; i < rows; i++)
                for (int part = 0; part < 4; part++)
                    sums[part] += load(x, TYPE, i * columns + first + part * LANES, LANES);
            for (int part = 0; part < 4; part++) vf_store(y + first + part * LANES, sums[part]);
        }
        for (int64_t n; first < columns; first += LANES) {
            n = columns - first < LANES ? columns - first : LANES;
            vf sum = load(y, kernel_float32, first, n);
            for (int64_t i = 0; i < rows; i++) sum += load(x, TYPE, i * columns + first, n);
            store(y, kernel_float32, first, sum, n);
        }
    });
}

static double vector_sum_of_squares(const float *x, int64_t count) {
    double total = 0;
    for (int64_t first = 0; first < count; first += partial_vectors * LANES) {
        const int64_t rest = count - first, part = rest < partial_vectors * LANES ? rest : partial_vectors * LANES;
        vf sums[2] = {vf_set(0), vf_set(0)};
        EACH_VECTOR(i, n, part) {
            const vf value = load(x, kernel_float32, first + i, n);
            sums[i / LANES & 1] += value * value;
        }
        const vf sum = sums[0] + sums[1];
        for (int lane = 0; lane < LANES; lane++) total += (double)sum[lane];
    }
    return total;
}

// MARK: - Layer norm

INLINE void layer_norm_rows(
    const void *x, const void *residual, const float *weight, const float *bias, float epsilon, void *sum, void *y,
    float *mean, float *inverse_deviation, kernel_type type, int64_t rows, int64_t columns) {
    for (int64_t row = 0; row < rows; row++) {
        const int64_t at = row * columns;
        vf totals[2] = {vf_set(0), vf_set(0)};
        EACH_VECTOR(i, n, columns) {
            vf s = load(x, type, at + i, n);
            if (residual) {
                s += load(residual, type, at + i, n);
                if (type == kernel_bfloat16) s = vf_rounded_to_bfloat16(s);
                // Without a place of its own, s waits in y.
                store(sum ? sum : y, type, at + i, s, n);
            } else if (sum && sum != x) {
                store(sum, type, at + i, s, n);
            }
            totals[i / LANES & 1] += s;
        }
        const void *values = residual ? (sum ? sum : y) : x;
        const float average = vf_sum(totals[0] + totals[1]) / (float)columns;
        vf squares[2] = {vf_set(0), vf_set(0)};
        EACH_VECTOR(i, n, columns) {
            const vf difference = first_lanes(load(values, type, at + i, n) - average, n);
            squares[i / LANES & 1] += difference * difference;
        }
        const float variance = vf_sum(squares[0] + squares[1]) / (float)columns;
        const float factor = 1 / __builtin_sqrtf(variance + epsilon);
        if (mean) mean[row] = average;
        if (inverse_deviation) inverse_deviation[row] = factor;
        EACH_VECTOR(i, n, columns) {
            vf normalised = (load(values, type, at + i, n) - average) * factor;
            if (weight) normalised *= load(weight, kernel_float32, i, n);
            if (bias) normalised += load(bias, kernel_float32, i, n);
            store(y, type, at + i, normalised, n);
        }
    }
}

static void vector_layer_norm(
    const void *x, const void *residual, const float *weight, const float *bias, float epsilon, void *sum, void *y,
    float *mean, float *inverse_deviation, kernel_type type, int64_t rows, int64_t columns) {
    WITH_TYPE(
        type, layer_norm_rows(
                  x, residual, weight, bias, epsilon, sum, y, mean, inverse_deviation, TYPE, rows, columns));
}

INLINE void layer_norm_gradient_rows(
    const void *x, const void *dy, const float *weight, const float *mean, const float *inverse_deviation, void *dx,
    float *weight_gradient, float *bias_gradient, kernel_type type, int64_t rows, int64_t columns) {
    for (int64_t row = 0; row < rows; row++) {
        const int64_t at = row * columns;
        const float average = mean[row], factor = inverse_deviation[row];
        vf sum_g = vf_set(0), sum_gn = vf_set(0);
        EACH_VECTOR(i, n, columns) {
            const vf normalised = (load(x, type, at + i, n) - average) * factor;
            const vf gradient = load(dy, type, at + i, n);
            const vf g = weight ? gradient * load(weight, kernel_float32, i, n) : gradient;
            sum_g += g;
            sum_gn += g * normalised;
            if (weight_gradient)
                store(
                    weight_gradient, kernel_float32, i,
                    load(weight_gradient, kernel_float32, i, n) + gradient * normalised, n);
            if (bias_gradient)
                store(bias_gradient, kernel_float32, i, load(bias_gradient, kernel_float32, i, n) + gradient, n);
        }
        const float mean_g = vf_sum(sum_g) / (float)columns, mean_gn = vf_sum(sum_gn) / (float)columns;
        EACH_VECTOR(i, n, columns) {
            const vf normalised = (load(x, type, at + i, n) - average) * factor;
            const vf gradient = load(dy, type, at + i, n);
            const vf g = weight ? gradient * load(weight, kernel_float32, i, n) : gradient;
            store(dx, type, at + i, factor * (g - mean_g - normalised * mean_gn), n);
        }
    }
}

static void vector_layer_norm_gradient(
    const void *x, const void *dy, const float *weight, const float *mean, const float *inverse_deviation, void *dx,
    float *weight_gradient, float *bias_gradient, kernel_type type, int64_t rows, int64_t columns) {
    WITH_TYPE(
        type, layer_norm_gradient_rows(
                  x, dy, weight, mean, inverse_deviation, dx, weight_gradient, bias_gradient, TYPE, rows, columns));
}

// MARK: - Bias and GELU

static void vector_bias_gelu(
    const void *x, const float *bias, void *y, kernel_type type, int64_t rows, int64_t columns) {
    WITH_TYPE(type, {
        for (int64_t row = 0; row < rows; row++)
            EACH_VECTOR(i, n, columns) {
                vf s = load(x, TYPE, row * columns + i, n);
                if (bias) s += load(bias, kernel_float32, i, n);
                store(y, TYPE, row * columns + i, gelu_of_type(s, TYPE), n);
            }
    });
}

static void vector_bias_gelu_gradient(
    const void *x, const float *bias, const void *dy, void *dx, float *bias_gradient, kernel_type type, int64_t rows,
    int64_t columns) {
    WITH_TYPE(type, {
        for (int64_t row = 0; row < rows; row++)
            EACH_VECTOR(i, n, columns) {
                vf s = load(x, TYPE, row * columns + i, n);
                if (bias) s += load(bias, kernel_float32, i, n);
                const vf g = load(dy, TYPE, row * columns + i, n) * gelu_slope_of_type(s, TYPE);
                if (bias_gradient)
                    store(bias_gradient, kernel_float32, i, load(bias_gradient, kernel_float32, i, n) + g, n);
                store(dx, TYPE, row * columns + i, g, n);
            }
    });
}

// MARK: - Softmax

INLINE void softmax_row(const void *x, void *y, bool logarithmic, kernel_type type, int64_t at, int64_t columns) {
    const size_t size = type == kernel_float32 ? 4 : 2;
    const void *row = (const char *)x + (size_t)at * size;
    const float maximum = reduce_row(kernel_reduction_maximum, row, type, columns);
    vf sums[2] = {vf_set(0), vf_set(0)};
    EACH_VECTOR(i, n, columns)
    sums[i / LANES & 1] += first_lanes(exp_exact(load(x, type, at + i, n) - maximum), n);
    const float sum = vf_sum(sums[0] + sums[1]);
    const float factor = 1 / sum, logarithm = logarithmic ? logf(sum) : 0;
    EACH_VECTOR(i, n, columns) {
        const vf z = load(x, type, at + i, n) - maximum;
        store(y, type, at + i, logarithmic ? z - logarithm : exp_exact(z) * factor, n);
    }
}

static void vector_softmax_rows(
    const void *x, void *y, bool logarithmic, kernel_type type, int64_t rows, int64_t columns) {
    WITH_TYPE(type, {
        for (int64_t row = 0; row < rows; row++) softmax_row(x, y, logarithmic, TYPE, row * columns, columns);
    });
}

static void vector_softmax_rows_gradient(
    const void *y, const void *dy, void *dx, bool logarithmic, kernel_type type, int64_t rows, int64_t columns) {
    WITH_TYPE(type, {
        for (int64_t row = 0; row < rows; row++) {
            const int64_t at = row * columns;
            vf sums = vf_set(0);
            EACH_VECTOR(i, n, columns) {
                const vf g = load(dy, TYPE, at + i, n);
                sums += logarithmic ? g : g * load(y, TYPE, at + i, n);
            }
            const float sum = vf_sum(sums);
            EACH_VECTOR(i, n, columns) {
                const vf g = load(dy, TYPE, at + i, n), value = load(y, TYPE, at + i, n);
                store(dx, TYPE, at + i, logarithmic ? g - exp_exact(value) * sum : value * (g - sum), n);
            }
        }
    });
}

// MARK: - Optimiser

static void vector_adamw(
    float *parameter, const float *gradient, float *first_moment, float *second_moment, float learning_rate,
    float beta1, float beta2, float epsilon, float weight_decay, float bias_correction1, float bias_correction2,
    float gradient_scale, int64_t count) {
    const float correction1 = 1 / bias_correction1, correction2 = 1 / bias_correction2;
    EACH_VECTOR(i, n, count) {
        const vf g = load(gradient, kernel_float32, i, n) * gradient_scale;
        const vf m = beta1 * load(first_moment, kernel_float32, i, n) + (1 - beta1) * g;
        const vf v = beta2 * load(second_moment, kernel_float32, i, n) + (1 - beta2) * g * g;
        const vf p = load(parameter, kernel_float32, i, n);
        const vf step = m * correction1 / (vf_sqrt(v * correction2) + epsilon);
        store(first_moment, kernel_float32, i, m, n);
        store(second_moment, kernel_float32, i, v, n);
        store(parameter, kernel_float32, i, p - learning_rate * (step + weight_decay * p), n);
    }
}

// MARK: - The gradient of attention between its products

static void vector_dot_rows(
    const void *a, int64_t a_stride, const void *b, int64_t b_stride, kernel_type type, int64_t rows, int64_t columns,
    float *y) {
    WITH_TYPE(type, {
        for (int64_t i = 0; i < rows; i++) {
            vf sum = vf_set(0);
            EACH_VECTOR(j, n, columns)
            sum = vf_fma(load(a, TYPE, i * a_stride + j, n), load(b, TYPE, i * b_stride + j, n), sum);
            y[i] = vf_sum(sum);
        }
    });
}

static void vector_attention_gradient_scores(
    const float *s, const float *dp, const float *log_sum_exp, const float *o_dot, float scale, uint16_t *p,
    uint16_t *ds, int64_t queries, int64_t keys, int64_t size) {
    const vf factor = vf_set(scale * 1.44269504f);
    for (int64_t i = 0; i < queries; i++) {
        const vf start = vf_set(-log_sum_exp[i] * 1.44269504f), dot = vf_set(o_dot[i]);
        EACH_VECTOR(j, n, keys) {
            const int64_t at = i * size + j;
            const vf e = exp2_score(vf_fma(load(s, kernel_float32, at, n), factor, start));
            store(p, kernel_bfloat16, at, e, n);
            store(ds, kernel_bfloat16, at, scale * e * (load(dp, kernel_float32, at, n) - dot), n);
        }
        memset(p + i * size + keys, 0, (size_t)(size - keys) * sizeof *p);
        memset(ds + i * size + keys, 0, (size_t)(size - keys) * sizeof *ds);
    }
    memset(p + queries * size, 0, (size_t)((size - queries) * size) * sizeof *p);
    memset(ds + queries * size, 0, (size_t)((size - queries) * size) * sizeof *ds);
}

// MARK: - Patches

static void vector_patchify(
    const void *images, kernel_type images_type, void *tokens, kernel_type tokens_type, int64_t count,
    int64_t channels, int64_t height, int64_t width, int64_t patch) {
    const int64_t grid_rows = height / patch, grid_columns = width / patch, token = channels * patch * patch;
    const size_t in_size = images_type == kernel_float32 ? 4 : 2, out_size = tokens_type == kernel_float32 ? 4 : 2;
    for (int64_t b = 0; b < count; b++)
        for (int64_t gy = 0; gy < grid_rows; gy++)
            for (int64_t c = 0; c < channels; c++)
                for (int64_t y = 0; y < patch; y++) {
                    const int64_t in = ((b * channels + c) * height + gy * patch + y) * width;
                    const int64_t out = (b * grid_rows + gy) * grid_columns * token + (c * patch + y) * patch;
                    for (int64_t gx = 0; gx < grid_columns; gx++)
                        vector_convert(
                            (const char *)images + (size_t)(in + gx * patch) * in_size, images_type,
                            (char *)tokens + (size_t)(out + gx * token) * out_size, tokens_type, patch);
                }
}

#include "dense_loops.h"
