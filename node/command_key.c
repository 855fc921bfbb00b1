#include "node/command_multi.h"

#include "base/hash.h"
#include "base/map.h"
#include "base/mutant.h"

/* DEL, EXISTS, TTL, TYPE, and with several keys DEL, EXISTS, MGET, MSET. */

/* ---- One key ---- */

static void on_del(struct call *call, uint32_t part, const struct op_result *result)
{
    struct reply reply = call_reply(call);

    ASSERT(part == 0);
    command_note_write(call, result);
    if (command_outcome(&reply, result, true)) {
        reply_integer(&reply, result->found ? 1 : 0);
    }
    call_finish(call);
}

static void on_exists(struct call *call, uint32_t part, const struct op_result *result)
{
    struct reply reply = call_reply(call);

    ASSERT(part == 0);
    if (command_outcome(&reply, result, false)) {
        reply_integer(&reply, result->found ? 1 : 0);
    }
    call_finish(call);
}

static void on_type(struct call *call, uint32_t part, const struct op_result *result)
{
    struct reply reply = call_reply(call);

    ASSERT(part == 0);
    if (command_outcome(&reply, result, false)) {
        reply_simple(&reply, result->found ? "string" : "none");
    }
    call_finish(call);
}

static void on_ttl(struct call *call, uint32_t part, const struct op_result *result)
{
    struct reply reply = call_reply(call);

    ASSERT(part == 0);
    if (command_outcome(&reply, result, false)) {
        int64_t left_ms = MAX(result->expiry_ms - call->clients->now.wall_ms, (int64_t)0);
        bool in_ms = call->command->variant == 1;
        if (!result->found) {
            reply_integer(&reply, -2);
        } else if (result->expiry_ms == 0) {
            reply_integer(&reply, -1);
        } else {
            reply_integer(&reply, in_ms ? left_ms : left_ms / 1000 + (left_ms % 1000 >= 500));
        }
    }
    call_finish(call);
}

static enum run start_one(struct invocation *in, enum op_kind kind,
                          void (*on_op)(struct call *, uint32_t, const struct op_result *))
{
    struct op op = command_op(in, kind);

    in->call->on_op = on_op;
    call_start(in->call, 0, &op);
    return RUN_STARTED;
}

enum run run_type(struct invocation *in)
{
    return start_one(in, OP_GET, on_type);
}

enum run run_ttl(struct invocation *in)
{
    return start_one(in, OP_GET, on_ttl);
}

/* ---- Several keys ---- */

/* The keys argv[1], argv[1 + step], ... as parts, in order. */
static struct multi *multi_of_keys(struct invocation *in, uint32_t step, enum op_kind kind)
{
    uint32_t count = (in->argc - 1) / step;
    struct multi *multi = multi_new(in->call, count);

    multi->kind = kind;
    for (uint32_t i = 0; i < count; i++) {
        multi_set_key(in->call, multi->parts + i, in->argv[1 + i * step]);
        if (step == 2) {
            multi->parts[i].value = arena_copy_bytes(&multi->arena, in->argv[2 + i * step]);
        }
    }
    return multi;
}

/* A multi-key read fails as a whole. */
static bool read_failed(struct call *call, struct reply *reply)
{
    if (call->multi->too_large) {
        reply_error(reply, "ERR the reply is larger than client-output-max-bytes");
        return true;
    }
    return call->multi->failed && !command_outcome(reply, &call->multi->first_bad, false);
}

static void on_end_exists(struct call *call)
{
    struct multi *multi = call->multi;
    struct reply reply = call_reply(call);

    if (!read_failed(call, &reply)) {
        int64_t count = 0;
        for (uint32_t i = 0; i < multi->parts_count; i++) {
            count += multi->parts[i].found;
        }
        reply_integer(&reply, count);
    }
    call_finish(call);
}

enum run run_exists(struct invocation *in)
{
    if (in->argc == 2) {
        return start_one(in, OP_GET, on_exists);
    }
    multi_of_keys(in, 1, OP_GET)->on_end = on_end_exists;
    multi_pump(in->call);
    return RUN_STARTED;
}

static void on_end_mget(struct call *call)
{
    struct multi *multi = call->multi;
    struct reply reply = call_reply(call);

    if (!read_failed(call, &reply)) {
        reply_array(&reply, multi->parts_count);
        for (uint32_t i = 0; i < multi->parts_count; i++) {
            if (multi->parts[i].found) {
                call->clients->stats.hits++;
                reply_bulk(&reply, multi->parts[i].value);
            } else {
                call->clients->stats.misses++;
                reply_null(&reply);
            }
        }
    }
    call_finish(call);
}

enum run run_mget(struct invocation *in)
{
    struct multi *multi = multi_of_keys(in, 1, OP_GET);
    multi->keep_values = true;
    multi->on_end = on_end_mget;
    multi_pump(in->call);
    return RUN_STARTED;
}

/* ---- Writes of several keys ---- */

/* Keep the last of equal keys: DEL a a counts once, MSET a 1 a 2 writes 2. */
static void drop_duplicates(struct clients *clients, struct multi *multi)
{
    struct map seen;
    uint32_t kept = 0;

    map_init(&seen);
    for (uint32_t i = 0; i < multi->parts_count; i++) {
        struct multi_part *part = multi->parts + i;
        /* Chains of equal hashes: the map holds the first, the others follow by adding one. */
        uint64_t hash = hash_seeded(part->user, clients->seed);
        struct multi_part *other = map_get(&seen, hash);
        while (other != NULL && !bytes_equal(other->user, part->user)) {
            other = map_get(&seen, ++hash);
        }
        if (other != NULL) {
            other->value = part->value;
            continue;
        }
        multi->parts[kept] = *part;
        map_set(&seen, hash, multi->parts + kept);
        kept++;
    }
    multi->parts_count = kept;
    map_release(&seen);
}

enum { NAMES_SIZE_MAX = 512 };

/* Append up to NAMES_SIZE_MAX bytes of the keys of one class, unreadable bytes as '?'. */
static void put_names(struct buf *words, const struct multi *multi, const char *title, bool unknown)
{
    size_t begun = words->size;
    bool first = true;

    for (uint32_t i = 0; i < multi->parts_count; i++) {
        const struct multi_part *part = multi->parts + i;
        bool is_unknown = part->outcome == OUTCOME_UNCERTAIN;
        if (part->outcome == OUTCOME_DONE || is_unknown != unknown) {
            continue;
        }
        buf_printf(words, "%s ", first ? title : "");
        first = false;
        if (words->size - begun + MIN(part->user.size, (size_t)64) > NAMES_SIZE_MAX) {
            buf_printf(words, "...");
            return;
        }
        for (size_t at = 0; at < MIN(part->user.size, (size_t)64); at++) {
            uint8_t byte = part->user.data[at];
            buf_put_u8(words, byte > ' ' && byte < 0x7f ? byte : '?');
        }
    }
}

/* Some keys were written and some were not: say which. */
static void reply_partial(struct call *call, struct reply *reply, const char *name, uint32_t done,
                          uint32_t unknown)
{
    struct multi *multi = call->multi;
    struct buf words;

    buf_init(&words, 4096);
    buf_printf(&words, "UNCERTAIN %s: done %u of %u", name, done, multi->parts_count);
    if (unknown > 0) {
        put_names(&words, multi, ", unknown:", true);
    }
    if (done + unknown < multi->parts_count) {
        put_names(&words, multi, ", not written:", false);
    }
    reply_error_bytes(reply, buf_bytes(&words));
    buf_release(&words);
}

/* All done, nothing done, or a mixture. Return true when all is done; else it is answered. */
static bool writes_done(struct call *call, struct reply *reply, const char *name)
{
    struct multi *multi = call->multi;
    uint32_t done = 0;
    uint32_t unknown = 0;

    for (uint32_t i = 0; i < multi->parts_count; i++) {
        done += multi->parts[i].outcome == OUTCOME_DONE;
        unknown += multi->parts[i].outcome == OUTCOME_UNCERTAIN;
    }
    if (done == multi->parts_count || MUTANT(mset_partial_ok)) {
        return true;
    }
    if (done == 0 && unknown == 0) {
        command_outcome(reply, &multi->first_bad, true);
    } else {
        reply_partial(call, reply, name, done, unknown);
    }
    return false;
}

static void on_end_del(struct call *call)
{
    struct multi *multi = call->multi;
    struct reply reply = call_reply(call);

    if (writes_done(call, &reply, "DEL")) {
        int64_t count = 0;
        for (uint32_t i = 0; i < multi->parts_count; i++) {
            count += multi->parts[i].found;
        }
        reply_integer(&reply, count);
    }
    call_finish(call);
}

enum run run_del(struct invocation *in)
{
    if (in->argc == 2) {
        return start_one(in, OP_DEL, on_del);
    }
    struct multi *multi = multi_of_keys(in, 1, OP_DEL);
    drop_duplicates(in->clients, multi);
    multi->on_end = on_end_del;
    multi_pump(in->call);
    return RUN_STARTED;
}

static void on_end_mset(struct call *call)
{
    struct reply reply = call_reply(call);

    if (writes_done(call, &reply, "MSET")) {
        reply_ok(&reply);
    }
    call_finish(call);
}

enum run run_mset(struct invocation *in)
{
    if (in->argc % 2 == 0) {
        reply_error(&in->reply, "ERR wrong number of arguments for 'mset' command");
        return RUN_REPLIED;
    }
    for (uint32_t i = 2; i < in->argc; i += 2) {
        if (!value_fits(in, in->argv[i])) {
            return RUN_REPLIED;
        }
    }
    struct multi *multi = multi_of_keys(in, 2, OP_SET);
    drop_duplicates(in->clients, multi);
    multi->on_end = on_end_mset;
    multi_pump(in->call);
    return RUN_STARTED;
}
