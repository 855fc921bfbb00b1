#include "quorum/message.h"

#include <string.h>

static struct version *copy_versions(const struct version *from, uint32_t count,
                                     struct arena *arena)
{
    struct version *to = arena_copy(arena, from, count * sizeof(*from));

    for (uint32_t i = 0; i < count; i++) {
        to[i].payload = arena_copy_bytes(arena, from[i].payload);
    }
    return to;
}

static void copy_keys(struct message *message, struct arena *arena)
{
    struct message_key *keys =
        arena_copy(arena, message->keys, message->keys_count * sizeof(*keys));
    struct message_logged *logged =
        arena_copy(arena, message->logged, message->logged_count * sizeof(*logged));

    for (uint32_t i = 0; i < message->keys_count; i++) {
        keys[i].key = arena_copy_bytes(arena, keys[i].key);
        keys[i].versions = copy_versions(keys[i].versions, keys[i].versions_count, arena);
        keys[i].residual =
            arena_copy(arena, keys[i].residual, keys[i].residual_count * sizeof(struct dot));
    }
    for (uint32_t i = 0; i < message->logged_count; i++) {
        logged[i].key = arena_copy_bytes(arena, logged[i].key);
    }
    message->keys = keys;
    message->logged = logged;
}

static void copy_clocks(struct message *message, struct arena *arena)
{
    struct message_clock *clocks =
        arena_copy(arena, message->clocks, message->clocks_count * sizeof(*clocks));

    for (uint32_t i = 0; i < message->clocks_count; i++) {
        struct clock *clock = &clocks[i].clock;
        clock->intervals =
            arena_copy(arena, clock->intervals, clock->count * sizeof(clock->intervals[0]));
        clock->capacity = clock->count;
    }
    message->clocks = clocks;
}

static void copy_op(struct message *message, struct arena *arena)
{
    struct op *op = &message->op;
    struct op_result *result = &message->result;

    op->value = arena_copy_bytes(arena, op->value);
    op->key = message->key;
    op->context = arena_copy(arena, op->context, op->context_count * sizeof(struct seen_dot));
    result->value = arena_copy_bytes(arena, result->value);
    result->siblings = copy_versions(result->siblings, result->siblings_count, arena);
    result->context =
        arena_copy(arena, result->context, result->context_count * sizeof(struct seen_dot));
    struct owner_view *owners =
        arena_copy(arena, result->owners, result->owners_count * sizeof(*owners));
    for (uint32_t i = 0; i < result->owners_count; i++) {
        owners[i].versions = copy_versions(owners[i].versions, owners[i].versions_count, arena);
    }
    result->owners = owners;
}

static void copy_listed(struct message *message, struct arena *arena)
{
    struct message_listed *listed =
        arena_copy(arena, message->listed, message->listed_count * sizeof(*listed));

    for (uint32_t i = 0; i < message->listed_count; i++) {
        listed[i].user = arena_copy_bytes(arena, listed[i].user);
    }
    message->listed = listed;
}

struct message *message_copy(const struct message *message, struct arena *arena)
{
    struct message *copy = arena_copy(arena, message, sizeof(*message));

    copy->key = arena_copy_bytes(arena, message->key);
    copy->dots = arena_copy(arena, message->dots, message->dots_count * sizeof(struct dot));
    copy->statuses = arena_copy_bytes(arena, message->statuses);
    copy->versions = copy_versions(message->versions, message->versions_count, arena);
    copy->acks = arena_copy_bytes(arena, message->acks);
    copy->partitions = arena_copy_bytes(arena, message->partitions);
    copy->counts = arena_copy_bytes(arena, message->counts);
    copy_clocks(copy, arena);
    copy_keys(copy, arena);
    copy_op(copy, arena);
    copy_listed(copy, arena);
    return copy;
}
