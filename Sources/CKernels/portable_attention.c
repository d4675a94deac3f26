// Attention in plain C, a row at a time: the readable twin of the tiled kernels. Same algorithms, same counters.

#include <math.h>

#include "attention_plan.h"
#include "portable.h"

enum { tile_queries = 16, group_keys = 16, block_keys = 64 };

// One query row of one head: its scaled scores are in base 2, so that exponentials are exp2.
typedef struct row_state {
    const kernel_attention *p;
    int64_t batch, head, query;
    float *query_channels; // width
    float *accumulator;    // width
    float maximum, sum;
} row_state;

static float factor(const kernel_attention *p, float x) {
    return p->products == kernel_bfloat16 ? element_rounded_to_bfloat16(x) : x;
}

static float channel(const kernel_attention *p, const kernel_strided *x, int64_t offset) {
    return factor(p, element_load(x->data, p->storage, offset));
}

static float score(const row_state *row, int64_t key) {
    const kernel_attention *p = row->p;
    const int64_t offset = attention_offset(&p->k, row->batch, row->head, key);
    float sum = 0;
    for (int64_t c = 0; c < p->width; c++) sum += row->query_channels[c] * channel(p, &p->k, offset + c);
    return sum * p->scale * ATTENTION_LOG2_E;
}

static void add_value(row_state *row, int64_t key, float exponential) {
    const kernel_attention *p = row->p;
    const int64_t offset = attention_offset(&p->v, row->batch, row->head, key);
    const float rounded = factor(p, exponential); // one p for the sum and for the product
    row->sum += rounded;
    for (int64_t c = 0; c < p->width; c++) row->accumulator[c] += rounded * channel(p, &p->v, offset + c);
}

static void begin_row(row_state *row, int64_t query) {
    const kernel_attention *p = row->p;
    const int64_t offset = attention_offset(&p->q, row->batch, row->head, query);
    row->query = query;
    row->sum = 0;
    row->maximum = -INFINITY;
    for (int64_t c = 0; c < p->width; c++) {
        row->query_channels[c] = channel(p, &p->q, offset + c);
        row->accumulator[c] = 0;
    }
}

static void finish_row(const row_state *row) {
    const kernel_attention *p = row->p;
    const int64_t offset = attention_offset(&p->o, row->batch, row->head, row->query);
    for (int64_t c = 0; c < p->width; c++)
        element_store(p->o.data, p->storage, offset + c, row->accumulator[c] / row->sum);
    if (p->log_sum_exp)
        p->log_sum_exp[(row->batch * p->heads + row->head) * p->queries + row->query] =
            (row->maximum + log2f(row->sum)) * ATTENTION_LN_2;
}

// Comparing this way round keeps a NaN in either.
static float maximum_with(float a, float b) { return a >= b ? a : (b != b || a == a ? b : a); }

static void naive_row(row_state *row, float *scores) {
    const int64_t keys = row->p->keys;
    for (int64_t j = 0; j < keys; j++) {
        scores[j] = score(row, j);
        row->maximum = maximum_with(row->maximum, scores[j]);
    }
    for (int64_t j = 0; j < keys; j++) add_value(row, j, exp2f(scores[j] - row->maximum));
}

static void online_row(row_state *row, float *scores) {
    const int64_t keys = row->p->keys;
    for (int64_t first = 0; first < keys; first += block_keys) {
        const int64_t count = keys - first < block_keys ? keys - first : block_keys;
        float maximum = row->maximum;
        for (int64_t j = 0; j < count; j++) {
            scores[j] = score(row, first + j);
            maximum = maximum_with(maximum, scores[j]);
        }
        if (first > 0) {
            const float rescale = exp2f(row->maximum - maximum);
            row->sum *= rescale;
            for (int64_t c = 0; c < row->p->width; c++) row->accumulator[c] *= rescale;
        }
        row->maximum = maximum;
        for (int64_t j = 0; j < count; j++) add_value(row, first + j, exp2f(scores[j] - maximum));
    }
}

// The representation of a key block: in each channel the key with the largest magnitude, with its sign.
static void represent_blocks(const kernel_attention *p, int64_t batch, int64_t head, float *representation) {
    for (int64_t first = 0; first < p->keys; first += block_keys, representation += p->width)
        for (int64_t c = 0; c < p->width; c++) {
            float largest = 0;
            for (int64_t j = first; j < first + block_keys && j < p->keys; j++) {
                float x = channel(p, &p->k, attention_offset(&p->k, batch, head, j) + c);
                if (fabsf(x) > fabsf(largest)) largest = x;
            }
            representation[c] = largest;
        }
}

static void frozen_maximum_row(
    row_state *row, float *scores, const float *representation, const int64_t *order, int64_t priority_groups) {
    const kernel_attention *p = row->p;
    for (int64_t first = 0; first < p->keys; first += block_keys, representation += p->width) {
        float sum = 0;
        for (int64_t c = 0; c < p->width; c++) sum += row->query_channels[c] * representation[c];
        row->maximum = maximum_with(row->maximum, sum * p->scale * ATTENTION_LOG2_E);
    }
    const int64_t groups = (p->keys + group_keys - 1) / group_keys;
    for (int64_t g = 0; g < groups; g++)
        for (int64_t j = order[g]; j < order[g] + group_keys && j < p->keys; j++) {
            scores[j] = score(row, j);
            if (g < priority_groups) row->maximum = maximum_with(row->maximum, scores[j]);
        }
    for (int64_t g = 0; g < groups; g++)
        for (int64_t j = order[g]; j < order[g] + group_keys && j < p->keys; j++)
            add_value(row, j, exp2f(scores[j] - row->maximum));
}

static bool row_passes_guard(const row_state *row) {
    bool passes = isfinite(row->sum) && row->sum >= attention_smallest_sum(row->p->keys);
    for (int64_t c = 0; c < row->p->width; c++) passes = passes && isfinite(row->accumulator[c]);
    return passes;
}

int64_t portable_attention_tile_queries(const kernel_attention *p) {
    (void)p;
    return tile_queries;
}

static int64_t scratch_floats(const kernel_attention *p) {
    const int64_t blocks = (p->keys + block_keys - 1) / block_keys;
    return attention_round_up(2 * p->width + p->keys + block_keys + blocks * p->width, 16);
}

size_t portable_attention_scratch(const kernel_attention *p) {
    const int64_t groups = (p->keys + group_keys - 1) / group_keys;
    return (size_t)scratch_floats(p) * sizeof(float) + (size_t)groups * sizeof(int64_t);
}

void portable_attention(
    const kernel_attention *p, int64_t begin, int64_t end, void *scratch, kernel_attention_counters *counters) {
    row_state row = {.p = p, .query_channels = scratch, .accumulator = (float *)scratch + p->width};
    float *scores = row.accumulator + p->width;
    float *representation = scores + p->keys + block_keys;
    int64_t *order = (int64_t *)((float *)scratch + scratch_floats(p));
    const int64_t tiles = attention_tiles(p, tile_queries);
    const int64_t blocks = (p->keys + block_keys - 1) / block_keys;
    const bool frozen = p->variant == kernel_attention_vfa;
    int64_t represented = -1;

    for (int64_t tile = begin; tile < end; tile++) {
        const int64_t head = tile / tiles, first = tile % tiles * tile_queries;
        const int64_t count = p->queries - first < tile_queries ? p->queries - first : tile_queries;
        row.batch = head / p->heads;
        row.head = head % p->heads;
        if (frozen && represented != head) {
            represent_blocks(p, row.batch, row.head, representation);
            represented = head;
        }
        const int64_t priority_groups = attention_order_groups(p, frozen, first, count, group_keys, order);
        for (int64_t query = first; query < first + count; query++) {
            begin_row(&row, query);
            switch (p->variant) {
            case kernel_attention_naive: naive_row(&row, scores); break;
            case kernel_attention_fa2: online_row(&row, scores); break;
            case kernel_attention_vfa:
                frozen_maximum_row(&row, scores, representation, order, priority_groups);
                if (!row_passes_guard(&row)) {
                    begin_row(&row, query);
                    online_row(&row, scores);
                    counters->fallback_rows += 1;
                    counters->fallback_tiles += blocks;
                    counters->fallback_rescales += blocks - 1;
                }
                break;
            }
            finish_row(&row);
        }
        const int64_t priority_blocks = frozen ? 1 : 0;
        const int64_t rest = (p->keys + group_keys - 1) / group_keys - priority_groups;
        const int64_t frozen_blocks = (rest * group_keys + block_keys - 1) / block_keys;
        switch (p->variant) {
        case kernel_attention_naive:
            counters->tiles += 1;
            counters->row_maximum_tiles += 1;
            break;
        case kernel_attention_fa2:
            counters->tiles += blocks;
            counters->row_maximum_tiles += blocks;
            counters->rescales += blocks - 1;
            break;
        case kernel_attention_vfa:
            counters->tiles += priority_blocks + frozen_blocks;
            counters->row_maximum_tiles += priority_blocks;
            break;
        }
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
        row_state row = {.p = p, .batch = head / p->heads, .head = head % p->heads, .query_channels = q};
        for (int64_t i = 0; i < 2 * p->keys * width; i++) k_gradient[i] = 0;
        for (int64_t query = 0; query < p->queries; query++) {
            const int64_t q_at = attention_offset(&p->q, row.batch, row.head, query);
            const int64_t o_at = attention_offset(&p->o, row.batch, row.head, query);
            const int64_t g_at = attention_offset(&p->o_gradient, row.batch, row.head, query);
            const float log_sum_exp = p->log_sum_exp[head * p->queries + query] * ATTENTION_LOG2_E;
            float o_dot = 0; // Σ do · o, the D of the paper
            for (int64_t c = 0; c < width; c++) {
                q[c] = channel(p, &p->q, q_at + c);
                o_gradient[c] = channel(p, &p->o_gradient, g_at + c);
                q_gradient[c] = 0;
                o_dot += element_load(p->o_gradient.data, p->storage, g_at + c) *
                         element_load(p->o.data, p->storage, o_at + c);
            }
            for (int64_t key = 0; key < p->keys; key++) {
                const int64_t k_at = attention_offset(&p->k, row.batch, row.head, key);
                const int64_t v_at = attention_offset(&p->v, row.batch, row.head, key);
                const float probability = exp2f(score(&row, key) - log_sum_exp);
                float p_gradient = 0;
                for (int64_t c = 0; c < width; c++) p_gradient += o_gradient[c] * channel(p, &p->v, v_at + c);
                const float s_gradient = factor(p, probability * (p_gradient - o_dot));
                for (int64_t c = 0; c < width; c++) {
                    q_gradient[c] += s_gradient * channel(p, &p->k, k_at + c);
                    k_gradient[key * width + c] += s_gradient * q[c];
                    v_gradient[key * width + c] += factor(p, probability) * o_gradient[c];
                }
            }
            const int64_t at = attention_offset(&p->q_gradient, row.batch, row.head, query);
            for (int64_t c = 0; c < width; c++)
                element_store(p->q_gradient.data, p->storage, at + c, q_gradient[c] * p->scale);
        }
        for (int64_t key = 0; key < p->keys; key++) {
            const int64_t k_at = attention_offset(&p->k_gradient, row.batch, row.head, key);
            const int64_t v_at = attention_offset(&p->v_gradient, row.batch, row.head, key);
            for (int64_t c = 0; c < width; c++) {
                element_store(p->k_gradient.data, p->storage, k_at + c, k_gradient[key * width + c] * p->scale);
                element_store(p->v_gradient.data, p->storage, v_at + c, v_gradient[key * width + c]);
            }
        }
    }
}
