#include "quorum/object.h"

#include "base/hash.h"
#include "base/mutant.h"

#include <string.h>

enum { OBJECT_FORMAT = 1, VERSION_SIZE_MIN = 8 + 1 + 8 + 8 + 1 + 1 + 1 };

int version_compare_tag(const struct version *a, const struct version *b)
{
    if (a->timestamp != b->timestamp) {
        return a->timestamp < b->timestamp ? -1 : 1;
    }
    if (MUTANT(rank_by_arrival)) {
        return a > b ? -1 : a < b;
    }
    return dot_compare(a->dot, b->dot);
}

bool version_is_gone(const struct version *version, int64_t wall_ms)
{
    return version->kind == VERSION_TOMBSTONE ||
           (version->expiry_ms != 0 && version->expiry_ms <= wall_ms);
}

void object_init(struct object *object)
{
    *object = (struct object){0};
}

struct object object_clone(const struct object *object, struct arena *arena)
{
    struct object copy = *object;

    copy.versions_capacity = object->versions_count + 2; /* Room for the write that follows. */
    copy.residual_capacity = object->residual_count + 2;
    copy.versions = ARENA_ARRAY(arena, struct version, copy.versions_capacity);
    copy.residual = ARENA_ARRAY(arena, struct dot, copy.residual_capacity);
    for (uint32_t i = 0; i < object->versions_count; i++) {
        copy.versions[i] = object->versions[i];
    }
    for (uint32_t i = 0; i < object->residual_count; i++) {
        copy.residual[i] = object->residual[i];
    }
    return copy;
}

const struct version *object_find(const struct object *object, struct dot dot)
{
    for (uint32_t i = 0; i < object->versions_count; i++) {
        if (dot_equal(object->versions[i].dot, dot)) {
            return &object->versions[i];
        }
    }
    return NULL;
}

const struct version *object_top(const struct object *object)
{
    const struct version *top = NULL;

    for (uint32_t i = 0; i < object->versions_count; i++) {
        if (top == NULL || version_compare_tag(&object->versions[i], top) > 0) {
            top = &object->versions[i];
        }
    }
    return top;
}

bool object_residual_has(const struct object *object, struct dot dot)
{
    for (uint32_t i = 0; i < object->residual_count; i++) {
        if (dot_equal(object->residual[i], dot)) {
            return true;
        }
    }
    return false;
}

bool object_covers(const struct object *object, const struct clock *clock, struct dot dot)
{
    return clock_has(clock, dot) || object_residual_has(object, dot);
}

bool object_is_empty(const struct object *object)
{
    return object->versions_count == 0 && object->residual_count == 0;
}

/* Room for one more in an array of an arena: the old array is left to the arena. */
static void *object_room(struct arena *arena, void *old, uint32_t count, uint32_t *capacity,
                         size_t size)
{
    if (count < *capacity) {
        return old;
    }
    *capacity = MAX(4U, *capacity * 2);
    void *grown = arena_alloc(arena, *capacity * size);
    if (count > 0) {
        memcpy(grown, old, count * size);
    }
    return grown;
}

static void object_add_residual(struct object *object, struct dot dot, struct arena *arena)
{
    uint32_t at = 0;

    if (MUTANT(residual_lost)) {
        return;
    }
    while (at < object->residual_count && dot_compare(object->residual[at], dot) < 0) {
        at++;
    }
    if (at < object->residual_count && dot_equal(object->residual[at], dot)) {
        return;
    }
    object->residual = object_room(arena, object->residual, object->residual_count,
                                   &object->residual_capacity, sizeof(struct dot));
    memmove(&object->residual[at + 1], &object->residual[at],
            (object->residual_count - at) * sizeof(struct dot));
    object->residual[at] = dot;
    object->residual_count++;
}

void object_forget(struct object *object, struct dot dot)
{
    for (uint32_t i = 0; i < object->versions_count; i++) {
        if (dot_equal(object->versions[i].dot, dot)) {
            memmove(&object->versions[i], &object->versions[i + 1],
                    (object->versions_count - i - 1) * sizeof(struct version));
            object->versions_count--;
            return;
        }
    }
}

void object_drop(struct object *object, struct dot dot, struct arena *arena)
{
    object_forget(object, dot);
    object_add_residual(object, dot, arena);
}

void object_rank(struct object *object, struct arena *arena)
{
    const struct version *top = object_top(object);
    uint32_t kept = 0;

    if (object->versions_count < 2) {
        return;
    }
    struct version highest = *top;
    for (uint32_t i = 0; i < object->versions_count; i++) {
        struct version *version = &object->versions[i];
        bool yields = !(version->flags & VERSION_CAUSAL) || version->kind == VERSION_TOMBSTONE ||
                      MUTANT(sibling_merge);
        if (yields && version_compare_tag(version, &highest) < 0) {
            object_add_residual(object, version->dot, arena);
        } else {
            object->versions[kept++] = *version;
        }
    }
    ASSERT(kept > 0);
    object->versions_count = kept;
}

bool object_insert(struct object *object, const struct clock *clock, const struct version *version,
                   struct arena *arena)
{
    uint32_t at = 0;

    if (object_covers(object, clock, version->dot)) {
        return object_find(object, version->dot) != NULL;
    }
    while (at < object->versions_count && dot_compare(object->versions[at].dot, version->dot) < 0) {
        at++;
    }
    if (at < object->versions_count && dot_equal(object->versions[at].dot, version->dot)) {
        return true;
    }
    ASSERT(!version->payload_absent);
    object->versions = object_room(arena, object->versions, object->versions_count,
                                   &object->versions_capacity, sizeof(struct version));
    memmove(&object->versions[at + 1], &object->versions[at],
            (object->versions_count - at) * sizeof(struct version));
    object->versions[at] = *version;
    object->versions_count++;
    object_rank(object, arena);
    return object_find(object, version->dot) != NULL;
}

void object_tidy(struct object *object, const struct clock *clock)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < object->residual_count; i++) {
        if (!clock_has(clock, object->residual[i])) {
            object->residual[kept++] = object->residual[i];
        }
    }
    object->residual_count = kept;
}

unsigned object_expire(struct object *object, int64_t before_ms, struct arena *arena)
{
    unsigned expired = 0;

    for (uint32_t i = 0; i < object->versions_count; i++) {
        struct version *version = &object->versions[i];
        if (version->kind != VERSION_TOMBSTONE && version->expiry_ms != 0 &&
            version->expiry_ms <= before_ms) {
            version->kind = VERSION_TOMBSTONE;
            version->payload = (struct bytes){NULL, 0};
            version->payload_size = 0;
            version->expiry_ms = 0;
            expired++;
        }
    }
    if (expired > 0) {
        object_rank(object, arena);
    }
    return expired;
}

void object_encode(const struct object *object, struct bytes key, struct buf *out)
{
    ASSERT(!object_is_empty(object));
    size_t start = out->size;

    buf_put_u8(out, OBJECT_FORMAT);
    buf_put_be64(out, 0); /* The checksum's place. */
    buf_put_varint(out, object->versions_count);
    for (uint32_t i = 0; i < object->versions_count; i++) {
        const struct version *version = &object->versions[i];
        ASSERT(!version->payload_absent);
        buf_put_be64(out, version->dot.actor);
        buf_put_varint(out, version->dot.counter);
        buf_put_be64(out, version->timestamp);
        buf_put_be64(out, (uint64_t)version->expiry_ms);
        buf_put_u8(out, version->kind);
        buf_put_u8(out, version->flags);
        buf_put_varint(out, version->payload.size);
        buf_put_bytes(out, version->payload);
    }
    buf_put_varint(out, object->residual_count);
    for (uint32_t i = 0; i < object->residual_count; i++) {
        buf_put_be64(out, object->residual[i].actor);
        buf_put_varint(out, object->residual[i].counter);
    }
    struct bytes rest = {out->data + start + 9, out->size - start - 9};
    be64_set(out->data + start + 1, hash_xxh3_2(key, rest));
}

static void version_decode(struct reader *in, struct version *version)
{
    *version = (struct version){0};
    version->dot.actor = reader_be64(in);
    version->dot.counter = reader_varint(in);
    version->timestamp = reader_be64(in);
    version->expiry_ms = (int64_t)reader_be64(in);
    version->kind = reader_u8(in);
    version->flags = reader_u8(in);
    version->payload_size = reader_varint(in);
    version->payload = reader_bytes(in, (size_t)version->payload_size);
}

enum err object_decode(struct bytes record, struct bytes key, struct arena *arena,
                       struct object *out)
{
    struct reader in = reader_of(record);
    struct object object = {0};

    uint8_t format = reader_u8(&in);
    uint64_t checksum = reader_be64(&in);
    if (in.failed) {
        return ERR_MALFORMED;
    }
    if (format != OBJECT_FORMAT) {
        return ERR_UNSUPPORTED;
    }
    if (checksum != hash_xxh3_2(key, (struct bytes){in.at, reader_left(&in)})) {
        return ERR_CORRUPT;
    }
    uint64_t versions = reader_varint(&in);
    if (in.failed || versions > reader_left(&in) / VERSION_SIZE_MIN) {
        return ERR_MALFORMED;
    }
    object.versions_capacity =
        (uint32_t)versions + 2; /* Room for the write that usually follows. */
    object.versions = ARENA_ARRAY(arena, struct version, object.versions_capacity);
    for (; object.versions_count < versions; object.versions_count++) {
        version_decode(&in, &object.versions[object.versions_count]);
    }
    uint64_t residual = reader_varint(&in);
    if (in.failed || residual > reader_left(&in) / 9) {
        return ERR_MALFORMED;
    }
    object.residual_capacity = (uint32_t)residual;
    object.residual = ARENA_ARRAY(arena, struct dot, residual);
    for (; object.residual_count < residual; object.residual_count++) {
        object.residual[object.residual_count].actor = reader_be64(&in);
        object.residual[object.residual_count].counter = reader_varint(&in);
    }
    if (!reader_done(&in)) {
        return ERR_MALFORMED;
    }
    *out = object;
    return OK;
}
