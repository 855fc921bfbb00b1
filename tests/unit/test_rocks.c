/* tests/unit/test_rocks.c - the store on RocksDB: the contract, a model, refusals, failing disks,
 * kills.
 *
 * Each test gets an empty directory of its own below $TMPDIR. The model of what gets and scans
 * answer is the store in memory. */
#include "storage/rocks.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/prng.h"
#include "storage/contract.h"
#include "storage/memory.h"

enum { BATCH = 16 };

static char parent[200], directory[256];

static void make_parent(void)
{
    const char *temporary = getenv("TMPDIR");
    snprintf(parent, sizeof(parent), "%s/test_rocks.XXXXXX",
             temporary != NULL ? temporary : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(parent));
    snprintf(directory, sizeof(directory), "%s/store", parent);
}

static void remove_files(const char *path)
{
    DIR *dir = opendir(path);
    if (dir == NULL) {
        return;
    }
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        unlinkat(dirfd(dir), entry->d_name, 0);
    }
    closedir(dir);
    rmdir(path);
}

static void remove_parent(void)
{
    remove_files(directory);
    remove_files(parent);
}

static enum err open_with(bool create, struct storage **storage, struct buf *words)
{
    struct rocks_options options = {
        .directory = directory, .cache_bytes = 8 << 20, .sync = true, .create = create};
    buf_clear(words);
    return rocks_open(&options, storage, words);
}

static struct storage *open_store(void)
{
    struct storage *storage = NULL;
    struct buf words;
    buf_init(&words, 2 * ROCKS_WORDS_SIZE_MIN);
    enum err err = open_with(true, &storage, &words);
    ck_assert_msg(err == OK, "%.*s", (int)words.size, (const char *)words.data);
    buf_release(&words);
    return storage;
}

/* Expect a refusal whose words name the directory and contain `part`. */
static void expect_refusal(bool create, enum err expected, const char *part)
{
    struct storage *storage = NULL;
    struct buf words;
    buf_init(&words, 2 * ROCKS_WORDS_SIZE_MIN);
    enum err err = open_with(create, &storage, &words);
    buf_put_u8(&words, 0);
    ck_assert_msg(err == expected, "%s: %s", err_text(err), (const char *)words.data);
    ck_assert_ptr_null(storage);
    ck_assert_ptr_nonnull(strstr((const char *)words.data, directory));
    ck_assert_msg(strstr((const char *)words.data, part) != NULL, "%s", (const char *)words.data);
    ck_assert_ptr_null(strchr((const char *)words.data, '\n'));
    buf_release(&words);
}

#define X(name)                                                                                    \
    START_TEST(contract_##name)                                                                    \
    {                                                                                              \
        struct storage *storage = open_store();                                                    \
        name(storage);                                                                             \
        storage_close(storage);                                                                    \
        ck_assert_uint_eq(mem_used(), 0);                                                          \
    }                                                                                              \
    END_TEST
CONTRACT_LIST(X)
#undef X

/* The child's exit status must be 0. */
static void expect_child_ok(pid_t child)
{
    int status = 0;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "child ended with %x", status);
}

static struct bytes random_key(struct prng *prng, uint8_t key[12])
{
    uint64_t size = prng_below(prng, 2) == 0 ? 2 : 12;
    memset(key, 0, 12);
    key[0] = (uint8_t)prng_below(prng, 4);
    key[size - 1] = (uint8_t)prng_below(prng, 50);
    return (struct bytes){key, size};
}

static void random_write(struct storage *rocks, struct storage *memory, struct prng *prng)
{
    uint8_t value[600];
    for (uint64_t i = 1 + prng_below(prng, 30); i > 0; i--) {
        uint8_t space[12];
        enum storage_family family = (enum storage_family)prng_below(prng, STORAGE_FAMILIES_COUNT);
        struct bytes key = random_key(prng, space);
        memset(value, (int)prng_below(prng, 256), sizeof(value));
        if (prng_chance(prng, 3)) {
            storage_delete(rocks, family, key);
            storage_delete(memory, family, key);
        } else {
            struct bytes bytes = {value, prng_below(prng, sizeof(value))};
            storage_put(rocks, family, key, bytes);
            storage_put(memory, family, key, bytes);
        }
    }
    ck_assert_int_eq(storage_commit(rocks), OK);
    ck_assert_int_eq(storage_commit(memory), OK);
}

static void random_get(struct storage *rocks, struct storage *memory, struct prng *prng)
{
    uint8_t space[12];
    struct buf a, b;
    struct bytes key = random_key(prng, space);
    enum storage_family family = (enum storage_family)prng_below(prng, STORAGE_FAMILIES_COUNT);
    buf_init(&a, 1024);
    buf_init(&b, 1024);
    ck_assert_int_eq(contract_get(memory, family, key, &a), contract_get(rocks, family, key, &b));
    ck_assert(bytes_equal(buf_bytes(&a), buf_bytes(&b)));
    /* A miss of the cache may be all that the memory tier says, but no other answer is allowed. */
    buf_clear(&b);
    enum err err = storage_get(rocks, family, key, STORAGE_TIER_MEMORY, &b);
    ck_assert(err == ERR_WOULD_BLOCK || bytes_equal(buf_bytes(&a), buf_bytes(&b)));
    buf_release(&a);
    buf_release(&b);
}

static void random_scan(struct storage *rocks, struct storage *memory, struct prng *prng)
{
    uint8_t from[12], to[12];
    struct storage_entry *a, *b;
    size_t a_count, b_count;
    bool a_more, b_more;
    struct arena arena;
    struct storage_range range = {
        .family = (enum storage_family)prng_below(prng, STORAGE_FAMILIES_COUNT),
        .entries_max = 1 + prng_below(prng, 100),
        .bytes_max = 1 + prng_below(prng, 20000),
    };
    range.from = prng_chance(prng, 4) ? (struct bytes){0} : random_key(prng, from);
    range.to = prng_chance(prng, 4) ? (struct bytes){0} : random_key(prng, to);
    arena_init(&arena, 4096);
    ck_assert_int_eq(storage_scan(memory, &range, &arena, &a, &a_count, &a_more), OK);
    ck_assert_int_eq(storage_scan(rocks, &range, &arena, &b, &b_count, &b_more), OK);
    ck_assert_uint_eq(a_count, b_count);
    ck_assert_int_eq(a_more, b_more);
    for (size_t i = 0; i < a_count; i++) {
        ck_assert(bytes_equal(a[i].key, b[i].key));
        ck_assert(bytes_equal(a[i].value, b[i].value));
    }
    arena_release(&arena);
}

START_TEST(answers_as_the_store_in_memory_does)
{
    struct prng prng;
    struct storage *rocks = open_store();
    struct storage *memory = memory_new();
    prng_init(&prng, (uint64_t)_i);
    for (int step = 0; step < 1500; step++) {
        switch (prng_below(&prng, 4)) {
        case 0:
            random_write(rocks, memory, &prng);
            break;
        case 1:
            random_scan(rocks, memory, &prng);
            break;
        default:
            random_get(rocks, memory, &prng);
        }
        if (prng_chance(&prng, 100)) {
            ck_assert_int_eq(rocks_flush(rocks), OK);
        } else if (prng_chance(&prng, 200)) {
            ck_assert_int_eq(rocks_compact(rocks), OK);
        } else if (prng_chance(&prng, 200)) {
            storage_close(rocks);
            rocks = open_store();
        }
    }
    storage_close(rocks);
    storage_close(memory);
}
END_TEST

START_TEST(what_a_start_finds_is_on_disk_before_it_is_served)
{
    struct storage_stats stats;
    struct storage *storage = open_store();
    contract_put(storage, "a", "1");
    contract_commit(storage); /* No sync. */
    storage_close(storage);
    storage = open_store();
    storage_stats(storage, &stats);
    ck_assert_uint_gt(stats.disk_bytes, 0); /* Replaying the log ends with a synced table file. */
    contract_expect(storage, bytes_of("a"), "1");
    storage_close(storage);
}
END_TEST

/* True when some file of the store contains `needle`. */
static bool files_contain(const char *needle)
{
    char command[512];
    snprintf(command, sizeof(command), "grep -rqaF -- '%s' '%s'", needle, directory);
    return system(command) == 0; /* NOLINT: fixed words. */
}

START_TEST(deleted_key_leaves_no_byte_on_disk)
{
    struct storage *storage = open_store();
    contract_put(storage, "the-name-of-a-key", "0123456789zyxwvut");
    contract_commit(storage);
    ck_assert_int_eq(rocks_flush(storage), OK);
    ck_assert_uint_gt(rocks_count_bytes(storage, STORAGE_DATA), 0);
    storage_delete(storage, STORAGE_DATA, bytes_of("the-name-of-a-key"));
    contract_commit(storage);
    ck_assert(files_contain("the-name-of-a-key"));
    ck_assert(files_contain("0123456789zyxwvut"));
    ck_assert_int_eq(rocks_compact(storage), OK);
    ck_assert_uint_eq(rocks_count_bytes(storage, STORAGE_DATA), 0);
    storage_close(storage);
    storage = open_store(); /* Closing and opening drops obsolete files. */
    ck_assert(!files_contain("the-name-of-a-key"));
    ck_assert(!files_contain("0123456789zyxwvut"));
    storage_close(storage);
}
END_TEST

START_TEST(memory_tier_misses_only_what_is_not_cached)
{
    struct storage_stats stats;
    struct buf buf;
    struct storage *storage = open_store();
    buf_init(&buf, 64);
    contract_put(storage, "a", "1");
    contract_commit(storage);
    ck_assert_int_eq(storage_get(storage, STORAGE_DATA, bytes_of("a"), STORAGE_TIER_MEMORY, &buf),
                     OK);
    ck_assert_int_eq(rocks_flush(storage), OK);
    storage_close(storage);
    storage = open_store();
    ck_assert_int_eq(storage_get(storage, STORAGE_DATA, bytes_of("a"), STORAGE_TIER_MEMORY, &buf),
                     ERR_WOULD_BLOCK);
    contract_expect(storage, bytes_of("a"), "1");
    buf_clear(&buf);
    ck_assert_int_eq(storage_get(storage, STORAGE_DATA, bytes_of("a"), STORAGE_TIER_MEMORY, &buf),
                     OK);
    ck_assert(bytes_equal(buf_bytes(&buf), bytes_of("1")));
    storage_stats(storage, &stats);
    ck_assert_uint_eq(stats.gets_missed_memory, 1);
    buf_release(&buf);
    storage_close(storage);
}
END_TEST

/* Apply `change` to every file of the store whose name has `part` in it. Return how many. */
static int change_files(const char *part, void (*change)(const char *path))
{
    int changed = 0;
    DIR *dir = opendir(directory);
    ck_assert_ptr_nonnull(dir);
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        char path[600];
        if (strstr(entry->d_name, part) != NULL) {
            snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
            change(path);
            changed++;
        }
    }
    closedir(dir);
    return changed;
}

static void flip_a_third_in(const char *path)
{
    struct stat status;
    uint8_t byte;
    int fd = open(path, O_RDWR);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fstat(fd, &status), 0);
    ck_assert_int_eq(pread(fd, &byte, 1, status.st_size / 3), 1);
    byte ^= 0x10;
    ck_assert_int_eq(pwrite(fd, &byte, 1, status.st_size / 3), 1);
    close(fd);
}

static void unlink_path(const char *path)
{
    ck_assert_int_eq(unlink(path), 0);
}

static struct bytes numbered_key(uint64_t batch, uint8_t index, uint8_t key[9])
{
    be64_set(key, batch);
    key[8] = index;
    return (struct bytes){key, 9};
}

/* A batch of 16 keys that all have its number as their value. */
static enum err commit_batch(struct storage *storage, uint64_t batch)
{
    for (uint8_t i = 0; i < BATCH; i++) {
        uint8_t key[9], value[200] = {0};
        be64_set(value, batch);
        storage_put(storage, STORAGE_DATA, numbered_key(batch, i, key),
                    (struct bytes){value, sizeof(value)});
    }
    return storage_commit(storage);
}

/* Expect batches first.. without a gap and each as a whole. Return the number after the last. */
static uint64_t expect_batches(struct storage *storage, uint64_t first)
{
    uint8_t from[9];
    uint64_t next = first;
    bool more = true;
    struct arena arena;
    arena_init(&arena, 1 << 16);
    while (more) {
        struct storage_entry *entries;
        size_t count;
        struct storage_range range = {.family = STORAGE_DATA,
                                      .from = numbered_key(next, 0, from),
                                      .entries_max = 64 * BATCH,
                                      .bytes_max = 1 << 20};
        arena_reset(&arena);
        ck_assert_int_eq(storage_scan(storage, &range, &arena, &entries, &count, &more), OK);
        ck_assert_uint_eq(count % BATCH, 0);
        for (size_t i = 0; i < count; i++) {
            uint8_t key[9];
            uint64_t batch = next + i / BATCH;
            ck_assert(bytes_equal(entries[i].key, numbered_key(batch, i % BATCH, key)));
            ck_assert_uint_eq(be64_at(entries[i].value.data), batch);
        }
        next += count / BATCH;
    }
    arena_release(&arena);
    return next;
}

START_TEST(bad_block_is_reported_and_never_a_short_answer)
{
    unsigned corrupt = 0;
    struct buf buf;
    struct storage *storage = open_store();
    buf_init(&buf, 1024);
    for (uint64_t batch = 0; batch < 100; batch++) {
        ck_assert_int_eq(commit_batch(storage, batch), OK);
    }
    ck_assert_int_eq(rocks_flush(storage), OK);
    storage_close(storage);
    ck_assert_int_eq(change_files(".sst", flip_a_third_in), 1);
    storage = open_store();
    for (uint64_t i = 0; i < 100 * BATCH; i++) {
        uint8_t key[9];
        enum err err =
            contract_get(storage, STORAGE_DATA, numbered_key(i / BATCH, i % BATCH, key), &buf);
        ck_assert(err == OK || err == ERR_CORRUPT);
        ck_assert(err != OK || be64_at(buf.data) == i / BATCH);
        corrupt += err == ERR_CORRUPT;
    }
    ck_assert_uint_gt(corrupt, 0);
    ck_assert_uint_lt(corrupt, 100 * BATCH);
    struct storage_range range = {.entries_max = 10000, .bytes_max = 1 << 20};
    struct storage_entry *entries;
    size_t count;
    bool more;
    struct arena arena;
    arena_init(&arena, 4096);
    ck_assert_int_eq(storage_scan(storage, &range, &arena, &entries, &count, &more), ERR_CORRUPT);
    ck_assert_ptr_nonnull(strstr(storage_failure(storage), "Corruption"));
    ck_assert_int_eq(commit_batch(storage, 100), OK); /* A failed read stops nothing. */
    ck_assert_int_eq(storage_sync(storage), OK);
    arena_release(&arena);
    buf_release(&buf);
    storage_close(storage);
}
END_TEST

START_TEST(absent_store_is_refused_unless_it_may_be_made)
{
    expect_refusal(false, ERR_NOT_FOUND, "does not exist");
    ck_assert_int_eq(mkdir(directory, 0700), 0);
    expect_refusal(false, ERR_NOT_FOUND, "no store");
    ck_assert_int_eq(access(directory, F_OK), 0);
    remove_parent();
    expect_refusal(true, ERR_NOT_FOUND, "does not exist");
}
END_TEST

START_TEST(file_in_place_of_the_directory_is_refused)
{
    int fd = open(directory, O_CREAT | O_WRONLY, 0600);
    ck_assert_int_ge(fd, 0);
    close(fd);
    expect_refusal(true, ERR_INVALID, "not a directory");
    unlink(directory);
}
END_TEST

START_TEST(directory_without_permission_is_refused)
{
    ck_assert_int_eq(mkdir(directory, 0555), 0);
    ck_assert_int_eq(chmod(parent, 0755), 0);
    pid_t child = fork();
    if (child == 0) {
        if (geteuid() == 0 && setuid(65534) != 0) {
            _exit(1);
        }
        expect_refusal(true, ERR_DENIED, "not permitted");
        _exit(0);
    }
    expect_child_ok(child);
}
END_TEST

START_TEST(directory_is_the_owners_alone_whatever_the_umask)
{
    static const mode_t masks[] = {0, 022, 0277};
    for (size_t i = 0; i < ARRAY_COUNT(masks); i++) {
        struct stat status;
        mode_t before = umask(masks[i]);
        struct storage *storage = open_store();
        umask(before);
        ck_assert_int_eq(stat(directory, &status), 0);
        ck_assert_uint_eq(status.st_mode & 07777, 0700);
        storage_close(storage);
        remove_files(directory);
    }
}
END_TEST

START_TEST(damaged_store_is_refused_and_left_alone)
{
    struct storage *storage = open_store();
    contract_put(storage, "a", "1");
    contract_commit(storage);
    ck_assert_int_eq(rocks_flush(storage), OK);
    storage_close(storage);
    ck_assert_int_ge(change_files("MANIFEST", flip_a_third_in), 1);
    expect_refusal(true, ERR_CORRUPT, "restore a backup");
    ck_assert_int_eq(change_files("CURRENT", unlink_path), 1);
    expect_refusal(true, ERR_CORRUPT, "CURRENT");
    ck_assert_int_eq(change_files(".sst", unlink_path), 1); /* It was still there. */
}
END_TEST

START_TEST(second_opening_is_refused_with_the_pid_of_the_first)
{
    int ready[2], done[2];
    char byte = 0, part[32];
    ck_assert_int_eq(pipe(ready), 0);
    ck_assert_int_eq(pipe(done), 0);
    pid_t child = fork();
    if (child == 0) {
        struct storage *storage = open_store();
        expect_refusal(true, ERR_EXISTS, "this process");
        contract_put(storage, "a", "1");
        contract_commit(storage);
        bool ok = write(ready[1], &byte, 1) == 1 && read(done[0], &byte, 1) == 1;
        storage_close(storage);
        _exit(ok ? 0 : 1);
    }
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    snprintf(part, sizeof(part), "pid %d", (int)child);
    expect_refusal(true, ERR_EXISTS, part);
    ck_assert_int_eq(write(done[1], &byte, 1), 1);
    expect_child_ok(child);
    struct storage *storage = open_store();
    contract_expect(storage, bytes_of("a"), "1");
    storage_close(storage);
}
END_TEST

/* Run `child_main` in a child. It and nothing before it may open a store: RocksDB's threads belong
 * to the process, and one that is forked has none of them, so that its first flush would wait for
 * ever. */
static pid_t fork_child(void (*child_main)(uint64_t, int), uint64_t argument, int *in)
{
    int out[2];
    ck_assert_int_eq(pipe(out), 0);
    pid_t child = fork();
    if (child == 0) {
        child_main(argument, out[1]);
        _exit(0);
    }
    close(out[1]);
    *in = out[0];
    return child;
}

/* In a child whose files may grow to a megabyte only. Tell the number of synced batches. */
static void write_until_full(uint64_t synced, int out)
{
    struct rlimit limit;
    struct storage *storage = open_store();
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &limit);
    struct rlimit small = {.rlim_cur = 1 << 20, .rlim_max = limit.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    while (commit_batch(storage, synced) == OK && storage_sync(storage) == OK) {
        synced++;
        ck_assert_uint_lt(synced, 10000);
    }
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    for (int i = 0; i < 10; i++) { /* There is room again, and yet. */
        ck_assert_int_eq(commit_batch(storage, synced + 1), ERR_IO);
        ck_assert_int_eq(storage_sync(storage), ERR_IO);
    }
    ck_assert_ptr_nonnull(strstr(storage_failure(storage), "File too large"));
    ck_assert_int_eq(write(out, &synced, sizeof(synced)), sizeof(synced));
}

START_TEST(first_failed_write_is_the_last_one)
{
    uint64_t synced = 0;
    int in;
    /* The child ends as a node does: without closing the store. */
    expect_child_ok(fork_child(write_until_full, 0, &in));
    ck_assert_int_eq(read(in, &synced, sizeof(synced)), sizeof(synced));
    close(in);
    ck_assert_uint_gt(synced, 100);
    struct storage *storage = open_store();
    uint64_t found = expect_batches(storage, 0);
    ck_assert(found == synced || found == synced + 1);
    storage_close(storage);
}
END_TEST

/* In a child until it is killed: commit batches from `next` on, sync each third, tell which. */
static void write_until_killed(uint64_t next, int out)
{
    struct storage *storage = open_store();
    for (;; next++) {
        ck_assert_int_eq(commit_batch(storage, next), OK);
        if (next % 3 == 0) {
            ck_assert_int_eq(storage_sync(storage), OK);
            ck_assert_int_eq(write(out, &next, sizeof(next)), sizeof(next));
        }
        if (next % 100 == 99) {
            ck_assert_int_eq(rocks_flush(storage), OK);
        }
    }
}

/* In a child: expect whole batches, tell how many there are. */
static void tell_batches(uint64_t first, int out)
{
    struct storage *storage = open_store();
    uint64_t found = expect_batches(storage, first);
    ck_assert_int_eq(write(out, &found, sizeof(found)), sizeof(found));
    storage_close(storage);
}

START_TEST(kill_loses_no_synced_batch_and_tears_none)
{
    struct prng prng;
    uint64_t next = 0;
    prng_init(&prng, 1);
    for (int round = 0; round < 20; round++) {
        uint64_t synced = 0, told = 0;
        int in;
        pid_t child = fork_child(write_until_killed, next, &in);
        /* After its first sync or, each fifth time, perhaps while it replays the log. */
        if (round % 5 != 4) {
            ck_assert_int_eq(read(in, &synced, sizeof(synced)), sizeof(synced));
        }
        usleep((useconds_t)prng_below(&prng, 100000));
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        while (read(in, &told, sizeof(told)) == sizeof(told)) {
            ck_assert(told > synced || told == 0);
            synced = told;
        }
        close(in);
        child = fork_child(tell_batches, round == 19 ? 0 : next, &in);
        expect_child_ok(child);
        ck_assert_int_eq(read(in, &told, sizeof(told)), sizeof(told));
        close(in);
        ck_assert_uint_ge(told, synced == 0 ? next : synced + 1);
        next = told;
    }
    ck_assert_uint_gt(next, 100);
}
END_TEST

struct threads {
    struct storage *storage;
    atomic_bool stop;
};

static void *sync_loop(void *argument)
{
    struct threads *threads = argument;
    while (!atomic_load(&threads->stop)) {
        ASSERT(storage_sync(threads->storage) == OK);
    }
    return NULL;
}

/* Every batch overwrites the same 16 keys: a scan must find 16 equal values. */
static void *scan_loop(void *argument)
{
    struct threads *threads = argument;
    struct storage_range range = {.entries_max = 100, .bytes_max = 1 << 20};
    struct arena arena;
    arena_init(&arena, 4096);
    for (uint64_t last = 0; !atomic_load(&threads->stop);) {
        struct storage_entry *entries;
        size_t count;
        bool more;
        arena_reset(&arena);
        ASSERT(storage_scan(threads->storage, &range, &arena, &entries, &count, &more) == OK);
        ASSERT(count == BATCH);
        for (size_t i = 0; i < count; i++) {
            ASSERT(bytes_equal(entries[i].value, entries[0].value));
        }
        ASSERT(be64_at(entries[0].value.data) >= last);
        last = be64_at(entries[0].value.data);
    }
    arena_release(&arena);
    return NULL;
}

START_TEST(sync_and_scan_run_beside_commits)
{
    struct threads threads = {.storage = open_store()};
    pthread_t sync_thread, scan_thread;
    for (uint64_t number = 0; number < 20000; number++) {
        for (uint8_t i = 0; i < BATCH; i++) {
            uint8_t value[8];
            be64_set(value, number);
            storage_put(threads.storage, STORAGE_DATA, (struct bytes){&i, 1},
                        (struct bytes){value, 8});
        }
        ck_assert_int_eq(storage_commit(threads.storage), OK);
        if (number == 0) {
            ck_assert_int_eq(pthread_create(&sync_thread, NULL, sync_loop, &threads), 0);
            ck_assert_int_eq(pthread_create(&scan_thread, NULL, scan_loop, &threads), 0);
        }
    }
    atomic_store(&threads.stop, true);
    pthread_join(sync_thread, NULL);
    pthread_join(scan_thread, NULL);
    storage_close(threads.storage);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rocks");
    TCase *contract = tcase_create("contract");
    TCase *rest = tcase_create("RocksDB");
    suite_add_tcase(suite, contract);
    suite_add_tcase(suite, rest);
    tcase_add_checked_fixture(contract, make_parent, remove_parent);
    tcase_add_checked_fixture(rest, make_parent, remove_parent);
    tcase_set_timeout(contract, 60);
    tcase_set_timeout(rest, 60);
#define X(name) tcase_add_test(contract, contract_##name);
    CONTRACT_LIST(X)
#undef X
    tcase_add_loop_test(rest, answers_as_the_store_in_memory_does, 0, 6);
    tcase_add_test(rest, what_a_start_finds_is_on_disk_before_it_is_served);
    tcase_add_test(rest, deleted_key_leaves_no_byte_on_disk);
    tcase_add_test(rest, memory_tier_misses_only_what_is_not_cached);
    tcase_add_test(rest, bad_block_is_reported_and_never_a_short_answer);
    tcase_add_test(rest, absent_store_is_refused_unless_it_may_be_made);
    tcase_add_test(rest, file_in_place_of_the_directory_is_refused);
    tcase_add_test(rest, directory_without_permission_is_refused);
    tcase_add_test(rest, directory_is_the_owners_alone_whatever_the_umask);
    tcase_add_test(rest, damaged_store_is_refused_and_left_alone);
    tcase_add_test(rest, second_opening_is_refused_with_the_pid_of_the_first);
    tcase_add_test(rest, first_failed_write_is_the_last_one);
    tcase_add_test(rest, kill_loses_no_synced_batch_and_tears_none);
    tcase_add_test(rest, sync_and_scan_run_beside_commits);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
