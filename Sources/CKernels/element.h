#ifndef KERNELS_ELEMENT_H
#define KERNELS_ELEMENT_H

// Single elements of either type, for the portable table and the edges of the others.

#include <string.h>

#include "kernels.h"

static inline float element_from_bfloat16(uint16_t x) {
    uint32_t bits = (uint32_t)x << 16;
    float y;
    memcpy(&y, &bits, sizeof y);
    return y;
}

// Round to nearest, ties to even: add half of the last kept place, less one where that place is even.
static inline uint16_t element_to_bfloat16(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if (x != x) return (uint16_t)(bits >> 16 | 0x40); // keep NaN: rounding could carry it over to an infinity
    return (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

static inline float element_rounded_to_bfloat16(float x) { return element_from_bfloat16(element_to_bfloat16(x)); }

static inline float element_load(const void *x, kernel_type type, int64_t i) {
    return type == kernel_float32 ? ((const float *)x)[i] : element_from_bfloat16(((const uint16_t *)x)[i]);
}

static inline void element_store(void *y, kernel_type type, int64_t i, float value) {
    if (type == kernel_float32)
        ((float *)y)[i] = value;
    else
        ((uint16_t *)y)[i] = element_to_bfloat16(value);
}

#endif
