/* storage/rocks_state.h - what rocks.c and rocks_open.c share; nobody else includes it. */
#pragma once

#include <stdatomic.h>

#include "storage/rocks.h"

enum {
    ROCKS_FAILURES_MAX = 16,
    ROCKS_FAILURE_SIZE_MAX = 512,
};

/* Words of failures, each place written once, so that failure() needs no lock whichever thread
 * failed: a reader sees a place only after it was filled. When all are used up, later words are
 * dropped, but for those of the first failed commit or sync, which have a place of their own. */
struct rocks_failures {
    char words[ROCKS_FAILURES_MAX][ROCKS_FAILURE_SIZE_MAX];
    char fatal_words[ROCKS_FAILURE_SIZE_MAX];
    atomic_uint taken;           /* Places handed out; may pass ROCKS_FAILURES_MAX. */
    atomic_bool fatal_taken;     /* Somebody writes, or wrote, fatal_words. */
    atomic_bool failed;          /* Set for ever by the first failed commit or sync. */
    _Atomic(const char *) last;  /* What failure() answers. */
    _Atomic(const char *) fatal; /* Goes before `last` once it is set. */
};

struct rocks_counters {
    atomic_uint_least64_t gets, gets_missed_memory, puts, deletes, commits, syncs, scans;
    atomic_uint_least64_t commit_bytes;
};

struct rocks {
    struct storage storage; /* First, so that a struct storage is cast to this. */
    struct rocksdb_t *db;
    struct rocksdb_column_family_handle_t *families[STORAGE_FAMILIES_COUNT];
    struct rocksdb_cache_t *cache;
    struct rocksdb_readoptions_t *read_all, *read_memory;
    struct rocksdb_writeoptions_t *write;
    struct rocksdb_writebatch_t *batch; /* Open, the loop's. */
    bool sync;
    struct rocks_counters counters;
    struct rocks_failures failures;
};

/* Set the functions and what does not depend on the options; rocks_open opens db, families and
 * cache. */
void rocks_start(struct rocks *rocks);
