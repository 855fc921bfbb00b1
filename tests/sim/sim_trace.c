#include "tests/sim/sim_trace.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "base/hash.h"

static const char *const EVENT_NAMES[] = {
    [EVENT_START] = "start",
    [EVENT_STOP] = "stop",
    [EVENT_TURN] = "turn",
    [EVENT_TIMER] = "timer",
    [EVENT_CLIENT_OPEN] = "client open",
    [EVENT_CLIENT_BYTES] = "client bytes",
    [EVENT_CLIENT_CLOSED] = "client closed",
    [EVENT_PEER_OPEN] = "peer open",
    [EVENT_PEER_FAILED] = "peer failed",
    [EVENT_PEER_BYTES] = "peer bytes",
    [EVENT_PEER_CLOSED] = "peer closed",
    [EVENT_PEER_BLOCKED] = "peer blocked",
    [EVENT_DISK_READ] = "disk read",
    [EVENT_DISK_SCAN] = "disk scan",
    [EVENT_DURABLE] = "durable",
    [EVENT_STATS] = "stats",
};

static const char *const EFFECT_NAMES[] = {
    [EFFECT_CLIENT_SEND] = "client send",   [EFFECT_CLIENT_CLOSE] = "client close",
    [EFFECT_CLIENT_PAUSE] = "client pause", [EFFECT_PEER_DIAL] = "peer dial",
    [EFFECT_PEER_SEND] = "peer send",       [EFFECT_PEER_CLOSE] = "peer close",
    [EFFECT_DISK_READ] = "disk read",       [EFFECT_DISK_SCAN] = "disk scan",
    [EFFECT_DISK_PUT] = "disk put",         [EFFECT_DISK_DELETE] = "disk delete",
    [EFFECT_DISK_COMMIT] = "disk commit",   [EFFECT_LOG] = "log",
    [EFFECT_STOPPED] = "stopped",           [EFFECT_FATAL] = "fatal",
};

/* What goes into the hash beside the bytes; no padding, so every byte is set. */
struct chained {
    uint64_t before, at_ns, id, sequence, now_ns;
    int64_t wall_ms;
    uint32_t node, type;
    uint32_t member, flags;
    uint64_t err;
};

_Static_assert(sizeof(struct chained) == 6 * 8 + 4 * 4 + 8, "padding would be hashed");

static struct bytes bytes_of_chained(const struct chained *chained)
{
    return (struct bytes){(const uint8_t *)chained, sizeof(*chained)};
}

void trace_init(struct trace *trace, bool on, bool all)
{
    memset(trace, 0, sizeof(*trace));
    trace->on = on || all;
    trace->all = all;
    if (trace->on) {
        trace->lines = mem_alloc_zero(TRACE_LINES, TRACE_LINE_SIZE);
    }
}

void trace_release(struct trace *trace)
{
    mem_free(trace->lines);
    trace->lines = NULL;
}

void trace_mix(struct trace *trace, uint64_t a, uint64_t b)
{
    uint64_t three[3] = {trace->hash, a, b};
    trace->hash = hash_xxh3((struct bytes){(const uint8_t *)three, sizeof(three)});
}

void trace_line(struct trace *trace, uint64_t at_ns, const char *format, ...)
{
    if (!trace->on) {
        return;
    }
    char *line = trace->lines[trace->lines_count++ % TRACE_LINES];
    int used = snprintf(line, TRACE_LINE_SIZE, "[%10.3f ms] ", (double)at_ns / 1e6);
    va_list args;
    va_start(args, format);
    (void)vsnprintf(line + used, TRACE_LINE_SIZE - (size_t)used, format, args);
    va_end(args);
    if (trace->all) {
        (void)fprintf(stderr, "%s\n", line);
    }
}

/* Printable beginning of some bytes. */
static const char *shown(struct bytes bytes, char out[100])
{
    size_t at = 0;
    for (size_t i = 0; i < bytes.size && at < 96; i++) {
        uint8_t c = bytes.data[i];
        if (c == '\r') {
            continue;
        }
        out[at++] = c == '\n' ? ' ' : c >= 0x20 && c < 0x7f ? (char)c : '.';
    }
    out[at] = '\0';
    return out;
}

static void event_line(struct trace *trace, uint64_t at_ns, unsigned node,
                       const struct event *event)
{
    char text[100];
    switch (event->type) {
    case EVENT_TURN:
    case EVENT_STATS:
        return;
    case EVENT_DURABLE:
        trace_line(trace, at_ns, "n%u < durable %" PRIu64, node + 1, event->sequence);
        return;
    case EVENT_DISK_SCAN:
        trace_line(trace, at_ns, "n%u < disk scan %" PRIu64 " %s, %zu entries", node + 1, event->id,
                   err_text(event->err), event->entries_count);
        return;
    case EVENT_CLIENT_BYTES:
        trace_line(trace, at_ns, "n%u < client %" PRIu64 ": %s", node + 1, event->id,
                   shown(event->bytes, text));
        return;
    default:
        trace_line(trace, at_ns, "n%u < %s id %" PRIu64 " member %d on %d %s, %zu bytes", node + 1,
                   EVENT_NAMES[event->type], event->id, (int)(int16_t)event->member, event->on,
                   err_text(event->err), event->bytes.size);
    }
}

void trace_event(struct trace *trace, uint64_t at_ns, unsigned node, const struct event *event)
{
    struct chained chained = {
        .before = trace->hash,
        .at_ns = at_ns,
        .id = event->id,
        .sequence = event->sequence,
        .now_ns = event->now_ns,
        .wall_ms = event->wall_ms,
        .node = node,
        .type = event->type,
        .member = event->member,
        .flags = (uint32_t)event->on | (uint32_t)event->more << 1 | (uint32_t)event->face << 2,
        .err = event->err,
    };
    trace->events++;
    trace->hash = hash_xxh3_2(bytes_of_chained(&chained), event->bytes);
    for (size_t i = 0; i < event->entries_count; i++) {
        trace_mix(trace, hash_xxh3(event->entries[i].key), hash_xxh3(event->entries[i].value));
    }
    if (trace->on) {
        event_line(trace, at_ns, node, event);
    }
}

static void effect_line(struct trace *trace, uint64_t at_ns, unsigned node,
                        const struct effect *effect)
{
    char text[100];
    switch (effect->type) {
    case EFFECT_LOG:
    case EFFECT_FATAL:
        trace_line(trace, at_ns, "n%u    > %s: %s", node + 1, EFFECT_NAMES[effect->type],
                   effect->text);
        return;
    case EFFECT_CLIENT_SEND:
        trace_line(trace, at_ns, "n%u    > client %" PRIu64 ": %s", node + 1, effect->id,
                   shown(effect->bytes, text));
        return;
    case EFFECT_DISK_READ:
    case EFFECT_DISK_PUT:
    case EFFECT_DISK_DELETE:
        trace_line(trace, at_ns, "n%u    > %s %" PRIu64 " family %d key %s, %zu bytes", node + 1,
                   EFFECT_NAMES[effect->type], effect->id, effect->family, shown(effect->key, text),
                   effect->bytes.size);
        return;
    default:
        trace_line(trace, at_ns,
                   "n%u    > %s id %" PRIu64 " member %d on %d seq %" PRIu64 " %zu bytes", node + 1,
                   EFFECT_NAMES[effect->type], effect->id, (int)(int16_t)effect->member, effect->on,
                   effect->sequence, effect->bytes.size);
    }
}

void trace_effects(struct trace *trace, uint64_t at_ns, unsigned node,
                   const struct effects *effects)
{
    for (size_t i = 0; i < effects->count; i++) {
        const struct effect *effect = &effects->items[i];
        struct chained chained = {
            .before = trace->hash,
            .id = effect->id,
            .sequence = effect->sequence,
            .node = node,
            .type = 0x100U + (uint32_t)effect->type,
            .member = effect->member,
            .flags = (uint32_t)effect->on | (uint32_t)effect->family << 1,
        };
        trace->hash = hash_xxh3_2(bytes_of_chained(&chained), effect->bytes);
        trace->hash ^= hash_xxh3(effect->key);
        if (effect->text != NULL) {
            trace->hash ^= hash_xxh3(bytes_of(effect->text));
        }
        if (trace->on) {
            effect_line(trace, at_ns, node, effect);
        }
    }
    trace_mix(trace, effects->count, effects->deadline_ns);
}

void trace_print(const struct trace *trace, FILE *out, unsigned count)
{
    if (!trace->on) {
        return;
    }
    uint64_t kept = MIN(trace->lines_count, (uint64_t)TRACE_LINES);
    for (uint64_t i = trace->lines_count - MIN(kept, (uint64_t)count); i < trace->lines_count;
         i++) {
        (void)fprintf(out, "%s\n", trace->lines[i % TRACE_LINES]);
    }
}
