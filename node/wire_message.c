/* node/wire_message.c - bodies of data messages. PROTOCOL.md lists the fields. */
#include "node/wire.h"

#include "base/pack.h"

/* Keys of a body's map. Never reused for anything else. */
enum field {
    FIELD_KEY = 1,
    FIELD_DOTS = 2,
    FIELD_PAYLOADS = 3,
    FIELD_STATUSES = 4,
    FIELD_VERSIONS = 5,
    FIELD_ACKS = 6,
    FIELD_REASON = 7,
    FIELD_CLOCKS = 8,
    FIELD_LOGGED = 9,
    FIELD_KEYS = 10,
    FIELD_COMPLETE = 11,
    FIELD_TRUNCATED = 12,
    FIELD_OP = 13,
    FIELD_RESULT = 14,
    FIELD_POSITION = 15,
    FIELD_POSITION_END = 16,
    FIELD_COUNT_MAX = 17,
    FIELD_DATABASE = 18,
    FIELD_LISTED = 19,
    FIELD_PARTITIONS = 20,
    FIELD_COUNTS = 21,
    FIELDS_END,
};

/* -- Writing. */

static void put_dots(struct buf *out, const struct dot *dots, uint32_t count)
{
    pack_array(out, count * 2);
    for (uint32_t i = 0; i < count; i++) {
        pack_u64(out, dots[i].actor);
        pack_u64(out, dots[i].counter);
    }
}

static void put_versions(struct buf *out, const struct version *versions, uint32_t count)
{
    pack_array(out, count);
    for (uint32_t i = 0; i < count; i++) {
        const struct version *version = &versions[i];
        pack_array(out, 9);
        pack_u64(out, version->dot.actor);
        pack_u64(out, version->dot.counter);
        pack_u64(out, version->timestamp);
        pack_i64(out, version->expiry_ms);
        pack_u64(out, version->kind);
        pack_u64(out, version->flags);
        pack_bool(out, version->payload_absent);
        pack_u64(out, version->payload_size);
        pack_bin(out, version->payload);
    }
}

static void put_clocks(struct buf *out, const struct message *message)
{
    struct buf encoded;

    buf_init(&encoded, SIZE_MAX);
    pack_array(out, message->clocks_count * 2);
    for (uint32_t i = 0; i < message->clocks_count; i++) {
        buf_clear(&encoded);
        clock_encode(&message->clocks[i].clock, &encoded);
        pack_u64(out, message->clocks[i].partition);
        pack_bin(out, buf_bytes(&encoded));
    }
    buf_release(&encoded);
}

static void put_context(struct buf *out, const struct seen_dot *context, uint32_t count)
{
    pack_array(out, count * 3);
    for (uint32_t i = 0; i < count; i++) {
        pack_u64(out, context[i].dot.actor);
        pack_u64(out, context[i].dot.counter);
        pack_u64(out, context[i].timestamp);
    }
}

static void put_op(struct buf *out, const struct op *op)
{
    pack_array(out, 10);
    pack_u64(out, op->kind);
    pack_bool(out, op->one_round);
    pack_bool(out, op->keep_expiry);
    pack_bool(out, op->want_old);
    pack_u64(out, op->r);
    pack_u64(out, op->w);
    pack_u64(out, op->timeout_ms);
    pack_i64(out, op->expiry_ms);
    pack_bin(out, op->value);
    put_context(out, op->context, op->context_count);
}

static void put_result(struct buf *out, const struct op_result *result)
{
    pack_array(out, 14);
    pack_u64(out, result->outcome);
    pack_bool(out, result->found);
    pack_u64(out, result->needed);
    pack_u64(out, result->got);
    pack_u64(out, result->waited_ms);
    pack_u64(out, result->removed);
    pack_i64(out, result->expiry_ms);
    pack_u64(out, result->timestamp);
    pack_u64(out, result->dot.actor);
    pack_u64(out, result->dot.counter);
    pack_bin(out, result->value);
    put_versions(out, result->siblings, result->siblings_count);
    put_context(out, result->context, result->context_count);
    pack_array(out, result->owners_count);
    for (uint32_t i = 0; i < result->owners_count; i++) {
        const struct owner_view *owner = &result->owners[i];
        pack_array(out, 5);
        pack_u64(out, owner->member);
        pack_bool(out, owner->live);
        pack_bool(out, owner->answered);
        pack_bool(out, owner->unreadable);
        put_versions(out, owner->versions, owner->versions_count);
    }
}

static void put_logged(struct buf *out, const struct message *message)
{
    pack_array(out, message->logged_count * 3);
    for (uint32_t i = 0; i < message->logged_count; i++) {
        pack_u64(out, message->logged[i].dot.actor);
        pack_u64(out, message->logged[i].dot.counter);
        pack_bin(out, message->logged[i].key);
    }
}

static void put_keys(struct buf *out, const struct message *message)
{
    pack_array(out, message->keys_count * 3);
    for (uint32_t i = 0; i < message->keys_count; i++) {
        const struct message_key *key = &message->keys[i];
        pack_bin(out, key->key);
        put_versions(out, key->versions, key->versions_count);
        put_dots(out, key->residual, key->residual_count);
    }
}

static void put_listed(struct buf *out, const struct message *message)
{
    pack_array(out, message->listed_count * 3);
    for (uint32_t i = 0; i < message->listed_count; i++) {
        pack_bin(out, message->listed[i].user);
        pack_u64(out, message->listed[i].position);
        pack_bool(out, message->listed[i].live);
    }
}

/* Bit i: field i is written. What is empty or zero is left out and means just that. */
static uint32_t fields_of(const struct message *message)
{
    uint32_t fields = 0;

    fields |= (uint32_t)(message->key.size > 0) << FIELD_KEY;
    fields |= (uint32_t)(message->dots_count > 0) << FIELD_DOTS;
    fields |= (uint32_t)message->payloads << FIELD_PAYLOADS;
    fields |= (uint32_t)(message->statuses.size > 0) << FIELD_STATUSES;
    fields |= (uint32_t)(message->versions_count > 0) << FIELD_VERSIONS;
    fields |= (uint32_t)(message->acks.size > 0) << FIELD_ACKS;
    fields |= (uint32_t)(message->reason != 0) << FIELD_REASON;
    fields |= (uint32_t)(message->clocks_count > 0) << FIELD_CLOCKS;
    fields |= (uint32_t)(message->logged_count > 0) << FIELD_LOGGED;
    fields |= (uint32_t)(message->keys_count > 0) << FIELD_KEYS;
    fields |= (uint32_t)message->complete << FIELD_COMPLETE;
    fields |= (uint32_t)message->truncated << FIELD_TRUNCATED;
    fields |= (uint32_t)(message->type == MESSAGE_FORWARD) << FIELD_OP;
    fields |= (uint32_t)(message->type == MESSAGE_RESULT) << FIELD_RESULT;
    fields |= (uint32_t)(message->position > 0) << FIELD_POSITION;
    fields |= (uint32_t)(message->position_end > 0) << FIELD_POSITION_END;
    fields |= (uint32_t)(message->count_max > 0) << FIELD_COUNT_MAX;
    fields |= (uint32_t)(message->database > 0) << FIELD_DATABASE;
    fields |= (uint32_t)(message->listed_count > 0) << FIELD_LISTED;
    fields |= (uint32_t)(message->partitions.size > 0) << FIELD_PARTITIONS;
    fields |= (uint32_t)(message->counts.size > 0) << FIELD_COUNTS;
    return fields;
}

static void put_field(struct buf *out, const struct message *message, enum field field)
{
    switch (field) {
    case FIELD_KEY:
        pack_bin(out, message->key);
        return;
    case FIELD_DOTS:
        put_dots(out, message->dots, message->dots_count);
        return;
    case FIELD_PAYLOADS:
        pack_bool(out, message->payloads);
        return;
    case FIELD_STATUSES:
        pack_bin(out, message->statuses);
        return;
    case FIELD_VERSIONS:
        put_versions(out, message->versions, message->versions_count);
        return;
    case FIELD_ACKS:
        pack_bin(out, message->acks);
        return;
    case FIELD_REASON:
        pack_u64(out, message->reason);
        return;
    case FIELD_CLOCKS:
        put_clocks(out, message);
        return;
    case FIELD_LOGGED:
        put_logged(out, message);
        return;
    case FIELD_KEYS:
        put_keys(out, message);
        return;
    case FIELD_COMPLETE:
        pack_bool(out, message->complete);
        return;
    case FIELD_TRUNCATED:
        pack_bool(out, message->truncated);
        return;
    case FIELD_OP:
        put_op(out, &message->op);
        return;
    case FIELD_RESULT:
        put_result(out, &message->result);
        return;
    case FIELD_POSITION:
        pack_u64(out, message->position);
        return;
    case FIELD_POSITION_END:
        pack_u64(out, message->position_end);
        return;
    case FIELD_COUNT_MAX:
        pack_u64(out, message->count_max);
        return;
    case FIELD_DATABASE:
        pack_u64(out, message->database);
        return;
    case FIELD_LISTED:
        put_listed(out, message);
        return;
    case FIELD_PARTITIONS:
        pack_bin(out, message->partitions);
        return;
    case FIELD_COUNTS:
        pack_bin(out, message->counts);
        return;
    case FIELDS_END:
        return;
    }
}

void wire_put_message(struct buf *out, const struct message *message)
{
    uint32_t fields = fields_of(message);
    struct frame frame = {
        .type = (uint8_t)message->type,
        .request = message->request,
        .partition = message->partition,
        .epoch = message->epoch,
        .hlc = message->hlc,
    };

    size_t start = wire_begin(out, &frame);
    pack_map(out, (uint32_t)__builtin_popcount(fields));
    while (fields != 0) {
        enum field field = (enum field)__builtin_ctz(fields);
        fields &= fields - 1;
        pack_u64(out, field);
        put_field(out, message, field);
    }
    wire_end(out, start);
}

/* -- Reading. Every array is checked for its shape; a wrong one fails the whole message. */

static struct dot get_dot(struct unpack *in)
{
    struct dot dot = {unpack_u64(in), 0};

    dot.counter = unpack_u64(in);
    in->failed = in->failed || dot.counter == 0 || dot.counter == UINT64_MAX;
    return dot;
}

/* The number of groups of `width` items in the array that begins here. */
static uint32_t get_groups(struct unpack *in, uint32_t width)
{
    uint32_t items = unpack_array(in);

    in->failed = in->failed || items % width != 0;
    return in->failed ? 0 : items / width;
}

static const struct dot *get_dots(struct unpack *in, struct arena *arena, uint32_t *count)
{
    *count = get_groups(in, 2);
    struct dot *dots = ARENA_ARRAY(arena, struct dot, *count);
    for (uint32_t i = 0; i < *count; i++) {
        dots[i] = get_dot(in);
    }
    return dots;
}

static const struct version *get_versions(struct unpack *in, struct arena *arena, uint32_t *count)
{
    *count = unpack_array(in);
    struct version *versions = ARENA_ARRAY(arena, struct version, *count);
    for (uint32_t i = 0; i < *count && !in->failed; i++) {
        struct version *version = &versions[i];
        in->failed = unpack_array(in) != 9 || in->failed;
        version->dot = get_dot(in);
        version->timestamp = unpack_u64(in);
        version->expiry_ms = unpack_i64(in);
        uint64_t kind = unpack_u64(in), flags = unpack_u64(in);
        version->kind = (uint8_t)kind;
        version->flags = (uint8_t)flags;
        version->payload_absent = unpack_bool(in);
        version->payload_size = unpack_u64(in);
        version->payload = unpack_bin(in);
        bool fits = version->payload_absent ? version->payload.size == 0
                                            : version->payload.size == version->payload_size;
        in->failed = in->failed || kind > VERSION_STRING || flags > VERSION_CAUSAL || !fits;
    }
    return versions;
}

static void get_clocks(struct unpack *in, struct arena *arena, struct message *message)
{
    uint32_t count = get_groups(in, 2);
    struct message_clock *clocks = ARENA_ARRAY(arena, struct message_clock, count);

    for (uint32_t i = 0; i < count && !in->failed; i++) {
        uint64_t partition = unpack_u64(in);
        struct reader reader = reader_of(unpack_bin(in));
        struct clock clock;
        clock_init(&clock);
        bool bad = partition > UINT16_MAX ||
                   clock_decode(&clock, &reader, WIRE_CLOCK_INTERVALS_MAX) != OK ||
                   !reader_done(&reader);
        clocks[i].partition = (uint16_t)partition;
        clocks[i].clock = (struct clock){
            .intervals =
                arena_copy(arena, clock.intervals, clock.count * sizeof(clock.intervals[0])),
            .count = clock.count,
            .capacity = clock.count,
        };
        clock_release(&clock);
        in->failed = in->failed || bad;
    }
    message->clocks = clocks;
    message->clocks_count = count;
}

static const struct seen_dot *get_context(struct unpack *in, struct arena *arena, uint32_t *count)
{
    *count = get_groups(in, 3);
    struct seen_dot *context = ARENA_ARRAY(arena, struct seen_dot, *count);
    for (uint32_t i = 0; i < *count; i++) {
        context[i].dot = get_dot(in);
        context[i].timestamp = unpack_u64(in);
    }
    return context;
}

static void get_op(struct unpack *in, struct arena *arena, struct op *op)
{
    in->failed = unpack_array(in) != 10 || in->failed;
    uint64_t kind = unpack_u64(in);
    op->kind = (enum op_kind)kind;
    op->one_round = unpack_bool(in);
    op->keep_expiry = unpack_bool(in);
    op->want_old = unpack_bool(in);
    uint64_t r = unpack_u64(in), w = unpack_u64(in), timeout_ms = unpack_u64(in);
    op->r = (uint8_t)r;
    op->w = (uint8_t)w;
    op->timeout_ms = (uint32_t)timeout_ms;
    op->expiry_ms = unpack_i64(in);
    op->value = unpack_bin(in);
    op->context = get_context(in, arena, &op->context_count);
    in->failed = in->failed || kind > OP_EXPLAIN || r > QUORUM_OWNERS_MAX ||
                 w > QUORUM_OWNERS_MAX || timeout_ms > 3600 * 1000;
}

static void get_owners(struct unpack *in, struct arena *arena, struct op_result *result)
{
    uint32_t count = unpack_array(in);
    struct owner_view *owners = ARENA_ARRAY(arena, struct owner_view, count);

    for (uint32_t i = 0; i < count && !in->failed; i++) {
        in->failed = unpack_array(in) != 5 || in->failed;
        uint64_t member = unpack_u64(in);
        owners[i].member = (uint16_t)member;
        owners[i].live = unpack_bool(in);
        owners[i].answered = unpack_bool(in);
        owners[i].unreadable = unpack_bool(in);
        owners[i].versions = get_versions(in, arena, &owners[i].versions_count);
        in->failed = in->failed || member > UINT16_MAX;
    }
    result->owners = owners;
    result->owners_count = count;
}

static void get_result(struct unpack *in, struct arena *arena, struct op_result *result)
{
    in->failed = unpack_array(in) != 14 || in->failed;
    uint64_t outcome = unpack_u64(in);
    result->outcome = (enum outcome)outcome;
    result->found = unpack_bool(in);
    result->needed = (uint8_t)unpack_u64(in);
    result->got = (uint8_t)unpack_u64(in);
    result->waited_ms = (uint32_t)unpack_u64(in);
    result->removed = (uint32_t)unpack_u64(in);
    result->expiry_ms = unpack_i64(in);
    result->timestamp = unpack_u64(in);
    result->dot.actor = unpack_u64(in);
    result->dot.counter = unpack_u64(in);
    result->value = unpack_bin(in);
    result->siblings = get_versions(in, arena, &result->siblings_count);
    result->context = get_context(in, arena, &result->context_count);
    get_owners(in, arena, result);
    in->failed = in->failed || outcome > OUTCOME_TOO_MANY_SIBLINGS;
}

/* A stored key that its slot and hash fit. */
static struct bytes get_key(struct unpack *in)
{
    struct bytes key = unpack_bin(in);
    struct key_parts parts;

    in->failed = in->failed || key_decode(key, &parts) != OK;
    return key;
}

static void get_logged(struct unpack *in, struct arena *arena, struct message *message)
{
    uint32_t count = get_groups(in, 3);
    struct message_logged *logged = ARENA_ARRAY(arena, struct message_logged, count);

    for (uint32_t i = 0; i < count && !in->failed; i++) {
        logged[i].dot = get_dot(in);
        logged[i].key = get_key(in);
    }
    message->logged = logged;
    message->logged_count = count;
}

static void get_keys(struct unpack *in, struct arena *arena, struct message *message)
{
    uint32_t count = get_groups(in, 3);
    struct message_key *keys = ARENA_ARRAY(arena, struct message_key, count);

    for (uint32_t i = 0; i < count && !in->failed; i++) {
        keys[i].key = get_key(in);
        keys[i].versions = get_versions(in, arena, &keys[i].versions_count);
        keys[i].residual = get_dots(in, arena, &keys[i].residual_count);
    }
    message->keys = keys;
    message->keys_count = count;
}

static void get_listed(struct unpack *in, struct arena *arena, struct message *message)
{
    uint32_t count = get_groups(in, 3);
    struct message_listed *listed = ARENA_ARRAY(arena, struct message_listed, count);

    for (uint32_t i = 0; i < count && !in->failed; i++) {
        listed[i].user = unpack_bin(in);
        listed[i].position = unpack_u64(in);
        listed[i].live = unpack_bool(in);
        in->failed = in->failed || listed[i].user.size > KEY_USER_MAX;
    }
    message->listed = listed;
    message->listed_count = count;
}

static void get_field(struct unpack *in, struct arena *arena, struct message *message,
                      uint64_t field)
{
    switch (field) {
    case FIELD_KEY:
        message->key = get_key(in);
        return;
    case FIELD_DOTS:
        message->dots = get_dots(in, arena, &message->dots_count);
        return;
    case FIELD_PAYLOADS:
        message->payloads = unpack_bool(in);
        return;
    case FIELD_STATUSES:
        message->statuses = unpack_bin(in);
        return;
    case FIELD_VERSIONS:
        message->versions = get_versions(in, arena, &message->versions_count);
        return;
    case FIELD_ACKS:
        message->acks = unpack_bin(in);
        return;
    case FIELD_REASON:
        message->reason = (enum refuse_reason)(unpack_u64(in) & 0xff);
        return;
    case FIELD_CLOCKS:
        get_clocks(in, arena, message);
        return;
    case FIELD_LOGGED:
        get_logged(in, arena, message);
        return;
    case FIELD_KEYS:
        get_keys(in, arena, message);
        return;
    case FIELD_COMPLETE:
        message->complete = unpack_bool(in);
        return;
    case FIELD_TRUNCATED:
        message->truncated = unpack_bool(in);
        return;
    case FIELD_OP:
        get_op(in, arena, &message->op);
        return;
    case FIELD_RESULT:
        get_result(in, arena, &message->result);
        return;
    case FIELD_POSITION:
        message->position = unpack_u64(in);
        return;
    case FIELD_POSITION_END:
        message->position_end = unpack_u64(in);
        return;
    case FIELD_COUNT_MAX:
        message->count_max = (uint32_t)(unpack_u64(in) & 0xffffff);
        return;
    case FIELD_DATABASE:
        message->database = (uint8_t)(unpack_u64(in) & 0xf);
        return;
    case FIELD_LISTED:
        get_listed(in, arena, message);
        return;
    case FIELD_PARTITIONS:
        message->partitions = unpack_bin(in);
        return;
    case FIELD_COUNTS:
        message->counts = unpack_bin(in);
        return;
    default:
        unpack_skip(in);
        return; /* A newer version's field. */
    }
}

/* What every message of a type must have, so that nothing behind has to look. */
static bool message_is_whole(const struct message *message)
{
    bool keyed = message->key.size > 0;
    bool payloads = true;

    for (uint32_t i = 0; i < message->versions_count; i++) {
        payloads = payloads && !message->versions[i].payload_absent;
    }
    switch (message->type) {
    case MESSAGE_ASK:
    case MESSAGE_FORWARD:
        return keyed;
    case MESSAGE_RESULT:
        return keyed;
    case MESSAGE_DELTA:
        return keyed && message->versions_count == 1 && payloads;
    case MESSAGE_REPAIR:
        return keyed && payloads;
    case MESSAGE_STATE:
        for (uint32_t i = 0; i < message->keys_count; i++) {
            for (uint32_t j = 0; j < message->keys[i].versions_count; j++) {
                payloads = payloads && !message->keys[i].versions[j].payload_absent;
            }
        }
        return payloads && message->clocks_count == 1;
    case MESSAGE_MISSING:
        return message->clocks_count == 1;
    default:
        return true;
    }
}

enum err wire_get_message(const struct frame *frame, struct arena *arena, struct message *message)
{
    if (frame->type < MESSAGE_ASK || frame->type >= MESSAGE_END) {
        return ERR_UNSUPPORTED;
    }
    *message = (struct message){
        .type = (enum message_type)frame->type,
        .partition = frame->partition,
        .request = frame->request,
        .epoch = frame->epoch,
        .hlc = frame->hlc,
    };
    struct unpack in = unpack_of(frame->body, arena);
    uint32_t fields = unpack_map(&in);
    for (uint32_t i = 0; i < fields && !in.failed; i++) {
        uint64_t field = unpack_u64(&in);
        get_field(&in, arena, message, field);
    }
    if (!unpack_done(&in) || !message_is_whole(message)) {
        return ERR_MALFORMED;
    }
    return OK;
}
