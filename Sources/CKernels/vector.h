// A small vector vocabulary on clang's vector types, for LANES = 8 (AVX2) or 16 (AVX-512) floats. Include it inside a
// region that is compiled for the set, after defining LANES.
//
// Selections are written so that a NaN in the second operand survives (as vmaxps and vminps do).

typedef float vf __attribute__((ext_vector_type(LANES)));
typedef int32_t vi __attribute__((ext_vector_type(LANES)));
typedef uint32_t vu __attribute__((ext_vector_type(LANES)));
typedef uint16_t vh __attribute__((ext_vector_type(LANES)));
typedef float vf_unaligned __attribute__((ext_vector_type(LANES), aligned(4), may_alias));
typedef uint16_t vh_unaligned __attribute__((ext_vector_type(LANES), aligned(2), may_alias));

#define INLINE static inline __attribute__((always_inline))

INLINE vf vf_set(float x) { return (vf)x; }
INLINE vf vf_max(vf a, vf b) { return a > b ? a : b; }
INLINE vf vf_min(vf a, vf b) { return a < b ? a : b; }
INLINE vf vf_from_bits(vu bits) { return __builtin_bit_cast(vf, bits); }
INLINE vu vf_bits(vf x) { return __builtin_bit_cast(vu, x); }
INLINE vf vf_abs(vf x) { return vf_from_bits(vf_bits(x) & 0x7FFFFFFFu); }
INLINE vf vf_copy_sign(vf magnitude, vf sign) {
    return vf_from_bits((vf_bits(magnitude) & 0x7FFFFFFFu) | (vf_bits(sign) & 0x80000000u));
}
INLINE vf vf_fma(vf a, vf b, vf c) {
#if LANES == 16
    return (vf)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#else
    return (vf)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#endif
}
INLINE vf vf_sqrt(vf x) { return __builtin_elementwise_sqrt(x); }

INLINE float vf_sum(vf x) {
#if LANES == 16
    return _mm512_reduce_add_ps((__m512)x);
#else
    __m128 half = _mm_add_ps(_mm256_castps256_ps128((__m256)x), _mm256_extractf128_ps((__m256)x, 1));
    half = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(half, _mm_movehdup_ps(half)));
#endif
}

INLINE float vf_reduce_max(vf x) {
    // A loop keeps NaN, which the reductions of the compiler do not promise.
    float lanes[LANES], largest;
    __builtin_memcpy(lanes, &x, sizeof lanes);
    largest = lanes[0];
    for (int i = 1; i < LANES; i++) largest = lanes[i] > largest || lanes[i] != lanes[i] ? lanes[i] : largest;
    return largest;
}

// MARK: - Memory

INLINE vf vf_load(const float *x) { return *(const vf_unaligned *)x; }
INLINE void vf_store(float *y, vf value) { *(vf_unaligned *)y = value; }

// The first n lanes; the others are 0.
INLINE vf vf_load_part(const float *x, int64_t n) {
#if LANES == 16
    return (vf)_mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), x);
#else
    const vi lane = {0, 1, 2, 3, 4, 5, 6, 7};
    return (vf)_mm256_maskload_ps(x, (__m256i)(vi)(lane < (vi)(int32_t)n));
#endif
}

INLINE void vf_store_part(float *y, vf value, int64_t n) {
#if LANES == 16
    _mm512_mask_storeu_ps(y, (__mmask16)((1u << n) - 1), (__m512)value);
#else
    const vi lane = {0, 1, 2, 3, 4, 5, 6, 7};
    _mm256_maskstore_ps(y, (__m256i)(vi)(lane < (vi)(int32_t)n), (__m256)value);
#endif
}

INLINE vf vf_from_bfloat16(vh x) { return vf_from_bits(__builtin_convertvector(x, vu) << 16); }

INLINE vh vf_to_bfloat16(vf x) {
#ifdef ROUNDS_TO_BFLOAT16
    return (vh)_mm512_cvtneps_pbh((__m512)x);
#endif
    const vu bits = vf_bits(x);
    const vu rounded = bits + 0x7FFFu + (bits >> 16 & 1u);
    const vu kept = __builtin_bit_cast(vu, x != x) != 0 ? (bits | 0x400000u) : rounded;
    return __builtin_convertvector(kept >> 16, vh);
}

INLINE vf vf_rounded_to_bfloat16(vf x) { return vf_from_bfloat16(vf_to_bfloat16(x)); }

// n lanes of elements i … of an array of either type; `type` is a constant wherever speed matters.
INLINE vf load(const void *x, kernel_type type, int64_t i, int64_t n) {
    if (type == kernel_float32) {
        const float *from = (const float *)x + i;
        return n == LANES ? vf_load(from) : vf_load_part(from, n);
    }
    const uint16_t *from = (const uint16_t *)x + i;
    if (n == LANES) return vf_from_bfloat16(*(const vh_unaligned *)from);
#if LANES == 16
    return vf_from_bfloat16((vh)_mm256_maskz_loadu_epi16((__mmask16)((1u << n) - 1), from));
#endif
    uint16_t lanes[LANES] = {0};
    __builtin_memcpy(lanes, from, (size_t)n * 2);
    return vf_from_bfloat16(*(const vh_unaligned *)lanes);
}

INLINE void store(void *y, kernel_type type, int64_t i, vf value, int64_t n) {
    if (type == kernel_float32) {
        float *to = (float *)y + i;
        if (n == LANES)
            vf_store(to, value);
        else
            vf_store_part(to, value, n);
        return;
    }
    uint16_t *to = (uint16_t *)y + i;
    const vh narrow = vf_to_bfloat16(value);
    if (n == LANES)
        *(vh_unaligned *)to = narrow;
    else
#if LANES == 16
        _mm256_mask_storeu_epi16(to, (__mmask16)((1u << n) - 1), (__m256i)narrow);
#else
        __builtin_memcpy(to, &narrow, (size_t)n * 2);
#endif
}

// Zero in the lanes from n on.
INLINE vf first_lanes(vf x, int64_t n) {
    vi lane;
    for (int i = 0; i < LANES; i++) lane[i] = i;
    return lane < (vi)(int32_t)n ? x : vf_set(0);
}

// for each vector of `count` elements: i is its first element, n the number of its lanes in use.
#define EACH_VECTOR(i, n, count)                                                                                       \
    for (int64_t i = 0, n; n = (count) - i < LANES ? (count) - i : LANES, i < (count); i += LANES)

// Calls an inlined body with the type as a constant.
#define WITH_TYPE(type, ...)                                                                                           \
    do {                                                                                                               \
        if ((type) == kernel_float32) {                                                                                \
            enum { TYPE = kernel_float32 };                                                                            \
            __VA_ARGS__;                                                                                               \
        } else {                                                                                                       \
            enum { TYPE = kernel_bfloat16 };                                                                           \
            __VA_ARGS__;                                                                                               \
        }                                                                                                              \
    } while (0)

// MARK: - Functions

// x · 2ⁿ for integral n, exact where the result is normal; beyond the range it becomes 0 or ±∞.
INLINE vf scale_by_power(vf x, vf n) {
#if LANES == 16
    return (vf)_mm512_scalef_ps((__m512)x, (__m512)n);
#else
    // In two steps, because 2ⁿ alone may not be a number where the result is one.
    const vf limited = vf_max(vf_set(-252), vf_min(vf_set(252), n));
    const vi first = __builtin_convertvector(limited, vi) >> 1;
    const vi second = __builtin_convertvector(limited, vi) - first;
    return x * __builtin_bit_cast(vf, (first + 127) << 23) * __builtin_bit_cast(vf, (second + 127) << 23);
#endif
}

// Nearest integer; adding 1.5 · 2²³ leaves no place for a fraction. For |x| < 2²².
INLINE vf nearest_integer(vf x) {
    const float magic = 12582912.0f;
    return (x + magic) - magic;
}

// 2ˣ to 2e-7 relative, for the scores of attention. x < -126 gives exactly 0 (or a number below 2^-126), x > 128 gives
// ∞, NaN gives NaN.
INLINE vf exp2_score(vf x) {
#if LANES == 16
    // scalef takes the floor of its second operand, so the polynomial is fitted to [0, 1).
    const vf f = (vf)_mm512_reduce_ps((__m512)x, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
    vf p = vf_fma(f, vf_set(0.0018775759963318706f), vf_set(0.00898934155702591f));
    p = vf_fma(f, p, vf_set(0.05582631751894951f));
    p = vf_fma(f, p, vf_set(0.24015361070632935f));
    p = vf_fma(f, p, vf_set(0.6931530833244324f));
    p = vf_fma(f, p, vf_set(0.9999999403953552f));
    return (vf)_mm512_scalef_ps((__m512)p, (__m512)x);
#else
    const vf limited = vf_max(vf_set(-127), vf_min(vf_set(128), x));
    const vf n = nearest_integer(limited), f = limited - n;
    vf p = vf_fma(f, vf_set(0.0013276466634124517f), vf_set(0.009675540961325169f));
    p = vf_fma(f, p, vf_set(0.05550713464617729f));
    p = vf_fma(f, p, vf_set(0.24022120237350464f));
    p = vf_fma(f, p, vf_set(0.6931469440460205f));
    p = vf_fma(f, p, vf_set(1.0000001192092896f));
    const vi power = __builtin_convertvector(n, vi) << 23;
    const vf y = __builtin_bit_cast(vf, __builtin_bit_cast(vi, p) + power);
    return x < -126.0f ? vf_set(0) : y;
#endif
}

#if LANES == 16

// 2ˣ to 8e-5, for exponentials that are cut to 8 bits; limits as exp2_score.
INLINE vf exp2_coarse(vf x) {
    const vf f = (vf)_mm512_reduce_ps((__m512)x, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
    vf p = vf_fma(f, vf_set(0.07802446186542511f), vf_set(0.22606724500656128f));
    p = vf_fma(f, p, vf_set(0.6958335041999817f));
    p = vf_fma(f, p, vf_set(0.9999251961708069f));
    return (vf)_mm512_scalef_ps((__m512)p, (__m512)x);
}

// The upper halves of two rows, interleaved: two bfloat16 numbers a lane, `even` in the lower half, cut off. That makes all
// exponentials of a row smaller by the same share on average, which cancels in their ratio.
INLINE vf cut_pair(vf even, vf odd) {
    const __m512i halves = _mm512_set_epi16(
        63, 31, 61, 29, 59, 27, 57, 25, 55, 23, 53, 21, 51, 19, 49, 17, 47, 15, 45, 13, 43, 11, 41, 9, 39, 7, 37, 5, 35,
        3, 33, 1);
    return (vf)_mm512_permutex2var_epi16((__m512i)even, halves, (__m512i)odd);
}

#endif

// eˣ to 2 units in the last place.
INLINE vf exp_exact(vf x) {
    const vf limited = vf_max(vf_set(-110), vf_min(vf_set(90), x));
    const vf n = nearest_integer(limited * 1.44269504f);
    vf f = vf_fma(n, vf_set(-0.693145751953125f), limited); // ln 2 in two parts, the first with few digits
    f = vf_fma(n, vf_set(-1.42860677e-6f), f);
    vf p = vf_fma(f, vf_set(0.001383684f), vf_set(0.008374817f));
    p = vf_fma(f, p, vf_set(0.041668226f));
    p = vf_fma(f, p, vf_set(0.1666642f));
    p = vf_fma(f, p, vf_set(0.49999992f));
    p = vf_fma(f, p, vf_set(1.0f));
    p = vf_fma(f, p, vf_set(1.0f));
    return scale_by_power(p, n);
}

// log x to 2 units in the last place (polynomial of the Cephes library).
INLINE vf log_exact(vf x) {
    const vi tiny = x < 1.17549435e-38f; // subnormal numbers have no leading one: scale them up
    const vf scaled = tiny ? x * 8388608.0f : x;
    const vu bits = vf_bits(scaled);
    vf exponent = __builtin_convertvector(__builtin_bit_cast(vi, bits >> 23) - 126, vf);
    exponent = tiny ? exponent - 23.0f : exponent;
    vf m = vf_from_bits((bits & 0x7FFFFFu) | 0x3F000000u); // [1/2, 1)
    const vi low = m < 0.70710678f;
    exponent = low ? exponent - 1.0f : exponent;
    m = (low ? m + m : m) - 1.0f;
    const vf square = m * m;
    vf p = vf_fma(m, vf_set(7.0376836292e-2f), vf_set(-1.1514610310e-1f));
    p = vf_fma(m, p, vf_set(1.1676998740e-1f));
    p = vf_fma(m, p, vf_set(-1.2420140846e-1f));
    p = vf_fma(m, p, vf_set(1.4249322787e-1f));
    p = vf_fma(m, p, vf_set(-1.6668057665e-1f));
    p = vf_fma(m, p, vf_set(2.0000714765e-1f));
    p = vf_fma(m, p, vf_set(-2.4999993993e-1f));
    p = vf_fma(m, p, vf_set(3.3333331174e-1f));
    vf y = m * square * p + exponent * -2.12194440e-4f - 0.5f * square;
    y = m + y + exponent * 0.693359375f;
    y = x == 0.0f ? vf_set(-__builtin_inff()) : y;
    y = x == __builtin_inff() ? x : y;
    return x >= 0.0f ? y : vf_set(__builtin_nanf(""));
}

// log(1 + e) for 0 <= e <= 1: the logarithm of the rounded sum, corrected by what the rounding lost.
INLINE vf log1p_unit(vf e) {
    const vf u = 1.0f + e;
    return u == 1.0f ? e : log_exact(u) * e / (u - 1.0f);
}

INLINE vf tanh_exact(vf x) {
    const vf magnitude = vf_abs(x), z = x * x;
    vf p = vf_fma(z, vf_set(-5.70498872745e-3f), vf_set(2.06390887954e-2f));
    p = vf_fma(z, p, vf_set(-5.37397155531e-2f));
    p = vf_fma(z, p, vf_set(1.33314422036e-1f));
    p = vf_fma(z, p, vf_set(-3.33332819422e-1f));
    const vf small = vf_fma(z * p, x, x);
    const vf e = exp_exact(-2.0f * magnitude);
    const vf large = vf_copy_sign((1.0f - e) / (1.0f + e), x);
    return magnitude < 0.625f ? small : large;
}

// The normal distribution function (Abramowitz & Stegun 7.1.26; absolute error 1e-7) and, by the way, the density
// times √(2π).
INLINE vf normal_distribution(vf x, vf *exponential) {
    const vf z = vf_abs(x) * 0.70710678f;
    const vf t = 1.0f / vf_fma(z, vf_set(0.3275911f), vf_set(1.0f));
    vf p = vf_fma(t, vf_set(0.5f * 1.061405429f), vf_set(0.5f * -1.453152027f));
    p = vf_fma(t, p, vf_set(0.5f * 1.421413741f));
    p = vf_fma(t, p, vf_set(0.5f * -0.284496736f));
    p = vf_fma(t, p, vf_set(0.5f * 0.254829592f));
    const vf e = exp_exact(-z * z);
    const vf tail = p * t * e;
    *exponential = e;
    return x < 0.0f ? tail : 1.0f - tail;
}
