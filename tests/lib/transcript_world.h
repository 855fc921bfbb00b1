/* tests/lib/transcript_world.h - the inside of transcript.h: nodes, network, disks and what is
 * told.
 *
 *      transcript.c        the script, line by line
 *      transcript_world.c  time, nodes and their effects
 *      transcript_net.c    connections between nodes; _client.c, _disk.c: what else they touch
 *      transcript_words.c  messages in words; _tell.c: lines, replies, disks */
#pragma once

#include "base/arena.h"
#include "node/node.h"
#include "quorum/message.h"
#include "quorum/object.h"
#include "tests/lib/resp_client.h"

enum { WORLD_NODES_MAX = 9, WORLD_FACES = 2, WORLD_ACTORS_MAX = 64, WORLD_SAVED_MAX = 8 };

static const uint64_t MS = 1000000;                       /* ns */
static const int64_t WORLD_WALL_START_MS = 1750000000000; /* Some day in 2025. */

enum happening_type {
    HAPPENING_TURN,
    HAPPENING_SYNCED,
    HAPPENING_READ,
    HAPPENING_SCAN,
    HAPPENING_DIALED,
    HAPPENING_BYTES,
    HAPPENING_CLOSED,
};

/* Something that will happen to a node, unless it has gone by then. */
struct happening {
    struct happening *next; /* By time, then by when it was added. */
    uint64_t at_ns, boot;
    enum happening_type type;
    unsigned node, other;
    uint64_t id;
    struct storage_range range;
    struct arena arena; /* Of bytes and range. */
    struct bytes bytes;
};

struct world_client {
    uint64_t id;
    struct resp_client parser;
    bool open;
    unsigned waiting; /* Replies that have not come. */
};

struct world_node {
    struct node *core; /* NULL: down. */
    struct storage *storage;
    char name[8], address[24], secret[32];
    uint64_t boot, deadline_ns, sync_ns;
    uint64_t committed, durable, syncing;
    int64_t skew_ms;
    bool turn_open, serving;
    struct world_client clients[WORLD_FACES];
    struct buf written; /* What the commits since the last sync have put and deleted, in words. */
};

/* A connection between two nodes; the end of ends[i] is called id * 2 + i. */
struct world_link {
    struct world_link *next;
    uint64_t id;
    unsigned ends[2];
    uint64_t boots[2];
    bool open[2];
};

struct world {
    struct world_node nodes[WORLD_NODES_MAX];
    unsigned nodes_count;
    struct options *options; /* Of every node, but for its names. */
    uint64_t now_ns, origin_ns, link_last, client_last;
    struct happening *happenings;
    struct world_link *links;
    uint64_t delay_ns[WORLD_NODES_MAX][WORLD_NODES_MAX];
    bool cut[WORLD_NODES_MAX][WORLD_NODES_MAX];
    bool quiet, show_clocks, show_hello;
    uint64_t actors[WORLD_ACTORS_MAX]; /* In the order of their first start. */
    unsigned actors_count;
    struct {
        char name[16];
        struct bytes token;
    } saved[WORLD_SAVED_MAX];
    unsigned saved_count;
    struct bytes context; /* The last one that a reply has shown. */
    struct arena memory;  /* Lives as long as the world. */
    struct arena step;    /* For one line of the story. */
    struct buf *out;
};

/* -- transcript_world.c */
void world_release(struct world *world);
void world_start(struct world *world, unsigned node);
/* The process ends: by kill -9, or with the power. */
void world_end(struct world *world, unsigned node, bool power);
/* Hand an event to a node, and carry out what comes of it. */
void world_deliver(struct world *world, unsigned node, struct event *event);
/* Let everything happen that happens up to `at_ns`. */
void world_run(struct world *world, uint64_t at_ns);
/* The next thing happens. */
void world_step(struct world *world);
/* In its place by time, behind those of the same time. */
void world_insert(struct world *world, struct happening *happening);
struct happening *world_add(struct world *world, enum happening_type type, unsigned node,
                            uint64_t at_ns);

/* -- transcript_client.c */
/* Send a command; its reply is told when it comes. */
void world_command(struct world *world, unsigned node, enum face face, const struct bytes *args,
                   size_t count);
void world_client_bytes(struct world *world, unsigned node, uint64_t id, struct bytes bytes);
/* The connection has ended; what was not answered never will be. */
void world_client_closed(struct world *world, unsigned node, uint64_t id);

/* -- transcript_disk.c */
void world_disk_write(struct world *world, struct world_node *node, const struct effect *effect);
void world_disk_request(struct world *world, unsigned node, const struct effect *effect);
void world_disk_read(struct world *world, const struct happening *happening);
void world_disk_scan(struct world *world, struct happening *happening);
/* Begin to sync what is committed, unless a sync is on. */
void world_disk_sync(struct world *world, unsigned node);
void world_disk_synced(struct world *world, unsigned node);

/* -- transcript_net.c */
void world_net_dial(struct world *world, unsigned from, unsigned to);
void world_net_dialed(struct world *world, const struct happening *happening);
void world_net_send(struct world *world, unsigned from, uint64_t end, struct bytes bytes);
void world_net_close(struct world *world, unsigned from, uint64_t end);
/* All connections of a node are gone. */
void world_net_node_gone(struct world *world, unsigned node);
/* False: the other end does not exist any more. */
bool world_net_arrives(struct world *world, const struct happening *happening);
/* What was held back begins its way now. */
void world_net_heal(struct world *world, unsigned a, unsigned b);
void world_net_release(struct world *world);

/* -- transcript_words.c */
/* The messages in what one node sends to another. */
void tell_frames(struct world *world, unsigned from, unsigned to, struct bytes bytes);
/* What a client calls a stored key; "?" when it is none. */
const char *key_words(struct world *world, struct bytes key);
/* Append " (n1,1) (n2,1)". */
void dots_words(struct world *world, struct buf *out, const struct dot *dots, uint32_t count);
void version_words(struct world *world, struct buf *out, const struct version *version);
void clock_words(struct world *world, struct buf *out, const struct clock *clock);

/* -- transcript_tell.c */
/* One line of the story, unless nothing is told yet. */
void tell(struct world *world, const char *format, ...) PRINTF_LIKE(2, 3);
void tell_reply(struct world *world, const char *client, const struct resp_value *reply);
void tell_disks(struct world *world);
/* The member's name, with a mark for every actor that it has drawn anew. */
const char *actor_words(struct world *world, uint64_t actor);
/* Remember the actor that a line of the log names. */
void note_actor(struct world *world, const char *text);
/* Unix time as ms since the story began. */
int64_t world_since_ms(const struct world *world, int64_t wall_ms);
