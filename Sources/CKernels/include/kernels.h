#ifndef KERNELS_H
#define KERNELS_H

// The manual of the kernels: types, instruction sets and the one function table.
//
// A table holds the same functions for one instruction set. `kernel_table_for` hands out the table of a set, or NULL
// where this processor lacks it; the functions of a table are never called on a processor without its set. The
// portable table is the readable twin: plain loops that say what each function computes, which tests compare the
// others with.
//
// All functions run on the calling thread and touch only their arguments, so any number of threads may run them at
// once; callers split large arrays by offsetting pointers. Arrays are dense unless strides are given. Inputs and
// outputs may be the same array where the function is element-wise, and must not overlap otherwise.
// Arithmetic is float32 whatever the storage; bfloat16 results are rounded to nearest even.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// How elements are stored.
typedef enum kernel_type {
    kernel_float32 = 0,
    kernel_bfloat16 = 1, // the upper half of a float32, as uint16_t
} kernel_type;

// Instruction sets, each a superset of those before it.
typedef enum kernel_isa {
    kernel_isa_portable = 0,   // C for the baseline of the platform
    kernel_isa_avx2 = 1,       // AVX2, FMA
    kernel_isa_avx512 = 2,     // AVX-512 F, BW, DQ, VL
    kernel_isa_avx512bf16 = 3, // and AVX-512 BF16, VNNI, VBMI, VBMI2
    kernel_isa_amx = 4,        // and AMX tiles with bfloat16 products
} kernel_isa;

typedef enum kernel_unary {
    kernel_unary_gelu = 0,      // x Φ(x), Φ the normal distribution function; absolute error below 1e-6
    kernel_unary_gelu_tanh = 1, // x/2 (1 + tanh(√(2/π) (x + 0.044715 x³)))
    kernel_unary_relu = 2,
    kernel_unary_sigmoid = 3,
    kernel_unary_softplus = 4, // log(1 + eˣ)
    kernel_unary_tanh = 5,
    kernel_unary_exp = 6,
    kernel_unary_log = 7,
    kernel_unary_sqrt = 8,
    kernel_unary_square = 9,
    kernel_unary_abs = 10,
    kernel_unary_reciprocal = 11,
} kernel_unary;

typedef enum kernel_binary {
    kernel_binary_add = 0,
    kernel_binary_subtract = 1,
    kernel_binary_multiply = 2,
    kernel_binary_divide = 3,
    kernel_binary_maximum = 4,
    kernel_binary_minimum = 5,
} kernel_binary;

typedef enum kernel_reduction {
    kernel_reduction_sum = 0,
    kernel_reduction_maximum = 1,
    kernel_reduction_abs_maximum = 2,
    kernel_reduction_sum_of_squares = 3,
} kernel_reduction;

// MARK: - Dense layers

typedef enum kernel_activation {
    kernel_activation_none = 0,
    kernel_activation_gelu = 1, // x Φ(x); with results in bfloat16 or 8 bits to 4e-5, else to 1e-6
    kernel_activation_relu = 2,
} kernel_activation;

// What is done to a product of matrices c (rows, columns) before it is stored, in one pass:
// residual + factor[j] · activation(c[i, j] · row_scale[i] · column_scale[j] + row_offset[i] · column_sum[j] + bias[j]).
typedef struct kernel_epilogue {
    const void *product; // int32_t or float, as `integer` says
    bool integer;
    const float *row_scale;    // (rows), or NULL for 1
    const float *column_scale; // (columns), or NULL for 1
    const float *row_offset;   // (rows), or NULL for 0: what was subtracted from the rows of the left factor
    const float *column_sum;   // (columns), with row_offset: sums of the columns of the right factor
    const float *bias;         // (columns), or NULL for 0
    kernel_activation activation;
    const float *factor;       // (columns), or NULL for 1
    const void *residual;      // (rows, columns), or NULL for 0
    kernel_type residual_type;
} kernel_epilogue;

// MARK: - Attention

typedef enum kernel_attention_variant {
    kernel_attention_naive = 0, // all scores of a row, their maximum, their exponentials, their sum
    kernel_attention_fa2 = 1,   // tiles with the online softmax (FlashAttention-2, arXiv 2307.08691)
    kernel_attention_fa4 = 2,   // the same, but a tile is rescaled only when a maximum grew by more than a threshold
    kernel_attention_vfa = 3,   // tiles with the maximum frozen after a priority tile (VFA, arXiv 2604.12798)
    kernel_attention_vsa = 4,   // VFA that leaves out key blocks whose scores are all small (BLASST, arXiv 2512.12087)
} kernel_attention_variant;

// Precision of the factors of the two matrix products.
typedef enum kernel_products {
    kernel_products_float32 = 0,
    kernel_products_bfloat16 = 1, // bfloat16 factors, float32 sums
    // Both products in 8 bits, int32 sums: queries with a scale a token, keys (less their mean) with a scale for each 8
    // tokens, values (less the middle of their range) with a scale a channel, exponentials unsigned with 8 bits.
    kernel_products_int8 = 2,
    kernel_products_int8_bfloat16 = 3, // scores as int8, exponentials and values as bfloat16
} kernel_products;

// How VFA's maximum begins, before the exact scores of the priority tile raise it.
typedef enum kernel_maximum_estimate {
    kernel_estimate_automatic = 0,   // what measures best for the shape and the products
    kernel_estimate_none = 1,        // the priority tile alone
    kernel_estimate_signed_abs_max = 2, // a key block stands for itself by its largest entry a channel, with its sign
    kernel_estimate_mean = 3,        // a key block stands for itself by its mean
    kernel_estimate_sampled = 4,     // scores of sampled keys, carried on to the expected maximum of all
} kernel_maximum_estimate;

// A (batch, head, token, channel) array: channels are adjacent, the other strides are given in elements.
typedef struct kernel_strided {
    void *data;
    int64_t batch, head, token;
} kernel_strided;

typedef struct kernel_attention_counters {
    int64_t tiles;              // (query tile, key block) pairs whose scores were computed
    int64_t row_maximum_tiles;  // of them, pairs whose row maxima were computed
    int64_t skipped_tiles;      // of them, pairs that VSA left out
    int64_t redone_tiles;       // of them, pairs done again because an 8-bit exponential overflowed
    int64_t rescales;           // multiplications of a query tile's accumulator by a new maximum's factor
    int64_t fallback_rows;      // rows that failed VFA's guard and were redone with the online softmax
    int64_t uncertain_rows;     // of them, rows of VSA whose certificate was above the tolerance
    int64_t fallback_tiles;     // what those rows cost, kept apart from the counts of tiles and rescales above
    int64_t fallback_rescales;
} kernel_attention_counters;

// One attention: o = softmax(scale · q kᵀ) v for each batch entry and head.
typedef struct kernel_attention {
    int64_t batch, heads, queries, keys, width; // width of a head: 1 … 128
    float scale;                                // positive
    kernel_type storage;                        // of q, k, v, o (and of the gradients)
    kernel_products products;
    kernel_attention_variant variant;
    kernel_maximum_estimate estimate; // VFA and VSA
    float rescale_threshold;          // FA4: log2 by which a maximum may grow; 8-bit exponentials bear at most 1
    float skip_threshold;             // VSA: λ, the exponential (relative to the frozen maximum) below which a score is small
    float tolerance;                  // VSA: rows whose certificate is larger are redone; 1: none
    int64_t leading_tokens; // class and register tokens before the grid: the sink keys of VFA's priority tile
    int64_t grid_width;     // tokens a grid row, for the 2-D neighbours in VFA's priority tile; 0: unknown
    // Where the tokens of the grid lie: token leading_tokens + i is cell cells[i] of the grid, counted row by row, and
    // cell j is token tokens[j]. NULL: row by row.
    const int32_t *cells, *tokens;
    kernel_strided q, k, v, o;
    float *log_sum_exp; // (batch, heads, queries), natural logarithm; written by forward where not NULL, read by backward
    float *certificate; // VSA, (batch, heads, queries), where not NULL: |error| of o ≤ this · (max v - min v), a channel
    // Backward only.
    kernel_strided o_gradient;
    kernel_strided q_gradient, k_gradient, v_gradient; // written, not added to
} kernel_attention;

// MARK: - Nearest neighbours

enum { kernel_nearest_queries = 6 }; // queries of a group

// Scores of groups of 6 queries with the rows of one panel, and each query's list of the best so far.
//
// A score is start[row] + query · row, the larger the nearer: with start = -|row|²/2 the squared distance is
// |query|² - 2 score. Packing adds a step that raises it by the bound of its rounding errors, so that it is never below the
// score in exact arithmetic: what stays below a threshold is certainly no nearer than the threshold says.
typedef struct kernel_nearest {
    const void *queries; // (groups, steps, 6), packed
    int64_t groups;
    const void *panel; // (steps, columns), packed
    const float *start; // (columns)
    int64_t steps;      // kernel_nearest_steps
    kernel_type type;   // float32: a number a step; bfloat16: a pair a step
    int32_t first_index; // of the panel's first row
    // Lists, one a query, (6 · groups): a score above the threshold is appended; a full list is cut to its `kept` largest,
    // the smallest of which becomes the threshold. capacity >= kept + columns. Begin with thresholds of -∞ and counts of 0.
    float *thresholds;
    int32_t *counts;
    float *scores;    // (6 · groups, capacity)
    int32_t *indices; // (6 · groups, capacity)
    int64_t capacity, kept;
} kernel_nearest;

// How rows become columns of a panel, or queries of a group.
typedef struct kernel_nearest_packing {
    kernel_type type;
    int64_t width, columns;     // columns of the panel; 6 for a group of queries
    bool is_query, unit_length; // unit_length: divide each row by its length (a zero row stays zero), and start at 0
    const double *mean, *factor; // (width): x = (row - mean) · factor
    float *scratch;             // (width + 1)
    void *packed;               // (steps, columns) of 4 bytes
    float *start;               // (columns), or NULL: -|x|²/2; -∞ for a row that is not finite, which becomes zero
} kernel_nearest_packing;

// Steps of a packed row: its numbers or pairs, and the step of the error bound.
int64_t kernel_nearest_steps(kernel_type type, int64_t width);

// Packs `count` rows, at most p->columns; the other columns become rows that are never chosen.
void kernel_nearest_pack(const kernel_nearest_packing *p, const float *const *rows, int64_t count);

// Cuts every list to its `kept` largest scores, as nearest_scan does with full ones. A threshold stays -∞ where no more than
// `kept` were found.
void kernel_nearest_finish(const kernel_nearest *p);

// MARK: - The table

typedef struct kernel_table {
    const char *name;

    // y = x, with conversion. NaN stays NaN (quiet), ±∞ stays; values beyond bfloat16's range become ±∞.
    void (*convert)(const void *x, kernel_type x_type, void *y, kernel_type y_type, int64_t count);
    // y = scale · x + offset
    void (*affine)(const void *x, float scale, float offset, void *y, kernel_type type, int64_t count);
    // y += scale · x
    void (*accumulate)(const void *x, float scale, float *y, kernel_type x_type, int64_t count);
    // y = f(x)
    void (*unary)(kernel_unary f, const void *x, void *y, kernel_type type, int64_t count);
    // dx = dy · f'(x). The derivative of relu and abs at 0 is 0.
    void (*unary_gradient)(
        kernel_unary f, const void *x, const void *dy, void *dx, kernel_type type, int64_t count);
    // y[i, j] = a[i, j] ∘ b[i, j]; y is dense (rows, columns), a and b are read with their strides, column strides are
    // 0 or 1. So a row, a column and a scalar are broadcast by strides of 0.
    void (*binary)(
        kernel_binary f, const void *a, int64_t a_row_stride, int64_t a_column_stride, const void *b,
        int64_t b_row_stride, int64_t b_column_stride, void *y, kernel_type type, int64_t rows, int64_t columns);

    // y[i] = reduction over row i of x (rows, columns); an empty row gives 0 (maximum: -∞). NaN gives NaN.
    void (*reduce_rows)(
        kernel_reduction f, const void *x, kernel_type type, int64_t rows, int64_t columns, float *y);
    // y[j] += sum over rows of x[i, j]
    void (*add_columns)(const void *x, kernel_type type, int64_t rows, int64_t columns, float *y);
    // Sum of squares in double precision.
    double (*sum_of_squares)(const float *x, int64_t count);

    // y = (s - mean) / sqrt(variance + epsilon) · weight + bias over each row of s = x + residual.
    // residual, sum, weight, bias, mean and inverse_deviation may be NULL; sum receives s in the storage type, and y is
    // computed from the rounded s. mean and inverse_deviation have one entry a row, for the backward pass.
    void (*layer_norm)(
        const void *x, const void *residual, const float *weight, const float *bias, float epsilon, void *sum, void *y,
        float *mean, float *inverse_deviation, kernel_type type, int64_t rows, int64_t columns);
    // dx from x (the normalised input s), dy and the statistics. weight_gradient and bias_gradient (columns) are added
    // to, and may be NULL. dx may be dy.
    void (*layer_norm_gradient)(
        const void *x, const void *dy, const float *weight, const float *mean, const float *inverse_deviation,
        void *dx, float *weight_gradient, float *bias_gradient, kernel_type type, int64_t rows, int64_t columns);

    // y = gelu(x + bias); bias (columns) may be NULL.
    void (*bias_gelu)(
        const void *x, const float *bias, void *y, kernel_type type, int64_t rows, int64_t columns);
    // dx = dy · gelu'(x + bias); bias_gradient (columns) is added to, and may be NULL.
    void (*bias_gelu_gradient)(
        const void *x, const float *bias, const void *dy, void *dx, float *bias_gradient, kernel_type type,
        int64_t rows, int64_t columns);

    // y = round(x / scale[i]) with scale[i] = max |x[i, :]| / 127, each row by itself: |y| <= 127. A row without a
    // number above 1e-30 becomes zeros, as does one with NaN or ∞, whose scale is NaN or ∞: it is NaN when scaled back.
    void (*quantize_rows)(
        const void *x, kernel_type type, int8_t *y, float *scale, int64_t rows, int64_t columns);
    // y = the epilogue's result. y may be the product, or the residual of the same type.
    void (*epilogue)(const kernel_epilogue *e, void *y, kernel_type type, int64_t rows, int64_t columns);
    // The same, then quantize_rows. `values` (columns) is scratch for one row. Behind an activation, whose results are above
    // a known bound, the middle of bound and maximum is subtracted first, which halves the steps: it becomes offset[i],
    // else 0, and y = round((result - offset[i]) / scale[i]). scale and offset may be e->row_scale and e->row_offset.
    void (*epilogue_quantized)(
        const kernel_epilogue *e, float *values, int8_t *y, float *scale, float *offset, int64_t rows, int64_t columns);

    // y = softmax of each row, or its logarithm.
    void (*softmax_rows)(
        const void *x, void *y, bool logarithmic, kernel_type type, int64_t rows, int64_t columns);
    // dx from the result y and dy.
    void (*softmax_rows_gradient)(
        const void *y, const void *dy, void *dx, bool logarithmic, kernel_type type, int64_t rows, int64_t columns);

    // y[i] = Σ a[i, :] · b[i, :], rows a_stride and b_stride elements apart.
    void (*dot_rows)(
        const void *a, int64_t a_stride, const void *b, int64_t b_stride, kernel_type type, int64_t rows,
        int64_t columns, float *y);
    // The element-wise part of an attention's gradient where its products are computed as matrices (FlashAttention-2,
    // algorithm 2). From scores s = q kᵀ and dp = do vᵀ, both (size, size), the log-sum-exp and D = Σ do · o of each query:
    // p = exp(scale · s - log_sum_exp) and ds = scale · p (dp - D), both bfloat16, (size, size), zero beyond `queries` rows
    // and `keys` columns.
    void (*attention_gradient_scores)(
        const float *s, const float *dp, const float *log_sum_exp, const float *o_dot, float scale, uint16_t *p,
        uint16_t *ds, int64_t queries, int64_t keys, int64_t size);

    // One AdamW step (arXiv 1711.05101, algorithm 2, learning rate times weight decay):
    // g = gradient · gradient_scale; m = β₁m + (1-β₁)g; v = β₂v + (1-β₂)g²;
    // p -= learning_rate · (m/bias_correction1 / (sqrt(v/bias_correction2) + epsilon) + weight_decay · p)
    void (*adamw)(
        float *parameter, const float *gradient, float *first_moment, float *second_moment, float learning_rate,
        float beta1, float beta2, float epsilon, float weight_decay, float bias_correction1, float bias_correction2,
        float gradient_scale, int64_t count);

    // images (count, channels, height, width) to tokens (count, (height/patch)·(width/patch), channels·patch²), in the
    // order of a convolution's weights: channel, row, column.
    void (*patchify)(
        const void *images, kernel_type images_type, void *tokens, kernel_type tokens_type, int64_t count,
        int64_t channels, int64_t height, int64_t width, int64_t patch);

    // Offers the rows of a panel to every query.
    void (*nearest_scan)(const kernel_nearest *p);
    // Columns of a panel.
    int64_t (*nearest_columns)(void);

    // The part [begin, end) of the query tiles of an attention (see kernel_attention_tile_count). scratch has
    // kernel_attention_scratch bytes, aligned to 64, and belongs to the call; counters are added to.
    void (*attention)(
        const kernel_attention *problem, int64_t begin, int64_t end, void *scratch,
        kernel_attention_counters *counters);
    // Rounds of product instructions on registers alone, to learn how fast this processor multiplies: returns the operations
    // (two for each product that is added). Not for the mixed precision, which has two kinds of products.
    int64_t (*multiply_registers)(kernel_products products, int64_t rounds);
    // Gradients of the heads [begin, end) of batch · heads, from q, k, v, o, log_sum_exp and o_gradient
    // (FlashAttention-2, algorithm 2: probabilities are computed again from the scores and log_sum_exp).
    void (*attention_gradient)(const kernel_attention *problem, int64_t begin, int64_t end, void *scratch);
    // Queries that one tile takes, and bytes of scratch that attention and attention_gradient need.
    int64_t (*attention_tile_queries)(const kernel_attention *problem);
    size_t (*attention_scratch)(const kernel_attention *problem);
    size_t (*attention_gradient_scratch)(const kernel_attention *problem);
} kernel_table;

// The best instruction set of this processor (and operating system).
kernel_isa kernel_best_isa(void);

// The table of an instruction set, or NULL where the processor lacks it.
const kernel_table *kernel_table_for(kernel_isa isa);

// Asks the system for the tile registers, which are off until a process wants them; kernel_best_isa does this.
// Returns false where the system refuses or there are none.
bool kernel_enable_amx(void);

// Tells the processor that the caller waits in a loop.
static inline void kernel_pause(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

#endif
