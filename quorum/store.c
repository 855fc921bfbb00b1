/* quorum/store.c - keys to objects: cache, disk reads, and the writes of the open batch. */
#include "quorum/state.h"

#include "base/hash.h"

#include <string.h>

struct waiter waiter_for_request(uint64_t id)
{
    return (struct waiter){.kind = WAITER_REQUEST, .id = id};
}

struct waiter waiter_for_message(uint16_t from, const struct message *message)
{
    return (struct waiter){.kind = WAITER_MESSAGE, .from = from, .message = message};
}

static struct load *load_find(struct quorum *quorum, struct bytes key, uint64_t hash)
{
    struct load *load = map_get(&quorum->loads_by_key, hash);

    while (load != NULL &&
           (load->key_size != key.size || memcmp(load->key, key.data, key.size) != 0)) {
        load = load->hash_next;
    }
    return load;
}

static void load_add_waiter(struct load *load, const struct waiter *template)
{
    struct waiter *waiter = mem_alloc(sizeof(*waiter));

    *waiter = *template;
    waiter->next = NULL;
    if (waiter->message != NULL) {
        /* The message is borrowed from a frame that will be gone when the disk answers. */
        arena_init(&waiter->arena, 1024);
        waiter->message = message_copy(waiter->message, &waiter->arena);
    }
    if (MUTANT(lost_load_waiter) && load->first != NULL) {
        mem_free(waiter);
        return;
    }
    *load->last = waiter;
    load->last = &waiter->next;
}

static void load_start(struct quorum *quorum, struct bytes key, const struct waiter *waiter)
{
    uint64_t hash = hash_seeded(key, quorum->options.hash_seed);
    struct load *load = load_find(quorum, key, hash);

    if (load != NULL) {
        load_add_waiter(load, waiter);
        return;
    }
    load = mem_alloc(sizeof(*load) + key.size);
    load->id = ++quorum->load_next;
    load->key_hash = hash;
    load->first = NULL;
    load->last = &load->first;
    load->key_size = key.size;
    memcpy(load->key, key.data, key.size);
    load->hash_next = map_set(&quorum->loads_by_key, hash, load);
    (void)map_set(&quorum->loads_by_id, load->id, load);
    quorum->loads_count++;
    load_add_waiter(load, waiter);
    quorum->options.io.read(quorum->options.io.context, load->id, key);
}

static void load_unlink(struct quorum *quorum, struct load *load)
{
    struct load *head = map_remove(&quorum->loads_by_key, load->key_hash);

    if (head == load) {
        head = load->hash_next;
    } else {
        struct load *at = head;
        while (at->hash_next != load) {
            at = at->hash_next;
        }
        at->hash_next = load->hash_next;
    }
    if (head != NULL) {
        (void)map_set(&quorum->loads_by_key, load->key_hash, head);
    }
    (void)map_remove(&quorum->loads_by_id, load->id);
    quorum->loads_count--;
}

/* Decode what the cache holds; the record was checked when it entered the cache. */
static void decode_entry(struct quorum *quorum, const struct cache_entry *entry, struct bytes key,
                         struct object *object)
{
    object_init(object);
    if (entry->record_size > 0) {
        enum err err = object_decode(cache_record(entry), key, &quorum->step, object);
        ASSERT(err == OK);
    }
}

bool store_peek(struct quorum *quorum, struct bytes key, struct object *object, uint64_t *sequence)
{
    struct cache_entry *entry = cache_find(&quorum->cache, key);

    if (entry == NULL) {
        return false;
    }
    decode_entry(quorum, entry, key, object);
    *sequence = entry->sequence;
    return true;
}

enum load_result store_load(struct quorum *quorum, struct bytes key, struct waiter waiter,
                            struct object *object, uint64_t *sequence)
{
    if (store_peek(quorum, key, object, sequence)) {
        return LOAD_READY;
    }
    load_start(quorum, key, &waiter);
    return LOAD_WAITING;
}

void store_save(struct quorum *quorum, struct bytes key, struct object *object,
                const struct object *before)
{
    const struct quorum_io *io = &quorum->options.io;
    struct bytes record = {NULL, 0};

    sweep_on_change(quorum, key, before, object);
    buf_clear_shrink(&quorum->scratch, 1024 * 1024);
    if (!object_is_empty(object)) {
        object_encode(object, key, &quorum->scratch);
        record = buf_bytes(&quorum->scratch);
    }
    (void)cache_put(&quorum->cache, key, record, quorum->sequence, quorum->durable);
    quorum->batch_open = true;
    io->put(io->context, QUORUM_FAMILY_DATA, key, record.size > 0 ? &record : NULL);
}

void store_log(struct quorum *quorum, uint16_t partition, struct dot dot, struct bytes key)
{
    struct buf *segment = &quorum->segment;

    buf_put_be16(segment, partition);
    buf_put_be64(segment, dot.actor);
    buf_put_varint(segment, dot.counter);
    buf_put_varint(segment, key.size);
    buf_put_bytes(segment, key);
    dotlog_append(&quorum->partitions[partition].log, &quorum->segments, dot, quorum->sequence,
                  key);
    quorum->batch_open = true;
}

void store_put_meta(struct quorum *quorum, struct bytes key, struct bytes value)
{
    const struct quorum_io *io = &quorum->options.io;

    io->put(io->context, QUORUM_FAMILY_META, key, &value);
    quorum->batch_open = true;
}

void store_checkpoint(struct quorum *quorum, uint16_t index)
{
    struct partition *partition = &quorum->partitions[index];
    struct buf value;
    char name[32];

    struct arena *arena = &quorum->step;
    buf_init(&value, SIZE_MAX);
    clock_encode(&partition->clock, &value);
    struct bytes copy = arena_copy_bytes(arena, buf_bytes(&value));
    buf_release(&value);
    name[0] = 'c'; /* "c" and the partition's number, see quorum_recover_clock. */
    be16_set((uint8_t *)name + 1, index);
    store_put_meta(quorum, (struct bytes){(const uint8_t *)name, 3}, copy);
    partition->checkpoint_due = false;
}

/* Hand the object, or the error, to one who waited. */
static void waiter_wake(struct quorum *quorum, struct waiter *waiter, struct bytes key,
                        enum err err)
{
    struct object object;
    uint64_t sequence = 0;

    if (waiter->kind == WAITER_REQUEST) {
        /* An earlier waiter may have caused an eviction; then the request loads again. */
        bool held = err == OK && store_peek(quorum, key, &object, &sequence);
        if (err == OK && !held) {
            load_start(quorum, key, waiter);
            return;
        }
        request_on_loaded(quorum, waiter->id, err, &object, sequence);
    } else if (waiter->kind == WAITER_TIDY) {
        if (err == OK && store_peek(quorum, key, &object, &sequence)) {
            sweep_tidy_key(quorum, key, &object);
        } else {
            sweep_retry_key(quorum, key);
        }
    } else if (err != OK) {
        replica_on_unreadable(quorum, waiter->from, waiter->message);
    } else {
        message_dispatch(quorum, waiter->from, waiter->message);
    }
}

void quorum_on_read(struct quorum *quorum, struct now now, uint64_t id, enum err err,
                    struct bytes record)
{
    struct load *load = map_get(&quorum->loads_by_id, id);
    struct object object;

    quorum->now = now;
    if (load == NULL) {
        return;
    }
    if (quorum->depth++ == 0) {
        arena_reset(&quorum->step);
    }
    struct bytes key = {load->key, load->key_size};
    load_unlink(quorum, load);
    if (err == ERR_NOT_FOUND || (err != OK && MUTANT(not_found_on_error))) {
        record = (struct bytes){NULL, 0};
        err = OK;
    } else if (err == OK) {
        err = object_decode(record, key, &quorum->step, &object);
    }
    if (err == OK) {
        (void)cache_put(&quorum->cache, key, record, 0, quorum->durable);
    } else {
        quorum->stats.corrupt_records++;
        quorum_log(quorum, 3, "a record of slot %u cannot be read: %s", key_slot(key),
                   err_text(err));
    }
    for (struct waiter *waiter = load->first; waiter != NULL;) {
        struct waiter *next = waiter->next;
        waiter_wake(quorum, waiter, key, err);
        if (waiter->message != NULL) {
            arena_release(&waiter->arena);
        }
        mem_free(waiter);
        waiter = next;
    }
    mem_free(load);
    quorum->depth--;
}
