/* tests/sim/sim_net.h - a model of TCP between nodes and from clients to nodes.
 *
 * Each connection has two streams. Bytes of a stream arrive in order, cut anywhere, after delays;
 * streams overtake each other. A blocked direction stalls its streams until it is unblocked or the
 * connection is given up. An end may learn of a loss at once, much later, or when it sends.
 *
 *     end 0 (dialed)  --- streams[0] --->  end 1 (accepted)
 *                     <-- streams[1] ----
 */
#pragma once

#include "base/list.h"
#include "base/map.h"
#include "node/node.h"
#include "tests/sim/sim_swarm.h"

struct sim;
struct sim_conn;

struct sim_net {
    struct map ends; /* Id of an open end -> its connection. */
    struct list conns;
    struct list dials;                          /* Under way. */
    bool blocked[SIM_NODES_MAX][SIM_NODES_MAX]; /* [from][to] */
    uint64_t slow_until_ns;
    unsigned slow_factor;
};

void net_init(struct sim_net *net);
void net_release(struct sim *sim);

/* Effects of nodes. An id that is not open (any more) is ignored. */
void net_dial(struct sim *sim, unsigned from, uint16_t member, const char *address);
void net_send(struct sim *sim, uint64_t id, struct bytes bytes);
void net_close(struct sim *sim, uint64_t id);
/* The end stops, or goes on, taking bytes. */
void net_pause(struct sim *sim, uint64_t id, bool on);

/* A client connects; answered by client_on_open or client_on_closed. Returns the id of its end. */
uint64_t net_connect(struct sim *sim, unsigned client, unsigned node, enum face face);

/* All connections of a node end: its process died, or (silent) its machine did. */
void net_node_gone(struct sim *sim, unsigned node, bool silent);
void net_block(struct sim *sim, unsigned from, unsigned to, bool on);
void net_heal(struct sim *sim);
/* What is on its way arrives soon; within a second everybody notices which connections are lost. */
void net_settle(struct sim *sim);

/* Faults at one connection between nodes, chosen at random; nothing happens when there is none. */
void net_reset_one(struct sim *sim);
void net_half_open_one(struct sim *sim);
void net_stall_one(struct sim *sim, uint64_t until_ns);
/* No bytes of a client are on their way to a node, not even of one that has left. */
bool net_clients_quiet(const struct sim *sim);
