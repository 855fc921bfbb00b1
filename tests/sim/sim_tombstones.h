/* tests/sim/sim_tombstones.h - may this tombstone be forgotten? Asked of everybody, when it
 * happens.
 *
 * A tombstone d goes once every owner has reported a durable clock that covers it and one's own
 * clock covers the join of those reports. Somebody who sees all nodes can say what follows from
 * that:
 *
 *   - every owner that is up covers d;
 *   - a plain write of the same key that d outranks was issued before its coordinator covered d. If
 *     that coordinator has not been restarted since, its report told of the write, so it is covered
 *     where d was forgotten;
 *   - so nothing that d outranks is ever stored there again. */
#pragma once

#include "base/bytes.h"

struct object;
struct sim;

void tombstones_init(struct sim *sim);
void tombstones_release(struct sim *sim);
/* The record of `key` changes to `object` (empty: it is deleted) at a node. */
void tombstones_on_change(struct sim *sim, unsigned node, struct bytes key,
                          const struct object *object);
/* The node has lost commits: what it had forgotten may be there again. */
void tombstones_on_loss(struct sim *sim, unsigned node);
