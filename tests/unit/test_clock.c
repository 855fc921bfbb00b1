/* tests/unit/test_clock.c - clocks are sets of dots: every operation agrees with a bitmap. */
#include "quorum/clock.h"

#include "base/prng.h"
#include "tests/lib/unit.h"

#include <string.h>

/* A small world: bit actor * counters + counter - 1 stands for the dot (10 * (actor + 1), counter).
 */
struct world {
    unsigned actors, counters;
};

static const struct world small = {2, 3}, middle = {2, 5}, one = {1, 8}, large = {3, 16};

static unsigned bits_count(struct world world)
{
    return world.actors * world.counters;
}

static uint64_t sets_count(struct world world)
{
    return (uint64_t)1 << bits_count(world);
}

static struct dot dot_of(struct world world, unsigned bit)
{
    return (struct dot){10 * (bit / world.counters + 1), bit % world.counters + 1};
}

static struct clock clock_of(struct world world, uint64_t bits)
{
    struct clock clock;

    clock_init(&clock);
    for (unsigned bit = 0; bit < bits_count(world); bit++) {
        if (bits >> bit & 1) {
            (void)clock_add(&clock, dot_of(world, bit));
        }
    }
    return clock;
}

static uint64_t bits_of(struct world world, const struct clock *clock)
{
    uint64_t bits = 0;

    for (unsigned bit = 0; bit < bits_count(world); bit++) {
        bits |= (uint64_t)clock_has(clock, dot_of(world, bit)) << bit;
    }
    return bits;
}

/* Sorted, disjoint, never adjacent: the one way to write a set. */
static bool is_canonical(const struct clock *clock)
{
    bool good = true;

    for (uint32_t i = 0; i < clock->count; i++) {
        struct clock_interval interval = clock->intervals[i];
        good = good && interval.first >= 1 && interval.first <= interval.last;
        if (i > 0) {
            struct clock_interval before = clock->intervals[i - 1];
            good = good && (before.actor < interval.actor ||
                            (before.actor == interval.actor && before.last + 1 < interval.first));
        }
    }
    return good;
}

/* Compare all that can be asked of a clock with its bitmap. A ck_assert a time is slow. */
static void must_be(struct world world, const struct clock *clock, uint64_t bits)
{
    struct clock same = clock_of(world, bits);
    bool good = is_canonical(clock) && bits_of(world, clock) == bits && clock_equal(clock, &same);

    for (unsigned actor = 0; actor < world.actors; actor++) {
        uint64_t last = 0;
        for (unsigned counter = 1; counter <= world.counters; counter++) {
            last = bits >> (actor * world.counters + counter - 1) & 1 ? counter : last;
        }
        good = good && clock_last(clock, 10 * (actor + 1)) == last;
        good = good && clock_last(clock, 10 * (actor + 1) - 5) == 0;
    }
    clock_release(&same);
    if (!good) {
        ck_abort_msg("the clock is not %llx", (unsigned long long)bits);
    }
}

TEST(adding_dots_agrees_with_a_bitmap_whatever_the_order)
{
    int orders = 0;

    /* Every set, and every dot added to it. */
    for (uint64_t bits = 0; bits < sets_count(middle); bits++) {
        for (unsigned bit = 0; bit < bits_count(middle); bit++) {
            struct clock clock = clock_of(middle, bits);
            bool fresh = clock_add(&clock, dot_of(middle, bit));
            if (fresh == (bits >> bit & 1)) {
                ck_abort_msg("bit %u of %llx", bit, (unsigned long long)bits);
            }
            must_be(middle, &clock, bits | (uint64_t)1 << bit);
            clock_release(&clock);
        }
    }
    /* Every order of six dots, written as a number with falling bases. */
    for (unsigned order = 0; order < 720; order++) {
        unsigned left[6] = {0, 1, 2, 3, 4, 5}, digits = order;
        uint64_t bits = 0;
        struct clock clock;
        clock_init(&clock);
        for (unsigned base = 6; base > 0; base--) {
            unsigned at = digits % base;
            digits /= base;
            (void)clock_add(&clock, dot_of(small, left[at]));
            bits |= (uint64_t)1 << left[at];
            memmove(&left[at], &left[at + 1], (5 - at) * sizeof(left[0]));
            must_be(small, &clock, bits);
        }
        clock_release(&clock);
        orders++;
    }
    printf("COUNT clock_orders %d\n", orders);
}

TEST(adding_an_interval_adds_each_of_its_dots)
{
    for (uint64_t bits = 0; bits < sets_count(one); bits++) {
        for (unsigned first = 1; first <= one.counters; first++) {
            for (unsigned last = first; last <= one.counters; last++) {
                struct clock clock = clock_of(one, bits);
                uint64_t added = (((uint64_t)1 << last) - 1) & ~(((uint64_t)1 << (first - 1)) - 1);
                clock_add_interval(&clock, (struct clock_interval){10, first, last});
                must_be(one, &clock, bits | added);
                clock_release(&clock);
            }
        }
    }
}

TEST(join_covers_and_missing_are_those_of_sets)
{
    for (uint64_t a = 0; a < sets_count(middle); a += 3) {
        struct clock clock_a = clock_of(middle, a);
        for (uint64_t b = 0; b < sets_count(middle); b += 5) {
            struct clock clock_b = clock_of(middle, b), joined;
            clock_init(&joined);
            clock_copy(&joined, &clock_a);
            clock_join(&joined, &clock_b);
            must_be(middle, &joined, a | b);
            bool good =
                clock_covers(&clock_a, &clock_b) == ((b & ~a) == 0) &&
                clock_equal(&clock_a, &clock_b) == (a == b) &&
                clock_missing_count(&clock_a, &clock_b) == (uint64_t)__builtin_popcountll(a & ~b);
            if (!good) {
                ck_abort_msg("%llx and %llx", (unsigned long long)a, (unsigned long long)b);
            }
            clock_release(&joined);
            clock_release(&clock_b);
        }
        clock_release(&clock_a);
    }
}

static struct clock join_of(const struct clock *a, const struct clock *b)
{
    struct clock joined;

    clock_init(&joined);
    clock_copy(&joined, a);
    clock_join(&joined, b);
    return joined;
}

TEST(join_is_idempotent_commutative_and_associative)
{
    struct clock sets[64];
    int triples = 0;

    for (unsigned i = 0; i < 64; i++) {
        sets[i] = clock_of(small, i);
    }
    for (unsigned a = 0; a < 64; a++) {
        struct clock twice = join_of(&sets[a], &sets[a]);
        ck_assert(clock_equal(&twice, &sets[a]));
        clock_release(&twice);
        for (unsigned b = 0; b < 64; b++) {
            struct clock ab = join_of(&sets[a], &sets[b]), ba = join_of(&sets[b], &sets[a]);
            bool good = clock_equal(&ab, &ba);
            for (unsigned c = 0; c < 64; c++, triples++) {
                struct clock bc = join_of(&sets[b], &sets[c]);
                struct clock left = join_of(&ab, &sets[c]), right = join_of(&sets[a], &bc);
                good = good && clock_equal(&left, &right);
                clock_release(&bc);
                clock_release(&left);
                clock_release(&right);
            }
            ck_assert(good);
            clock_release(&ab);
            clock_release(&ba);
        }
    }
    for (unsigned i = 0; i < 64; i++) {
        clock_release(&sets[i]);
    }
    printf("COUNT clock_triples %d\n", triples);
}

TEST(random_histories_agree_with_a_bitmap)
{
    enum { HISTORIES = 300, STEPS = 100 };
    struct prng prng;

    prng_init(&prng, 7);
    for (int history = 0; history < HISTORIES; history++) {
        struct clock clock = clock_of(large, 0);
        uint64_t bits = 0;
        for (int step = 0; step < STEPS; step++) {
            unsigned bit = (unsigned)prng_below(&prng, bits_count(large));
            if (prng_chance(&prng, 8)) {
                uint64_t more = prng_next(&prng) & prng_next(&prng) & (sets_count(large) - 1);
                struct clock other = clock_of(large, more);
                clock_join(&clock, &other);
                clock_release(&other);
                bits |= more;
            } else {
                (void)clock_add(&clock, dot_of(large, bit));
                bits |= (uint64_t)1 << bit;
            }
            must_be(large, &clock, bits);
            if (prng_chance(&prng, 20)) {
                bits &= prng_next(&prng);
                clock_release(&clock);
                clock = clock_of(large, bits);
            }
        }
        clock_release(&clock);
    }
    printf("COUNT clock_histories %d\n", HISTORIES);
}

static struct buf encoded(const struct clock *clock)
{
    struct buf buf;

    buf_init(&buf, SIZE_MAX);
    clock_encode(clock, &buf);
    return buf;
}

TEST(equal_sets_and_only_those_have_equal_encodings_and_digests)
{
    uint64_t count = sets_count(middle);
    uint64_t *digests = mem_alloc(count * sizeof(digests[0]));

    for (uint64_t bits = 0; bits < count; bits++) {
        struct clock clock = clock_of(middle, bits), back;
        struct buf buf = encoded(&clock);
        struct reader in = reader_of(buf_bytes(&buf));
        clock_init(&back);
        enum err err = clock_decode(&back, &in, 100);
        if (err != OK || !reader_done(&in) || !clock_equal(&clock, &back)) {
            ck_abort_msg("%llx does not come back", (unsigned long long)bits);
        }
        digests[bits] = clock_digest(&back);
        for (uint64_t before = bits < 64 ? 0 : bits - 64; before < bits; before++) {
            if (digests[before] == digests[bits]) {
                ck_abort_msg("%llx has a digest twice", (unsigned long long)bits);
            }
        }
        clock_release(&back);
        clock_release(&clock);
        buf_release(&buf);
    }
    mem_free(digests);
}

TEST(every_truncation_of_an_encoding_is_refused)
{
    for (uint64_t bits = 0; bits < sets_count(middle); bits++) {
        struct clock clock = clock_of(middle, bits), back = clock_of(middle, 5);
        struct buf buf = encoded(&clock);
        for (size_t size = 0; size < buf.size; size++) {
            struct reader in = reader_of((struct bytes){buf.data, size});
            if (clock_decode(&back, &in, 100) != ERR_MALFORMED || back.count != 0) {
                ck_abort_msg("%zu bytes of %llx", size, (unsigned long long)bits);
            }
        }
        clock_release(&back);
        clock_release(&clock);
        buf_release(&buf);
    }
}

/* What is accepted is canonical, and encodes to the bytes that were read. */
static bool decodes_to_itself(struct bytes bytes)
{
    struct reader in = reader_of(bytes);
    struct clock clock;
    bool good = true;

    clock_init(&clock);
    if (clock_decode(&clock, &in, 1000) == OK) {
        struct buf again = encoded(&clock);
        struct bytes read = {bytes.data, (size_t)(in.at - bytes.data)};
        good = is_canonical(&clock) && bytes_equal(buf_bytes(&again), read);
        buf_release(&again);
    } else {
        good = clock.count == 0;
    }
    clock_release(&clock);
    return good;
}

TEST(every_change_of_one_byte_is_refused_or_another_clock)
{
    int changes = 0;

    for (uint64_t bits = 0; bits < sets_count(middle); bits += 7) {
        struct clock clock = clock_of(middle, bits);
        struct buf buf = encoded(&clock);
        for (size_t at = 0; at < buf.size; at++) {
            uint8_t was = buf.data[at];
            for (unsigned value = 0; value < 256; value++, changes++) {
                buf.data[at] = (uint8_t)value;
                if (!decodes_to_itself(buf_bytes(&buf))) {
                    ck_abort_msg("byte %zu of %llx as %u", at, (unsigned long long)bits, value);
                }
            }
            buf.data[at] = was;
        }
        clock_release(&clock);
        buf_release(&buf);
    }
    printf("COUNT clock_changes %d\n", changes);
}

TEST(random_bytes_are_refused_or_canonical)
{
    enum { RUNS = 100000 };
    struct prng prng;
    uint8_t data[64];

    prng_init(&prng, 11);
    for (int run = 0; run < RUNS; run++) {
        size_t size = prng_below(&prng, sizeof(data) + 1);
        for (size_t i = 0; i < size; i++) { /* Many small numbers, or nothing would get far. */
            data[i] =
                prng_chance(&prng, 3) ? (uint8_t)prng_next(&prng) : (uint8_t)prng_below(&prng, 3);
        }
        if (!decodes_to_itself((struct bytes){data, size})) {
            ck_abort_msg("run %d", run);
        }
    }
}

TEST(no_more_intervals_than_the_limit_are_decoded)
{
    struct clock clock = clock_of(one, 0x55), back; /* Four intervals. */
    struct buf buf = encoded(&clock);

    clock_init(&back);
    for (uint32_t limit = 0; limit < 6; limit++) {
        struct reader in = reader_of(buf_bytes(&buf));
        ck_assert_int_eq(clock_decode(&back, &in, limit), limit < 4 ? ERR_MALFORMED : OK);
        ck_assert_uint_eq(back.count, limit < 4 ? 0 : 4);
    }
    clock_release(&back);
    clock_release(&clock);
    buf_release(&buf);
}

UNIT_MAIN(adding_dots_agrees_with_a_bitmap_whatever_the_order,
          adding_an_interval_adds_each_of_its_dots, join_covers_and_missing_are_those_of_sets,
          join_is_idempotent_commutative_and_associative, random_histories_agree_with_a_bitmap,
          equal_sets_and_only_those_have_equal_encodings_and_digests,
          every_truncation_of_an_encoding_is_refused,
          every_change_of_one_byte_is_refused_or_another_clock,
          random_bytes_are_refused_or_canonical, no_more_intervals_than_the_limit_are_decoded)
