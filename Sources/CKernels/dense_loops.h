// The loops around products of dense layers, on the vocabulary of vector.h. Each does what its twin in portable_dense.c
// says.

typedef int8_t vb __attribute__((ext_vector_type(LANES)));
typedef int8_t vb_unaligned __attribute__((ext_vector_type(LANES), aligned(1), may_alias));
typedef int32_t vi_unaligned __attribute__((ext_vector_type(LANES), aligned(4), may_alias));

// MARK: - Rows of 8-bit integers

// Larger of two magnitudes by their bits: for numbers without sign the order is the same, and NaN is above ∞.
INLINE vi larger_magnitude(vi largest, vf x) {
    return __builtin_elementwise_max(largest, __builtin_bit_cast(vi, vf_bits(x) & 0x7FFFFFFFu));
}

INLINE float reduce_magnitudes(vi largest) { return __builtin_bit_cast(float, __builtin_reduce_max(largest)); }

// Stores a row of values less an offset, of which the largest magnitude is known, as 8-bit integers.
INLINE float quantize_row(
    const void *x, kernel_type type, float offset, float largest, int8_t *y, int64_t columns) {
    const bool has_integers = largest > 1e-30f && largest < __builtin_inff();
    // The product is at most 127 and a rounding, so its nearest integer is at most 127.
    const float inverse = 127 / largest;
    EACH_VECTOR(i, n, columns) {
        const vf value = nearest_integer((load(x, type, i, n) - offset) * inverse);
        const vb narrow = has_integers ? __builtin_convertvector(__builtin_convertvector(value, vi), vb) : (vb)0;
        if (n == LANES)
            *(vb_unaligned *)(y + i) = narrow;
        else
            __builtin_memcpy(y + i, &narrow, (size_t)n);
    }
    return largest / 127;
}

static void vector_quantize_rows(
    const void *x, kernel_type type, int8_t *y, float *scale, int64_t rows, int64_t columns) {
    WITH_TYPE(type, {
        const size_t size = TYPE == kernel_float32 ? 4 : 2;
        for (int64_t row = 0; row < rows; row++) {
            const char *values = (const char *)x + (size_t)(row * columns) * size;
            vi largest = (vi)0;
            EACH_VECTOR(i, n, columns) largest = larger_magnitude(largest, load(values, TYPE, i, n));
            scale[row] = quantize_row(values, TYPE, 0, reduce_magnitudes(largest), y + row * columns, columns);
        }
    });
}

// MARK: - Epilogues

// n lanes of the result for columns j …; `integer`, `activation` and `exact` are constants.
INLINE vf epilogue_vector(
    const kernel_epilogue *e, bool integer, kernel_activation activation, bool exact, float row_scale, float row_offset,
    int64_t row, int64_t j, int64_t n, int64_t columns) {
    const int64_t at = row * columns + j;
    vf x;
    if (!integer)
        x = load(e->product, kernel_float32, at, n);
    else if (n == LANES)
        x = __builtin_convertvector(*(const vi_unaligned *)((const int32_t *)e->product + at), vf);
    else // the bits of integers pass through a masked load unchanged
        x = __builtin_convertvector(__builtin_bit_cast(vi, load(e->product, kernel_float32, at, n)), vf);
    if (e->row_scale) x *= row_scale;
    if (e->column_scale) x *= load(e->column_scale, kernel_float32, j, n);
    if (e->row_offset) x = vf_fma(vf_set(row_offset), load(e->column_sum, kernel_float32, j, n), x);
    if (e->bias) x += load(e->bias, kernel_float32, j, n);
    if (activation == kernel_activation_gelu) x = exact ? gelu(x) : gelu_for_bfloat16(x);
    if (activation == kernel_activation_relu) x = x < 0.0f ? vf_set(0) : x;
    if (e->factor) x *= load(e->factor, kernel_float32, j, n);
    if (e->residual) x += load(e->residual, e->residual_type, at, n);
    return x;
}

// Calls an inlined loop with the kind of product and the activation as constants.
#define EACH_EPILOGUE(loop)                                                                                            \
    switch (e->activation) {                                                                                           \
    case kernel_activation_none:                                                                                       \
        if (e->integer) loop(true, kernel_activation_none);                                                            \
        else loop(false, kernel_activation_none);                                                                      \
        break;                                                                                                         \
    case kernel_activation_gelu:                                                                                       \
        if (e->integer) loop(true, kernel_activation_gelu);                                                            \
        else loop(false, kernel_activation_gelu);                                                                      \
        break;                                                                                                         \
    case kernel_activation_relu:                                                                                       \
        if (e->integer) loop(true, kernel_activation_relu);                                                            \
        else loop(false, kernel_activation_relu);                                                                      \
        break;                                                                                                         \
    }

INLINE void epilogue_rows(
    const kernel_epilogue *e, bool integer, kernel_activation activation, void *y, kernel_type type, int64_t rows,
    int64_t columns) {
    for (int64_t row = 0; row < rows; row++) {
        const float row_scale = e->row_scale ? e->row_scale[row] : 1;
        const float row_offset = e->row_offset ? e->row_offset[row] : 0;
        EACH_VECTOR(j, n, columns)
        store(
            y, type, row * columns + j,
            epilogue_vector(e, integer, activation, type == kernel_float32, row_scale, row_offset, row, j, n, columns),
            n);
    }
}

static void vector_epilogue(const kernel_epilogue *e, void *y, kernel_type type, int64_t rows, int64_t columns) {
#define LOOP(INTEGER, ACTIVATION) epilogue_rows(e, INTEGER, ACTIVATION, y, TYPE, rows, columns)
    WITH_TYPE(type, EACH_EPILOGUE(LOOP));
#undef LOOP
}

INLINE void epilogue_quantized_rows(
    const kernel_epilogue *e, bool integer, kernel_activation activation, float *values, int8_t *y, float *scale,
    float *offset, int64_t rows, int64_t columns) {
    const float lowest = epilogue_lower_bound(e);
    for (int64_t row = 0; row < rows; row++) {
        const float row_scale = e->row_scale ? e->row_scale[row] : 1;
        const float row_offset = e->row_offset ? e->row_offset[row] : 0;
        vi largest = (vi)0;
        EACH_VECTOR(j, n, columns) {
            const vf x = epilogue_vector(e, integer, activation, false, row_scale, row_offset, row, j, n, columns);
            store(values, kernel_float32, j, x, n);
            largest = larger_magnitude(largest, first_lanes(x, n));
        }
        const float highest = reduce_magnitudes(largest);
        const bool is_bounded = lowest > -__builtin_inff() && highest < __builtin_inff();
        offset[row] = is_bounded ? (highest + lowest) / 2 : 0;
        scale[row] = quantize_row(
            values, kernel_float32, offset[row], is_bounded ? (highest - lowest) / 2 : highest, y + row * columns,
            columns);
    }
}

static void vector_epilogue_quantized(
    const kernel_epilogue *e, float *values, int8_t *y, float *scale, float *offset, int64_t rows, int64_t columns) {
#define LOOP(INTEGER, ACTIVATION)                                                                                      \
    epilogue_quantized_rows(e, INTEGER, ACTIVATION, values, y, scale, offset, rows, columns)
    EACH_EPILOGUE(LOOP);
#undef LOOP
}
