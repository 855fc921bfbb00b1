#include "tests/lib/history.h"

#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"

enum { MILLI = 1000000 };

void history_init(struct history *history)
{
    memset(history, 0, sizeof(*history));
}

void history_release(struct history *history)
{
    mem_free(history->ops);
    history_init(history);
}

size_t history_add(struct history *history, const struct history_op *op)
{
    if (history->count == history->capacity) {
        history->capacity = MAX((size_t)64, history->capacity * 2);
        history->ops = mem_resize(history->ops, history->capacity * sizeof(*history->ops));
    }
    struct history_op *added = &history->ops[history->count];
    *added = *op;
    added->status = HISTORY_UNKNOWN;
    added->ret = LIN_NEVER;
    added->ret_ns = UINT64_MAX;
    added->result = LIN_ANY;
    return history->count++;
}

void history_done(struct history *history, size_t index, uint64_t stamp, uint64_t now_ns,
                  uint64_t result)
{
    ASSERT(index < history->count);
    struct history_op *op = &history->ops[index];
    ASSERT(op->status == HISTORY_UNKNOWN);
    ASSERT(stamp > op->invoke);
    op->status = HISTORY_DONE;
    op->ret = stamp;
    op->ret_ns = now_ns;
    op->result = result;
}

void history_refused(struct history *history, size_t index)
{
    ASSERT(index < history->count);
    ASSERT(history->ops[index].status == HISTORY_UNKNOWN);
    history->ops[index].status = HISTORY_REFUSED;
}

/* A stretch of time in which nodes may disagree about whether a value has expired. */
struct window {
    uint64_t from_ns, to_ns;
};

static struct window window_of(const struct history_op *op, const struct history_clocks *clocks)
{
    enum { ROUNDING_MS = 2 };
    uint64_t spread_ns = (clocks->spread_ms + ROUNDING_MS) * MILLI;
    uint64_t live_ns = op->expiry_ms * MILLI;
    uint64_t from_ns = op->invoke_ns + live_ns;
    uint64_t counted_ns = op->invoke_ns + clocks->unknown_ms * MILLI;
    uint64_t last_ns = op->status == HISTORY_DONE ? MIN(op->ret_ns, counted_ns) : counted_ns;
    return (struct window){from_ns > spread_ns ? from_ns - spread_ns : 0,
                           last_ns + live_ns + spread_ns};
}

/* True when `op` says that something was not there at a time when this is a matter of clocks. */
static bool is_disputed(const struct history *history, const struct history_clocks *clocks,
                        const struct history_op *op)
{
    bool maybe_none = op->result == 0 || (op->kind == LIN_DEL && op->result == LIN_ANY);
    if (op->status != HISTORY_DONE || op->kind == LIN_SET || !maybe_none) {
        return false;
    }
    for (size_t i = 0; i < history->count; i++) {
        const struct history_op *write = &history->ops[i];
        if (write->expiry_ms == 0 || write->status == HISTORY_REFUSED) {
            continue;
        }
        struct window window = window_of(write, clocks);
        if (op->invoke_ns <= window.to_ns && op->ret_ns >= window.from_ns) {
            return true;
        }
    }
    return false;
}

/* A write of two rounds is a read and then a write, not one step: what SET..GET and DEL say of the
 * value before them is exact only while no other write is under way. */
static bool is_disturbed(const struct history *history, const struct history_op *op)
{
    if (op->status != HISTORY_DONE || (op->kind != LIN_DEL && op->kind != LIN_GETSET)) {
        return false;
    }
    for (size_t i = 0; i < history->count; i++) {
        const struct history_op *other = &history->ops[i];
        if (other != op && other->kind != LIN_GET && other->status != HISTORY_REFUSED &&
            other->invoke < op->ret && other->ret > op->invoke) {
            return true;
        }
    }
    return false;
}

/* Stamps of the operations that time says lie before and after a window's ends: lin_check knows
 * stamps only, and stamps and times are in the same order. */
static uint64_t stamp_at(const struct history *history, uint64_t time_ns, bool later)
{
    uint64_t stamp = later ? LIN_NEVER - 1 : 0;
    for (size_t i = 0; i < history->count; i++) {
        const struct history_op *op = &history->ops[i];
        const uint64_t times[2] = {op->invoke_ns, op->ret_ns};
        const uint64_t stamps[2] = {op->invoke, op->ret};
        for (unsigned end = 0; end < (op->status == HISTORY_DONE ? 2U : 1U); end++) {
            if (later && times[end] > time_ns) {
                stamp = MIN(stamp, stamps[end]);
            } else if (!later && times[end] < time_ns) {
                stamp = MAX(stamp, stamps[end]);
            }
        }
    }
    return stamp;
}

enum lin_verdict history_check(const struct history *history, const struct history_clocks *clocks,
                               struct arena *arena, struct lin_report *out)
{
    struct lin_op *ops = ARENA_ARRAY(arena, struct lin_op, history->count + 1);
    size_t *places = ARENA_ARRAY(arena, size_t, history->count + 1);
    size_t count = 0;
    for (size_t i = 0; i < history->count; i++) {
        const struct history_op *op = &history->ops[i];
        bool silent = op->kind == LIN_GET && (op->status != HISTORY_DONE || op->result == LIN_ANY);
        if (op->status == HISTORY_REFUSED || silent) {
            continue;
        }
        bool disputed = is_disputed(history, clocks, op);
        bool any = disputed || is_disturbed(history, op);
        /* Clocks too far apart: a delete may have found nothing left to do where others still had.
         */
        bool idle = disputed && op->kind == LIN_DEL && clocks->spread_ms > clocks->drift_max_ms;
        places[count] = i;
        struct lin_op *to = &ops[count++];
        *to = (struct lin_op){
            .kind = op->kind,
            .value = op->value,
            .result = any ? LIN_ANY : op->result,
            .invoke = op->invoke,
            .ret = idle ? LIN_NEVER : op->ret,
        };
        if (op->expiry_ms > 0) {
            struct window window = window_of(op, clocks);
            to->expire_not_before = stamp_at(history, window.from_ns, false);
            to->expire_not_after = stamp_at(history, window.to_ns, true);
        }
    }
    enum lin_verdict verdict = lin_check(ops, count, arena, out);
    if (verdict != LIN_OK && count > 0) {
        out->failed = places[out->failed];
    }
    return verdict;
}

static const char *const KIND_NAMES[] = {
    [LIN_SET] = "set",
    [LIN_GET] = "get",
    [LIN_DEL] = "del",
    [LIN_GETSET] = "getset",
};

void history_print(const struct history *history, size_t failed, struct buf *out)
{
    enum { AROUND = 24 };
    for (size_t i = 0; i < history->count; i++) {
        const struct history_op *op = &history->ops[i];
        bool near = i + AROUND >= failed && i <= failed + AROUND / 2;
        if (!near || op->status == HISTORY_REFUSED) {
            continue;
        }
        buf_printf(out, "%s %3zu client %" PRIu32 " %-6s", i == failed ? "->" : "  ", i, op->client,
                   KIND_NAMES[op->kind]);
        if (op->value != 0) {
            buf_printf(out, " %" PRIu64, op->value);
        }
        if (op->expiry_ms != 0) {
            buf_printf(out, " px %" PRIu64, op->expiry_ms);
        }
        if (op->status == HISTORY_UNKNOWN) {
            buf_printf(out, "  [%" PRIu64 ", ?] at %" PRIu64 " us\n", op->invoke,
                       op->invoke_ns / 1000);
            continue;
        }
        buf_printf(out, "  [%" PRIu64 ", %" PRIu64 "] at %" PRIu64 "..%" PRIu64 " us", op->invoke,
                   op->ret, op->invoke_ns / 1000, op->ret_ns / 1000);
        if (op->kind != LIN_SET) {
            buf_printf(out, " = %" PRIu64, op->result);
        }
        buf_printf(out, "\n");
    }
}
