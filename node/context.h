/* node/context.h - what a client hands back with a causal write: the dots it has seen, as a token.
 *
 * Dynamo, section 4.4: an update names the version that it updates, by the context of an earlier
 * read. The token is opaque to clients, printable (base64url) and bound to its key and cluster:
 *
 *     format u8 = 1 | cluster tag u32 | key tag u32 | newest timestamp u64
 *     varint actors, per actor: actor u64, varint dots, per dot: varint counter - the one before,
 *                               varint newest timestamp - its timestamp
 *     SipHash-128 over all that, the cluster id and the key | XXH3 low u32 over all that
 *
 * The tags and the checksum only choose words: a context is believed because of the SipHash, whose
 * key the cluster shares. 32 dots of 32 actors make at most 1 KB. Pure. */
#pragma once

#include "base/arena.h"
#include "quorum/quorum.h"

enum { CONTEXT_TOKEN_MAX = 64 * 1024 };

/* What a token belongs to. All borrowed. */
struct context_binding {
    const uint8_t *cluster_id;  /* 16 bytes */
    const uint8_t *context_key; /* 16 bytes */
    struct bytes key;           /* Its stored name. */
};

enum context_result {
    CONTEXT_OK,
    CONTEXT_DAMAGED,   /* Not what we gave out, by accident: cut off, mistyped. */
    CONTEXT_FOREIGN,   /* Of another cluster. */
    CONTEXT_OTHER_KEY, /* Of another key. */
    CONTEXT_FORGED,    /* Well-formed, but nobody of this cluster made it. */
};

/* Append the token of `dots`, in any order, to `out`. */
void context_encode(const struct context_binding *binding, const struct seen_dot *dots,
                    uint32_t count, struct arena *arena, struct buf *out);
/* Read a token back: dots by dot, from `arena`; both out-parameters are untouched on failure. */
MUST_CHECK enum context_result context_decode(const struct context_binding *binding,
                                              struct bytes token, struct arena *arena,
                                              struct seen_dot **dots, uint32_t *count);
/* Words for a client, without a prefix. */
const char *context_text(enum context_result result);
