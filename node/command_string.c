#include "node/command.h"

/* GET, SET and their kin: one key, one operation. These are the hot path. */

/* ---- GET, STRLEN ---- */

static void on_get(struct call *call, uint32_t part, const struct op_result *result)
{
    struct reply reply = call_reply(call);

    ASSERT(part == 0);
    if (command_outcome(&reply, result, false)) {
        if (result->found) {
            call->clients->stats.hits++;
            reply_bulk(&reply, result->value);
        } else {
            call->clients->stats.misses++;
            reply_null(&reply);
        }
    }
    call_finish(call);
}

enum run run_get(struct invocation *in)
{
    struct op op = command_op(in, OP_GET);

    in->call->on_op = on_get;
    call_start(in->call, 0, &op);
    return RUN_STARTED;
}

static void on_strlen(struct call *call, uint32_t part, const struct op_result *result)
{
    struct reply reply = call_reply(call);

    ASSERT(part == 0);
    if (command_outcome(&reply, result, false)) {
        reply_integer(&reply, result->found ? (int64_t)result->value.size : 0);
    }
    call_finish(call);
}

enum run run_strlen(struct invocation *in)
{
    struct op op = command_op(in, OP_GET);

    in->call->on_op = on_strlen;
    call_start(in->call, 0, &op);
    return RUN_STARTED;
}

/* ---- Expiry ---- */

enum expiry_unit expiry_unit_of(struct bytes word)
{
    static const struct {
        const char *word;
        enum expiry_unit unit;
    } UNITS[] = {
        {"EX", EXPIRY_EX}, {"PX", EXPIRY_PX}, {"EXAT", EXPIRY_EXAT}, {"PXAT", EXPIRY_PXAT}};

    for (size_t i = 0; i < ARRAY_COUNT(UNITS); i++) {
        if (bytes_equal_nocase(word, UNITS[i].word)) {
            return UNITS[i].unit;
        }
    }
    return EXPIRY_NONE;
}

bool expiry_parse(struct invocation *in, enum expiry_unit unit, struct bytes number, int64_t *out)
{
    int64_t ms;

    if (!command_i64(in, number, &ms)) {
        return false;
    }
    bool seconds = unit == EXPIRY_EX || unit == EXPIRY_EXAT;
    bool relative = unit == EXPIRY_EX || unit == EXPIRY_PX;
    bool good = ms > 0 && !(seconds && ms > INT64_MAX / 1000);
    if (good && seconds) {
        ms *= 1000;
    }
    if (good && relative) {
        good = ms <= INT64_MAX - in->clients->now.wall_ms;
        ms = good ? ms + in->clients->now.wall_ms : 0;
    }
    if (!good) {
        reply_error_printf(&in->reply, "ERR invalid expire time in '%s' command",
                           in->command->name);
        return false;
    }
    *out = ms;
    return true;
}

/* ---- SET ---- */

enum { SET_WANTS_OLD = 1 };

struct set_options {
    bool nx, xx, get, keep_expiry;
    enum expiry_unit unit;
    struct bytes expiry;
};

/* In any order, as Redis 7.0.15 takes them: a repeated option is allowed, a second way to expire is
 * not. */
static bool set_options_parse(const struct invocation *in, struct set_options *out)
{
    for (uint32_t i = 3; i < in->argc; i++) {
        struct bytes word = in->argv[i];
        enum expiry_unit unit = expiry_unit_of(word);

        if (bytes_equal_nocase(word, "NX") && !out->xx) {
            out->nx = true;
        } else if (bytes_equal_nocase(word, "XX") && !out->nx) {
            out->xx = true;
        } else if (bytes_equal_nocase(word, "GET")) {
            out->get = true;
        } else if (bytes_equal_nocase(word, "KEEPTTL") && out->unit == EXPIRY_NONE) {
            out->keep_expiry = true;
        } else if (unit != EXPIRY_NONE && !out->keep_expiry && i + 1 < in->argc &&
                   (out->unit == EXPIRY_NONE || out->unit == unit)) {
            out->unit = unit;
            out->expiry = in->argv[++i];
        } else {
            return false;
        }
    }
    return true;
}

static void on_set(struct call *call, uint32_t part, const struct op_result *result)
{
    struct reply reply = call_reply(call);

    ASSERT(part == 0);
    command_note_write(call, result);
    if (command_outcome(&reply, result, true)) {
        if (call->variant != SET_WANTS_OLD) {
            reply_ok(&reply);
        } else if (result->found) {
            reply_bulk(&reply, result->value);
        } else {
            reply_null(&reply);
        }
    }
    call_finish(call);
}

bool value_fits(struct invocation *in, struct bytes value)
{
    if (value.size > in->clients->options->max_value_bytes) {
        reply_error(&in->reply, "ERR string exceeds maximum allowed size (max-value-bytes)");
        return false;
    }
    return true;
}

enum run run_set(struct invocation *in)
{
    struct op op = command_op(in, OP_SET);

    op.value = in->argv[2];
    if (in->argc > 3) {
        struct set_options options = {.nx = false};
        if (!set_options_parse(in, &options)) {
            return command_syntax_error(in);
        }
        if (options.unit != EXPIRY_NONE &&
            !expiry_parse(in, options.unit, options.expiry, &op.expiry_ms)) {
            return RUN_REPLIED;
        }
        if (options.nx || options.xx) {
            reply_error_printf(
                &in->reply,
                "ERR SET %s needs one winner among concurrent writers, which Ringfort "
                "%s does not offer; nothing was written",
                options.nx ? "NX" : "XX", RINGFORT_VERSION);
            return RUN_REPLIED;
        }
        op.keep_expiry = options.keep_expiry;
        op.want_old = options.get;
        in->call->variant = options.get ? SET_WANTS_OLD : 0;
    }
    if (!value_fits(in, op.value)) {
        return RUN_REPLIED;
    }
    in->call->on_op = on_set;
    call_start(in->call, 0, &op);
    return RUN_STARTED;
}

/* SETEX key seconds value, PSETEX key milliseconds value */
enum run run_setex(struct invocation *in)
{
    struct op op = command_op(in, OP_SET);
    enum expiry_unit unit = in->command->variant == 1 ? EXPIRY_PX : EXPIRY_EX;

    op.value = in->argv[3];
    if (!expiry_parse(in, unit, in->argv[2], &op.expiry_ms) || !value_fits(in, op.value)) {
        return RUN_REPLIED;
    }
    in->call->on_op = on_set;
    call_start(in->call, 0, &op);
    return RUN_STARTED;
}
