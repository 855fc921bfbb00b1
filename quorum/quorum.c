/* quorum/quorum.c - life cycle, time, what waits for durability, and who handles which message. */
#include "quorum/state.h"

#include "ring/slot.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { CLOCK_INTERVALS_MAX = 65536 };

static void effective_shape(struct quorum *quorum)
{
    const struct quorum_options *options = &quorum->options;

    quorum->n = options->n;
    quorum->r = options->r;
    quorum->w = options->w;
    if (options->members_count < options->n) {
        quorum->n = (uint8_t)options->members_count;
        quorum->r = quorum->w = (uint8_t)(quorum->n / 2 + 1);
    }
    ASSERT(quorum->n > 0);
    ASSERT(quorum->n <= QUORUM_OWNERS_MAX);
}

struct quorum *quorum_new(const struct quorum_options *options)
{
    struct quorum *quorum = mem_alloc_zero(1, sizeof(*quorum));

    quorum->options = *options;
    effective_shape(quorum);
    arena_init(&quorum->step, 64 * 1024);
    buf_init(&quorum->scratch, SIZE_MAX);
    buf_init(&quorum->segment, SIZE_MAX);
    quorum->partitions = mem_alloc_zero(options->partitions_count, sizeof(struct partition));
    for (uint32_t i = 0; i < options->partitions_count; i++) {
        partition_init(&quorum->partitions[i]);
    }
    quorum->members = mem_alloc_zero(options->members_count, sizeof(struct member));
    cache_init(&quorum->cache, options->cache_bytes, options->hash_seed);
    prng_init(&quorum->prng, options->hash_seed ^ 0x9e3779b97f4a7c15U);
    quorum->hlc = options->hlc;
    quorum->sequence = 1;
    segments_init(&quorum->segments);
    map_init(&quorum->requests);
    map_init(&quorum->loads_by_id);
    map_init(&quorum->loads_by_key);
    map_init(&quorum->lists);
    heap_init(&quorum->timers);
    list_init(&quorum->requests_free);
    sweep_init(quorum);
    return quorum;
}

static void durable_waiter_release(struct durable_waiter *waiter)
{
    if (waiter->message != NULL) {
        arena_release(&waiter->arena);
    }
}

static void loads_release(struct quorum *quorum)
{
    MAP_FOR (i, &quorum->loads_by_id) {
        struct load *load = quorum->loads_by_id.slots[i].value;
        for (struct waiter *waiter = load->first; waiter != NULL;) {
            struct waiter *next = waiter->next;
            if (waiter->message != NULL) {
                arena_release(&waiter->arena);
            }
            mem_free(waiter);
            waiter = next;
        }
        mem_free(load);
    }
    map_release(&quorum->loads_by_id);
    map_release(&quorum->loads_by_key);
}

void quorum_free(struct quorum *quorum)
{
    loads_release(quorum);
    for (size_t i = 0; i < quorum->batches_capacity; i++) {
        for (size_t j = 0; j < quorum->batches[i].count; j++) {
            durable_waiter_release(&quorum->batches[i].waiters[j]);
        }
        mem_free(quorum->batches[i].waiters);
    }
    mem_free(quorum->batches);
    requests_release(quorum);
    lists_release(quorum);
    sweep_release(quorum);
    for (uint32_t i = 0; i < quorum->options.partitions_count; i++) {
        partition_release(&quorum->partitions[i]);
    }
    mem_free(quorum->partitions);
    mem_free(quorum->members);
    segments_release(&quorum->segments);
    cache_release(&quorum->cache);
    map_release(&quorum->requests);
    heap_release(&quorum->timers);
    buf_release(&quorum->scratch);
    buf_release(&quorum->segment);
    arena_release(&quorum->step);
    mem_free(quorum);
}

enum err quorum_recover_clock(struct quorum *quorum, uint16_t partition, struct bytes value)
{
    struct reader in = reader_of(value);

    if (partition >= quorum->options.partitions_count) {
        return ERR_MALFORMED;
    }
    struct clock *clock = &quorum->partitions[partition].clock;
    enum err err = clock_decode(clock, &in, CLOCK_INTERVALS_MAX);
    if (MUTANT(clock_base_too_high) && err == OK && clock->count > 0) {
        clock->intervals[clock->count - 1].last += 2;
    }
    return err == OK && !reader_done(&in) ? ERR_MALFORMED : err;
}

enum err quorum_recover_log(struct quorum *quorum, struct bytes key, struct bytes value)
{
    struct reader in = reader_of(value);

    if (key.size != 8) {
        return ERR_MALFORMED;
    }
    uint64_t segment = be64_at(key.data);
    while (!in.failed && reader_left(&in) > 0) {
        uint16_t partition = reader_be16(&in);
        struct dot dot = {reader_be64(&in), 0};
        dot.counter = reader_varint(&in);
        uint64_t size = reader_varint(&in);
        struct bytes name = reader_bytes(&in, (size_t)size);
        if (in.failed || partition >= quorum->options.partitions_count || dot.counter == 0) {
            return ERR_MALFORMED;
        }
        (void)clock_add(&quorum->partitions[partition].clock, dot);
        if (!MUTANT(no_log_after_restart)) {
            dotlog_append(&quorum->partitions[partition].log, &quorum->segments, dot, segment,
                          name);
        }
    }
    if (in.failed) {
        return ERR_MALFORMED;
    }
    /* Segments are numbered on over restarts, so that a new one never takes an old one's place. */
    quorum->sequence = MAX(quorum->sequence, segment + 1);
    quorum->durable = quorum->sequence - 1;
    return OK;
}

void quorum_set_identity(struct quorum *quorum, uint64_t actor, uint64_t hlc)
{
    quorum->options.actor = actor;
    hear_hlc(quorum, hlc);
    for (uint32_t i = 0; i < quorum->options.partitions_count && MUTANT(counter_restarts); i++) {
        struct clock *clock = &quorum->partitions[i].clock;
        uint32_t kept = 0;
        for (uint32_t j = 0; j < clock->count; j++) {
            if (clock->intervals[j].actor != actor) {
                clock->intervals[kept++] = clock->intervals[j];
            }
        }
        clock->count = kept;
    }
}

void quorum_put_meta(struct quorum *quorum, struct bytes name, const struct bytes *value)
{
    const struct quorum_io *io = &quorum->options.io;

    io->put(io->context, QUORUM_FAMILY_META, name, value);
    quorum->batch_open = true;
}

void quorum_serve(struct quorum *quorum, struct now now)
{
    quorum->now = now;
    quorum->serving = true;
    quorum->exchange_at_ns = now.ns;
}

/* -- What waits for durability. */

static struct durable_batch *batch_of(struct quorum *quorum, uint64_t sequence)
{
    ASSERT(sequence > quorum->durable);
    ASSERT(sequence <= quorum->sequence);
    uint64_t outstanding = quorum->sequence - quorum->durable;
    if (outstanding >= quorum->batches_capacity) {
        size_t capacity = MAX((size_t)64, quorum->batches_capacity * 2);
        while (capacity <= outstanding) {
            capacity *= 2;
        }
        struct durable_batch *grown = mem_alloc_zero(capacity, sizeof(grown[0]));
        for (uint64_t s = quorum->durable + 1; s < quorum->sequence; s++) {
            if (quorum->batches_capacity > 0) {
                grown[s % capacity] = quorum->batches[s % quorum->batches_capacity];
                quorum->batches[s % quorum->batches_capacity] = (struct durable_batch){0};
            }
        }
        for (size_t i = 0; i < quorum->batches_capacity; i++) {
            mem_free(quorum->batches[i].waiters);
        }
        mem_free(quorum->batches);
        quorum->batches = grown;
        quorum->batches_capacity = capacity;
    }
    return &quorum->batches[sequence % quorum->batches_capacity];
}

void durable_wait(struct quorum *quorum, uint64_t sequence, struct durable_waiter waiter)
{
    struct durable_batch *batch = batch_of(quorum, sequence);

    if (batch->count == batch->capacity) {
        batch->capacity = MAX((size_t)16, batch->capacity * 2);
        batch->waiters = mem_resize(batch->waiters, batch->capacity * sizeof(waiter));
    }
    batch->waiters[batch->count++] = waiter;
    quorum->durable_waiting++;
}

void send_message(struct quorum *quorum, uint16_t member, struct message *message)
{
    message->hlc = quorum->hlc;
    quorum->options.io.send(quorum->options.io.context, member, message);
}

void send_when_durable(struct quorum *quorum, uint16_t member, const struct message *message,
                       uint64_t sequence)
{
    struct durable_waiter waiter = {.kind = DURABLE_SEND, .member = member};

    if (sequence <= quorum->durable || MUTANT(unsynced_reads)) {
        struct message copy = *message;
        send_message(quorum, member, &copy);
        return;
    }
    arena_init(&waiter.arena, 512);
    waiter.message = message_copy(message, &waiter.arena);
    durable_wait(quorum, sequence, waiter);
}

/* Acks of one durable event to one member share one message. */
struct ack_list {
    struct buf ids;
};

static void acks_flush(struct quorum *quorum, struct ack_list *acks)
{
    for (uint16_t i = 0; i < quorum->options.members_count; i++) {
        if (acks[i].ids.size > 0) {
            struct message message = {.type = MESSAGE_ACKS, .acks = buf_bytes(&acks[i].ids)};
            send_message(quorum, i, &message);
        }
        buf_release(&acks[i].ids);
    }
}

static void batch_fire(struct quorum *quorum, struct durable_batch *batch, struct ack_list *acks)
{
    for (size_t i = 0; i < batch->count; i++) {
        struct durable_waiter *waiter = &batch->waiters[i];
        quorum->durable_waiting--;
        if (waiter->kind == DURABLE_ACK) {
            buf_put_be64(&acks[waiter->member].ids, waiter->id);
        } else if (waiter->kind == DURABLE_REQUEST) {
            request_on_durable(quorum, waiter->id, quorum->durable);
        } else if (waiter->kind == DURABLE_LISTED) {
            list_on_page(quorum, quorum->options.self, waiter->message);
            durable_waiter_release(waiter);
        } else {
            send_message(quorum, waiter->member, waiter->message);
            durable_waiter_release(waiter);
        }
    }
}

void quorum_on_durable(struct quorum *quorum, struct now now, uint64_t sequence)
{
    quorum->now = now;
    if (sequence <= quorum->durable) {
        return;
    }
    ASSERT(sequence < quorum->sequence);
    if (quorum->depth++ == 0) {
        arena_reset(&quorum->step);
    }
    struct ack_list *acks = mem_alloc_zero(quorum->options.members_count, sizeof(*acks));
    for (uint16_t i = 0; i < quorum->options.members_count; i++) {
        buf_init(&acks[i].ids, SIZE_MAX);
    }
    while (quorum->durable < sequence) {
        quorum->durable++;
        struct durable_batch fired = {0};
        if (quorum->batches_capacity > 0) {
            /* What fires may wait again, for a later sequence, and so move the ring. */
            struct durable_batch *batch =
                &quorum->batches[quorum->durable % quorum->batches_capacity];
            fired = *batch;
            *batch = (struct durable_batch){0};
        }
        batch_fire(quorum, &fired, acks);
        mem_free(fired.waiters);
    }
    acks_flush(quorum, acks);
    mem_free(acks);
    quorum->depth--;
}

uint64_t quorum_turn(struct quorum *quorum, struct now now)
{
    const struct quorum_io *io = &quorum->options.io;
    uint8_t key[8];

    quorum->now = now;
    if (!quorum->batch_open) {
        return 0;
    }
    if (quorum->segment.size > 0) {
        struct bytes value = buf_bytes(&quorum->segment);
        be64_set(key, quorum->sequence);
        io->put(io->context, QUORUM_FAMILY_LOG, (struct bytes){key, sizeof(key)}, &value);
        buf_clear_shrink(&quorum->segment, 1024 * 1024);
    }
    quorum->batch_open = false;
    return quorum->sequence++;
}

/* -- Time. */

uint64_t quorum_deadline_ns(const struct quorum *quorum)
{
    uint64_t deadline = UINT64_MAX;
    struct heap_item *first = heap_first(&quorum->timers);

    if (first != NULL) {
        deadline = first->key;
    }
    if (quorum->serving) {
        deadline = MIN(deadline, quorum->exchange_at_ns);
        deadline = MIN(deadline, sweep_deadline_ns(quorum));
    }
    return MIN(deadline, list_deadline_ns(quorum));
}

void quorum_on_timer(struct quorum *quorum, struct now now)
{
    quorum->now = now;
    if (quorum->depth++ == 0) {
        arena_reset(&quorum->step);
    }
    for (struct heap_item *item = heap_first(&quorum->timers); item != NULL && item->key <= now.ns;
         item = heap_first(&quorum->timers)) {
        heap_remove(&quorum->timers, item);
        request_on_timer(quorum, item);
    }
    list_on_timer(quorum);
    if (quorum->serving && quorum->exchange_at_ns <= now.ns) {
        repair_exchange(quorum);
    }
    if (quorum->serving && sweep_deadline_ns(quorum) <= now.ns) {
        sweep_on_timer(quorum);
    }
    quorum->depth--;
}

/* -- Members and messages. */

void quorum_on_member(struct quorum *quorum, struct now now, uint16_t member, bool live)
{
    quorum->now = now;
    ASSERT(member < quorum->options.members_count);
    if (quorum->members[member].live == live) {
        return;
    }
    if (quorum->depth++ == 0) {
        arena_reset(&quorum->step);
    }
    quorum->members[member].live = live;
    repair_on_member(quorum, member, live);
    request_on_member(quorum, member, live);
    list_on_member(quorum, member, live);
    quorum->depth--;
}

void message_dispatch(struct quorum *quorum, uint16_t from, const struct message *message)
{
    switch (message->type) {
    case MESSAGE_ASK:
    case MESSAGE_DELTA:
    case MESSAGE_REPAIR:
        replica_on_message(quorum, from, message);
        return;
    case MESSAGE_ANSWER:
        request_on_answer(quorum, from, message);
        return;
    case MESSAGE_ACKS:
        for (size_t i = 0; i + 8 <= message->acks.size; i += 8) {
            request_on_ack(quorum, from, be64_at(message->acks.data + i));
        }
        return;
    case MESSAGE_REFUSE:
        request_on_refuse(quorum, from, message);
        return;
    case MESSAGE_CLOCKS:
        repair_on_clocks(quorum, from, message);
        return;
    case MESSAGE_MISSING:
        repair_on_missing(quorum, from, message);
        return;
    case MESSAGE_STATE:
        repair_on_state(quorum, from, message);
        return;
    case MESSAGE_FORWARD:
        request_on_forward(quorum, from, message);
        return;
    case MESSAGE_RESULT:
        request_on_result(quorum, from, message);
        return;
    case MESSAGE_LIST:
    case MESSAGE_LISTED:
    case MESSAGE_COUNT:
    case MESSAGE_COUNTED:
        list_on_message(quorum, from, message);
        return;
    case MESSAGE_END:
        return;
    }
}

/* What no correct member sends. */
static bool message_is_sound(const struct quorum *quorum, const struct message *message)
{
    if (message->partition >= quorum->options.partitions_count) {
        return false;
    }
    switch (message->type) {
    case MESSAGE_ASK:
    case MESSAGE_REPAIR:
    case MESSAGE_FORWARD:
        return partition_of_key(quorum, message->key) == message->partition;
    case MESSAGE_DELTA:
        return message->versions_count == 1 &&
               partition_of_key(quorum, message->key) == message->partition;
    default:
        return true;
    }
}

void quorum_on_message(struct quorum *quorum, struct now now, uint16_t from,
                       const struct message *message)
{
    quorum->now = now;
    ASSERT(from < quorum->options.members_count);
    if (!message_is_sound(quorum, message)) {
        return; /* Another partition count is refused at the handshake: this is a damaged peer. */
    }
    if (quorum->depth++ == 0) {
        arena_reset(&quorum->step);
    }
    hear_hlc(quorum, message->hlc);
    message_dispatch(quorum, from, message);
    quorum->depth--;
}

void quorum_on_scan(struct quorum *quorum, struct now now, uint64_t id, enum err err,
                    const struct quorum_scanned *entries, size_t count, bool more)
{
    quorum->now = now;
    if (quorum->depth++ == 0) {
        arena_reset(&quorum->step);
    }
    if (!sweep_on_scan(quorum, id, err, entries, count, more)) {
        bool known = list_on_scan(quorum, id, err, entries, count, more);
        MAYBE(known); /* The list may have ended meanwhile. */
    }
    quorum->depth--;
}

/* -- Small questions. */

void quorum_log(struct quorum *quorum, int level, const char *format, ...)
{
    char text[512];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    quorum->options.io.log(quorum->options.io.context, level, text);
}

const uint16_t *owners_of(const struct quorum *quorum, uint16_t partition, unsigned *count)
{
    *count = place_owners_count(quorum->options.place);
    return place_owners(quorum->options.place, partition);
}

int owner_index(const struct quorum *quorum, uint16_t partition, uint16_t member)
{
    return place_index_of(quorum->options.place, partition, member);
}

uint16_t partition_of_key(const struct quorum *quorum, struct bytes key)
{
    return slot_partition(key_slot(key), quorum->options.partitions_count);
}

void hear_hlc(struct quorum *quorum, uint64_t hlc)
{
    if (!MUTANT(hlc_falls)) {
        quorum->hlc = MAX(quorum->hlc, hlc);
    }
}

void quorum_hear_hlc(struct quorum *quorum, uint64_t hlc)
{
    hear_hlc(quorum, hlc);
}

uint64_t quorum_sequence(const struct quorum *quorum)
{
    return quorum->sequence;
}

uint64_t quorum_hlc(const struct quorum *quorum)
{
    return quorum->hlc;
}

bool quorum_member_live(const struct quorum *quorum, uint16_t member)
{
    return member == quorum->options.self || quorum->members[member].live;
}

void quorum_effective(const struct quorum *quorum, uint8_t *n, uint8_t *r, uint8_t *w)
{
    *n = quorum->n;
    *r = quorum->r;
    *w = quorum->w;
}

bool quorum_partition_reachable(const struct quorum *quorum, uint16_t partition)
{
    unsigned count, live = 0;
    const uint16_t *owners = owners_of(quorum, partition, &count);

    for (unsigned i = 0; i < count; i++) {
        live += quorum_member_live(quorum, owners[i]);
    }
    return live >= MAX(quorum->r, quorum->w);
}

bool quorum_idle(const struct quorum *quorum)
{
    return quorum->requests.count == 0 && quorum->loads_count == 0 &&
           quorum->durable_waiting == 0 && quorum->lists.count == 0;
}

const struct clock *quorum_clock(const struct quorum *quorum, uint16_t partition)
{
    return &quorum->partitions[partition].clock;
}

void quorum_stats(const struct quorum *quorum, struct quorum_stats *out)
{
    *out = quorum->stats;
    out->cache_hits = quorum->cache.hits;
    out->cache_misses = quorum->cache.misses;
    out->cache_bytes = quorum->cache.bytes;
    out->cache_entries = quorum->cache.count;
    out->requests = quorum->requests.count;
    out->loads = quorum->loads_count;
    out->waiting_durable = quorum->durable_waiting;
    for (uint32_t i = 0; i < quorum->options.partitions_count; i++) {
        out->log_entries += quorum->partitions[i].log.count;
        out->log_bytes += quorum->partitions[i].log.entries.size;
        out->log_truncated += quorum->partitions[i].log.truncated;
    }
}
