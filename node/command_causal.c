#include "node/command.h"
#include "node/context.h"

#include <string.h>

/* RF.GET, RF.SET, RF.DEL, RF.EXPLAIN: siblings and contexts as they are. */

enum { CONTEXT_HYBRID_SHIFT = 16, TEXT_SIZE_MAX = CONTEXT_TOKEN_MAX * 2 };

static struct context_binding binding_of(const struct view *view, struct bytes key)
{
    return (struct context_binding){
        .cluster_id = view->cluster_id, .context_key = view->context_key, .key = key};
}

/* ---- Showing versions ---- */

static void reply_dot(struct reply *reply, struct dot dot)
{
    struct buf text;

    buf_init(&text, 64);
    buf_printf(&text, "%016llx:%llu", (unsigned long long)dot.actor,
               (unsigned long long)dot.counter);
    reply_bulk(reply, buf_bytes(&text));
    buf_release(&text);
}

static int64_t ttl_ms(const struct version *version, int64_t wall_ms)
{
    return version->expiry_ms == 0 ? -1 : MAX(version->expiry_ms - wall_ms, (int64_t)0);
}

static void reply_sibling(struct reply *reply, const struct version *version, int64_t wall_ms)
{
    reply_map(reply, 4);
    reply_bulk_text(reply, "value");
    reply_bulk(reply, version->payload);
    reply_bulk_text(reply, "timestamp");
    reply_integer(reply, (int64_t)(version->timestamp >> CONTEXT_HYBRID_SHIFT));
    reply_bulk_text(reply, "dot");
    reply_dot(reply, version->dot);
    reply_bulk_text(reply, "ttl_ms");
    reply_integer(reply, ttl_ms(version, wall_ms));
}

/* ---- RF.GET ---- */

static void on_rf_get(struct call *call, uint32_t part, const struct op_result *result)
{
    struct clients *clients = call->clients;
    struct reply reply = call_reply(call);

    ASSERT(part == 0);
    if (command_outcome(&reply, result, false)) {
        struct bytes key = {call->reply_key, call->reply_key_size};
        struct context_binding binding = binding_of(clients_view(clients), key);
        struct buf token;
        buf_init(&token, TEXT_SIZE_MAX);
        context_encode(&binding, result->context, result->context_count, &clients->arena, &token);
        reply_map(&reply, 2);
        reply_bulk_text(&reply, "context");
        reply_bulk(&reply, buf_bytes(&token));
        reply_bulk_text(&reply, "siblings");
        reply_array(&reply, result->siblings_count);
        for (uint32_t i = 0; i < result->siblings_count; i++) {
            reply_sibling(&reply, result->siblings + i, clients->now.wall_ms);
        }
        buf_release(&token);
        clients->stats.hits += result->siblings_count > 0;
        clients->stats.misses += result->siblings_count == 0;
    }
    call_finish(call);
}

/* Keep the key's stored name until the reply, which is bound to it. */
static void keep_key(struct invocation *in)
{
    uint8_t *copy = mem_alloc(in->key.size);

    ASSERT(in->call->reply_key == NULL);
    memcpy(copy, in->key.data, in->key.size);
    in->call->reply_key = copy;
    in->call->reply_key_size = in->key.size;
}

enum run run_rf_get(struct invocation *in)
{
    struct op op = command_op(in, OP_CAUSAL_GET);

    keep_key(in);
    in->call->on_op = on_rf_get;
    call_start(in->call, 0, &op);
    return RUN_STARTED;
}

/* ---- RF.SET, RF.DEL ---- */

/* [CONTEXT token] [EX s | PX ms | EXAT s | PXAT ms] from word `at` on, in any order. Without a
 * context the write has seen nothing: it stands beside whatever is there. False: answered. */
static bool causal_options(struct invocation *in, uint32_t at, bool may_expire, struct op *op)
{
    enum expiry_unit unit = EXPIRY_NONE;
    struct bytes token = {NULL, 0};
    struct bytes expiry = {NULL, 0};

    for (; at < in->argc; at += 2) {
        enum expiry_unit this_unit = may_expire ? expiry_unit_of(in->argv[at]) : EXPIRY_NONE;
        if (at + 1 < in->argc && bytes_equal_nocase(in->argv[at], "CONTEXT")) {
            token = in->argv[at + 1];
        } else if (at + 1 < in->argc && this_unit != EXPIRY_NONE &&
                   (unit == EXPIRY_NONE || unit == this_unit)) {
            unit = this_unit;
            expiry = in->argv[at + 1];
        } else {
            command_syntax_error(in);
            return false;
        }
    }
    if (unit != EXPIRY_NONE && !expiry_parse(in, unit, expiry, &op->expiry_ms)) {
        return false;
    }
    if (token.data == NULL) {
        return true;
    }
    struct context_binding binding = binding_of(clients_view(in->clients), in->key);
    struct seen_dot *dots = NULL;
    enum context_result result =
        context_decode(&binding, token, &in->clients->arena, &dots, &op->context_count);
    if (result != CONTEXT_OK) {
        reply_error_printf(&in->reply, "ERR %s; nothing was written", context_text(result));
        return false;
    }
    op->context = dots;
    return true;
}

static void on_rf_set(struct call *call, uint32_t part, const struct op_result *result)
{
    struct reply reply = call_reply(call);

    ASSERT(part == 0);
    command_note_write(call, result);
    if (command_outcome(&reply, result, true)) {
        reply_ok(&reply);
    }
    call_finish(call);
}

enum run run_rf_set(struct invocation *in)
{
    struct op op = command_op(in, OP_CAUSAL_SET);

    op.value = in->argv[2];
    if (!value_fits(in, op.value) || !causal_options(in, 3, true, &op)) {
        return RUN_REPLIED;
    }
    in->call->on_op = on_rf_set;
    call_start(in->call, 0, &op);
    return RUN_STARTED;
}

static void on_rf_del(struct call *call, uint32_t part, const struct op_result *result)
{
    struct reply reply = call_reply(call);

    ASSERT(part == 0);
    command_note_write(call, result);
    if (command_outcome(&reply, result, true)) {
        reply_integer(&reply, result->removed);
    }
    call_finish(call);
}

enum run run_rf_del(struct invocation *in)
{
    struct op op = command_op(in, OP_CAUSAL_DEL);

    if (!causal_options(in, 2, false, &op)) {
        return RUN_REPLIED;
    }
    in->call->on_op = on_rf_del;
    call_start(in->call, 0, &op);
    return RUN_STARTED;
}

/* ---- RF.EXPLAIN ---- */

static void reply_version(struct reply *reply, const struct version *version, int64_t wall_ms)
{
    bool expired = version->kind != VERSION_TOMBSTONE && version_is_gone(version, wall_ms);

    reply_map(reply, 6);
    reply_bulk_text(reply, "dot");
    reply_dot(reply, version->dot);
    reply_bulk_text(reply, "timestamp");
    reply_integer(reply, (int64_t)(version->timestamp >> CONTEXT_HYBRID_SHIFT));
    reply_bulk_text(reply, "kind");
    reply_bulk_text(reply, expired                              ? "expired"
                           : version->kind == VERSION_TOMBSTONE ? "tombstone"
                                                                : "string");
    reply_bulk_text(reply, "causal");
    reply_bool(reply, (version->flags & VERSION_CAUSAL) != 0);
    reply_bulk_text(reply, "bytes");
    reply_integer(
        reply, (int64_t)(version->payload_absent ? version->payload_size : version->payload.size));
    reply_bulk_text(reply, "ttl_ms");
    reply_integer(reply, ttl_ms(version, wall_ms));
}

static void reply_owner(struct reply *reply, const struct view *view,
                        const struct owner_view *owner, int64_t wall_ms)
{
    bool known = owner->member < view->members_count;

    reply_map(reply, 4);
    reply_bulk_text(reply, "member");
    reply_bulk_text(reply, known ? view->members[owner->member].name : "?");
    reply_bulk_text(reply, "live");
    reply_bool(reply, owner->live);
    reply_bulk_text(reply, "answer");
    reply_bulk_text(reply, !owner->answered ? "none" : owner->unreadable ? "unreadable" : "read");
    reply_bulk_text(reply, "versions");
    reply_array(reply, owner->versions_count);
    for (uint32_t i = 0; i < owner->versions_count; i++) {
        reply_version(reply, owner->versions + i, wall_ms);
    }
}

static void on_rf_explain(struct call *call, uint32_t part, const struct op_result *result)
{
    struct reply reply = call_reply(call);

    ASSERT(part == 0);
    if (command_outcome(&reply, result, false)) {
        const struct view *view = clients_view(call->clients);
        reply_map(&reply, 7);
        reply_bulk_text(&reply, "slot");
        reply_integer(&reply, result->slot);
        reply_bulk_text(&reply, "partition");
        reply_integer(&reply, result->partition);
        reply_bulk_text(&reply, "n");
        reply_integer(&reply, view->n);
        reply_bulk_text(&reply, "r");
        reply_integer(&reply, call->terms.r);
        reply_bulk_text(&reply, "w");
        reply_integer(&reply, call->terms.w);
        reply_bulk_text(&reply, "consistency");
        reply_bulk_text(&reply, call->terms.one_round ? "quorum" : "linearizable");
        reply_bulk_text(&reply, "owners");
        reply_array(&reply, result->owners_count);
        for (uint32_t i = 0; i < result->owners_count; i++) {
            reply_owner(&reply, view, result->owners + i, call->clients->now.wall_ms);
        }
    }
    call_finish(call);
}

enum run run_rf_explain(struct invocation *in)
{
    struct op op = command_op(in, OP_EXPLAIN);

    in->call->on_op = on_rf_explain;
    call_start(in->call, 0, &op);
    return RUN_STARTED;
}
