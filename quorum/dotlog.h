/* quorum/dotlog.h - dot -> key for every dot that some owner may still lack: the hint store.
 *
 * In memory each vnode's log is a queue of entries. On disk all writes of one loop turn share one
 * *segment* of the log family: key = sequence u64, value = entries (partition u16, actor u64,
 * counter varint, stored key length varint, stored key). One put per turn instead of one per write:
 * the memtable insert is what a log entry would cost. A segment is deleted once none of its entries
 * is needed; before that the clocks of their partitions are checkpointed. */
#pragma once

#include "base/bytes.h"
#include "quorum/clock.h"

struct dotlog_entry {
    struct dot dot;
    uint64_t segment;
    struct bytes key; /* Borrowed from the log; valid until it changes. */
};

struct dotlog {
    struct buf entries; /* Encoded one after the other, oldest first. */
    uint32_t count;
    uint64_t truncated; /* Entries dropped for the byte limit, since the start. */
};

/* How many entries of each segment are still in some log. Segments are numbered without gaps from
 * `first` on; those that are deleted already are marked SEGMENT_DELETED until they reach the front.
 */
enum { SEGMENT_DELETED = -1 };

struct segments {
    uint64_t first;
    int32_t *live; /* live[head] is that of `first`. */
    size_t head, count, capacity;
    size_t cursor; /* Where segments_take_dead goes on, counted from `first`. */
};

void dotlog_init(struct dotlog *log);
void dotlog_release(struct dotlog *log);
void dotlog_append(struct dotlog *log, struct segments *segments, struct dot dot, uint64_t segment,
                   struct bytes key);
/* Walk the log: *at starts as 0. Return false at the end. */
bool dotlog_next(const struct dotlog *log, size_t *at, struct dotlog_entry *entry);
/* Drop entries whose dot is in every one of `clocks`, and from the oldest on what passes
 * `bytes_max`. Return how many were dropped. */
uint32_t dotlog_collect(struct dotlog *log, struct segments *segments,
                        const struct clock *const *clocks, unsigned clocks_count, size_t bytes_max);

void segments_init(struct segments *segments);
void segments_release(struct segments *segments);
/* A segment numbered below `before` without live entries, which the caller now deletes; 0 at the
 * end of one pass over all of them. */
uint64_t segments_take_dead(struct segments *segments, uint64_t before);
