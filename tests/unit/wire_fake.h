/* tests/unit/wire_fake.h - messages of members with every field that their type could have. */
#pragma once

#include "base/prng.h"
#include "quorum/key.h"
#include "quorum/message.h"

struct maker {
    struct prng prng;
    struct arena *arena;
};

static inline uint32_t some(struct maker *maker)
{
    return (uint32_t)prng_below(&maker->prng, 4);
}

static inline uint64_t number(struct maker *maker)
{
    return prng_next(&maker->prng) >> prng_below(&maker->prng, 64);
}

static inline struct bytes some_bytes(struct maker *maker, size_t size)
{
    uint8_t *data = arena_alloc(maker->arena, size);

    for (size_t i = 0; i < size; i++) {
        data[i] = (uint8_t)prng_next(&maker->prng);
    }
    return (struct bytes){data, size};
}

static inline struct bytes some_key(struct maker *maker)
{
    return key_encode(maker->arena, (uint8_t)(number(maker) % 16),
                      some_bytes(maker, prng_below(&maker->prng, 40)));
}

static inline struct dot some_dot(struct maker *maker)
{
    return (struct dot){number(maker), 1 + number(maker) / 2};
}

static inline struct dot *some_dots(struct maker *maker, uint32_t *count)
{
    *count = some(maker);
    struct dot *dots = ARENA_ARRAY(maker->arena, struct dot, *count);
    for (uint32_t i = 0; i < *count; i++) {
        dots[i] = some_dot(maker);
    }
    return dots;
}

/* `absent`: some have no payload, only its size. */
static inline struct version *some_versions(struct maker *maker, uint32_t count, bool absent)
{
    struct version *versions = ARENA_ARRAY(maker->arena, struct version, count);

    for (uint32_t i = 0; i < count; i++) {
        versions[i] = (struct version){
            .dot = some_dot(maker),
            .timestamp = number(maker),
            .expiry_ms = (int64_t)number(maker) - 1000,
            .kind = (uint8_t)prng_below(&maker->prng, 2),
            .flags = (uint8_t)prng_below(&maker->prng, 2),
            .payload_absent = absent && prng_chance(&maker->prng, 2),
            .payload_size = prng_below(&maker->prng, 300),
        };
        if (!versions[i].payload_absent) {
            versions[i].payload = some_bytes(maker, (size_t)versions[i].payload_size);
        }
    }
    return versions;
}

static inline struct seen_dot *some_context(struct maker *maker, uint32_t *count)
{
    *count = some(maker);
    struct seen_dot *context = ARENA_ARRAY(maker->arena, struct seen_dot, *count);
    for (uint32_t i = 0; i < *count; i++) {
        context[i] = (struct seen_dot){some_dot(maker), number(maker)};
    }
    return context;
}

static inline struct clock some_clock(struct maker *maker)
{
    struct clock clock, copy;

    clock_init(&clock);
    for (uint32_t i = some(maker) * 5; i > 0; i--) {
        uint64_t first = 1 + prng_below(&maker->prng, 100);
        clock_add_interval(&clock, (struct clock_interval){1 + some(maker), first,
                                                           first + prng_below(&maker->prng, 9)});
    }
    copy = clock;
    copy.intervals =
        arena_copy(maker->arena, clock.intervals, clock.count * sizeof(clock.intervals[0]));
    clock_release(&clock);
    return copy;
}

static inline struct op some_op(struct maker *maker)
{
    struct op op = {
        .kind = (enum op_kind)prng_below(&maker->prng, OP_EXPLAIN + 1),
        .one_round = prng_chance(&maker->prng, 2),
        .keep_expiry = prng_chance(&maker->prng, 2),
        .want_old = prng_chance(&maker->prng, 2),
        .r = (uint8_t)prng_below(&maker->prng, QUORUM_OWNERS_MAX + 1),
        .w = (uint8_t)prng_below(&maker->prng, QUORUM_OWNERS_MAX + 1),
        .timeout_ms = (uint32_t)prng_below(&maker->prng, 60001),
        .expiry_ms = (int64_t)number(maker) - 1000,
        .value = some_bytes(maker, prng_below(&maker->prng, 300)),
    };

    op.context = some_context(maker, &op.context_count);
    return op;
}

static inline struct op_result some_result(struct maker *maker)
{
    struct op_result result = {
        .outcome = (enum outcome)prng_below(&maker->prng, OUTCOME_TOO_MANY_SIBLINGS + 1),
        .found = prng_chance(&maker->prng, 2),
        .needed = (uint8_t)some(maker),
        .got = (uint8_t)some(maker),
        .waited_ms = (uint32_t)prng_below(&maker->prng, 60001),
        .removed = some(maker),
        .expiry_ms = (int64_t)number(maker) - 1000,
        .timestamp = number(maker),
        .dot = {number(maker), number(maker)},
        .value = some_bytes(maker, prng_below(&maker->prng, 300)),
        .siblings_count = some(maker),
        .owners_count = some(maker),
    };

    result.siblings = some_versions(maker, result.siblings_count, false);
    result.context = some_context(maker, &result.context_count);
    struct owner_view *owners = ARENA_ARRAY(maker->arena, struct owner_view, result.owners_count);
    for (uint32_t i = 0; i < result.owners_count; i++) {
        owners[i] = (struct owner_view){.member = (uint16_t)number(maker),
                                        .live = prng_chance(&maker->prng, 2),
                                        .answered = prng_chance(&maker->prng, 2),
                                        .unreadable = prng_chance(&maker->prng, 2),
                                        .versions_count = some(maker)};
        owners[i].versions = some_versions(maker, owners[i].versions_count, true);
    }
    result.owners = owners;
    return result;
}

static inline void fill_state(struct maker *maker, struct message *message)
{
    bool one = message->type == MESSAGE_MISSING || message->type == MESSAGE_STATE;
    uint32_t count = one ? 1 : some(maker);
    struct message_clock *clocks = ARENA_ARRAY(maker->arena, struct message_clock, count);
    for (uint32_t i = 0; i < count; i++) {
        clocks[i] = (struct message_clock){(uint16_t)number(maker), some_clock(maker)};
    }
    message->clocks = clocks;
    message->clocks_count = count;

    message->logged_count = some(maker);
    struct message_logged *logged =
        ARENA_ARRAY(maker->arena, struct message_logged, message->logged_count);
    for (uint32_t i = 0; i < message->logged_count; i++) {
        logged[i] = (struct message_logged){some_dot(maker), some_key(maker)};
    }
    message->logged = logged;

    message->keys_count = some(maker);
    struct message_key *keys = ARENA_ARRAY(maker->arena, struct message_key, message->keys_count);
    for (uint32_t i = 0; i < message->keys_count; i++) {
        keys[i] = (struct message_key){.key = some_key(maker), .versions_count = some(maker)};
        keys[i].versions = some_versions(maker, keys[i].versions_count, false);
        keys[i].residual = some_dots(maker, &keys[i].residual_count);
    }
    message->keys = keys;
}

static inline struct message some_message(struct maker *maker, enum message_type type)
{
    bool absent = type == MESSAGE_ANSWER;
    struct message message = {
        .type = type,
        .partition = (uint16_t)number(maker),
        .request = number(maker),
        .epoch = number(maker),
        .hlc = number(maker),
        .key = some_key(maker),
        .payloads = prng_chance(&maker->prng, 2),
        .statuses = some_bytes(maker, some(maker)),
        .versions_count = type == MESSAGE_DELTA ? 1 : some(maker),
        .acks = some_bytes(maker, 8 * some(maker)),
        .reason = (enum refuse_reason)some(maker),
        .complete = prng_chance(&maker->prng, 2),
        .truncated = prng_chance(&maker->prng, 2),
        .position = number(maker),
        .position_end = number(maker),
        .count_max = (uint32_t)prng_below(&maker->prng, 1 << 24),
        .database = (uint8_t)prng_below(&maker->prng, 16),
        .listed_count = some(maker),
        .partitions = some_bytes(maker, 2 * some(maker)),
        .counts = some_bytes(maker, 16 * some(maker)),
    };

    message.dots = some_dots(maker, &message.dots_count);
    message.versions = some_versions(maker, message.versions_count, absent);
    fill_state(maker, &message);
    if (type == MESSAGE_FORWARD) {
        message.op = some_op(maker);
    } else if (type == MESSAGE_RESULT) {
        message.result = some_result(maker);
    }
    struct message_listed *listed =
        ARENA_ARRAY(maker->arena, struct message_listed, message.listed_count);
    for (uint32_t i = 0; i < message.listed_count; i++) {
        listed[i] = (struct message_listed){some_bytes(maker, prng_below(&maker->prng, 50)),
                                            number(maker), prng_chance(&maker->prng, 2)};
    }
    message.listed = listed;
    return message;
}
