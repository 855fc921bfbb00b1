#include "storage/rocks.h"

#include <rocksdb/c.h>
#include <stdio.h>
#include <string.h>

#include "storage/rocks_state.h"

enum {
    BLOCK_CACHE_TIER = 1,      /* rocksdb::ReadTier::kBlockCacheTier. */
    COMPACT_BOTTOMMOST = 2,    /* rocksdb::BottommostLevelCompaction::kForce. */
    BATCH_KEEP_SIZE = 4 << 20, /* A batch that grew past this is made anew, to free its memory. */
    SCAN_ENTRIES_FIRST = 32,
};

static struct rocks *rocks_of(struct storage *storage)
{
    return CONTAINER_OF(storage, struct rocks, storage);
}

static void count(atomic_uint_least64_t *counter, uint64_t by)
{
    atomic_fetch_add_explicit(counter, by, memory_order_relaxed);
}

/* RocksDB's C API tells kinds of failures apart by the text of their status only. */
static enum err err_of_status(const char *status)
{
    if (strncmp(status, "Result incomplete", 17) == 0) {
        return ERR_WOULD_BLOCK;
    }
    return strncmp(status, "Corruption", 10) == 0 ? ERR_CORRUPT : ERR_IO;
}

static void note_read_failure(struct rocks_failures *failures, const char *what, const char *status)
{
    unsigned place = atomic_load(&failures->taken);
    if (place >= ROCKS_FAILURES_MAX) {
        return; /* The first ones tell as much. */
    }
    place = atomic_fetch_add(&failures->taken, 1);
    if (place < ROCKS_FAILURES_MAX) {
        snprintf(failures->words[place], ROCKS_FAILURE_SIZE_MAX, "%s: %s", what, status);
        atomic_store(&failures->last, failures->words[place]);
    }
}

/* Return what a read answers for `status`, which is freed. */
static enum err read_failed(struct rocks *rocks, const char *what, char *status)
{
    enum err err = err_of_status(status);
    if (err == ERR_WOULD_BLOCK) {
        count(&rocks->counters.gets_missed_memory, 1);
    } else {
        note_read_failure(&rocks->failures, what, status);
    }
    rocksdb_free(status);
    return err;
}

/* Remember for ever that a commit or a sync failed. After ENOSPC RocksDB's next flush_wal can
 * answer OK, and later writes succeed, over a log with a hole; after a failed fsync Linux marks the
 * pages clean and the next one says OK. So nothing may be believed any more. `status` is freed. */
static enum err write_failed(struct rocks *rocks, const char *what, char *status)
{
    struct rocks_failures *failures = &rocks->failures;
    if (!atomic_exchange(&failures->fatal_taken, true)) {
        snprintf(failures->fatal_words, ROCKS_FAILURE_SIZE_MAX, "%s: %s", what, status);
        atomic_store(&failures->fatal, failures->fatal_words);
    }
    atomic_store(&failures->failed, true);
    rocksdb_free(status);
    return ERR_IO;
}

static enum err get(struct storage *storage, enum storage_family family, struct bytes key,
                    enum storage_tier tier, struct buf *value)
{
    struct rocks *rocks = rocks_of(storage);
    char *status = NULL;

    count(&rocks->counters.gets, 1);
    /* Pinned: a value in the block cache is copied once, into the caller's buffer. */
    rocksdb_pinnableslice_t *slice = rocksdb_get_pinned_cf(
        rocks->db, tier == STORAGE_TIER_MEMORY ? rocks->read_memory : rocks->read_all,
        rocks->families[family], (const char *)key.data, key.size, &status);
    if (status != NULL) {
        ASSERT(slice == NULL);
        enum err err = read_failed(rocks, "get", status);
        ASSERT(err != ERR_WOULD_BLOCK || tier == STORAGE_TIER_MEMORY);
        return err;
    }
    if (slice == NULL) {
        return ERR_NOT_FOUND;
    }
    size_t size = 0;
    const char *data = rocksdb_pinnableslice_value(slice, &size);
    enum err err = buf_append(value, data, size);
    rocksdb_pinnableslice_destroy(slice);
    return err;
}

static void put(struct storage *storage, enum storage_family family, struct bytes key,
                struct bytes value)
{
    struct rocks *rocks = rocks_of(storage);
    rocksdb_writebatch_put_cf(rocks->batch, rocks->families[family], (const char *)key.data,
                              key.size, (const char *)value.data, value.size);
    count(&rocks->counters.puts, 1);
}

static void del(struct storage *storage, enum storage_family family, struct bytes key)
{
    struct rocks *rocks = rocks_of(storage);
    rocksdb_writebatch_delete_cf(rocks->batch, rocks->families[family], (const char *)key.data,
                                 key.size);
    count(&rocks->counters.deletes, 1);
}

/* Empty the open batch. Return how many bytes it had. */
static size_t batch_clear(struct rocks *rocks)
{
    size_t size = 0;
    (void)rocksdb_writebatch_data(rocks->batch, &size);
    if (size > BATCH_KEEP_SIZE) {
        rocksdb_writebatch_destroy(rocks->batch);
        rocks->batch = rocksdb_writebatch_create();
    } else {
        rocksdb_writebatch_clear(rocks->batch);
    }
    return size;
}

static enum err commit(struct storage *storage)
{
    struct rocks *rocks = rocks_of(storage);
    char *status = NULL;

    if (atomic_load(&rocks->failures.failed)) {
        batch_clear(rocks);
        return ERR_IO;
    }
    if (rocksdb_writebatch_count(rocks->batch) == 0) {
        return OK;
    }
    rocksdb_write(rocks->db, rocks->write, rocks->batch, &status);
    size_t size = batch_clear(rocks);
    if (status != NULL) {
        return write_failed(rocks, "write", status);
    }
    count(&rocks->counters.commits, 1);
    count(&rocks->counters.commit_bytes, size);
    return OK;
}

static enum err sync(struct storage *storage)
{
    struct rocks *rocks = rocks_of(storage);
    char *status = NULL;

    if (atomic_load(&rocks->failures.failed)) {
        return ERR_IO;
    }
    rocksdb_flush_wal(rocks->db, rocks->sync, &status);
    if (status != NULL) {
        return write_failed(rocks, "sync", status);
    }
    count(&rocks->counters.syncs, 1);
    /* A commit may have failed meanwhile: from then on no sync says OK, this one included. */
    return atomic_load(&rocks->failures.failed) ? ERR_IO : OK;
}

/* Entries that grow in an arena; an outgrown array is left to the arena. */
struct scanned {
    struct storage_entry *entries;
    size_t count, capacity, bytes;
};

static void scanned_add(struct scanned *scanned, struct arena *arena, rocksdb_iterator_t *iterator)
{
    if (scanned->count == scanned->capacity) {
        size_t capacity = MAX((size_t)SCAN_ENTRIES_FIRST, scanned->capacity * 2);
        struct storage_entry *entries = ARENA_ARRAY(arena, struct storage_entry, capacity);
        if (scanned->count > 0) {
            memcpy(entries, scanned->entries, scanned->count * sizeof(*entries));
        }
        scanned->entries = entries;
        scanned->capacity = capacity;
    }
    struct bytes key = {0}, value = {0};
    key.data = (const uint8_t *)rocksdb_iter_key(iterator, &key.size);
    value.data = (const uint8_t *)rocksdb_iter_value(iterator, &value.size);
    scanned->entries[scanned->count++] = (struct storage_entry){
        .key = arena_copy_bytes(arena, key),
        .value = arena_copy_bytes(arena, value),
    };
    scanned->bytes += key.size + value.size;
}

/* An iterator sees the store as it was when it was made, and total order because no prefix
 * extractor is set. Blocks that it reads are not put into the cache: anti-entropy and scrub walk
 * over everything, and would push out what clients read. */
static rocksdb_iterator_t *iterator_of(struct rocks *rocks, const struct storage_range *range,
                                       rocksdb_readoptions_t *options)
{
    rocksdb_readoptions_set_fill_cache(options, 0);
    rocksdb_readoptions_set_total_order_seek(options, 1);
    if (range->to.size > 0) {
        rocksdb_readoptions_set_iterate_upper_bound(options, (const char *)range->to.data,
                                                    range->to.size);
    }
    rocksdb_iterator_t *iterator =
        rocksdb_create_iterator_cf(rocks->db, options, rocks->families[range->family]);
    if (range->from.size > 0) {
        rocksdb_iter_seek(iterator, (const char *)range->from.data, range->from.size);
    } else {
        rocksdb_iter_seek_to_first(iterator);
    }
    return iterator;
}

static enum err scan(struct storage *storage, const struct storage_range *range,
                     struct arena *arena, struct storage_entry **entries, size_t *entries_count,
                     bool *more)
{
    struct rocks *rocks = rocks_of(storage);
    struct scanned scanned = {0};
    char *status = NULL;

    count(&rocks->counters.scans, 1);
    if (range->to.size > 0 && bytes_compare(range->from, range->to) >= 0) {
        *entries = NULL;
        *entries_count = 0;
        *more = false;
        return OK;
    }
    rocksdb_readoptions_t *options = rocksdb_readoptions_create();
    rocksdb_iterator_t *iterator = iterator_of(rocks, range, options);
    while (rocksdb_iter_valid(iterator) && scanned.count < range->entries_max &&
           scanned.bytes <= range->bytes_max) {
        scanned_add(&scanned, arena, iterator);
        rocksdb_iter_next(iterator);
    }
    bool valid = rocksdb_iter_valid(iterator);
    /* An iterator that meets a bad block becomes invalid, as it does at the end. */
    rocksdb_iter_get_error(iterator, &status);
    rocksdb_iter_destroy(iterator);
    rocksdb_readoptions_destroy(options);
    if (status != NULL) {
        return read_failed(rocks, "scan", status);
    }
    *entries = scanned.entries;
    *entries_count = scanned.count;
    *more = valid;
    return OK;
}

static uint64_t property(struct rocks *rocks, enum storage_family family, const char *name)
{
    uint64_t value = 0;
    (void)rocksdb_property_int_cf(rocks->db, rocks->families[family], name, &value);
    return value;
}

static void stats(struct storage *storage, struct storage_stats *out)
{
    struct rocks *rocks = rocks_of(storage);
    struct rocks_counters *counters = &rocks->counters;

    *out = (struct storage_stats){
        .gets = atomic_load(&counters->gets),
        .gets_missed_memory = atomic_load(&counters->gets_missed_memory),
        .puts = atomic_load(&counters->puts),
        .deletes = atomic_load(&counters->deletes),
        .commits = atomic_load(&counters->commits),
        .syncs = atomic_load(&counters->syncs),
        .scans = atomic_load(&counters->scans),
        .commit_bytes = atomic_load(&counters->commit_bytes),
        .background_errors = property(rocks, STORAGE_DATA, "rocksdb.background-errors"),
        .write_stopped = property(rocks, STORAGE_DATA, "rocksdb.is-write-stopped") != 0,
        .write_delayed_rate = property(rocks, STORAGE_DATA, "rocksdb.actual-delayed-write-rate"),
        .memory_bytes = rocksdb_cache_get_usage(rocks->cache),
    };
    for (enum storage_family family = 0; family < STORAGE_FAMILIES_COUNT; family++) {
        out->disk_bytes += property(rocks, family, "rocksdb.live-sst-files-size");
        out->memory_bytes += property(rocks, family, "rocksdb.cur-size-all-mem-tables") +
                             property(rocks, family, "rocksdb.estimate-table-readers-mem");
    }
}

static const char *failure(struct storage *storage)
{
    struct rocks_failures *failures = &rocks_of(storage)->failures;
    const char *fatal = atomic_load(&failures->fatal);
    return fatal != NULL ? fatal : atomic_load(&failures->last);
}

static void rocks_close(struct storage *storage)
{
    struct rocks *rocks = rocks_of(storage);

    rocksdb_cancel_all_background_work(rocks->db, 1 /* wait */);
    rocksdb_writebatch_destroy(rocks->batch);
    for (size_t i = 0; i < STORAGE_FAMILIES_COUNT; i++) {
        rocksdb_column_family_handle_destroy(rocks->families[i]); /* An open one aborts close. */
    }
    rocksdb_close(rocks->db);
    rocksdb_readoptions_destroy(rocks->read_all);
    rocksdb_readoptions_destroy(rocks->read_memory);
    rocksdb_writeoptions_destroy(rocks->write);
    rocksdb_cache_destroy(rocks->cache);
    mem_free(rocks);
}

static const struct storage_functions rocks_functions = {
    .get = get,
    .put = put,
    .del = del,
    .commit = commit,
    .sync = sync,
    .scan = scan,
    .stats = stats,
    .failure = failure,
    .close = rocks_close,
};

void rocks_start(struct rocks *rocks)
{
    rocks->storage.functions = &rocks_functions;
    rocks->read_all = rocksdb_readoptions_create();
    rocks->read_memory = rocksdb_readoptions_create();
    rocksdb_readoptions_set_verify_checksums(rocks->read_all, 1);
    rocksdb_readoptions_set_verify_checksums(rocks->read_memory, 1);
    rocksdb_readoptions_set_read_tier(rocks->read_memory, BLOCK_CACHE_TIER);
    rocks->write = rocksdb_writeoptions_create();
    rocksdb_writeoptions_set_sync(rocks->write, 0);
    rocks->batch = rocksdb_writebatch_create();
    atomic_init(&rocks->failures.last, "nothing has failed");
}

enum err rocks_flush(struct storage *storage)
{
    struct rocks *rocks = rocks_of(storage);
    char *status = NULL;

    ASSERT(storage->functions == &rocks_functions);
    rocksdb_flushoptions_t *options = rocksdb_flushoptions_create();
    rocksdb_flushoptions_set_wait(options, 1);
    for (size_t i = 0; i < STORAGE_FAMILIES_COUNT && status == NULL; i++) {
        rocksdb_flush_cf(rocks->db, options, rocks->families[i], &status);
    }
    rocksdb_flushoptions_destroy(options);
    if (status != NULL) {
        note_read_failure(&rocks->failures, "flush", status);
        rocksdb_free(status);
        return ERR_IO;
    }
    return OK;
}

enum err rocks_compact(struct storage *storage)
{
    struct rocks *rocks = rocks_of(storage);

    if (rocks_flush(storage) != OK) {
        return ERR_IO;
    }
    rocksdb_compactoptions_t *options = rocksdb_compactoptions_create();
    rocksdb_compactoptions_set_bottommost_level_compaction(options, COMPACT_BOTTOMMOST);
    uint64_t errors = property(rocks, STORAGE_DATA, "rocksdb.background-errors");
    for (size_t i = 0; i < STORAGE_FAMILIES_COUNT; i++) {
        rocksdb_compact_range_cf_opt(rocks->db, rocks->families[i], options, NULL, 0, NULL, 0);
    }
    rocksdb_compactoptions_destroy(options);
    /* The C function returns nothing: the counter is all there is to see of a failure. */
    return property(rocks, STORAGE_DATA, "rocksdb.background-errors") == errors ? OK : ERR_IO;
}

uint64_t rocks_count_bytes(struct storage *storage, enum storage_family family)
{
    ASSERT(storage->functions == &rocks_functions);
    return property(rocks_of(storage), family, "rocksdb.live-sst-files-size");
}
