/* tests/sim/sim_conn.h - the inside of the network model, for sim_net.c, sim_stream.c,
 * sim_net_fault.c. */
#pragma once

#include "tests/sim/sim.h"

enum { NO_NODE = SIM_NODES_MAX };

struct sim_end {
    bool is_client;
    unsigned index; /* Of the node or client. */
    uint64_t id;
    uint16_t member;
    enum face face;
    bool opening, open; /* Not yet told of; told of and not closed. */
    bool paused;        /* Takes no bytes. */
    bool blocked;       /* Was told that its out-queue is full. */
    struct sim_event open_event, gone, unblock;
};

struct sim_stream { /* From ends[i] to ends[1 - i]. */
    struct buf bytes;
    size_t head;  /* Bytes before it have arrived. */
    bool end;     /* Nothing comes after the bytes: tell the receiver. */
    bool swallow; /* What is sent from now on is lost. */
    uint64_t stalled_until_ns;
    struct sim_event deliver, give_up;
};

struct sim_conn {
    struct list link;
    bool silent; /* One machine is off: nobody answers with a reset. */
    struct sim_end ends[2];
    struct sim_stream streams[2];
};

struct sim_dial {
    struct list link;
    struct sim_event event;
    unsigned from, to; /* to: NO_NODE when nobody has that address. */
    uint64_t boots;    /* Of the process that dials. */
    uint16_t member;
    bool fails;
};

enum { STREAM_BYTES_MAX = 256 << 20 };

/* sim_stream.c */
/* Set up what happens to a new connection's ends and streams. */
void stream_init(struct sim_conn *conn, unsigned from);
size_t stream_left(const struct sim_stream *stream);
/* Schedule a delivery if there is something to deliver and none is scheduled. */
void stream_kick(struct sim *sim, struct sim_conn *conn, unsigned from);
/* Lose all or the tail of what has not arrived, and everything sent from now on. */
void stream_cut(struct sim *sim, struct sim_stream *stream);
/* Tell the sender of a stream between nodes when its queue passes the bound or falls below half. */
void stream_measure(struct sim *sim, struct sim_conn *conn, unsigned from);
/* The end is closed on its own side; nobody is told. */
void end_close(struct sim *sim, struct sim_conn *conn, unsigned end);
/* The end will notice the loss after a while, if it has not been going to earlier. */
void end_notice(struct sim *sim, struct sim_conn *conn, unsigned end, uint64_t delay_ns);
/* Return true when the node behind this end is paused and the event has been put off. */
bool end_put_off(struct sim *sim, const struct sim_end *end, struct sim_event *event);
bool conn_is_blocked(const struct sim *sim, const struct sim_conn *conn, unsigned from);
uint64_t conn_latency(struct sim *sim, const struct sim_conn *conn);
/* The connection one of whose ends is `id`, and which end; NULL when it is not open. */
struct sim_conn *conn_of(struct sim *sim, uint64_t id, unsigned *end);
