/* quorum/sweep.c - a slow walk over the stored keys: expiry, forgotten tombstones, counts of keys.
 *
 * The first pass after a start visits every slot and counts. Later a slot is visited again only
 * when something in it falls due: the earliest expiry found there, plus the drift that clocks may
 * have. */
#include "quorum/state.h"

#include "base/hash.h"
#include "ring/slot.h"

enum {
    SWEEP_ENTRIES_MAX = 1000,
    SWEEP_BYTES_MAX = 4 * 1024 * 1024,
    SWEEP_PERIOD_MS = 10,             /* Between scans while there is work. */
    SWEEP_FAILED_MS = 1000,           /* After a scan that failed. */
    SWEEP_IDLE_MS = 250,              /* Between looks at what is due. */
    TOMBSTONES_NOTED_MAX = 64 * 1024, /* Bytes per partition; beyond, the sweep finds them. */
    RETRY_MS = 5000,
};

struct key_state {
    bool live, expires;
};

struct slot_state {
    uint32_t keys[QUORUM_DATABASES], expires[QUORUM_DATABASES];
    int64_t due_ms;
};

struct sweep {
    struct slot_state *slots;
    uint32_t first_pass; /* Slots below it have been counted. */
    struct bytes from;   /* Where the running scan, or the next of this pass, begins. */
    struct buf from_key;
    uint32_t slot, slot_end; /* The running scan's slots. */
    bool counting;           /* The running scan belongs to the first pass. */
    uint64_t scan_id;        /* 0: none is running. */
    uint64_t scan_next;
    uint64_t at_ns;
    int64_t wall_ms;    /* At the last look. */
    uint32_t cursor;    /* Where the search for due slots goes on. */
    struct map changed; /* Keys changed while a counting scan runs: hash -> struct changed. */
    struct arena arena; /* Of `changed`. */
};

/* The scan may have seen this key before or after its change: its state now is what counts. */
struct changed {
    struct bytes key;
    struct key_state state;
};

/* Scan ids of the sweep have the top bit; those of lists have not. */
static const uint64_t SWEEP_ID = 1ULL << 63;

void sweep_init(struct quorum *quorum)
{
    struct sweep *sweep = mem_alloc_zero(1, sizeof(*sweep));

    sweep->slots = mem_alloc_zero(SLOTS_COUNT, sizeof(sweep->slots[0]));
    for (uint32_t i = 0; i < SLOTS_COUNT; i++) {
        sweep->slots[i].due_ms = INT64_MAX;
    }
    map_init(&sweep->changed);
    arena_init(&sweep->arena, 4096);
    buf_init(&sweep->from_key, SIZE_MAX);
    quorum->sweep = sweep;
}

void sweep_release(struct quorum *quorum)
{
    mem_free(quorum->sweep->slots);
    map_release(&quorum->sweep->changed);
    arena_release(&quorum->sweep->arena);
    buf_release(&quorum->sweep->from_key);
    mem_free(quorum->sweep);
}

static struct key_state state_of(const struct object *object)
{
    struct key_state state = {0};

    for (uint32_t i = 0; i < object->versions_count; i++) {
        const struct version *version = &object->versions[i];
        state.live = state.live || version->kind != VERSION_TOMBSTONE;
        state.expires = state.expires || version->expiry_ms != 0;
    }
    return state;
}

static void count(struct slot_state *slot, uint8_t database, struct key_state state, int sign)
{
    slot->keys[database] += state.live ? (uint32_t)sign : 0;
    slot->expires[database] += state.live && state.expires ? (uint32_t)sign : 0;
}

/* When the slot of an object must be looked at again: its earliest expiry, as all clocks see it. */
static int64_t due_of(const struct quorum *quorum, const struct object *object)
{
    int64_t due = INT64_MAX;

    for (uint32_t i = 0; i < object->versions_count; i++) {
        const struct version *version = &object->versions[i];
        int64_t limit = INT64_MAX - quorum->options.max_clock_drift_ms;
        if (version->expiry_ms != 0 && version->expiry_ms < limit) {
            due = MIN(due, version->expiry_ms + quorum->options.max_clock_drift_ms);
        }
    }
    return due;
}

static bool has_tombstone(const struct object *object)
{
    for (uint32_t i = 0; i < object->versions_count; i++) {
        if (object->versions[i].kind == VERSION_TOMBSTONE) {
            return true;
        }
    }
    return false;
}

static void note_tombstone(struct quorum *quorum, struct bytes key)
{
    struct partition *partition = &quorum->partitions[partition_of_key(quorum, key)];
    struct slot_state *slot = &quorum->sweep->slots[key_slot(key)];

    if (partition->tombstones.size < TOMBSTONES_NOTED_MAX) {
        partition_note_tombstone(partition, key);
    } else {
        slot->due_ms = MIN(slot->due_ms, quorum->now.wall_ms + RETRY_MS);
    }
}

/* The first pass has been here. */
static bool is_counted(const struct sweep *sweep, struct bytes key)
{
    if (sweep->from_key.size > 0 && sweep->first_pass < SLOTS_COUNT) {
        return bytes_compare(key, buf_bytes(&sweep->from_key)) < 0;
    }
    return key_slot(key) < sweep->first_pass;
}

static void note_changed(struct quorum *quorum, struct bytes key, struct key_state state)
{
    struct sweep *sweep = quorum->sweep;
    uint64_t hash = hash_seeded(key, quorum->options.hash_seed);
    struct changed *changed = map_get(&sweep->changed, hash);

    if (changed == NULL) {
        changed = arena_alloc(&sweep->arena, sizeof(*changed));
        changed->key = arena_copy_bytes(&sweep->arena, key);
        (void)map_set(&sweep->changed, hash, changed);
    }
    changed->state = state;
}

void sweep_on_change(struct quorum *quorum, struct bytes key, const struct object *before,
                     const struct object *after)
{
    struct sweep *sweep = quorum->sweep;
    struct slot_state *slot = &sweep->slots[key_slot(key)];
    uint8_t database = key_database(key) % QUORUM_DATABASES;

    if (is_counted(sweep, key)) {
        count(slot, database, state_of(before), -1);
        count(slot, database, state_of(after), 1);
    } else if (sweep->scan_id != 0) {
        note_changed(quorum, key, state_of(after));
    } /* Else the first pass will find the key as it is by then. */
    slot->due_ms = MIN(slot->due_ms, due_of(quorum, after));
    if (has_tombstone(after)) {
        note_tombstone(quorum, key);
    }
}

void sweep_tidy_key(struct quorum *quorum, struct bytes key, struct object *before)
{
    uint16_t index = partition_of_key(quorum, key);
    struct partition *partition = &quorum->partitions[index];
    struct object object = object_clone(before, &quorum->step);
    unsigned owners_count;
    int self = owner_index(quorum, index, quorum->options.self);
    uint32_t residual = object.residual_count;

    (void)owners_of(quorum, index, &owners_count);
    if (self < 0) {
        return;
    }
    int64_t limit_ms = quorum->now.wall_ms - quorum->options.max_clock_drift_ms;
    unsigned expired = object_expire(&object, limit_ms, &quorum->step);
    bool forgot = false;
    if (partition_may_forget(partition, owners_count, (unsigned)self)) {
        forgot = partition_forget(partition, &object, owners_count, (unsigned)self);
    }
    object_tidy(&object, &partition->clock);
    quorum->stats.versions_expired += expired;
    quorum->stats.tombstones_collected += forgot;
    if (expired > 0 || forgot || object.residual_count != residual) {
        store_save(quorum, key, &object, before);
    } else if (has_tombstone(&object)) {
        note_tombstone(quorum, key);
    }
}

/* -- Scanning. */

static void scan_start(struct quorum *quorum, uint32_t slot, uint32_t slot_end, bool counting)
{
    struct sweep *sweep = quorum->sweep;
    const struct quorum_io *io = &quorum->options.io;
    struct bytes from = buf_bytes(&sweep->from_key);
    struct bytes to = {NULL, 0};

    if (from.size == 0) {
        from = key_at_slot(&quorum->step, slot);
    }
    if (slot_end < SLOTS_COUNT) {
        to = key_at_slot(&quorum->step, slot_end);
    }
    sweep->slot = slot;
    sweep->slot_end = slot_end;
    sweep->counting = counting;
    sweep->scan_id = SWEEP_ID | ++sweep->scan_next;
    io->scan(io->context, sweep->scan_id, from, to, SWEEP_ENTRIES_MAX, SWEEP_BYTES_MAX);
}

uint64_t sweep_deadline_ns(const struct quorum *quorum)
{
    return quorum->sweep->scan_id != 0 ? UINT64_MAX : quorum->sweep->at_ns;
}

/* The wall clock was set back: what was to be looked at in an hour is looked at now. */
static void clock_fell(struct quorum *quorum)
{
    for (uint32_t i = 0; i < SLOTS_COUNT; i++) {
        struct slot_state *slot = &quorum->sweep->slots[i];
        if (slot->due_ms != INT64_MAX) {
            slot->due_ms = MIN(slot->due_ms, quorum->now.wall_ms);
        }
    }
}

void sweep_on_timer(struct quorum *quorum)
{
    struct sweep *sweep = quorum->sweep;

    if (quorum->now.wall_ms < sweep->wall_ms) {
        clock_fell(quorum);
    }
    sweep->wall_ms = quorum->now.wall_ms;
    if (sweep->first_pass < SLOTS_COUNT) {
        scan_start(quorum, sweep->first_pass, SLOTS_COUNT, true);
        return;
    }
    for (uint32_t i = 0; i < SLOTS_COUNT; i++) {
        uint32_t slot = (sweep->cursor + i) % SLOTS_COUNT;
        if (sweep->slots[slot].due_ms <= quorum->now.wall_ms) {
            sweep->slots[slot].due_ms = INT64_MAX;
            sweep->cursor = slot + 1;
            scan_start(quorum, slot, slot + 1, false);
            return;
        }
    }
    sweep->at_ns = quorum->now.ns + (uint64_t)SWEEP_IDLE_MS * 1000000;
}

static void sweep_entry(struct quorum *quorum, const struct quorum_scanned *entry)
{
    struct sweep *sweep = quorum->sweep;
    struct object object;

    if (entry->key.size <= KEY_PREFIX_SIZE ||
        object_decode(entry->value, entry->key, &quorum->step, &object) != OK) {
        quorum->stats.corrupt_records++;
        return;
    }
    struct slot_state *slot = &sweep->slots[key_slot(entry->key)];
    struct key_state state = state_of(&object);
    int64_t due = due_of(quorum, &object);
    if (due <= quorum->now.wall_ms || has_tombstone(&object) || object.residual_count > 0) {
        uint64_t sequence;
        if (store_load(quorum, entry->key, (struct waiter){.kind = WAITER_TIDY}, &object,
                       &sequence) == LOAD_READY) {
            sweep_tidy_key(quorum, entry->key, &object);
        }
    } else {
        slot->due_ms = MIN(slot->due_ms, due);
    }
    /* Tidying may just have changed it; then count_changed counts it. */
    if (sweep->counting &&
        map_get(&sweep->changed, hash_seeded(entry->key, quorum->options.hash_seed)) == NULL) {
        count(slot, key_database(entry->key) % QUORUM_DATABASES, state, 1);
    }
}

/* What could not be read is looked at again later. */
static void retry_slots(struct quorum *quorum, uint32_t slot, uint32_t slot_end)
{
    int64_t due = quorum->now.wall_ms + RETRY_MS;

    for (; slot < slot_end; slot++) {
        quorum->sweep->slots[slot].due_ms = MIN(quorum->sweep->slots[slot].due_ms, due);
    }
}

void sweep_retry_key(struct quorum *quorum, struct bytes key)
{
    retry_slots(quorum, key_slot(key), key_slot(key) + 1U);
}

/* Count the keys that changed during the scan, as far as it reached. */
static void count_changed(struct sweep *sweep, struct bytes covered)
{
    MAP_FOR (i, &sweep->changed) {
        const struct changed *changed = sweep->changed.slots[i].value;
        struct slot_state *slot = &sweep->slots[key_slot(changed->key)];
        if (covered.size == 0 || bytes_compare(changed->key, covered) <= 0) {
            count(slot, key_database(changed->key) % QUORUM_DATABASES, changed->state, 1);
        }
    }
    map_release(&sweep->changed);
    arena_reset(&sweep->arena);
}

/* The first pass tries the same range again; a slot that was due stays due. */
static void scan_failed(struct quorum *quorum, enum err err)
{
    struct sweep *sweep = quorum->sweep;

    quorum_log(quorum, 3, "the sweep cannot read slots %u to %u: %s", sweep->slot,
               sweep->slot_end - 1, err_text(err));
    if (!sweep->counting) {
        buf_clear(&sweep->from_key);
        retry_slots(quorum, sweep->slot, sweep->slot_end);
    }
    map_release(&sweep->changed);
    arena_reset(&sweep->arena);
    sweep->scan_id = 0;
    sweep->at_ns = quorum->now.ns + (uint64_t)SWEEP_FAILED_MS * 1000000;
}

bool sweep_on_scan(struct quorum *quorum, uint64_t id, enum err err,
                   const struct quorum_scanned *entries, size_t entries_count, bool more)
{
    struct sweep *sweep = quorum->sweep;

    if ((id & SWEEP_ID) == 0) {
        return false;
    }
    if (id != sweep->scan_id) {
        return true;
    }
    if (err != OK) {
        scan_failed(quorum, err);
        return true;
    }
    for (size_t i = 0; i < entries_count; i++) {
        sweep_entry(quorum, &entries[i]);
    }
    struct bytes covered = {NULL, 0}; /* Empty: all of the range. */
    buf_clear(&sweep->from_key);
    uint32_t next = sweep->slot_end;
    if (more && entries_count > 0) {
        /* Go on behind the last key: the key with a zero byte more is the next possible one. */
        const struct bytes last = entries[entries_count - 1].key;
        buf_put_bytes(&sweep->from_key, last);
        buf_put_u8(&sweep->from_key, 0);
        next = key_slot(last);
        covered = last;
    }
    if (sweep->counting) {
        count_changed(sweep, covered);
    }
    bool again = !sweep->counting && sweep->from_key.size > 0;
    sweep->first_pass = sweep->counting ? next : sweep->first_pass;
    sweep->scan_id = 0;
    if (again) { /* A slot with many keys: its rest at once. */
        scan_start(quorum, next, sweep->slot_end, false);
        return true;
    }
    sweep->at_ns = quorum->now.ns + (uint64_t)SWEEP_PERIOD_MS * 1000000;
    return true;
}

void sweep_counts(const struct quorum *quorum, uint16_t partition, uint64_t keys[QUORUM_DATABASES],
                  uint64_t expires[QUORUM_DATABASES])
{
    uint32_t partitions = quorum->options.partitions_count;
    uint32_t first = slot_partition_first(partition, partitions);
    uint32_t end = first + SLOTS_COUNT / partitions;

    for (uint32_t slot = first; slot < end; slot++) {
        for (unsigned d = 0; d < QUORUM_DATABASES; d++) {
            keys[d] += quorum->sweep->slots[slot].keys[d];
            expires[d] += quorum->sweep->slots[slot].expires[d];
        }
    }
}
