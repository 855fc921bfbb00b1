/* tests/unit/test_dotlog.c - the log of dots and the segments it occupies, against a plain array.
 */
#include "quorum/dotlog.h"

#include "base/prng.h"
#include "tests/lib/unit.h"

#include <string.h>

enum { LOGS = 3, ENTRIES_MAX = 400, SEGMENTS_MAX = 500 };

/* One entry as a plain array remembers it. */
struct entry {
    struct dot dot;
    uint64_t segment;
    size_t key_size;
};

struct plain_log {
    struct entry entries[ENTRIES_MAX];
    uint32_t count;
};

static const uint8_t letters[64] = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz";

/* The size that an entry has in the log: two words of a dot, its segment, a length, the key. */
static size_t entry_size(const struct entry *entry)
{
    return 28 + entry->key_size;
}

static size_t plain_size(const struct plain_log *log)
{
    size_t size = 0;

    for (uint32_t i = 0; i < log->count; i++) {
        size += entry_size(&log->entries[i]);
    }
    return size;
}

static struct bytes key_of(const struct entry *entry)
{
    return (struct bytes){letters + entry->dot.counter % 10, entry->key_size};
}

static void append(struct dotlog *log, struct plain_log *plain, struct segments *segments,
                   struct entry entry)
{
    ASSERT(plain->count < ENTRIES_MAX);
    dotlog_append(log, segments, entry.dot, entry.segment, key_of(&entry));
    plain->entries[plain->count++] = entry;
}

static bool log_is(const struct dotlog *log, const struct plain_log *plain)
{
    struct dotlog_entry entry;
    bool same = log->count == plain->count && log->entries.size == plain_size(plain);
    uint32_t i = 0;

    for (size_t at = 0; same && dotlog_next(log, &at, &entry); i++) {
        const struct entry *wanted = &plain->entries[i];
        same = i < plain->count && dot_equal(entry.dot, wanted->dot) &&
               entry.segment == wanted->segment && bytes_equal(entry.key, key_of(wanted));
    }
    return same && i == plain->count;
}

static void drop(struct plain_log *log, uint32_t index)
{
    memmove(&log->entries[index], &log->entries[index + 1],
            (log->count - index - 1) * sizeof(log->entries[0]));
    log->count--;
}

TEST(what_is_appended_is_found_in_order)
{
    struct dotlog log;
    struct segments segments;
    struct plain_log plain = {.count = 0};

    dotlog_init(&log);
    segments_init(&segments);
    ck_assert(log_is(&log, &plain));
    for (uint64_t i = 1; i <= 100; i++) {
        append(&log, &plain, &segments, (struct entry){{i % 3 + 1, i}, 7 + i / 10, i % 40});
        ck_assert(log_is(&log, &plain));
    }
    dotlog_release(&log);
    segments_release(&segments);
}

TEST(an_entry_goes_once_every_owner_has_its_dot)
{
    struct dotlog log;
    struct segments segments;
    struct clock clocks[2];

    segments_init(&segments);
    /* Six dots; bit i of `a` and `b`: the first and the second owner have dot i. */
    for (unsigned a = 0; a < 64; a++) {
        for (unsigned b = 0; b < 64; b++) {
            const struct clock *reports[2] = {&clocks[0], &clocks[1]};
            struct plain_log plain = {.count = 0};
            dotlog_init(&log);
            clock_init(&clocks[0]);
            clock_init(&clocks[1]);
            for (uint64_t i = 0; i < 6; i++) {
                struct entry entry = {{i % 2 + 1, i + 1}, 1, i};
                append(&log, &plain, &segments, entry);
                if (a >> i & 1) {
                    (void)clock_add(&clocks[0], entry.dot);
                }
                if (b >> i & 1) {
                    (void)clock_add(&clocks[1], entry.dot);
                }
            }
            for (uint32_t i = 6; i > 0; i--) {
                if ((a & b) >> (i - 1) & 1) {
                    drop(&plain, i - 1);
                }
            }
            uint32_t dropped = dotlog_collect(&log, &segments, reports, 2, SIZE_MAX);
            ck_assert_uint_eq(dropped, (unsigned)__builtin_popcount(a & b));
            ck_assert(log_is(&log, &plain));
            ck_assert_uint_eq(log.truncated, 0);
            (void)dotlog_collect(&log, &segments, reports, 0, SIZE_MAX); /* No other owner. */
            ck_assert_uint_eq(log.count, 0);
            clock_release(&clocks[0]);
            clock_release(&clocks[1]);
            dotlog_release(&log);
        }
    }
    ck_assert_uint_eq(segments_take_dead(&segments, 2), 1);
    segments_release(&segments);
}

TEST(past_the_byte_limit_the_oldest_entries_go_and_are_counted)
{
    static const struct clock nothing;
    const struct clock *reports[1] = {&nothing};

    for (size_t limit = 0; limit < 400; limit++) {
        struct dotlog log;
        struct segments segments;
        struct plain_log plain = {.count = 0};
        dotlog_init(&log);
        segments_init(&segments);
        for (uint64_t i = 1; i <= 10; i++) {
            append(&log, &plain, &segments, (struct entry){{1, i}, i, i});
        }
        uint32_t gone = 0;
        while (plain_size(&plain) > limit) {
            drop(&plain, 0);
            gone++;
        }
        ck_assert_uint_eq(dotlog_collect(&log, &segments, reports, 1, limit), gone);
        ck_assert_uint_eq(log.truncated, gone);
        ck_assert(log_is(&log, &plain));
        dotlog_release(&log);
        segments_release(&segments);
    }
}

/* Logs that share segments, and what a plain array says of each segment. */
struct world {
    struct dotlog logs[LOGS];
    struct plain_log plain[LOGS];
    struct segments segments;
    bool written[SEGMENTS_MAX], deleted[SEGMENTS_MAX];
    uint64_t next; /* The segment that is open. */
    uint64_t counter;
};

static uint32_t live_in(const struct world *world, uint64_t segment)
{
    uint32_t live = 0;

    for (unsigned l = 0; l < LOGS; l++) {
        for (uint32_t i = 0; i < world->plain[l].count; i++) {
            live += world->plain[l].entries[i].segment == segment;
        }
    }
    return live;
}

static void world_append(struct world *world, struct prng *prng)
{
    unsigned l = (unsigned)prng_below(prng, LOGS);

    if (world->plain[l].count < ENTRIES_MAX) {
        append(&world->logs[l], &world->plain[l], &world->segments,
               (struct entry){{1, ++world->counter}, world->next, prng_below(prng, 30)});
        world->written[world->next] = true;
    }
}

/* Drop a random part of one log, as clocks that cover just that would. */
static void world_collect(struct world *world, struct prng *prng)
{
    unsigned l = (unsigned)prng_below(prng, LOGS);
    uint64_t one_in = 1 + prng_below(prng, 4);
    struct plain_log *plain = &world->plain[l];
    struct clock clock;
    const struct clock *reports[1] = {&clock};

    clock_init(&clock);
    for (uint32_t i = plain->count; i > 0; i--) {
        if (prng_below(prng, one_in) == 0) {
            (void)clock_add(&clock, plain->entries[i - 1].dot);
            drop(plain, i - 1);
        }
    }
    (void)dotlog_collect(&world->logs[l], &world->segments, reports, 1, SIZE_MAX);
    ck_assert(log_is(&world->logs[l], plain));
    clock_release(&clock);
}

/* One pass: each dead segment below `before` once, in order, and nothing else. */
static void world_take(struct world *world, uint64_t before)
{
    uint64_t last = 0;

    for (;;) {
        uint64_t segment = segments_take_dead(&world->segments, before);
        if (segment == 0) {
            break;
        }
        ck_assert_uint_gt(segment, last);
        ck_assert_uint_lt(segment, before);
        ck_assert(!world->deleted[segment]);
        ck_assert_uint_eq(live_in(world, segment), 0);
        world->deleted[segment] = true;
        last = segment;
    }
    for (uint64_t segment = 1; segment < before; segment++) {
        if (world->written[segment] && !world->deleted[segment]) {
            ck_assert_uint_gt(live_in(world, segment), 0);
        }
    }
}

TEST(a_segment_is_dead_exactly_when_no_log_holds_an_entry_of_it)
{
    enum { RUNS = 150 };
    struct world *world = mem_alloc(sizeof(*world));
    struct prng prng;
    unsigned middle = 0;

    for (uint64_t run = 0; run < RUNS; run++) {
        *world = (struct world){.next = 1 + run % 5};
        prng_init(&prng, run);
        segments_init(&world->segments);
        for (unsigned l = 0; l < LOGS; l++) {
            dotlog_init(&world->logs[l]);
        }
        while (world->next < SEGMENTS_MAX - 1) {
            uint64_t what = prng_below(&prng, 10);
            if (what < 5) {
                world_append(world, &prng);
            } else if (what < 8) {
                world->next += 1 + (prng_chance(&prng, 5) ? prng_below(&prng, 4) : 0);
                world->next = MIN(world->next, (uint64_t)SEGMENTS_MAX - 1);
            } else if (what < 9) {
                world_collect(world, &prng);
            } else {

                world_take(world, world->next);
                middle += world->segments.count > 1 &&
                          world->segments.live[world->segments.head + 1] == SEGMENT_DELETED;
            }
        }
        for (unsigned l = 0; l < LOGS; l++) {
            static const struct clock *const none[1];
            (void)dotlog_collect(&world->logs[l], &world->segments, none, 0, SIZE_MAX);
            world->plain[l].count = 0;
        }
        world_take(world, SEGMENTS_MAX);
        ck_assert_uint_eq(world->segments.count, 0);
        for (unsigned l = 0; l < LOGS; l++) {
            dotlog_release(&world->logs[l]);
        }
        segments_release(&world->segments);
    }
    mem_free(world);
    ck_assert_uint_gt(middle, 0); /* Dead ones behind a live one have been there. */
    printf("COUNT dotlog_runs %d\nCOUNT dotlog_dead_in_the_middle %u\n", RUNS, middle);
}

UNIT_MAIN(what_is_appended_is_found_in_order, an_entry_goes_once_every_owner_has_its_dot,
          past_the_byte_limit_the_oldest_entries_go_and_are_counted,
          a_segment_is_dead_exactly_when_no_log_holds_an_entry_of_it)
