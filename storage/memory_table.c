#include "storage/memory_table.h"

#include <string.h>

struct memory_record *memory_record_new(struct bytes key, struct bytes value)
{
    ASSERT(key.size <= UINT32_MAX);
    ASSERT(value.size <= UINT32_MAX);
    struct memory_record *record = mem_alloc(sizeof(*record) + key.size + value.size);
    record->key_size = (uint32_t)key.size;
    record->value_size = (uint32_t)value.size;
    record->is_unreadable = false;
    if (key.size > 0) {
        memcpy(record->data, key.data, key.size);
    }
    if (value.size > 0) {
        memcpy(record->data + key.size, value.data, value.size);
    }
    return record;
}

struct bytes memory_record_key(const struct memory_record *record)
{
    return (struct bytes){record->data, record->key_size};
}

struct bytes memory_record_value(const struct memory_record *record)
{
    return (struct bytes){record->data + record->key_size, record->value_size};
}

static uint64_t head_of(struct bytes key)
{
    uint8_t head[8] = {0};
    if (key.size >= sizeof(head)) {
        return be64_at(key.data);
    }
    if (key.size > 0) {
        memcpy(head, key.data, key.size);
    }
    return be64_at(head);
}

/* Equal heads do not tell a short key from one padded with zeros; the whole keys do. */
static int compare(const struct memory_entry *entry, uint64_t head, struct bytes key)
{
    if (entry->head != head) {
        return entry->head < head ? -1 : 1;
    }
    return bytes_compare(memory_record_key(entry->record), key);
}

static uint64_t record_size(const struct memory_record *record)
{
    return (uint64_t)record->key_size + record->value_size;
}

/* Return the last chunk whose first key is `key` or below, or the first chunk. */
static size_t chunk_of(const struct memory_table *table, uint64_t head, struct bytes key)
{
    size_t low = 0, high = table->chunks_count;

    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (compare(&table->chunks[middle]->entries[0], head, key) <= 0) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Where `key` is, or would be inserted: within a chunk, perhaps just behind its last entry. */
static struct memory_place find(const struct memory_table *table, struct bytes key, bool *found)
{
    uint64_t head = head_of(key);
    size_t index = chunk_of(table, head, key);

    *found = false;
    if (table->chunks_count == 0) {
        return (struct memory_place){0, 0};
    }
    const struct memory_chunk *chunk = table->chunks[index];
    size_t low = 0, high = chunk->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare(&chunk->entries[middle], head, key);
        if (order == 0) {
            *found = true;
            return (struct memory_place){index, middle};
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return (struct memory_place){index, low};
}

static struct memory_chunk *chunk_insert(struct memory_table *table, size_t index)
{
    if (table->chunks_count == table->chunks_capacity) {
        table->chunks_capacity = MAX((size_t)16, table->chunks_capacity * 2);
        table->chunks = mem_resize(table->chunks, table->chunks_capacity * sizeof(*table->chunks));
    }
    ASSERT(index <= table->chunks_count);
    memmove(table->chunks + index + 1, table->chunks + index,
            (table->chunks_count - index) * sizeof(*table->chunks));
    table->chunks_count++;
    table->chunks[index] = mem_alloc(sizeof(struct memory_chunk));
    table->chunks[index]->count = 0;
    return table->chunks[index];
}

/* Make room at `place` in a full chunk. Keys that only grow, as those of a log do, leave full
 * chunks behind instead of half empty ones. */
static struct memory_place split(struct memory_table *table, struct memory_place place)
{
    struct memory_chunk *right = chunk_insert(table, place.chunk + 1);
    struct memory_chunk *left = table->chunks[place.chunk];

    ASSERT(left->count == MEMORY_CHUNK_MAX);
    if (place.entry == left->count) {
        return (struct memory_place){place.chunk + 1, 0};
    }
    size_t half = MEMORY_CHUNK_MAX / 2;
    right->count = left->count - half;
    memcpy(right->entries, left->entries + half, right->count * sizeof(right->entries[0]));
    left->count = half;
    return place.entry <= half ? place : (struct memory_place){place.chunk + 1, place.entry - half};
}

struct memory_record *memory_table_set(struct memory_table *table, struct memory_record *record)
{
    struct bytes key = memory_record_key(record);
    bool found;
    struct memory_place place = find(table, key, &found);

    table->bytes += record_size(record);
    if (found) {
        struct memory_entry *entry = &table->chunks[place.chunk]->entries[place.entry];
        struct memory_record *old = entry->record;
        ASSERT(old != record);
        table->bytes -= record_size(old);
        entry->record = record;
        return old;
    }
    if (table->chunks_count == 0) {
        chunk_insert(table, 0);
    } else if (table->chunks[place.chunk]->count == MEMORY_CHUNK_MAX) {
        place = split(table, place);
    }
    struct memory_chunk *chunk = table->chunks[place.chunk];
    ASSERT(chunk->count < MEMORY_CHUNK_MAX);
    ASSERT(place.entry <= chunk->count);
    struct memory_entry *entry = &chunk->entries[place.entry];
    memmove(entry + 1, entry, (chunk->count - place.entry) * sizeof(*entry));
    *entry = (struct memory_entry){.head = head_of(key), .record = record};
    chunk->count++;
    table->keys++;
    return NULL;
}

struct memory_record *memory_table_remove(struct memory_table *table, struct bytes key)
{
    bool found;
    struct memory_place place = find(table, key, &found);

    if (!found) {
        return NULL;
    }
    struct memory_chunk *chunk = table->chunks[place.chunk];
    struct memory_entry *entry = &chunk->entries[place.entry];
    struct memory_record *record = entry->record;
    chunk->count--;
    memmove(entry, entry + 1, (chunk->count - place.entry) * sizeof(*entry));
    if (chunk->count == 0) {
        mem_free(chunk);
        table->chunks_count--;
        memmove(table->chunks + place.chunk, table->chunks + place.chunk + 1,
                (table->chunks_count - place.chunk) * sizeof(*table->chunks));
    }
    ASSERT(table->keys > 0);
    ASSERT(table->bytes >= record_size(record));
    table->keys--;
    table->bytes -= record_size(record);
    return record;
}

struct memory_place memory_table_seek(const struct memory_table *table, struct bytes key)
{
    bool found;
    struct memory_place place = find(table, key, &found);

    if (place.chunk < table->chunks_count && place.entry == table->chunks[place.chunk]->count) {
        place = (struct memory_place){place.chunk + 1, 0};
    }
    return place;
}

struct memory_record *memory_table_at(const struct memory_table *table, struct memory_place place)
{
    return place.chunk < table->chunks_count
               ? table->chunks[place.chunk]->entries[place.entry].record
               : NULL;
}

void memory_table_next(const struct memory_table *table, struct memory_place *place)
{
    ASSERT(place->chunk < table->chunks_count);
    if (++place->entry == table->chunks[place->chunk]->count) {
        place->chunk++;
        place->entry = 0;
    }
}

struct memory_record *memory_table_get(const struct memory_table *table, struct bytes key)
{
    bool found;
    struct memory_place place = find(table, key, &found);
    return found ? memory_table_at(table, place) : NULL;
}

void memory_table_clear(struct memory_table *table)
{
    for (size_t i = 0; i < table->chunks_count; i++) {
        for (size_t j = 0; j < table->chunks[i]->count; j++) {
            mem_free(table->chunks[i]->entries[j].record);
        }
        mem_free(table->chunks[i]);
    }
    mem_free(table->chunks);
    *table = (struct memory_table){0};
}
