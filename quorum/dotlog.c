#include "quorum/dotlog.h"

#include <string.h>

enum { ENTRY_HEAD = 8 + 8 + 8 + 4 };

void dotlog_init(struct dotlog *log)
{
    *log = (struct dotlog){0};
    buf_init(&log->entries, SIZE_MAX);
}

void dotlog_release(struct dotlog *log)
{
    buf_release(&log->entries);
}

void segments_init(struct segments *segments)
{
    *segments = (struct segments){0};
}

void segments_release(struct segments *segments)
{
    mem_free(segments->live);
    segments_init(segments);
}

/* Make room at the end, moving the live part to the front of the array when half of it is spent. */
static void segments_room(struct segments *segments, size_t index)
{
    if (segments->head > 0 && segments->head >= segments->count) {
        memmove(segments->live, segments->live + segments->head,
                segments->count * sizeof(segments->live[0]));
        segments->head = 0;
    }
    if (segments->head + index >= segments->capacity) {
        size_t capacity = MAX(segments->head + index + 1, segments->capacity * 2);
        segments->live = mem_resize(segments->live, capacity * sizeof(segments->live[0]));
        segments->capacity = capacity;
    }
}

static void segments_add(struct segments *segments, uint64_t segment)
{
    ASSERT(segment > 0);
    if (segments->count == 0) {
        segments->first = segment;
        segments->head = 0;
        segments->cursor = 0;
    }
    ASSERT(segment >= segments->first);
    size_t index = (size_t)(segment - segments->first);
    segments_room(segments, index);
    while (segments->count <= index) {
        segments->live[segments->head + segments->count++] = 0;
    }
    ASSERT(segments->live[segments->head + index] != SEGMENT_DELETED);
    segments->live[segments->head + index]++;
}

static void segments_drop(struct segments *segments, uint64_t segment)
{
    ASSERT(segment >= segments->first);
    ASSERT(segment - segments->first < segments->count);
    int32_t *live = &segments->live[segments->head + (size_t)(segment - segments->first)];
    ASSERT(*live > 0);
    (*live)--;
}

uint64_t segments_take_dead(struct segments *segments, uint64_t before)
{
    while (segments->cursor < segments->count && segments->first + segments->cursor < before) {
        uint64_t segment = segments->first + segments->cursor;
        int32_t *live = &segments->live[segments->head + segments->cursor];
        bool dead = *live == 0;
        if (dead) {
            *live = SEGMENT_DELETED;
        }
        if (segments->cursor == 0 && *live == SEGMENT_DELETED) {
            segments->first++;
            segments->head++;
            segments->count--;
        } else {
            segments->cursor++;
        }
        if (dead) {
            return segment;
        }
    }
    segments->cursor = 0;
    return 0;
}

void dotlog_append(struct dotlog *log, struct segments *segments, struct dot dot, uint64_t segment,
                   struct bytes key)
{
    buf_put_be64(&log->entries, dot.actor);
    buf_put_be64(&log->entries, dot.counter);
    buf_put_be64(&log->entries, segment);
    buf_put_be32(&log->entries, (uint32_t)key.size);
    buf_put_bytes(&log->entries, key);
    log->count++;
    segments_add(segments, segment);
}

bool dotlog_next(const struct dotlog *log, size_t *at, struct dotlog_entry *entry)
{
    if (*at >= log->entries.size) {
        return false;
    }
    const uint8_t *data = log->entries.data + *at;
    entry->dot.actor = be64_at(data);
    entry->dot.counter = be64_at(data + 8);
    entry->segment = be64_at(data + 16);
    entry->key = (struct bytes){data + ENTRY_HEAD, be32_at(data + 24)};
    *at += ENTRY_HEAD + entry->key.size;
    ASSERT(*at <= log->entries.size);
    return true;
}

uint32_t dotlog_collect(struct dotlog *log, struct segments *segments,
                        const struct clock *const *clocks, unsigned clocks_count, size_t bytes_max)
{
    size_t at = 0, kept = 0, size = log->entries.size;
    uint32_t dropped = 0;
    struct dotlog_entry entry;

    while (at < size) {
        size_t start = at;
        (void)dotlog_next(log, &at, &entry);
        bool over = kept + (size - start) > bytes_max;
        bool covered = true;
        for (unsigned i = 0; i < clocks_count && covered; i++) {
            covered = clock_has(clocks[i], entry.dot);
        }
        if (covered || over) {
            log->truncated += !covered;
            segments_drop(segments, entry.segment);
            dropped++;
        } else {
            memmove(log->entries.data + kept, log->entries.data + start, at - start);
            kept += at - start;
        }
    }
    log->entries.size = kept;
    log->count -= dropped;
    if (kept == 0) {
        buf_clear_shrink(&log->entries, 4096);
    }
    return dropped;
}
