/* tests/fuzz/fuzz_object.h - stored records and names as fuzzers make and judge them. */
#pragma once

#include "quorum/object.h"

/* Far ahead of any clock, and still with room above it. */
#define FUZZ_TIMESTAMP_MAX (1ULL << 60)

/* Put the right checksum into a record of `key`; one too short to have it is left alone. */
void fuzz_put_checksum(uint8_t *record, size_t size, struct bytes key);
/* Versions and residual dots are in order, each once. */
bool fuzz_is_sorted(const struct object *object);
/* What a node would write, which a right checksum alone does not say. */
bool fuzz_is_ours(const struct object *object);
/* Seeds need not know slots and hashes: every name of a string whose first seven bytes are the mark
 * ee ee 00 ee ee ee ee gets them put right. Return the slot of the first, 0 when there is none. */
uint16_t fuzz_put_keys(uint8_t *data, size_t size);
