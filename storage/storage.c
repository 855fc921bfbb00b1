#include "storage/storage.h"

enum err storage_get(struct storage *storage, enum storage_family family, struct bytes key,
                     enum storage_tier tier, struct buf *value)
{
    ASSERT(family < STORAGE_FAMILIES_COUNT);
    ASSERT(key.size > 0);
    return storage->functions->get(storage, family, key, tier, value);
}

void storage_put(struct storage *storage, enum storage_family family, struct bytes key,
                 struct bytes value)
{
    ASSERT(family < STORAGE_FAMILIES_COUNT);
    ASSERT(key.size > 0);
    storage->functions->put(storage, family, key, value);
}

void storage_delete(struct storage *storage, enum storage_family family, struct bytes key)
{
    ASSERT(family < STORAGE_FAMILIES_COUNT);
    ASSERT(key.size > 0);
    storage->functions->del(storage, family, key);
}

enum err storage_commit(struct storage *storage)
{
    enum err err = storage->functions->commit(storage);
    ASSERT(err == OK || err == ERR_IO);
    return err;
}

enum err storage_sync(struct storage *storage)
{
    enum err err = storage->functions->sync(storage);
    ASSERT(err == OK || err == ERR_IO);
    return err;
}

enum err storage_scan(struct storage *storage, const struct storage_range *range,
                      struct arena *arena, struct storage_entry **entries, size_t *entries_count,
                      bool *more)
{
    ASSERT(range->family < STORAGE_FAMILIES_COUNT);
    ASSERT(range->entries_max > 0);
    ASSERT(range->bytes_max > 0);
    return storage->functions->scan(storage, range, arena, entries, entries_count, more);
}

void storage_stats(struct storage *storage, struct storage_stats *out)
{
    storage->functions->stats(storage, out);
}

const char *storage_failure(struct storage *storage)
{
    const char *words = storage->functions->failure(storage);
    ASSERT(words != NULL);
    return words;
}

void storage_close(struct storage *storage)
{
    storage->functions->close(storage);
}
