/* quorum/ask.c - round one: what do R owners hold of this key? */
#include "quorum/request.h"

/* A write that shows nothing of the old value needs dots and timestamps only. */
static bool request_wants_payloads(const struct request *request)
{
    bool set = request->op.kind == OP_SET && !request->op.want_old;

    return !set && request->op.kind != OP_DEL && request->op.kind != OP_EXPLAIN;
}

void request_ask(struct quorum *quorum, struct request *request, unsigned owner)
{
    struct answer *answer = &request->answers[owner];
    struct message message = {
        .type = MESSAGE_ASK,
        .partition = request->partition,
        .request = request->id,
        .key = request->op.key,
        .dots = request->mine,
        .dots_count = request->mine_count,
        .payloads = request_wants_payloads(request),
    };

    ASSERT(owner != request->self);
    *answer = (struct answer){.asked = request->mine, .asked_count = request->mine_count};
    request->asked |= 1U << owner;
    request->answered &= ~(1U << owner);
    send_message(quorum, request->owners[owner], &message);
}

/* Ask others until `wanted` of them have been asked, beginning at a random one so that load
 * spreads. Return how many are asked and have not failed. */
unsigned request_ask_more(struct quorum *quorum, struct request *request, unsigned wanted)
{
    uint32_t live = request_live(quorum, request);
    uint32_t open = (request->asked & ~request->failed & live) | request->answered;
    unsigned start = (unsigned)prng_below(&quorum->prng, request->owners_count);

    for (unsigned i = 0; i < request->owners_count && owner_bits(open) < wanted; i++) {
        unsigned owner = (start + i) % request->owners_count;
        uint32_t bit = 1U << owner;
        if ((bit & (open | request->failed | request_self_bit(request))) == 0 &&
            (bit & live) != 0) {
            request_ask(quorum, request, owner);
            open |= bit;
        }
    }
    return owner_bits(open);
}

/* Remember what we hold, as the dots that the question carries. */
static void request_note_mine(struct request *request, const struct object *object)
{
    request->mine = ARENA_ARRAY(&request->arena, struct dot, object->versions_count);
    request->mine_count = object->versions_count;
    for (uint32_t i = 0; i < object->versions_count; i++) {
        request->mine[i] = object->versions[i].dot;
    }
}

void request_round_one(struct quorum *quorum, struct request *request, const struct object *object,
                       uint64_t sequence)
{
    unsigned others = request->op.kind == OP_EXPLAIN ? request->owners_count - 1U : request->r - 1U;

    request_note_mine(request, object);
    if (others == 0) {
        request_decide(quorum, request, object, sequence);
        return;
    }
    request->state = REQUEST_ASKING;
    unsigned asked = request_ask_more(quorum, request, others);
    if (asked < others && request->op.kind != OP_EXPLAIN) {
        request_fail(quorum, request, OUTCOME_NO_QUORUM, request->r, asked + 1);
        return;
    }
    if (asked == 0) { /* EXPLAIN with nobody else there. */
        request_decide(quorum, request, object, sequence);
        return;
    }
    if (asked + 1 < request->owners_count) {
        request_arm(quorum, request, quorum->now.ns + (uint64_t)quorum->options.hedge_ms * 1000000);
    }
}

unsigned request_answers_wanted(const struct quorum *quorum, const struct request *request)
{
    if (request->op.kind == OP_EXPLAIN) {
        uint32_t open = request->asked & ~request->failed & request_live(quorum, request);
        return owner_bits(open | request->answered);
    }
    return request->r - 1U;
}

/* Keep what was told: an owner that is asked again does not repeat the versions named in the
 * question, and the one that first told of them may be gone by then. */
static void request_learn(struct request *request, const struct version *versions, uint32_t count)
{
    struct version *known =
        ARENA_ARRAY(&request->arena, struct version, request->known_count + count);

    for (uint32_t i = 0; i < request->known_count; i++) {
        known[i] = request->known[i];
    }
    for (uint32_t i = 0; i < count; i++) {
        known[request->known_count + i] = versions[i];
    }
    if (count > 0) {
        request->known = known;
        request->known_count += count;
    }
}

void request_on_answer(struct quorum *quorum, uint16_t from, const struct message *message)
{
    struct request *request = request_find(quorum, message->request);
    int owner = owner_index(quorum, message->partition, from);

    if (request == NULL || request->partition != message->partition || owner < 0 ||
        (request->state != REQUEST_ASKING && request->state != REQUEST_DECIDING)) {
        return;
    }
    uint32_t bit = 1U << owner;
    struct answer *answer = &request->answers[owner];
    bool payloads = request_wants_payloads(request);
    bool fits = message->statuses.size == 0 || message->statuses.size == answer->asked_count;
    for (uint32_t i = 0; i < message->versions_count; i++) {
        fits = fits && !(payloads && message->versions[i].payload_absent);
    }
    if ((request->asked & bit) == 0 || (request->answered & bit) != 0 || !fits) {
        return;
    }
    struct version *versions =
        arena_copy(&request->arena, message->versions, message->versions_count * sizeof(*versions));
    for (uint32_t i = 0; i < message->versions_count; i++) {
        versions[i].payload = arena_copy_bytes(&request->arena, versions[i].payload);
        hear_hlc(quorum, versions[i].timestamp);
    }
    request_learn(request, versions, message->versions_count);
    answer->answered = true;
    answer->statuses = arena_copy_bytes(&request->arena, message->statuses);
    answer->versions = versions;
    answer->versions_count = message->versions_count;
    request->answered |= bit;
    /* While our own record is being read the answer is kept: there is nothing to start. */
    if (request->state == REQUEST_ASKING &&
        owner_bits(request->answered) >= request_answers_wanted(quorum, request)) {
        request_load(quorum, request, REQUEST_DECIDING);
    }
}

/* An owner will not answer: ask another, or fail when none is left. */
void request_owner_failed(struct quorum *quorum, struct request *request, unsigned owner,
                          enum outcome outcome)
{
    request->failed |= 1U << owner;
    if (request->state != REQUEST_ASKING) {
        return;
    }
    unsigned wanted = request_answers_wanted(quorum, request);
    if (request->op.kind != OP_EXPLAIN && request_ask_more(quorum, request, wanted) < wanted) {
        request_fail(quorum, request, outcome, request->r, owner_bits(request->answered) + 1);
    } else if (owner_bits(request->answered) >= wanted) {
        request_load(quorum, request, REQUEST_DECIDING);
    }
}

void request_on_refuse(struct quorum *quorum, uint16_t from, const struct message *message)
{
    struct request *request = request_find(quorum, message->request);
    int owner = owner_index(quorum, message->partition, from);

    if (request == NULL || request->partition != message->partition || owner < 0 ||
        (request->asked >> owner & 1) == 0 || (request->answered >> owner & 1) != 0) {
        return;
    }
    request_owner_failed(quorum, request, (unsigned)owner,
                         message->reason == REFUSE_UNREADABLE ? OUTCOME_UNREADABLE
                                                              : OUTCOME_NO_QUORUM);
}
