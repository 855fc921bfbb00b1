/* base/pack.h - msgpack: bodies of peer messages. The only file that includes <msgpack.h>.
 *
 * Bodies are maps with small unsigned integers as keys; a reader skips the keys it does not know, so
 * that versions N and N-1 work together. Nothing is copied: strings point into the input. */
#pragma once

#include "base/arena.h"
#include "base/bytes.h"

/* Writing: appends to a buf whose size_max the caller has made large enough. */
void pack_map(struct buf *buf, uint32_t count);
void pack_array(struct buf *buf, uint32_t count);
void pack_u64(struct buf *buf, uint64_t value);
void pack_i64(struct buf *buf, int64_t value);
void pack_bool(struct buf *buf, bool value);
void pack_bin(struct buf *buf, struct bytes value);

/* Reading: a cursor that decodes in place, without allocation. The first malformed or mistyped item
 * sets `failed`; every read after that returns 0, false or empty. Nesting is bounded by the callers'
 * own structure and, for skipped values, by PACK_DEPTH_MAX. */
enum { PACK_DEPTH_MAX = 16 };

struct unpack {
    const uint8_t *at, *end;
    bool failed;
};

struct unpack unpack_of(struct bytes bytes);
/* The announced count, never more than the bytes that are left (so loops over it are bounded). */
uint32_t unpack_map(struct unpack *unpack);
uint32_t unpack_array(struct unpack *unpack);
uint64_t unpack_u64(struct unpack *unpack);
int64_t unpack_i64(struct unpack *unpack);
bool unpack_bool(struct unpack *unpack);
struct bytes unpack_bin(struct unpack *unpack);
/* Skip one value of any type. */
void unpack_skip(struct unpack *unpack);
/* True when nothing failed and every byte was read. */
bool unpack_done(const struct unpack *unpack);
