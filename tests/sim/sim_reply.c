#include <stdio.h>
#include <string.h>

#include "tests/sim/sim.h"
#include "tests/sim/sim_audit.h"

enum { CLEAN_FROM_MS = 3000 }; /* By then every node serves, when nothing is wrong. */

/* What an error reply promises. */
enum refusal {
    REFUSAL_CERTAIN, /* Nothing was applied. */
    REFUSAL_UNKNOWN,
    REFUSAL_NONSENSE,
};

static enum refusal classify(struct sim *sim, const struct command *command,
                             const struct resp_value *reply)
{
    static const struct {
        const char *word;
        enum refusal refusal;
        enum mark mark;
    } WORDS[] = {
        {"TRYAGAIN", REFUSAL_CERTAIN, MARK_REPLY_TRYAGAIN},
        {"UNCERTAIN", REFUSAL_UNKNOWN, MARK_REPLY_UNCERTAIN},
        {"LOADING", REFUSAL_CERTAIN, MARK_REPLY_LOADING},
        {"BUSY", REFUSAL_CERTAIN, MARK_REPLY_BUSY},
        {"CLUSTERDOWN", REFUSAL_CERTAIN, MARK_REPLY_OTHER},
        {"CROSSSLOT", REFUSAL_CERTAIN, MARK_REPLY_OTHER},
    };
    for (size_t i = 0; i < ARRAY_COUNT(WORDS); i++) {
        if (resp_is_error(reply, WORDS[i].word)) {
            sim_mark(sim, WORDS[i].mark);
            return WORDS[i].refusal;
        }
    }
    bool siblings = command->kind == COMMAND_CAUSAL_SET || command->kind == COMMAND_CAUSAL_DEL;
    static const char TOO_MANY[] = "ERR too many siblings";
    if (siblings && reply->text.size >= strlen(TOO_MANY) &&
        memcmp(reply->text.data, TOO_MANY, strlen(TOO_MANY)) == 0) {
        sim_mark(sim, MARK_REPLY_OTHER);
        return REFUSAL_CERTAIN;
    }
    return REFUSAL_NONSENSE;
}

/* Without faults only what the client asked for wrongly may be refused. */
static void check_clean(struct sim *sim, const struct sim_client *client,
                        const struct resp_value *reply)
{
    bool expected = resp_is_error(reply, "CROSSSLOT") || resp_is_error(reply, "ERR");
    if (!sim->swarm.faults_any && !expected &&
        sim->now_ns > (uint64_t)CLEAN_FROM_MS * 1000 * 1000) {
        sim_fail(sim, CHECK_CLEAN, "client %u, no fault anywhere, and n%u says -%.*s",
                 client->index, client->node + 1, (int)MIN(reply->text.size, (size_t)200),
                 (const char *)reply->text.data);
    }
}

static void nonsense(struct sim *sim, const struct sim_client *client,
                     const struct command *command, const struct resp_value *reply)
{
    sim_fail(sim, CHECK_REPLY, "client %u: n%u answers command kind %d with type %d: %.*s",
             client->index, client->node + 1, command->kind, reply->type,
             (int)MIN(reply->text.size, (size_t)120),
             reply->text.size > 0 ? (const char *)reply->text.data : "");
}

static void on_error(struct sim *sim, struct sim_client *client, const struct command *command,
                     const struct resp_value *reply)
{
    enum refusal refusal = classify(sim, command, reply);
    if (command->must_fail && resp_is_error(reply, "ERR")) {
        refusal = REFUSAL_CERTAIN;
    }
    if (refusal == REFUSAL_NONSENSE) {
        nonsense(sim, client, command, reply);
        return;
    }
    check_clean(sim, client, reply);
    bool refused = refusal == REFUSAL_CERTAIN;
    sim->workload.refused += refused;
    sim->workload.unknown += !refused;
    if (command->kind >= COMMAND_CAUSAL_GET) {
        causal_on_error(sim, command, refused);
        return;
    }
    for (unsigned i = 0; refused && i < command->keys_count; i++) {
        history_refused(&sim->workload.keys[command->keys[i]].history, command->ops[i]);
    }
}

static void op_done(struct sim *sim, const struct command *command, unsigned index, uint64_t result)
{
    struct sim_key *key = &sim->workload.keys[command->keys[index]];
    history_done(&key->history, command->ops[index], ++sim->stamp, sim->now_ns, result);
}

/* Nothing is there: was the last value that was written one that could expire, and its time over?
 */
static void note_expired(struct sim *sim, const struct sim_key *key)
{
    const struct history_op *last = NULL;
    for (size_t i = 0; i < key->history.count; i++) {
        const struct history_op *op = &key->history.ops[i];
        if (op->kind != LIN_GET && op->status == HISTORY_DONE) {
            last = op;
        }
    }
    if (last != NULL && last->expiry_ms > 0 &&
        last->invoke_ns + last->expiry_ms * 1000 * 1000 < sim->now_ns) {
        sim_mark(sim, MARK_EXPIRED);
    }
}

/* A value or nil; returns false when the reply is neither. */
static bool read_done(struct sim *sim, const struct command *command, unsigned index,
                      const struct resp_value *reply)
{
    if (reply->type == RESP_NIL) {
        note_expired(sim, &sim->workload.keys[command->keys[index]]);
        op_done(sim, command, index, 0);
        return true;
    }
    if (reply->type != RESP_BULK) {
        return false;
    }
    uint64_t value = workload_value(sim, command->keys[index], reply->text);
    if (value != 0) {
        op_done(sim, command, index, value);
    }
    return true;
}

static bool multi_done(struct sim *sim, const struct command *command,
                       const struct resp_value *reply)
{
    if (reply->type != RESP_ARRAY || reply->items_count != command->keys_count) {
        return false;
    }
    for (unsigned i = 0; i < command->keys_count; i++) {
        if (!read_done(sim, command, i, &reply->items[i])) {
            return false;
        }
    }
    return true;
}

static bool mset_done(struct sim *sim, const struct command *command,
                      const struct resp_value *reply)
{
    if (!resp_is_simple(reply, "OK")) {
        return false;
    }
    for (unsigned i = 0; i < command->keys_count; i++) {
        op_done(sim, command, i, LIN_ANY);
    }
    return true;
}

/* How many of them were there is told in one number. */
static bool mdel_done(struct sim *sim, const struct command *command,
                      const struct resp_value *reply)
{
    if (reply->type != RESP_INTEGER || reply->integer < 0 || reply->integer > command->keys_count) {
        return false;
    }
    bool none = reply->integer == 0, all = reply->integer == command->keys_count;
    for (unsigned i = 0; i < command->keys_count; i++) {
        op_done(sim, command, i, none ? 0 : all ? 1 : LIN_ANY);
    }
    return true;
}

static bool number_done(struct sim *sim, const struct command *command,
                        const struct resp_value *reply)
{
    if (reply->type != RESP_INTEGER || reply->integer < 0 || reply->integer > 1) {
        return false;
    }
    bool exists = command->kind == COMMAND_EXISTS && reply->integer == 1;
    op_done(sim, command, 0, exists ? LIN_ANY : (uint64_t)reply->integer);
    return true;
}

static bool echo_done(const struct command *command, const struct resp_value *reply)
{
    char number[24];
    (void)snprintf(number, sizeof(number), "%llu", (unsigned long long)command->marker);
    return reply->type == RESP_BULK && bytes_equal(reply->text, bytes_of(number));
}

/* Return false when this cannot be the reply to this command. */
static bool on_success(struct sim *sim, struct sim_client *client, const struct command *command,
                       const struct resp_value *reply)
{
    switch (command->kind) {
    case COMMAND_SETUP:
        return reply->type == RESP_MAP || resp_is_simple(reply, "OK");
    case COMMAND_ECHO:
        return echo_done(command, reply);
    case COMMAND_BAD:
        return false;
    case COMMAND_GET:
    case COMMAND_GETSET:
        return read_done(sim, command, 0, reply);
    case COMMAND_DEL:
    case COMMAND_EXISTS:
        return number_done(sim, command, reply);
    case COMMAND_SET:
    case COMMAND_MSET:
        return mset_done(sim, command, reply);
    case COMMAND_MGET:
        return multi_done(sim, command, reply);
    case COMMAND_MDEL:
        return mdel_done(sim, command, reply);
    case COMMAND_DBSIZE:
        return audit_on_size(sim, client, reply);
    case COMMAND_KEYS:
        return audit_on_keys(sim, client, reply);
    case COMMAND_CAUSAL_GET:
    case COMMAND_CAUSAL_SET:
    case COMMAND_CAUSAL_DEL:
        causal_on_reply(sim, client, command, reply);
        return true;
    }
    return false;
}

static void take(struct sim *sim, struct sim_client *client, const struct command *command,
                 const struct resp_value *reply)
{
    if (reply->type != RESP_ERROR) {
        if (!on_success(sim, client, command, reply)) {
            nonsense(sim, client, command, reply);
            return;
        }
        sim->workload.done++;
        sim_mark(sim, MARK_REPLY_DONE);
        return;
    }
    switch (command->kind) {
    case COMMAND_SETUP: /* Refused while the node is loading: try elsewhere. */
        client_drop(sim, client->index);
        return;
    case COMMAND_ECHO:
        nonsense(sim, client, command, reply);
        return;
    case COMMAND_BAD:
        sim_mark(sim, MARK_REPLY_USAGE);
        return;
    default:
        on_error(sim, client, command, reply);
    }
}

void workload_on_reply(struct sim *sim, struct sim_client *client, const struct command *command,
                       const struct resp_value *reply)
{
    take(sim, client, command, reply);
    if (client->index >= CLIENTS_AUDIT && command->kind != COMMAND_SETUP) {
        audit_on_reply(sim, client, command, reply);
    } else if (client->open && !client_is_waking(sim, client->index)) {
        client_wake(sim, client->index, around(&sim->prng, sim->swarm.think_ns));
    }
}
