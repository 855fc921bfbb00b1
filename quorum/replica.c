/* quorum/replica.c - the replica's side: answer what is held, apply deltas, take read repair. */
#include "quorum/state.h"

static void refuse(struct quorum *quorum, uint16_t to, const struct message *message,
                   enum refuse_reason reason)
{
    struct message answer = {
        .type = MESSAGE_REFUSE,
        .partition = message->partition,
        .request = message->request,
        .reason = reason,
    };
    send_message(quorum, to, &answer);
}

void replica_on_unreadable(struct quorum *quorum, uint16_t from, const struct message *message)
{
    quorum->stats.unreadable++;
    if (message->type == MESSAGE_ASK || message->type == MESSAGE_DELTA ||
        message->type == MESSAGE_REPAIR) {
        refuse(quorum, from, message, REFUSE_UNREADABLE);
    } /* Nobody waits for the others: the next exchange of clocks asks again. */
}

/* One status per dot asked; empty when all are held. */
static struct bytes statuses_of(struct quorum *quorum, const struct message *ask,
                                const struct object *object, const struct clock *clock)
{
    uint8_t *statuses = arena_alloc(&quorum->step, ask->dots_count);
    bool all_held = true;

    for (uint32_t i = 0; i < ask->dots_count; i++) {
        enum dot_status status = DOT_UNKNOWN;
        if (object_find(object, ask->dots[i]) != NULL) {
            status = DOT_HELD;
        } else if (object_covers(object, clock, ask->dots[i])) {
            status = DOT_OBSOLETE;
        }
        statuses[i] = (uint8_t)status;
        all_held = all_held && status == DOT_HELD;
    }
    return all_held ? (struct bytes){NULL, 0} : (struct bytes){statuses, ask->dots_count};
}

static void on_ask(struct quorum *quorum, uint16_t from, const struct message *ask,
                   const struct object *object, uint64_t sequence)
{
    const struct clock *clock = &quorum->partitions[ask->partition].clock;
    struct message answer = {
        .type = MESSAGE_ANSWER,
        .partition = ask->partition,
        .request = ask->request,
        .statuses = statuses_of(quorum, ask, object, clock),
    };
    struct version *versions = ARENA_ARRAY(&quorum->step, struct version, object->versions_count);

    for (uint32_t i = 0; i < object->versions_count; i++) {
        bool asked = false;
        for (uint32_t j = 0; j < ask->dots_count && !asked; j++) {
            asked = dot_equal(object->versions[i].dot, ask->dots[j]);
        }
        if (!asked) {
            struct version *version = &versions[answer.versions_count++];
            *version = object->versions[i];
            if (!ask->payloads) {
                version->payload_absent = true;
                version->payload = (struct bytes){NULL, 0};
            }
        }
    }
    answer.versions = versions;
    quorum->stats.asks++;
    quorum->stats.answers_same += answer.statuses.size == 0 && answer.versions_count == 0;
    send_when_durable(quorum, from, &answer, sequence);
}

static void ack(struct quorum *quorum, uint16_t to, uint64_t request, uint64_t sequence)
{
    if (sequence <= quorum->durable || MUTANT(ack_unsynced)) {
        uint8_t id[8];
        be64_set(id, request);
        struct message message = {.type = MESSAGE_ACKS, .acks = {id, sizeof(id)}};
        send_message(quorum, to, &message);
        return;
    }
    durable_wait(quorum, sequence,
                 (struct durable_waiter){.kind = DURABLE_ACK, .member = to, .id = request});
}

static void on_delta(struct quorum *quorum, uint16_t from, const struct message *delta,
                     const struct object *before)
{
    struct partition *partition = &quorum->partitions[delta->partition];
    struct version local = delta->versions[0];
    const struct version *version = &local;
    struct object object = object_clone(before, &quorum->step);

    if (MUTANT(expiry_local) && local.expiry_ms != 0) {
        local.expiry_ms += quorum->now.wall_ms - (int64_t)(local.timestamp >> 16);
    }
    hear_hlc(quorum, version->timestamp);
    if (!partition_apply(partition, &object, version, delta->dots, delta->dots_count,
                         &quorum->step)) {
        quorum->stats.deltas_duplicate++;
        /* It may have been applied in the batch that is still open. */
        ack(quorum, from, delta->request, quorum->sequence - (quorum->batch_open ? 0 : 1));
        return;
    }
    quorum->stats.deltas_applied++;
    store_save(quorum, delta->key, &object, before);
    store_log(quorum, delta->partition, version->dot, delta->key);
    ack(quorum, from, delta->request, quorum->sequence);
}

static void on_repair(struct quorum *quorum, uint16_t from, const struct message *repair,
                      const struct object *before, uint64_t sequence)
{
    struct partition *partition = &quorum->partitions[repair->partition];
    struct object object = object_clone(before, &quorum->step);

    for (uint32_t i = 0; i < repair->versions_count; i++) {
        hear_hlc(quorum, repair->versions[i].timestamp);
    }
    if (partition_repair(partition, &object, repair->versions, repair->versions_count, repair->dots,
                         repair->dots_count, &quorum->step)) {
        if (MUTANT(repair_clock)) {
            for (uint32_t i = 0; i < repair->versions_count; i++) {
                (void)clock_add(&partition->clock, repair->versions[i].dot);
            }
        }
        quorum->stats.repairs_applied++;
        store_save(quorum, repair->key, &object, before);
        sequence = quorum->sequence;
    }
    ack(quorum, from, repair->request, sequence);
}

void replica_on_message(struct quorum *quorum, uint16_t from, const struct message *message)
{
    struct object object;
    uint64_t sequence = 0;

    if (owner_index(quorum, message->partition, quorum->options.self) < 0) {
        refuse(quorum, from, message, REFUSE_NOT_OWNER);
        return;
    }
    enum load_result result =
        store_load(quorum, message->key, waiter_for_message(from, message), &object, &sequence);
    if (result == LOAD_WAITING) {
        return;
    }
    if (message->type == MESSAGE_ASK) {
        on_ask(quorum, from, message, &object, sequence);
    } else if (message->type == MESSAGE_DELTA) {
        on_delta(quorum, from, message, &object);
    } else {
        ASSERT(message->type == MESSAGE_REPAIR);
        on_repair(quorum, from, message, &object, sequence);
    }
}
