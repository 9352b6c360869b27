/* The crisis by hand, in AVX-512: a yardstick for what the processor allows.

   A batch of disputes goes through three steps, each a loop over vectors: how they arise, and which may open;
   the private information of these, and which do open; then round after round for those that go on, moved
   together after each.

   A lane is a key of 32 bits: origin, scope, estimate (1 bit each), types (3 each), offset of the trajectory
   in its batch (20); and 16 bits: state (7), marks (4), scope and origin (1 each), how it ended (3). A round
   holds 32 lanes in one register, 16 bits each.

   Thresholds are compared by their upper halves, so that two or three come with one gather. Where the upper
   half of a word equals that of a threshold (1 in 65 536) the lane's round is played again, alone and
   exactly. A crisis goes on in 64 states only, and a table of 64 times 16 bits fills two registers: the steps
   and nature's thresholds are looked up by permutation, without touching memory. Most outcomes merely add a
   mark or an ending to whatever state they meet; only five need a table. All this is checked when the tables
   are laid out. */
#include <stdlib.h>
#include <string.h>

#include "vectors.h"

#ifndef BATCH_BITS
#define BATCH_BITS 15
#endif

enum { BATCH = 1 << BATCH_BITS, LIVE = 64, MOST_TYPES = 8, WIDE = 13, SUMS = 8 };
enum {
    OFFSET = (1 << 20) - 1,
    NOW = (1 << WIDE) - 1,
    ENDED = 7 << WIDE,
    INSIDE = 1 << 11,
    BY_PROTEGE = 1 << 12,
    CODES = 1 << 16
};

/* Outcomes that lead somewhere else from every state: each has a table of 64 steps */
enum { UP_CHALLENGER, UP_PROTEGE, DOWN_DEFENDER, UP_DEFENDER, ACCIDENT, LOOKUPS };
/* What the other outcomes add to any state; holding adds nothing */
enum { WITHDRAWN, CONCEDED, BLOCKED, COOL, WON, LOST, ADDED };

typedef struct {
    _Alignas(64) uint16_t nature[4][LIVE];
    _Alignas(64) uint16_t lookup[2][LOOKUPS][LIVE];
    uint16_t added[ADDED];
    /* (rounds, actors, scopes, sets, states): upper halves of two thresholds; the defender's take twice the
       room, for three */
    uint32_t (*cut)[4][2][16][LIVE];
} Layout;

/* Kept from call to call, one for each thread and never freed: fresh pages cost time */
typedef struct {
    _Alignas(64) uint32_t keys[BATCH + 64], words[BATCH + 64], sums[CODES][SUMS];
    uint16_t states[BATCH + 64], over[BATCH + 64];
} Room;

static _Thread_local Room *room;

/* A packed step as 16 bits of a lane, and back */
static uint16_t code(uint32_t step)
{
    return (uint16_t)((step & STATE) | (step >> MARK_SHIFT) << 7 | (step >> END_SHIFT & 7) << WIDE);
}

static uint32_t packed(uint32_t code)
{
    return (code & STATE) | (code >> WIDE) << END_SHIFT | (code >> 7 & 15) << MARK_SHIFT;
}

static uint16_t step_code(const Tables *of, int scope, int stage, int state, int outcome)
{
    return code(of->step[((scope * STAGES + stage) * STATES + state) * OUTCOMES + outcome]);
}

/* Marks that a crisis in a state has anyway */
static uint16_t standing(const Tables *of, int scope, int state)
{
    return step_code(of, scope, 0, state, HOLD) & NOW & ~STATE;
}

/* Return whether an outcome does the same to every state: nothing but to add what `added` will be */
static int constant(const Tables *of, int stage, int outcome, uint16_t *added)
{
    uint16_t any = 0;
    for (int scope = 0; scope < 2; scope++)
        for (int state = 0; state < LIVE; state++) {
            uint16_t to = step_code(of, scope, stage, state, outcome);
            if ((to & STATE) != state) return 0;
            any |= to & ~STATE & ~standing(of, scope, state);
        }
    *added = any;
    for (int scope = 0; scope < 2; scope++)
        for (int state = 0; state < LIVE; state++) {
            uint16_t marks = standing(of, scope, state);
            if ((step_code(of, scope, stage, state, outcome) | marks) != (state | marks | any)) return 0;
        }
    return 1;
}

/* Lay out the tables; return 0 if they break a rule that the vectors rely on */
static int lay_out(const Tables *of, Layout *to)
{
    static const int elsewhere[LOOKUPS][2] = {{0, 2}, {1, 2}, {2, 0}, {2, 3}, {3, 3}};
    static const int same[ADDED][2] = {{0, 0}, {1, 0}, {2, 2}, {3, 0}, {3, 1}, {3, 4}};
    static const int still[STAGES] = {1, 1, 1, 2};
    uint16_t nothing;
    for (int stage = 0; stage < STAGES; stage++)
        if (!constant(of, stage, still[stage], &nothing) || nothing) return 0;
    for (int i = 0; i < ADDED; i++)
        if (!constant(of, same[i][0], same[i][1], &to->added[i])) return 0;
    for (int scope = 0; scope < 2; scope++)
        for (int i = 0; i < LOOKUPS; i++)
            for (int state = 0; state < LIVE; state++) {
                uint16_t next = step_code(of, scope, elsewhere[i][0], state, elsewhere[i][1]);
                if (!(next & ENDED)) {
                    if ((next & STATE) >= LIVE) return 0;
                    if (standing(of, scope, next & STATE) & ~next) return 0;
                }
                to->lookup[scope][i][state] = next;
            }
    uint32_t disorder = 0; /* thresholds have to be in order: then each can be compared on its own */
    for (int state = 0; state < LIVE; state++) {
        const uint32_t *cut = of->nature + 4 * state;
        disorder |= (cut[0] > cut[1]) | (cut[1] > cut[2] + 1ull) | (cut[2] > cut[3]);
        for (int i = 0; i < 4; i++) to->nature[i][state] = (uint16_t)(cut[i] >> 16);
    }
    int64_t types = of->types, sets = types * of->estimates;
    for (int64_t t = 0; t < of->rounds; t++)
        for (int actor = 0; actor < 3; actor++)
            for (int scope = 0; scope < 2; scope++) {
                const uint32_t *in = of->cut + ((scope * of->rounds + t) * 3 + actor) * STATES * sets * 3;
                for (int64_t set = 0; set < sets; set++) {
                    int64_t slot = set % types + set / types * MOST_TYPES;
                    uint32_t *out = to->cut[t][actor][scope][slot];
                    uint64_t *vote = (uint64_t *)to->cut[t][2] + (scope * 16 + slot) * LIVE;
                    for (int state = 0; state < LIVE; state++) {
                        const uint32_t *cut = in + (state * sets + set) * 3;
                        disorder |= (cut[0] > cut[1] + 1ull) | (actor == 2 && cut[1] > cut[2]);
                        uint32_t two = cut[0] >> 16 | (cut[1] & 0xFFFF0000);
                        if (actor < 2)
                            out[state] = two;
                        else
                            vote[state] = two | (uint64_t)(cut[2] >> 16) << 32;
                    }
                }
            }
    return !disorder;
}

#define LOOK(table, at)                                                                                      \
    _mm512_permutex2var_epi16(_mm512_load_si512(table), at, _mm512_load_si512((const uint16_t *)(table) + 32))

/* Upper or lower 16 bits of two registers' lanes, side by side */
static inline __m512i tops(__m512i first, __m512i second)
{
    const __m512i odd = _mm512_set_epi16(63, 61, 59, 57, 55, 53, 51, 49, 47, 45, 43, 41, 39, 37, 35, 33, 31,
                                         29, 27, 25, 23, 21, 19, 17, 15, 13, 11, 9, 7, 5, 3, 1);
    return _mm512_permutex2var_epi16(first, odd, second);
}

static inline __m512i bottoms(__m512i first, __m512i second)
{
    const __m512i even = _mm512_set_epi16(62, 60, 58, 56, 54, 52, 50, 48, 46, 44, 42, 40, 38, 36, 34, 32, 30,
                                          28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
    return _mm512_permutex2var_epi16(first, even, second);
}

/* Upper halves of the words of 32 lanes */
static inline __m512i halves(const __m512i w[4]) { return tops(lower(w[0], w[1]), lower(w[2], w[3])); }

/* Of 16 lanes: the class that a word picks, the word itself */
#define CLASS(w) upper(_mm512_mul_epu32(w[j], k), _mm512_mul_epu32(w[j + 1], k))
#define WORD(w) lower(w[j], w[j + 1])

/* A mask of the first lanes of 16, as many as there are */
static inline __mmask16 first_of(int64_t lanes)
{
    return (__mmask16)_bzhi_u32(0xFFFF, lanes < 0 ? 0 : lanes < 16 ? (uint32_t)lanes : 16);
}

typedef struct {
    const Tables *of;
    const Layout *to;
    uint64_t seed, base;
    uint32_t year;
} Block;

/* Play again, exactly, the lanes of which a word met a threshold */
static __attribute__((noinline)) __m512i exactly(const Block *block, int64_t t, uint32_t which,
                                                 const uint32_t *keys, const uint16_t *states, __m512i now)
{
    uint16_t after[32];
    _mm512_storeu_si512(after, now);
    for (; which; which &= which - 1) {
        int lane = __builtin_ctz(which);
        uint32_t key = keys[lane], was = states[lane], words[4];
        int64_t shift = key >> 29 & 1 ? block->of->types : 0;
        int64_t set[3] = {key >> 26 & 7, (key >> 23 & 7) + shift, (key >> 20 & 7) + shift};
        philox(block->base + (key & OFFSET), block->year, (uint32_t)t, block->seed, words);
        uint32_t then = play_round(block->of, key >> 30 & 1, t, set, words, packed(was & NOW));
        after[lane] = code(then) | (was & (BY_PROTEGE | INSIDE));
    }
    return _mm512_loadu_si512(after);
}

/* Play a round in `n` lanes, move those that go on to the front and write how the others ended to `over`;
   return how many go on */
static int64_t round_of(const Block *block, const Address *at, int64_t t, int64_t n, Room *in)
{
    const Layout *to = block->to;
    uint32_t *keys = in->keys;
    uint16_t *states = in->states, *over = in->over;
    const __m512i kept_bits = _mm512_set1_epi16(NOW & ~STATE), ended = _mm512_set1_epi16((short)ENDED);
    const __m512i base = _mm512_set1_epi32((int)block->base), offset = _mm512_set1_epi32(OFFSET);
    const __m512i state = _mm512_set1_epi32(LIVE - 1), type = _mm512_set1_epi32(7 * LIVE);
    const __m512i where = _mm512_set1_epi32(3 << 9);
    const uint16_t (*next)[LOOKUPS][LIVE] = to->lookup;
    const __m512i evens = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const __m512i odds = _mm512_setr_epi32(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
#define PLUS(i) _mm512_set1_epi16((short)to->added[i])
#define BY_SCOPE(i) _mm512_mask_mov_epi16(LOOK(next[0][i], now), inside, LOOK(next[1][i], now))
#define STEP(i) _mm512_ternarylogic_epi32(now, kept_bits, BY_SCOPE(i), 0xEA) /* (now & kept_bits) | step */
/* thresholds of an actor, whose type lies `shift` bits higher in the key than in the index */
#define PLACES(shift)                                                                                        \
    at0 = _mm512_ternarylogic_epi32(_mm512_srli_epi32(key0, shift), type, set0, 0xEA),                       \
    at1 = _mm512_ternarylogic_epi32(_mm512_srli_epi32(key1, shift), type, set1, 0xEA),                       \
    at0 = _mm512_ternarylogic_epi32(state, _mm512_cvtepu16_epi32(_mm512_castsi512_si256(now)), at0, 0xCA),   \
    at1 = _mm512_ternarylogic_epi32(state, _mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(now, 1)), at1,    \
                                    0xCA)
#define CUTS(actor)                                                                                          \
    x0 = _mm512_i32gather_epi32(at0, to->cut[t][actor], 4),                                                  \
    x1 = _mm512_i32gather_epi32(at1, to->cut[t][actor], 4)
#define BELOW(c) _mm512_mask_cmplt_epu16_mask(live, w, c)
#define ABOVE(c) _mm512_mask_cmpgt_epu16_mask(live, w, c)
#define UNLESS_EQUAL(c) sure = _mm512_mask_cmpneq_epu16_mask(sure, w, c)
#define CHOOSE(which, then) now = _mm512_mask_mov_epi16(now, which, then)
#define ADD(which, i) now = _mm512_mask_add_epi16(now, which, now, PLUS(i)) /* bits that are not yet set */
    int64_t kept = 0, out = 0;
    for (int64_t i = 0; i < n; i += 32) {
        __mmask32 valid = _bzhi_u32(0xFFFFFFFF, n - i < 32 ? (uint32_t)(n - i) : 32);
        __m512i key0 = _mm512_loadu_si512(keys + i), key1 = _mm512_loadu_si512(keys + i + 16);
        __m512i now = _mm512_loadu_si512(states + i), at0, at1, x0, x1;
        __m512i index[4], w0[4], w1[4], w2[4], w3[4];
        index[0] = _mm512_add_epi32(_mm512_and_si512(key0, offset), base);
        index[1] = _mm512_srli_epi64(index[0], 32);
        index[2] = _mm512_add_epi32(_mm512_and_si512(key1, offset), base);
        index[3] = _mm512_srli_epi64(index[2], 32);
        philox32(index, at, w0, w1, w2, w3);
        __m512i set0 = _mm512_and_si512(_mm512_srli_epi32(key0, 20), where);
        __m512i set1 = _mm512_and_si512(_mm512_srli_epi32(key1, 20), where);
        __mmask32 inside = _mm512_test_epi16_mask(now, _mm512_set1_epi16(INSIDE));
        __mmask32 live = valid, sure = valid, back, up, more, most;
        __m512i w, x, y, z, c0, c1, c2, c3;

        PLACES(20), CUTS(0), w = halves(w0), c0 = bottoms(x0, x1), c1 = tops(x0, x1);
        UNLESS_EQUAL(c0), UNLESS_EQUAL(c1);
        back = BELOW(c0), up = ABOVE(c1), x = STEP(UP_CHALLENGER);
        ADD(back, WITHDRAWN), CHOOSE(up, x);
        live = _mm512_testn_epi16_mask(now, ended);

        PLACES(17), CUTS(1), w = halves(w1), c0 = bottoms(x0, x1), c1 = tops(x0, x1);
        UNLESS_EQUAL(c0), UNLESS_EQUAL(c1);
        back = BELOW(c0), up = ABOVE(c1), x = STEP(UP_PROTEGE);
        ADD(back, CONCEDED), CHOOSE(up, x);
        live = _mm512_testn_epi16_mask(now, ended);

        PLACES(14), w = halves(w2);
        const void *cuts = to->cut[t][2];
        __m512i g0 = _mm512_i32gather_epi64(_mm512_castsi512_si256(at0), cuts, 8);
        __m512i g1 = _mm512_i32gather_epi64(_mm512_extracti64x4_epi64(at0, 1), cuts, 8);
        __m512i g2 = _mm512_i32gather_epi64(_mm512_castsi512_si256(at1), cuts, 8);
        __m512i g3 = _mm512_i32gather_epi64(_mm512_extracti64x4_epi64(at1, 1), cuts, 8);
        x0 = _mm512_permutex2var_epi32(g0, evens, g1), x1 = _mm512_permutex2var_epi32(g2, evens, g3);
        c0 = bottoms(x0, x1), c1 = tops(x0, x1);
        c2 = bottoms(_mm512_permutex2var_epi32(g0, odds, g1), _mm512_permutex2var_epi32(g2, odds, g3));
        UNLESS_EQUAL(c0), UNLESS_EQUAL(c1), UNLESS_EQUAL(c2);
        back = BELOW(c0), up = ABOVE(c1), more = ABOVE(c2);
        x = STEP(DOWN_DEFENDER), y = _mm512_or_si512(now, PLUS(BLOCKED)), z = STEP(UP_DEFENDER);
        CHOOSE(back, x), CHOOSE(up, y), CHOOSE(more, z);

        w = halves(w3), c0 = LOOK(to->nature[0], now), c1 = LOOK(to->nature[1], now);
        c2 = LOOK(to->nature[2], now), c3 = LOOK(to->nature[3], now);
        UNLESS_EQUAL(c0), UNLESS_EQUAL(c1), UNLESS_EQUAL(c2), UNLESS_EQUAL(c3);
        back = BELOW(c0), up = BELOW(c1), more = ABOVE(c2), most = ABOVE(c3);
        x = _mm512_or_si512(now, PLUS(COOL)), y = STEP(ACCIDENT), z = _mm512_or_si512(now, PLUS(LOST));
        ADD(up, WON), CHOOSE(back, x), CHOOSE(more, y), CHOOSE(most, z);

        if (__builtin_expect(sure != valid, 0))
            now = exactly(block, t, valid ^ sure, keys + i, states + i, now);

        __mmask32 off = _mm512_mask_test_epi16_mask(valid, now, ended), on = valid & ~off;
        _mm512_storeu_si512(over + out, _mm512_maskz_compress_epi16(off, now));
        out += __builtin_popcount(off);
        _mm512_storeu_si512(states + kept, _mm512_maskz_compress_epi16(on, now));
        _mm512_storeu_si512(keys + kept, _mm512_maskz_compress_epi32((__mmask16)on, key0));
        kept += __builtin_popcount(on & 0xFFFF);
        _mm512_storeu_si512(keys + kept, _mm512_maskz_compress_epi32((__mmask16)(on >> 16), key1));
        kept += __builtin_popcount(on >> 16);
    }
    memset(over + out, 0, 2 * SUMS);
    for (int64_t i = 0; i < out; i += SUMS)
        for (int j = 0; j < SUMS; j++) in->sums[over[i + j]][j]++;
    return kept;
}

/* Draw how `n` disputes from `base` on arise, and private information where some of it would open a crisis;
   write the keys of those that become one, count the others; return how many do */
static int64_t enter(const Block *block, int64_t n, Room *in, int64_t *counts)
{
    const Tables *of = block->of;
    const uint32_t base = (uint32_t)block->base, high = (uint32_t)(block->base >> 32);
    const Address entry = address(high, block->year, ENTRY, block->seed);
    const Address types = address(high, block->year, TYPES, block->seed);
    int64_t number = of->types, sets = number * of->estimates;
    uint32_t hit[16] = {0}, some[16] = {0}, opening[4][16] = {{0}}, least[16] = {0};
    for (int64_t i = 0; i < number; i++) {
        hit[i] = (uint32_t)(of->hit[i] - 1);
        some[i] = of->estimates == 2 && of->hit[i] > 0;
    }
    for (int64_t place = 0; place < 4; place++) {
        least[place] = 0xFFFFFFFF;
        for (int64_t i = 0; i < sets; i++) {
            opening[place][i] = of->enter[place * sets + i];
            if (opening[place][i] < least[place]) least[place] = opening[place][i];
        }
    }
    const __m512i origin = _mm512_set1_epi32((int)(of->origin - 1)), lows = _mm512_loadu_si512(least);
    const __m512i scope = _mm512_set1_epi32((int)(of->scope - 1));
    const __mmask16 any_origin = of->origin ? 0 : 0xFFFF, any_scope = of->scope ? 0xFFFF : 0;
    const __m512i count = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const __m512i one = _mm512_set1_epi32((int)(1u << 31)), two = _mm512_set1_epi32(1 << 30);
    __m512i index[4], w0[4], w1[4], w2[4], w3[4];
    int64_t maybe = 0, by_protege = 0, inside = 0, both = 0;
    for (int64_t i = 0; i < n; i += 32) {
        index[0] = _mm512_add_epi32(count, _mm512_set1_epi32((int)(base + (uint32_t)i)));
        index[1] = _mm512_srli_epi64(index[0], 32);
        index[2] = _mm512_add_epi32(index[0], _mm512_set1_epi32(16));
        index[3] = _mm512_srli_epi64(index[2], 32);
        philox32(index, &entry, w0, w1, w2, w3);
        _Pragma("GCC unroll 2") for (int j = 0; j < 4; j += 2)
        {
            __mmask16 valid = first_of(n - i - 8 * j);
            __m512i word = WORD(w2);
            __mmask16 theirs = (_mm512_cmpgt_epu32_mask(WORD(w0), origin) | any_origin) & valid;
            __mmask16 in_area = _mm512_mask_cmple_epu32_mask(any_scope & valid, WORD(w1), scope);
            __m512i place = _mm512_add_epi32(count, _mm512_set1_epi32((int)i + 8 * j));
            place = _mm512_mask_or_epi32(place, theirs, place, one);
            place = _mm512_mask_or_epi32(place, in_area, place, two);
            __m512i least = _mm512_permutexvar_epi32(_mm512_srli_epi32(place, 30), lows);
            __mmask16 may = _mm512_mask_cmpgt_epu32_mask(valid, word, least);
            by_protege += __builtin_popcount(theirs);
            inside += __builtin_popcount(in_area);
            both += __builtin_popcount(theirs & in_area);
            _mm512_storeu_si512(in->keys + maybe, _mm512_maskz_compress_epi32(may, place));
            _mm512_storeu_si512(in->words + maybe, _mm512_maskz_compress_epi32(may, word));
            maybe += __builtin_popcount(may);
        }
    }
    const __m512i k = ALL(number), hits = _mm512_loadu_si512(hit), somes = _mm512_loadu_si512(some);
    const __m512i open0 = _mm512_loadu_si512(opening[0]), open1 = _mm512_loadu_si512(opening[1]);
    const __m512i open2 = _mm512_loadu_si512(opening[2]), open3 = _mm512_loadu_si512(opening[3]);
    const __m512i sixteen = _mm512_set1_epi32(16), shift = _mm512_set1_epi32((int)number);
    const __m512i offset = _mm512_set1_epi32(OFFSET), first = _mm512_set1_epi32((int)base);
    int64_t kept = 0, opened[4] = {0};
    for (int64_t i = 0; i < maybe; i += 32) {
        __m512i keys[2] = {_mm512_loadu_si512(in->keys + i), _mm512_loadu_si512(in->keys + i + 16)};
        index[0] = _mm512_add_epi32(_mm512_and_si512(keys[0], offset), first);
        index[1] = _mm512_srli_epi64(index[0], 32);
        index[2] = _mm512_add_epi32(_mm512_and_si512(keys[1], offset), first);
        index[3] = _mm512_srli_epi64(index[2], 32);
        philox32(index, &types, w0, w1, w2, w3);
        _Pragma("GCC unroll 2") for (int j = 0; j < 4; j += 2)
        {
            __m512i key = keys[j / 2], c = CLASS(w0), p = CLASS(w1), d = CLASS(w2);
            __mmask16 sharp = _mm512_cmple_epu32_mask(WORD(w3), _mm512_permutexvar_epi32(c, hits));
            sharp =
                _mm512_mask_test_epi32_mask(sharp, _mm512_permutexvar_epi32(c, somes), _mm512_set1_epi32(1));
            __mmask16 theirs = _mm512_movepi32_mask(key), in_area = _mm512_test_epi32_mask(key, two);
            __m512i at = _mm512_mask_mov_epi32(c, theirs, _mm512_mask_add_epi32(p, sharp, p, shift));
            at = _mm512_mask_add_epi32(at, in_area, at, sixteen);
            __m512i cut = _mm512_permutex2var_epi32(open0, at, open1);
            cut = _mm512_mask_mov_epi32(cut, theirs, _mm512_permutex2var_epi32(open2, at, open3));
            __m512i word = _mm512_loadu_si512(in->words + i + 8 * j);
            __mmask16 opens = _mm512_mask_cmpgt_epu32_mask(first_of(maybe - i - 8 * j), word, cut);
            key = _mm512_ternarylogic_epi32(key, _mm512_slli_epi32(c, 26), _mm512_slli_epi32(p, 23), 0xFE);
            key = _mm512_or_si512(key, _mm512_slli_epi32(d, 20));
            key = _mm512_mask_or_epi32(key, sharp, key, _mm512_set1_epi32(1 << 29));
            opened[3] += __builtin_popcount(opens & theirs & in_area);
            opened[2] += __builtin_popcount(opens & theirs);
            opened[1] += __builtin_popcount(opens & in_area);
            opened[0] += __builtin_popcount(opens);
            _mm512_storeu_si512(in->keys + kept, _mm512_maskz_compress_epi32(opens, key));
            kept += __builtin_popcount(opens);
        }
    }
    both -= opened[3], by_protege -= opened[2], inside -= opened[1];
    counts[3 * CELLS_OF_PLACE] += both;
    counts[2 * CELLS_OF_PLACE] += by_protege - both;
    counts[1 * CELLS_OF_PLACE] += inside - both;
    counts[0 * CELLS_OF_PLACE] += n - kept - by_protege - inside + both;
    return kept;
}

/* Play a batch of `n` disputes; return how many rounds they took */
static int64_t play(const Block *block, int64_t n, const Address *at, int64_t *counts, Room *in)
{
    const Tables *of = block->of;
    int64_t rounds = 0, left = enter(block, n, in, counts);
    uint32_t first[16] = {0};
    for (int place = 0; place < 4; place++) {
        int state = (int)of->start[place >> 1];
        first[place] = (uint32_t)state | standing(of, place & 1, state);
        first[place] |= (place & 2 ? BY_PROTEGE : 0) | (place & 1 ? INSIDE : 0);
    }
    const __m512i firsts = _mm512_loadu_si512(first);
    for (int64_t i = 0; i < left; i += 16) {
        __m512i place = _mm512_srli_epi32(_mm512_loadu_si512(in->keys + i), 30);
        __m256i now = _mm512_cvtepi32_epi16(_mm512_permutexvar_epi32(place, firsts));
        _mm256_storeu_si256((__m256i *)(in->states + i), now);
    }
    for (int64_t t = 0; t < of->rounds && left; t++) {
        rounds += left;
        left = round_of(block, at + t, t, left, in);
    }
    for (int64_t i = 0; i < left; i++) in->sums[in->states[i] | STALEMATE << WIDE][i % SUMS]++;
    return rounds;
}

/* Add what was tallied to `counts` */
static void add_up(Room *in, int64_t *counts)
{
    for (uint32_t i = 1 << WIDE; i < CODES; i++) { /* below: fillers, not endings */
        uint32_t *sums = in->sums[i];
        __m256i here = _mm256_load_si256((const __m256i *)sums);
        if (_mm256_testz_si256(here, here)) continue;
        int64_t place = (i & BY_PROTEGE ? 2 : 0) + (i & INSIDE ? 1 : 0);
        for (int j = 0; j < SUMS; j++) counts[cell(place, packed(i))] += sums[j], sums[j] = 0;
    }
}

/* As in scalar.c; -1 if the tables break a rule that this way relies on, -2 if memory is short */
int64_t simulate(const Tables *of, uint64_t seed, uint64_t first, int64_t size, uint32_t year,
                 int64_t *counts)
{
    if (of->types > MOST_TYPES || of->start[0] >= LIVE || of->start[1] >= LIVE) return -1;
    Layout to;
    size_t tables = (size_t)of->rounds * sizeof *to.cut;
    to.cut = aligned_alloc(64, tables + 64);
    Address *at = malloc((size_t)(of->rounds + 1) * sizeof *at);
    if (!room && (room = aligned_alloc(64, sizeof *room))) memset(room->sums, 0, sizeof room->sums);
    int64_t rounds = to.cut && at && room ? 0 : -2;
    if (!rounds && !lay_out(of, &to)) rounds = -1;
    for (int64_t done = 0, n; rounds >= 0 && done < size; done += n) {
        uint64_t base = first + (uint64_t)done;
        /* indices of a batch share their upper half */
        int64_t most = (int64_t)(0x100000000ull - (uint32_t)base);
        n = size - done < BATCH ? size - done : BATCH;
        if (n > most) n = most;
        for (int64_t t = 0; t < of->rounds; t++)
            at[t] = address((uint32_t)(base >> 32), year, (uint32_t)t, seed);
        if (done >> 31 != (done + n) >> 31) add_up(room, counts); /* before 32 bits overflow */
        Block block = {.of = of, .to = &to, .seed = seed, .base = base, .year = year};
        rounds += play(&block, n, at, counts, room);
    }
    if (rounds >= 0) add_up(room, counts);
    free(to.cut);
    free(at);
    return rounds;
}
