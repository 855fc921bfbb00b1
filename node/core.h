/* node/core.h - the inside of struct node, for node.c and core_*.c only.
 *
 *      node.c        the step: events to the parts, effects out of them
 *      core_start.c  recovery, identity, forming the cluster, orderly stop
 *      core_peers.c  connections between members: dialing, liveness, messages
 *      core_hello.c  their handshake
 *      core_view.c   what clients and people may know of the cluster
 *
 *   START -> LOADING (meta, then log) -> IDENTIFYING (actor durable) -> FORMING -> SERVING ->
 * STOPPING */
#pragma once

#include "base/arena.h"
#include "base/prng.h"
#include "node/clients.h"
#include "node/node.h"
#include "node/wire.h"
#include "quorum/quorum.h"
#include "ring/place.h"

enum {
    NODE_ID_SIZE = 16,
    PEER_BEFORE_HELLO_MAX = 2048, /* Bytes a stranger can make us keep. */
    PEER_PING_MS = 250,
    PEER_BACKOFF_MIN_MS = 50,
    PEER_BACKOFF_MAX_MS = 2000,
    PEER_HELLO_TIMEOUT_MS = 2000,
};

enum node_state {
    NODE_STOPPED,
    NODE_LOADING_META,
    NODE_LOADING_LOG,
    NODE_IDENTIFYING,
    NODE_FORMING,
    NODE_SERVING,
    NODE_STOPPING,
};

/* How far a member is in forming the cluster. */
enum phase {
    PHASE_EMPTY,   /* Knows no cluster id. */
    PHASE_STORED,  /* Cluster id and all node ids are durable here. */
    PHASE_SERVING, /* All members have stored them. */
};

struct connection {
    uint64_t id;     /* 0: none. */
    uint16_t member; /* MEMBER_NONE until a hello. */
    bool dialed, hello_sent, hello_heard, established, blocked;
    struct buf in, out;             /* `out` collects the sends of one step. */
    struct buf own_hello, in_hello; /* Until the proofs have been exchanged. */
    uint8_t nonce[16], their_nonce[16], expected[32];
    uint64_t opened_ns, heard_ns, sent_ns;
    char address[64];
};

struct node_member {
    struct ring_member ring;
    char address[128]; /* To dial. */
    uint8_t id[NODE_ID_SIZE];
    bool id_known, id_durable;
    enum phase phase; /* As it last said. */
    uint64_t boot, actor;
    char advertise[3][128];        /* Client, cluster, peer. */
    struct connection *connection; /* Established, or NULL. */
    bool live, dialing;
    uint64_t dial_at_ns, changed_ns;
    uint32_t backoff_ms;
    uint64_t heard_ns, pinged_ns;
    char refused[160]; /* Why it would not talk to us, already logged. */
};

struct node {
    struct options options;
    uint64_t value_max; /* max-value-bytes at the start: CONFIG SET does not change frames. */
    enum node_state state;
    struct now now;
    struct prng prng;
    uint8_t seed[32];
    struct arena step;
    struct effect *effects;
    size_t effects_count, effects_capacity;

    /* Who we are. */
    uint16_t self;
    uint8_t id[NODE_ID_SIZE];
    uint8_t cluster_id[16];
    uint8_t context_key[16];
    uint8_t genesis[16];
    enum phase phase;
    bool clean; /* The last stop left its mark. */
    bool known; /* The directory had a node id. */
    uint64_t boot, actor, hlc_bound;
    uint64_t identity_sequence; /* Durable: we may issue dots. */
    uint64_t form_sequence;     /* Durable: we may say that we stored the cluster. */
    enum phase form_phase;      /* What becomes true then. */
    uint64_t stop_sequence;
    uint64_t scan_id;

    struct node_member *members; /* Sorted by name: the index is the same everywhere. */
    uint16_t members_count;
    struct place place;
    struct quorum *quorum;
    struct clients *clients;

    struct connection **connections;
    size_t connections_count, connections_capacity;
    uint64_t peers_at_ns; /* When to look at connections again. */

    struct shell_stats shell;
    struct view view;
    bool view_dirty;
    uint64_t view_at_ns;
    struct view_member *view_members;
    uint64_t messages_sent, messages_received, bytes_sent, bytes_received, deltas_dropped;
    uint64_t strangers; /* Connections refused before or at their hello. */
};

/* -- node.c: effects */
struct effect *effect_add(struct node *node, enum effect_type type);
void node_log(struct node *node, enum log_level level, const char *format, ...) PRINTF_LIKE(3, 4);
void node_fatal(struct node *node, const char *format, ...) PRINTF_LIKE(2, 3);
void node_put(void *context, int family, struct bytes key, const struct bytes *value);
/* Random bytes from the start's seed and the generator. */
void node_random(struct node *node, void *out, size_t size);

/* -- core_start.c */
void start_on_start(struct node *node, const struct event *event);
void start_on_scan(struct node *node, const struct event *event);
void start_on_durable(struct node *node, uint64_t sequence);
void start_on_stop(struct node *node);
/* Draining may be over. */
void start_stop_step(struct node *node);
/* A member was heard: forming may go on. */
void form_step(struct node *node);
void form_on_form(struct node *node, struct connection *connection, const struct frame *frame);
void form_keep_hlc(struct node *node);

/* -- core_peers.c */
void peers_on_open(struct node *node, const struct event *event);
void peers_on_failed(struct node *node, uint16_t member);
void peers_on_bytes(struct node *node, const struct event *event);
void peers_on_closed(struct node *node, uint64_t id);
void peers_on_blocked(struct node *node, uint64_t id, bool on);
void peers_on_timer(struct node *node);
void peers_send(void *context, uint16_t member, const struct message *message);
/* A frame of the connection itself. */
void peers_send_frame(struct node *node, struct connection *connection, enum wire_type type,
                      struct bytes body);
/* Emit what the step has collected for each connection. */
void peers_flush(struct node *node);
void peers_release(struct node *node);
/* Forget the connection. `tell`: the other side does not know yet. */
void peers_close(struct node *node, struct connection *connection, bool tell);
/* See whether the member is live now, and tell the quorum when that has changed. */
void peers_set_live(struct node *node, uint16_t index);
/* A value of the greatest size, and room for what surrounds it. */
size_t peers_frame_size_max(const struct node *node);

/* -- core_hello.c */
void hello_send(struct node *node, struct connection *connection);
void hello_on_hello(struct node *node, struct connection *connection, struct bytes body);
void hello_on_proof(struct node *node, struct connection *connection, struct bytes body);
void hello_on_refused(struct node *node, struct connection *connection, struct bytes words);

/* -- core_view.c */
const struct view *view_of(struct node *node);
