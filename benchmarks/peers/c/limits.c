/* What the processor can do at best, in the pieces a crisis is made of. Each returns a sum, so that no
   compiler leaves the work out. */
#include "vectors.h"

/* Make `blocks` blocks of four Philox words, 32 at a time */
uint64_t words(int64_t blocks, uint64_t seed)
{
    const Address at = address(0, 0, 0, seed);
    __m512i sum[4] = {_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512(),
                      _mm512_setzero_si512()};
    __m512i index[4], a[4], b[4], c[4], d[4];
    EACH index[j] = _mm512_add_epi64(_mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7), ALL(8 * j));
    for (int64_t i = 0; i < blocks; i += 32) {
        philox32(index, &at, a, b, c, d);
        EACH {
            sum[j] = _mm512_ternarylogic_epi64(sum[j], a[j], b[j], XOR3);
            sum[j] = _mm512_ternarylogic_epi64(sum[j], c[j], d[j], XOR3);
            index[j] = _mm512_add_epi64(index[j], ALL(32));
        }
    }
    uint64_t total = 0;
    EACH total += (uint64_t)_mm512_reduce_add_epi64(sum[j]);
    return total;
}

/* Gather `number` times 32 bits from random places of a table of 1 to 2^32 - 1 entries, 16 at a time */
uint64_t gathers(const uint32_t *table, uint64_t entries, int64_t number)
{
    __m512i sum[4] = {_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512(),
                      _mm512_setzero_si512()};
    __m512i place[4];
    const __m512i count = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const __m512i step = _mm512_set1_epi32((int)0x9E3779B9), size = ALL(entries);
    EACH place[j] = _mm512_mullo_epi32(_mm512_add_epi32(count, _mm512_set1_epi32(16 * j)), step);
    const __m512i stride = _mm512_mullo_epi32(_mm512_set1_epi32(64), step);
    for (int64_t i = 0; i < number; i += 64) {
        EACH {
            /* a Weyl sequence, scaled to the table: places without a pattern that a cache could follow */
            __m512i even = _mm512_mul_epu32(place[j], size);
            __m512i odd = _mm512_mul_epu32(_mm512_srli_epi64(place[j], 32), size);
            __m512i at = upper(even, odd);
            sum[j] = _mm512_add_epi32(sum[j], _mm512_i32gather_epi32(at, table, 4));
            place[j] = _mm512_add_epi32(place[j], stride);
        }
    }
    uint64_t total = 0;
    EACH total += (uint32_t)_mm512_reduce_add_epi32(sum[j]);
    return total;
}

/* Look up `number` 16-bit entries of a table of 64 by permutation, 32 at a time */
uint64_t permutations(const uint16_t *table, int64_t number)
{
    const __m512i lower = _mm512_loadu_si512(table), upper = _mm512_loadu_si512(table + 32);
    __m512i at[4], sum[4];
    EACH at[j] = _mm512_set1_epi64(0x0123456789ABCDEF * (j + 1)), sum[j] = _mm512_setzero_si512();
    for (int64_t i = 0; i < number; i += 128) {
        EACH {
            sum[j] = _mm512_add_epi16(sum[j], _mm512_permutex2var_epi16(lower, at[j], upper));
            at[j] = _mm512_add_epi16(at[j], _mm512_set1_epi16(5));
        }
    }
    uint64_t total = 0;
    EACH total += (uint64_t)_mm512_reduce_add_epi64(sum[j]);
    return total;
}
