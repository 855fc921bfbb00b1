/* node/command_multi.h - calls that are many operations: MGET, MSET, DEL, EXISTS of several
 * keys, FLUSHALL.
 *
 * Every key is an operation of its own, a bounded number of them at a time; the reply is made
 * when the last has ended. There is no transaction: what was done before a failure stays done,
 * and the reply says so. */
#pragma once

#include "node/command.h"

enum { MULTI_CONCURRENCY = 64 };

struct multi_part {
    struct bytes user;  /* The key as the client calls it. */
    struct bytes key;   /* Its stored name. */
    struct bytes value; /* MSET: to be written; MGET: what was found. */
    enum outcome outcome;
    bool found;
};

/* Going through all keys, page after page (command_scan.c). */
struct walk {
    enum walk_kind { WALK_NONE, WALK_SCAN, WALK_KEYS, WALK_FLUSH, WALK_COUNT } kind;
    bool all_keys; /* No pattern. */
    bool no_type;  /* SCAN TYPE of what no key is. */
    bool any_slot; /* On the cluster face too, whoever its primary is. */
    bool pumping, listing, over;
    struct bytes pattern; /* Owned. */
    uint8_t database, database_last;
    uint64_t position, end; /* Of the range being read; */
    uint64_t limit;         /* where the whole walk ends. */
    uint32_t wanted, pages; /* SCAN: keys to look at, pages read. */
    uint64_t seen, matched, done, unknown, refused;
    struct buf found;     /* Matching keys, as bulk strings. */
    struct op_result bad; /* Why it ended early, when its outcome is not OUTCOME_DONE. */
};

struct multi {
    struct arena arena; /* Keys and values: the input is gone before they are used. */
    struct multi_part *parts;
    uint32_t parts_count, next, in_flight;
    enum op_kind kind;
    bool pumping, failed;
    bool keep_values; /* MGET: reads keep what they found, */
    bool too_large;   /* unless that became more than a client may leave unread. */
    uint64_t value_bytes;
    struct op_result first_bad;    /* Without anything lent. */
    void (*on_end)(struct call *); /* All parts have ended; answers and finishes the call. */
    struct walk walk;
};

/* A call's multi with room for `parts_count` parts, all fields zero. */
struct multi *multi_new(struct call *call, uint32_t parts_count);
void multi_free(struct multi *multi);
/* Copy a key into a part. */
void multi_set_key(struct call *call, struct multi_part *part, struct bytes user);
/* Start parts until enough are in flight; calls on_end when nothing is left. */
void multi_pump(struct call *call);
/* Begin anew with other parts, forgetting keys and values (a page of FLUSHALL). */
void multi_restart(struct multi *multi, uint32_t parts_count);
