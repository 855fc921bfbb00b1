/* quorum/quorum.h - reads and writes of keys on N replicas: the one door of this folder.
 *
 * model/quorum_model.py and model/partition_model.py are the specification. A node's core starts
 * operations here and hands in what peers and disk say; the quorum answers through the functions of
 * `struct quorum_io`. Pure: time comes with every call.
 *
 * Sources: DeCandia et al., Dynamo (SOSP 2007); Attiya, Bar-Noy, Dolev, Sharing memory robustly
 * (JACM 1995): two-round writes and write-back reads; Goncalves et al., DottedDB (SRDS 2017). */
#pragma once

#include "base/arena.h"
#include "base/bytes.h"
#include "base/prng.h"
#include "quorum/clock.h"
#include "quorum/key.h"
#include "quorum/object.h"

struct message;
struct place;
struct quorum;

enum { QUORUM_MEMBER_NONE = 0xffff, QUORUM_OWNERS_MAX = 7, QUORUM_DATABASES = 16 };

enum op_kind {
    OP_GET,        /* The winning version, or nothing. */
    OP_SET,        /* Plain write. */
    OP_DEL,        /* Plain delete; says whether a live value was there. */
    OP_CAUSAL_GET, /* All siblings and the context. */
    OP_CAUSAL_SET, /* Replaces exactly what the context saw. */
    OP_CAUSAL_DEL,
    OP_EXPLAIN, /* What every owner holds; for people. */
};

/* One (dot, timestamp) that a client has seen. */
struct seen_dot {
    struct dot dot;
    uint64_t timestamp;
};

/* One operation on one key. Borrowed during quorum_start, which copies what it needs. */
struct op {
    enum op_kind kind;
    bool one_round;   /* consistency = quorum: no first round, no waiting for write-back. */
    bool keep_expiry; /* SET ... KEEPTTL: take over the expiry of the version it replaces. */
    bool want_old;    /* SET ... GET: the result carries the old value. */
    uint8_t r, w;     /* Before shrinking to the members there are; 0: the default. */
    uint32_t timeout_ms;
    int64_t expiry_ms; /* Unix ms; 0: never. */
    struct bytes key;  /* As key_encode makes it. */
    struct bytes value;
    const struct seen_dot *context;
    uint32_t context_count;
};

enum outcome {
    OUTCOME_DONE,
    OUTCOME_NO_QUORUM,         /* Refused; certainly nothing was applied. */
    OUTCOME_UNCERTAIN,         /* It may have been applied, or may still be. */
    OUTCOME_BUSY,              /* Refused: too much in flight; nothing was applied. */
    OUTCOME_UNREADABLE,        /* Too few owners can read their copy; nothing was applied. */
    OUTCOME_TOO_MANY_SIBLINGS, /* Refused; nothing was applied. */
};

struct owner_view { /* One owner of OP_EXPLAIN. */
    uint16_t member;
    bool live, answered, unreadable;
    const struct version *versions; /* Without payloads. */
    uint32_t versions_count;
};

/* Lent for the call of quorum_io.done. */
struct op_result {
    enum outcome outcome;
    bool found; /* GET, SET..GET: a live value; DEL: there was one to remove. */
    uint16_t slot;
    uint16_t partition;
    uint8_t needed, got; /* Refused or uncertain: how many owners were needed and answered. */
    uint32_t waited_ms;
    uint32_t removed;   /* CAUSAL_DEL: versions removed. */
    int64_t expiry_ms;  /* Of the value found; 0: none. */
    uint64_t timestamp; /* Of the value found, or of the version written. */
    struct dot dot;     /* Of the value found, or of the version written. */
    struct bytes value;
    const struct version *siblings; /* CAUSAL_GET: live versions, newest first. */
    uint32_t siblings_count;
    const struct seen_dot *context; /* CAUSAL_GET: every version held, tombstones included. */
    uint32_t context_count;
    const struct owner_view *owners; /* EXPLAIN */
    uint32_t owners_count;
};

/* A page of the keys of one database, in the order of slot and hash. */
struct list_query {
    uint8_t database, r;
    uint64_t position;     /* Where to begin: slot << 32 | hash. */
    uint64_t position_end; /* Exclusive; 16384 << 32 for all. */
    uint32_t count_max;    /* Keys wanted; a few more may come (all keys of one position). */
    uint32_t timeout_ms;
};

struct list_result {
    enum outcome outcome;
    uint8_t needed, got;
    uint16_t slot;
    uint32_t waited_ms;
    const struct bytes *keys; /* Names as the client calls them. */
    uint32_t keys_count;
    uint64_t position_next; /* position_end: the range is done. */
};

struct count_result {
    enum outcome outcome;
    uint64_t keys[QUORUM_DATABASES], expires[QUORUM_DATABASES];
};

/* How the quorum reaches the world; every function is called only from within a quorum_* call. */
struct quorum_io {
    void *context;
    /* Send to a member; the message is borrowed. Dropped when the member is not connected. */
    void (*send)(void *context, uint16_t member, const struct message *message);
    /* Read one record of the data family; answered by quorum_on_read. */
    void (*read)(void *context, uint64_t id, struct bytes key);
    /* Scan records of slots [from, to); answered by quorum_on_scan. */
    void (*scan)(void *context, uint64_t id, struct bytes from, struct bytes to,
                 uint32_t entries_max, uint32_t bytes_max);
    /* Put into (value) or delete from (value.data NULL) a family, in the open batch. */
    void (*put)(void *context, int family, struct bytes key, const struct bytes *value);
    void (*log)(void *context, int level, const char *text);
    void (*done)(void *context, uint64_t token, const struct op_result *result);
    void (*listed)(void *context, uint64_t token, const struct list_result *result);
    void (*counted)(void *context, uint64_t token, const struct count_result *result);
};

struct quorum_options {
    uint16_t self; /* Member index in `place`. */
    uint16_t members_count;
    uint8_t n, r, w; /* As configured; shrunk while there are fewer members than n. */
    uint32_t partitions_count;
    uint64_t actor; /* Durable before it is given here. */
    uint64_t hlc;   /* At or above everything ever issued or applied here. */
    uint64_t hash_seed;
    uint64_t cache_bytes;
    uint64_t log_partition_max_bytes;
    uint64_t value_max_bytes;
    uint32_t max_clock_drift_ms, hedge_ms, requests_max, siblings_max, clock_exchange_ms;
    const struct place *place; /* Borrowed for the life of the quorum. */
    struct quorum_io io;
};

/* Time of this call: monotonic ns and unix ms. */
struct now {
    uint64_t ns;
    int64_t wall_ms;
};

struct quorum_stats {
    uint64_t ops[OP_EXPLAIN + 1], forwarded, fast_reads, write_backs, hedges;
    uint64_t no_quorum, uncertain, busy, unreadable;
    uint64_t deltas_applied, deltas_duplicate, repairs_applied, asks, answers_same;
    uint64_t cache_hits, cache_misses, cache_bytes, cache_entries;
    uint64_t log_entries, log_bytes, log_truncated, tombstones_collected, versions_expired;
    uint64_t clocks_sent, states_sent, states_joined, state_keys, corrupt_records;
    uint64_t requests, loads, waiting_durable;
};

struct quorum *quorum_new(const struct quorum_options *options);
void quorum_free(struct quorum *quorum);

/* Recovery, before anything else: checkpoints of clocks (meta family), then segments of the log. */
MUST_CHECK enum err quorum_recover_clock(struct quorum *quorum, uint16_t partition,
                                         struct bytes value);
MUST_CHECK enum err quorum_recover_log(struct quorum *quorum, struct bytes key, struct bytes value);
/* Who issues dots from now on, and a hybrid timestamp at or above all that went before. The actor
 * must be durable before the first operation. */
void quorum_set_identity(struct quorum *quorum, uint64_t actor, uint64_t hlc);
/* Put (value) or delete (NULL) a name of the meta family in the open batch. */
void quorum_put_meta(struct quorum *quorum, struct bytes name, const struct bytes *value);
/* Recovery is over: the background sweep may begin. */
void quorum_serve(struct quorum *quorum, struct now now);

/* Start an operation. Ends in exactly one io.done with `token`, possibly before this returns. The
 * top bit of a token is reserved. */
void quorum_start(struct quorum *quorum, struct now now, const struct op *op, uint64_t token);
void quorum_list(struct quorum *quorum, struct now now, const struct list_query *query,
                 uint64_t token);
void quorum_count(struct quorum *quorum, struct now now, uint32_t timeout_ms, uint64_t token);

void quorum_on_message(struct quorum *quorum, struct now now, uint16_t from,
                       const struct message *message);
void quorum_on_read(struct quorum *quorum, struct now now, uint64_t id, enum err err,
                    struct bytes record);
struct quorum_scanned {
    struct bytes key, value;
};
void quorum_on_scan(struct quorum *quorum, struct now now, uint64_t id, enum err err,
                    const struct quorum_scanned *entries, size_t count, bool more);
/* Close the open batch: puts the log segment. Return its sequence, 0 when there was nothing to
 * write. */
uint64_t quorum_turn(struct quorum *quorum, struct now now);
void quorum_on_durable(struct quorum *quorum, struct now now, uint64_t sequence);
void quorum_on_timer(struct quorum *quorum, struct now now);
/* When quorum_on_timer wants to be called; UINT64_MAX: never. */
uint64_t quorum_deadline_ns(const struct quorum *quorum);
/* A member's connection is usable (and its queue not full), or is not any more. */
void quorum_on_member(struct quorum *quorum, struct now now, uint16_t member, bool live);

/* The sequence that the writes of this turn will carry; they are durable once it is. */
uint64_t quorum_sequence(const struct quorum *quorum);
/* The highest hybrid timestamp issued, applied or heard of. */
uint64_t quorum_hlc(const struct quorum *quorum);
void quorum_hear_hlc(struct quorum *quorum, uint64_t hlc);
bool quorum_member_live(const struct quorum *quorum, uint16_t member);
/* Effective n, r, w with the members there are. */
void quorum_effective(const struct quorum *quorum, uint8_t *n, uint8_t *r, uint8_t *w);
/* True when enough owners of the partition are live for default reads and writes. */
bool quorum_partition_reachable(const struct quorum *quorum, uint16_t partition);
void quorum_stats(const struct quorum *quorum, struct quorum_stats *out);
/* Nothing in flight: no request, load or waiter. */
bool quorum_idle(const struct quorum *quorum);

/* For the simulator's checkers. */
const struct clock *quorum_clock(const struct quorum *quorum, uint16_t partition);
