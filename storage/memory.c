#include "storage/memory.h"

#include <string.h>

#include "base/prng.h"
#include "storage/memory_state.h"

enum { OPERATIONS_FIRST = 8, SCAN_ENTRIES_FIRST = 32 };

struct memory *memory_of(struct storage *storage)
{
    return CONTAINER_OF(storage, struct memory, storage);
}

void memory_apply(struct memory *memory, struct memory_commit *commit)
{
    for (size_t i = 0; i < commit->count; i++) {
        struct memory_operation *operation = &commit->operations[i];
        struct memory_table *table = &memory->tables[operation->family];
        ASSERT(operation->before == NULL);
        operation->before = operation->is_delete
                                ? memory_table_remove(table, memory_record_key(operation->record))
                                : memory_table_set(table, operation->record);
    }
}

void memory_undo(struct memory *memory, struct memory_commit *commit)
{
    for (size_t i = commit->count; i-- > 0;) {
        struct memory_operation *operation = &commit->operations[i];
        struct memory_table *table = &memory->tables[operation->family];
        struct memory_record *after =
            operation->before != NULL
                ? memory_table_set(table, operation->before)
                : memory_table_remove(table, memory_record_key(operation->record));
        ASSERT(after == (operation->is_delete ? NULL : operation->record));
        mem_free(operation->record);
    }
    mem_free(commit);
}

void memory_drop(struct memory_commit *commit)
{
    if (commit == NULL) {
        return;
    }
    for (size_t i = 0; i < commit->count; i++) {
        mem_free(commit->operations[i].record);
    }
    mem_free(commit);
}

void memory_trim(struct memory *memory)
{
    while (memory->synced_count > memory->history_max) {
        struct memory_commit *commit =
            CONTAINER_OF(memory->journal.next, struct memory_commit, link);
        for (size_t i = 0; i < commit->count; i++) {
            mem_free(commit->operations[i].before);
            if (commit->operations[i].is_delete) {
                mem_free(commit->operations[i].record);
            }
        }
        list_remove(&commit->link);
        mem_free(commit);
        memory->synced_count--;
    }
}

static void batch_add(struct memory *memory, enum storage_family family, bool is_delete,
                      struct memory_record *record)
{
    struct memory_commit *batch = memory->batch;

    ASSERT(!memory->is_down);
    if (batch == NULL || batch->count == batch->capacity) {
        size_t capacity = batch == NULL ? OPERATIONS_FIRST : batch->capacity * 2;
        size_t size = sizeof(*batch) + capacity * sizeof(batch->operations[0]);
        size_t held = batch == NULL ? 0 : batch->count;
        batch = mem_resize(batch, size);
        batch->count = held;
        batch->capacity = capacity;
        memory->batch = batch;
    }
    batch->operations[batch->count++] = (struct memory_operation){
        .family = family, .is_delete = is_delete, .record = record, .before = NULL};
}

static void put(struct storage *storage, enum storage_family family, struct bytes key,
                struct bytes value)
{
    struct memory *memory = memory_of(storage);
    batch_add(memory, family, false, memory_record_new(key, value));
    memory->stats.puts++;
}

static void del(struct storage *storage, enum storage_family family, struct bytes key)
{
    struct memory *memory = memory_of(storage);
    batch_add(memory, family, true, memory_record_new(key, (struct bytes){0}));
    memory->stats.deletes++;
}

/* True once: at the call for which the fault was armed. */
static bool fires(uint64_t *calls_left)
{
    return *calls_left > 0 && --*calls_left == 0;
}

static uint64_t commit_size(const struct memory_commit *commit)
{
    uint64_t size = 0;
    for (size_t i = 0; i < commit->count; i++) {
        const struct memory_record *record = commit->operations[i].record;
        size += (uint64_t)record->key_size + record->value_size;
    }
    return size;
}

static enum err commit(struct storage *storage)
{
    struct memory *memory = memory_of(storage);
    struct memory_commit *batch = memory->batch;

    ASSERT(!memory->is_down);
    memory->batch = NULL;
    if (memory->is_failed) {
        memory_drop(batch);
        return ERR_IO;
    }
    if (batch == NULL) {
        return OK;
    }
    if (fires(&memory->faults.commit_in)) {
        ASSERT(memory->failed == NULL);
        memory->failed = batch;
        memory->failure = "commit: injected failure";
        memory->is_failed = true;
        return ERR_IO;
    }
    memory_apply(memory, batch);
    list_push_back(&memory->journal, &batch->link);
    memory->unsynced_count++;
    memory->stats.commits++;
    memory->stats.commit_bytes += commit_size(batch);
    return OK;
}

static enum err sync(struct storage *storage)
{
    struct memory *memory = memory_of(storage);

    ASSERT(!memory->is_down);
    if (memory->is_failed) {
        return ERR_IO;
    }
    if (fires(&memory->faults.sync_in)) {
        memory->failure = "sync: injected failure";
        memory->is_failed = true;
        return ERR_IO;
    }
    memory->synced_count += memory->unsynced_count;
    memory->unsynced_count = 0;
    memory_trim(memory);
    memory->stats.syncs++;
    return OK;
}

static enum err read_fault(struct memory *memory)
{
    if (!fires(&memory->faults.read_in)) {
        return OK;
    }
    memory->failure = memory->is_failed ? memory->failure : "read: injected failure";
    return memory->faults.read_err;
}

static enum err get(struct storage *storage, enum storage_family family, struct bytes key,
                    enum storage_tier tier, struct buf *value)
{
    struct memory *memory = memory_of(storage);

    ASSERT(!memory->is_down);
    memory->stats.gets++;
    if (tier == STORAGE_TIER_MEMORY && memory->faults.miss_prng != NULL &&
        prng_chance(memory->faults.miss_prng, memory->faults.miss_one_in)) {
        memory->stats.gets_missed_memory++;
        return ERR_WOULD_BLOCK;
    }
    enum err err = read_fault(memory);
    if (err != OK) {
        return err;
    }
    const struct memory_record *record = memory_table_get(&memory->tables[family], key);
    if (record == NULL) {
        return ERR_NOT_FOUND;
    }
    if (record->is_unreadable) {
        return ERR_CORRUPT;
    }
    struct bytes bytes = memory_record_value(record);
    return buf_append(value, bytes.data, bytes.size);
}

/* Whether a scan that would go on at `record` has come to the end of its range. */
static bool is_past(const struct storage_range *range, const struct memory_record *record)
{
    return record == NULL ||
           (range->to.size > 0 && bytes_compare(memory_record_key(record), range->to) >= 0);
}

static struct storage_entry *entries_grow(struct arena *arena, struct storage_entry *old,
                                          size_t count, size_t *capacity)
{
    *capacity = MAX((size_t)SCAN_ENTRIES_FIRST, *capacity * 2);
    struct storage_entry *entries = ARENA_ARRAY(arena, struct storage_entry, *capacity);
    if (count > 0) {
        memcpy(entries, old, count * sizeof(*entries));
    }
    return entries;
}

static enum err scan(struct storage *storage, const struct storage_range *range,
                     struct arena *arena, struct storage_entry **entries, size_t *entries_count,
                     bool *more)
{
    struct memory *memory = memory_of(storage);
    const struct memory_table *table = &memory->tables[range->family];
    struct storage_entry *found = NULL;
    size_t count = 0, capacity = 0, bytes = 0;

    ASSERT(!memory->is_down);
    memory->stats.scans++;
    enum err err = read_fault(memory);
    if (err != OK) {
        return err;
    }
    struct memory_place place = memory_table_seek(table, range->from);
    const struct memory_record *record = memory_table_at(table, place);
    while (!is_past(range, record) && count < range->entries_max && bytes <= range->bytes_max) {
        if (record->is_unreadable) {
            return ERR_CORRUPT;
        }
        if (count == capacity) {
            found = entries_grow(arena, found, count, &capacity);
        }
        found[count++] = (struct storage_entry){
            .key = arena_copy_bytes(arena, memory_record_key(record)),
            .value = arena_copy_bytes(arena, memory_record_value(record)),
        };
        bytes += (size_t)record->key_size + record->value_size;
        memory_table_next(table, &place);
        record = memory_table_at(table, place);
    }
    *entries = found;
    *entries_count = count;
    *more = !is_past(range, record);
    return OK;
}

static void stats(struct storage *storage, struct storage_stats *out)
{
    struct memory *memory = memory_of(storage);

    *out = memory->stats;
    for (size_t i = 0; i < STORAGE_FAMILIES_COUNT; i++) {
        out->disk_bytes += memory->tables[i].bytes;
    }
    out->memory_bytes = out->disk_bytes;
}

static const char *failure(struct storage *storage)
{
    return memory_of(storage)->failure;
}

static void memory_close(struct storage *storage)
{
    memory_wipe(storage);
    mem_free(memory_of(storage));
}

static const struct storage_functions memory_functions = {
    .get = get,
    .put = put,
    .del = del,
    .commit = commit,
    .sync = sync,
    .scan = scan,
    .stats = stats,
    .failure = failure,
    .close = memory_close,
};

struct storage *memory_new(void)
{
    struct memory *memory = mem_alloc_zero(1, sizeof(*memory));
    memory->storage.functions = &memory_functions;
    list_init(&memory->journal);
    memory_reopen(&memory->storage);
    return &memory->storage;
}
