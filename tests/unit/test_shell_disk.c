/* tests/unit/test_shell_disk.c - the disk's promises over a store that notes what it is asked, in a
 * real loop: what is committed, synced and reported, and when. */
#include "node/disk.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/unit.h"

enum { EVENTS_MAX = 64 };

/* A store of one record, "here" in memory and "cold" beyond it; what it cannot do it says. */
struct noting_store {
    struct storage storage;
    atomic_uint commits, syncs, scans;
    atomic_bool sync_waits; /* Syncs do not return while it is set. */
    unsigned puts_open;
    unsigned commits_at_scan;
    bool commit_fails, sync_fails;
};

static struct noting_store store;
static struct loop loop;
static struct log log_out;
static struct options options;
static struct disk disk;
static struct event events[EVENTS_MAX];
static char values[EVENTS_MAX][16];
static size_t events_count, events_wanted;
static void (*at_first_turn)(void);

static struct noting_store *noting(struct storage *storage)
{
    return CONTAINER_OF(storage, struct noting_store, storage);
}

static enum err store_get(struct storage *storage, enum storage_family family, struct bytes key,
                          enum storage_tier tier, struct buf *value)
{
    (void)storage;
    (void)family;
    if (bytes_equal(key, BYTES_LITERAL("huge"))) {
        return ERR_TOO_LARGE;
    }
    if (bytes_equal(key, BYTES_LITERAL("cold")) && tier == STORAGE_TIER_MEMORY) {
        return ERR_WOULD_BLOCK;
    }
    if (bytes_equal(key, BYTES_LITERAL("none"))) {
        return ERR_NOT_FOUND;
    }
    buf_put_bytes(value, key);
    return OK;
}

static void store_put(struct storage *storage, enum storage_family family, struct bytes key,
                      struct bytes value)
{
    (void)family;
    (void)key;
    (void)value;
    noting(storage)->puts_open++;
}

static void store_delete(struct storage *storage, enum storage_family family, struct bytes key)
{
    store_put(storage, family, key, (struct bytes){NULL, 0});
}

static enum err store_commit(struct storage *storage)
{
    noting(storage)->puts_open = 0;
    noting(storage)->commits++;
    return noting(storage)->commit_fails ? ERR_IO : OK;
}

static enum err store_sync(struct storage *storage)
{
    while (noting(storage)->sync_waits) {
    }
    noting(storage)->syncs++;
    return noting(storage)->sync_fails ? ERR_IO : OK;
}

static enum err store_scan(struct storage *storage, const struct storage_range *range,
                           struct arena *arena, struct storage_entry **entries,
                           size_t *entries_count, bool *more)
{
    noting(storage)->scans++;
    noting(storage)->commits_at_scan = noting(storage)->commits;
    *entries = arena_alloc(arena, sizeof(**entries));
    (*entries)[0] = (struct storage_entry){range->from, range->to};
    *entries_count = 1;
    *more = true;
    return OK;
}

static void store_stats(struct storage *storage, struct storage_stats *out)
{
    (void)storage;
    *out = (struct storage_stats){0};
}

static const char *store_failure(struct storage *storage)
{
    (void)storage;
    return "the disk is on fire";
}

static void store_close(struct storage *storage)
{
    ck_assert_uint_eq(noting(storage)->puts_open, 0);
}

static const struct storage_functions STORE = {
    .get = store_get,
    .put = store_put,
    .del = store_delete,
    .commit = store_commit,
    .sync = store_sync,
    .scan = store_scan,
    .stats = store_stats,
    .failure = store_failure,
    .close = store_close,
};

static void on_event(void *context, struct event *event)
{
    (void)context;
    ck_assert_uint_lt(events_count, EVENTS_MAX);
    events[events_count] = *event;
    snprintf(values[events_count], sizeof(values[0]), "%.*s", (int)event->bytes.size,
             (const char *)event->bytes.data);
    if (event->type == EVENT_DISK_SCAN) {
        ck_assert_int_eq(event->more, true);
        snprintf(values[events_count], sizeof(values[0]), "%.*s", (int)event->entries[0].key.size,
                 (const char *)event->entries[0].key.data);
    }
    events_count++;
}

static void on_turn(void *context)
{
    (void)context;
    if (at_first_turn != NULL) {
        void (*first)(void) = at_first_turn;
        at_first_turn = NULL;
        first();
    }
    struct event *later;
    while ((later = loop_event_next(&loop)) != NULL) {
        struct event event = *later;
        on_event(context, &event);
    }
    if (events_count >= events_wanted && disk_is_idle(&disk)) {
        loop_stop(&loop);
    }
}

/* Run a loop whose first turn does `first`, until so many events came. */
static void run(void (*first)(void), size_t wanted)
{
    store.storage.functions = &STORE;
    if (options.max_clients == 0) {
        options_init(&options);
    }
    log_init(&log_out, &options);
    at_first_turn = first;
    events_wanted = wanted;
    events_count = 0;
    loop_init(&loop, (struct loop_owner){NULL, on_event, on_turn});
    disk_init(&disk, &loop, &log_out, &options, &store.storage);
    loop_run(&loop);
    disk_close(&disk);
    loop_release(&loop);
}

static void put(void)
{
    disk_put(&disk, STORAGE_DATA, BYTES_LITERAL("k"), BYTES_LITERAL("v"));
}

static void one_commit(void)
{
    put();
    disk_commit(&disk, 1);
    ck_assert_uint_eq(store.commits, 1);
}

TEST(a_commit_is_reported_once_it_was_synced)
{
    run(one_commit, 1);
    ck_assert_int_eq(events[0].type, EVENT_DURABLE);
    ck_assert_uint_eq(events[0].sequence, 1);
    ck_assert_uint_ge(store.syncs, 1);
}

static void many_commits_during_a_sync(void)
{
    store.sync_waits = true;
    for (uint64_t sequence = 1; sequence <= 50; sequence++) {
        put();
        disk_commit(&disk, sequence);
    }
    store.sync_waits = false;
}

TEST(one_sync_covers_all_commits_that_came_meanwhile)
{
    run(many_commits_during_a_sync, 1);
    ck_assert_uint_le(events_count, 2);
    ck_assert_uint_le(events[0].sequence, 50);
    ck_assert_uint_eq(store.commits, 51); /* And an empty one when the disk is closed. */
    ck_assert_uint_le(store.syncs, 3);
}

TEST(what_the_system_has_is_durable_when_sync_is_os)
{
    options_init(&options);
    options.sync = SYNC_OS;
    run(one_commit, 1);
    ck_assert_int_eq(events[0].type, EVENT_DURABLE);
    ck_assert_uint_eq(store.syncs, 1); /* When the disk is closed. */
}

static void empty_commits(void)
{
    disk_commit(&disk, 1);
    disk_commit(&disk, 2);
}

TEST(an_empty_commit_after_synced_ones_is_reported_at_once)
{
    run(empty_commits, 2);
    ck_assert_uint_eq(events[0].sequence, 1);
    ck_assert_uint_eq(events[1].sequence, 2);
    ck_assert_uint_eq(store.syncs, 1);
}

static void an_empty_commit_after_a_full_one(void)
{
    store.sync_waits = true;
    one_commit();
    disk_commit(&disk, 2);
    ck_assert_uint_eq(disk.reported, 0);
    store.sync_waits = false;
}

TEST(an_empty_commit_never_overtakes_a_full_one)
{
    run(an_empty_commit_after_a_full_one, 1);
    ck_assert_uint_ge(store.syncs, 1);
}

static void reads(void)
{
    disk_read(&disk, 1, BYTES_LITERAL("here"));
    disk_read(&disk, 2, BYTES_LITERAL("cold"));
    disk_read(&disk, 3, BYTES_LITERAL("none"));
    disk_read(&disk, 4, BYTES_LITERAL("huge"));
}

TEST(reads_from_memory_come_in_order_and_before_those_of_workers)
{
    static const struct {
        uint64_t id;
        enum err err;
        const char *value;
    } EXPECTED[] = {{1, OK, "here"}, {3, ERR_NOT_FOUND, ""}, {4, ERR_CORRUPT, ""}, {2, OK, "cold"}};

    run(reads, 4);
    ck_assert_uint_eq(events_count, 4);
    for (size_t i = 0; i < 4; i++) {
        ck_assert_int_eq(events[i].type, EVENT_DISK_READ);
        ck_assert_uint_eq(events[i].id, EXPECTED[i].id);
        ck_assert_int_eq(events[i].err, EXPECTED[i].err);
        ck_assert_str_eq(values[i], EXPECTED[i].value);
    }
}

static void scan(uint64_t id)
{
    char from[] = "from";
    const struct storage_range range = {
        .family = STORAGE_DATA, .from = bytes_of(from), .entries_max = 1, .bytes_max = 1};
    disk_scan(&disk, id, &range);
    memset(from, 'x', sizeof(from)); /* The range is the caller's only until the call returns. */
}

static void a_scan_behind_a_put(void)
{
    put();
    scan(7);
    put();
    ck_assert_uint_eq(store.scans, 0);
    disk_commit(&disk, 1);
    scan(8);
}

TEST(a_scan_sees_the_batch_that_precedes_it)
{
    run(a_scan_behind_a_put, 3);
    ck_assert_uint_eq(store.scans, 2);
    ck_assert_uint_eq(store.commits_at_scan, 1);
    unsigned scans = 0;
    for (size_t i = 0; i < events_count; i++) {
        if (events[i].type == EVENT_DISK_SCAN) {
            ck_assert_str_eq(values[i], "from");
            scans++;
        }
    }
    ck_assert_uint_eq(scans, 2);
}

/* Run in a child and return its exit status; DURABLE in a failing child would be status 0. */
static int status_of_run(void)
{
    (void)fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        ck_assert_ptr_nonnull(freopen("/dev/null", "w", stderr));
        run(one_commit, 1);
        _exit(0);
    }
    int status = 0;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

TEST(the_first_failed_commit_or_sync_ends_the_process)
{
    ck_assert_int_eq(status_of_run(), 0);
    store.commit_fails = true;
    ck_assert_int_eq(status_of_run(), 1);
    store.commit_fails = false;
    store.sync_fails = true;
    ck_assert_int_eq(status_of_run(), 1);
}

UNIT_MAIN(a_commit_is_reported_once_it_was_synced, one_sync_covers_all_commits_that_came_meanwhile,
          what_the_system_has_is_durable_when_sync_is_os,
          an_empty_commit_after_synced_ones_is_reported_at_once,
          an_empty_commit_never_overtakes_a_full_one,
          reads_from_memory_come_in_order_and_before_those_of_workers,
          a_scan_sees_the_batch_that_precedes_it, the_first_failed_commit_or_sync_ends_the_process)
