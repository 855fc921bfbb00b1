/* tests/sim/sim_audit.h - after healing: every key is readable through every node, and all agree.
 *
 * One client per node reads key after key, again where it is refused. What it reads goes into the
 * histories like any other reading. */
#pragma once

#include "tests/sim/sim_client.h"

struct sim;

/* Read everything and compare, then ask each node for all keys there are; fails the run when it
 * takes too long or nodes differ. */
void audit_run(struct sim *sim);
/* The same once more: nothing may have changed since. */
void audit_again(struct sim *sim);
/* The reply to KEYS *; returns false when it cannot be one. */
bool audit_on_keys(struct sim *sim, const struct sim_client *client,
                   const struct resp_value *reply);
/* The same for DBSIZE. */
bool audit_on_size(struct sim *sim, const struct sim_client *client,
                   const struct resp_value *reply);
void audit_on_wake(struct sim *sim, struct sim_client *client);
void audit_on_reply(struct sim *sim, struct sim_client *client, const struct command *command,
                    const struct resp_value *reply);
