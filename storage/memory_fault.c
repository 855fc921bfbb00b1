#include "storage/memory_state.h"

static const struct memory *memory_of_const(const struct storage *storage)
{
    return CONTAINER_OF(storage, const struct memory, storage);
}

static void undo_newest(struct memory *memory)
{
    ASSERT(!list_empty(&memory->journal));
    struct memory_commit *commit = CONTAINER_OF(memory->journal.prev, struct memory_commit, link);
    list_remove(&commit->link);
    memory_undo(memory, commit);
}

/* The batch whose commit failed had reached the disk after all: it is the newest commit. */
static void keep_failed(struct memory *memory)
{
    memory_apply(memory, memory->failed);
    list_push_back(&memory->journal, &memory->failed->link);
    memory->failed = NULL;
    memory->unsynced_count++;
}

static uint64_t commits_to_keep(const struct memory *memory, enum memory_crash how, uint64_t random)
{
    switch (how) {
    case MEMORY_CRASH_PROCESS:
        return memory->unsynced_count;
    case MEMORY_CRASH_PREFIX:
        return random % (memory->unsynced_count + (memory->failed != NULL ? 1 : 0) + 1);
    case MEMORY_CRASH_POWER:
    case MEMORY_CRASH_AMNESIA:
        break;
    }
    return 0;
}

struct memory_loss memory_crash(struct storage *storage, enum memory_crash how, uint64_t random)
{
    struct memory *memory = memory_of(storage);
    struct memory_loss loss = {.kept = commits_to_keep(memory, how, random)};

    memory_drop(memory->batch);
    memory->batch = NULL;
    if (loss.kept > memory->unsynced_count) {
        keep_failed(memory);
    }
    memory_drop(memory->failed);
    memory->failed = NULL;
    while (memory->unsynced_count > loss.kept) {
        undo_newest(memory);
        memory->unsynced_count--;
        loss.lost++;
    }
    if (how == MEMORY_CRASH_AMNESIA && memory->synced_count > 0) {
        for (uint64_t left = 1 + random % memory->synced_count; left > 0; left--) {
            undo_newest(memory);
            memory->synced_count--;
            loss.lost_synced++;
        }
    }
    memory->is_down = true;
    return loss;
}

void memory_reopen(struct storage *storage)
{
    struct memory *memory = memory_of(storage);

    memory_drop(memory->batch);
    memory_drop(memory->failed);
    memory->batch = NULL;
    memory->failed = NULL;
    memory->synced_count += memory->unsynced_count;
    memory->unsynced_count = 0;
    memory_trim(memory);
    memory->failure = "nothing has failed";
    memory->is_failed = false;
    memory->is_down = false;
    memory->faults = (struct memory_faults){0};
    memory->stats = (struct storage_stats){0};
}

void memory_wipe(struct storage *storage)
{
    struct memory *memory = memory_of(storage);
    uint64_t history_max = memory->history_max;

    memory->history_max = 0;
    memory_reopen(storage);
    ASSERT(list_empty(&memory->journal));
    memory->history_max = history_max;
    for (size_t i = 0; i < STORAGE_FAMILIES_COUNT; i++) {
        memory_table_clear(&memory->tables[i]);
    }
}

void memory_keep_history(struct storage *storage, uint64_t commits_max)
{
    struct memory *memory = memory_of(storage);
    memory->history_max = commits_max;
    memory_trim(memory);
}

uint64_t memory_unsynced(const struct storage *storage)
{
    return memory_of_const(storage)->unsynced_count;
}

void memory_fail_read(struct storage *storage, uint64_t nth, enum err err)
{
    ASSERT(err == ERR_IO || err == ERR_CORRUPT);
    memory_of(storage)->faults.read_in = nth;
    memory_of(storage)->faults.read_err = err;
}

void memory_fail_commit(struct storage *storage, uint64_t nth)
{
    memory_of(storage)->faults.commit_in = nth;
}

void memory_fail_sync(struct storage *storage, uint64_t nth)
{
    memory_of(storage)->faults.sync_in = nth;
}

void memory_miss(struct storage *storage, struct prng *prng, uint64_t one_in)
{
    memory_of(storage)->faults.miss_prng = prng;
    memory_of(storage)->faults.miss_one_in = one_in;
}

bool memory_rot(struct storage *storage, enum storage_family family, struct bytes key,
                enum memory_rot how, uint64_t random)
{
    struct memory *memory = memory_of(storage);
    struct memory_record *record = memory_table_get(&memory->tables[family], key);

    if (record == NULL) {
        return false;
    }
    if (how == MEMORY_ROT_UNREADABLE) {
        record->is_unreadable = true;
        return true;
    }
    if (record->value_size == 0) {
        return false;
    }
    uint64_t bit = random % ((uint64_t)record->value_size * 8);
    record->data[record->key_size + bit / 8] ^= (uint8_t)(1U << (bit % 8));
    return true;
}

bool memory_pick(const struct storage *storage, enum storage_family family, uint64_t random,
                 struct bytes *key)
{
    const struct memory_table *table = &memory_of_const(storage)->tables[family];

    if (table->keys == 0) {
        return false;
    }
    uint64_t left = random % table->keys;
    size_t index = 0;
    while (left >= table->chunks[index]->count) {
        left -= table->chunks[index]->count;
        index++;
    }
    *key = memory_record_key(table->chunks[index]->entries[left].record);
    return true;
}

uint64_t memory_keys(const struct storage *storage, enum storage_family family)
{
    return memory_of_const(storage)->tables[family].keys;
}

uint64_t memory_bytes(const struct storage *storage, enum storage_family family)
{
    return memory_of_const(storage)->tables[family].bytes;
}

void memory_for_each(const struct storage *storage, enum storage_family family,
                     void (*visit)(void *context, struct bytes key, struct bytes value),
                     void *context)
{
    const struct memory_table *table = &memory_of_const(storage)->tables[family];

    for (size_t i = 0; i < table->chunks_count; i++) {
        for (size_t j = 0; j < table->chunks[i]->count; j++) {
            const struct memory_record *record = table->chunks[i]->entries[j].record;
            visit(context, memory_record_key(record), memory_record_value(record));
        }
    }
}
