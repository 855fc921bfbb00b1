/* node/node.h - the whole server as one function: events in, effects out.
 *
 *     void node_step(struct node *, const struct event *, struct effects *);
 *
 * 1. Ownership: the event is borrowed for the call; effects are lent until the next one. Nothing is
 *    ever transferred.
 * 2. Order: disk requests of one partition keep their order, all else may run in any. What must
 * wait for a write is emitted only by the step that receives its event. A write is visible to later
 *    reads of its partition once its commit has been carried out, and revealed to others only when
 *    EVENT_DURABLE has covered it.
 * 3. Failure: a step cannot fail. Bad input is counted and dropped or answered; overload is an
 *    answer (-BUSY); a broken invariant aborts.
 *
 * Pure: no clock, socket, file, thread, global or random number. Time and the seed come with
 * events. The simulator drives this same function with encoded bytes. */
#pragma once

#include "base/bytes.h"
#include "node/options.h"
#include "storage/storage.h"

struct node;

enum face {
    FACE_PLAIN,   /* client-listen: what a standalone Redis looks like. */
    FACE_CLUSTER, /* cluster-listen: what a Redis Cluster looks like. */
};

/* What the shell knows and the core reports (INFO, status). Sent about once a second. */
struct shell_stats {
    uint64_t resident_bytes, cpu_user_us, cpu_system_us, disk_free_bytes;
    uint64_t syscalls_read, syscalls_write, syncs; /* Issued by the shell since the start. */
    struct storage_stats storage;
};

enum event_type {
    EVENT_START,         /* First, once. Uses seed. */
    EVENT_STOP,          /* Orderly stop: finish what runs, mark the directory clean. */
    EVENT_TURN,          /* The loop's turn ends: close the open batch. */
    EVENT_TIMER,         /* effects->deadline_ns has come. */
    EVENT_CLIENT_OPEN,   /* id, face, address. */
    EVENT_CLIENT_BYTES,  /* id, bytes: the next piece of the client's stream, any size. */
    EVENT_CLIENT_CLOSED, /* id. Not sent for a client that the core closed. */
    EVENT_PEER_OPEN,     /* id, member (dialed) or MEMBER_NONE (accepted), address. */
    EVENT_PEER_FAILED,   /* member: a dial did not succeed. */
    EVENT_PEER_BYTES,    /* id, bytes. */
    EVENT_PEER_CLOSED,   /* id. Not sent for a connection that the core closed. */
    EVENT_PEER_BLOCKED,  /* id, on: the connection's out-queue passed its bound, or fell below half.
                          */
    EVENT_DISK_READ,     /* id, err, bytes: a DISK_READ is done. */
    EVENT_DISK_SCAN,     /* id, err, entries, entries_count, more. */
    EVENT_DURABLE,       /* sequence: every commit up to it is durable. */
    EVENT_STATS,         /* stats. */
};

enum { MEMBER_NONE = 0xffff };

struct event {
    enum event_type type;
    uint64_t now_ns; /* Monotonic; never falls. */
    int64_t wall_ms; /* Unix time; may jump. */
    uint64_t id;     /* Client, peer connection or disk request. Never reused in one run. */
    enum face face;
    uint16_t member;
    bool on;
    bool more;
    enum err err; /* Disk: OK, ERR_NOT_FOUND, ERR_IO or ERR_CORRUPT. */
    uint64_t sequence;
    struct bytes bytes;
    const char *address; /* "127.0.0.1:51234" of the other end. */
    const struct storage_entry *entries;
    size_t entries_count;
    const uint8_t *seed; /* 32 random bytes from getrandom(2). */
    const struct shell_stats *stats;
};

enum effect_type {
    EFFECT_CLIENT_SEND,  /* id, bytes: append to the client's stream. */
    EFFECT_CLIENT_CLOSE, /* id: close once everything sent before has left. */
    EFFECT_CLIENT_PAUSE, /* id, on: stop (or go on) reading from this client. */
    EFFECT_PEER_DIAL,    /* member, address: answered by EVENT_PEER_OPEN or EVENT_PEER_FAILED. */
    EFFECT_PEER_SEND,    /* id, bytes. */
    EFFECT_PEER_CLOSE,   /* id. */
    EFFECT_DISK_READ,    /* id, key: read one record of STORAGE_DATA. */
    EFFECT_DISK_SCAN,    /* id, range. Sees all commits emitted before it. */
    EFFECT_DISK_PUT,     /* family, key, bytes: into the open batch. */
    EFFECT_DISK_DELETE,  /* family, key: into the open batch. */
    EFFECT_DISK_COMMIT,  /* sequence: write the batch, then sync, then EVENT_DURABLE. */
    EFFECT_LOG,          /* level, text. */
    EFFECT_STOPPED,      /* After EVENT_STOP: nothing is left to do; close and exit 0. */
    EFFECT_FATAL,        /* text: the node must not go on; print and exit 1. */
};

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };

struct effect {
    enum effect_type type;
    enum storage_family family;
    enum log_level level;
    uint16_t member;
    bool on;
    uint64_t id;
    uint64_t sequence;
    struct bytes key;
    struct bytes bytes;
    struct storage_range range;
    const char *text; /* A log line, a fatal error, or an address to dial. */
};

struct effects {
    const struct effect *items; /* In the order in which they must be carried out. */
    size_t count;
    uint64_t deadline_ns; /* When EVENT_TIMER is wanted; UINT64_MAX: never. */
};

/* Make a node that has not started. `options` is copied. Nothing happens before EVENT_START. */
struct node *node_new(const struct options *options);
void node_free(struct node *node);
void node_step(struct node *node, const struct event *event, struct effects *effects);

/* For the simulator's checkers and for tests only: the shard's replicas, read-only. */
struct quorum;
const struct quorum *node_quorum(const struct node *node);
