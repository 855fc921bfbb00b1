/* tests/unit/test_slot.c - slots agree with Redis Cluster's clients; partitions tile the slots. */
#include "ring/slot.h"

#include "base/prng.h"
#include "tests/lib/unit.h"

/* Bit by bit, as the polynomial says: what the table of slot.c must agree with. */
static unsigned crc16_by_bits(struct bytes bytes)
{
    unsigned crc = 0;

    for (size_t i = 0; i < bytes.size; i++) {
        crc ^= (unsigned)bytes.data[i] << 8;
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc << 1) ^ (crc & 0x8000 ? 0x1021 : 0);
            crc &= 0xffff;
        }
    }
    return crc;
}

TEST(keys_have_the_slots_of_redis_cluster)
{
    static const struct {
        const char *key;
        unsigned slot;
    } table[] = {
        {"foo", 12182},
        {"bar", 5061},
        {"hello", 866},
        {"user1000", 3443},
        {"{user1000}.following", 3443},
        {"{user1000}.followers", 3443},
        {"foo{}{bar}", 8363},
        {"foo{{bar}}zap", 4015},
        {"foo{bar}{zap}", 5061},
        {"{}key", 14961},
        {"a{b", 13340},
        {"", 0},
        {"123456789", 0x31c3},
    };

    for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
        ck_assert_msg(slot_of(bytes_of(table[i].key)) == table[i].slot, "%s: %u", table[i].key,
                      slot_of(bytes_of(table[i].key)));
    }
}

TEST(the_hash_tag_alone_decides)
{
    static const char *const same[][2] = {
        {"{x}a", "{x}b"}, {"a{x}", "x"},   {"{x", "{x"},
        {"}{x}", "x"},    {"{{x}y", "{x"}, {"{x}{y}", "x"},
    };
    static const char *const whole[] = {"{}", "{}{x}", "a{}b{x}", "{", "}", "}{", "x}", "{abc"};

    for (size_t i = 0; i < ARRAY_COUNT(same); i++) {
        ck_assert_uint_eq(slot_of(bytes_of(same[i][0])), slot_of(bytes_of(same[i][1])));
    }
    for (size_t i = 0; i < ARRAY_COUNT(whole); i++) {
        struct bytes key = bytes_of(whole[i]);
        ck_assert_uint_eq(slot_of(key), crc16_by_bits(key) % SLOTS_COUNT);
    }
}

TEST(binary_keys_hash_as_bit_by_bit)
{
    enum { KEYS = 100000 };
    struct prng prng;
    uint8_t data[64];

    prng_init(&prng, 1);
    for (int i = 0; i < KEYS; i++) {
        struct bytes key = {data, prng_below(&prng, sizeof(data) + 1)};
        for (size_t k = 0; k < key.size; k++) {
            data[k] = (uint8_t)prng_next(&prng);
            data[k] = data[k] == '{' ? 0 : data[k]; /* No tag: the whole key counts. */
        }
        ck_assert_uint_eq(slot_of(key), crc16_by_bits(key) % SLOTS_COUNT);
    }
    ck_assert_uint_eq(slot_of((struct bytes){NULL, 0}), 0);
    printf("COUNT slot_keys %d\n", KEYS);
}

TEST(partitions_tile_the_slots)
{
    for (uint32_t q = 1; q <= SLOTS_COUNT; q *= 2) {
        ck_assert_uint_eq(slot_partition_first(0, q), 0);
        ck_assert_uint_eq(slot_partition_first(q, q), SLOTS_COUNT);
        for (uint32_t slot = 0; slot < SLOTS_COUNT; slot++) {
            uint32_t p = slot_partition((uint16_t)slot, q);
            bool inside = p < q && slot_partition_first(p, q) <= slot &&
                          (p + 1 == q || slot_partition_first(p + 1, q) > slot);
            if (!inside) { /* A ck_assert a time is slow. */
                ck_abort_msg("slot %u is not in partition %u of %u", slot, p, q);
            }
        }
    }
}

/* CRC16 was not made for this: real keys, alike as they are, must still spread as chance would. */
TEST(english_words_spread_evenly_over_partitions)
{
    enum { PARTITIONS = 1024 };
    FILE *words = fopen("/usr/share/dict/words", "r"); /* The package wamerican. */
    uint32_t counts[PARTITIONS] = {0}, keys = 0;
    double square_sum = 0;
    char key[128];

    ck_assert_ptr_nonnull(words);
    while (fgets(key, sizeof(key), words) != NULL) {
        struct bytes bytes = bytes_of(key);
        bytes.size -= bytes.size > 0; /* The newline. */
        counts[slot_partition(slot_of(bytes), PARTITIONS)]++;
        keys++;
    }
    ck_assert_int_eq(fclose(words), 0);
    double mean = (double)keys / PARTITIONS;
    for (unsigned p = 0; p < PARTITIONS; p++) {
        square_sum += (counts[p] - mean) * (counts[p] - mean) / mean;
    }
    /* Chi squared has mean 1023 and deviation 45; four of them are one chance in 30,000. */
    ck_assert_double_lt(square_sum, 1023 + 4 * 45);
    ck_assert_double_gt(square_sum, 1023 - 4 * 45);
    ck_assert_uint_gt(keys, 50000);
    printf("COUNT slot_words %u\n", keys);
}

TEST(only_powers_of_two_up_to_the_slots_are_partition_counts)
{
    unsigned valid = 0;

    for (uint32_t q = 0; q <= 2 * SLOTS_COUNT; q++) {
        valid += slot_partitions_count_valid(q);
    }
    ck_assert_uint_eq(valid, 15); /* 2^0 .. 2^14 */
    ck_assert(slot_partitions_count_valid(1));
    ck_assert(slot_partitions_count_valid(SLOTS_COUNT));
    ck_assert(!slot_partitions_count_valid(UINT32_MAX));
}

UNIT_MAIN(keys_have_the_slots_of_redis_cluster, the_hash_tag_alone_decides,
          binary_keys_hash_as_bit_by_bit, partitions_tile_the_slots,
          english_words_spread_evenly_over_partitions,
          only_powers_of_two_up_to_the_slots_are_partition_counts)
