/* tests/sim/sim_client.h - simulated clients: connections, commands in flight, replies in order.
 *
 * A client speaks RESP over one stream to one node at a time. Each reply must be the one to its
 * oldest command in flight; a reply too many, a malformed one or one of an impossible type fails
 * the run. Clients 0..clients_count-1 make the load; from CLIENTS_AUDIT on there is one per node,
 * for the audit after healing. */
#pragma once

#include "base/arena.h"
#include "node/node.h"
#include "tests/lib/resp_client.h"
#include "tests/sim/sim_swarm.h"

struct sim;
struct sim_client_events;

enum {
    CLIENTS_AUDIT = SIM_CLIENTS_MAX,
    CLIENTS_MAX = SIM_CLIENTS_MAX + SIM_NODES_MAX,
    COMMANDS_MAX = 16, /* In flight per client. */
    COMMAND_KEYS_MAX = 4,
    CLIENT_WAIT_MAX_MS = 20000, /* After healing, a reply takes no longer. */
};

enum command_kind {
    COMMAND_SETUP, /* HELLO, SELECT */
    COMMAND_ECHO,
    COMMAND_BAD, /* Must be refused. */
    COMMAND_GET,
    COMMAND_SET,
    COMMAND_DEL,
    COMMAND_GETSET,
    COMMAND_EXISTS,
    COMMAND_MGET,
    COMMAND_MSET,
    COMMAND_MDEL, /* DEL of several keys. */
    COMMAND_DBSIZE,
    COMMAND_KEYS, /* KEYS * */
    COMMAND_CAUSAL_GET,
    COMMAND_CAUSAL_SET,
    COMMAND_CAUSAL_DEL,
};

/* One command in flight. */
struct command {
    enum command_kind kind;
    unsigned keys_count;
    unsigned keys[COMMAND_KEYS_MAX]; /* Index into the workload's keys. */
    size_t ops[COMMAND_KEYS_MAX];    /* Index into the key's history. */
    uint64_t marker;                 /* ECHO: what must come back. */
    bool must_fail;                  /* Its context is not one for this key. */
    uint64_t sent_ns;
};

struct sim_client {
    unsigned index, node;
    enum face face;
    bool open, connecting;
    bool resp3;
    uint64_t conn; /* Id of its end. */
    struct resp_client parser;
    struct arena arena;
    struct command commands[COMMANDS_MAX]; /* A ring. */
    unsigned first, count;
    struct sim_client_events *events;
    uint64_t done; /* Commands answered. */
};

struct sim_clients {
    struct sim_client items[CLIENTS_MAX];
    struct buf out;
};

void clients_init(struct sim *sim);
void clients_release(struct sim *sim);
void clients_begin(struct sim *sim);

/* From the network. */
void client_on_open(struct sim *sim, unsigned index, uint64_t conn);
void client_on_bytes(struct sim *sim, unsigned index, uint64_t conn, struct bytes bytes);
void client_on_closed(struct sim *sim, unsigned index, uint64_t conn);

/* Send one command and remember what its reply must look like. */
void client_send(struct sim *sim, struct sim_client *client, const struct command *command,
                 const struct bytes *args, size_t args_count);
/* Close the connection, commands in flight or not, and connect again after a while. */
void client_drop(struct sim *sim, unsigned index);
/* Wake the client up, to send its next command, after a while. */
void client_wake(struct sim *sim, unsigned index, uint64_t delay_ns);
bool client_is_waking(const struct sim *sim, unsigned index);
/* Some client waits for a reply. */
bool clients_busy(const struct sim *sim);
