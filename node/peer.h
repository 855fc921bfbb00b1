/* node/peer.h - connections to the other nodes: dialed and accepted, with bounded queues.
 *
 * Shell. Past peer-queue-max-bytes of unsent bytes the core is told (EVENT_PEER_BLOCKED) and drops
 * what can be repaired; past twice that the connection is closed. */
#pragma once

#include "base/map.h"
#include "node/log.h"
#include "node/loop.h"

enum { PEER_CONNECT_MS = 1000 };

struct peer_set {
    struct loop *loop;
    struct log *log;
    const struct options *options;
    struct map peers; /* By id; connected ones. */
    struct list dials;
    uint64_t id_next;
    unsigned open_count, open_max; /* Accepted and dialed. */
    uv_tcp_t listener;
    bool is_listening;
};

void peer_set_init(struct peer_set *set, struct loop *loop, struct log *log,
                   const struct options *options, unsigned open_max);
/* Listen on peer-listen. Return OK, or ERR_IO after an error was logged. */
MUST_CHECK enum err peer_set_listen(struct peer_set *set);
/* Answered by EVENT_PEER_OPEN, or by EVENT_PEER_FAILED after PEER_CONNECT_MS at the latest. */
void peer_set_dial(struct peer_set *set, uint16_t member, const char *address);
/* An unknown id is passed over: the connection may just have gone. */
void peer_set_send(struct peer_set *set, uint64_t id, struct bytes bytes);
void peer_set_end(struct peer_set *set, uint64_t id);
/* Stop listening, give up dials, close every connection; loop_run must go on until all is
 * released. */
void peer_set_close(struct peer_set *set);
void peer_set_release(struct peer_set *set);
