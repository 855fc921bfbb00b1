/* tests/sim/sim_workload.h - what clients ask for, and what the answers say for the histories.
 *
 * A few hot keys of each class; every value is written once in a run and names its key, so that an
 * answer tells which write it shows. Write-once keys of class quorum are made as the run goes. */
#pragma once

#include "tests/lib/history.h"
#include "tests/sim/sim_causal.h"
#include "tests/sim/sim_client.h"

enum {
    WORKLOAD_ONCE_MAX = 300,
    WORKLOAD_KEYS_MAX = SIM_KEYS_MAX + WORKLOAD_ONCE_MAX,
};

struct sim_key {
    char name[24];
    enum key_class class;
    bool once;              /* Written at most once. */
    struct history history; /* Of every class but causal. */
    struct causal causal;
    bool audited[SIM_NODES_MAX];
    uint64_t audit_value[SIM_NODES_MAX]; /* What the audit read there; of causal keys a digest. */
};

struct sim_workload {
    struct sim_key keys[WORKLOAD_KEYS_MAX];
    unsigned keys_count, once_count;
    uint32_t *value_keys; /* By value: the key it was made for. */
    uint64_t values_count, values_capacity;
    unsigned started; /* Commands of the load. */
    uint64_t done, refused, unknown;
    bool listed[SIM_NODES_MAX], counted[SIM_NODES_MAX]; /* The audit has asked for all keys. */
    struct buf value;                                   /* Scratch. */
};

void workload_init(struct sim *sim);
void workload_release(struct sim *sim);
/* The client is connected and may send its next command. */
void workload_on_wake(struct sim *sim, struct sim_client *client);
void workload_on_reply(struct sim *sim, struct sim_client *client, const struct command *command,
                       const struct resp_value *reply);

/* For sim_audit.c and sim_causal.c. */
/* Read one key through an audit client. */
void workload_audit_key(struct sim *sim, struct sim_client *client, unsigned key);
/* The value in a reply's text; 0 after failing the run when it is not one of this key's. */
uint64_t workload_value(struct sim *sim, unsigned key, struct bytes text);
/* The number in a value's text; 0 when it is none of ours. */
uint64_t workload_value_id(const struct sim *sim, struct bytes text);
/* A new value for a key, as text in sim->workload.value. */
uint64_t workload_new_value(struct sim *sim, unsigned key);
