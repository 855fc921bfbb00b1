/* storage/memory_state.h - what memory.c and memory_fault.c share; nobody else includes it. */
#pragma once

#include "base/list.h"
#include "storage/memory.h"
#include "storage/memory_table.h"

/* One put or delete of a batch, and what it replaced. */
struct memory_operation {
    enum storage_family family;
    bool is_delete;
    struct memory_record *record; /* Of a delete the key alone. */
    struct memory_record *before; /* What the table held; NULL before apply, or if nothing. */
};

/* A batch while it is open; afterwards an entry of the journal, from which it can be undone. */
struct memory_commit {
    struct list link;
    size_t count, capacity;
    struct memory_operation operations[];
};

struct memory_faults {
    uint64_t read_in, commit_in, sync_in; /* Calls until it fails; 0: not armed. */
    enum err read_err;
    struct prng *miss_prng;
    uint64_t miss_one_in;
};

struct memory {
    struct storage storage; /* First, so that a struct storage is cast to this. */
    struct memory_table tables[STORAGE_FAMILIES_COUNT];
    struct list journal; /* Oldest first: `synced_count` synced ones, then the unsynced. */
    uint64_t synced_count, unsynced_count;
    uint64_t history_max;
    struct memory_commit *batch;  /* Open, or NULL. */
    struct memory_commit *failed; /* The batch whose commit failed: nobody knows if it is there. */
    const char *failure;          /* Words; the store is dead while is_failed. */
    bool is_failed;
    bool is_down; /* Between memory_crash and memory_reopen. */
    struct memory_faults faults;
    struct storage_stats stats;
};

struct memory *memory_of(struct storage *storage);
void memory_apply(struct memory *memory, struct memory_commit *commit);
/* Make the tables as they were before `commit`, the last one applied, and free it. */
void memory_undo(struct memory *memory, struct memory_commit *commit);
/* Free a batch that was never applied; NULL is allowed. */
void memory_drop(struct memory_commit *commit);
/* Forget how to undo the oldest commits, all but the newest history_max of the synced. */
void memory_trim(struct memory *memory);
