/* The crisis without a gather, in AVX-512.

   Crises are sorted by origin, scope and everyone's private information. Within such a group and a round the
   thresholds depend on the state alone, and there are 64 states in which a crisis goes on: a table of 16-bit
   thresholds fills two registers, and one permutation (vpermi2w) looks up 32 lanes at once. The upper half of a
   word decides unless it equals the upper half of a threshold (1 in 65 536): then the dispute's round is played
   again, alone and exactly.

   A lane is 32 bits: offset of the trajectory (21), marks (4), state (7). While a round is played the 32 lanes of
   two registers lie in one, 16 bits each: state (7), marks (4), how it ended (3); lane 2 m is lane m of the
   first register, 2 m + 1 lane m of the second. */
#include <stdlib.h>
#include <string.h>

#include "vectors.h"

#ifndef BATCH_BITS
#define BATCH_BITS 18
#endif

enum { BATCH = 1 << BATCH_BITS, LIVE = 64, MOST_TYPES = 8, KEYS = 4096, GROUPS = KEYS / 2, WIDE = 12, SUMS = 8 };
enum { NOW = (1 << WIDE) - 1, ENDED = 7 << WIDE, BY_PROTEGE = 1 << 11, CODES = 1 << 15 };

/* tables of what the lookups in a scope return, each for 64 states */
enum { UP_CHALLENGER, UP_PROTEGE, DOWN_DEFENDER, UP_DEFENDER, ACCIDENT, LOOKUPS };
/* what other outcomes add to any state */
enum { WITHDRAWN, CONCEDED, BLOCKED, COOL, WON, LOST, ADDED };

typedef struct {
    _Alignas(64) uint16_t nature[4][LIVE];
    _Alignas(64) uint16_t lookup[2][LOOKUPS][LIVE];
    uint16_t added[ADDED];
    uint16_t *cut; /* (scopes, rounds, types * 2 + sets * 2 + sets * 3, 64) */
    int64_t by_round;
} Layout;

/* Kept from call to call: fresh pages would cost as much as some of the work */
typedef struct {
    _Alignas(64) uint32_t found[BATCH + 64], lanes[BATCH + 32 * GROUPS], sums[2][CODES][SUMS];
    uint32_t begin[GROUPS], left[GROUPS];
    uint16_t group[GROUPS], over[BATCH + 64];
} Room;

static _Thread_local Room *room;

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
    int any = 0;
    for (int scope = 0; scope < 2; scope++)
        for (int state = 0; state < LIVE; state++) {
            uint16_t to = step_code(of, scope, stage, state, outcome);
            if ((to & STATE) != state) return 0;
            uint16_t plus = to & ~STATE & ~standing(of, scope, state);
            any |= plus;
        }
    *added = (uint16_t)any;
    for (int scope = 0; scope < 2; scope++)
        for (int state = 0; state < LIVE; state++) {
            uint16_t to = step_code(of, scope, stage, state, outcome);
            if ((to | standing(of, scope, state)) != (state | standing(of, scope, state) | any)) return 0;
        }
    return 1;
}

/* Lay out the tables; return 0 if they break a rule that the vectors rely on */
static int lay_out(const Tables *of, Layout *to)
{
    static const int varying[LOOKUPS][2] = {{0, 2}, {1, 2}, {2, 0}, {2, 3}, {3, 3}};
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
                uint16_t next = step_code(of, scope, varying[i][0], state, varying[i][1]);
                if (!(next & ENDED)) {
                    if ((next & STATE) >= LIVE) return 0;
                    if (standing(of, scope, next & STATE) & ~next) return 0;
                }
                to->lookup[scope][i][state] = next;
            }
    for (int state = 0; state < LIVE; state++)
        for (int i = 0; i < 4; i++) to->nature[i][state] = (uint16_t)(of->nature[4 * state + i] >> 16);
    int64_t types = of->types, sets = types * of->estimates;
    to->by_round = (types * 2 + sets * 2 + sets * 3) * LIVE;
    for (int64_t round = 0; round < 2 * of->rounds; round++) {
        uint16_t *out = to->cut + round * to->by_round;
        for (int actor = 0; actor < 3; actor++) {
            int64_t number = actor ? sets : types, cuts = actor == 2 ? 3 : 2;
            const uint32_t *in = of->cut + (round * 3 + actor) * STATES * sets * 3;
            for (int64_t set = 0; set < number; set++)
                for (int64_t i = 0; i < cuts; i++)
                    for (int state = 0; state < LIVE; state++)
                        *out++ = (uint16_t)(in[(state * sets + set) * 3 + i] >> 16);
        }
    }
    return 1;
}

#define LOOK(table, at) \
    _mm512_permutex2var_epi16(_mm512_load_si512(table), at, _mm512_load_si512((const uint16_t *)(table) + 32))

/* 32 words of 16 bits: upper halves of the words in four times eight lanes */
static inline __m512i halves(const __m512i w[4])
{
    const __m512i up = _mm512_set1_epi64(0x0504070603020302), down = _mm512_set1_epi64(0x0302050403020100);
    (void)up, (void)down;
    __m512i first = lower(w[0], w[1]), second = lower(w[2], w[3]);
    return _mm512_mask_blend_epi16(0xAAAAAAAA, _mm512_srli_epi32(first, 16), second);
}

/* Keep the first bits of a word's 16 for lanes of one register, and the others' */
static inline uint32_t interleaved(uint32_t one, uint32_t other)
{
    return _pdep_u32(one, 0x55555555) | _pdep_u32(other, 0xAAAAAAAA);
}

typedef struct {
    const Tables *of;
    const Layout *to;
    uint64_t seed, base;
    uint32_t year;
    int64_t scope, set[3];
} Group;

/* Play again, exactly, the lanes of which a word met a threshold */
static __attribute__((noinline)) __m512i exactly(const Group *group, int64_t t, uint32_t which, __m512i before0,
                                                 __m512i before1, __m512i now)
{
    uint32_t before[2][16];
    uint16_t after[32];
    _mm512_storeu_si512(before[0], before0);
    _mm512_storeu_si512(before[1], before1);
    _mm512_storeu_si512(after, now);
    for (; which; which &= which - 1) {
        int lane = __builtin_ctz(which);
        uint32_t was = before[lane & 1][lane >> 1], words[4];
        philox(group->base + (was >> WIDE), group->year, (uint32_t)t, group->seed, words);
        uint32_t then = play_round(group->of, group->scope, t, group->set, words, packed(was & NOW));
        after[lane] = code(then) | (was & BY_PROTEGE);
    }
    return _mm512_loadu_si512(after);
}

/* Play a round in `n` lanes, move those that go on to the front and write how the others ended to `over`; return
   how many go on */
static inline int64_t round_of(const Group *group, const Address *at, int64_t t, uint32_t *lanes, int64_t n,
                               uint16_t *over, int64_t *gone)
{
    const Layout *to = group->to;
    const Tables *of = group->of;
    int64_t types = of->types, sets = types * of->estimates;
    const uint16_t *cut = to->cut + (group->scope * of->rounds + t) * to->by_round;
    const uint16_t *cut0 = cut + group->set[0] * 2 * LIVE;
    const uint16_t *cut1 = cut + (types * 2 + group->set[1] * 2) * LIVE;
    const uint16_t *cut2 = cut + (types * 2 + sets * 2 + group->set[2] * 3) * LIVE;
    const uint16_t(*next)[LIVE] = to->lookup[group->scope];
    const __m512i marks = _mm512_set1_epi16(NOW & ~STATE), ended = _mm512_set1_epi16(ENDED);
    const __m512i base = _mm512_set1_epi32((int)group->base), low = _mm512_set1_epi32(NOW);
#define PLUS(i) _mm512_set1_epi16((short)to->added[i])
    int64_t kept = 0, out = *gone;
    for (int64_t i = 0; i < n; i += 32) {
        int64_t left = n - i;
        __m512i was0 = _mm512_loadu_si512(lanes + i), was1 = _mm512_loadu_si512(lanes + i + 16);
        __mmask16 valid0 = (__mmask16)_bzhi_u32(0xFFFF, left < 16 ? (uint32_t)left : 16);
        __mmask16 valid1 =
            (__mmask16)(left < 16 ? 0 : _bzhi_u32(0xFFFF, left < 32 ? (uint32_t)left - 16 : 16));
        __mmask32 valid = left < 32 ? interleaved(valid0, valid1) : 0xFFFFFFFF;
        __m512i index[4], w0[4], w1[4], w2[4], w3[4];
        index[0] = _mm512_add_epi32(_mm512_srli_epi32(was0, WIDE), base);
        index[1] = _mm512_srli_epi64(index[0], 32);
        index[2] = _mm512_add_epi32(_mm512_srli_epi32(was1, WIDE), base);
        index[3] = _mm512_srli_epi64(index[2], 32);
        philox32(index, at, w0, w1, w2, w3);
        __m512i now = _mm512_mask_blend_epi16(0xAAAAAAAA, was0, _mm512_slli_epi32(was1, 16));
        now = _mm512_and_si512(now, _mm512_set1_epi16(NOW));
        __mmask32 live = valid, sure, back, up, pass;
        __m512i w, x, c0, c1, c2, c3;

        w = halves(w0), c0 = LOOK(cut0, now), c1 = LOOK(cut0 + LIVE, now), x = LOOK(next[UP_CHALLENGER], now);
        sure = _mm512_cmpneq_epu16_mask(w, c0), sure = _mm512_mask_cmpneq_epu16_mask(sure, w, c1);
        back = _mm512_cmplt_epu16_mask(w, c0), up = _mm512_cmpgt_epu16_mask(w, c1);
        x = _mm512_ternarylogic_epi32(now, marks, x, 0xEA);
        now = _mm512_mask_mov_epi16(_mm512_mask_add_epi16(now, back, now, PLUS(WITHDRAWN)), up, x);
        live = _mm512_testn_epi16_mask(now, ended);

        w = halves(w1), c0 = LOOK(cut1, now), c1 = LOOK(cut1 + LIVE, now), x = LOOK(next[UP_PROTEGE], now);
        sure = _mm512_mask_cmpneq_epu16_mask(sure, w, c0), sure = _mm512_mask_cmpneq_epu16_mask(sure, w, c1);
        back = _mm512_mask_cmplt_epu16_mask(live, w, c0), up = _mm512_mask_cmpgt_epu16_mask(live, w, c1);
        x = _mm512_ternarylogic_epi32(now, marks, x, 0xEA);
        now = _mm512_mask_mov_epi16(_mm512_mask_add_epi16(now, back, now, PLUS(CONCEDED)), up, x);
        live = _mm512_testn_epi16_mask(now, ended);

        w = halves(w2), c0 = LOOK(cut2, now), c1 = LOOK(cut2 + LIVE, now), c2 = LOOK(cut2 + 2 * LIVE, now);
        sure = _mm512_mask_cmpneq_epu16_mask(sure, w, c0), sure = _mm512_mask_cmpneq_epu16_mask(sure, w, c1);
        sure = _mm512_mask_cmpneq_epu16_mask(sure, w, c2);
        back = _mm512_mask_cmplt_epu16_mask(live, w, c0), up = _mm512_mask_cmpgt_epu16_mask(live, w, c1);
        pass = _mm512_mask_cmpgt_epu16_mask(live, w, c2);
        x = _mm512_ternarylogic_epi32(now, marks, LOOK(next[DOWN_DEFENDER], now), 0xEA);
        c0 = _mm512_ternarylogic_epi32(now, marks, LOOK(next[UP_DEFENDER], now), 0xEA);
        c1 = _mm512_or_si512(now, PLUS(BLOCKED));
        now = _mm512_mask_mov_epi16(_mm512_mask_mov_epi16(now, back, x), up, c1);
        now = _mm512_mask_mov_epi16(now, pass, c0);

        w = halves(w3), c0 = LOOK(to->nature[0], now), c1 = LOOK(to->nature[1], now);
        c2 = LOOK(to->nature[2], now), c3 = LOOK(to->nature[3], now), x = LOOK(next[ACCIDENT], now);
        sure = _mm512_mask_cmpneq_epu16_mask(sure, w, c0), sure = _mm512_mask_cmpneq_epu16_mask(sure, w, c1);
        sure = _mm512_mask_cmpneq_epu16_mask(sure, w, c2), sure = _mm512_mask_cmpneq_epu16_mask(sure, w, c3);
        x = _mm512_ternarylogic_epi32(now, marks, x, 0xEA);
        back = _mm512_mask_cmplt_epu16_mask(live, w, c1), up = _mm512_mask_cmplt_epu16_mask(live, w, c0);
        pass = _mm512_mask_cmpgt_epu16_mask(live, w, c2);
        c0 = _mm512_or_si512(now, PLUS(LOST)), c1 = _mm512_or_si512(now, PLUS(COOL));
        now = _mm512_mask_add_epi16(now, back, now, PLUS(WON));
        now = _mm512_mask_mov_epi16(_mm512_mask_mov_epi16(now, up, c1), pass, x);
        now = _mm512_mask_mov_epi16(now, _mm512_mask_cmpgt_epu16_mask(live, w, c3), c0);

        uint32_t unsure = ~sure & valid;
        if (__builtin_expect(unsure != 0, 0)) now = exactly(group, t, unsure, was0, was1, now);

        __mmask32 off = _mm512_mask_test_epi16_mask(valid, now, ended);
        _mm512_storeu_si512(over + out, _mm512_maskz_compress_epi16(off, now));
        out += __builtin_popcount(off);
        __mmask16 on0 = _mm512_mask_testn_epi32_mask(valid0, now, _mm512_set1_epi32(ENDED));
        __mmask16 on1 = _mm512_mask_testn_epi32_mask(valid1, now, _mm512_set1_epi32(ENDED << 16));
        was0 = _mm512_ternarylogic_epi32(low, now, was0, 0xCA);
        was1 = _mm512_ternarylogic_epi32(low, _mm512_srli_epi32(now, 16), was1, 0xCA);
        _mm512_storeu_si512(lanes + kept, _mm512_maskz_compress_epi32(on0, was0));
        kept += __builtin_popcount(on0);
        _mm512_storeu_si512(lanes + kept, _mm512_maskz_compress_epi32(on1, was1));
        kept += __builtin_popcount(on1);
    }
    *gone = out;
    return kept;
}

/* Draw private information and origins of `n` disputes from `base` on; write the group and the offset of those
   that become a crisis to `found`, count the others; return how many do */
static __attribute__((noinline)) int64_t enter(const Tables *of, uint64_t base, int64_t n, uint32_t year, uint64_t seed, uint32_t *found,
                     int64_t counts[])
{
    const Address types = address((uint32_t)(base >> 32), year, TYPES, seed);
    const Address entry = address((uint32_t)(base >> 32), year, ENTRY, seed);
    int64_t number = of->types, sets = number * of->estimates;
    uint32_t hit[16] = {0}, some[16] = {0}, opening[4][16] = {{0}};
    for (int64_t i = 0; i < number; i++) {
        hit[i] = (uint32_t)(of->hit[i] - 1);
        some[i] = of->estimates == 2 && of->hit[i] > 0;
    }
    for (int64_t place = 0; place < 4; place++)
        for (int64_t i = 0; i < sets; i++) opening[place][i] = of->enter[place * sets + i];
    const __m512i k = ALL(number), hits = _mm512_loadu_si512(hit), somes = _mm512_loadu_si512(some);
    const __m512i open0 = _mm512_loadu_si512(opening[0]), open1 = _mm512_loadu_si512(opening[1]);
    const __m512i open2 = _mm512_loadu_si512(opening[2]), open3 = _mm512_loadu_si512(opening[3]);
    const __m512i origin = _mm512_set1_epi32((int)(of->origin - 1));
    const __m512i scope = _mm512_set1_epi32((int)(of->scope - 1));
    const __mmask16 any_origin = of->origin ? 0 : 0xFFFF, any_scope = of->scope ? 0xFFFF : 0;
    const __m512i count = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const __m512i one = _mm512_set1_epi32(1), eight = _mm512_set1_epi32(number);
    int64_t kept = 0, quiet = 0, by_protege = 0, inside = 0, both = 0;
    for (int64_t i = 0; i < n; i += 32) {
        __m512i index[4], t0[4], t1[4], t2[4], t3[4], w0[4], w1[4], w2[4], w3[4];
        index[0] = _mm512_add_epi32(count, _mm512_set1_epi32((int)((uint32_t)base + (uint32_t)i)));
        index[1] = _mm512_srli_epi64(index[0], 32);
        index[2] = _mm512_add_epi32(index[0], _mm512_set1_epi32(16));
        index[3] = _mm512_srli_epi64(index[2], 32);
        philox32(index, &types, t0, t1, t2, t3);
        philox32(index, &entry, w0, w1, w2, w3);
        _Pragma("GCC unroll 2") for (int j = 0; j < 4; j += 2)
        {
            int64_t left = n - i - 8 * j;
            __mmask16 valid = left >= 16 ? 0xFFFF : left <= 0 ? 0 : (__mmask16)_bzhi_u32(0xFFFF, (uint32_t)left);
#define CLASS(t) upper(_mm512_mul_epu32(t[j], k), _mm512_mul_epu32(t[j + 1], k))
#define WORD(w) lower(w[j], w[j + 1])
            __m512i c = CLASS(t0), p = CLASS(t1), d = CLASS(t2);
            __mmask16 sharp = _mm512_cmple_epu32_mask(WORD(t3), _mm512_permutexvar_epi32(c, hits));
            sharp = _mm512_mask_test_epi32_mask(sharp, _mm512_permutexvar_epi32(c, somes), one);
            __mmask16 theirs = _mm512_cmpgt_epu32_mask(WORD(w0), origin) | any_origin;
            __mmask16 in = _mm512_cmple_epu32_mask(WORD(w1), scope) & any_scope;
            __m512i at = _mm512_mask_add_epi32(p, sharp, p, eight);
            at = _mm512_mask_mov_epi32(c, theirs, at);
            at = _mm512_mask_add_epi32(at, in, at, _mm512_set1_epi32(16));
            __m512i cut = _mm512_permutex2var_epi32(open0, at, open1);
            cut = _mm512_mask_mov_epi32(cut, theirs, _mm512_permutex2var_epi32(open2, at, open3));
            __mmask16 opens = _mm512_mask_cmpgt_epu32_mask(valid, WORD(w2), cut);
            valid &= ~opens;
            __mmask16 theirs_quiet = theirs & valid, in_quiet = in & valid;
            quiet += __builtin_popcount(valid);
            by_protege += __builtin_popcount(theirs_quiet);
            inside += __builtin_popcount(in_quiet);
            both += __builtin_popcount(theirs_quiet & in_quiet);
            /* origin, scope, estimate (1 bit each), types (3 each), offset (20) */
            __m512i key = _mm512_or_si512(_mm512_slli_epi32(c, 26), _mm512_slli_epi32(p, 23));
            key = _mm512_ternarylogic_epi32(key, _mm512_slli_epi32(d, 20),
                                            _mm512_add_epi32(count, _mm512_set1_epi32((int)i + 8 * j)), 0xFE);
            key = _mm512_mask_or_epi32(key, sharp, key, _mm512_set1_epi32(1 << 29));
            key = _mm512_mask_or_epi32(key, in, key, _mm512_set1_epi32(1 << 30));
            key = _mm512_mask_or_epi32(key, theirs, key, _mm512_set1_epi32((int)(1u << 31)));
            _mm512_storeu_si512(found + kept, _mm512_maskz_compress_epi32(opens, key));
            kept += __builtin_popcount(opens);
        }
    }
    counts[3 * CELLS_OF_PLACE] += both;
    counts[2 * CELLS_OF_PLACE] += by_protege - both;
    counts[1 * CELLS_OF_PLACE] += inside - both;
    counts[0 * CELLS_OF_PLACE] += quiet - by_protege - inside + both;
    return kept;
}

/* Sort crises by all but their origin */
static __attribute__((noinline)) void sort(const Tables *of, const uint32_t *found, int64_t n, Room *in,
                                          int64_t from[3])
{
    uint32_t *left = in->left, *begin = in->begin, first[4], at = 0, groups = 0;
    memset(left, 0, sizeof in->left);
    for (int64_t i = 0; i < n; i++) left[found[i] >> 20 & (GROUPS - 1)]++;
    for (int key = 0; key < GROUPS; key++) {
        begin[key] = at;
        if (key == GROUPS / 2) from[1] = groups;
        if (left[key]) in->group[groups++] = (uint16_t)key, at += left[key] + 32;
    }
    from[0] = 0, from[2] = groups;
    for (int place = 0; place < 4; place++) {
        int state = (int)of->start[place >> 1];
        first[place] = (uint32_t)state | standing(of, place & 1, state) | (place & 2 ? BY_PROTEGE : 0);
    }
    for (int64_t i = 0; i < n; i++) {
        uint32_t key = found[i] >> 20;
        in->lanes[begin[key & (GROUPS - 1)]++] = found[i] << WIDE | first[key >> 10];
    }
    for (uint32_t i = 0; i < groups; i++) begin[in->group[i]] -= left[in->group[i]];
}

static void tally(uint32_t sums[CODES][SUMS], uint16_t *over, int64_t n)
{
    memset(over + n, 0, 2 * SUMS);
    for (int64_t i = 0; i < n; i += SUMS)
        for (int j = 0; j < SUMS; j++) sums[over[i + j]][j]++;
}

static int64_t play(const Tables *of, const Layout *to, uint64_t base, int64_t n, uint32_t year, uint64_t seed,
                    const Address *at, int64_t *counts, Room *in)
{
    int64_t from[3], rounds = 0, opened = enter(of, base, n, year, seed, in->found, counts);
    sort(of, in->found, opened, in, from);
    Group group = {.of = of, .to = to, .seed = seed, .base = base, .year = year};
    for (int64_t scope = 0; scope < 2; scope++) {
        uint16_t *own = in->group + from[scope];
        int64_t groups = from[scope + 1] - from[scope];
        if (!groups) continue;
        group.scope = scope;
        for (int64_t t = 0; t < of->rounds && groups; t++) {
            int64_t gone = 0, kept = 0;
            for (int64_t i = 0; i < groups; i++) {
                uint16_t key = own[i];
                int64_t left = in->left[key], shift = key >> 9 & 1 ? of->types : 0;
                group.set[0] = key >> 6 & 7, group.set[1] = (key >> 3 & 7) + shift, group.set[2] = (key & 7) + shift;
                rounds += left;
                left = round_of(&group, at + t, t, in->lanes + in->begin[key], left, in->over, &gone);
                in->left[key] = (uint32_t)left;
                own[kept] = key;
                kept += left > 0;
            }
            groups = kept;
            tally(in->sums[scope], in->over, gone);
        }
        int64_t gone = 0;
        for (int64_t i = 0; i < groups; i++)
            for (int64_t j = 0; j < in->left[own[i]]; j++)
                in->over[gone++] = (uint16_t)((in->lanes[in->begin[own[i]] + j] & NOW) | STALEMATE << WIDE);
        tally(in->sums[scope], in->over, gone);
    }
    return rounds;
}

/* Add what was tallied to `counts` */
static void add_up(Room *in, int64_t *counts)
{
    for (int64_t scope = 0; scope < 2; scope++)
        for (uint32_t i = 1 << WIDE; i < CODES; i++) { /* below: fillers, not endings */
            uint32_t *sums = in->sums[scope][i];
            __m256i here = _mm256_load_si256((const __m256i *)sums);
            if (_mm256_testz_si256(here, here)) continue;
            int64_t place = (i & BY_PROTEGE ? 2 : 0) + scope;
            for (int j = 0; j < SUMS; j++) counts[cell(place, packed(i))] += sums[j], sums[j] = 0;
        }
}

/* As in scalar.c; -1 if the tables break a rule that this way relies on, -2 if memory is short */
int64_t simulate(const Tables *of, uint64_t seed, uint64_t first, int64_t size, uint32_t year, int64_t *counts)
{
    if (of->types > MOST_TYPES || of->start[0] >= LIVE || of->start[1] >= LIVE) return -1;
    Layout to;
    size_t tables = (size_t)(2 * of->rounds * (of->types * 2 + of->types * of->estimates * 5) * LIVE * 2);
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
        for (int64_t t = 0; t < of->rounds; t++) at[t] = address((uint32_t)(base >> 32), year, (uint32_t)t, seed);
        if (done >> 31 != (done + n) >> 31) add_up(room, counts); /* before 32 bits overflow */
        rounds += play(of, &to, base, n, year, seed, at, counts, room);
    }
    if (rounds >= 0) add_up(room, counts);
    free(to.cut);
    free(at);
    return rounds;
}
