/* quorum/object.h - what one replica holds of one key: its versions and its residual dots.
 *
 * model/partition_model.py is the specification: insert, drop, rank, tidy. A version is named by
 * its dot and ranked by its tag (timestamp, dot). Plain versions and tombstones yield to rank;
 * causal versions go only when replaced, so concurrent ones are siblings.
 *
 * Stored record: format u8 = 1, checksum u64 (XXH3-64 over stored key and all that follows), varint
 * count of versions, then by dot: actor u64, counter varint, timestamp u64, expiry i64, kind u8,
 * flags u8, payload length varint, payload; then varint count of residual dots: actor u64, varint.
 *
 * Pure. Arrays live in the arena given; payloads are borrowed from where they were decoded. */
#pragma once

#include "base/arena.h"
#include "base/bytes.h"
#include "quorum/clock.h"

enum version_kind {
    VERSION_TOMBSTONE = 0, /* No value: deleted, or expired. */
    VERSION_STRING = 1,
};

enum { VERSION_CAUSAL = 1 }; /* Flag: written with a context. */

struct version {
    struct dot dot;
    uint64_t timestamp; /* Hybrid: unix ms << 16 | logical. */
    int64_t expiry_ms;  /* Unix ms; 0: never. */
    uint8_t kind, flags;
    bool payload_absent; /* Only its size is known here (an answer without payloads). */
    uint64_t payload_size;
    struct bytes payload;
};

struct object {
    struct version *versions; /* By dot. */
    uint32_t versions_count, versions_capacity;
    struct dot *residual; /* By dot: known gone, their own delta not here yet. */
    uint32_t residual_count, residual_capacity;
};

/* Rank by (timestamp, dot). Return <0, 0 or >0. */
int version_compare_tag(const struct version *a, const struct version *b);
/* A tombstone, or expired by `wall_ms`. */
bool version_is_gone(const struct version *version, int64_t wall_ms);

void object_init(struct object *object);
/* A copy that may be changed while the original stays readable; payloads are shared. */
struct object object_clone(const struct object *object, struct arena *arena);
const struct version *object_find(const struct object *object, struct dot dot);
/* The version of highest tag, or NULL. */
const struct version *object_top(const struct object *object);
bool object_residual_has(const struct object *object, struct dot dot);
/* The dot's write is known here: in `clock` or among the residual dots. */
bool object_covers(const struct object *object, const struct clock *clock, struct dot dot);
/* Nothing left to store. */
bool object_is_empty(const struct object *object);

/* Insert unless covered or held; then drop what yields to rank. Return true when it is held now. */
bool object_insert(struct object *object, const struct clock *clock, const struct version *version,
                   struct arena *arena);
/* Drop the version, if held, and remember its dot as residual. */
void object_drop(struct object *object, struct dot dot, struct arena *arena);
/* Drop plain versions and tombstones that any version outranks. */
void object_rank(struct object *object, struct arena *arena);
/* Take a version out without remembering it (collected tombstones, joins). */
void object_forget(struct object *object, struct dot dot);
/* Forget residual dots that `clock` covers by now. */
void object_tidy(struct object *object, const struct clock *clock);
/* Turn versions expired before `before_ms` into tombstones. Return how many. */
unsigned object_expire(struct object *object, int64_t before_ms, struct arena *arena);

/* Append the stored record. The object is not empty. */
void object_encode(const struct object *object, struct bytes key, struct buf *out);
/* Return ERR_CORRUPT when the checksum does not match, ERR_UNSUPPORTED for another format,
 * ERR_MALFORMED otherwise. Arrays from `arena`, payloads point into `record`. */
MUST_CHECK enum err object_decode(struct bytes record, struct bytes key, struct arena *arena,
                                  struct object *out);
