#include "split_products.h"

#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#include <unistd.h>
#include <sys/syscall.h>
#endif

enum { MAXIMAL_PARTS = 3 };

static uint16_t rounded_bfloat16(float value) {
    uint32_t bits;
    memcpy(&bits, &value, 4);
    if ((bits & 0x7fffffff) > 0x7f800000) return (uint16_t)((bits >> 16) | 0x40);
    return (uint16_t)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

static float widened(uint16_t value) {
    uint32_t bits = (uint32_t)value << 16;
    float result;
    memcpy(&result, &bits, 4);
    return result;
}

static void split_row(const float *x, size_t columns, int parts, const int32_t *part_of, int slots, uint16_t *out,
                      size_t slot_stride) {
    for (size_t c = 0; c < columns; c++) {
        uint16_t part[MAXIMAL_PARTS] = {0};
        float rest = x[c];
        for (int p = 0; p < parts; p++) {
            part[p] = rounded_bfloat16(rest);
            rest -= widened(part[p]);
            if (!(rest - rest == 0)) rest = 0;
        }
        for (int s = 0; s < slots; s++) out[s * slot_stride + c] = part[part_of[s]];
    }
}

#if defined(__x86_64__)
__attribute__((target("avx512f,avx512bw,avx512bf16"))) static void split_row_avx512(
    const float *x, size_t columns, int parts, const int32_t *part_of, int slots, uint16_t *out, size_t slot_stride) {
    size_t c = 0;
    for (; c + 32 <= columns; c += 32) {
        __m512 low = _mm512_loadu_ps(x + c), high = _mm512_loadu_ps(x + c + 16);
        __m512i part[MAXIMAL_PARTS];
        for (int p = 0; p < MAXIMAL_PARTS; p++) {
            if (p >= parts) break;
            __m512i both = (__m512i)_mm512_cvtne2ps_pbh(high, low);
            part[p] = both;
            __m512 wide_low =
                (__m512)_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm512_castsi512_si256(both)), 16);
            __m512 wide_high =
                (__m512)_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(both, 1)), 16);
            low = _mm512_sub_ps(low, wide_low);
            high = _mm512_sub_ps(high, wide_high);
            /* inf - inf and NaN - NaN are NaN, which compares as unordered. */
            low = _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(low, low, _CMP_ORD_Q), low);
            high = _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(high, high, _CMP_ORD_Q), high);
        }
        for (int s = 0; s < slots; s++) _mm512_storeu_si512(out + s * slot_stride + c, part[part_of[s]]);
    }
    if (c < columns) split_row(x + c, columns - c, parts, part_of, slots, out + c, slot_stride);
}
#endif

void kernels_split_bfloat16(const float *x, size_t rows, size_t columns, int parts, const int32_t *part_of, int slots,
                            uint16_t *out, size_t slot_stride, size_t row_stride) {
#if defined(__x86_64__)
    int wide = __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512bw");
#else
    int wide = 0;
#endif
    for (size_t r = 0; r < rows; r++) {
#if defined(__x86_64__)
        if (wide) {
            split_row_avx512(x + r * columns, columns, parts, part_of, slots, out + r * row_stride, slot_stride);
            continue;
        }
#endif
        split_row(x + r * columns, columns, parts, part_of, slots, out + r * row_stride, slot_stride);
    }
}

int kernels_has_bfloat16_tiles(void) {
#if defined(__x86_64__)
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };
    static _Atomic int known = -1;
    int answer = known;
    if (answer < 0) {
        unsigned a = 7, b = 0, c = 0, d = 0;
        __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
        int present = (d >> 22 & 1) && (d >> 24 & 1); /* AMX-BF16, AMX-TILE */
        answer = present && __builtin_cpu_supports("avx512bf16") &&
                 syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
        known = answer;
    }
    return answer;
#else
    return 0;
#endif
}
