/* One dispute after another, as the rules say it: what a good compiler makes of plain C. */
#include "crisis.h"

/* Add to `counts` how the disputes first ... first + size - 1 ended; return how many rounds they took */
int64_t simulate(const Tables *of, uint64_t seed, uint64_t first, int64_t size, uint32_t year,
                 int64_t *counts)
{
    const uint64_t types = (uint64_t)of->types;
    const int64_t sets = of->types * of->estimates;
    int64_t rounds = 0;
    for (int64_t i = 0; i < size; i++) {
        uint64_t index = first + (uint64_t)i;
        uint32_t words[4];
        philox(index, year, TYPES, seed, words);
        int64_t set[3];
        for (int actor = 0; actor < 3; actor++) set[actor] = (int64_t)(words[actor] * types >> 32);
        if (of->estimates == 2 && words[3] < of->hit[set[0]]) {
            set[1] += of->types;
            set[2] += of->types;
        }
        philox(index, year, ENTRY, seed, words);
        int64_t origin = words[0] >= of->origin, scope = words[1] < of->scope, place = origin * 2 + scope;
        if (words[2] <= of->enter[place * sets + set[origin]]) {
            counts[place * CELLS_OF_PLACE]++;
            continue;
        }
        uint32_t now = (uint32_t)of->start[origin];
        /* its marks are those that holding in the opening state leaves */
        now |= of->step[(scope * STAGES * STATES + now) * OUTCOMES + HOLD] >> MARK_SHIFT << MARK_SHIFT;
        for (int64_t t = 0; t < of->rounds && !(now >> END_SHIFT & 7); t++, rounds++) {
            philox(index, year, (uint32_t)t, seed, words);
            now = play_round(of, scope, t, set, words, now);
        }
        if (!(now >> END_SHIFT & 7)) now |= STALEMATE << END_SHIFT;
        counts[cell(place, now)]++;
    }
    return rounds;
}

/* Which parts of AVX-512 and its company the processor has, a bit for each: F, BW, DQ, VBMI2, BMI2 */
int64_t features(void)
{
    int64_t found = 0;
#if defined(__x86_64__) && defined(__GNUC__)
    __builtin_cpu_init();
    found |= __builtin_cpu_supports("avx512f") ? 1 : 0;
    found |= __builtin_cpu_supports("avx512bw") ? 2 : 0;
    found |= __builtin_cpu_supports("avx512dq") ? 4 : 0;
    found |= __builtin_cpu_supports("avx512vbmi2") ? 8 : 0;
    found |= __builtin_cpu_supports("bmi2") ? 16 : 0;
#endif
    return found;
}
