/* tests/fuzz/fuzz_object.h - stored records as fuzzers make and judge them. */
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
