/* tests/unit/test_bytes.c - comparing bytes, and Redis's rules for a decimal number. */
#include "base/bytes.h"

#include <inttypes.h>
#include <string.h>

#include "base/prng.h"
#include "tests/lib/unit.h"

/* All strings of length 0..2 over an alphabet that has both signs of a char in it. */
static const uint8_t alphabet[] = {0, 'A', 'a', 0x7f, 0x80, 0xff};
enum { LETTERS = sizeof(alphabet), WORDS = 1 + LETTERS + LETTERS * LETTERS };

static struct bytes word(size_t number, uint8_t *memory)
{
    if (number == 0) {
        return (struct bytes){NULL, 0};
    }
    if (number <= LETTERS) {
        memory[0] = alphabet[number - 1];
        return (struct bytes){memory, 1};
    }
    memory[0] = alphabet[(number - 1 - LETTERS) / LETTERS];
    memory[1] = alphabet[(number - 1 - LETTERS) % LETTERS];
    return (struct bytes){memory, 2};
}

static int sign(int value)
{
    return (value > 0) - (value < 0);
}

TEST(order_is_total_and_agrees_with_equality)
{
    for (size_t i = 0; i < WORDS; i++) {
        for (size_t j = 0; j < WORDS; j++) {
            uint8_t first[2], second[2];
            struct bytes a = word(i, first), b = word(j, second);
            int order = sign(bytes_compare(a, b));
            ck_assert_int_eq(order, -sign(bytes_compare(b, a)));
            ck_assert_int_eq(order == 0, bytes_equal(a, b));
            ck_assert_int_eq(order == 0, i == j);
            for (size_t k = 0; k < WORDS; k++) {
                uint8_t third[2];
                struct bytes c = word(k, third);
                bool chain = order < 0 && bytes_compare(b, c) < 0;
                ck_assert(!chain || bytes_compare(a, c) < 0);
            }
        }
    }
}

TEST(a_prefix_comes_before_what_it_begins)
{
    ck_assert_int_lt(bytes_compare(BYTES_LITERAL("ab"), BYTES_LITERAL("abc")), 0);
    ck_assert_int_lt(bytes_compare((struct bytes){NULL, 0}, BYTES_LITERAL("a")), 0);
    ck_assert_int_gt(bytes_compare(BYTES_LITERAL("\xff"), BYTES_LITERAL("\x01zzz")), 0);
}

TEST(case_is_ignored_for_ascii_letters_only)
{
    static const struct {
        const char *bytes;
        size_t size;
        const char *text;
        bool equal;
    } table[] = {
        {"GeT", 3, "get", true},    {"get", 3, "GET", true},   {"", 0, "", true},
        {"get", 3, "gett", false},  {"gett", 4, "get", false}, {"ge\0", 3, "ge", false},
        {"ge\0x", 4, "ge", false},  {"[", 1, "{", false},      {"@", 1, "`", false},
        {"\xc4", 1, "\xe4", false}, {"\xc4", 1, "\xc4", true}, {"z", 1, "Z", true},
    };
    for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
        struct bytes bytes = {(const uint8_t *)table[i].bytes, table[i].size};
        ck_assert_int_eq(bytes_equal_nocase(bytes, table[i].text), table[i].equal);
    }
    for (int upper = 'A'; upper <= 'Z'; upper++) {
        uint8_t byte = (uint8_t)upper;
        char lower[2] = {(char)(upper + 32), '\0'};
        ck_assert(bytes_equal_nocase((struct bytes){&byte, 1}, lower));
    }
}

static bool parses_to(const char *text, int64_t expected)
{
    int64_t value = 4711;
    return bytes_to_i64(bytes_of(text), &value) && value == expected;
}

static bool is_refused(const char *text, size_t size)
{
    int64_t value = 4711;
    return !bytes_to_i64((struct bytes){(const uint8_t *)text, size}, &value) && value == 4711;
}

TEST(a_number_has_exactly_one_spelling)
{
    struct prng prng;
    char text[32];

    prng_init(&prng, 7);
    for (int i = 0; i < 20000; i++) {
        int64_t value = (int64_t)(prng_next(&prng) >> prng_below(&prng, 64));
        value = prng_chance(&prng, 2) ? value : (int64_t)(0 - (uint64_t)value);
        (void)snprintf(text, sizeof(text), "%" PRId64, value);
        ck_assert(parses_to(text, value));
    }
    for (int64_t value = -12345; value <= 12345; value++) {
        (void)snprintf(text, sizeof(text), "%" PRId64, value);
        ck_assert(parses_to(text, value));
    }
}

TEST(the_ends_of_the_range_parse_and_their_neighbours_do_not)
{
    ck_assert(parses_to("9223372036854775807", INT64_MAX));
    ck_assert(parses_to("-9223372036854775808", INT64_MIN));
    ck_assert(is_refused("9223372036854775808", 19));
    ck_assert(is_refused("-9223372036854775809", 20));
    ck_assert(is_refused("18446744073709551615", 20));
    ck_assert(is_refused("18446744073709551616", 20));
    ck_assert(is_refused("-18446744073709551615", 21));
    ck_assert(is_refused("99999999999999999999", 20));
    ck_assert(is_refused("111111111111111111111111111111", 30));
}

TEST(what_redis_refuses_as_a_number_is_refused)
{
    static const char *const texts[] = {"",   "-",   "+1",  "01",  "-01", "-0", "00",   " 1",
                                        "1 ", "1.",  "1e3", "0x1", "--1", "1-", "-+1",  "a",
                                        "1a", "\n1", "1\n", "/",   ":",   "1:", "\xb1", "- 1"};
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        ck_assert_msg(is_refused(texts[i], strlen(texts[i])), "'%s' was accepted", texts[i]);
    }
    ck_assert(is_refused("1\0", 2));
    ck_assert(is_refused(NULL, 0));
    ck_assert(parses_to("0", 0));
}

/* Every string of three bytes, against the definition: print it again and compare. */
TEST(of_all_strings_of_three_bytes_only_those_that_print_the_same_parse)
{
    size_t accepted = 0;

    for (unsigned number = 0; number < 1U << 24; number += 1) {
        uint8_t text[3] = {(uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number};
        int64_t value = 0;
        if (!bytes_to_i64((struct bytes){text, 3}, &value)) {
            continue;
        }
        char again[32];
        ck_assert_int_eq(snprintf(again, sizeof(again), "%" PRId64, value), 3);
        ck_assert_mem_eq(again, text, 3);
        accepted++;
    }
    ck_assert_uint_eq(accepted, 900 + 90); /* 100..999 and -10..-99 */
}

TEST(big_endian_numbers_have_their_high_byte_first)
{
    uint8_t memory[9] = {0};

    be16_set(memory + 1, 0x0102);
    ck_assert_mem_eq(memory, "\0\x01\x02\0", 4);
    ck_assert_uint_eq(be16_at(memory + 1), 0x0102);
    be32_set(memory + 1, 0x81828384);
    ck_assert_mem_eq(memory + 1, "\x81\x82\x83\x84", 4);
    ck_assert_uint_eq(be32_at(memory + 1), 0x81828384);
    be64_set(memory + 1, 0xf1f2f3f4f5f6f7f8);
    ck_assert_mem_eq(memory + 1, "\xf1\xf2\xf3\xf4\xf5\xf6\xf7\xf8", 8);
    ck_assert_uint_eq(be64_at(memory + 1), 0xf1f2f3f4f5f6f7f8);
    for (uint32_t value = 0; value <= UINT16_MAX; value++) {
        be16_set(memory, (uint16_t)value);
        ck_assert_uint_eq(be16_at(memory), value);
    }
}

UNIT_MAIN(order_is_total_and_agrees_with_equality, a_prefix_comes_before_what_it_begins,
          case_is_ignored_for_ascii_letters_only, a_number_has_exactly_one_spelling,
          the_ends_of_the_range_parse_and_their_neighbours_do_not,
          what_redis_refuses_as_a_number_is_refused,
          of_all_strings_of_three_bytes_only_those_that_print_the_same_parse,
          big_endian_numbers_have_their_high_byte_first)
