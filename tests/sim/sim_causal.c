#include "tests/sim/sim_causal.h"

#include <inttypes.h>
#include <string.h>

#include "tests/sim/sim.h"
#include "tests/sim/sim_forge.h"

enum { NONE = UINT32_MAX };

void causal_init(struct causal *causal)
{
    memset(causal, 0, sizeof(*causal));
    arena_init(&causal->arena, 4096);
}

void causal_release(struct causal *causal)
{
    mem_free(causal->writes);
    mem_free(causal->reads);
    arena_release(&causal->arena);
}

static bool set_has(const struct causal_set *set, uint64_t value)
{
    for (uint32_t i = 0; i < set->count; i++) {
        if (set->values[i] == value) {
            return true;
        }
    }
    return false;
}

static size_t write_add(struct causal *causal, const struct causal_write *write)
{
    if (causal->writes_count == causal->writes_capacity) {
        causal->writes_capacity = MAX((size_t)32, causal->writes_capacity * 2);
        causal->writes =
            mem_resize(causal->writes, causal->writes_capacity * sizeof(*causal->writes));
    }
    causal->writes[causal->writes_count] = *write;
    return causal->writes_count++;
}

static size_t read_add(struct causal *causal, const struct causal_read *read)
{
    if (causal->reads_count == causal->reads_capacity) {
        causal->reads_capacity = MAX((size_t)32, causal->reads_capacity * 2);
        causal->reads = mem_resize(causal->reads, causal->reads_capacity * sizeof(*causal->reads));
    }
    causal->reads[causal->reads_count] = *read;
    return causal->reads_count++;
}

/* -- Commands. */

/* A reading of this key that gave a context: the newest as a rule, now and then an old one. */
static const struct causal_read *context_pick(struct sim *sim, const struct causal *causal)
{
    const struct causal_read *picked = NULL;
    bool stale = percent(&sim->prng, sim->swarm.context_stale_percent);
    unsigned seen = 0;
    for (size_t i = causal->reads_count; i > 0; i--) {
        const struct causal_read *read = &causal->reads[i - 1];
        if (read->context.size == 0) {
            continue;
        }
        if (!stale) {
            return read;
        }
        if (prng_below(&sim->prng, ++seen) == 0) {
            picked = read;
        }
    }
    if (picked != NULL) {
        sim_mark(sim, MARK_CONTEXT_STALE);
    }
    return picked;
}

/* A context that must be refused: another key's, a damaged or a forged one. Empty when there is
 * none to begin with. */
static struct bytes context_bad(struct sim *sim, unsigned key)
{
    struct arena *arena = &sim->workload.keys[key].causal.arena;
    unsigned other = key;
    for (unsigned i = 0; i < sim->workload.keys_count && prng_chance(&sim->prng, 2); i++) {
        if (i != key && sim->workload.keys[i].class == KEY_CAUSAL) {
            other = i;
        }
    }
    const struct causal_read *read = context_pick(sim, &sim->workload.keys[other].causal);
    if (read == NULL) {
        return (struct bytes){NULL, 0};
    }
    if (other != key) {
        sim_mark(sim, MARK_CONTEXT_FOREIGN);
        return read->context;
    }
    if (prng_chance(&sim->prng, 2)) {
        sim_mark(sim, MARK_CONTEXT_DAMAGED);
        return forge_damage(read->context, &sim->prng, arena);
    }
    sim_mark(sim, MARK_CONTEXT_FORGED);
    return forge_contents(read->context, &sim->prng, arena);
}

static void send_write(struct sim *sim, struct sim_client *client, unsigned key, bool is_delete)
{
    struct causal *causal = &sim->workload.keys[key].causal;
    struct command command = {.kind = is_delete ? COMMAND_CAUSAL_DEL : COMMAND_CAUSAL_SET,
                              .keys_count = 1,
                              .keys[0] = key};
    struct causal_write write = {.is_delete = is_delete, .ret = LIN_NEVER};
    struct bytes context = {NULL, 0};
    if (percent(&sim->prng, 8)) {
        context = context_bad(sim, key);
        command.must_fail = context.size > 0;
    }
    if (context.size == 0 && (is_delete || !percent(&sim->prng, sim->swarm.context_none_percent))) {
        const struct causal_read *read = context_pick(sim, causal);
        if (read != NULL) {
            context = read->context;
            write.replaced = read->shown;
        } else if (is_delete) {
            return; /* Nothing read yet, so nothing to delete. */
        }
    }
    if (context.size == 0) {
        sim_mark(sim, MARK_CONTEXT_BLIND);
    }
    write.value = workload_new_value(sim, key);
    write.invoke = ++sim->stamp;
    command.ops[0] = write_add(causal, &write);
    struct bytes args[5];
    size_t count = 0;
    args[count++] = is_delete ? BYTES_LITERAL("RF.DEL") : BYTES_LITERAL("RF.SET");
    args[count++] = bytes_of(sim->workload.keys[key].name);
    if (!is_delete) {
        args[count++] = buf_bytes(&sim->workload.value);
    }
    if (context.size > 0) {
        args[count++] = BYTES_LITERAL("CONTEXT");
        args[count++] = context;
    }
    client_send(sim, client, &command, args, count);
}

void causal_send_get(struct sim *sim, struct sim_client *client, unsigned key, bool audit)
{
    struct causal_read read = {.node = client->node,
                               .audit = audit && sim->converged,
                               .invoke = ++sim->stamp,
                               .ret = LIN_NEVER};
    struct command command = {.kind = COMMAND_CAUSAL_GET, .keys_count = 1, .keys[0] = key};
    command.ops[0] = read_add(&sim->workload.keys[key].causal, &read);
    struct bytes args[] = {BYTES_LITERAL("RF.GET"), bytes_of(sim->workload.keys[key].name)};
    client_send(sim, client, &command, args, ARRAY_COUNT(args));
}

void causal_send(struct sim *sim, struct sim_client *client, unsigned key)
{
    if (!percent(&sim->prng, sim->swarm.write_percent)) {
        causal_send_get(sim, client, key, false);
    } else {
        send_write(sim, client, key, percent(&sim->prng, sim->swarm.delete_percent / 2));
    }
}

/* -- Replies. */

static void on_get(struct sim *sim, const struct command *command, const struct resp_value *reply)
{
    struct causal *causal = &sim->workload.keys[command->keys[0]].causal;
    struct causal_read *read = &causal->reads[command->ops[0]];
    const struct resp_value *values = resp_field(reply, "siblings");
    const struct resp_value *context = resp_field(reply, "context");
    if (values == NULL || values->type != RESP_ARRAY || context == NULL ||
        context->type != RESP_BULK) {
        sim_fail(sim, CHECK_REPLY, "RF.GET %s: a reply without siblings and context",
                 sim->workload.keys[command->keys[0]].name);
        return;
    }
    read->shown.values = ARENA_ARRAY(&causal->arena, uint64_t, values->items_count + 1);
    for (uint32_t i = 0; i < values->items_count; i++) {
        const struct resp_value *text = resp_field(&values->items[i], "value");
        if (text == NULL) {
            sim_fail(sim, CHECK_REPLY, "RF.GET: a sibling without a value");
            return;
        }
        uint64_t value = workload_value(sim, command->keys[0], text->text);
        if (set_has(&read->shown, value)) {
            sim_fail(sim, CHECK_CAUSAL, "key %s shows value %" PRIu64 " twice",
                     sim->workload.keys[command->keys[0]].name, value);
        }
        read->shown.values[read->shown.count++] = value;
    }
    read->context = arena_copy_bytes(&causal->arena, context->text);
    read->ret = ++sim->stamp;
    if (read->shown.count > 1) {
        sim_mark(sim, MARK_SIBLINGS);
    }
}

void causal_on_reply(struct sim *sim, struct sim_client *client, const struct command *command,
                     const struct resp_value *reply)
{
    (void)client;
    if (command->kind == COMMAND_CAUSAL_GET) {
        on_get(sim, command, reply);
        return;
    }
    struct sim_key *key = &sim->workload.keys[command->keys[0]];
    struct causal_write *write = &key->causal.writes[command->ops[0]];
    if (command->must_fail) {
        sim_fail(sim, CHECK_CAUSAL, "key %s: a damaged context or one of another key was accepted",
                 key->name);
        return;
    }
    write->status = HISTORY_DONE;
    write->ret = ++sim->stamp;
}

void causal_on_error(struct sim *sim, const struct command *command, bool refused)
{
    if (command->kind == COMMAND_CAUSAL_GET) {
        return;
    }
    struct causal *causal = &sim->workload.keys[command->keys[0]].causal;
    struct causal_write *write = &causal->writes[command->ops[0]];
    if (refused) {
        write->status = HISTORY_REFUSED;
    }
}

/* -- The check. */

static uint32_t write_of(const struct causal *causal, uint64_t value)
{
    for (size_t i = 0; i < causal->writes_count; i++) {
        if (causal->writes[i].value == value) {
            return (uint32_t)i;
        }
    }
    return NONE;
}

/* Some write that can have taken effect by this reading replaced `value`, and is itself a delete,
 * shown, or replaced in turn. Recursion ends: a write replaces only what was read before it began.
 */
static bool is_replaced(const struct causal *causal, const struct causal_read *read, uint64_t value)
{
    for (size_t i = 0; i < causal->writes_count; i++) {
        const struct causal_write *by = &causal->writes[i];
        if (by->status != HISTORY_REFUSED && by->invoke < read->ret &&
            set_has(&by->replaced, value) &&
            (by->is_delete || set_has(&read->shown, by->value) ||
             is_replaced(causal, read, by->value))) {
            return true;
        }
    }
    return false;
}

static void fail_read(struct sim *sim, unsigned key, const struct causal_read *read,
                      const char *words, uint64_t value)
{
    char shown[200];
    struct buf text;
    buf_init(&text, sizeof(shown));
    for (uint32_t i = 0; i < read->shown.count && text.size + 24 < sizeof(shown); i++) {
        buf_printf(&text, " %" PRIu64, read->shown.values[i]);
    }
    sim_fail(sim, CHECK_CAUSAL,
             "key %s through n%u, stamps %" PRIu64 "..%" PRIu64 "%s, shows {%.*s}: %s %" PRIu64,
             sim->workload.keys[key].name, read->node + 1, read->invoke, read->ret,
             read->audit ? " (audit)" : "", (int)text.size, (const char *)text.data, words, value);
    buf_release(&text);
}

static void check_read(struct sim *sim, unsigned key, const struct causal_read *read)
{
    const struct causal *causal = &sim->workload.keys[key].causal;
    for (uint32_t i = 0; i < read->shown.count; i++) {
        uint32_t write = write_of(causal, read->shown.values[i]);
        if (write == NONE || causal->writes[write].status == HISTORY_REFUSED ||
            causal->writes[write].is_delete || causal->writes[write].invoke > read->ret) {
            fail_read(sim, key, read, "never written, or refused:", read->shown.values[i]);
            return;
        }
    }
    for (size_t i = 0; i < causal->writes_count; i++) {
        const struct causal_write *write = &causal->writes[i];
        bool before = write->status == HISTORY_DONE && write->ret < read->invoke;
        bool shown = set_has(&read->shown, write->value);
        if (before && !write->is_delete && !shown && !is_replaced(causal, read, write->value)) {
            fail_read(sim, key, read,
                      "lost an acknowledged value that nothing replaced:", write->value);
            return;
        }
        /* Read repair spreads a version without what it replaced: until it is acknowledged, or all
         * replicas are alike, both may be shown. */
        bool replaces = before || (shown && read->audit);
        for (uint32_t j = 0; replaces && j < write->replaced.count; j++) {
            if (set_has(&read->shown, write->replaced.values[j])) {
                fail_read(sim, key, read,
                          "shows again what was replaced:", write->replaced.values[j]);
                return;
            }
        }
    }
}

/* A write is ranked above everything that it replaces. */
static void check_ranks(struct sim *sim, unsigned key)
{
    const struct causal *causal = &sim->workload.keys[key].causal;
    for (size_t i = 0; i < causal->writes_count; i++) {
        const struct causal_write *write = &causal->writes[i];
        uint64_t rank = invariants_timestamp(sim, write->value);
        for (uint32_t j = 0; rank != 0 && j < write->replaced.count; j++) {
            if (invariants_timestamp(sim, write->replaced.values[j]) >= rank) {
                sim_fail(sim, CHECK_CAUSAL,
                         "key %s: value %" PRIu64 " replaced %" PRIu64 " and is ranked below it",
                         sim->workload.keys[key].name, write->value, write->replaced.values[j]);
            }
        }
    }
}

void causal_check(struct sim *sim, unsigned key)
{
    const struct causal *causal = &sim->workload.keys[key].causal;
    const struct causal_read *last = NULL;
    check_ranks(sim, key);
    for (size_t i = 0; i < causal->reads_count && sim->failed == CHECK_NONE; i++) {
        const struct causal_read *read = &causal->reads[i];
        if (read->ret == LIN_NEVER) {
            continue;
        }
        check_read(sim, key, read);
        if (!read->audit || sim->failed != CHECK_NONE) {
            continue;
        }
        for (uint32_t j = 0; last != NULL && j < read->shown.count; j++) {
            if (!set_has(&last->shown, read->shown.values[j])) {
                fail_read(sim, key, read, "another node did not show", read->shown.values[j]);
                return;
            }
        }
        if (last != NULL && last->shown.count != read->shown.count) {
            fail_read(sim, key, last, "not what the next node shows; first value",
                      last->shown.values[0]);
            return;
        }
        last = read;
    }
}
