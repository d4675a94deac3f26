// Attention in plain C, a row at a time: the readable twin of the tiled kernels. Same algorithms, same precisions, same
// counters; a tile of VSA is one row.

#include <math.h>

#include "attention_plan.h"
#include "portable.h"

enum { tile_queries = 16, group_keys = 8, block_keys = 64, samples = 64 };

// log2 of the exponential that 255.5 stands for, of 255 and of 127: the largest byte, and what stands for 1 where the
// maximum is exact and where a bit is kept free.
static const float largest_byte = 7.99717f, full_unit = 7.99435344f, half_unit = 6.98868468f;

// A head: the factors of its products. For 8 bits they are whole numbers, with scales.
typedef struct head_factors {
    kernel_products products;
    float *k, *v;                 // (keys, width)
    float *k_scales;              // a group of keys
    float *v_scales, *v_middles;  // a channel
    float *mean;                  // of the keys, a channel
    float *representation;        // (representations, width)
    int64_t representations;
} head_factors;

// One query row of one head. Scores are in base 2, so that exponentials are exp2.
typedef struct row_state {
    const kernel_attention *p;
    const head_factors *x;
    int64_t batch, head, query;
    float *q;           // width: the query's factors
    float *numbers;     // width: the query times scale, in full
    float q_scale;
    float *accumulator; // width
    float *scores;      // a key each
    float maximum, largest, sum, unit;
} row_state;

static bool is_int8(kernel_products products) {
    return products == kernel_products_int8 || products == kernel_products_int8_bfloat16;
}

static float channel(const kernel_attention *p, const kernel_strided *x, int64_t head, int64_t token, int64_t c) {
    return element_load(x->data, p->storage, attention_offset(x, head / p->heads, head % p->heads, token) + c);
}

static float factor(kernel_products products, float x) {
    return products == kernel_products_float32 ? x : element_rounded_to_bfloat16(x);
}

static float larger(float a, float b) { return a >= b ? a : (b != b || a == a ? b : a); } // keeps a NaN in either

// MARK: - Factors

// Whole numbers from -127 to 127 in place of x, and their scale.
static float quantize(float *x, int64_t count) {
    float largest = 0;
    for (int64_t i = 0; i < count; i++) largest = larger(largest, fabsf(x[i]));
    if (largest != largest) return largest;
    for (int64_t i = 0; i < count; i++) x[i] = largest > 1e-30f ? nearbyintf(x[i] * (127.0f / largest)) : 0;
    return largest > 1e-30f ? largest / 127.0f : 0;
}

static void load_keys(const kernel_attention *p, int64_t head, head_factors *x) {
    float bad = 0;
    for (int64_t c = 0; c < p->width; c++) {
        float sum = 0;
        for (int64_t j = 0; j < p->keys; j++) sum += channel(p, &p->k, head, j, c);
        x->mean[c] = sum / (float)p->keys;
        bad += x->mean[c] * 0;
    }
    if (is_int8(x->products) && bad != 0) x->products = kernel_products_bfloat16;
    const bool bytes = is_int8(x->products);
    for (int64_t j = 0; j < p->keys; j++)
        for (int64_t c = 0; c < p->width; c++) {
            const float value = channel(p, &p->k, head, j, c);
            x->k[j * p->width + c] = bytes ? value - x->mean[c] : factor(x->products, value);
        }
    for (int64_t j = 0; j < p->keys; j += group_keys) {
        const int64_t count = p->keys - j < group_keys ? p->keys - j : group_keys;
        x->k_scales[j / group_keys] = bytes ? quantize(x->k + j * p->width, count * p->width) : 1;
    }
}

static void load_values(const kernel_attention *p, int64_t head, head_factors *x) {
    for (int64_t c = 0; c < p->width; c++) {
        float low = channel(p, &p->v, head, 0, c), high = low, bad = 0;
        for (int64_t j = 0; j < p->keys; j++) {
            const float value = channel(p, &p->v, head, j, c);
            low = value < low ? value : low;
            high = value > high ? value : high;
            bad += value * 0;
        }
        x->v_middles[c] = 0.5f * low + 0.5f * high;
        x->v_scales[c] = (high - x->v_middles[c]) / 127.0f;
        bad += x->v_scales[c] * 0;
        if (x->products == kernel_products_int8 && bad != 0) {
            x->products = kernel_products_bfloat16; // for the keys too
            load_keys(p, head, x);
            break;
        }
    }
    for (int64_t j = 0; j < p->keys; j++)
        for (int64_t c = 0; c < p->width; c++) {
            const float value = channel(p, &p->v, head, j, c), scale = x->v_scales[c];
            x->v[j * p->width + c] = x->products != kernel_products_int8 ? factor(x->products, value)
                                     : scale > 1e-32f ? nearbyintf((value - x->v_middles[c]) / scale) : 0;
        }
}

// Keys that stand for others. The representation of a block is, in each channel, the entry of largest magnitude, with its
// sign, or the mean.
static void represent_keys(const kernel_attention *p, int64_t head, head_factors *x) {
    const kernel_maximum_estimate estimate = attention_estimate(p);
    x->representations = 0;
    if (estimate == kernel_estimate_none) return;
    const bool sampled = estimate == kernel_estimate_sampled;
    const int64_t count = sampled ? (p->keys < samples ? p->keys : samples) : (p->keys + block_keys - 1) / block_keys;
    for (int64_t i = 0; i < count; i++) {
        const int64_t first = sampled ? (2 * i + 1) * p->keys / (2 * count) : i * block_keys;
        const int64_t end = sampled ? first + 1 : first + block_keys < p->keys ? first + block_keys : p->keys;
        for (int64_t c = 0; c < p->width; c++) {
            const float mean = is_int8(x->products) ? x->mean[c] : 0;
            float sum = 0, largest = 0;
            for (int64_t j = first; j < end; j++) {
                const float value = channel(p, &p->k, head, j, c) - mean;
                sum += value;
                if (fabsf(value) > fabsf(largest)) largest = value;
            }
            x->representation[i * p->width + c] =
                estimate == kernel_estimate_signed_abs_max ? largest : sum / (float)(end - first);
        }
    }
    x->representations = count;
}

// MARK: - A row

static void begin_row(row_state *row, int64_t query, bool exact_maximum) {
    const kernel_attention *p = row->p;
    row->query = query;
    row->sum = 0;
    row->maximum = row->largest = -INFINITY;
    row->unit = row->x->products != kernel_products_int8 ? 0 : exact_maximum ? full_unit : half_unit;
    const float scale = p->scale * ATTENTION_LOG2_E;
    for (int64_t c = 0; c < p->width; c++) {
        row->numbers[c] = channel(p, &p->q, row->batch * p->heads + row->head, query, c) * scale;
        row->q[c] = is_int8(row->x->products) ? row->numbers[c] : factor(row->x->products, row->numbers[c]);
        row->accumulator[c] = 0;
    }
    row->q_scale = is_int8(row->x->products) ? quantize(row->q, p->width) : 1;
}

static float score(const row_state *row, int64_t key) {
    const int64_t width = row->p->width;
    float sum = 0;
    for (int64_t c = 0; c < width; c++) sum += row->q[c] * row->x->k[key * width + c];
    return sum * (row->q_scale * row->x->k_scales[key / group_keys]);
}

// Adds key `j` with its score. One and the same rounded exponential goes into the sum and into the product.
static void add_key(row_state *row, int64_t j) {
    const int64_t width = row->p->width;
    float exponential = exp2f(row->scores[j] - row->maximum + row->unit);
    if (row->x->products == kernel_products_int8)
        exponential = nearbyintf(exponential);
    else
        exponential = row->x->products == kernel_products_float32 ? exponential : element_rounded_to_bfloat16(exponential);
    row->sum += exponential;
    for (int64_t c = 0; c < width; c++) row->accumulator[c] += exponential * row->x->v[j * width + c];
}

// A new maximum for what was added so far.
static void rescale(row_state *row, float maximum) {
    const float by = row->sum == 0 ? 1 : exp2f(row->maximum - maximum);
    row->sum *= by;
    for (int64_t c = 0; c < row->p->width; c++) row->accumulator[c] *= by;
    row->maximum = maximum;
}

static void finish_row(const row_state *row) {
    const kernel_attention *p = row->p;
    const head_factors *x = row->x;
    const int64_t offset = attention_offset(&p->o, row->batch, row->head, row->query);
    float mean_score = 0; // what taking the mean from the keys took from every score
    for (int64_t c = 0; c < p->width; c++) {
        float value = row->accumulator[c] / row->sum;
        if (x->products == kernel_products_int8) value = value * x->v_scales[c] + x->v_middles[c];
        element_store(p->o.data, p->storage, offset + c, value);
        if (is_int8(x->products)) mean_score += row->numbers[c] * x->mean[c];
    }
    if (p->log_sum_exp)
        p->log_sum_exp[(row->batch * p->heads + row->head) * p->queries + row->query] =
            (row->maximum - row->unit + log2f(row->sum) + mean_score) * ATTENTION_LN_2;
}

// MARK: - Algorithms

// The online softmax in blocks of keys; the naive twin has one block. FA4 lets the maximum grow by `threshold` before it
// rescales. Returns the number of rescales.
static int64_t online_row(row_state *row, int64_t block, float threshold) {
    const int64_t keys = row->p->keys;
    int64_t rescales = 0;
    for (int64_t first = 0; first < keys; first += block) {
        const int64_t end = first + block < keys ? first + block : keys;
        float maximum = row->maximum;
        for (int64_t j = first; j < end; j++) {
            row->scores[j] = score(row, j);
            maximum = larger(maximum, row->scores[j]);
        }
        if (first == 0 || !(maximum <= row->maximum + threshold) || threshold == 0) {
            rescales += first > 0;
            rescale(row, maximum);
        }
        for (int64_t j = first; j < end; j++) add_key(row, j);
    }
    return rescales;
}

// The maximum's first estimate.
static float estimated_maximum(const row_state *row) {
    const int64_t width = row->p->width, count = row->x->representations;
    float maximum = -INFINITY, sum = 0, squares = 0;
    for (int64_t i = 0; i < count; i++) {
        float s = 0;
        for (int64_t c = 0; c < width; c++) s += row->numbers[c] * row->x->representation[i * width + c];
        maximum = larger(maximum, s);
        sum += s;
        squares += s * s;
    }
    if (attention_estimate(row->p) != kernel_estimate_sampled || count < 8) return maximum;
    const float mean = sum / (float)count, variance = squares / (float)count - mean * mean;
    const float expected = mean + sqrtf(variance > 0 ? variance : 0) * attention_expected_maximum(row->p->keys);
    return larger(maximum, fminf(expected, maximum + ATTENTION_MOST_BEYOND_SAMPLE));
}

// VFA and VSA: what the row left out is reported in `certificate`. Returns whether it passes the guard.
static bool frozen_row(
    row_state *row, const int64_t *order, int64_t priority_groups, float *certificate, kernel_attention_counters *counters) {
    const kernel_attention *p = row->p;
    const bool bytes = row->x->products == kernel_products_int8;
    const int64_t groups = attention_round_up(p->keys, group_keys) / group_keys, block_groups = block_keys / group_keys;
    float left_out = 0, keys_left_out = 0;
    row->maximum = estimated_maximum(row);
    for (int64_t g = 0; g < groups;) {
        const int64_t end = g == 0 ? priority_groups : g + block_groups < groups ? g + block_groups : groups;
        float maximum = -INFINITY, keys = 0;
        for (int64_t i = g; i < end; i++)
            for (int64_t j = order[i]; j < order[i] + group_keys && j < p->keys; j++, keys++) {
                row->scores[j] = score(row, j);
                maximum = larger(maximum, row->scores[j]);
            }
        if (g == 0) {
            rescale(row, larger(row->maximum, maximum));
        } else if (p->variant == kernel_attention_vsa && maximum - row->maximum <= log2f(p->skip_threshold)) {
            left_out += keys * exp2f(maximum - row->maximum);
            keys_left_out += keys;
            counters->skipped_tiles += 1;
            g = end;
            continue;
        } else if (bytes && !(maximum - row->maximum + row->unit <= largest_byte)) {
            left_out *= exp2f(row->maximum - maximum);
            rescale(row, maximum); // a byte would overflow
            counters->rescales += 1;
            counters->redone_tiles += p->variant == kernel_attention_vfa;
        }
        row->largest = larger(row->largest, maximum);
        for (int64_t i = g; i < end; i++)
            for (int64_t j = order[i]; j < order[i] + group_keys && j < p->keys; j++) add_key(row, j);
        g = end;
    }
    const float unit = exp2f(row->unit);
    *certificate = p->variant == kernel_attention_vsa
                       ? attention_certificate(p, keys_left_out * unit, left_out * unit, row->sum) : 0;
    bool passes = isfinite(row->sum) && row->sum >= attention_smallest_sum(p->keys);
    for (int64_t c = 0; c < p->width; c++) passes = passes && isfinite(row->accumulator[c]);
    return passes && !(bytes && !(row->maximum - row->largest <= 2));
}

// MARK: - The table's functions

int64_t portable_attention_tile_queries(const kernel_attention *p) {
    return p->variant == kernel_attention_vsa ? 1 : tile_queries;
}

static int64_t most_representations(const kernel_attention *p) {
    const int64_t blocks = (p->keys + block_keys - 1) / block_keys;
    return blocks > samples ? blocks : samples;
}

size_t portable_attention_scratch(const kernel_attention *p) {
    const int64_t groups = attention_round_up(p->keys, group_keys) / group_keys;
    const int64_t floats =
        6 * p->width + 2 * p->keys * p->width + p->keys + groups + most_representations(p) * p->width;
    return (size_t)attention_round_up(floats, 16) * sizeof(float) + (size_t)groups * (sizeof(int64_t) + 1);
}

void portable_attention(
    const kernel_attention *p, int64_t begin, int64_t end, void *scratch, kernel_attention_counters *counters) {
    const int64_t groups = attention_round_up(p->keys, group_keys) / group_keys, width = p->width;
    int64_t *order = scratch;
    float *next = (float *)(order + groups);
    head_factors x = {0};
    row_state row = {.p = p, .x = &x};
    float **parts[] = {&row.q, &row.numbers, &row.accumulator, &x.v_scales, &x.v_middles, &x.mean, &x.k, &x.v,
                       &row.scores, &x.k_scales, &x.representation};
    const int64_t sizes[] = {width, width, width, width, width, width, p->keys * width, p->keys * width,
                             p->keys, groups, most_representations(p) * width};
    for (int i = 0; i < 11; i++) {
        *parts[i] = next;
        next += sizes[i];
    }
    uint8_t *marked = (uint8_t *)next;

    const int64_t tile_size = portable_attention_tile_queries(p), tiles = attention_tiles(p, tile_size);
    const int64_t blocks = (p->keys + block_keys - 1) / block_keys;
    const bool frozen = attention_freezes(p);
    const bool exact = p->variant == kernel_attention_naive || p->variant == kernel_attention_fa2;
    int64_t loaded = -1;
    for (int64_t tile = begin; tile < end; tile++) {
        const int64_t head = tile / tiles, first = tile % tiles * tile_size;
        const int64_t count = p->queries - first < tile_size ? p->queries - first : tile_size;
        row.batch = head / p->heads;
        row.head = head % p->heads;
        if (loaded != head) {
            x.products = p->products;
            load_keys(p, head, &x);
            load_values(p, head, &x);
            if (frozen) represent_keys(p, head, &x);
            loaded = head;
        }
        const int64_t priority_groups = attention_order_groups(p, frozen, first, count, group_keys, order, marked);
        const float bearable = x.products == kernel_products_int8 && p->rescale_threshold > 1 ? 1 : p->rescale_threshold;
        int64_t most_rescales = 0;
        for (int64_t query = first; query < first + count; query++) {
            begin_row(&row, query, exact);
            int64_t rescales = 0;
            if (p->variant == kernel_attention_naive) {
                online_row(&row, p->keys, 0);
            } else if (!frozen) {
                rescales = online_row(&row, block_keys, p->variant == kernel_attention_fa4 ? bearable : 0);
            } else {
                float certificate;
                bool passes = frozen_row(&row, order, priority_groups, &certificate, counters);
                if (passes && certificate > p->tolerance) {
                    passes = false;
                    counters->uncertain_rows += 1;
                }
                if (!passes) {
                    certificate = 0;
                    begin_row(&row, query, true);
                    counters->fallback_rescales += online_row(&row, block_keys, 0);
                    counters->fallback_rows += 1;
                    counters->fallback_tiles += blocks;
                }
                if (p->variant == kernel_attention_vsa && p->certificate)
                    p->certificate[head * p->queries + query] = certificate;
            }
            most_rescales = rescales > most_rescales ? rescales : most_rescales;
            finish_row(&row);
        }
        const int64_t rest = (groups - priority_groups) * group_keys;
        const int64_t taken = p->variant == kernel_attention_naive ? 1
                              : !frozen ? blocks : 1 + (rest + block_keys - 1) / block_keys;
        counters->tiles += taken;
        counters->row_maximum_tiles += p->variant == kernel_attention_vfa ? 1 : taken;
        counters->rescales += most_rescales;
    }
}

// MARK: - Backward

size_t portable_attention_gradient_scratch(const kernel_attention *p) {
    return (size_t)(2 * p->keys * p->width + 3 * p->width) * sizeof(float);
}

void portable_attention_gradient(const kernel_attention *p, int64_t begin, int64_t end, void *scratch) {
    const int64_t width = p->width;
    float *k_gradient = scratch, *v_gradient = k_gradient + p->keys * width;
    float *q = v_gradient + p->keys * width, *o_gradient = q + width, *q_gradient = o_gradient + width;

    for (int64_t head = begin; head < end; head++) {
        const int64_t batch = head / p->heads, head_of_batch = head % p->heads;
        for (int64_t i = 0; i < 2 * p->keys * width; i++) k_gradient[i] = 0;
        for (int64_t query = 0; query < p->queries; query++) {
            const int64_t q_at = attention_offset(&p->q, batch, head_of_batch, query);
            const int64_t o_at = attention_offset(&p->o, batch, head_of_batch, query);
            const int64_t g_at = attention_offset(&p->o_gradient, batch, head_of_batch, query);
            const float log_sum_exp = p->log_sum_exp[head * p->queries + query] * ATTENTION_LOG2_E;
            float o_dot = 0; // Σ do · o, the D of the paper
            for (int64_t c = 0; c < width; c++) {
                q[c] = factor(p->products, element_load(p->q.data, p->storage, q_at + c));
                o_gradient[c] = factor(p->products, element_load(p->o_gradient.data, p->storage, g_at + c));
                q_gradient[c] = 0;
                o_dot += element_load(p->o_gradient.data, p->storage, g_at + c) *
                         element_load(p->o.data, p->storage, o_at + c);
            }
            for (int64_t key = 0; key < p->keys; key++) {
                const int64_t k_at = attention_offset(&p->k, batch, head_of_batch, key);
                const int64_t v_at = attention_offset(&p->v, batch, head_of_batch, key);
                float s = 0, p_gradient = 0;
                for (int64_t c = 0; c < width; c++) {
                    s += q[c] * factor(p->products, element_load(p->k.data, p->storage, k_at + c));
                    p_gradient += o_gradient[c] * factor(p->products, element_load(p->v.data, p->storage, v_at + c));
                }
                const float probability = exp2f(s * p->scale * ATTENTION_LOG2_E - log_sum_exp);
                const float s_gradient = factor(p->products, probability * (p_gradient - o_dot));
                for (int64_t c = 0; c < width; c++) {
                    q_gradient[c] += s_gradient * factor(p->products, element_load(p->k.data, p->storage, k_at + c));
                    k_gradient[key * width + c] += s_gradient * q[c];
                    v_gradient[key * width + c] += factor(p->products, probability) * o_gradient[c];
                }
            }
            const int64_t at = attention_offset(&p->q_gradient, batch, head_of_batch, query);
            for (int64_t c = 0; c < width; c++)
                element_store(p->q_gradient.data, p->storage, at + c, q_gradient[c] * p->scale);
        }
        for (int64_t key = 0; key < p->keys; key++) {
            const int64_t k_at = attention_offset(&p->k_gradient, batch, head_of_batch, key);
            const int64_t v_at = attention_offset(&p->v_gradient, batch, head_of_batch, key);
            for (int64_t c = 0; c < width; c++) {
                element_store(p->k_gradient.data, p->storage, k_at + c, k_gradient[key * width + c] * p->scale);
                element_store(p->v_gradient.data, p->storage, v_at + c, v_gradient[key * width + c]);
            }
        }
    }
}
