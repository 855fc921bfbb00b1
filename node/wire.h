/* node/wire.h - frames between members: typed messages to bytes and back.
 *
 *     length u32 | type u8 | version u8 | flags u16 | request u64 | partition u16 | epoch u64
 *     | hybrid clock u64 | checksum u64 | msgpack body
 *
 * Big-endian; `length` counts what follows it; the checksum is XXH3-64 over everything between it
 * and the length, and the body. Bodies are maps with small integers as keys; unknown keys are
 * skipped, so that versions N and N-1 work together. Pure. */
#pragma once

#include "base/arena.h"
#include "base/bytes.h"
#include "quorum/message.h"

enum {
    WIRE_VERSION = 1,
    WIRE_HEADER_SIZE = 42,
    WIRE_CLOCK_INTERVALS_MAX = 65536,
};

/* Types below MESSAGE_ASK belong to the connection itself. */
enum wire_type {
    WIRE_HELLO = 1,   /* Who I am; the first frame in each direction. */
    WIRE_PROOF = 2,   /* The dialer knows the secret. */
    WIRE_REFUSED = 3, /* Why this connection ends, in words. */
    WIRE_PING = 4,
    WIRE_PONG = 5,
    WIRE_FORM = 6,        /* The cluster id and all node ids: store them. */
    WIRE_FORMED = 7,      /* They are stored. */
    WIRE_UNSUPPORTED = 8, /* The type of request `request` is unknown here. */
};

struct frame {
    uint8_t type, version;
    uint16_t flags;
    uint64_t request;
    uint16_t partition;
    uint64_t epoch, hlc;
    struct bytes body;
};

/* Begin a frame at the end of `out`; write the body after it, then call wire_end with what this
 * returned. */
size_t wire_begin(struct buf *out, const struct frame *frame);
void wire_end(struct buf *out, size_t start);
/* Take the first frame of a stream. Return OK with *consumed bytes used, ERR_INCOMPLETE, or, after
 * which nothing behind can be trusted: ERR_TOO_LARGE, ERR_MALFORMED, ERR_CORRUPT, ERR_UNSUPPORTED
 * (another version). `frame->body` points into `in`. */
MUST_CHECK enum err wire_next(struct bytes in, size_t frame_size_max, struct frame *frame,
                              size_t *consumed);

/* Append a message as one frame. */
void wire_put_message(struct buf *out, const struct message *message);
/* Decode the message of a frame; arrays from `arena`, bytes from the frame. Return ERR_MALFORMED,
 * or ERR_UNSUPPORTED for a type that is no message. */
MUST_CHECK enum err wire_get_message(const struct frame *frame, struct arena *arena,
                                     struct message *message);
