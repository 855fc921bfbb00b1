#include "quorum/clock.h"

#include "base/hash.h"

#include <string.h>

void clock_init(struct clock *clock)
{
    *clock = (struct clock){0};
}

void clock_release(struct clock *clock)
{
    mem_free(clock->intervals);
    clock_init(clock);
}

static void clock_grow(struct clock *clock, uint32_t capacity)
{
    if (capacity > clock->capacity) {
        uint32_t wanted = MAX(capacity, clock->capacity * 2);
        clock->intervals = mem_resize(clock->intervals, wanted * sizeof(clock->intervals[0]));
        clock->capacity = wanted;
    }
}

void clock_copy(struct clock *to, const struct clock *from)
{
    ASSERT(to != from);
    clock_grow(to, from->count);
    if (from->count > 0) {
        memcpy(to->intervals, from->intervals, from->count * sizeof(from->intervals[0]));
    }
    to->count = from->count;
}

/* The first interval that does not end before `dot`. */
static uint32_t clock_search(const struct clock *clock, struct dot dot)
{
    uint32_t low = 0, high = clock->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        struct dot last = {clock->intervals[middle].actor, clock->intervals[middle].last};
        if (dot_compare(last, dot) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

bool clock_has(const struct clock *clock, struct dot dot)
{
    uint32_t at = clock_search(clock, dot);

    return at < clock->count && clock->intervals[at].actor == dot.actor &&
           clock->intervals[at].first <= dot.counter;
}

/* Replace intervals [from, to) by `one`. */
static void clock_splice(struct clock *clock, uint32_t from, uint32_t to, struct clock_interval one)
{
    ASSERT(from <= to);
    ASSERT(to <= clock->count);
    clock_grow(clock, clock->count + 1);
    memmove(&clock->intervals[from + 1], &clock->intervals[to],
            (clock->count - to) * sizeof(clock->intervals[0]));
    clock->intervals[from] = one;
    clock->count = clock->count + 1 - (to - from);
}

void clock_add_interval(struct clock *clock, struct clock_interval interval)
{
    ASSERT(interval.first > 0);
    ASSERT(interval.first <= interval.last);

    /* Everything that overlaps or touches the new interval becomes one with it. */
    uint32_t from = clock_search(clock, (struct dot){interval.actor, interval.first - 1});
    uint32_t to = from;
    while (to < clock->count && clock->intervals[to].actor == interval.actor &&
           clock->intervals[to].first - 1 <= interval.last) {
        interval.first = MIN(interval.first, clock->intervals[to].first);
        interval.last = MAX(interval.last, clock->intervals[to].last);
        to++;
    }
    clock_splice(clock, from, to, interval);
}

bool clock_add(struct clock *clock, struct dot dot)
{
    uint32_t at = clock_search(clock, dot);
    struct clock_interval *interval = at < clock->count ? &clock->intervals[at] : NULL;

    if (interval != NULL && interval->actor == dot.actor && interval->first <= dot.counter) {
        return false;
    }
    if (at > 0) { /* The common case: the next counter of an actor without gaps. */
        struct clock_interval *before = &clock->intervals[at - 1];
        bool touches = before->actor == dot.actor && before->last + 1 == dot.counter;
        bool joins =
            interval != NULL && interval->actor == dot.actor && interval->first == dot.counter + 1;
        if (touches && !joins) {
            before->last = dot.counter;
            return true;
        }
    }
    clock_add_interval(clock, (struct clock_interval){dot.actor, dot.counter, dot.counter});
    return true;
}

void clock_join(struct clock *clock, const struct clock *other)
{
    for (uint32_t i = 0; i < other->count; i++) {
        clock_add_interval(clock, other->intervals[i]);
    }
}

uint64_t clock_missing_count(const struct clock *clock, const struct clock *other)
{
    uint64_t missing = 0;
    uint32_t j = 0;

    for (uint32_t i = 0; i < clock->count; i++) {
        struct clock_interval own = clock->intervals[i];
        uint64_t next = own.first; /* The lowest counter not yet looked at. */
        while (j < other->count &&
               dot_compare((struct dot){other->intervals[j].actor, other->intervals[j].last},
                           (struct dot){own.actor, own.first}) < 0) {
            j++;
        }
        for (uint32_t k = j; k < other->count && next <= own.last; k++) {
            const struct clock_interval *theirs = &other->intervals[k];
            if (theirs->actor != own.actor || theirs->first > own.last) {
                break;
            }
            missing += theirs->first > next ? theirs->first - next : 0;
            next = MAX(next, theirs->last + 1);
        }
        missing += next <= own.last ? own.last - next + 1 : 0;
    }
    return missing;
}

bool clock_covers(const struct clock *clock, const struct clock *other)
{
    uint32_t i = 0;

    for (uint32_t j = 0; j < other->count; j++) {
        const struct clock_interval *theirs = &other->intervals[j];
        while (i < clock->count &&
               dot_compare((struct dot){clock->intervals[i].actor, clock->intervals[i].last},
                           (struct dot){theirs->actor, theirs->last}) < 0) {
            i++;
        }
        if (i == clock->count || clock->intervals[i].actor != theirs->actor ||
            clock->intervals[i].first > theirs->first) {
            return false;
        }
    }
    return true;
}

bool clock_equal(const struct clock *a, const struct clock *b)
{
    return a->count == b->count &&
           (a->count == 0 ||
            memcmp(a->intervals, b->intervals, a->count * sizeof(a->intervals[0])) == 0);
}

uint64_t clock_last(const struct clock *clock, uint64_t actor)
{
    uint32_t at = clock_search(clock, (struct dot){actor, UINT64_MAX});

    /* `at` is the first interval behind the actor's, unless the actor reaches the last counter. */
    if (at < clock->count && clock->intervals[at].actor == actor) {
        return clock->intervals[at].last;
    }
    return at > 0 && clock->intervals[at - 1].actor == actor ? clock->intervals[at - 1].last : 0;
}

uint64_t clock_digest(const struct clock *clock)
{
    struct buf buf;

    buf_init(&buf, SIZE_MAX);
    clock_encode(clock, &buf);
    uint64_t digest = hash_xxh3(buf_bytes(&buf));
    buf_release(&buf);
    return digest;
}

void clock_encode(const struct clock *clock, struct buf *out)
{
    uint32_t actors = 0;

    for (uint32_t i = 0; i < clock->count; i++) {
        actors += i == 0 || clock->intervals[i].actor != clock->intervals[i - 1].actor;
    }
    buf_put_varint(out, actors);
    for (uint32_t i = 0; i < clock->count;) {
        uint64_t actor = clock->intervals[i].actor, end = 0;
        uint32_t until = i;
        while (until < clock->count && clock->intervals[until].actor == actor) {
            until++;
        }
        buf_put_be64(out, actor);
        buf_put_varint(out, until - i);
        for (; i < until; i++) {
            buf_put_varint(out, clock->intervals[i].first - end - 1);
            buf_put_varint(out, clock->intervals[i].last - clock->intervals[i].first);
            end = clock->intervals[i].last;
        }
    }
}

/* Decode the intervals of one actor. Return false for what clock_encode would not have written. */
static bool clock_decode_actor(struct clock *clock, struct reader *in, uint64_t actor,
                               uint32_t intervals_max)
{
    uint64_t intervals = reader_varint(in), end = 0;

    if (intervals == 0 || intervals > intervals_max - clock->count) {
        return false;
    }
    for (uint64_t i = 0; i < intervals; i++) {
        uint64_t gap = reader_varint(in), length = reader_varint(in);
        bool adjacent = i > 0 && gap == 0;
        if (in->failed || adjacent || gap > UINT64_MAX - 1 - end ||
            length > UINT64_MAX - 1 - end - gap) {
            return false;
        }
        clock_grow(clock, clock->count + 1);
        clock->intervals[clock->count++] =
            (struct clock_interval){actor, end + gap + 1, end + gap + 1 + length};
        end = end + gap + 1 + length;
    }
    return true;
}

enum err clock_decode(struct clock *clock, struct reader *in, uint32_t intervals_max)
{
    uint64_t actors = reader_varint(in), actor_before = 0;

    clock->count = 0;
    for (uint64_t i = 0; i < actors; i++) {
        uint64_t actor = reader_be64(in);
        bool ordered = i == 0 || actor > actor_before;
        if (in->failed || !ordered || !clock_decode_actor(clock, in, actor, intervals_max)) {
            clock->count = 0;
            return ERR_MALFORMED;
        }
        actor_before = actor;
    }
    if (in->failed) {
        clock->count = 0;
        return ERR_MALFORMED;
    }
    return OK;
}
