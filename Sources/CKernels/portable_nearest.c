// Nearest neighbours, plainly: the readable twins of nearest_loops.h, and the packing that all tables share.

#include "nearest.h"

#include <math.h>

#include "portable.h"

enum { QUERIES = kernel_nearest_queries };

static float product(const kernel_nearest *p, int64_t query, int64_t column, int64_t columns) {
    const int64_t group = query / QUERIES, row = query % QUERIES;
    float sum = p->start[column];
    for (int64_t step = 0; step < p->steps; step++) {
        const int64_t a = (group * p->steps + step) * QUERIES + row, b = step * columns + column;
        if (p->type == kernel_float32) {
            sum = fmaf(((const float *)p->queries)[a], ((const float *)p->panel)[b], sum);
        } else {
            for (int64_t half = 0; half < 2; half++)
                sum += element_load(p->queries, kernel_bfloat16, 2 * a + half) *
                       element_load(p->panel, kernel_bfloat16, 2 * b + half);
        }
    }
    return sum;
}

void portable_nearest_scan_columns(const kernel_nearest *p, int64_t columns) {
    for (int64_t query = 0; query < p->groups * QUERIES; query++) {
        nearest_make_room(p, query, columns);
        for (int64_t column = 0; column < columns; column++) {
            const float score = product(p, query, column, columns);
            if (!(score > p->thresholds[query])) continue;
            const int64_t at = query * p->capacity + p->counts[query]++;
            p->scores[at] = score;
            p->indices[at] = p->first_index + (int32_t)column;
        }
    }
}

enum { PORTABLE_COLUMNS = 16 };

int64_t portable_nearest_columns(void) { return PORTABLE_COLUMNS; }

void portable_nearest_scan(const kernel_nearest *p) { portable_nearest_scan_columns(p, PORTABLE_COLUMNS); }

void kernel_nearest_finish(const kernel_nearest *p) {
    for (int64_t query = 0; query < p->groups * QUERIES; query++)
        if (p->counts[query] > p->kept) nearest_cut(p, query);
}

// MARK: - Packing

// Rounded to bfloat16, and not below x.
static uint16_t bfloat16_above(double x) { return element_to_bfloat16((float)(x * (1 + 0x1p-7))); }

int64_t kernel_nearest_steps(kernel_type type, int64_t width) {
    return type == kernel_float32 ? width + 1 : (width + 1) / 2 + 1;
}

// Sums of squares of a row: eight partial sums, so that additions do not wait for each other.
static double sum_of_squares(const float *x, int64_t count) {
    double sums[8] = {0};
    int64_t i = 0;
    for (; i + 8 <= count; i += 8)
        for (int64_t j = 0; j < 8; j++) sums[j] += (double)x[i + j] * x[i + j];
    for (; i < count; i++) sums[i % 8] += (double)x[i] * x[i];
    return ((sums[0] + sums[4]) + (sums[1] + sums[5])) + ((sums[2] + sums[6]) + (sums[3] + sums[7]));
}

// The two numbers, or the pair of two, at a place of the packed rows.
static void put_pair(void *packed, int64_t place, uint16_t first, uint16_t second) {
    const uint16_t pair[2] = {first, second};
    memcpy((char *)packed + 4 * place, pair, sizeof pair);
}

// One row: its scaled numbers into the places `column + step · columns`, and the error bound's own step.
static void pack_row(const kernel_nearest_packing *p, const float *row, int64_t column) {
    const int64_t width = p->width, columns = p->columns, steps = kernel_nearest_steps(p->type, width);
    const double length_before = p->unit_length ? sqrt(sum_of_squares(row, width)) : 1;
    const double unit = length_before > 0 ? 1 / length_before : 0;
    float *x = p->scratch;
    for (int64_t i = 0; i < width; i++) x[i] = (float)(((double)row[i] - p->mean[i]) * p->factor[i] * unit);
    const double squares = sum_of_squares(x, width), length = sqrt(squares);
    const bool finite = isfinite(length);
    // Rounding of the scaled numbers, of the sums and of the start, each step 2^-24, with a tenth to spare; a pair of
    // bfloat16 products is rounded twice.
    const double epsilon = 1.1 * (p->type == kernel_float32 ? 1 : 2) * (double)(width + 10) * 0x1p-24;
    const double underflow = (double)(width + 10) * 0x1p-125;
    if (p->start) {
        const double start = p->unit_length ? 0 : -squares / 2 * (1 - epsilon);
        p->start[column] = finite ? (float)(start + underflow) : -INFINITY;
    }
    if (!finite) {
        for (int64_t step = 0; step < steps; step++) put_pair(p->packed, step * columns + column, 0, 0);
    } else if (p->type == kernel_float32) {
        float *to = p->packed;
        for (int64_t i = 0; i < width; i++) to[i * columns + column] = x[i];
        to[width * columns + column] = (float)((p->is_query ? length : epsilon * length) * (1 + 0x1p-20));
    } else {
        if (width % 2) x[width] = 0;
        for (int64_t i = 0; i < width; i += 2) {
            const uint16_t first = element_to_bfloat16(x[i]), second = element_to_bfloat16(x[i + 1]);
            put_pair(p->packed, i / 2 * columns + column, first, second);
            x[i] -= element_from_bfloat16(first);
            x[i + 1] -= element_from_bfloat16(second);
        }
        const double residue = sqrt(sum_of_squares(x, width));
        put_pair(
            p->packed, (steps - 1) * columns + column,
            bfloat16_above(p->is_query ? length + residue : residue + epsilon * (length + residue)),
            bfloat16_above(p->is_query ? residue : length));
    }
}

void kernel_nearest_pack(const kernel_nearest_packing *p, const float *const *rows, int64_t count) {
    for (int64_t column = 0; column < count; column++) pack_row(p, rows[column], column);
    const int64_t steps = kernel_nearest_steps(p->type, p->width);
    for (int64_t column = count; column < p->columns; column++) {
        for (int64_t step = 0; step < steps; step++) put_pair(p->packed, step * p->columns + column, 0, 0);
        if (p->start) p->start[column] = -INFINITY;
    }
}
