/* tests/lib/transcript_words.c - messages of members, as one would tell them to a colleague. */
#include "node/wire.h"
#include "quorum/key.h"
#include "tests/lib/transcript_world.h"

enum { FRAME_MAX = 64 << 20 };

const char *key_words(struct world *world, struct bytes key)
{
    struct key_parts parts;

    if (key_decode(key, &parts) != OK) {
        return "?";
    }
    return arena_printf(&world->step, "%.*s", (int)parts.user.size, (const char *)parts.user.data);
}

void dots_words(struct world *world, struct buf *out, const struct dot *dots, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        buf_printf(out, " (%s,%llu)", actor_words(world, dots[i].actor),
                   (unsigned long long)dots[i].counter);
    }
}

void version_words(struct world *world, struct buf *out, const struct version *version)
{
    dots_words(world, out, &version->dot, 1);
    if (version->kind == VERSION_TOMBSTONE) {
        buf_printf(out, " a tombstone");
    } else if (version->payload_absent) {
        buf_printf(out, " of %llu bytes", (unsigned long long)version->payload_size);
    } else {
        buf_printf(out, " = %.*s", (int)version->payload.size, (char *)version->payload.data);
    }
    if (version->flags & VERSION_CAUSAL) {
        buf_printf(out, ", causal");
    }
    if (version->expiry_ms != 0) {
        buf_printf(out, ", until %lld", (long long)world_since_ms(world, version->expiry_ms));
    }
}

static void versions_words(struct world *world, struct buf *out, const struct version *versions,
                           uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        buf_printf(out, i > 0 ? ";" : "");
        version_words(world, out, &versions[i]);
    }
}

void clock_words(struct world *world, struct buf *out, const struct clock *clock)
{
    for (uint32_t i = 0; i < clock->count; i++) {
        const struct clock_interval *interval = &clock->intervals[i];
        buf_printf(out, " %s:%llu", actor_words(world, interval->actor),
                   (unsigned long long)interval->first);
        if (interval->last > interval->first) {
            buf_printf(out, "-%llu", (unsigned long long)interval->last);
        }
    }
    if (clock->count == 0) {
        buf_printf(out, " nothing");
    }
}

static void answer_words(struct world *world, struct buf *out, const struct message *message)
{
    static const char *const words[] = {" unknown", " held", " gone"};

    if (message->statuses.size == 0 && message->versions_count == 0) {
        buf_printf(out, "the same");
        return;
    }
    buf_printf(out, "of these:");
    for (size_t i = 0; i < message->statuses.size; i++) {
        unsigned status = message->statuses.data[i];
        buf_printf(out, "%s", status < ARRAY_COUNT(words) ? words[status] : " ?");
    }
    if (message->statuses.size == 0) {
        buf_printf(out, " all held");
    }
    if (message->versions_count > 0) {
        buf_printf(out, "; besides");
        versions_words(world, out, message->versions, message->versions_count);
    }
}

static void repair_words(struct world *world, struct buf *out, const struct message *message)
{
    buf_printf(out, "repair %s:", key_words(world, message->key));
    versions_words(world, out, message->versions, message->versions_count);
    if (message->dots_count > 0) {
        buf_printf(out, "%s gone", message->versions_count > 0 ? ";" : "");
        dots_words(world, out, message->dots, message->dots_count);
    }
}

static void state_words(struct world *world, struct buf *out, const struct message *message)
{
    if (message->truncated) {
        buf_printf(out, "my log no longer reaches that far back");
        return;
    }
    buf_printf(out, "you lack");
    for (uint32_t i = 0; i < message->keys_count; i++) {
        const struct message_key *key = &message->keys[i];
        buf_printf(out, "%s %s:", i > 0 ? " |" : "", key_words(world, key->key));
        versions_words(world, out, key->versions, key->versions_count);
        if (key->residual_count > 0) {
            buf_printf(out, "; gone");
            dots_words(world, out, key->residual, key->residual_count);
        }
        if (key->versions_count + key->residual_count == 0) {
            buf_printf(out, " nothing");
        }
    }
    buf_printf(out, ", written by");
    for (uint32_t i = 0; i < message->logged_count; i++) {
        dots_words(world, out, &message->logged[i].dot, 1);
    }
    buf_printf(out, message->complete ? "; that is all" : "; there is more");
}

static const char *op_words(enum op_kind kind)
{
    static const char *const words[] = {
        [OP_GET] = "get",
        [OP_SET] = "set",
        [OP_DEL] = "del",
        [OP_CAUSAL_GET] = "causal get",
        [OP_CAUSAL_SET] = "causal set",
        [OP_CAUSAL_DEL] = "causal del",
        [OP_EXPLAIN] = "explain",
    };

    return words[kind];
}

static const char *outcome_words(enum outcome outcome)
{
    static const char *const words[] = {
        [OUTCOME_DONE] = "done",
        [OUTCOME_NO_QUORUM] = "no quorum",
        [OUTCOME_UNCERTAIN] = "uncertain",
        [OUTCOME_BUSY] = "busy",
        [OUTCOME_UNREADABLE] = "unreadable",
        [OUTCOME_TOO_MANY_SIBLINGS] = "too many siblings",
    };

    return words[outcome];
}

static const char *refuse_words(enum refuse_reason reason)
{
    switch (reason) {
    case REFUSE_NOT_OWNER:
        return "I am no owner of it";
    case REFUSE_UNREADABLE:
        return "I cannot read my copy";
    case REFUSE_BUSY:
        return "I am busy";
    }
    return "?";
}

/* Questions and answers about lists and counts. */
static void list_words(struct world *world, struct buf *out, const struct message *message)
{
    switch (message->type) {
    case MESSAGE_LIST:
        buf_printf(out, "which keys do you hold?");
        return;
    case MESSAGE_LISTED:
        buf_printf(out, "these:");
        for (uint32_t i = 0; i < message->listed_count; i++) {
            buf_printf(out, " %.*s%s", (int)message->listed[i].user.size,
                       (char *)message->listed[i].user.data,
                       message->listed[i].live ? "" : " (gone)");
        }
        return;
    case MESSAGE_COUNT:
        buf_printf(out, "how many keys are in %zu partitions?", message->partitions.size / 2);
        return;
    default:
        MAYBE(world != NULL);
        buf_printf(
            out, "so many: %llu",
            (unsigned long long)(message->counts.size >= 8 ? be64_at(message->counts.data) : 0));
    }
}

static void message_words(struct world *world, struct buf *out, const struct message *message)
{
    switch (message->type) {
    case MESSAGE_ASK:
        buf_printf(out, "what do you hold of %s%s? I hold", key_words(world, message->key),
                   message->payloads ? "" : " (no values)");
        dots_words(world, out, message->dots, message->dots_count);
        buf_printf(out, message->dots_count == 0 ? " nothing" : "");
        return;
    case MESSAGE_ANSWER:
        answer_words(world, out, message);
        return;
    case MESSAGE_DELTA:
        buf_printf(out, "write %s:", key_words(world, message->key));
        versions_words(world, out, message->versions, message->versions_count);
        if (message->dots_count > 0) {
            buf_printf(out, ", replacing");
            dots_words(world, out, message->dots, message->dots_count);
        }
        return;
    case MESSAGE_REPAIR:
        repair_words(world, out, message);
        return;
    case MESSAGE_ACKS:
        buf_printf(out, message->acks.size > 8 ? "%zu are durable here" : "it is durable here",
                   message->acks.size / 8);
        return;
    case MESSAGE_REFUSE:
        buf_printf(out, "%s", refuse_words(message->reason));
        return;
    case MESSAGE_CLOCKS:
        buf_printf(out, "durable here:");
        for (uint32_t i = 0; i < message->clocks_count; i++) {
            clock_words(world, out, &message->clocks[i].clock);
        }
        return;
    case MESSAGE_MISSING:
        buf_printf(out, "what do I lack? I have");
        clock_words(world, out, &message->clocks[0].clock);
        return;
    case MESSAGE_STATE:
        state_words(world, out, message);
        return;
    case MESSAGE_FORWARD:
        buf_printf(out, "coordinate %s %s", op_words(message->op.kind),
                   key_words(world, message->key));
        return;
    case MESSAGE_RESULT:
        buf_printf(out, "%s", outcome_words(message->result.outcome));
        if (message->result.found) {
            buf_printf(out, ", found %.*s", (int)message->result.value.size,
                       (char *)message->result.value.data);
        }
        return;
    default:
        list_words(world, out, message);
        return;
    }
}

/* Frames of the connection itself; NULL: not worth a line. */
static const char *frame_words(const struct world *world, const struct frame *frame,
                               struct arena *arena)
{
    switch (frame->type) {
    case WIRE_HELLO:
        return world->show_hello ? "hello" : NULL;
    case WIRE_PROOF:
        return world->show_hello ? "the proof that I know the secret" : NULL;
    case WIRE_REFUSED:
        return arena_printf(arena, "refused: %.*s", (int)frame->body.size,
                            (const char *)frame->body.data);
    case WIRE_FORM:
        return world->show_hello ? "the cluster id and all node ids: store them" : NULL;
    case WIRE_UNSUPPORTED:
        return "I do not know that type of message";
    default:
        return NULL; /* Pings and pongs. */
    }
}

void tell_frames(struct world *world, unsigned from, unsigned to, struct bytes bytes)
{
    const char *sender = world->nodes[from].name, *receiver = world->nodes[to].name;
    struct frame frame;
    struct message message;
    size_t used = 0;

    while (bytes.size > 0 && wire_next(bytes, FRAME_MAX, &frame, &used) == OK) {
        struct buf words;
        buf_init(&words, SIZE_MAX);
        const char *plain = frame_words(world, &frame, &world->step);
        if (plain != NULL) {
            buf_printf(&words, "%s", plain);
        } else if (wire_get_message(&frame, &world->step, &message) == OK &&
                   (message.type != MESSAGE_CLOCKS || world->show_clocks)) {
            message_words(world, &words, &message);
        }
        if (words.size > 0) {
            tell(world, "%s -> %s: %.*s", sender, receiver, (int)words.size, (char *)words.data);
        }
        buf_release(&words);
        bytes = (struct bytes){bytes.data + used, bytes.size - used};
    }
}
