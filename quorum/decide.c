/* quorum/decide.c - between the rounds, what the answers mean; and round two, W durable acks. */
#include "quorum/request.h"

static void request_progress(struct quorum *quorum, struct request *request);

/* One round: only our own copy says what was there before. */
static void request_write_blind(struct quorum *quorum, struct request *request,
                                const struct object *object)
{
    bool causal = request->op.kind == OP_CAUSAL_SET || request->op.kind == OP_CAUSAL_DEL;
    struct merged merged;

    if (causal) {
        put_write(quorum, request, object, NULL);
    } else {
        merge_answers(object, &quorum->partitions[request->partition].clock, NULL, 0, &quorum->step,
                      &merged);
        get_result(quorum, request, &merged);
        put_write(quorum, request, object, &merged);
    }
    request_progress(quorum, request);
}

void request_on_loaded(struct quorum *quorum, uint64_t id, enum err err,
                       const struct object *object, uint64_t sequence)
{
    struct request *request = request_find(quorum, id);

    if (request == NULL) {
        return; /* Its deadline has passed meanwhile. */
    }
    if (err != OK) {
        /* Our own copy is damaged. Nothing has been written: another owner can do better. */
        bool others = owner_bits(request_live(quorum, request)) > 1;
        if (request->from == QUORUM_MEMBER_NONE && others) {
            request_forward(quorum, request);
        } else {
            request_fail(quorum, request, OUTCOME_UNREADABLE, request->r, 0);
        }
        return;
    }
    bool one_round = request_op_is_write(request->op.kind) && !request_two_rounds(request);
    if (request->state == REQUEST_DECIDING) {
        request_decide(quorum, request, object, sequence);
    } else if (!one_round) {
        ASSERT(request->state == REQUEST_BEGINNING);
        request_round_one(quorum, request, object, sequence);
    } else if (put_too_many_siblings(quorum, request, object)) {
        request_finish(quorum, request, OUTCOME_TOO_MANY_SIBLINGS);
    } else {
        request_write_blind(quorum, request, object);
    }
}

/* Send the round's message to every other owner that is live; our own ack comes with the sync. */
static void request_send_round(struct quorum *quorum, struct request *request)
{
    uint32_t live = request_live(quorum, request);

    request->state = REQUEST_WRITING;
    for (unsigned i = 0; i < request->owners_count; i++) {
        if (i != request->self && (live >> i & 1) != 0) {
            send_message(quorum, request->owners[i], request->round);
        }
    }
}

/* After put_write: the delta leaves at once, in parallel with our own sync. */
static void request_progress(struct quorum *quorum, struct request *request)
{
    request_arm(quorum, request, request->deadline_ns);
    durable_wait(quorum, quorum->sequence,
                 (struct durable_waiter){.kind = DURABLE_REQUEST, .id = request->id});
    request_send_round(quorum, request);
    if (MUTANT(ack_unsynced)) {
        request_on_durable(quorum, request->id, quorum->sequence);
    }
}

/* What every owner holds, for RF.EXPLAIN. */
static void request_explain(struct quorum *quorum, struct request *request,
                            const struct object *object)
{
    struct owner_view *owners =
        arena_alloc_zero(&request->arena, sizeof(*owners) * request->owners_count);

    for (unsigned i = 0; i < request->owners_count; i++) {
        struct answer *answer = &request->answers[i];
        bool self = i == request->self;
        uint32_t room = object->versions_count + answer->versions_count;
        struct version *versions = ARENA_ARRAY(&request->arena, struct version, room + 1);
        uint32_t count = 0;
        for (uint32_t j = 0; j < object->versions_count; j++) {
            bool spoken = false;
            bool held = self || (answer->answered && answer_status(answer, object->versions[j].dot,
                                                                   &spoken) == DOT_HELD);
            if (held) {
                versions[count++] = object->versions[j];
            }
        }
        for (uint32_t j = 0; j < answer->versions_count && !self; j++) {
            if (object_find(object, answer->versions[j].dot) == NULL) {
                versions[count++] = answer->versions[j];
            }
        }
        for (uint32_t j = 0; j < count; j++) {
            versions[j].payload = (struct bytes){NULL, 0};
            versions[j].payload_absent = true;
        }
        owners[i] = (struct owner_view){
            .member = request->owners[i],
            .live = quorum_member_live(quorum, request->owners[i]),
            .answered = self || answer->answered,
            .unreadable = (request->failed >> i & 1) != 0,
            .versions = versions,
            .versions_count = count,
        };
    }
    request->result.owners = owners;
    request->result.owners_count = request->owners_count;
}

/* Show the result once our own copy of it is durable. */
static void request_reveal(struct quorum *quorum, struct request *request, uint64_t sequence)
{
    if (sequence <= quorum->durable || MUTANT(unsynced_reads)) {
        request_finish(quorum, request, OUTCOME_DONE);
        return;
    }
    request->state = REQUEST_REVEALING;
    durable_wait(quorum, sequence,
                 (struct durable_waiter){.kind = DURABLE_REQUEST, .id = request->id});
}

/* Ask again those whose answers said nothing of a dot that may be shown. */
static bool request_ask_unspoken(struct quorum *quorum, struct request *request,
                                 const struct merged *merged)
{
    if (merged->unspoken == 0) {
        return false;
    }
    request->mine =
        arena_copy(&request->arena, merged->held, merged->held_count * sizeof(struct dot));
    request->mine_count = merged->held_count;
    request->state = REQUEST_ASKING;
    uint32_t live = request_live(quorum, request);
    for (unsigned i = 0; i < request->owners_count; i++) {
        if ((merged->unspoken >> i & 1) != 0 && (live >> i & 1) != 0) {
            request_ask(quorum, request, i);
        } else if ((merged->unspoken >> i & 1) != 0) {
            request->answered &= ~(1U << i);
            request->answers[i] = (struct answer){0};
            request->failed |= 1U << i;
        }
    }
    unsigned wanted = request_answers_wanted(quorum, request);
    if (request_ask_more(quorum, request, wanted) < wanted) {
        request_fail(quorum, request, OUTCOME_NO_QUORUM, request->r,
                     owner_bits(request->answered) + 1);
    }
    return true;
}

static void request_decide_read(struct quorum *quorum, struct request *request,
                                const struct object *object, uint64_t sequence,
                                const struct merged *merged)
{
    unsigned holders = owner_bits(request->answered) + 1;
    unsigned needed = MUTANT(same_r) ? 1 : request->w;

    get_result(quorum, request, merged);
    if (merged->same && (holders >= needed || request->op.one_round)) {
        quorum->stats.fast_reads++;
        request_reveal(quorum, request, sequence);
        return;
    }
    if (MUTANT(no_write_back)) {
        request_reveal(quorum, request, sequence);
        return;
    }
    if (owner_bits(request_live(quorum, request)) < request->w && !request->op.one_round) {
        request_fail(quorum, request, OUTCOME_NO_QUORUM, request->w,
                     owner_bits(request_live(quorum, request)));
        return;
    }
    quorum->stats.write_backs++;
    uint64_t revealed = put_back(quorum, request, object, sequence, merged);
    request->state = REQUEST_REPAIRING;
    request_arm(quorum, request, request->deadline_ns);
    if (revealed <= quorum->durable) {
        request_on_durable(quorum, request->id, quorum->durable);
        return;
    }
    durable_wait(quorum, revealed,
                 (struct durable_waiter){.kind = DURABLE_REQUEST, .id = request->id});
}

/* A delete of what is not there changes nothing: it is a read that found nothing. What has merely
 * expired, by our clock, is deleted all the same: by another clock it may still be there. */
static bool delete_is_idle(const struct request *request, const struct merged *merged)
{
    bool holds_value = false;

    for (uint32_t i = 0; i < merged->object.versions_count; i++) {
        holds_value = holds_value || merged->object.versions[i].kind != VERSION_TOMBSTONE;
    }
    return request->op.kind == OP_DEL && merged->same && !holds_value &&
           owner_bits(request->answered) + 1 >= request->w;
}

void request_decide(struct quorum *quorum, struct request *request, const struct object *object,
                    uint64_t sequence)
{
    struct partition *partition = &quorum->partitions[request->partition];
    struct merged merged;

    if (request->op.kind == OP_EXPLAIN) {
        request_explain(quorum, request, object);
        request_reveal(quorum, request, sequence);
        return;
    }
    for (unsigned i = 0; i < request->owners_count; i++) {
        request->answers[i].earlier = request->known;
        request->answers[i].earlier_count = request->known_count;
    }
    merge_answers(object, &partition->clock, request->answers, request->owners_count, &quorum->step,
                  &merged);
    bool shows = request->op.kind != OP_SET || request->op.want_old || request->op.keep_expiry;
    if (shows && request_ask_unspoken(quorum, request, &merged)) {
        return;
    }
    if (!request_op_is_write(request->op.kind)) {
        request_decide_read(quorum, request, object, sequence, &merged);
        return;
    }
    if (shows) {
        get_result(quorum, request, &merged);
    }
    if (delete_is_idle(request, &merged)) {
        request_reveal(quorum, request, sequence);
        return;
    }
    unsigned live = owner_bits(request_live(quorum, request));
    if (live < request->w) {
        request_fail(quorum, request, OUTCOME_NO_QUORUM, request->w, live);
        return;
    }
    put_write(quorum, request, object, &merged);
    if (MUTANT(refused_though_applied) && prng_chance(&quorum->prng, 16)) {
        request_fail(quorum, request, OUTCOME_NO_QUORUM, request->w, live);
        return;
    }
    request_progress(quorum, request);
}

/* -- Round two. */

static void request_acked(struct quorum *quorum, struct request *request, unsigned owner)
{
    if (MUTANT(ack_twice) && (request->acked >> owner & 1) != 0) {
        request->acked |= 1U << ((owner + 1) % request->owners_count);
    }
    request->acked |= 1U << owner;
    if (owner_bits(request->acked) >= (MUTANT(w_ignored) ? 1U : request->w)) {
        request_finish(quorum, request, OUTCOME_DONE);
    }
}

void request_on_ack(struct quorum *quorum, uint16_t from, uint64_t id)
{
    struct request *request = request_find(quorum, id);

    if (request == NULL || request->state != REQUEST_WRITING) {
        return;
    }
    int owner = owner_index(quorum, request->partition, from);
    if (owner >= 0) {
        request_acked(quorum, request, (unsigned)owner);
    }
}

void request_on_durable(struct quorum *quorum, uint64_t id, uint64_t sequence)
{
    struct request *request = request_find(quorum, id);

    MAYBE(sequence > 0);
    if (request == NULL) {
        return;
    }
    if (request->state == REQUEST_REVEALING) {
        request_finish(quorum, request, OUTCOME_DONE);
    } else if (request->state == REQUEST_REPAIRING) {
        request_send_round(quorum, request);
        if (request->op.one_round) {
            request_finish(quorum, request, OUTCOME_DONE); /* Repair goes on behind the answer. */
        } else {
            request_acked(quorum, request, request->self);
        }
    } else if (request->state == REQUEST_WRITING) {
        request_acked(quorum, request, request->self);
    }
}
