/* node/disk.h - the store under a loop: the open batch, group commit, reads and scans.
 *
 * Shell. put, delete and commit run on the loop. One sync thread makes durable everything that was
 * committed since its last round: the more comes meanwhile, the more one sync covers. Reads look
 * into memory on the loop and go to libuv's pool of workers on a miss; scans always go there.
 *
 *     loop         put put commit 7 | put commit 8 | put commit 9 |  DURABLE 7     DURABLE 9
 *     sync thread                   [ sync covers 7             ] [ covers 8 and 9 ]
 *
 * The first failure of a commit or a sync ends the process: RocksDB can answer OK again after one
 * although its log then has a hole. */
#pragma once

#include "base/list.h"
#include "node/log.h"
#include "node/loop.h"

struct disk {
    struct loop *loop;
    struct log *log;
    const struct options *options;
    struct storage *storage;
    size_t value_max;          /* The largest record a read may return. */
    bool is_batch_open;        /* Something was put since the last commit. */
    uint64_t committed;        /* Sequence of the last commit. */
    uint64_t reported;         /* ... and of the last EVENT_DURABLE. */
    unsigned workers_count;    /* Reads and scans that have not come back. */
    struct list scans_waiting; /* For the open batch. */
    uv_timer_t interval;       /* sync = interval. */

    uv_thread_t thread;
    uv_async_t wake_loop;
    uv_mutex_t mutex; /* Guards what follows. */
    uv_cond_t wake_thread;
    uint64_t wanted, synced; /* Sequences. */
    bool is_stopping;
};

/* Take over an open store and start the sync thread. */
void disk_init(struct disk *disk, struct loop *loop, struct log *log, const struct options *options,
               struct storage *storage);
void disk_put(struct disk *disk, enum storage_family family, struct bytes key, struct bytes value);
void disk_delete(struct disk *disk, enum storage_family family, struct bytes key);
/* Commit the open batch; EVENT_DURABLE follows, perhaps together with later ones. */
void disk_commit(struct disk *disk, uint64_t sequence);
/* Answered by EVENT_DISK_READ, in this turn when the record is in memory. */
void disk_read(struct disk *disk, uint64_t id, struct bytes key);
/* Answered by EVENT_DISK_SCAN; begins once the open batch has been committed. */
void disk_scan(struct disk *disk, uint64_t id, const struct storage_range *range);
/* True when no worker has a read or scan in hand. */
bool disk_is_idle(const struct disk *disk);
/* Commit and sync what there is, end the sync thread, close the store. Only when idle; no event
 * follows, not even for scans that still wait. */
void disk_close(struct disk *disk);
