/* quorum/repair.c - durable clocks, what they allow to be collected, and the writes that were
 * missed.
 *
 * Every period owners tell each other the durable clocks of shared partitions, where they changed.
 * A clock that covers dots we lack for longer than a grace period means missed writes: we send our
 * clock, the other lists the keys of its log that we lack (DottedDB, section 4.2: anti-entropy). */
#include "quorum/state.h"

enum {
    CLOCKS_PER_MESSAGE = 256,
    MISSING_GRACE_MS = 1500,   /* In-flight deltas and acks have arrived by then. */
    MISSING_PER_EXCHANGE = 64, /* Partitions asked about at once. */
    STATE_KEYS_MAX = 64,
    STATE_BYTES_MAX = 256 * 1024,
    TOMBSTONES_PER_EXCHANGE = 8192,
};

/* The sequence of the newest write that may be reflected in our state. */
static uint64_t sequence_now(const struct quorum *quorum)
{
    return quorum->sequence - (quorum->batch_open ? 0 : 1);
}

static void tell_clocks(struct quorum *quorum, uint16_t member)
{
    struct message_clock *clocks =
        ARENA_ARRAY(&quorum->step, struct message_clock, CLOCKS_PER_MESSAGE);
    struct message message = {.type = MESSAGE_CLOCKS, .clocks = clocks};

    for (uint32_t p = 0; p < quorum->options.partitions_count; p++) {
        struct partition *partition = &quorum->partitions[p];
        int theirs = owner_index(quorum, (uint16_t)p, member);
        int ours = owner_index(quorum, (uint16_t)p, quorum->options.self);
        if (theirs < 0 || ours < 0 || partition->told[theirs] == partition->clock_version) {
            continue;
        }
        partition->told[theirs] = partition->clock_version;
        clocks[message.clocks_count++] = (struct message_clock){(uint16_t)p, partition->clock};
        quorum->stats.clocks_sent++;
        if (message.clocks_count == CLOCKS_PER_MESSAGE) {
            send_when_durable(quorum, member, &message,
                              MUTANT(collect_volatile_clock) ? 0 : sequence_now(quorum));
            message.clocks_count = 0;
        }
    }
    if (message.clocks_count > 0) {
        send_when_durable(quorum, member, &message,
                          MUTANT(collect_volatile_clock) ? 0 : sequence_now(quorum));
    }
}

void repair_on_clocks(struct quorum *quorum, uint16_t from, const struct message *message)
{
    for (uint32_t i = 0; i < message->clocks_count; i++) {
        const struct message_clock *told = &message->clocks[i];
        if (told->partition >= quorum->options.partitions_count) {
            continue;
        }
        int owner = owner_index(quorum, told->partition, from);
        if (owner >= 0) {
            partition_seen(&quorum->partitions[told->partition], (unsigned)owner, &told->clock);
        }
    }
}

/* Ask an owner whose clock covers dots that we have been lacking for longer than the grace period.
 */
static bool ask_missing(struct quorum *quorum, uint16_t index, unsigned owners_count,
                        const uint16_t *owners)
{
    struct partition *partition = &quorum->partitions[index];

    for (unsigned i = 0; i < owners_count; i++) {
        if (owners[i] == quorum->options.self || !partition->seen_valid[i]) {
            continue;
        }
        if (clock_covers(&partition->clock, &partition->seen[i])) {
            partition->seen_missing_since_ns[i] = 0;
            continue;
        }
        if (partition->seen_missing_since_ns[i] == 0) {
            partition->seen_missing_since_ns[i] = quorum->now.ns;
        }
        uint64_t lacking_ns = quorum->now.ns - partition->seen_missing_since_ns[i];
        if (lacking_ns < (uint64_t)MISSING_GRACE_MS * 1000000 ||
            !quorum_member_live(quorum, owners[i])) {
            continue;
        }
        partition->seen_missing_since_ns[i] = quorum->now.ns;
        struct message_clock clock = {index, partition->clock};
        struct message message = {
            .type = MESSAGE_MISSING, .partition = index, .clocks = &clock, .clocks_count = 1};
        send_message(quorum, owners[i], &message);
        return true;
    }
    return false;
}

/* Look at every key that may hold a tombstone; those that must stay are noted again. */
static uint32_t collect_tombstones(struct quorum *quorum, uint16_t index, uint32_t budget)
{
    struct partition *partition = &quorum->partitions[index];
    size_t at = 0;
    uint32_t looked = 0;

    /* Only what is noted now: looking at a key may note it once more, at the end. */
    uint32_t count = MIN(partition->tombstones_count, budget);
    struct bytes noted = arena_copy_bytes(&quorum->step, buf_bytes(&partition->tombstones));
    while (looked < count) {
        uint32_t size = be32_at(noted.data + at);
        at += 4 + size;
        looked++;
    }
    buf_consume(&partition->tombstones, at);
    partition->tombstones_count -= looked;
    for (size_t i = 0; i < at;) {
        uint32_t size = be32_at(noted.data + i);
        struct bytes key = {noted.data + i + 4, size};
        struct object object;
        uint64_t sequence;
        i += 4 + size;
        if (store_load(quorum, key, (struct waiter){.kind = WAITER_TIDY}, &object, &sequence) ==
            LOAD_READY) {
            sweep_tidy_key(quorum, key, &object);
        }
    }
    return looked;
}

static void collect_segments(struct quorum *quorum)
{
    const struct quorum_io *io = &quorum->options.io;

    for (uint64_t segment = segments_take_dead(&quorum->segments, quorum->sequence); segment != 0;
         segment = segments_take_dead(&quorum->segments, quorum->sequence)) {
        uint8_t key[8];
        be64_set(key, segment);
        io->put(io->context, QUORUM_FAMILY_LOG, (struct bytes){key, sizeof(key)}, NULL);
        quorum->batch_open = true;
    }
}

void repair_exchange(struct quorum *quorum)
{
    uint32_t tombstones = TOMBSTONES_PER_EXCHANGE, missing = MISSING_PER_EXCHANGE;

    quorum->exchange_at_ns = quorum->now.ns + (uint64_t)quorum->options.clock_exchange_ms * 1000000;
    /* Beginning elsewhere each time, so that no partition eats the budgets of those behind it. */
    uint32_t start = quorum->exchange_start;
    quorum->exchange_start = (start + 61) % quorum->options.partitions_count;
    for (uint32_t i = 0; i < quorum->options.partitions_count; i++) {
        uint32_t p = (start + i) % quorum->options.partitions_count;
        struct partition *partition = &quorum->partitions[p];
        unsigned owners_count;
        const uint16_t *owners = owners_of(quorum, (uint16_t)p, &owners_count);
        int self = owner_index(quorum, (uint16_t)p, quorum->options.self);
        if (self < 0) {
            continue;
        }
        (void)partition_collect_log(partition, &quorum->segments, owners_count, (unsigned)self,
                                    quorum->options.log_partition_max_bytes);
        if (partition->tombstones_count > 0 && tombstones > 0 &&
            partition_may_forget(partition, owners_count, (unsigned)self)) {
            tombstones -= collect_tombstones(quorum, (uint16_t)p, tombstones);
        }
        if (missing > 0 && ask_missing(quorum, (uint16_t)p, owners_count, owners)) {
            missing--;
        }
        if (partition->checkpoint_due && !MUTANT(checkpoint_missing)) {
            store_checkpoint(quorum, (uint16_t)p);
        }
    }
    collect_segments(quorum);
    for (uint16_t m = 0; m < quorum->options.members_count; m++) {
        if (m != quorum->options.self && quorum_member_live(quorum, m)) {
            tell_clocks(quorum, m);
        }
    }
}

void repair_on_member(struct quorum *quorum, uint16_t member, bool live)
{
    /* What it told us was durable and stays true; but it may have missed what we told it. */
    for (uint32_t p = 0; p < quorum->options.partitions_count; p++) {
        int owner = owner_index(quorum, (uint16_t)p, member);
        if (owner >= 0) {
            quorum->partitions[p].told[owner] = 0;
        }
    }
    if (live && quorum->serving) {
        quorum->exchange_at_ns = quorum->now.ns;
    }
}

/* -- Missed writes: the answer. */

static bool keys_have(const struct message_key *keys, uint32_t count, struct bytes key)
{
    for (uint32_t i = 0; i < count; i++) {
        if (bytes_equal(keys[i].key, key)) {
            return true;
        }
    }
    return false;
}

/* Choose the first keys of the log that the asker lacks. Return how many log entries it lacks. */
static uint64_t choose_keys(const struct partition *partition, const struct clock *theirs,
                            struct message_key *keys, uint32_t *keys_count, bool *complete)
{
    struct dotlog_entry entry;
    uint64_t lacking = 0;
    size_t at = 0;

    *keys_count = 0;
    *complete = true;
    while (dotlog_next(&partition->log, &at, &entry)) {
        if (clock_has(theirs, entry.dot)) {
            continue;
        }
        lacking++;
        if (keys_have(keys, *keys_count, entry.key)) {
            continue;
        }
        if (*keys_count == STATE_KEYS_MAX) {
            *complete = false;
            continue;
        }
        keys[(*keys_count)++] = (struct message_key){.key = entry.key};
    }
    return lacking;
}

/* Fill in what we hold of each key. Return false when one has to be read first. */
static bool fill_keys(struct quorum *quorum, uint16_t from, const struct message *missing,
                      struct message_key *keys, uint32_t *count, bool *complete)
{
    size_t bytes = 0;

    for (uint32_t i = 0; i < *count; i++) {
        struct object object;
        uint64_t sequence;
        if (i > 0 && !store_peek(quorum, keys[i].key, &object, &sequence)) {
            /* Read it for the next question, and answer with what there is: waiting for each key in
             * turn could push the first ones out again. */
            (void)store_load(quorum, keys[i].key, (struct waiter){.kind = WAITER_TIDY}, &object,
                             &sequence);
            *count = i;
            *complete = false;
            return true;
        }
        if (i == 0 && store_load(quorum, keys[i].key, waiter_for_message(from, missing), &object,
                                 &sequence) == LOAD_WAITING) {
            return false;
        }
        for (uint32_t j = 0; j < object.versions_count; j++) {
            bytes += 64 + object.versions[j].payload.size;
        }
        if (i > 0 && bytes > STATE_BYTES_MAX) {
            *count = i;
            *complete = false;
            return true;
        }
        keys[i].versions = object.versions;
        keys[i].versions_count = object.versions_count;
        keys[i].residual = object.residual;
        keys[i].residual_count = object.residual_count;
    }
    return true;
}

void repair_on_missing(struct quorum *quorum, uint16_t from, const struct message *missing)
{
    struct partition *partition = &quorum->partitions[missing->partition];
    struct message_key *keys = ARENA_ARRAY(&quorum->step, struct message_key, STATE_KEYS_MAX);
    struct message_clock clock = {missing->partition, partition->clock};
    struct message state = {
        .type = MESSAGE_STATE,
        .partition = missing->partition,
        .clocks = &clock,
        .clocks_count = 1,
        .keys = keys,
    };

    if (missing->clocks_count != 1 ||
        owner_index(quorum, missing->partition, quorum->options.self) < 0 ||
        owner_index(quorum, missing->partition, from) < 0) {
        return;
    }
    const struct clock *theirs = &missing->clocks[0].clock;
    uint64_t lacking = choose_keys(partition, theirs, keys, &state.keys_count, &state.complete);
    state.truncated = lacking < clock_missing_count(&partition->clock, theirs);
    /* What the log still has is sent all the same: only the dots it names are joined. */
    if (!fill_keys(quorum, from, missing, keys, &state.keys_count, &state.complete)) {
        return;
    }
    struct message_logged *logged =
        ARENA_ARRAY(&quorum->step, struct message_logged, partition->log.count);
    struct dotlog_entry entry;
    size_t at = 0;
    while (dotlog_next(&partition->log, &at, &entry)) {
        if (!clock_has(theirs, entry.dot) && keys_have(keys, state.keys_count, entry.key)) {
            logged[state.logged_count++] = (struct message_logged){entry.dot, entry.key};
        }
    }
    state.logged = logged;
    quorum->stats.states_sent++;
    quorum->stats.state_keys += state.keys_count;
    send_when_durable(quorum, from, &state, sequence_now(quorum));
}

/* -- Missed writes: joining the answer. */

/* One key is joined in one step, with the dots that the sender's log names for it: an answer about
 * one key, complete in itself. */
static void join_key(struct quorum *quorum, const struct message *state,
                     const struct message_key *key, const struct object *before)
{
    struct partition *partition = &quorum->partitions[state->partition];
    struct object object = object_clone(before, &quorum->step);

    for (uint32_t i = 0; i < key->versions_count; i++) {
        hear_hlc(quorum, key->versions[i].timestamp);
    }
    partition_join_key(partition, &object, &state->clocks[0].clock, key->versions,
                       key->versions_count, key->residual, key->residual_count, &quorum->step);
    for (uint32_t i = 0; i < state->logged_count; i++) {
        const struct message_logged *logged = &state->logged[i];
        if (bytes_equal(logged->key, key->key) && clock_add(&partition->clock, logged->dot)) {
            partition->clock_version++;
            store_log(quorum, state->partition, logged->dot, key->key);
        }
    }
    object_tidy(&object, &partition->clock);
    store_save(quorum, key->key, &object, before);
}

void repair_on_state(struct quorum *quorum, uint16_t from, const struct message *state)
{
    struct partition *partition = &quorum->partitions[state->partition];

    if (state->clocks_count != 1 || owner_index(quorum, state->partition, from) < 0 ||
        owner_index(quorum, state->partition, quorum->options.self) < 0) {
        return;
    }
    if (state->truncated && state->complete && state->keys_count > 0) {
        quorum_log(quorum, 2,
                   "partition %u: writes were missed that no log holds any more; reads repair them",
                   state->partition);
    }
    for (uint32_t i = 0; i < state->keys_count; i++) {
        struct message rest = *state; /* What is left to do should this key have to be read. */
        struct object object;
        uint64_t sequence;
        rest.keys = &state->keys[i];
        rest.keys_count = state->keys_count - i;
        if (partition_of_key(quorum, state->keys[i].key) != state->partition) {
            return; /* No correct member sends this. */
        }
        if (store_load(quorum, state->keys[i].key, waiter_for_message(from, &rest), &object,
                       &sequence) == LOAD_WAITING) {
            return;
        }
        join_key(quorum, state, &state->keys[i], &object);
    }
    if (MUTANT(state_partial_clock)) {
        partition_join_clock(partition, &state->clocks[0].clock);
    }
    quorum->stats.states_joined++;
    if (!state->complete && state->keys_count > 0) {
        struct message_clock clock = {state->partition, partition->clock};
        struct message message = {.type = MESSAGE_MISSING,
                                  .partition = state->partition,
                                  .clocks = &clock,
                                  .clocks_count = 1};
        send_message(quorum, from, &message);
    }
}
