/* storage/storage.h - the store under a node: ordered keys in four families, batches, group commit.
 *
 * Two implementations stand behind one table of functions: rocks (RocksDB, real) and memory (the
 * simulator's, with injectable faults and a crash that forgets what was not synced).
 *
 * Threads: put, delete and commit belong to one thread (the loop). sync, scan and get may be called
 * from any thread. Order: what one commit wrote is visible to every get and scan that begins after
 * it returned, is kept as a whole or not at all, and survives only together with all earlier
 * commits (a prefix); it survives a crash for certain once a sync that began after the commit
 * returned OK. What a store holds when it is opened is durable.
 *
 * After the first ERR_IO of commit or sync the store answers ERR_IO to every commit and sync: the
 * caller must stop the process and acknowledge nothing more (RocksDB can answer OK again after
 * ENOSPC although the log has a hole). */
#pragma once

#include "base/arena.h"
#include "base/bytes.h"

enum storage_family {
    STORAGE_DATA, /* Records of keys; see quorum/object.h. */
    STORAGE_LOG,  /* Dots that some owner may still lack; see quorum/partition.h. */
    STORAGE_HINT, /* Deltas kept for an owner that is down. */
    STORAGE_META, /* Names: identity, clean-stop mark, clock checkpoints, ... */
    STORAGE_FAMILIES_COUNT,
};

enum storage_tier {
    STORAGE_TIER_MEMORY, /* Memtable and block cache only; else ERR_WOULD_BLOCK. */
    STORAGE_TIER_ALL,
};

struct storage_entry {
    struct bytes key, value;
};

struct storage_range {
    enum storage_family family;
    struct bytes from;  /* First key, inclusive. */
    struct bytes to;    /* Exclusive; empty means to the end of the family. */
    size_t entries_max; /* Stop after so many entries, > 0. */
    size_t bytes_max;   /* Stop once keys and values together pass this, > 0. */
};

/* Counters since the start; what INFO, bench and tests read. */
struct storage_stats {
    uint64_t gets, gets_missed_memory, puts, deletes, commits, syncs, scans;
    uint64_t commit_bytes;
    uint64_t background_errors;  /* rocksdb.background-errors */
    uint64_t disk_bytes;         /* Live SST bytes. */
    uint64_t memory_bytes;       /* Memtables, block cache and index blocks. */
    bool write_stopped;          /* RocksDB has stopped writes. */
    uint64_t write_delayed_rate; /* Bytes per second, 0: not delayed. */
};

struct storage;

struct storage_functions {
    enum err (*get)(struct storage *, enum storage_family, struct bytes key, enum storage_tier,
                    struct buf *value);
    void (*put)(struct storage *, enum storage_family, struct bytes key, struct bytes value);
    void (*del)(struct storage *, enum storage_family, struct bytes key);
    enum err (*commit)(struct storage *);
    enum err (*sync)(struct storage *);
    enum err (*scan)(struct storage *, const struct storage_range *, struct arena *,
                     struct storage_entry **entries, size_t *entries_count, bool *more);
    void (*stats)(struct storage *, struct storage_stats *);
    const char *(*failure)(struct storage *);
    void (*close)(struct storage *);
};

struct storage {
    const struct storage_functions *functions; /* First member of every implementation. */
};

/* Append the value of `key` to `value`. Return OK, ERR_NOT_FOUND, ERR_WOULD_BLOCK (tier memory
 * only), ERR_IO, ERR_CORRUPT (a checksum of the engine failed) or ERR_TOO_LARGE. */
MUST_CHECK enum err storage_get(struct storage *storage, enum storage_family family,
                                struct bytes key, enum storage_tier tier, struct buf *value);
/* Add to the open batch; both are copied before the call returns. Not visible before commit. */
void storage_put(struct storage *storage, enum storage_family family, struct bytes key,
                 struct bytes value);
void storage_delete(struct storage *storage, enum storage_family family, struct bytes key);
/* Write the open batch as one, without waiting for the disk. An empty batch does nothing. Return OK
 * or ERR_IO. */
MUST_CHECK enum err storage_commit(struct storage *storage);
/* Make durable every commit that returned before this call. Return OK or ERR_IO. */
MUST_CHECK enum err storage_sync(struct storage *storage);
/* Read a range in key order, copying entries into `arena`. *more: entries are left in the range.
 * Return OK, ERR_IO or ERR_CORRUPT; never a silently shortened answer. */
MUST_CHECK enum err storage_scan(struct storage *storage, const struct storage_range *range,
                                 struct arena *arena, struct storage_entry **entries,
                                 size_t *entries_count, bool *more);
void storage_stats(struct storage *storage, struct storage_stats *out);
/* Words about the last failure, for the log; never NULL. */
const char *storage_failure(struct storage *storage);
/* Flush nothing, close everything, free. */
void storage_close(struct storage *storage);
