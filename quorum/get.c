/* quorum/get.c - the result of a read, once a round of answers has been merged. */
#include "quorum/request.h"

/* Newest first, as clients see siblings. */
static void sort_siblings(struct version *versions, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        struct version version = versions[i];
        uint32_t at = i;
        while (at > 0 && version_compare_tag(&versions[at - 1], &version) < 0) {
            versions[at] = versions[at - 1];
            at--;
        }
        versions[at] = version;
    }
}

/* All live versions, and the context: every version there is, so that a write with it replaces the
 * tombstones too. */
static void causal_result(struct quorum *quorum, struct request *request,
                          const struct merged *merged)
{
    const struct object *object = &merged->object;
    struct op_result *result = &request->result;
    struct version *siblings = ARENA_ARRAY(&request->arena, struct version, object->versions_count);
    struct seen_dot *context =
        ARENA_ARRAY(&request->arena, struct seen_dot, object->versions_count);
    uint32_t live = 0;

    for (uint32_t i = 0; i < object->versions_count; i++) {
        const struct version *version = &object->versions[i];
        context[i] = (struct seen_dot){version->dot, version->timestamp};
        if (!version_is_gone(version, quorum->now.wall_ms)) {
            siblings[live] = *version;
            siblings[live].payload = arena_copy_bytes(&request->arena, version->payload);
            live++;
        }
    }
    sort_siblings(siblings, live);
    result->siblings = siblings;
    result->siblings_count = live;
    result->context = context;
    result->context_count = object->versions_count;
}

void get_result(struct quorum *quorum, struct request *request, const struct merged *merged)
{
    struct op_result *result = &request->result;
    const struct version *top = merged_winner(merged, quorum->now.wall_ms);

    if (request->op.kind == OP_CAUSAL_GET) {
        causal_result(quorum, request, merged);
    }
    result->found = top != NULL;
    if (!result->found) {
        return;
    }
    result->expiry_ms = top->expiry_ms;
    result->timestamp = top->timestamp;
    result->dot = top->dot;
    if (request->op.kind == OP_GET || request->op.want_old) {
        result->value = arena_copy_bytes(&request->arena, top->payload);
    }
}
