#ifndef KERNELS_NEAREST_H
#define KERNELS_NEAREST_H

// What the versions of nearest_scan share: the lists of the best scores.

#include "element.h"

// Moves the `kept` largest of a list to its front, equal scores by ascending index (quickselect), and returns the smallest
// of them. `count` is greater than `kept`.
static inline float nearest_select(float *scores, int32_t *indices, int64_t count, int64_t kept) {
    int64_t low = 0, high = count - 1;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        const float pivot = scores[middle];
        const int32_t pivot_index = indices[middle];
        int64_t i = low, j = high;
        while (i <= j) {
            while (scores[i] > pivot || (scores[i] == pivot && indices[i] < pivot_index)) i++;
            while (scores[j] < pivot || (scores[j] == pivot && indices[j] > pivot_index)) j--;
            if (i > j) break;
            const float score = scores[i];
            const int32_t index = indices[i];
            scores[i] = scores[j], indices[i] = indices[j];
            scores[j] = score, indices[j] = index;
            i++, j--;
        }
        if (kept - 1 <= j)
            high = j;
        else if (kept - 1 >= i)
            low = i;
        else
            break;
    }
    float smallest = scores[0];
    for (int64_t i = 1; i < kept; i++) smallest = scores[i] < smallest ? scores[i] : smallest;
    return smallest;
}

// Cuts a list to its `kept` largest scores; the smallest of them is the new threshold.
static inline void nearest_cut(const kernel_nearest *p, int64_t query) {
    const int64_t at = query * p->capacity;
    p->thresholds[query] = nearest_select(p->scores + at, p->indices + at, p->counts[query], p->kept);
    p->counts[query] = (int32_t)p->kept;
}

// Makes room for the scores of another panel.
static inline void nearest_make_room(const kernel_nearest *p, int64_t query, int64_t columns) {
    if (p->counts[query] + columns > p->capacity) nearest_cut(p, query);
}

#endif
