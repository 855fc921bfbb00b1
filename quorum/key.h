/* quorum/key.h - the name under which a key is stored and replicated.
 *
 *     slot u16 | database u8 | hash u32 | key length varint | key | tag u8 | subkey
 *
 * All big-endian, so that the order of stored keys is the order of slots: a partition is one range.
 * The first 7 bytes are the engine's prefix; slot and hash are the SCAN cursor. tag is 0 for a
 * string; elements of collections will be entries of their own under other tags with a subkey. */
#pragma once

#include "base/arena.h"
#include "base/bytes.h"

enum { KEY_PREFIX_SIZE = 7, KEY_TAG_STRING = 0, KEY_USER_MAX = 60 * 1024 };

struct key_parts {
    uint16_t slot;
    uint8_t database;
    uint32_t hash;
    struct bytes user; /* What the client calls the key. */
    uint8_t tag;
    struct bytes subkey;
};

/* The stored name of a string key of `database`. Memory from `arena`. */
struct bytes key_encode(struct arena *arena, uint8_t database, struct bytes user);
/* Return ERR_MALFORMED for anything key_encode would not have written: wrong slot or hash included,
 * so that a peer cannot place a key in a partition it does not belong to. */
MUST_CHECK enum err key_decode(struct bytes key, struct key_parts *out);
uint16_t key_slot(struct bytes key);
uint8_t key_database(struct bytes key);
/* slot << 32 | hash: where the key stands in its database; never more than 46 bits. */
uint64_t key_position(struct bytes key);
/* The smallest stored name at or after a position: slot and hash, any database. */
struct bytes key_at_slot(struct arena *arena, uint32_t slot);
