/* tests/unit/test_memory.c - the store in memory: the contract, exact crashes, faults, a model.
 *
 * The model of the table is an array searched from the front; the model of a crash is a copy of the
 * whole store after every commit. Neither shares an idea with memory.c. */
#include "storage/memory.h"

#include <check.h>
#include <stdlib.h>

#include "base/prng.h"
#include "storage/contract.h"

#define X(name)                                                                                    \
    START_TEST(contract_##name)                                                                    \
    {                                                                                              \
        struct storage *storage = memory_new();                                                    \
        name(storage);                                                                             \
        storage_close(storage);                                                                    \
    }                                                                                              \
    END_TEST
CONTRACT_LIST(X)
#undef X

enum { MODEL_KEYS = 40, MODEL_COMMITS = 60 };

/* The whole content of the model: the value of each key, 0 for none. */
struct image {
    uint32_t values[MODEL_KEYS];
};

static struct bytes key_of(uint32_t index, uint8_t key[4])
{
    be32_set(key, index);
    return (struct bytes){key, 4};
}

static void expect_image(struct storage *storage, const struct image *image)
{
    uint64_t keys = 0;
    struct buf buf;
    buf_init(&buf, 64);
    for (uint32_t i = 0; i < MODEL_KEYS; i++) {
        uint8_t key[4];
        enum err err = contract_get(storage, STORAGE_DATA, key_of(i, key), &buf);
        ck_assert_int_eq(err, image->values[i] == 0 ? ERR_NOT_FOUND : OK);
        if (err == OK) {
            ck_assert_uint_eq(be32_at(buf.data), image->values[i]);
            keys++;
        }
    }
    ck_assert_uint_eq(memory_keys(storage, STORAGE_DATA), keys);
    ck_assert_uint_eq(memory_bytes(storage, STORAGE_DATA), keys * 8);
    buf_release(&buf);
}

/* Add a batch of up to 8 random operations, perhaps several on one key. */
static void random_batch(struct storage *storage, struct prng *prng, struct image *image)
{
    for (uint64_t i = 1 + prng_below(prng, 8); i > 0; i--) {
        uint8_t key[4], value[4];
        uint32_t index = (uint32_t)prng_below(prng, MODEL_KEYS);
        if (prng_chance(prng, 3)) {
            image->values[index] = 0;
            storage_delete(storage, STORAGE_DATA, key_of(index, key));
        } else {
            image->values[index] = 1 + (uint32_t)prng_below(prng, 1000000);
            be32_set(value, image->values[index]);
            storage_put(storage, STORAGE_DATA, key_of(index, key), (struct bytes){value, 4});
        }
    }
}

static struct memory_loss random_crash(struct storage *storage, struct prng *prng, uint64_t history)
{
    static const enum memory_crash hows[] = {MEMORY_CRASH_PROCESS, MEMORY_CRASH_POWER,
                                             MEMORY_CRASH_PREFIX, MEMORY_CRASH_AMNESIA};
    enum memory_crash how = hows[prng_below(prng, ARRAY_COUNT(hows))];
    uint64_t unsynced = memory_unsynced(storage);
    struct memory_loss loss = memory_crash(storage, how, prng_next(prng));
    ck_assert_uint_eq(loss.kept + loss.lost, unsynced);
    ck_assert(how != MEMORY_CRASH_PROCESS || loss.lost == 0);
    ck_assert(how != MEMORY_CRASH_POWER || loss.kept == 0);
    ck_assert(how == MEMORY_CRASH_AMNESIA || loss.lost_synced == 0);
    ck_assert_uint_le(loss.lost_synced, history);
    return loss;
}

static void crash_run(uint64_t seed)
{
    struct image images[MODEL_COMMITS + 1] = {0};
    struct prng prng;
    struct storage *storage = memory_new();
    uint64_t history = seed % 5, commits = 0, synced = 0;
    prng_init(&prng, seed);
    memory_keep_history(storage, history);
    while (commits < MODEL_COMMITS) {
        struct image image = images[commits];
        random_batch(storage, &prng, &image);
        if (prng_chance(&prng, 8)) {
            struct memory_loss loss = random_crash(storage, &prng, history);
            commits = synced + loss.kept - loss.lost_synced;
            memory_reopen(storage);
            synced = commits;
        } else {
            ck_assert_int_eq(storage_commit(storage), OK);
            images[++commits] = image;
        }
        expect_image(storage, &images[commits]);
        if (prng_chance(&prng, 6)) {
            ck_assert_int_eq(storage_sync(storage), OK);
            synced = commits;
        }
        ck_assert_uint_eq(memory_unsynced(storage), commits - synced);
    }
    storage_close(storage);
}

START_TEST(crash_leaves_exactly_a_prefix_of_commits)
{
    for (uint64_t seed = 0; seed < 40; seed++) {
        crash_run((uint64_t)_i * 40 + seed);
    }
}
END_TEST

START_TEST(power_failure_after_a_kill_takes_what_the_system_held)
{
    struct storage *storage = memory_new();
    contract_put(storage, "a", "1");
    contract_commit(storage);
    ck_assert_int_eq(storage_sync(storage), OK);
    contract_put(storage, "b", "2");
    contract_commit(storage);
    ck_assert_uint_eq(memory_crash(storage, MEMORY_CRASH_PROCESS, 0).kept, 1);
    ck_assert_uint_eq(memory_crash(storage, MEMORY_CRASH_POWER, 0).lost, 1);
    memory_reopen(storage);
    contract_expect(storage, bytes_of("a"), "1");
    contract_expect(storage, bytes_of("b"), NULL);
    storage_close(storage);
}
END_TEST

START_TEST(amnesia_takes_synced_commits_as_far_as_remembered)
{
    for (uint64_t random = 0; random < 6; random++) {
        struct storage *storage = memory_new();
        memory_keep_history(storage, 2);
        for (const char *key = "abcd"; *key != '\0'; key++) {
            storage_put(storage, STORAGE_DATA, (struct bytes){(const uint8_t *)key, 1},
                        bytes_of("1"));
            contract_commit(storage);
            ck_assert_int_eq(storage_sync(storage), OK);
        }
        uint64_t lost = memory_crash(storage, MEMORY_CRASH_AMNESIA, random).lost_synced;
        ck_assert_uint_eq(lost, 1 + random % 2);
        memory_reopen(storage);
        contract_expect(storage, bytes_of("b"), "1");
        contract_expect(storage, bytes_of("c"), lost == 2 ? NULL : "1");
        contract_expect(storage, bytes_of("d"), NULL);
        storage_close(storage);
    }
}
END_TEST

START_TEST(failed_commit_is_sticky_and_may_turn_up_after_a_crash)
{
    bool seen[2] = {false, false};
    for (uint64_t random = 0; random < 3; random++) {
        struct storage *storage = memory_new();
        memory_fail_commit(storage, 2);
        contract_put(storage, "a", "1");
        contract_commit(storage);
        contract_commit(storage); /* Of nothing: does not count. */
        contract_put(storage, "b", "2");
        ck_assert_int_eq(storage_commit(storage), ERR_IO);
        contract_expect(storage, bytes_of("b"), NULL);
        contract_put(storage, "c", "3");
        ck_assert_int_eq(storage_commit(storage), ERR_IO);
        ck_assert_int_eq(storage_sync(storage), ERR_IO);
        ck_assert_ptr_nonnull(strstr(storage_failure(storage), "commit"));
        uint64_t kept = memory_crash(storage, MEMORY_CRASH_PREFIX, random).kept;
        memory_reopen(storage);
        contract_expect(storage, bytes_of("a"), kept >= 1 ? "1" : NULL);
        contract_expect(storage, bytes_of("b"), kept == 2 ? "2" : NULL);
        contract_expect(storage, bytes_of("c"), NULL);
        contract_put(storage, "d", "4");
        contract_commit(storage);
        ck_assert_int_eq(storage_sync(storage), OK);
        seen[kept == 2] = true;
        storage_close(storage);
    }
    ck_assert(seen[0]);
    ck_assert(seen[1]);
}
END_TEST

START_TEST(failed_sync_is_sticky_and_makes_nothing_durable)
{
    struct storage *storage = memory_new();
    memory_fail_sync(storage, 2);
    contract_put(storage, "a", "1");
    contract_commit(storage);
    ck_assert_int_eq(storage_sync(storage), OK);
    contract_put(storage, "b", "2");
    contract_commit(storage);
    ck_assert_int_eq(storage_sync(storage), ERR_IO);
    ck_assert_int_eq(storage_sync(storage), ERR_IO);
    contract_put(storage, "c", "3");
    ck_assert_int_eq(storage_commit(storage), ERR_IO);
    contract_expect(storage, bytes_of("b"), "2");
    memory_crash(storage, MEMORY_CRASH_POWER, 0);
    memory_reopen(storage);
    contract_expect(storage, bytes_of("a"), "1");
    contract_expect(storage, bytes_of("b"), NULL);
    storage_close(storage);
}
END_TEST

START_TEST(read_faults_fire_once_and_spoil_nothing)
{
    struct storage *storage = memory_new();
    struct storage_range range = contract_range("", "");
    struct storage_entry *entries = NULL;
    size_t count = 77;
    bool more;
    struct arena arena;
    struct buf buf;
    arena_init(&arena, 256);
    buf_init(&buf, 64);
    contract_fill(storage);
    memory_fail_read(storage, 2, ERR_IO);
    contract_expect(storage, bytes_of("b"), "11");
    ck_assert_int_eq(contract_get(storage, STORAGE_DATA, bytes_of("b"), &buf), ERR_IO);
    contract_expect(storage, bytes_of("b"), "11");
    memory_fail_read(storage, 1, ERR_CORRUPT);
    ck_assert_int_eq(storage_scan(storage, &range, &arena, &entries, &count, &more), ERR_CORRUPT);
    ck_assert_uint_eq(count, 77);
    contract_scan(storage, range, "b d f h", false);
    contract_commit(storage);
    arena_release(&arena);
    buf_release(&buf);
    storage_close(storage);
}
END_TEST

START_TEST(memory_tier_misses_as_often_as_asked_for)
{
    struct storage *storage = memory_new();
    struct prng prng;
    struct buf buf;
    struct storage_stats stats;
    unsigned missed = 0;
    prng_init(&prng, 1);
    buf_init(&buf, 1 << 16);
    contract_fill(storage);
    memory_miss(storage, &prng, 4);
    for (int i = 0; i < 4000; i++) {
        enum err err = storage_get(storage, STORAGE_DATA, bytes_of("b"), STORAGE_TIER_MEMORY, &buf);
        ck_assert(err == OK || err == ERR_WOULD_BLOCK);
        missed += err == ERR_WOULD_BLOCK;
        contract_expect(storage, bytes_of("b"), "11");
    }
    ck_assert_uint_gt(missed, 800);
    ck_assert_uint_lt(missed, 1200);
    storage_stats(storage, &stats);
    ck_assert_uint_eq(stats.gets_missed_memory, missed);
    buf_release(&buf);
    storage_close(storage);
}
END_TEST

START_TEST(rot_stays_until_the_entry_is_written_again)
{
    struct storage *storage = memory_new();
    struct storage_range range = contract_range("", "");
    struct storage_entry *entries;
    size_t count;
    bool more;
    struct arena arena;
    struct buf buf;
    arena_init(&arena, 256);
    buf_init(&buf, 64);
    contract_fill(storage);
    ck_assert(memory_rot(storage, STORAGE_DATA, bytes_of("b"), MEMORY_ROT_BIT, 8));
    contract_expect(storage, bytes_of("b"), "10");
    ck_assert(!memory_rot(storage, STORAGE_DATA, bytes_of("f"), MEMORY_ROT_BIT, 8));
    ck_assert(!memory_rot(storage, STORAGE_DATA, bytes_of("x"), MEMORY_ROT_UNREADABLE, 8));
    ck_assert(memory_rot(storage, STORAGE_DATA, bytes_of("d"), MEMORY_ROT_UNREADABLE, 0));
    memory_crash(storage, MEMORY_CRASH_PROCESS, 0);
    memory_reopen(storage);
    contract_expect(storage, bytes_of("b"), "10");
    ck_assert_int_eq(contract_get(storage, STORAGE_DATA, bytes_of("d"), &buf), ERR_CORRUPT);
    ck_assert_int_eq(storage_scan(storage, &range, &arena, &entries, &count, &more), ERR_CORRUPT);
    contract_put(storage, "d", "5");
    contract_commit(storage);
    contract_scan(storage, range, "b d f h", false);
    arena_release(&arena);
    buf_release(&buf);
    storage_close(storage);
}
END_TEST

static void visit_count(void *context, struct bytes key, struct bytes value)
{
    struct storage_entry *last = context;
    ck_assert(last->key.data == NULL || bytes_compare(last->key, key) < 0);
    *last = (struct storage_entry){key, {NULL, last->value.size + value.size}};
}

START_TEST(many_keys_stay_in_order_however_they_come_and_go)
{
    enum { KEYS = 20000 };
    struct storage *storage = memory_new();
    struct storage_entry last = {0};
    struct bytes picked;
    uint8_t key[4];
    for (uint32_t i = 0; i < KEYS; i++) {
        uint32_t index = _i == 0 ? i : _i == 1 ? KEYS - 1 - i : (i * 7919) % KEYS;
        storage_put(storage, STORAGE_HINT, key_of(index, key), (struct bytes){key, 4});
        contract_commit(storage);
    }
    memory_for_each(storage, STORAGE_HINT, visit_count, &last);
    ck_assert_uint_eq(last.value.size, KEYS * 4);
    ck_assert(memory_pick(storage, STORAGE_HINT, KEYS + 4711, &picked));
    ck_assert_uint_eq(be32_at(picked.data), 4711);
    for (uint32_t i = 0; i < KEYS; i++) {
        storage_delete(storage, STORAGE_HINT, key_of((uint32_t)((uint64_t)i * 104729 % KEYS), key));
        contract_commit(storage);
    }
    ck_assert_uint_eq(memory_bytes(storage, STORAGE_HINT), 0);
    ck_assert(!memory_pick(storage, STORAGE_HINT, 0, &picked));
    ck_assert_uint_eq(memory_crash(storage, MEMORY_CRASH_PREFIX, KEYS).kept, KEYS);
    memory_reopen(storage);
    last = (struct storage_entry){0};
    memory_for_each(storage, STORAGE_HINT, visit_count, &last);
    ck_assert_uint_eq(last.value.size, KEYS * 4);
    memory_wipe(storage);
    ck_assert_uint_eq(memory_keys(storage, STORAGE_HINT), 0);
    storage_close(storage);
    ck_assert_uint_eq(mem_used(), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("memory");
    TCase *contract = tcase_create("contract");
    TCase *faults = tcase_create("crashes and faults");
    suite_add_tcase(suite, contract);
    suite_add_tcase(suite, faults);
    tcase_set_timeout(faults, 60);
#define X(name) tcase_add_test(contract, contract_##name);
    CONTRACT_LIST(X)
#undef X
    tcase_add_loop_test(faults, crash_leaves_exactly_a_prefix_of_commits, 0, 4);
    tcase_add_test(faults, power_failure_after_a_kill_takes_what_the_system_held);
    tcase_add_test(faults, amnesia_takes_synced_commits_as_far_as_remembered);
    tcase_add_test(faults, failed_commit_is_sticky_and_may_turn_up_after_a_crash);
    tcase_add_test(faults, failed_sync_is_sticky_and_makes_nothing_durable);
    tcase_add_test(faults, read_faults_fire_once_and_spoil_nothing);
    tcase_add_test(faults, memory_tier_misses_as_often_as_asked_for);
    tcase_add_test(faults, rot_stays_until_the_entry_is_written_again);
    tcase_add_loop_test(faults, many_keys_stay_in_order_however_they_come_and_go, 0, 3);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
