/* quorum/partition.h - one vnode: the clock, the log and what the other owners have told us.
 *
 * model/partition_model.py, class Replica, is the specification; the functions have its names. The
 * objects of keys are loaded and stored by the caller (quorum/store.h). Pure. */
#pragma once

#include "quorum/clock.h"
#include "quorum/dotlog.h"
#include "quorum/object.h"

enum { PARTITION_OWNERS_MAX = 7 };

struct partition {
    struct clock clock; /* Dots whose delta was applied here. */
    struct dotlog log;
    struct clock
        seen[PARTITION_OWNERS_MAX]; /* By owner index: the last durable clock it told us. */
    bool seen_valid[PARTITION_OWNERS_MAX];
    uint64_t seen_missing_since_ns[PARTITION_OWNERS_MAX]; /* We lack dots of theirs; 0: in step. */
    uint64_t clock_version;                               /* Counts changes of the clock. */
    uint64_t told[PARTITION_OWNERS_MAX]; /* The clock_version last told to each owner. */
    struct buf tombstones;               /* Keys that may hold one: length u32, stored key. */
    uint32_t tombstones_count;
    bool checkpoint_due; /* Log entries went since the clock was last put. */
};

void partition_init(struct partition *partition);
void partition_release(struct partition *partition);

/* The next dot of an actor: counters have no gaps. */
struct dot partition_next_dot(const struct partition *partition, uint64_t actor);

/* Apply a write: insert the version unless covered, drop the replaced dots, add only the write's
 * own dot to the clock. The caller stores the object and logs the dot when true is returned; false
 * means the delta had been applied before and the object is unchanged. */
bool partition_apply(struct partition *partition, struct object *object,
                     const struct version *version, const struct dot *replaced,
                     uint32_t replaced_count, struct arena *arena);
/* Read repair: versions of unknown ancestry; no dot enters the clock. Return true when the object
 * changed. */
bool partition_repair(const struct partition *partition, struct object *object,
                      const struct version *versions, uint32_t versions_count,
                      const struct dot *obsolete, uint32_t obsolete_count, struct arena *arena);
/* Join the state of one key as another owner with clock `theirs` holds it. The clock stays: it is
 * joined (partition_join_clock) after the last key. */
void partition_join_key(const struct partition *partition, struct object *object,
                        const struct clock *theirs, const struct version *versions,
                        uint32_t versions_count, const struct dot *residual,
                        uint32_t residual_count, struct arena *arena);
void partition_join_clock(struct partition *partition, const struct clock *theirs);

/* Note an owner's durable clock. */
void partition_seen(struct partition *partition, unsigned owner, const struct clock *clock);
/* An owner may have forgotten what it told us, or is none any more. */
void partition_unsee(struct partition *partition, unsigned owner);
/* Drop log entries that every other owner has durably, or beyond `bytes_max`. Nothing is dropped
 * for the first reason while an owner has not reported. Return how many went. */
uint32_t partition_collect_log(struct partition *partition, struct segments *segments,
                               unsigned owners_count, unsigned self, size_t bytes_max);
/* Tombstones can vanish at all: all other owners have reported, and our clock covers the join of
 * their reports. */
bool partition_may_forget(const struct partition *partition, unsigned owners_count, unsigned self);
/* With partition_may_forget: take out of the object the tombstones that every owner covers. Return
 * true when any went. */
bool partition_forget(const struct partition *partition, struct object *object,
                      unsigned owners_count, unsigned self);
/* Remember that a key holds a tombstone, so that collection finds it. */
void partition_note_tombstone(struct partition *partition, struct bytes key);
