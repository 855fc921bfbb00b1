/* storage/contract.h - storage.h's promises as claims that every implementation has to keep.
 *
 * Included by the unit tests only, one program per implementation: each claim is a function that
 * gets an empty store and asserts. What a crash, a fault or another thread does is in the tests of
 * each. */
#pragma once

#include <stdio.h>
#include <string.h>

#include "storage/storage.h"

#define CONTRACT_LIST(X)                                                                           \
    X(put_is_seen_after_commit_and_not_before)                                                     \
    X(delete_removes_and_may_find_nothing)                                                         \
    X(empty_value_is_not_absence)                                                                  \
    X(last_of_a_batch_wins)                                                                        \
    X(families_do_not_see_each_other)                                                              \
    X(get_appends_within_the_limit)                                                                \
    X(large_values_come_back_whole)                                                                \
    X(keys_of_any_bytes_are_in_memcmp_order)                                                       \
    X(scan_keeps_its_bounds)                                                                       \
    X(scan_stops_at_entries_max)                                                                   \
    X(scan_stops_once_bytes_max_is_passed)                                                         \
    X(pages_of_a_scan_make_the_whole)                                                              \
    X(scan_steps_over_what_was_deleted)                                                            \
    X(scanned_entries_outlive_the_next_commit)                                                     \
    X(counters_count)

/* The answer of a get, with its value in `buf`. */
static inline enum err contract_get(struct storage *storage, enum storage_family family,
                                    struct bytes key, struct buf *buf)
{
    buf_clear(buf);
    return storage_get(storage, family, key, STORAGE_TIER_ALL, buf);
}

static inline void contract_expect(struct storage *storage, struct bytes key, const char *value)
{
    struct buf buf;
    buf_init(&buf, 1024);
    enum err err = contract_get(storage, STORAGE_DATA, key, &buf);
    ASSERT(err == (value == NULL ? ERR_NOT_FOUND : OK));
    ASSERT(value == NULL || bytes_equal(buf_bytes(&buf), bytes_of(value)));
    buf_release(&buf);
}

static inline void contract_put(struct storage *storage, const char *key, const char *value)
{
    storage_put(storage, STORAGE_DATA, bytes_of(key), bytes_of(value));
}

static inline void contract_commit(struct storage *storage)
{
    ASSERT(storage_commit(storage) == OK);
}

/* Scan `from`..`to` of the data and expect the keys, each with its successor's first byte a space.
 */
static inline void contract_scan(struct storage *storage, struct storage_range range,
                                 const char *keys, bool more_expected)
{
    struct arena arena;
    struct storage_entry *entries;
    size_t count;
    bool more;
    char text[1024] = "";

    arena_init(&arena, 1024);
    ASSERT(storage_scan(storage, &range, &arena, &entries, &count, &more) == OK);
    for (size_t i = 0; i < count; i++) {
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%.*s", i > 0 ? " " : "",
                 (int)entries[i].key.size, (const char *)entries[i].key.data);
    }
    ASSERT(strcmp(text, keys) == 0);
    ASSERT(more == more_expected);
    arena_release(&arena);
}

static inline struct storage_range contract_range(const char *from, const char *to)
{
    return (struct storage_range){.family = STORAGE_DATA,
                                  .from = bytes_of(from),
                                  .to = bytes_of(to),
                                  .entries_max = 1000,
                                  .bytes_max = 1 << 20};
}

static inline void put_is_seen_after_commit_and_not_before(struct storage *storage)
{
    contract_put(storage, "k", "v");
    contract_expect(storage, bytes_of("k"), NULL);
    contract_scan(storage, contract_range("", ""), "", false);
    contract_commit(storage);
    contract_expect(storage, bytes_of("k"), "v");
    contract_put(storage, "k", "w");
    contract_expect(storage, bytes_of("k"), "v");
    contract_commit(storage);
    contract_commit(storage); /* Of nothing. */
    contract_expect(storage, bytes_of("k"), "w");
    ASSERT(storage_sync(storage) == OK);
    ASSERT(storage_sync(storage) == OK);
    contract_expect(storage, bytes_of("k"), "w");
}

static inline void delete_removes_and_may_find_nothing(struct storage *storage)
{
    storage_delete(storage, STORAGE_DATA, bytes_of("absent"));
    contract_put(storage, "a", "1");
    contract_put(storage, "b", "2");
    contract_commit(storage);
    storage_delete(storage, STORAGE_DATA, bytes_of("a"));
    contract_expect(storage, bytes_of("a"), "1");
    contract_commit(storage);
    contract_expect(storage, bytes_of("a"), NULL);
    contract_scan(storage, contract_range("", ""), "b", false);
}

static inline void empty_value_is_not_absence(struct storage *storage)
{
    contract_put(storage, "k", "");
    contract_commit(storage);
    contract_expect(storage, bytes_of("k"), "");
    contract_expect(storage, bytes_of("l"), NULL);
    contract_scan(storage, contract_range("", ""), "k", false);
}

static inline void last_of_a_batch_wins(struct storage *storage)
{
    contract_put(storage, "a", "1");
    contract_put(storage, "a", "2");
    storage_delete(storage, STORAGE_DATA, bytes_of("b"));
    contract_put(storage, "b", "3");
    contract_put(storage, "c", "4");
    storage_delete(storage, STORAGE_DATA, bytes_of("c"));
    contract_commit(storage);
    contract_expect(storage, bytes_of("a"), "2");
    contract_expect(storage, bytes_of("b"), "3");
    contract_expect(storage, bytes_of("c"), NULL);
}

static inline void families_do_not_see_each_other(struct storage *storage)
{
    struct buf buf;
    buf_init(&buf, 16);
    for (enum storage_family i = 0; i < STORAGE_FAMILIES_COUNT; i++) {
        uint8_t value = (uint8_t)i;
        storage_put(storage, i, bytes_of("k"), (struct bytes){&value, 1});
    }
    contract_commit(storage);
    storage_delete(storage, STORAGE_HINT, bytes_of("k"));
    contract_commit(storage);
    for (enum storage_family i = 0; i < STORAGE_FAMILIES_COUNT; i++) {
        enum err err = contract_get(storage, i, bytes_of("k"), &buf);
        ASSERT(err == (i == STORAGE_HINT ? ERR_NOT_FOUND : OK));
        ASSERT(err != OK || buf.data[0] == i);
    }
    buf_release(&buf);
}

static inline void get_appends_within_the_limit(struct storage *storage)
{
    struct buf buf;
    buf_init(&buf, 8);
    buf_put_bytes(&buf, bytes_of("ab"));
    contract_put(storage, "k", "cdef");
    contract_put(storage, "l", "ghi");
    contract_commit(storage);
    ASSERT(storage_get(storage, STORAGE_DATA, bytes_of("k"), STORAGE_TIER_ALL, &buf) == OK);
    ASSERT(storage_get(storage, STORAGE_DATA, bytes_of("l"), STORAGE_TIER_ALL, &buf) ==
           ERR_TOO_LARGE);
    ASSERT(bytes_equal(buf_bytes(&buf), bytes_of("abcdef")));
    buf_release(&buf);
}

static inline void large_values_come_back_whole(struct storage *storage)
{
    enum { LARGE = 6 << 20 };
    uint8_t *value = mem_alloc(LARGE);
    struct buf buf;
    buf_init(&buf, LARGE);
    for (size_t i = 0; i < LARGE; i++) {
        value[i] = (uint8_t)(i * 31 + (i >> 12));
    }
    storage_put(storage, STORAGE_DATA, bytes_of("k"), (struct bytes){value, LARGE});
    contract_put(storage, "l", "small");
    contract_commit(storage);
    ASSERT(contract_get(storage, STORAGE_DATA, bytes_of("k"), &buf) == OK);
    ASSERT(bytes_equal(buf_bytes(&buf), (struct bytes){value, LARGE}));
    contract_expect(storage, bytes_of("l"), "small");
    buf_release(&buf);
    mem_free(value);
}

static inline void keys_of_any_bytes_are_in_memcmp_order(struct storage *storage)
{
    /* In order; put from the last to the first. Long common beginnings and zeros at the end. */
    static const struct bytes keys[] = {
        {(const uint8_t *)"\0", 1},
        {(const uint8_t *)"\0\0", 2},
        {(const uint8_t *)"\0\0\0\0\0\0\0\0\0", 9},
        {(const uint8_t *)"\0\1", 2},
        {(const uint8_t *)"a", 1},
        {(const uint8_t *)"a\0", 2},
        {(const uint8_t *)"aaaaaaaa", 8},
        {(const uint8_t *)"aaaaaaaa\0", 9},
        {(const uint8_t *)"aaaaaaaab", 9},
        {(const uint8_t *)"\x7f", 1},
        {(const uint8_t *)"\x80", 1},
        {(const uint8_t *)"\xff", 1},
        {(const uint8_t *)"\xff\xff\xff\xff\xff\xff\xff\xff\xff", 9},
    };
    struct storage_range range = contract_range("", "");
    struct storage_entry *entries;
    size_t count;
    bool more;
    struct arena arena;

    arena_init(&arena, 1024);
    for (size_t i = ARRAY_COUNT(keys); i-- > 0;) {
        storage_put(storage, STORAGE_DATA, keys[i], keys[i]);
        contract_commit(storage);
    }
    ASSERT(storage_scan(storage, &range, &arena, &entries, &count, &more) == OK);
    ASSERT(count == ARRAY_COUNT(keys));
    ASSERT(!more);
    for (size_t i = 0; i < count; i++) {
        ASSERT(bytes_equal(entries[i].key, keys[i]));
        ASSERT(bytes_equal(entries[i].value, keys[i]));
    }
    arena_release(&arena);
}

static inline void contract_fill(struct storage *storage)
{
    contract_put(storage, "b", "11");
    contract_put(storage, "d", "2222");
    contract_put(storage, "f", "");
    contract_put(storage, "h", "33");
    contract_commit(storage);
}

static inline void scan_keeps_its_bounds(struct storage *storage)
{
    contract_scan(storage, contract_range("", ""), "", false);
    contract_fill(storage);
    contract_scan(storage, contract_range("", ""), "b d f h", false);
    contract_scan(storage, contract_range("b", "h"), "b d f", false);
    contract_scan(storage, contract_range("a", "b"), "", false);
    contract_scan(storage, contract_range("c", "g"), "d f", false);
    contract_scan(storage, contract_range("c", "c"), "", false);
    contract_scan(storage, contract_range("g", "c"), "", false);
    contract_scan(storage, contract_range("h", ""), "h", false);
    contract_scan(storage, contract_range("i", ""), "", false);
    contract_scan(storage, contract_range("", "d"), "b", false);
    contract_scan(storage, contract_range("", "d1"), "b d", false);
}

static inline void scan_stops_at_entries_max(struct storage *storage)
{
    contract_fill(storage);
    struct storage_range range = contract_range("", "h");
    range.entries_max = 2;
    contract_scan(storage, range, "b d", true);
    range.entries_max = 3;
    contract_scan(storage, range, "b d f", false); /* "h" is there, outside of the range. */
    range.to = bytes_of("");
    contract_scan(storage, range, "b d f", true);
    range.entries_max = 4;
    contract_scan(storage, range, "b d f h", false);
}

static inline void scan_stops_once_bytes_max_is_passed(struct storage *storage)
{
    contract_fill(storage);
    struct storage_range range = contract_range("", "");
    range.bytes_max = 1; /* One entry at least, or a large one could never be read. */
    contract_scan(storage, range, "b", true);
    range.bytes_max = 3; /* Reached by "b", not passed. */
    contract_scan(storage, range, "b d", true);
    range.bytes_max = 8;
    contract_scan(storage, range, "b d f", true);
    range.bytes_max = 9;
    contract_scan(storage, range, "b d f h", false);
}

static inline void pages_of_a_scan_make_the_whole(struct storage *storage)
{
    enum { KEYS = 1000 };
    uint8_t key[4] = {0}, from[5] = {0};
    struct arena arena;
    uint32_t next = 0;
    bool more = true;

    arena_init(&arena, 1024);
    for (uint32_t i = 0; i < KEYS; i++) {
        be32_set(key, (i * 7919) % KEYS); /* In no order. */
        storage_put(storage, STORAGE_LOG, (struct bytes){key, 4}, (struct bytes){key, i % 5});
    }
    contract_commit(storage);
    struct storage_range range = {.family = STORAGE_LOG, .entries_max = 37, .bytes_max = 1 << 20};
    while (more) {
        struct storage_entry *entries;
        size_t count;
        arena_reset(&arena);
        ASSERT(storage_scan(storage, &range, &arena, &entries, &count, &more) == OK);
        ASSERT(count == MIN(37U, KEYS - next));
        for (size_t i = 0; i < count; i++) {
            ASSERT(entries[i].key.size == 4);
            ASSERT(be32_at(entries[i].key.data) == next++);
        }
        memcpy(from, entries[count - 1].key.data, 4); /* Then the zero: the least key after it. */
        range.from = (struct bytes){from, 5};
    }
    ASSERT(next == KEYS);
    arena_release(&arena);
}

static inline void scan_steps_over_what_was_deleted(struct storage *storage)
{
    struct storage_entry *entries;
    size_t count;
    bool more;
    struct arena arena;
    uint8_t key[4];

    arena_init(&arena, 1024);
    for (uint32_t i = 0; i < 2000; i++) {
        be32_set(key, i);
        storage_put(storage, STORAGE_LOG, (struct bytes){key, 4}, (struct bytes){0});
    }
    contract_commit(storage);
    for (uint32_t i = 60; i < 1900; i++) {
        be32_set(key, i);
        storage_delete(storage, STORAGE_LOG, (struct bytes){key, 4});
    }
    contract_commit(storage);
    for (uint32_t from = 50; from < 1900; from += 10) {
        be32_set(key, from);
        struct storage_range range = {
            .family = STORAGE_LOG, .from = {key, 4}, .entries_max = 20, .bytes_max = 1 << 20};
        arena_reset(&arena);
        ASSERT(storage_scan(storage, &range, &arena, &entries, &count, &more) == OK);
        ASSERT(count == 20);
        ASSERT(more);
        for (uint32_t i = 0; i < count; i++) {
            uint32_t expected = from == 50 && i < 10 ? 50 + i : 1900 + i - (from == 50 ? 10 : 0);
            ASSERT(be32_at(entries[i].key.data) == expected);
        }
    }
    arena_release(&arena);
}

static inline void scanned_entries_outlive_the_next_commit(struct storage *storage)
{
    struct storage_range range = contract_range("", "");
    struct storage_entry *entries;
    size_t count;
    bool more;
    struct arena arena;

    arena_init(&arena, 1024);
    contract_fill(storage);
    ASSERT(storage_scan(storage, &range, &arena, &entries, &count, &more) == OK);
    contract_put(storage, "b", "99");
    storage_delete(storage, STORAGE_DATA, bytes_of("d"));
    contract_commit(storage);
    ASSERT(storage_sync(storage) == OK);
    ASSERT(bytes_equal(entries[0].value, bytes_of("11")));
    ASSERT(bytes_equal(entries[1].key, bytes_of("d")));
    ASSERT(bytes_equal(entries[1].value, bytes_of("2222")));
    arena_release(&arena);
}

static inline void counters_count(struct storage *storage)
{
    struct storage_stats stats;

    contract_fill(storage);
    storage_delete(storage, STORAGE_DATA, bytes_of("b"));
    contract_commit(storage);
    contract_commit(storage);
    contract_expect(storage, bytes_of("b"), NULL);
    contract_scan(storage, contract_range("", ""), "d f h", false);
    ASSERT(storage_sync(storage) == OK);
    storage_stats(storage, &stats);
    ASSERT(stats.puts == 4);
    ASSERT(stats.deletes == 1);
    ASSERT(stats.commits == 2);
    ASSERT(stats.commit_bytes >= 12);
    ASSERT(stats.syncs == 1);
    ASSERT(stats.gets == 1);
    ASSERT(stats.scans == 1);
    ASSERT(stats.memory_bytes > 0);
    ASSERT(!stats.write_stopped);
    ASSERT(stats.background_errors == 0);
    ASSERT(strlen(storage_failure(storage)) > 0);
}
