/* tests/unit/test_partition.c - two replicas end alike, whatever the order; and what may be
 * forgotten.
 *
 * Longer histories with crashes and more replicas are replayed from the model (test_model.c). */
#include "quorum/partition.h"

#include "tests/lib/unit.h"

#include <string.h>

static const struct bytes key = {(const uint8_t *)"k", 1};

/* -- All interleavings of three writes on two replicas, with one more event between them. */

enum { WRITES = 3, EVENTS = 2 * WRITES, ORDERS = 15 };

enum write_kind { SET, DEL, CAUSAL_SET, CAUSAL_BLIND, WRITE_KINDS };

enum extra { EXTRA_NONE, JOIN_0_FROM_1, JOIN_1_FROM_0, READ_REPAIR, COLLECT, EXTRAS };

struct delta {
    struct version version;
    struct dot replaced[WRITES];
    uint32_t replaced_count;
};

struct replica {
    struct partition partition;
    struct object object;
    uint64_t hlc;
};

struct schedule {
    struct replica replicas[2];
    struct delta deltas[WRITES];
    struct arena *arena;
    unsigned kinds[WRITES], nodes[WRITES]; /* What is written, and where. */
    int events[EVENTS]; /* i: write i is made; ~i: it reaches the other replica. */
};

/* Every order in which write i + 1 comes after write i, and each arrives after it was made. */
static int list_orders(int events[ORDERS][EVENTS])
{
    int count = 0;

    for (unsigned number = 0; number < 720; number++) {
        int left[EVENTS] = {0, 1, 2, ~0, ~1, ~2}, order[EVENTS], place[EVENTS];
        unsigned digits = number;
        for (unsigned i = 0; i < EVENTS; i++) {
            unsigned at = digits % (EVENTS - i);
            digits /= EVENTS - i;
            order[i] = left[at];
            memmove(&left[at], &left[at + 1], (EVENTS - 1 - at) * sizeof(left[0]));
            place[order[i] >= 0 ? order[i] : WRITES + ~order[i]] = (int)i;
        }
        bool good = place[0] < place[1] && place[1] < place[2];
        for (int i = 0; i < WRITES; i++) {
            good = good && place[i] < place[WRITES + i];
        }
        if (good) {
            memcpy(events[count++], order, sizeof(order));
        }
    }
    return count;
}

static bool apply(struct replica *replica, const struct delta *delta, struct arena *arena)
{
    replica->hlc = MAX(replica->hlc, delta->version.timestamp);
    return partition_apply(&replica->partition, &replica->object, &delta->version, delta->replaced,
                           delta->replaced_count, arena);
}

static void make_write(struct schedule *schedule, int index)
{
    struct replica *replica = &schedule->replicas[schedule->nodes[index]];
    struct delta *delta = &schedule->deltas[index];
    unsigned kind = schedule->kinds[index];

    *delta = (struct delta){.replaced_count = 0};
    for (uint32_t i = 0; i < replica->object.versions_count && kind != CAUSAL_BLIND; i++) {
        delta->replaced[delta->replaced_count++] = replica->object.versions[i].dot;
    }
    delta->version = (struct version){
        .dot = partition_next_dot(&replica->partition, 1 + schedule->nodes[index]),
        .timestamp = replica->hlc + 1,
        .kind = kind == DEL ? VERSION_TOMBSTONE : VERSION_STRING,
        .flags = kind == CAUSAL_SET || kind == CAUSAL_BLIND ? VERSION_CAUSAL : 0,
    };
    ck_assert(apply(replica, delta, schedule->arena));
}

/* All that `from` holds of the key is joined, and its clock. */
static void join(struct replica *to, const struct replica *from, struct arena *arena)
{
    struct object theirs = object_clone(&from->object, arena);

    to->hlc = MAX(to->hlc, from->hlc);
    partition_join_key(&to->partition, &to->object, &from->partition.clock, theirs.versions,
                       theirs.versions_count, theirs.residual, theirs.residual_count, arena);
    partition_join_clock(&to->partition, &from->partition.clock);
    object_tidy(&to->object, &to->partition.clock);
}

static void repair(struct schedule *schedule)
{
    struct replica *a = &schedule->replicas[0], *b = &schedule->replicas[1];
    struct version merged[2 * WRITES];
    struct dot gone[2 * WRITES];
    uint32_t merged_count = 0, gone_count = 0;

    for (unsigned side = 0; side < 2; side++) {
        struct replica *own = &schedule->replicas[side], *other = &schedule->replicas[1 - side];
        for (uint32_t i = 0; i < own->object.versions_count; i++) {
            const struct version *version = &own->object.versions[i];
            if (object_find(&other->object, version->dot) == NULL &&
                object_covers(&other->object, &other->partition.clock, version->dot)) {
                gone[gone_count++] = version->dot;
            } else {
                merged[merged_count++] = *version;
            }
        }
    }
    a->hlc = b->hlc = MAX(a->hlc, b->hlc);
    (void)partition_repair(&a->partition, &a->object, merged, merged_count, gone, gone_count,
                           schedule->arena);
    (void)partition_repair(&b->partition, &b->object, merged, merged_count, gone, gone_count,
                           schedule->arena);
}

/* Both tell their clocks, and forget the tombstones that they may. */
static void collect(struct schedule *schedule)
{
    for (unsigned self = 0; self < 2; self++) {
        struct replica *replica = &schedule->replicas[self];
        partition_seen(&replica->partition, 1 - self,
                       &schedule->replicas[1 - self].partition.clock);
    }
    for (unsigned self = 0; self < 2; self++) {
        struct replica *replica = &schedule->replicas[self];
        if (partition_may_forget(&replica->partition, 2, self)) {
            (void)partition_forget(&replica->partition, &replica->object, 2, self);
        }
    }
}

static void do_extra(struct schedule *schedule, enum extra extra)
{
    struct replica *replicas = schedule->replicas;

    switch (extra) {
    case JOIN_0_FROM_1:
        join(&replicas[0], &replicas[1], schedule->arena);
        return;
    case JOIN_1_FROM_0:
        join(&replicas[1], &replicas[0], schedule->arena);
        return;
    case READ_REPAIR:
        repair(schedule);
        return;
    case COLLECT:
        collect(schedule);
        return;
    case EXTRA_NONE:
    case EXTRAS:
        return;
    }
}

/* History says: a value that nothing replaced, and that is causal or outranks all that was written.
 */
static bool must_live(const struct schedule *schedule, int index)
{
    const struct version *version = &schedule->deltas[index].version;
    bool top = true, replaced = false;

    for (int i = 0; i < WRITES; i++) {
        const struct delta *other = &schedule->deltas[i];
        top = top && version_compare_tag(&other->version, version) <= 0;
        for (uint32_t j = 0; j < other->replaced_count; j++) {
            replaced = replaced || dot_equal(other->replaced[j], version->dot);
        }
    }
    return version->kind != VERSION_TOMBSTONE && !replaced &&
           (top || version->flags == VERSION_CAUSAL);
}

static bool ends_alike(struct schedule *schedule)
{
    struct replica *a = &schedule->replicas[0], *b = &schedule->replicas[1];
    bool good = clock_equal(&a->partition.clock, &b->partition.clock);
    uint32_t live = 0;

    for (int i = 0; i < WRITES; i++) { /* All of it once more: nothing may change. */
        good = good && !apply(a, &schedule->deltas[i], schedule->arena);
        good = good && !apply(b, &schedule->deltas[i], schedule->arena);
    }
    collect(schedule);
    for (int i = 0; i < WRITES; i++) {
        struct dot dot = schedule->deltas[i].version.dot;
        bool wanted = must_live(schedule, i);
        good = good && (object_find(&a->object, dot) != NULL) == wanted;
        good = good && (object_find(&b->object, dot) != NULL) == wanted;
        live += wanted;
    }
    return good && a->object.versions_count == live && b->object.versions_count == live &&
           a->object.residual_count == 0 && b->object.residual_count == 0;
}

static bool run(struct schedule *schedule, enum extra extra, int before)
{
    for (unsigned i = 0; i < 2; i++) {
        partition_init(&schedule->replicas[i].partition);
        object_init(&schedule->replicas[i].object);
        schedule->replicas[i].hlc = 5 * i; /* Their wall clocks differ. */
    }
    for (int at = 0; at < EVENTS; at++) {
        int event = schedule->events[at];
        if (at == before) {
            do_extra(schedule, extra);
        }
        if (event >= 0) {
            make_write(schedule, event);
        } else {
            struct replica *other = &schedule->replicas[1 - schedule->nodes[~event]];
            (void)apply(other, &schedule->deltas[~event], schedule->arena);
        }
    }
    bool good = ends_alike(schedule);
    partition_release(&schedule->replicas[0].partition);
    partition_release(&schedule->replicas[1].partition);
    return good;
}

TEST(three_writes_on_two_replicas_end_alike_in_every_order)
{
    int orders[ORDERS][EVENTS], runs = 0;
    struct schedule schedule;
    struct arena arena;

    ck_assert_int_eq(list_orders(orders), ORDERS);
    arena_init(&arena, 1 << 16);
    schedule.arena = &arena;
    for (unsigned number = 0; number < ORDERS * 8 * 64; number++) {
        unsigned order = number % ORDERS, nodes = number / ORDERS % 8, kinds = number / ORDERS / 8;
        memcpy(schedule.events, orders[order], sizeof(schedule.events));
        for (unsigned i = 0; i < WRITES; i++, kinds /= WRITE_KINDS) {
            schedule.nodes[i] = nodes >> i & 1;
            schedule.kinds[i] = kinds % WRITE_KINDS;
        }
        for (unsigned extra = EXTRA_NONE; extra < EXTRAS; extra++) {
            for (int before = 1; before < (extra == EXTRA_NONE ? 2 : EVENTS); before++, runs++) {
                if (!run(&schedule, (enum extra)extra, before)) {
                    ck_abort_msg("schedule %u, event %u before %d", number, extra, before);
                }
            }
        }
        arena_reset(&arena);
    }
    arena_release(&arena);
    printf("COUNT partition_interleavings %d\n", runs);
}

/* -- What may be collected. */

static struct version version_at(uint64_t actor, uint64_t counter, enum version_kind kind)
{
    return (struct version){.dot = {actor, counter},
                            .timestamp = counter,
                            .kind = (uint8_t)kind,
                            .flags = VERSION_CAUSAL};
}

TEST(counters_of_an_actor_have_no_gaps)
{
    struct partition partition;

    partition_init(&partition);
    for (uint64_t counter = 1; counter < 50; counter++) {
        struct dot dot = partition_next_dot(&partition, 7);
        ck_assert_uint_eq(dot.actor, 7);
        ck_assert_uint_eq(dot.counter, counter);
        (void)clock_add(&partition.clock, dot);
        (void)clock_add(&partition.clock, (struct dot){6 + counter % 2 * 2, counter * 3});
    }
    partition_release(&partition);
}

TEST(read_repair_leaves_the_clock_alone_and_says_whether_it_changed_anything)
{
    struct version one = version_at(1, 1, VERSION_STRING), two = version_at(2, 1, VERSION_STRING);
    struct version both[2] = {one, two};
    struct partition partition;
    struct object object;
    struct arena arena;
    struct dot gone = {3, 1};

    partition_init(&partition);
    object_init(&object);
    arena_init(&arena, 4096);
    ck_assert(partition_apply(&partition, &object, &one, NULL, 0, &arena));
    ck_assert(!partition_repair(&partition, &object, &one, 1, NULL, 0, &arena));
    ck_assert(partition_repair(&partition, &object, both, 2, &gone, 1, &arena));
    ck_assert(!partition_repair(&partition, &object, both, 2, &gone, 1, &arena));
    ck_assert_uint_eq(object.versions_count, 2);
    ck_assert(object_residual_has(&object, gone));
    ck_assert_uint_eq(partition.clock.count, 1);
    ck_assert(!clock_has(&partition.clock, two.dot));
    ck_assert(partition_repair(&partition, &object, NULL, 0, &one.dot, 1, &arena));
    ck_assert_ptr_null(object_find(&object, one.dot));
    ck_assert(!object_residual_has(&object, one.dot)); /* The clock has it. */
    partition_release(&partition);
    arena_release(&arena);
}

/* Owners 0, 1 and 2, of which we are 1. Bits of `told`: who has reported; of `has`: whose report
 * has the tombstone; of `more`: whose report has a dot that we lack. */
static void must_forget(unsigned told, unsigned has, unsigned more)
{
    struct version gone = version_at(3, 1, VERSION_TOMBSTONE);
    struct version kept = version_at(2, 1, VERSION_STRING);
    struct partition partition;
    struct object object;
    struct arena arena;

    partition_init(&partition);
    object_init(&object);
    arena_init(&arena, 4096);
    ck_assert(partition_apply(&partition, &object, &gone, NULL, 0, &arena));
    ck_assert(partition_apply(&partition, &object, &kept, NULL, 0, &arena));
    for (unsigned owner = 0; owner < 3; owner += 2) {
        struct clock clock;
        clock_init(&clock);
        (void)clock_add(&clock, kept.dot);
        if (has >> owner & 1) {
            (void)clock_add(&clock, gone.dot);
        }
        if (more >> owner & 1) {
            (void)clock_add(&clock, (struct dot){9, 1});
        }
        partition_seen(&partition, owner, &clock);
        if (!(told >> owner & 1)) {
            partition_unsee(&partition, owner);
        }
        clock_release(&clock);
    }
    bool may = partition_may_forget(&partition, 3, 1), all = (told & 5) == 5;
    ck_assert(may == (all && (more & 5) == 0));
    ck_assert(partition_forget(&partition, &object, 3, 1) == (all && (has & 5) == 5));
    ck_assert((object_find(&object, gone.dot) == NULL) == (all && (has & 5) == 5));
    ck_assert_ptr_nonnull(object_find(&object, kept.dot));
    ck_assert_uint_eq(object.residual_count, 0);
    partition_release(&partition);
    arena_release(&arena);
}

TEST(a_tombstone_goes_when_all_owners_have_it_and_we_have_all_of_theirs)
{
    for (unsigned told = 0; told < 8; told++) {
        for (unsigned has = 0; has < 8; has++) {
            for (unsigned more = 0; more < 8; more++) {
                must_forget(told, has, more);
            }
        }
    }
}

TEST(log_entries_stay_while_an_owner_has_not_reported_unless_there_are_too_many)
{
    struct partition partition;
    struct segments segments;

    partition_init(&partition);
    segments_init(&segments);
    for (uint64_t i = 1; i <= 10; i++) {
        (void)clock_add(&partition.clock, (struct dot){1, i});
        dotlog_append(&partition.log, &segments, (struct dot){1, i}, i, key);
    }
    size_t size = partition.log.entries.size;
    partition_seen(&partition, 0, &partition.clock);
    ck_assert_uint_eq(partition_collect_log(&partition, &segments, 3, 1, SIZE_MAX), 0);
    ck_assert_uint_eq(partition_collect_log(&partition, &segments, 3, 1, size), 0);
    ck_assert(!partition.checkpoint_due);
    ck_assert_uint_eq(partition_collect_log(&partition, &segments, 3, 1, size - 1), 1);
    ck_assert_uint_eq(partition.log.truncated, 1);
    ck_assert(partition.checkpoint_due); /* Before the segment goes, the clock is put. */
    partition_seen(&partition, 2, &partition.clock);
    ck_assert_uint_eq(partition_collect_log(&partition, &segments, 3, 1, SIZE_MAX), 9);
    ck_assert_uint_eq(partition.log.truncated, 1);
    ck_assert_uint_eq(partition_collect_log(&partition, &segments, 3, 1, 0), 0);
    partition_release(&partition);
    segments_release(&segments);
}

UNIT_MAIN(three_writes_on_two_replicas_end_alike_in_every_order, counters_of_an_actor_have_no_gaps,
          read_repair_leaves_the_clock_alone_and_says_whether_it_changed_anything,
          a_tombstone_goes_when_all_owners_have_it_and_we_have_all_of_theirs,
          log_entries_stay_while_an_owner_has_not_reported_unless_there_are_too_many)
