/* quorum/request.c - one operation at its coordinator: its life, its time, and who passes it on.
 *
 * Attiya, Bar-Noy, Dolev 1995: a read asks R owners and writes back what it found where fewer than
 * W hold it; a write asks R owners, then writes one version above all that they hold to W of them.
 * The rounds are in ask.c and decide.c. */
#include "quorum/request.h"

#include <stdlib.h>
#include <string.h>

enum { REQUEST_ARENA_SIZE = 1024, REQUESTS_FREE_MAX = 4096 };

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

struct request *request_find(struct quorum *quorum, uint64_t id)
{
    struct request *request = map_get(&quorum->requests, id);

    if (MUTANT(stale_answer) && request == NULL) {
        request = map_get(&quorum->requests, quorum->request_next);
    }
    return request;
}

bool request_op_is_write(enum op_kind kind)
{
    return kind == OP_SET || kind == OP_DEL || kind == OP_CAUSAL_SET || kind == OP_CAUSAL_DEL;
}

/* A write that takes part in the total order of its key: two rounds. */
bool request_two_rounds(const struct request *request)
{
    enum op_kind kind = request->op.kind;

    if ((kind == OP_SET && MUTANT(blind_set)) || (kind == OP_DEL && MUTANT(blind_del))) {
        return false;
    }
    return (kind == OP_SET || kind == OP_DEL) && !request->op.one_round;
}

unsigned owner_bits(uint32_t mask)
{
    return (unsigned)__builtin_popcount(mask);
}

void request_finish(struct quorum *quorum, struct request *request, enum outcome outcome)
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

void request_fail(struct quorum *quorum, struct request *request, enum outcome outcome,
                  unsigned needed, unsigned got)
{
    request->result.needed = (uint8_t)needed;
    request->result.got = (uint8_t)got;
    request_finish(quorum, request, outcome);
}

/* Bit i: owner i is this node or connected. */
uint32_t request_live(const struct quorum *quorum, const struct request *request)
{
    uint32_t live = 0;

    for (unsigned i = 0; i < request->owners_count; i++) {
        live |= (uint32_t)quorum_member_live(quorum, request->owners[i]) << i;
    }
    return live;
}

uint32_t request_self_bit(const struct request *request)
{
    return 1U << request->self;
}

void request_arm(struct quorum *quorum, struct request *request, uint64_t at_ns)
{
    heap_remove(&quorum->timers, &request->timer);
    heap_insert(&quorum->timers, &request->timer, MIN(at_ns, request->deadline_ns));
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
    request->op.context =
        arena_copy(&request->arena, op->context, op->context_count * sizeof(struct seen_dot));
}

/* Pass the operation on to an owner that is live; it is coordinated there once, never here as well.
 */
void request_forward(struct quorum *quorum, struct request *request)
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
        uint64_t left_ms =
            (request->deadline_ns - MIN(quorum->now.ns, request->deadline_ns)) / 1000000;
        message.op.timeout_ms = (uint32_t)MAX(left_ms, 1U);
        quorum->stats.forwarded++;
        send_message(quorum, request->forwarded_to, &message);
        if (MUTANT(double_coordination) && i + 1 < request->owners_count) {
            continue;
        }
        return;
    }
    request_fail(quorum, request, OUTCOME_NO_QUORUM, request->r, 0);
}

/* Load the key's record; request_on_loaded goes on, now or later. */
void request_load(struct quorum *quorum, struct request *request, enum request_state state)
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

    if (MUTANT(forward_loop) && request->from != QUORUM_MEMBER_NONE) {
        request_forward(quorum, request);
        return;
    }
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
    unsigned live = owner_bits(request_live(quorum, request));
    bool writes = request_op_is_write(request->op.kind);
    unsigned needed = writes && !request_two_rounds(request) ? request->w
                      : writes                               ? MAX(request->r, request->w)
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

/* -- Time and members. */

static void request_expired(struct quorum *quorum, struct request *request)
{
    bool write = request_op_is_write(request->op.kind);
    unsigned got = owner_bits(request->answered) + 1;

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
                     write && !MUTANT(timeout_means_failed) ? OUTCOME_UNCERTAIN : OUTCOME_NO_QUORUM,
                     request->w, owner_bits(request->acked));
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
    if (request_op_is_write(request->op.kind)) {
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
