/* Philox in AVX-512, four times eight lanes of 64 bits. */
#ifndef VECTORS_H
#define VECTORS_H

#include <immintrin.h>

#include "crisis.h"

#define M0 0xD2511F53ull
#define M1 0xCD9E8D57ull
#define XOR3 0x96

/* What is the same for all lanes: round keys, and what the first rounds make of the year and the purpose */
typedef struct {
    uint64_t first, a2, c2, c3, k0[10], k1[10];
} Address;

static inline Address address(uint32_t high, uint32_t year, uint32_t purpose, uint64_t seed)
{
    Address at;
    for (int i = 0; i < 10; i++) {
        at.k0[i] = (uint32_t)seed + i * 0x9E3779B9u & 0xFFFFFFFFu;
        at.k1[i] = (uint32_t)(seed >> 32) + i * 0xBB67AE85u & 0xFFFFFFFFu;
    }
    uint64_t right = M1 * year, left = M0 * (uint32_t)((right >> 32) ^ high ^ at.k0[0]);
    at.first = purpose ^ at.k1[0];
    at.a2 = (uint32_t)right ^ at.k0[1];
    at.c2 = left >> 32 ^ at.k1[1];
    at.c3 = (uint32_t)left ^ at.k1[2];
    return at;
}

#define EACH _Pragma("GCC unroll 4") for (int j = 0; j < 4; j++)
#define ALL(x) _mm512_set1_epi64((int64_t)(x))

/* Words of 32 trajectories whose indices share the upper half; the lower half of each lane counts, here and
   in the words: the multiplication reads no more, so that nothing has to be cleared on the way */
static inline __attribute__((always_inline)) void
philox32(const __m512i low[4], const Address *at, __m512i a[4], __m512i b[4], __m512i c[4], __m512i d[4])
{
    const __m512i m0 = ALL(M0), m1 = ALL(M1);
    __m512i p, q;
    EACH {
        p = _mm512_mul_epu32(low[j], m0);
        c[j] = _mm512_xor_si512(_mm512_srli_epi64(p, 32), ALL(at->first));
        q = _mm512_mul_epu32(c[j], m1);
        a[j] = _mm512_xor_si512(_mm512_srli_epi64(q, 32), ALL(at->a2));
        b[j] = q;
        c[j] = _mm512_xor_si512(p, ALL(at->c2));
        p = _mm512_mul_epu32(a[j], m0);
        q = _mm512_mul_epu32(c[j], m1);
        a[j] = _mm512_ternarylogic_epi64(_mm512_srli_epi64(q, 32), b[j], ALL(at->k0[2]), XOR3);
        c[j] = _mm512_xor_si512(_mm512_srli_epi64(p, 32), ALL(at->c3));
        b[j] = q, d[j] = p;
    }
    _Pragma("GCC unroll 7") for (int i = 3; i < 10; i++)
    {
        EACH {
            p = _mm512_mul_epu32(a[j], m0);
            q = _mm512_mul_epu32(c[j], m1);
            a[j] = _mm512_ternarylogic_epi64(_mm512_srli_epi64(q, 32), b[j], ALL(at->k0[i]), XOR3);
            c[j] = _mm512_ternarylogic_epi64(_mm512_srli_epi64(p, 32), d[j], ALL(at->k1[i]), XOR3);
            b[j] = q, d[j] = p;
        }
    }
}

/* Lower (or upper) halves of 8 even and 8 odd lanes, side by side */
static inline __m512i lower(__m512i even, __m512i odd)
{
    return _mm512_mask_shuffle_epi32(even, 0xAAAA, odd, 0xA0);
}

static inline __m512i upper(__m512i even, __m512i odd)
{
    return _mm512_mask_shuffle_epi32(odd, 0x5555, even, 0xF5);
}

#endif
