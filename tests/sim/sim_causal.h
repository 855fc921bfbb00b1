/* tests/sim/sim_causal.h - what the true history says about the siblings of a causal key.
 *
 * A causal write with a context replaces exactly the versions that the reading which gave the
 * context had shown. So a reading must show every acknowledged write that nothing replaced, nothing
 * that an acknowledged write replaced, and nothing else:
 *
 *     acked(x) and not shown(x)  =>  some y replaced x, and y is a delete, or shown, or replaced
 * itself acked(y) and x in context(y)  =>  not shown(x) */
#pragma once

#include "tests/lib/history.h"
#include "tests/lib/resp_client.h"

struct sim;
struct sim_client;
struct command;

struct causal_set { /* Of values, ascending. */
    uint64_t *values;
    uint32_t count;
};

struct causal_write {
    enum history_status status;
    uint64_t value; /* Of a delete too, though nobody reads it. */
    bool is_delete;
    uint64_t invoke, ret;
    struct causal_set replaced;
};

struct causal_read {
    unsigned node;
    bool audit;           /* After convergence: all such readings show the same. */
    uint64_t invoke, ret; /* ret LIN_NEVER: never answered. */
    struct causal_set shown;
    struct bytes context;
};

struct causal {
    struct arena arena;
    struct causal_write *writes;
    size_t writes_count, writes_capacity;
    struct causal_read *reads;
    size_t reads_count, reads_capacity;
};

void causal_init(struct causal *causal);
void causal_release(struct causal *causal);
/* Send one causal command of the load, of a random kind. */
void causal_send(struct sim *sim, struct sim_client *client, unsigned key);
/* Send RF.GET. */
void causal_send_get(struct sim *sim, struct sim_client *client, unsigned key, bool audit);
/* The reply to one of these commands that is no error. */
void causal_on_reply(struct sim *sim, struct sim_client *client, const struct command *command,
                     const struct resp_value *reply);
/* An error reply: refused for certain, or (not `refused`) of unknown outcome. */
void causal_on_error(struct sim *sim, const struct command *command, bool refused);
/* Check every reading of the run; fails the run at the first wrong one. */
void causal_check(struct sim *sim, unsigned key);
