/* The pattern language of KEYS and SCAN MATCH, against a literal transcription of Redis's own. */
#include "node/glob.h"

#include "base/prng.h"
#include "tests/lib/unit.h"

#include <string.h>

/* stringmatchlen of Redis 7.0 (util.c), recursion and all; the pattern ends with a NUL as an sds
 * does. */
static int reference(const char *pattern, int pattern_size, const char *string, int size)
{
    while (pattern_size && size) {
        switch (pattern[0]) {
        case '*':
            while (pattern_size && pattern[1] == '*') {
                pattern++;
                pattern_size--;
            }
            if (pattern_size == 1) {
                return 1;
            }
            while (size) {
                if (reference(pattern + 1, pattern_size - 1, string, size)) {
                    return 1;
                }
                string++;
                size--;
            }
            return 0;
        case '?':
            string++;
            size--;
            break;
        case '[': {
            int match = 0;
            pattern++;
            pattern_size--;
            int not = pattern[0] == '^';
            if (not ) {
                pattern++;
                pattern_size--;
            }
            while (1) {
                if (pattern_size >= 2 && pattern[0] == '\\') {
                    pattern++;
                    pattern_size--;
                    match |= pattern[0] == string[0];
                } else if (pattern[0] == ']') {
                    break;
                } else if (pattern_size == 0) {
                    pattern--;
                    pattern_size++;
                    break;
                } else if (pattern_size >= 3 && pattern[1] == '-') {
                    int low = pattern[0], high = pattern[2], c = string[0];
                    if (low > high) {
                        int t = low;
                        low = high;
                        high = t;
                    }
                    pattern += 2;
                    pattern_size -= 2;
                    match |= c >= low && c <= high;
                } else {
                    match |= pattern[0] == string[0];
                }
                pattern++;
                pattern_size--;
            }
            if (match == not ) {
                return 0;
            }
            string++;
            size--;
            break;
        }
        case '\\':
            if (pattern_size >= 2) {
                pattern++;
                pattern_size--;
            }
            if (pattern[0] != string[0]) {
                return 0;
            }
            string++;
            size--;
            break;
        default:
            if (pattern[0] != string[0]) {
                return 0;
            }
            string++;
            size--;
        }
        pattern++;
        pattern_size--;
        if (size == 0) {
            while (*pattern == '*') {
                pattern++;
                pattern_size--;
            }
            break;
        }
    }
    return pattern_size == 0 && size == 0;
}

static void compare(const char *pattern, const char *string)
{
    int expected = reference(pattern, (int)strlen(pattern), string, (int)strlen(string));
    ck_assert_msg(glob_match(bytes_of(pattern), bytes_of(string)) == (expected == 1),
                  "'%s' on '%s'", pattern, string);
}

/* Every pattern of up to four of these characters on every string of up to three of three. */
TEST(small_patterns_match_what_redis_matches)
{
    static const char PATTERN[] = "ab*?[]^-\\";
    static const char STRING[] = "ab]";
    for (unsigned p_size = 0; p_size <= 4; p_size++) {
        unsigned p_count = 1;
        for (unsigned i = 0; i < p_size; i++) {
            p_count *= 9;
        }
        for (unsigned p = 0; p < p_count; p++) {
            char pattern[8] = "";
            for (unsigned i = 0, left = p; i < p_size; i++, left /= 9) {
                pattern[i] = PATTERN[left % 9];
            }
            for (unsigned s = 0; s < 40; s++) { /* 1 + 3 + 9 + 27 strings. */
                unsigned s_size = s < 1 ? 0 : s < 4 ? 1 : s < 13 ? 2 : 3;
                unsigned left = s - (s_size == 0 ? 0 : s_size == 1 ? 1 : s_size == 2 ? 4 : 13);
                char string[8] = "";
                for (unsigned i = 0; i < s_size; i++, left /= 3) {
                    string[i] = STRING[left % 3];
                }
                compare(pattern, string);
            }
        }
    }
}
END_TEST

TEST(random_patterns_match_what_redis_matches)
{
    static const char PATTERN[] = "abc**?[]^-\\\x80\xff";
    static const char STRING[] = "abc]-\\\x80\xff";
    struct prng prng;
    prng_init(&prng, 1);
    for (unsigned i = 0; i < 300000; i++) {
        char pattern[16] = "";
        char string[16] = "";
        uint64_t pattern_size = prng_below(&prng, 12);
        uint64_t string_size = prng_below(&prng, 12);
        for (uint64_t j = 0; j < pattern_size; j++) {
            pattern[j] = PATTERN[prng_below(&prng, sizeof(PATTERN) - 1)];
        }
        for (uint64_t j = 0; j < string_size; j++) {
            string[j] = STRING[prng_below(&prng, sizeof(STRING) - 1)];
        }
        compare(pattern, string);
    }
}
END_TEST

TEST(many_stars_take_no_exponential_time)
{
    /* 64 KB against 1,000 stars: a backtracking matcher would not end within the universe. */
    static uint8_t pattern[2001];
    static uint8_t string[65536];
    for (unsigned i = 0; i < 1000; i++) {
        pattern[2 * i] = '*';
        pattern[2 * i + 1] = 'a';
    }
    pattern[2000] = 'b';
    memset(string, 'a', sizeof(string));
    ck_assert(!glob_match((struct bytes){pattern, sizeof(pattern)},
                          (struct bytes){string, sizeof(string)}));
}
END_TEST

TEST(case_is_ignored_when_asked_to)
{
    ck_assert(glob_match_nocase(BYTES_LITERAL("MaxMem*"), BYTES_LITERAL("maxmemory")));
    ck_assert(glob_match_nocase(BYTES_LITERAL("[A-C]x"), BYTES_LITERAL("bX")));
    ck_assert(!glob_match(BYTES_LITERAL("MaxMem*"), BYTES_LITERAL("maxmemory")));
}
END_TEST

UNIT_MAIN(small_patterns_match_what_redis_matches, random_patterns_match_what_redis_matches,
          many_stars_take_no_exponential_time, case_is_ignored_when_asked_to)
