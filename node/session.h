/* node/session.h - one client connection, and the calls it has in flight: the inside of clients.
 *
 * Included by clients.c, session.c and the command files only; everybody else sees
 * node/clients.h.
 *
 *     bytes -> resp_parse -> command_execute -> call -> operations ... -> reply, in order
 *                   ^              |
 *                   +-- blocked <--+  (the request stays in `in` and is parsed again later)
 *
 * A *call* is one request that has been accepted. Calls of a session stand in a list, oldest
 * first; a reply is written straight to the client when its call is the oldest, else kept in the
 * call until it is. A *request* is one entry of the table of operations that the node has been
 * asked for; a call of several keys has several. Calls outlive a session whose client went away,
 * until their operations have ended.
 *
 * When the next command must wait (its key is in flight, it needs the connection idle, too much
 * is in flight) the session is blocked: nothing behind it is parsed. That keeps the program
 * order per key and bounds memory with one mechanism.
 *
 * In a steady state nothing is allocated per command: calls are pooled, the out-buffer is shared
 * by all sessions, and arguments are read where the bytes lie. */
#pragma once

#include "base/list.h"
#include "base/map.h"
#include "node/clients.h"
#include "node/resp.h"
#include "node/resp_reply.h"

enum {
    SESSION_KEYS_SIZE = 64, /* Buckets of the filter of keys in flight. */
    SESSION_NAME_MAX = 128,
    SESSION_IN_PAUSE_SIZE =
        64 * 1024,             /* Unparsed bytes behind a blocked command that pause reading. */
    SESSION_CALLS_KEEP = 4096, /* Unused calls kept for reuse. */
    COMMAND_INDEX_SIZE = 512,
};

struct call;
struct command;

/* What a connection (RF.CONSISTENCY SET) or one request (RF.WITH) asks for; 0: nothing. */
enum wish_consistency { WISH_NONE, WISH_LINEARIZABLE, WISH_QUORUM };
struct wish {
    uint8_t r, w;
    enum wish_consistency consistency;
    uint32_t timeout_ms;
};

enum session_block {
    BLOCK_NONE,
    BLOCK_KEY,  /* Until the call on `block_position` ends. */
    BLOCK_IDLE, /* Until no call is in flight. */
    BLOCK_FULL, /* Until a call ends. */
};

struct session {
    struct clients *clients;
    struct list link, ready_link;
    struct list calls; /* Oldest first. */
    uint64_t id;       /* The shell's. */
    uint64_t number;   /* CLIENT ID */
    enum face face;
    uint8_t resp, database;
    bool authenticated;
    bool exclusive; /* A call that wants to be alone is in flight. */
    bool closing;   /* Parse no more; close when all calls have ended. */
    bool dead;      /* Closed; freed when the outermost clients_* call ends. */
    bool paused, no_evict, no_touch;
    enum session_block block;
    uint64_t block_position;
    uint32_t calls_count;
    uint64_t held_bytes; /* Of replies that wait for an older call. */
    struct resp_parser parser;
    struct buf in; /* The beginning of a request, or what a blocked one holds up. */
    struct wish wish;
    uint8_t acked_others; /* Other owners that surely hold this connection's last write. */
    bool wrote;
    uint64_t opened_ns, active_ns;
    const struct command *last;
    char address[64];
    char name[SESSION_NAME_MAX], lib_name[SESSION_NAME_MAX], lib_version[SESSION_NAME_MAX];
    uint16_t keys[SESSION_KEYS_SIZE]; /* Calls in flight per bucket of key positions. */
};

/* How one operation is to be carried out. */
struct terms {
    uint8_t r, w;
    bool one_round;
    uint32_t timeout_ms;
};

struct multi;

struct call {
    struct list link;
    struct clients *clients;
    struct session *session; /* NULL once the client has gone. */
    const struct command *command;
    void (*on_op)(struct call *, uint32_t part, const struct op_result *);
    void (*on_listed)(struct call *, const struct list_result *);
    void (*on_counted)(struct call *, const struct count_result *);
    bool keyed, done, exclusive, failed;
    bool writes;
    uint8_t resp, database, variant;
    unsigned sections; /* INFO */
    uint32_t requests; /* In flight. */
    uint64_t position; /* Of its key, when `keyed`. */
    uint64_t started_ns;
    struct terms terms;
    uint8_t *reply_key; /* RF.GET: the stored key, freed with the call. */
    size_t reply_key_size;
    struct multi *multi; /* State of a call of many operations; freed with the call. */
    struct buf reply;    /* While an older call is in flight. */
};

/* One operation that the node has been asked for. Its token is generation << 32 | index. */
struct request {
    struct call *call; /* NULL: free. */
    uint32_t part, generation;
    uint32_t next_free;
};

struct command_stats {
    uint64_t calls, us, rejected, failed;
};

struct clients_stats {
    uint64_t commands, connections, connections_rejected, in_bytes, out_bytes, hits, misses;
    uint64_t sample_ns, sample_commands, sample_in, sample_out; /* At the last sample. */
    double commands_per_second, in_kbps, out_kbps;
    uint32_t clients_peak;
};

struct clients {
    struct options *options;
    struct clients_io io;
    struct now now;
    uint64_t seed, started_ns;
    int64_t started_wall_ms;
    unsigned depth; /* Of nested clients_* calls. */
    bool draining;
    struct map sessions;          /* By the shell's id. */
    struct list all, ready, dead; /* Sessions: in order of opening; able to go on; to be freed. */
    uint32_t sessions_count, paused_count;
    uint64_t number_next;
    struct arena arena; /* Reset when the outermost call ends. */
    struct resp_args args;
    struct buf out; /* Replies not yet sent, all of `out_session`. */
    struct session *out_session;
    struct buf sink;    /* Replies to clients that have gone. */
    struct buf scratch; /* Refusals, until they may be answered. */
    struct list calls_free;
    uint32_t calls_free_count, calls_count;
    struct request *requests;
    uint32_t requests_max, requests_count, request_free;
    uint16_t command_index[COMMAND_INDEX_SIZE];
    struct command_stats *command_stats; /* By index in the table. */
    struct clients_stats stats;
    struct reply_errors errors;
};

/* ---- Sessions (session.c) ---- */

struct session *session_new(struct clients *clients, uint64_t id, enum face face,
                            const char *address);
/* Forget the client: its calls go on without it. Does not tell the shell. */
void session_detach(struct session *session);
void session_free(struct session *session);
/* Take in a piece of the stream (maybe empty) and carry out what can be. */
void session_run(struct session *session, struct bytes chunk);
/* Stop parsing; close once every call has been answered. */
void session_close_later(struct session *session);
/* Whether a command on this key must wait. */
bool session_key_in_flight(const struct session *session, uint64_t position);
/* Send what is in the shared out-buffer. */
void clients_flush(struct clients *clients);

/* ---- Calls (session.c) ---- */

struct call *call_new(struct session *session, const struct command *command);
/* Free the memory of a call that is in no list of a session. */
void call_free(struct call *call);
/* Register the key, so that later commands on it wait. */
void call_hold_key(struct call *call, uint64_t position);
/* Where its reply goes: to be written at once, in one piece, before anything else is started. */
struct reply call_reply(struct call *call);
/* The reply is complete. The call may be gone afterwards. */
void call_finish(struct call *call);
/* Start an operation; call->on_op gets its result, possibly before this returns (after which `call`
 * may be gone). A full table of requests is OUTCOME_BUSY. */
void call_start(struct call *call, uint32_t part, const struct op *op);
void call_list(struct call *call, const struct list_query *query);
void call_count(struct call *call, uint32_t timeout_ms);
