/* tests/fuzz/fuzz_node.h - one whole node around node_step: its disk in memory, its time virtual.
 *
 * What a fuzzer draws (order and delay of what the disk answers) comes from the seed given, so that
 * one input is one run. The storage outlives the node, as a disk does: a second fuzz_node over the
 * same storage is a restart. */
#pragma once

#include "base/arena.h"
#include "base/prng.h"
#include "node/node.h"

enum { FUZZ_STREAMS = 4 };

/* What the node has sent on one connection, and whether it still holds it. */
struct fuzz_stream {
    struct buf out;
    bool open, closed, paused;
};

struct fuzz_read; /* Of the disk, under way. */

struct fuzz_node {
    struct node *core;
    struct storage *storage; /* Borrowed. */
    struct prng prng;
    bool eager; /* The disk answers at once and in order. */
    uint64_t now_ns, deadline_ns;
    uint64_t committed, durable;
    struct fuzz_read **reads;
    size_t reads_count, reads_capacity;
    struct fuzz_stream clients[FUZZ_STREAMS], peers[FUZZ_STREAMS]; /* By id. */
    bool stopped, fatal;
    uint64_t steps, logged;
};

/* Options of a one-node store, small: 8 partitions, 1 MB of cache, values of 64 KB. */
void fuzz_node_options(struct options *options);
/* Start over `storage` and run until nothing is under way. `seed` 0: the disk is eager. */
void fuzz_node_start(struct fuzz_node *node, const struct options *options, struct storage *storage,
                     uint64_t seed);
void fuzz_node_release(struct fuzz_node *node);
/* Deliver one event, with the time filled in, and carry out what comes of it. */
void fuzz_node_deliver(struct fuzz_node *node, struct event *event);
/* Close the turn, answer reads, sync, until nothing is under way. */
void fuzz_node_settle(struct fuzz_node *node);
/* One of these things, if there is any. */
bool fuzz_node_some(struct fuzz_node *node);
/* Let time pass and timers fire. */
void fuzz_node_pass(struct fuzz_node *node, uint64_t ms);

void fuzz_client_open(struct fuzz_node *node, uint64_t id, enum face face);
/* Bytes for a client that the node has closed are dropped, as by the network. */
void fuzz_client_bytes(struct fuzz_node *node, uint64_t id, struct bytes bytes);
void fuzz_peer_open(struct fuzz_node *node, uint64_t id);
/* Bytes for a connection that the node has closed are dropped. */
void fuzz_peer_bytes(struct fuzz_node *node, uint64_t id, struct bytes bytes);
void fuzz_peer_close(struct fuzz_node *node, uint64_t id);
void fuzz_client_close(struct fuzz_node *node, uint64_t id);
