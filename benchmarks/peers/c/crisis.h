/* What the C peers share: the tables as the engine lays them out, and the rules for reading them. */
#ifndef CRISIS_H
#define CRISIS_H

#include <stdint.h>

enum { STATES = 72, ENDS = 8, MARKS = 16, OUTCOMES = 5, STAGES = 4, HOLD = 1, STALEMATE = 6 };
enum { STATE = 0x7F, END_SHIFT = 7, MARK_SHIFT = 10 };
#define TYPES 0x80000000u
#define ENTRY 0x80000001u
#define CELLS_OF_PLACE (ENDS * STATES * MARKS)

/* entangle_kernels.quantise.Tables; arrays flattened in C order */
typedef struct {
    int64_t types, estimates, rounds;
    uint64_t origin, scope;
    const uint64_t *hit;    /* (types) */
    const uint32_t *enter;  /* (2 origins, 2 scopes, sets) */
    const int64_t *start;   /* (2 origins) */
    const uint32_t *cut;    /* (2 scopes, rounds, 3 actors, states, sets, 3) */
    const uint32_t *nature; /* (states, 4) */
    const uint16_t *step;   /* (2 scopes, 4 stages, states, outcomes) */
} Tables;

/* Philox4x32-10 of (index, year, purpose) */
static inline void philox(uint64_t index, uint32_t year, uint32_t purpose, uint64_t seed, uint32_t words[4])
{
    uint32_t a = (uint32_t)index, b = (uint32_t)(index >> 32), c = year, d = purpose;
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    for (int i = 0; i < 10; i++) {
        uint64_t low = (uint64_t)0xD2511F53u * a, high = (uint64_t)0xCD9E8D57u * c;
        a = (uint32_t)(high >> 32) ^ b ^ k0;
        b = (uint32_t)high;
        c = (uint32_t)(low >> 32) ^ d ^ k1;
        d = (uint32_t)low;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    words[0] = a, words[1] = b, words[2] = c, words[3] = d;
}

/* Return what follows a stage, as a packed step; `set` is the actor's information set */
static inline uint32_t after(const Tables *of, int64_t scope, int64_t t, int stage, uint32_t state,
                             int64_t set, uint32_t word)
{
    uint32_t outcome;
    if (stage == 3) {
        const uint32_t *cut = of->nature + 4 * state;
        outcome = (word >= cut[0]) + (word >= cut[1]) + (word > cut[2]) + (word > cut[3]);
    } else {
        int64_t sets = of->types * of->estimates;
        const uint32_t *cut =
            of->cut + ((((scope * of->rounds + t) * 3 + stage) * STATES + state) * sets + set) * 3;
        outcome = (word >= cut[0]) + (word > cut[1]);
        if (stage == 2) outcome += word > cut[2];
    }
    return of->step[((scope * STAGES + stage) * STATES + state) * OUTCOMES + outcome];
}

/* Play one round of one dispute exactly; `now` and the result are packed steps */
static inline uint32_t play_round(const Tables *of, int64_t scope, int64_t t, const int64_t set[3],
                                  const uint32_t words[4], uint32_t now)
{
    for (int stage = 0; stage < STAGES; stage++) {
        uint32_t marks = now >> MARK_SHIFT << MARK_SHIFT;
        now = marks | after(of, scope, t, stage, now & STATE, stage < 3 ? set[stage] : 0, words[stage]);
        if (now >> END_SHIFT & 7) break;
    }
    return now;
}

static inline int64_t cell(int64_t place, uint32_t now)
{
    int64_t end = now >> END_SHIFT & 7, marks = now >> MARK_SHIFT;
    return place * CELLS_OF_PLACE + (end * STATES + (now & STATE)) * MARKS + marks;
}

#endif
