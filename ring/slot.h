/* ring/slot.h - the slot of a key, exactly Redis Cluster's, and the partition of a slot.
 *
 * Cluster clients compute slots by themselves, so this must agree with them to the last byte
 * (Redis Cluster specification, "Key distribution model" and "Hash tags"). A partition is one of Q
 * equal arcs of slots, Q a power of two. Pure. */
#pragma once

#include "base/bytes.h"

enum { SLOTS_COUNT = 16384 };

/* CRC16 (XMODEM) of the hash tag of `key`, modulo SLOTS_COUNT. The hash tag is what stands between
 * the first '{' and the first '}' after it; the whole key when either is missing or nothing stands
 * between them. */
uint16_t slot_of(struct bytes key);
/* True for a power of two in 1..SLOTS_COUNT: what the functions below demand. */
bool slot_partitions_count_valid(uint32_t partitions_count);
/* The partition that `slot` lies in. */
uint16_t slot_partition(uint16_t slot, uint32_t partitions_count);
/* The lowest slot of `partition`; `partition == partitions_count` gives SLOTS_COUNT, so that the
 * slots of p are first(p) .. first(p + 1) - 1. */
uint16_t slot_partition_first(uint32_t partition, uint32_t partitions_count);
