/* tests/fuzz/fuzz_record.c - what lies on the disk: records of keys, names of keys, clocks, the
 * log.
 *
 * Input: one byte of mode. 0: a record as it is; 1: a record that gets its checksum; 2: the name of
 * a key; 3: a clock; 4: entries of a whole disk under a node that starts. Properties:
 * - what is read, written again, is the bytes that it was: each value has one encoding;
 * - nothing is read from bytes that are cut off or have a bit changed, and a refusal changes
 * nothing;
 * - a record's versions can be ranked, expired and dropped, and written again;
 * - sets of dots obey the laws of sets. */
#include "base/hash.h"
#include "quorum/key.h"
#include "quorum/object.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/fuzz_object.h"

#include <string.h>

enum {
    MODE_RECORD,
    MODE_CHECKED_RECORD,
    MODE_KEY,
    MODE_CLOCK,
    MODES_COUNT,
    MEMORY_FACTOR = 32,
    MEMORY_SLACK = 64 * 1024,
    INTERVALS_MAX = 64,
};

enum mark {
    MARK_RECORD,
    MARK_RECORD_REFUSED,
    MARK_CORRUPT,
    MARK_KEY,
    MARK_CLOCK,
    MARK_CLOCK_REFUSED
};
const char *const FUZZ_MARKS[] = {"records", "records_refused", "corrupt", "keys",
                                  "clocks",  "clocks_refused",  NULL};

static const struct bytes KEY = {(const uint8_t *)"some stored key", 15};

/* ---- Records ---- */

/* Whatever is done to an object, it can be written and read again. */
static void check_object_again(const struct object *object, struct arena *arena)
{
    struct object again;
    struct buf out;

    if (object_is_empty(object)) {
        return;
    }
    buf_init(&out, SIZE_MAX);
    object_encode(object, KEY, &out);
    ASSERT(object_decode(buf_bytes(&out), KEY, arena, &again) == OK);
    ASSERT(again.versions_count == object->versions_count);
    ASSERT(again.residual_count == object->residual_count);
    ASSERT(fuzz_is_sorted(&again));
    buf_release(&out);
}

static void check_operations(const struct object *object, struct arena *arena)
{
    struct object copy = object_clone(object, arena);
    struct clock clock;

    clock_init(&clock);
    ASSERT(object->versions_count == 0 || object_top(object) != NULL);
    for (uint32_t i = 0; i < object->versions_count; i++) {
        ASSERT(object_find(object, object->versions[i].dot) == &object->versions[i]);
        (void)version_is_gone(&object->versions[i], 0);
    }
    (void)object_expire(&copy, INT64_MAX, arena);
    object_rank(&copy, arena);
    check_object_again(&copy, arena);
    copy = object_clone(object, arena);
    for (uint32_t i = 0; i < object->versions_count; i += 2) {
        object_drop(&copy, object->versions[i].dot, arena);
        ASSERT(object_find(&copy, object->versions[i].dot) == NULL);
        (void)clock_add(&clock, object->versions[i].dot);
    }
    check_object_again(&copy, arena);
    object_tidy(&copy, &clock);
    check_object_again(&copy, arena);
    clock_release(&clock);
}

static void check_damaged(struct bytes record, struct arena *arena)
{
    struct object object;
    struct prng prng;

    prng_init(&prng, hash_xxh3(record));
    for (unsigned i = 0; i < 4; i++) {
        uint8_t *changed = fuzz_exact(record);
        size_t at = (size_t)prng_below(&prng, record.size);
        changed[at] ^= (uint8_t)(1U << prng_below(&prng, 8));
        ASSERT(object_decode((struct bytes){changed, record.size}, KEY, arena, &object) != OK);
        ASSERT(object_decode((struct bytes){record.data, at}, KEY, arena, &object) != OK);
        mem_free(changed);
    }
    struct bytes other = {KEY.data, KEY.size - 1};
    ASSERT(object_decode(record, other, arena, &object) == ERR_CORRUPT);
}

static void check_record(struct bytes record)
{
    struct object object = {.versions_count = 12345};
    struct arena arena;
    struct buf again;

    arena_init(&arena, 1024);
    buf_init(&again, SIZE_MAX);
    struct fuzz_memory memory = fuzz_memory_begin();
    enum err err = object_decode(record, KEY, &arena, &object);
    ASSERT(fuzz_memory_taken(&memory) <= MEMORY_FACTOR * record.size + MEMORY_SLACK);
    ASSERT(err == OK || err == ERR_CORRUPT || err == ERR_MALFORMED || err == ERR_UNSUPPORTED);
    fuzz_mark(err == OK ? MARK_RECORD : err == ERR_CORRUPT ? MARK_CORRUPT : MARK_RECORD_REFUSED);
    ASSERT(err == OK || object.versions_count == 12345);
    if (err == OK && !object_is_empty(&object)) {
        object_encode(&object, KEY, &again);
        ASSERT(bytes_equal(buf_bytes(&again), record));
        check_damaged(record, &arena);
        if (fuzz_is_ours(&object)) {
            check_operations(&object, &arena);
        }
    }
    buf_release(&again);
    arena_release(&arena);
}

/* ---- Names and clocks ---- */

static void check_key(struct bytes key)
{
    struct key_parts parts = {.tag = 77};
    struct arena arena;

    if (key_decode(key, &parts) != OK) {
        ASSERT(parts.tag == 77);
        return;
    }
    fuzz_mark(MARK_KEY);
    ASSERT(parts.user.size <= KEY_USER_MAX);
    ASSERT(key_slot(key) == parts.slot);
    ASSERT(key_database(key) == parts.database);
    ASSERT(key_position(key) == ((uint64_t)parts.slot << 32 | parts.hash));
    arena_init(&arena, 1024);
    if (parts.tag == KEY_TAG_STRING) {
        ASSERT(bytes_equal(key_encode(&arena, parts.database, parts.user), key));
    }
    ASSERT(bytes_compare(key_at_slot(&arena, parts.slot), key) <= 0);
    arena_release(&arena);
}

static void check_any_key(uint8_t *data, size_t size)
{
    struct arena arena;

    check_key((struct bytes){data, size});
    arena_init(&arena, 1024);
    struct bytes key =
        key_encode(&arena, size > 0 ? data[0] : 0, (struct bytes){data, MIN(size, (size_t)300)});
    check_key(key);
    if (size > KEY_PREFIX_SIZE && size - KEY_PREFIX_SIZE > data[KEY_PREFIX_SIZE]) {
        /* The same with the prefix that its words have. */
        struct bytes user = {data + KEY_PREFIX_SIZE + 1, data[KEY_PREFIX_SIZE]};
        struct bytes good = key_encode(&arena, data[2], user);
        memcpy(data, good.data, KEY_PREFIX_SIZE);
        check_key((struct bytes){data, size});
    }
    arena_release(&arena);
}

static void check_clock(struct bytes bytes)
{
    struct reader in = reader_of(bytes);
    struct clock clock, joined;
    struct buf again;

    clock_init(&clock);
    clock_init(&joined);
    buf_init(&again, SIZE_MAX);
    struct fuzz_memory memory = fuzz_memory_begin();
    enum err err = clock_decode(&clock, &in, INTERVALS_MAX);
    ASSERT(fuzz_memory_taken(&memory) <= MEMORY_FACTOR * bytes.size + MEMORY_SLACK);
    fuzz_mark(err == OK ? MARK_CLOCK : MARK_CLOCK_REFUSED);
    ASSERT(err == OK || clock.count == 0);
    if (err == OK) {
        ASSERT(clock.count <= INTERVALS_MAX);
        clock_encode(&clock, &again);
        ASSERT(bytes_equal(buf_bytes(&again),
                           (struct bytes){bytes.data, bytes.size - reader_left(&in)}));
        for (uint32_t i = clock.count; i > 0; i--) { /* From behind: all are moved. */
            const struct clock_interval *interval = &clock.intervals[i - 1];
            clock_add_interval(&joined, *interval);
            ASSERT(clock_has(&clock, (struct dot){interval->actor, interval->first}));
            ASSERT(clock_has(&clock, (struct dot){interval->actor, interval->last}));
            ASSERT(clock_last(&clock, interval->actor) >= interval->last);
        }
        ASSERT(clock_equal(&clock, &joined));
        ASSERT(clock_digest(&clock) == clock_digest(&joined));
        clock_join(&joined, &clock);
        ASSERT(clock_equal(&clock, &joined));
        ASSERT(clock_covers(&clock, &joined));
        /* The last counter of all, which nobody can reach, has no next one. */
        bool last = clock.count > 0 && clock.intervals[clock.count - 1].last == UINT64_MAX;
        ASSERT(last || clock_missing_count(&clock, &joined) == 0);
    }
    clock_release(&clock);
    clock_release(&joined);
    buf_release(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes input = {data, size};
    unsigned mode = fuzz_mode(&input, MODES_COUNT);
    uint8_t *bytes = fuzz_exact(input);

    switch (mode) {
    case MODE_CHECKED_RECORD:
        fuzz_put_checksum(bytes, input.size, KEY);
        check_record((struct bytes){bytes, input.size});
        break;
    case MODE_KEY:
        check_any_key(bytes, input.size);
        break;
    case MODE_CLOCK:
        check_clock((struct bytes){bytes, input.size});
        break;
    default:
        check_record((struct bytes){bytes, input.size});
        break;
    }
    mem_free(bytes);
    return 0;
}
