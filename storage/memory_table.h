/* storage/memory_table.h - one family of the store in memory: records in key order.
 *
 * A sorted array of sorted chunks, in effect a B-tree of two levels: a million keys are eight
 * thousand chunks or more, and what an insert or a split moves stays within some kilobytes. Chunks
 * are never merged; an empty one goes. Keys are ordered by their first eight bytes, kept beside the
 * pointer, before the record itself is looked at. */
#pragma once

#include "base/bytes.h"

enum { MEMORY_CHUNK_MAX = 128 };

/* A key with its value, in one piece of memory; the table does not own it. */
struct memory_record {
    uint32_t key_size, value_size;
    bool is_unreadable;
    uint8_t data[]; /* Key, then value. */
};

struct memory_entry {
    uint64_t head; /* First eight bytes of the key, big-endian, padded with zeros. */
    struct memory_record *record;
};

struct memory_chunk {
    size_t count; /* 1..MEMORY_CHUNK_MAX */
    struct memory_entry entries[MEMORY_CHUNK_MAX];
};

struct memory_table {
    struct memory_chunk **chunks;
    size_t chunks_count, chunks_capacity;
    uint64_t keys, bytes;
};

/* A place in a table, valid until the table changes. */
struct memory_place {
    size_t chunk, entry; /* chunk == chunks_count: at the end. */
};

struct memory_record *memory_record_new(struct bytes key, struct bytes value);
struct bytes memory_record_key(const struct memory_record *record);
struct bytes memory_record_value(const struct memory_record *record);

/* An all-zero table is empty. Free the table, and its records with `mem_free`. */
void memory_table_clear(struct memory_table *table);
/* Return the first place whose key is `key` or above. */
struct memory_place memory_table_seek(const struct memory_table *table, struct bytes key);
/* Return the record there, or NULL at the end. */
struct memory_record *memory_table_at(const struct memory_table *table, struct memory_place place);
void memory_table_next(const struct memory_table *table, struct memory_place *place);
/* Return the record of `key`, or NULL. */
struct memory_record *memory_table_get(const struct memory_table *table, struct bytes key);
/* Insert, or replace the record of the same key. Return the replaced one, or NULL. */
struct memory_record *memory_table_set(struct memory_table *table, struct memory_record *record);
/* Take a record out. Return it, or NULL. */
struct memory_record *memory_table_remove(struct memory_table *table, struct bytes key);
