/* base/pack.h - msgpack: bodies of peer messages. The only file that includes <msgpack.h>.
 *
 * Bodies are maps with small unsigned integers as keys; a reader skips the keys it does not know,
 * so that versions N and N-1 work together. Nothing is copied: strings point into the input. */
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

/* Reading: msgpack-c parses the whole body once, into memory of an arena; the cursor then walks
 * what it found, depth first. Strings point into the input. The first malformed or mistyped item
 * sets `failed`; every read after that returns 0, false or empty. A body nested deeper than
 * PACK_DEPTH_MAX fails. What is allocated is at most 64 bytes per byte of input, so that a small
 * frame stays small. */
enum { PACK_DEPTH_MAX = 16 };

struct unpack_token;

struct unpack {
    const struct unpack_token *at, *end;
    bool failed;
};

/* Parse all of `bytes`, which must be exactly one msgpack value. */
struct unpack unpack_of(struct bytes bytes, struct arena *arena);
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
