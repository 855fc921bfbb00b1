/* quorum/put.c - what a coordinator writes: to its own copy first, then as a message to the others.
 */
#include "quorum/request.h"

/* A timestamp above our clock, the wall clock and everything seen (Kulkarni et al., 2014). */
static uint64_t put_timestamp(struct quorum *quorum, uint64_t seen)
{
    uint64_t wall = quorum->now.wall_ms > 0 ? (uint64_t)quorum->now.wall_ms << 16 : 0;

    if (MUTANT(low_tag)) {
        return MAX(wall, 1U);
    }
    quorum->hlc = MAX(MAX(quorum->hlc + 1, wall), seen + 1);
    return quorum->hlc;
}

static bool put_is_causal(const struct request *request)
{
    return request->op.kind == OP_CAUSAL_SET || request->op.kind == OP_CAUSAL_DEL;
}

bool put_too_many_siblings(const struct quorum *quorum, const struct request *request,
                           const struct object *object)
{
    uint32_t left = 0;
    uint64_t bytes = request->op.value.size;

    if (request->op.kind != OP_CAUSAL_SET) {
        return false; /* A delete always fits: it only ever leaves one tombstone more. */
    }
    for (uint32_t i = 0; i < object->versions_count; i++) {
        bool replaced = false;
        for (uint32_t j = 0; j < request->op.context_count; j++) {
            replaced = replaced || dot_equal(request->op.context[j].dot, object->versions[i].dot);
        }
        left += !replaced;
        bytes += replaced ? 0 : object->versions[i].payload.size;
    }
    /* All siblings of a key travel together: their values have to fit into one frame. */
    return left >= quorum->options.siblings_max ||
           (left > 0 && bytes > quorum->options.value_max_bytes);
}

/* The dots this write replaces: what the context names, or everything that anyone was seen to hold.
 */
static struct dot *put_replaced(struct request *request, const struct object *object,
                                const struct merged *merged, uint32_t *count, uint64_t *seen)
{
    uint32_t held = merged != NULL ? merged->held_count : 0;
    uint32_t room = object->versions_count + held + request->op.context_count;
    struct dot *dots = ARENA_ARRAY(&request->arena, struct dot, room + 1);
    bool causal = put_is_causal(request);

    *count = 0;
    *seen = merged != NULL && !causal ? merged->timestamp_max : 0;
    if (causal && !(MUTANT(blind_causal_swallows) && request->op.context_count == 0)) {
        for (uint32_t i = 0; i < request->op.context_count && !MUTANT(context_ignored); i++) {
            dots[(*count)++] = request->op.context[i].dot;
            *seen = MAX(*seen, request->op.context[i].timestamp);
        }
        return dots;
    }
    for (uint32_t i = 0; i < object->versions_count; i++) {
        dots[(*count)++] = object->versions[i].dot;
        *seen = MAX(*seen, object->versions[i].timestamp);
    }
    for (uint32_t i = 0; i < held; i++) {
        if (object_find(object, merged->held[i]) == NULL) {
            dots[(*count)++] = merged->held[i];
        }
    }
    return dots;
}

static struct version put_version(struct quorum *quorum, struct request *request,
                                  const struct merged *merged, uint64_t seen)
{
    struct partition *partition = &quorum->partitions[request->partition];
    bool value = request->op.kind == OP_SET || request->op.kind == OP_CAUSAL_SET;
    struct version version = {
        .dot = partition_next_dot(partition, quorum->options.actor),
        .timestamp = put_timestamp(quorum, seen),
        .kind = value ? VERSION_STRING : VERSION_TOMBSTONE,
        .flags = put_is_causal(request) ? VERSION_CAUSAL : 0,
        .expiry_ms = value ? request->op.expiry_ms : 0,
    };

    if (value) {
        version.payload = request->op.value;
        version.payload_size = request->op.value.size;
    }
    if (request->op.keep_expiry && merged != NULL) {
        const struct version *winner = merged_winner(merged, quorum->now.wall_ms);
        version.expiry_ms = winner != NULL ? winner->expiry_ms : 0;
    }
    return version;
}

/* How many live versions a causal delete takes away here. */
static uint32_t put_removed(struct quorum *quorum, const struct request *request,
                            const struct object *object)
{
    uint32_t removed = 0;

    for (uint32_t i = 0; i < request->op.context_count; i++) {
        const struct version *version = object_find(object, request->op.context[i].dot);
        removed += version != NULL && !version_is_gone(version, quorum->now.wall_ms);
    }
    return removed;
}

void put_write(struct quorum *quorum, struct request *request, const struct object *before,
               const struct merged *merged)
{
    struct partition *partition = &quorum->partitions[request->partition];
    struct object object = object_clone(before, &quorum->step);
    struct message *message = arena_alloc_zero(&request->arena, sizeof(*message));
    struct version *version = ARENA_ARRAY(&request->arena, struct version, 1);
    uint32_t replaced_count = 0;
    uint64_t seen = 0;

    struct dot *replaced = put_replaced(request, before, merged, &replaced_count, &seen);
    *version = put_version(quorum, request, merged, seen);
    request->result.removed = put_removed(quorum, request, before);
    request->result.dot = version->dot;
    request->result.timestamp = version->timestamp;

    bool fresh =
        partition_apply(partition, &object, version, replaced, replaced_count, &quorum->step);
    ASSERT(fresh);
    store_save(quorum, request->op.key, &object, before);
    store_log(quorum, request->partition, version->dot, request->op.key);
    message->type = MESSAGE_DELTA;
    message->partition = request->partition;
    message->request = request->id;
    message->key = request->op.key;
    message->versions = version;
    message->versions_count = 1;
    message->dots = replaced;
    message->dots_count = replaced_count;
    request->round = message;
}

uint64_t put_back(struct quorum *quorum, struct request *request, const struct object *before,
                  uint64_t sequence, const struct merged *merged)
{
    struct partition *partition = &quorum->partitions[request->partition];
    struct object object = object_clone(before, &quorum->step);
    struct message *message = arena_alloc_zero(&request->arena, sizeof(*message));
    uint32_t count = merged->object.versions_count;
    struct version *versions =
        arena_copy(&request->arena, merged->object.versions, count * sizeof(*versions));

    for (uint32_t i = 0; i < count; i++) {
        versions[i].payload = arena_copy_bytes(&request->arena, versions[i].payload);
        versions[i].expiry_ms = MUTANT(expiry_lost) ? 0 : versions[i].expiry_ms;
    }
    message->type = MESSAGE_REPAIR;
    message->partition = request->partition;
    message->request = request->id;
    message->key = request->op.key;
    message->versions = versions;
    message->versions_count = count;
    message->dots =
        arena_copy(&request->arena, merged->lost, merged->lost_count * sizeof(struct dot));
    message->dots_count = merged->lost_count;
    request->round = message;
    bool changed = partition_repair(partition, &object, versions, count, message->dots,
                                    message->dots_count, &quorum->step);
    if (changed) {
        hear_hlc(quorum, merged->timestamp_max);
        store_save(quorum, request->op.key, &object, before);
        return quorum->sequence;
    }
    return sequence;
}
