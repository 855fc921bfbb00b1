#include "tests/sim/sim_audit.h"

#include <inttypes.h>

#include "tests/sim/sim.h"

enum { RETRY_MS = 50, AUDIT_MAX_MS = 30000, MILLI = 1000000 };

/* The first key that the audit has not read through this node; keys_count: none is left. */
static unsigned next_key(const struct sim *sim, unsigned node)
{
    const struct sim_workload *workload = &sim->workload;
    unsigned key = 0;
    while (key < workload->keys_count && workload->keys[key].audited[node]) {
        key++;
    }
    return key;
}

void audit_on_wake(struct sim *sim, struct sim_client *client)
{
    unsigned key = next_key(sim, client->index - CLIENTS_AUDIT);
    if (client->count > 0) {
        return;
    }
    if (key < sim->workload.keys_count) {
        workload_audit_key(sim, client, key);
    } else if (!sim->workload.listed[client->index - CLIENTS_AUDIT]) {
        struct command command = {.kind = COMMAND_KEYS};
        struct bytes args[] = {BYTES_LITERAL("KEYS"), BYTES_LITERAL("*")};
        client_send(sim, client, &command, args, ARRAY_COUNT(args));
    } else if (!sim->workload.counted[client->index - CLIENTS_AUDIT]) {
        struct command command = {.kind = COMMAND_DBSIZE};
        struct bytes args[] = {BYTES_LITERAL("DBSIZE")};
        client_send(sim, client, &command, args, ARRAY_COUNT(args));
    }
}

bool audit_on_size(struct sim *sim, const struct sim_client *client, const struct resp_value *reply)
{
    unsigned node = client->index - CLIENTS_AUDIT;
    int64_t expected = 0;
    for (unsigned i = 0; i < sim->workload.keys_count; i++) {
        expected += sim->workload.keys[i].audit_value[node] != 0;
    }
    if (reply->type != RESP_INTEGER) {
        return false;
    }
    if (sim->converged && sim->swarm.keys[KEY_EXPIRY] == 0 && reply->integer != expected) {
        sim_fail(sim, CHECK_CONVERGENCE, "DBSIZE of n%u is %" PRId64 ", there are %" PRId64 " keys",
                 node + 1, reply->integer, expected);
    }
    return true;
}

static bool lists(const struct resp_value *reply, const char *name)
{
    for (uint32_t i = 0; i < reply->items_count; i++) {
        if (bytes_equal(reply->items[i].text, bytes_of(name))) {
            return true;
        }
    }
    return false;
}

/* All keys with a value, each once, and no other. When a value expires is a matter of clocks. */
bool audit_on_keys(struct sim *sim, const struct sim_client *client, const struct resp_value *reply)
{
    unsigned node = client->index - CLIENTS_AUDIT;
    uint32_t expected = 0;
    if (reply->type != RESP_ARRAY && reply->type != RESP_NIL) {
        return false;
    }
    for (unsigned i = 0; i < sim->workload.keys_count; i++) {
        const struct sim_key *key = &sim->workload.keys[i];
        bool listed = lists(reply, key->name);
        bool loose = key->class == KEY_EXPIRY || !sim->converged;
        if (listed != (key->audit_value[node] != 0) && !loose) {
            sim_fail(sim, CHECK_CONVERGENCE, "KEYS of n%u %s %s, which has %s value", node + 1,
                     listed ? "lists" : "does not list", key->name, listed ? "no" : "a");
        }
        expected += listed;
    }
    if (reply->items_count != expected) {
        sim_fail(sim, CHECK_CONVERGENCE, "KEYS of n%u lists %u keys, there are %u", node + 1,
                 reply->items_count, expected);
    }
    return true;
}

void audit_on_reply(struct sim *sim, struct sim_client *client, const struct command *command,
                    const struct resp_value *reply)
{
    unsigned node = client->index - CLIENTS_AUDIT;
    struct sim_key *key = &sim->workload.keys[command->keys[0]];
    if (reply->type == RESP_ERROR) {
        client_wake(sim, client->index, (uint64_t)RETRY_MS * MILLI);
        return;
    }
    client_wake(sim, client->index, 0);
    if (command->kind == COMMAND_KEYS) {
        sim->workload.listed[node] = true;
        return;
    }
    if (command->kind == COMMAND_DBSIZE) {
        sim->workload.counted[node] = true;
        return;
    }
    key->audited[node] = true;
    if (key->class == KEY_CAUSAL) {
        key->audit_value[node] = key->causal.reads[command->ops[0]].shown.count;
    } else {
        key->audit_value[node] = key->history.ops[command->ops[0]].result;
    }
}

static bool audit_done(const struct sim *sim)
{
    for (unsigned i = 0; i < sim->swarm.shape.nodes; i++) {
        if (next_key(sim, i) < sim->workload.keys_count || !sim->workload.listed[i] ||
            !sim->workload.counted[i]) {
            return false;
        }
    }
    return true;
}

/* Once replicas are alike and nobody writes any more, what nodes show of a key is the same; but for
 * values that may be about to expire, about which histories know better. Before, a write of unknown
 * outcome may still take effect. */
static void compare(struct sim *sim)
{
    for (unsigned i = 0; i < sim->workload.keys_count; i++) {
        const struct sim_key *key = &sim->workload.keys[i];
        if (key->class == KEY_CAUSAL || key->class == KEY_EXPIRY) {
            continue;
        }
        for (unsigned node = 1; node < sim->swarm.shape.nodes; node++) {
            if (key->audit_value[node] != key->audit_value[0]) {
                sim_fail(sim, CHECK_CONVERGENCE,
                         "key %s: n1 shows value %" PRIu64 ", n%u shows %" PRIu64, key->name,
                         key->audit_value[0], node + 1, key->audit_value[node]);
                return;
            }
        }
    }
}

void audit_run(struct sim *sim)
{
    for (unsigned i = 0; i < sim->swarm.shape.nodes; i++) {
        client_wake(sim, CLIENTS_AUDIT + i, 0);
    }
    uint64_t until_ns = sim->now_ns + (uint64_t)AUDIT_MAX_MS * MILLI;
    while (sim->failed == CHECK_NONE && !audit_done(sim) && sim->now_ns < until_ns) {
        sim_until(sim, sim->now_ns + 10 * MILLI);
    }
    if (sim->failed == CHECK_NONE && !audit_done(sim)) {
        for (unsigned i = 0; i < sim->swarm.shape.nodes; i++) {
            unsigned key = next_key(sim, i);
            if (key < sim->workload.keys_count) {
                sim_fail(sim, CHECK_LIVENESS,
                         "key %s cannot be read through n%u, %d s after healing",
                         sim->workload.keys[key].name, i + 1, AUDIT_MAX_MS / 1000);
            }
        }
    }
    if (sim->converged) {
        compare(sim);
    }
}

void audit_again(struct sim *sim)
{
    for (unsigned node = 0; node < sim->swarm.shape.nodes; node++) {
        sim->workload.listed[node] = sim->workload.counted[node] = false;
        for (unsigned i = 0; i < sim->workload.keys_count; i++) {
            sim->workload.keys[i].audited[node] = false;
        }
    }
    if (sim->failed == CHECK_NONE) {
        audit_run(sim);
    }
}
