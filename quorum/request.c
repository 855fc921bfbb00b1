/* quorum/request.c - one operation at its coordinator, from its start to its one outcome.
 *
 * Attiya, Bar-Noy, Dolev 1995: a read asks R owners and writes back what it found where fewer than W
 * hold it; a write asks R owners, then writes one version above all that they hold to W of them. */
#include "quorum/request.h"

#include <stdlib.h>
#include <string.h>

enum { REQUEST_ARENA_SIZE = 1024, REQUESTS_FREE_MAX = 4096, OWNER_NONE = 0xff };

static void request_decide(struct quorum *quorum, struct request *request,
                           const struct object *object, uint64_t sequence);
static void request_progress(struct quorum *quorum, struct request *request);

/* -- Life. */

static struct request *request_new(struct quorum *quorum)
{
    struct request *request;

    if (list_empty(&quorum->requests_free)) {
        request = mem_alloc_zero(1, sizeof(*request));
        arena_init(&request->arena, REQUEST_ARENA_SIZE);
    } else {
        struct list *link = quorum->requests_free.next;
        list_remove(link);
        quorum->requests_free_count--;
        request = CONTAINER_OF(link, struct request, free_link);
        struct arena arena = request->arena;
        memset(request, 0, sizeof(*request));
        request->arena = arena;
    }
    request->id = ++quorum->request_next;
    request->forwarded_to = QUORUM_MEMBER_NONE;
    (void)map_set(&quorum->requests, request->id, request);
    return request;
}

static void request_free(struct quorum *quorum, struct request *request)
{
    if (quorum->requests_free_count >= REQUESTS_FREE_MAX) {
        arena_release(&request->arena);
        mem_free(request);
        return;
    }
    arena_reset(&request->arena);
    list_push_front(&quorum->requests_free, &request->free_link);
    quorum->requests_free_count++;
}

void requests_release(struct quorum *quorum)
{
    MAP_FOR (i, &quorum->requests) {
        struct request *request = quorum->requests.slots[i].value;
        arena_release(&request->arena);
        mem_free(request);
    }
    while (!list_empty(&quorum->requests_free)) {
        struct list *link = quorum->requests_free.next;
        list_remove(link);
        struct request *request = CONTAINER_OF(link, struct request, free_link);
        arena_release(&request->arena);
        mem_free(request);
    }
}

static struct request *request_find(struct quorum *quorum, uint64_t id)
{
    return map_get(&quorum->requests, id);
}

static bool op_is_write(enum op_kind kind)
{
    return kind == OP_SET || kind == OP_DEL || kind == OP_CAUSAL_SET || kind == OP_CAUSAL_DEL;
}

/* A write that takes part in the total order of its key: two rounds. */
static bool request_two_rounds(const struct request *request)
{
    enum op_kind kind = request->op.kind;

    if ((kind == OP_SET && MUTANT(blind_set)) || (kind == OP_DEL && MUTANT(blind_del))) {
        return false;
    }
    return (kind == OP_SET || kind == OP_DEL) && !request->op.one_round;
}

static unsigned bits(uint32_t mask)
{
    return (unsigned)__builtin_popcount(mask);
}

static void request_finish(struct quorum *quorum, struct request *request, enum outcome outcome)
{
    struct op_result *result = &request->result;

    heap_remove(&quorum->timers, &request->timer);
    (void)map_remove(&quorum->requests, request->id);
    result->outcome = outcome;
    result->slot = key_slot(request->op.key);
    result->partition = request->partition;
    result->waited_ms = (uint32_t)((quorum->now.ns - request->start_ns) / 1000000);
    quorum->stats.no_quorum += outcome == OUTCOME_NO_QUORUM;
    quorum->stats.uncertain += outcome == OUTCOME_UNCERTAIN;
    if (request->from != QUORUM_MEMBER_NONE) {
        struct message message = {
            .type = MESSAGE_RESULT,
            .partition = request->partition,
            .request = request->from_request,
            .key = request->op.key,
            .result = *result,
        };
        send_message(quorum, request->from, &message);
    } else if (request->token >> 63 != 0) {
        list_on_op(quorum, request->token, result);
    } else {
        quorum->options.io.done(quorum->options.io.context, request->token, result);
    }
    request_free(quorum, request);
}

static void request_fail(struct quorum *quorum, struct request *request, enum outcome outcome,
                         unsigned needed, unsigned got)
{
    request->result.needed = (uint8_t)needed;
    request->result.got = (uint8_t)got;
    request_finish(quorum, request, outcome);
}

/* Bit i: owner i is this node or connected. */
static uint32_t request_live(const struct quorum *quorum, const struct request *request)
{
    uint32_t live = 0;

    for (unsigned i = 0; i < request->owners_count; i++) {
        live |= (uint32_t)quorum_member_live(quorum, request->owners[i]) << i;
    }
    return live;
}

static uint32_t self_bit(const struct request *request)
{
    return 1U << request->self;
}

/* -- Start. */

/* Defaults where the operation says 0; never more than there are owners. */
static void request_shape(struct quorum *quorum, struct request *request)
{
    bool shrunk = quorum->n < quorum->options.n;
    uint8_t r = request->op.r, w = request->op.w;

    request->r = r == 0 || shrunk ? quorum->r : (uint8_t)MIN(r, quorum->n);
    request->w = w == 0 || shrunk ? quorum->w : (uint8_t)MIN(w, quorum->n);
}

static void request_copy_op(struct request *request, const struct op *op)
{
    request->op = *op;
    request->op.key = arena_copy_bytes(&request->arena, op->key);
    request->op.value = arena_copy_bytes(&request->arena, op->value);
    request->op.context = arena_copy(&request->arena, op->context,
                                     op->context_count * sizeof(struct seen_dot));
}

/* Pass the operation on to an owner that is live; it is coordinated there once, never here as well. */
static void request_forward(struct quorum *quorum, struct request *request)
{
    uint32_t live = request_live(quorum, request);
    unsigned start = (unsigned)prng_below(&quorum->prng, request->owners_count);

    for (unsigned i = 0; i < request->owners_count; i++) {
        unsigned owner = (start + i) % request->owners_count;
        if ((live >> owner & 1) == 0 || request->owners[owner] == quorum->options.self) {
            continue;
        }
        request->state = REQUEST_FORWARDED;
        request->forwarded_to = request->owners[owner];
        heap_remove(&quorum->timers, &request->timer);
        heap_insert(&quorum->timers, &request->timer, request->deadline_ns);
        struct message message = {
            .type = MESSAGE_FORWARD,
            .partition = request->partition,
            .request = request->id,
            .key = request->op.key,
            .op = request->op,
        };
        uint64_t left_ms = (request->deadline_ns - quorum->now.ns) / 1000000;
        message.op.timeout_ms = (uint32_t)MAX(left_ms, 1U);
        quorum->stats.forwarded++;
        send_message(quorum, request->forwarded_to, &message);
        return;
    }
    request_fail(quorum, request, OUTCOME_NO_QUORUM, request->r, 0);
}

/* Load the key's record; request_on_loaded goes on, now or later. */
static void request_load(struct quorum *quorum, struct request *request, enum request_state state)
{
    struct object object;
    uint64_t sequence = 0;

    request->state = state;
    if (store_load(quorum, request->op.key, waiter_for_request(request->id), &object, &sequence) ==
        LOAD_READY) {
        request_on_loaded(quorum, request->id, OK, &object, sequence);
    }
}

static void request_begin(struct quorum *quorum, struct request *request)
{
    int self = owner_index(quorum, request->partition, quorum->options.self);

    if (self < 0) {
        if (request->from != QUORUM_MEMBER_NONE) {
            /* Passed on once is enough: the sender's idea of the owners differs from ours. */
            request_fail(quorum, request, OUTCOME_NO_QUORUM, request->r, 0);
            return;
        }
        request_forward(quorum, request);
        return;
    }
    request->self = (unsigned)self;
    unsigned live = bits(request_live(quorum, request));
    bool writes = op_is_write(request->op.kind);
    unsigned needed = writes && !request_two_rounds(request) ? request->w
                      : writes ? MAX(request->r, request->w)
                               : request->r;
    if (live < needed && request->op.kind != OP_EXPLAIN) {
        request_fail(quorum, request, OUTCOME_NO_QUORUM, needed, live);
        return;
    }
    request_load(quorum, request, REQUEST_BEGINNING);
}

static struct request *request_start(struct quorum *quorum, const struct op *op, uint16_t from,
                                     uint64_t token)
{
    struct request *request = request_new(quorum);

    request->from = from;
    request->token = token;
    request_copy_op(request, op);
    request->partition = partition_of_key(quorum, op->key);
    request->owners = owners_of(quorum, request->partition, &request->owners_count);
    request->start_ns = quorum->now.ns;
    request->deadline_ns = quorum->now.ns + (uint64_t)op->timeout_ms * 1000000;
    request_shape(quorum, request);
    quorum->stats.ops[op->kind]++;
    heap_insert(&quorum->timers, &request->timer, request->deadline_ns);
    return request;
}

void quorum_start(struct quorum *quorum, struct now now, const struct op *op, uint64_t token)
{
    quorum->now = now;
    if (quorum->requests.count >= quorum->options.requests_max) {
        struct op_result busy = {.outcome = OUTCOME_BUSY, .slot = key_slot(op->key)};
        quorum->stats.busy++;
        if (token >> 63 != 0) {
            list_on_op(quorum, token, &busy);
        } else {
            quorum->options.io.done(quorum->options.io.context, token, &busy);
        }
        return;
    }
    if (quorum->depth++ == 0) {
        arena_reset(&quorum->step);
    }
    request_begin(quorum, request_start(quorum, op, QUORUM_MEMBER_NONE, token));
    quorum->depth--;
}

void request_on_forward(struct quorum *quorum, uint16_t from, const struct message *message)
{
    struct op op = message->op;

    op.key = message->key;
    if (quorum->requests.count >= quorum->options.requests_max) {
        struct message busy = {
            .type = MESSAGE_RESULT,
            .partition = message->partition,
            .request = message->request,
            .key = message->key,
            .result = {.outcome = OUTCOME_BUSY, .slot = key_slot(op.key)},
        };
        send_message(quorum, from, &busy);
        return;
    }
    struct request *request = request_start(quorum, &op, from, 0);
    request->from_request = message->request;
    request_begin(quorum, request);
}

void request_on_result(struct quorum *quorum, uint16_t from, const struct message *message)
{
    struct request *request = request_find(quorum, message->request);

    if (request == NULL || request->state != REQUEST_FORWARDED || request->forwarded_to != from) {
        return;
    }
    request->result = message->result;
    request_finish(quorum, request, message->result.outcome);
}

/* -- Round one. */

/* A write that shows nothing of the old value needs dots and timestamps only. */
static bool request_wants_payloads(const struct request *request)
{
    bool set = request->op.kind == OP_SET && !request->op.want_old;

    return !set && request->op.kind != OP_DEL && request->op.kind != OP_EXPLAIN;
}

static void request_ask(struct quorum *quorum, struct request *request, unsigned owner)
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

/* Ask others until `wanted` of them have been asked, beginning at a random one so that load spreads.
 * Return how many are asked and have not failed. */
static unsigned request_ask_more(struct quorum *quorum, struct request *request, unsigned wanted)
{
    uint32_t live = request_live(quorum, request);
    uint32_t open = request->asked & ~request->failed & live;
    unsigned start = (unsigned)prng_below(&quorum->prng, request->owners_count);

    for (unsigned i = 0; i < request->owners_count && bits(open) < wanted; i++) {
        unsigned owner = (start + i) % request->owners_count;
        uint32_t bit = 1U << owner;
        if ((bit & (open | request->failed | self_bit(request))) == 0 && (bit & live) != 0) {
            request_ask(quorum, request, owner);
            open |= bit;
        }
    }
    return bits(open);
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

static void request_arm(struct quorum *quorum, struct request *request, uint64_t at_ns)
{
    heap_remove(&quorum->timers, &request->timer);
    heap_insert(&quorum->timers, &request->timer, MIN(at_ns, request->deadline_ns));
}

static void request_round_one(struct quorum *quorum, struct request *request,
                              const struct object *object, uint64_t sequence)
{
    unsigned others = request->op.kind == OP_EXPLAIN ? request->owners_count - 1U
                                                     : request->r - 1U;

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
        request_arm(quorum, request,
                    quorum->now.ns + (uint64_t)quorum->options.hedge_ms * 1000000);
    }
}

static unsigned answers_wanted(const struct quorum *quorum, const struct request *request)
{
    if (request->op.kind == OP_EXPLAIN) {
        uint32_t open = request->asked & ~request->failed & request_live(quorum, request);
        return bits(open | request->answered);
    }
    return request->r - 1U;
}

void request_on_answer(struct quorum *quorum, uint16_t from, const struct message *message)
{
    struct request *request = request_find(quorum, message->request);
    int owner = owner_index(quorum, message->partition, from);

    if (request == NULL || request->partition != message->partition || owner < 0 ||
        request->state != REQUEST_ASKING) {
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
    struct version *versions = arena_copy(&request->arena, message->versions,
                                          message->versions_count * sizeof(*versions));
    for (uint32_t i = 0; i < message->versions_count; i++) {
        versions[i].payload = arena_copy_bytes(&request->arena, versions[i].payload);
        hear_hlc(quorum, versions[i].timestamp);
    }
    answer->answered = true;
    answer->statuses = arena_copy_bytes(&request->arena, message->statuses);
    answer->versions = versions;
    answer->versions_count = message->versions_count;
    request->answered |= bit;
    if (bits(request->answered) >= answers_wanted(quorum, request)) {
        request_load(quorum, request, REQUEST_DECIDING);
    }
}

/* An owner will not answer: ask another, or fail when none is left. */
static void request_owner_failed(struct quorum *quorum, struct request *request, unsigned owner,
                                 enum outcome outcome)
{
    request->failed |= 1U << owner;
    if (request->state != REQUEST_ASKING) {
        return;
    }
    unsigned wanted = answers_wanted(quorum, request);
    if (request->op.kind != OP_EXPLAIN && request_ask_more(quorum, request, wanted) < wanted) {
        request_fail(quorum, request, outcome, request->r, bits(request->answered) + 1);
    } else if (bits(request->answered) >= wanted) {
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

/* -- Between the rounds. */

void request_on_loaded(struct quorum *quorum, uint64_t id, enum err err, const struct object *object,
                       uint64_t sequence)
{
    struct request *request = request_find(quorum, id);

    if (request == NULL) {
        return; /* Its deadline has passed meanwhile. */
    }
    if (err != OK) {
        /* Our own copy is damaged. Nothing has been written: another owner can do better. */
        bool others = bits(request_live(quorum, request)) > 1;
        if (request->from == QUORUM_MEMBER_NONE && others) {
            request_forward(quorum, request);
        } else {
            request_fail(quorum, request, OUTCOME_UNREADABLE, request->r, 0);
        }
        return;
    }
    bool one_round = op_is_write(request->op.kind) && !request_two_rounds(request);
    if (request->state == REQUEST_DECIDING) {
        request_decide(quorum, request, object, sequence);
    } else if (!one_round) {
        ASSERT(request->state == REQUEST_BEGINNING);
        request_round_one(quorum, request, object, sequence);
    } else if (put_too_many_siblings(quorum, request, object)) {
        request_finish(quorum, request, OUTCOME_TOO_MANY_SIBLINGS);
    } else {
        put_write(quorum, request, object, NULL);
        request_progress(quorum, request);
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
            bool held = self || (answer->answered &&
                                 answer_status(answer, object->versions[j].dot, &spoken) == DOT_HELD);
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
                                 const struct object *object, const struct merged *merged)
{
    const struct object *all = &merged->object;

    if (merged->unspoken == 0) {
        return false;
    }
    request->mine = ARENA_ARRAY(&request->arena, struct dot,
                                object->versions_count + all->versions_count);
    request->mine_count = 0;
    for (uint32_t i = 0; i < object->versions_count; i++) {
        request->mine[request->mine_count++] = object->versions[i].dot;
    }
    for (uint32_t i = 0; i < all->versions_count; i++) {
        if (object_find(object, all->versions[i].dot) == NULL) {
            request->mine[request->mine_count++] = all->versions[i].dot;
        }
    }
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
    unsigned wanted = answers_wanted(quorum, request);
    if (request_ask_more(quorum, request, wanted) < wanted) {
        request_fail(quorum, request, OUTCOME_NO_QUORUM, request->r,
                     bits(request->answered) + 1);
    }
    return true;
}

static void request_decide_read(struct quorum *quorum, struct request *request,
                                const struct object *object, uint64_t sequence,
                                const struct merged *merged)
{
    unsigned holders = bits(request->answered) + 1;
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
    if (bits(request_live(quorum, request)) < request->w && !request->op.one_round) {
        request_fail(quorum, request, OUTCOME_NO_QUORUM, request->w,
                     bits(request_live(quorum, request)));
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

/* A delete of what is not there changes nothing: it is a read that found nothing. */
static bool delete_is_idle(struct quorum *quorum, const struct request *request,
                           const struct merged *merged)
{
    return request->op.kind == OP_DEL && merged->same &&
           bits(request->answered) + 1 >= request->w &&
           (merged->top == NULL || version_is_gone(merged->top, quorum->now.wall_ms));
}

static void request_decide(struct quorum *quorum, struct request *request,
                           const struct object *object, uint64_t sequence)
{
    struct partition *partition = &quorum->partitions[request->partition];
    struct merged merged;

    if (request->op.kind == OP_EXPLAIN) {
        request_explain(quorum, request, object);
        request_reveal(quorum, request, sequence);
        return;
    }
    merge_answers(object, &partition->clock, request->answers, request->owners_count,
                  &quorum->step, &merged);
    bool shows = request->op.kind != OP_SET || request->op.want_old || request->op.keep_expiry;
    if (shows && request_ask_unspoken(quorum, request, object, &merged)) {
        return;
    }
    if (!op_is_write(request->op.kind)) {
        request_decide_read(quorum, request, object, sequence, &merged);
        return;
    }
    if (shows) {
        get_result(quorum, request, &merged);
    }
    if (delete_is_idle(quorum, request, &merged)) {
        request_reveal(quorum, request, sequence);
        return;
    }
    unsigned live = bits(request_live(quorum, request));
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
    if (bits(request->acked) >= (MUTANT(w_ignored) ? 1U : request->w)) {
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

/* -- Time and members. */

static void request_expired(struct quorum *quorum, struct request *request)
{
    bool write = op_is_write(request->op.kind);
    unsigned got = bits(request->answered) + 1;

    switch (request->state) {
    case REQUEST_BEGINNING:
    case REQUEST_ASKING:
    case REQUEST_DECIDING:
        request_fail(quorum, request, OUTCOME_NO_QUORUM, request->r, got);
        return;
    case REQUEST_REVEALING:
    case REQUEST_REPAIRING:
        /* Only reads, and deletes of what is not there, come here: nothing was applied. */
        request_fail(quorum, request, OUTCOME_NO_QUORUM, request->w, got);
        return;
    case REQUEST_WRITING:
        request_fail(quorum, request,
                     write && !MUTANT(timeout_means_failed) ? OUTCOME_UNCERTAIN
                                                            : OUTCOME_NO_QUORUM,
                     request->w, bits(request->acked));
        return;
    case REQUEST_FORWARDED:
        request_fail(quorum, request, write ? OUTCOME_UNCERTAIN : OUTCOME_NO_QUORUM,
                     write ? request->w : request->r, 0);
        return;
    }
}

void request_on_timer(struct quorum *quorum, struct heap_item *item)
{
    struct request *request = CONTAINER_OF(item, struct request, timer);

    if (quorum->now.ns >= request->deadline_ns) {
        request_expired(quorum, request);
        return;
    }
    /* Somebody asked is slow: ask all the others too (Dean, Barroso 2013, hedged requests). */
    heap_insert(&quorum->timers, &request->timer, request->deadline_ns);
    if (request->state == REQUEST_ASKING && !request->hedged) {
        request->hedged = true;
        quorum->stats.hedges++;
        (void)request_ask_more(quorum, request, request->owners_count - 1U);
    }
}

/* A forwarded request whose coordinator is gone. */
static void request_lost_coordinator(struct quorum *quorum, struct request *request)
{
    if (op_is_write(request->op.kind)) {
        request_fail(quorum, request, OUTCOME_UNCERTAIN, request->w, 0);
    } else {
        request_forward(quorum, request);
    }
}

static void request_member_changed(struct quorum *quorum, struct request *request, uint16_t member,
                                   bool live)
{
    int owner = owner_index(quorum, request->partition, member);

    if (!live && request->state == REQUEST_FORWARDED && request->forwarded_to == member) {
        request_lost_coordinator(quorum, request);
        return;
    }
    if (owner < 0 || request->state == REQUEST_FORWARDED) {
        return;
    }
    uint32_t bit = 1U << owner;
    if (live) {
        request->failed &= ~bit;
        if (request->state == REQUEST_WRITING && (request->acked & bit) == 0) {
            send_message(quorum, member, request->round); /* It may not have got it. */
        }
    } else if ((request->asked & bit) != 0 && (request->answered & bit) == 0) {
        request_owner_failed(quorum, request, (unsigned)owner, OUTCOME_NO_QUORUM);
    }
}

static int id_compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

void request_on_member(struct quorum *quorum, uint16_t member, bool live)
{
    size_t count = 0;
    uint64_t *ids = ARENA_ARRAY(&quorum->step, uint64_t, quorum->requests.count);

    /* Requests end and begin while we go on; and the order must not depend on the table. */
    MAP_FOR (i, &quorum->requests) {
        ids[count++] = quorum->requests.slots[i].key;
    }
    qsort(ids, count, sizeof(ids[0]), id_compare);
    for (size_t i = 0; i < count; i++) {
        struct request *request = request_find(quorum, ids[i]);
        if (request != NULL) {
            request_member_changed(quorum, request, member, live);
        }
    }
}
