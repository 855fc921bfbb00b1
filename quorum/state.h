/* quorum/state.h - the inside of struct quorum, for the files of this folder only.
 *
 *      quorum.c    life cycle, timers, what waits for durability, dispatch of messages
 *      store.c     keys to objects: cache, disk reads, records put and read
 *      request.c   one operation in flight: life, deadlines, forwarding
 *      ask.c       its first round;  decide.c  what the answers mean, and its second round
 *      merge.c     a round of answers, merged;  get.c put.c  results, and what is written
 *      replica.c   the other side: answers, deltas, repairs
 *      repair.c    durable clocks, log collection, missed writes
 *      sweep.c     expiry, tombstones, counts of keys
 *      list.c      pages of keys, counts of keys
 *
 * Invariants: an object is only read or changed while its record is in the cache (store_load); a
 * change goes to cache and open batch in the same call; whatever reveals a record to a client or
 * peer waits until the record's sequence is durable. */
#pragma once

#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mutant.h"
#include "quorum/cache.h"
#include "quorum/message.h"
#include "quorum/partition.h"
#include "quorum/quorum.h"
#include "ring/place.h"

enum {
    QUORUM_FAMILY_DATA = 0, /* As enum storage_family. */
    QUORUM_FAMILY_LOG = 1,
    QUORUM_FAMILY_META = 3,
};

/* Why a record is being loaded. */
enum waiter_kind {
    WAITER_REQUEST, /* Continue request `id`. */
    WAITER_MESSAGE, /* Handle the message again. */
    WAITER_TIDY,    /* Expire, and forget tombstones. */
};

struct waiter {
    struct waiter *next;
    enum waiter_kind kind;
    uint64_t id;
    uint16_t from;
    struct arena arena;
    const struct message *message;
};

/* One disk read of one key, and all who wait for it. */
struct load {
    uint64_t id;
    uint64_t key_hash;
    struct load *hash_next; /* Same hash, other key. */
    struct waiter *first, **last;
    size_t key_size;
    uint8_t key[];
};

/* What is done when a sequence becomes durable. */
enum durable_kind {
    DURABLE_ACK,     /* Tell `member` that its `id` is durable. */
    DURABLE_REQUEST, /* Continue request `id`. */
    DURABLE_SEND,    /* Send the message. */
    DURABLE_LISTED,  /* Our own part of a list: take it. */
};

struct durable_waiter {
    enum durable_kind kind;
    uint16_t member;
    uint64_t id;
    struct message *message; /* In an arena of its own, see quorum.c. */
    struct arena arena;
};

struct durable_batch {
    struct durable_waiter *waiters;
    size_t count, capacity;
};

struct member {
    bool live;
};

struct sweep_slot {
    int64_t due_ms; /* When to look at this slot; INT64_MAX: nothing to do. */
};

struct quorum {
    struct quorum_options options;
    uint8_t n, r, w; /* Effective defaults. */
    struct now now;
    struct arena step;  /* Scratch of one quorum_* call. */
    unsigned depth;     /* Nested calls share the scratch. */
    struct buf scratch; /* Encoded records. */
    struct partition *partitions;
    struct member *members;
    struct cache cache;
    struct prng prng;

    /* Writes. */
    uint64_t hlc;
    uint64_t sequence;  /* Of the open batch. */
    uint64_t durable;   /* Highest sequence known durable. */
    bool batch_open;    /* Something was put since the last quorum_turn. */
    struct buf segment; /* Log entries of the open batch. */
    struct segments segments;
    struct durable_batch *batches; /* Ring: index sequence % capacity, for durable+1..sequence. */
    size_t batches_capacity;
    size_t durable_waiting;

    /* Requests. */
    struct map requests;
    struct heap timers;
    uint64_t request_next;
    struct list requests_free;
    size_t requests_free_count;

    /* Loads. */
    struct map loads_by_id, loads_by_key;
    uint64_t load_next;
    size_t loads_count;

    /* Lists and counts. */
    struct map lists;

    /* Background. */
    bool serving;
    uint64_t exchange_at_ns;
    uint32_t exchange_start; /* The partition that the next exchange begins with. */
    struct sweep *sweep;
    struct quorum_stats stats;
};

/* -- quorum.c */
/* Run `waiter` when everything up to `sequence` is durable; never before this returns. */
void durable_wait(struct quorum *quorum, uint64_t sequence, struct durable_waiter waiter);
/* Send now, or when `sequence` is durable. The message is copied if it has to wait. */
void send_when_durable(struct quorum *quorum, uint16_t member, const struct message *message,
                       uint64_t sequence);
void send_message(struct quorum *quorum, uint16_t member, struct message *message);
void quorum_log(struct quorum *quorum, int level, const char *format, ...) PRINTF_LIKE(3, 4);
/* Owners of a partition, effective N of them. */
const uint16_t *owners_of(const struct quorum *quorum, uint16_t partition, unsigned *count);
/* The index of a member among the owners, -1 when it is none. */
int owner_index(const struct quorum *quorum, uint16_t partition, uint16_t member);
uint16_t partition_of_key(const struct quorum *quorum, struct bytes key);
void hear_hlc(struct quorum *quorum, uint64_t hlc);
/* Handle a sound message, now or after it has waited for a record. */
void message_dispatch(struct quorum *quorum, uint16_t from, const struct message *message);

/* -- store.c */
enum load_result {
    LOAD_READY,   /* The object is filled in. */
    LOAD_WAITING, /* The waiter will be called. */
};
/* Decode the object of `key` when its record is in the cache; else register the waiter and read it.
 * `sequence` receives the sequence that must be durable before the object may be revealed. */
enum load_result store_load(struct quorum *quorum, struct bytes key, struct waiter waiter,
                            struct object *object, uint64_t *sequence);
/* Only if it is in the cache. */
bool store_peek(struct quorum *quorum, struct bytes key, struct object *object, uint64_t *sequence);
/* Put the changed object into cache and open batch; an empty one is deleted. Its sequence is that
 * of the open batch. */
void store_save(struct quorum *quorum, struct bytes key, struct object *object,
                const struct object *before);
/* Log a dot that was just applied. */
void store_log(struct quorum *quorum, uint16_t partition, struct dot dot, struct bytes key);
void store_put_meta(struct quorum *quorum, struct bytes key, struct bytes value);
void store_checkpoint(struct quorum *quorum, uint16_t partition);
struct waiter waiter_for_request(uint64_t id);
struct waiter waiter_for_message(uint16_t from, const struct message *message);

/* -- request.c, ask.c, decide.c */
void request_on_loaded(struct quorum *quorum, uint64_t id, enum err err,
                       const struct object *object, uint64_t sequence);
void request_on_durable(struct quorum *quorum, uint64_t id, uint64_t sequence);
void request_on_answer(struct quorum *quorum, uint16_t from, const struct message *message);
void request_on_ack(struct quorum *quorum, uint16_t from, uint64_t id);
void request_on_refuse(struct quorum *quorum, uint16_t from, const struct message *message);
void request_on_result(struct quorum *quorum, uint16_t from, const struct message *message);
void request_on_forward(struct quorum *quorum, uint16_t from, const struct message *message);
void request_on_member(struct quorum *quorum, uint16_t member, bool live);
void request_on_timer(struct quorum *quorum, struct heap_item *item);
void requests_release(struct quorum *quorum);

/* -- replica.c */
void replica_on_message(struct quorum *quorum, uint16_t from, const struct message *message);
/* The record of the key of a waiting message could not be read. */
void replica_on_unreadable(struct quorum *quorum, uint16_t from, const struct message *message);

/* -- repair.c */
void repair_on_clocks(struct quorum *quorum, uint16_t from, const struct message *message);
void repair_on_missing(struct quorum *quorum, uint16_t from, const struct message *message);
void repair_on_state(struct quorum *quorum, uint16_t from, const struct message *message);
void repair_on_member(struct quorum *quorum, uint16_t member, bool live);
void repair_exchange(struct quorum *quorum);

/* -- sweep.c */
void sweep_init(struct quorum *quorum);
void sweep_release(struct quorum *quorum);
/* An object changed: keep counts, remember when its slot needs a look. */
void sweep_on_change(struct quorum *quorum, struct bytes key, const struct object *before,
                     const struct object *after);
void sweep_on_timer(struct quorum *quorum);
uint64_t sweep_deadline_ns(const struct quorum *quorum);
/* Return true when the scan was the sweep's. */
bool sweep_on_scan(struct quorum *quorum, uint64_t id, enum err err,
                   const struct quorum_scanned *entries, size_t count, bool more);
void sweep_tidy_key(struct quorum *quorum, struct bytes key, struct object *object);
/* A key that had to be tidied could not be read: look at it again later. */
void sweep_retry_key(struct quorum *quorum, struct bytes key);
void sweep_counts(const struct quorum *quorum, uint16_t partition, uint64_t keys[QUORUM_DATABASES],
                  uint64_t expires[QUORUM_DATABASES]);

/* -- list.c */
void list_on_message(struct quorum *quorum, uint16_t from, const struct message *message);
/* One owner's part of a page. */
void list_on_page(struct quorum *quorum, uint16_t from, const struct message *listed);
bool list_on_scan(struct quorum *quorum, uint64_t id, enum err err,
                  const struct quorum_scanned *entries, size_t count, bool more);
void list_on_member(struct quorum *quorum, uint16_t member, bool live);
/* A verifying read of a list has ended. */
void list_on_op(struct quorum *quorum, uint64_t token, const struct op_result *result);
void list_on_timer(struct quorum *quorum);
uint64_t list_deadline_ns(const struct quorum *quorum);
void lists_release(struct quorum *quorum);
