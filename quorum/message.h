/* quorum/message.h - what members of a cluster say to each other about data.
 *
 * Typed here, encoded by node/wire.c. Arrays and bytes are borrowed; message_copy makes them live
 * in an arena. Every message carries the sender's hybrid clock, so that no clock falls behind what
 * its node has heard of. */
#pragma once

#include "base/arena.h"
#include "quorum/quorum.h"

enum message_type {
    MESSAGE_ASK = 16, /* Round one: what do you hold of this key? */
    MESSAGE_ANSWER,   /* The difference to what the asker holds. */
    MESSAGE_DELTA,    /* One write. */
    MESSAGE_REPAIR,   /* Read repair: versions of unknown ancestry. */
    MESSAGE_ACKS,     /* These deltas and repairs are durable here. */
    MESSAGE_REFUSE,   /* This request cannot be served here. */
    MESSAGE_CLOCKS,   /* Durable clocks of shared partitions. */
    MESSAGE_MISSING,  /* This is my clock: what do I lack? */
    MESSAGE_STATE,    /* Keys with a dot that the asker lacks. */
    MESSAGE_FORWARD,  /* Coordinate this operation for me. */
    MESSAGE_RESULT,   /* How it ended. */
    MESSAGE_LIST,     /* Which keys do you hold in this range? */
    MESSAGE_LISTED,
    MESSAGE_COUNT, /* How many keys do you count in these partitions? */
    MESSAGE_COUNTED,
    MESSAGE_END, /* One past the last type. */
};

/* What the answering replica says of one dot that the asker holds. */
enum dot_status {
    DOT_UNKNOWN, /* Neither held nor covered. */
    DOT_HELD,
    DOT_OBSOLETE, /* Covered and not held: gone. */
};

enum refuse_reason {
    REFUSE_NOT_OWNER = 1,
    REFUSE_UNREADABLE, /* The record is damaged or the disk failed; never "not found". */
    REFUSE_BUSY,
};

struct message_clock {
    uint16_t partition;
    struct clock clock; /* Owned by an arena when decoded: never released, never grown. */
};

struct message_logged {
    struct dot dot;
    struct bytes key;
};

struct message_key {
    struct bytes key;
    const struct version *versions;
    uint32_t versions_count;
    const struct dot *residual;
    uint32_t residual_count;
};

struct message_listed {
    struct bytes user;
    uint64_t position;
    bool live;
};

struct message {
    enum message_type type;
    uint16_t partition;
    uint64_t request;
    uint64_t epoch;
    uint64_t hlc;
    struct bytes key;

    /* ASK: dots held by the asker; DELTA: dots replaced; REPAIR: obsolete dots; MISSING: none. */
    const struct dot *dots;
    uint32_t dots_count;
    bool payloads; /* ASK: send the payloads of what I lack. */
    /* ANSWER: one status per dot asked; empty when all are held and there is nothing else ("same").
     */
    struct bytes statuses;
    /* ANSWER, REPAIR: versions; DELTA: exactly one. */
    const struct version *versions;
    uint32_t versions_count;
    struct bytes acks; /* ACKS: request ids, 8 bytes each, big-endian. */
    enum refuse_reason reason;
    const struct message_clock *clocks; /* CLOCKS: many; MISSING and STATE: one. */
    uint32_t clocks_count;
    const struct message_logged *logged;
    uint32_t logged_count;
    const struct message_key *keys;
    uint32_t keys_count;
    bool complete;           /* STATE: every dot of the clock that was lacking is listed. */
    bool truncated;          /* STATE: the log no longer reaches back; only a full sync helps. */
    struct op op;            /* FORWARD; its key is `key`. */
    struct op_result result; /* RESULT */
    uint64_t position, position_end; /* LIST, LISTED */
    uint32_t count_max;
    uint8_t database;
    const struct message_listed *listed;
    uint32_t listed_count;
    struct bytes partitions; /* COUNT: numbers, 2 bytes each, big-endian. */
    struct bytes counts;     /* COUNTED: keys then expires per database, 8 bytes each. */
};

/* Copy a message and all that it borrows into `arena`. */
struct message *message_copy(const struct message *message, struct arena *arena);
