/* storage/memory.h - storage.h in memory, for the simulator: deterministic, with crashes and
 * faults.
 *
 * Stands for the disk of one node, so it outlives the node's process: the simulator makes it once,
 * lets the process die with memory_crash, and starts the next one with memory_reopen. A commit is
 * visible at once; sync moves the durable point; what lies between the two is exactly what a crash
 * may take away, from the newest commit backwards (storage.h: a prefix survives).
 *
 * One thread only. No time, no randomness of its own: how much is lost, which byte rots and which
 * read misses come from numbers of the caller. Latency is the simulator's business. */
#pragma once

#include "storage/storage.h"

struct prng;

/* An empty store. storage_close frees it, with everything that was durable. */
struct storage *memory_new(void);

/* The process ends now and the open batch is gone. What else is lost: */
enum memory_crash {
    MEMORY_CRASH_PROCESS, /* kill -9: nothing; the operating system has every commit. */
    MEMORY_CRASH_POWER,   /* Power failure at its worst: every commit that was not synced. */
    MEMORY_CRASH_PREFIX,  /* Power failure: `random` decides how many commits after the last sync
                             stay. A commit that failed may be among them, as the last. */
    MEMORY_CRASH_AMNESIA, /* The disk lied: at least one *synced* commit is gone as well, as far as
                             memory_keep_history remembers them; `random` decides how many. */
};

struct memory_loss {
    uint64_t kept;        /* Commits after the last sync that stay. */
    uint64_t lost;        /* Commits after the last sync that are gone. */
    uint64_t lost_synced; /* Synced ones that are gone; only with MEMORY_CRASH_AMNESIA. */
};

/* Until memory_reopen no function of storage.h but stats and close may be called; a second crash, a
 * power failure after a kill -9, is allowed. */
struct memory_loss memory_crash(struct storage *storage, enum memory_crash how, uint64_t random);
/* A new process opens the store, after a crash or a clean stop: an open batch is gone, failure and
 * armed faults are forgotten, counters begin at 0. Rotten entries stay rotten. All that is found is
 * durable, as storage.h says. */
void memory_reopen(struct storage *storage);
/* A new, empty disk. */
void memory_wipe(struct storage *storage);
/* From now on remember how to undo the last `commits_max` synced commits; 0 at the start. */
void memory_keep_history(struct storage *storage, uint64_t commits_max);
/* Commits that a power failure could take. */
uint64_t memory_unsynced(const struct storage *storage);

/* Faults. `nth` counts from 1, the next call; 0 disarms. */

/* Let the nth get or scan from now on fail with `err`, ERR_IO or ERR_CORRUPT, once. */
void memory_fail_read(struct storage *storage, uint64_t nth, enum err err);
/* Let the nth commit (of a batch that is not empty) or sync fail; from then on all of them do. */
void memory_fail_commit(struct storage *storage, uint64_t nth);
void memory_fail_sync(struct storage *storage, uint64_t nth);
/* A get from STORAGE_TIER_MEMORY answers ERR_WOULD_BLOCK once in `one_in` times; 0: never. `prng`
 * is borrowed until the next call of this or memory_reopen. */
void memory_miss(struct storage *storage, struct prng *prng, uint64_t one_in);

enum memory_rot {
    MEMORY_ROT_BIT,        /* One bit of the value flips, and no checksum of the engine notices. */
    MEMORY_ROT_UNREADABLE, /* Every get or scan that meets the entry answers ERR_CORRUPT. */
};

/* Spoil one stored entry until it is written again; `random` chooses the bit. Return false, and do
 * nothing, when there is no such key, or no bit to flip. */
bool memory_rot(struct storage *storage, enum storage_family family, struct bytes key,
                enum memory_rot how, uint64_t random);
/* Borrow the key at `random` modulo the number of keys, in key order, until the next write. Return
 * false when the family is empty. */
bool memory_pick(const struct storage *storage, enum storage_family family, uint64_t random,
                 struct bytes *key);

/* For checkers: no fault applies to these. */

uint64_t memory_keys(const struct storage *storage, enum storage_family family);
/* Of keys and values together. */
uint64_t memory_bytes(const struct storage *storage, enum storage_family family);
/* Visit every entry in key order; `visit` must not write to the store. */
void memory_for_each(const struct storage *storage, enum storage_family family,
                     void (*visit)(void *context, struct bytes key, struct bytes value),
                     void *context);
