#include "node/wire.h"

#include "base/hash.h"
#include "base/pack.h"

enum { CHECKSUM_AT = 34 };

size_t wire_begin(struct buf *out, const struct frame *frame)
{
    size_t start = out->size;
    uint8_t *head = buf_reserve(out, WIRE_HEADER_SIZE);

    head[4] = frame->type;
    head[5] = WIRE_VERSION;
    be16_set(head + 6, frame->flags);
    be64_set(head + 8, frame->request);
    be16_set(head + 16, frame->partition);
    be64_set(head + 18, frame->epoch);
    be64_set(head + 26, frame->hlc);
    return start;
}

void wire_end(struct buf *out, size_t start)
{
    uint8_t *head = out->data + start;
    size_t size = out->size - start;

    ASSERT(size >= WIRE_HEADER_SIZE);
    ASSERT(size - 4 <= UINT32_MAX);
    be32_set(head, (uint32_t)(size - 4));
    be64_set(head + CHECKSUM_AT,
             hash_xxh3_2((struct bytes){head + 4, CHECKSUM_AT - 4},
                         (struct bytes){head + WIRE_HEADER_SIZE, size - WIRE_HEADER_SIZE}));
}

enum err wire_next(struct bytes in, size_t frame_size_max, struct frame *frame, size_t *consumed)
{
    if (in.size < 4) {
        return ERR_INCOMPLETE;
    }
    size_t size = 4 + (size_t)be32_at(in.data);
    if (size < WIRE_HEADER_SIZE) {
        return ERR_MALFORMED;
    }
    if (size > frame_size_max) {
        return ERR_TOO_LARGE;
    }
    if (in.size >= 6 && in.data[5] != WIRE_VERSION) {
        return ERR_UNSUPPORTED; /* Not after megabytes of a frame that we cannot read anyway. */
    }
    if (in.size < size) {
        return ERR_INCOMPLETE;
    }
    struct bytes head = {in.data + 4, CHECKSUM_AT - 4};
    struct bytes body = {in.data + WIRE_HEADER_SIZE, size - WIRE_HEADER_SIZE};
    if (hash_xxh3_2(head, body) != be64_at(in.data + CHECKSUM_AT)) {
        return ERR_CORRUPT;
    }
    *frame = (struct frame){
        .type = in.data[4],
        .version = in.data[5],
        .flags = be16_at(in.data + 6),
        .request = be64_at(in.data + 8),
        .partition = be16_at(in.data + 16),
        .epoch = be64_at(in.data + 18),
        .hlc = be64_at(in.data + 26),
        .body = body,
    };
    *consumed = size;
    return OK;
}
