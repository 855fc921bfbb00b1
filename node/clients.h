/* node/clients.h - all client connections of a node: streams of RESP in, replies in order out.
 *
 * Sits between node.c, which owns time, peers and the quorum, and the commands. Pure. Every
 * function of `struct clients_io` may be called during any clients_* call; clients_on_op and its
 * siblings may be called by node.c during clients_io.start (an operation that ends at once). */
#pragma once

#include "node/node.h"
#include "quorum/quorum.h"
#include "ring/place.h"

/* One member of the cluster as clients may see it. Strings are NUL-terminated. */
struct view_member {
    char name[64], rack[64];
    char id[41]; /* 40 hex: node id (32) and store epoch (8); all '0' while unknown. */
    char client_host[128], cluster_host[128], peer_host[128]; /* As advertised; "" while unknown. */
    uint16_t client_port, cluster_port, peer_port;            /* 0: that face is off or unknown. */
    unsigned weight;
    bool self, live, connected;
    uint64_t since_ms; /* How long it has been in this state. */
    uint64_t ping_ms_ago, pong_ms_ago;
};

/* What a node knows of its cluster; owned by node.c, valid during a call. */
struct view {
    const struct view_member *members;
    unsigned members_count, self;
    const struct place *place; /* NULL until the cluster has formed. */
    uint64_t configuration;    /* Its number; the epoch of every partition while it never moved. */
    bool serving;
    const char *waiting; /* Words why not, e.g. "waiting for members n2 n3"; NULL when serving. */
    uint8_t cluster_id[16];
    uint8_t context_key[16]; /* SipHash key of the cluster: authenticates contexts. */
    char cluster_name[64];
    uint64_t boot; /* Count of starts of this node. */
    uint64_t actor;
    unsigned n, r, w;                                /* Effective. */
    unsigned partitions_count, partitions_reachable; /* Own partitions with a live quorum. */
    uint64_t peer_messages_sent, peer_messages_received, peer_bytes_sent, peer_bytes_received;
    uint64_t peer_deltas_dropped;
};

struct clients_io {
    void *context;
    /* Append to the client's stream; copied before the call returns. */
    void (*send)(void *context, uint64_t client, struct bytes bytes);
    void (*close)(void *context, uint64_t client);
    void (*pause)(void *context, uint64_t client, bool on);
    /* Start one operation, list or count; answered once by clients_on_op / _listed / _counted with
     * `token`, possibly during this call. Forwarding to an owner is node.c's business. */
    void (*start)(void *context, const struct op *op, uint64_t token);
    void (*list)(void *context, const struct list_query *query, uint64_t token);
    void (*count)(void *context, uint32_t timeout_ms, uint64_t token);
    const struct view *(*view)(void *context);
    void (*quorum_stats)(void *context, struct quorum_stats *out);
    const struct shell_stats *(*shell_stats)(void *context);
    void (*log)(void *context, enum log_level level, const char *text);
    void (*stop)(void *context); /* SHUTDOWN */
};

struct clients;

/* `options` is borrowed and may be changed by CONFIG SET. `seed` for hash tables and cursors. */
struct clients *clients_new(struct options *options, const struct clients_io *io, uint64_t seed);
void clients_free(struct clients *clients);

void clients_on_open(struct clients *clients, struct now now, uint64_t client, enum face face,
                     const char *address);
void clients_on_bytes(struct clients *clients, struct now now, uint64_t client, struct bytes bytes);
void clients_on_closed(struct clients *clients, struct now now, uint64_t client);
void clients_on_op(struct clients *clients, struct now now, uint64_t token,
                   const struct op_result *result);
void clients_on_listed(struct clients *clients, struct now now, uint64_t token,
                       const struct list_result *result);
void clients_on_counted(struct clients *clients, struct now now, uint64_t token,
                        const struct count_result *result);
void clients_on_timer(struct clients *clients, struct now now);
/* When clients_on_timer wants to be called; UINT64_MAX: never. */
uint64_t clients_deadline_ns(const struct clients *clients);
/* Orderly stop: refuse new commands with -LOADING words, finish those in flight. */
void clients_drain(struct clients *clients, struct now now);
/* No command is in flight and every reply has been sent. */
bool clients_idle(const struct clients *clients);
