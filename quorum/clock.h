/* quorum/clock.h - a set of dots, as intervals per actor: a bitmapped version vector.
 *
 * A vnode's clock holds the dots whose delta was applied there (Goncalves et al., DottedDB, 2017,
 * section 3: node-wide dot-based clock). Normally each actor is one interval 1..counter; a delta
 * that is still on its way leaves a gap. Pure; a clock owns its memory. */
#pragma once

#include "base/arena.h"
#include "base/bytes.h"

/* The identity of one write, unique in its partition. Counters begin at 1 and have no gaps. */
struct dot {
    uint64_t actor, counter;
};

/* The dots (actor, first) .. (actor, last). */
struct clock_interval {
    uint64_t actor, first, last;
};

struct clock {
    struct clock_interval *intervals; /* By actor, then first; disjoint and never adjacent. */
    uint32_t count, capacity;
};

static inline bool dot_equal(struct dot a, struct dot b)
{
    return a.actor == b.actor && a.counter == b.counter;
}

/* By actor, then counter. Return <0, 0 or >0. */
static inline int dot_compare(struct dot a, struct dot b)
{
    if (a.actor != b.actor) {
        return a.actor < b.actor ? -1 : 1;
    }
    return a.counter < b.counter ? -1 : a.counter > b.counter;
}

void clock_init(struct clock *clock);
void clock_release(struct clock *clock);
void clock_copy(struct clock *to, const struct clock *from);
bool clock_has(const struct clock *clock, struct dot dot);
/* Return false when the dot was there already. */
bool clock_add(struct clock *clock, struct dot dot);
void clock_add_interval(struct clock *clock, struct clock_interval interval);
/* Take in every dot of `other`. */
void clock_join(struct clock *clock, const struct clock *other);
/* True when `clock` holds every dot of `other`. */
bool clock_covers(const struct clock *clock, const struct clock *other);
bool clock_equal(const struct clock *a, const struct clock *b);
/* How many dots `clock` holds that `other` does not. */
uint64_t clock_missing_count(const struct clock *clock, const struct clock *other);
/* The highest counter of an actor, 0 when it has none. */
uint64_t clock_last(const struct clock *clock, uint64_t actor);
/* XXH3-64 of the canonical encoding: equal sets have equal digests. */
uint64_t clock_digest(const struct clock *clock);

/* Canonical: varint count of actors, then per actor its number (8 bytes), varint count of
 * intervals, then varint gap and varint length - 1 of each interval, counted from the end of the
 * one before. */
void clock_encode(const struct clock *clock, struct buf *out);
/* Replace the contents of an initialised clock. Return ERR_MALFORMED, leaving it empty, for
 * anything that is not canonical. `actors_max` bounds the memory a peer can make us take. */
MUST_CHECK enum err clock_decode(struct clock *clock, struct reader *in, uint32_t intervals_max);
