/* tests/sim/sim_node.h - one simulated machine: its process, clocks and disk.
 *
 * The disk outlives the process. A killed process loses nothing it has committed; a machine that
 * loses power forgets what was not synced, all of it or all but a prefix. */
#pragma once

#include "base/list.h"
#include "node/node.h"
#include "tests/sim/sim_swarm.h"

struct sim;
struct sim_event;
struct sim_node_events;
struct sim_disk;

enum machine {
    MACHINE_DOWN,
    MACHINE_UP,
    MACHINE_STOPPING, /* EVENT_STOP was sent. */
};

struct sim_node {
    unsigned index;
    enum machine state;
    struct node *core; /* NULL while down. */
    struct storage *storage;
    uint64_t boots;
    char name[8], address[24];
    /* Clocks. */
    uint64_t boot_at_ns, mono_base_ns;
    int64_t mono_ppm, wall_ppm, wall_offset_ms;
    uint64_t applied_max, durable_max; /* Highest timestamps stored; and kept for certain. */
    uint64_t collected;                /* Tombstones, as last seen in its counters. */
    /* The loop. */
    struct sim_node_events *events; /* Timer, turn, start, sync, ... */
    uint64_t deadline_ns;           /* By its own monotonic clock. */
    uint64_t paused_until_ns;
    unsigned turn_left; /* Events until the turn ends. */
    bool turn_open;
    /* The disk. */
    struct sim_disk *disk;
    struct list requests;                 /* Reads and scans under way. */
    uint64_t syncing_max;                 /* Of applied_max, when the sync began. */
    uint64_t committed, syncing, durable; /* syncing: 0 while no sync runs. */
    uint64_t disk_slow_until_ns;
    unsigned disk_slow_factor;
    uint64_t read_error_until_ns, read_corrupt_until_ns;
    bool reads_spoilt; /* Some read has failed or may have. */
};

void node_init(struct sim *sim, unsigned index);
void node_release(struct sim *sim, unsigned index);
/* Start the process now, or after a while. */
void node_start(struct sim *sim, unsigned index);
void node_start_after(struct sim *sim, unsigned index, uint64_t delay_ns);
/* Die at once; `power`: what was not synced may be forgotten. Nothing for a node that is down. */
void node_crash(struct sim *sim, unsigned index, bool power);
/* Begin an orderly stop. */
void node_stop(struct sim *sim, unsigned index);
void node_pause(struct sim *sim, unsigned index, uint64_t until_ns);
/* Hand one event to the core, at its own time, and carry out the effects. The node is up. */
void node_deliver(struct sim *sim, unsigned index, struct event *event);
bool node_is_up(const struct sim *sim, unsigned index);
/* When the node can take an event: now, or when its pause ends. */
uint64_t node_ready_ns(const struct sim *sim, unsigned index);
int64_t node_wall_ms(const struct sim *sim, unsigned index);

/* A commit or sync has failed: the process ends, as the shell would end it. */
void node_disk_failed(struct sim *sim, unsigned index);

/* sim_disk.c: disk effects of a node. */
void disk_init(struct sim *sim, unsigned index);
void disk_release(struct sim *sim, unsigned index);
void disk_read(struct sim *sim, unsigned index, const struct effect *effect);
void disk_scan(struct sim *sim, unsigned index, const struct effect *effect);
/* Returns false when the commit failed: the process must end without carrying out anything more. */
bool disk_commit(struct sim *sim, unsigned index, uint64_t sequence);
/* A new process opens the store. */
void disk_start(struct sim *sim, unsigned index);
/* A commit or sync will fail soon. The node is up. */
void disk_fail_write(struct sim *sim, unsigned index);
void disk_heal(struct sim *sim, unsigned index);
/* The process is gone: forget its requests, and with `power` what was not synced. */
void disk_node_gone(struct sim *sim, unsigned index, bool power);
