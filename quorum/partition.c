#include "quorum/partition.h"

#include "base/mutant.h"

#include <string.h>

void partition_init(struct partition *partition)
{
    *partition = (struct partition){0};
    clock_init(&partition->clock);
    dotlog_init(&partition->log);
    buf_init(&partition->tombstones, SIZE_MAX);
    partition->clock_version = 1;
}

void partition_release(struct partition *partition)
{
    clock_release(&partition->clock);
    dotlog_release(&partition->log);
    for (unsigned i = 0; i < PARTITION_OWNERS_MAX; i++) {
        clock_release(&partition->seen[i]);
    }
    buf_release(&partition->tombstones);
}

struct dot partition_next_dot(const struct partition *partition, uint64_t actor)
{
    return (struct dot){actor, clock_last(&partition->clock, actor) + 1};
}

bool partition_apply(struct partition *partition, struct object *object,
                     const struct version *version, const struct dot *replaced,
                     uint32_t replaced_count, struct arena *arena)
{
    bool known = clock_has(&partition->clock, version->dot);
    bool tombstone = version->kind == VERSION_TOMBSTONE;

    /* A delta that comes twice changes nothing: its dot is covered, and so are those it replaced or
     * they are residual already. Answering early saves the write. */
    if (known) {
        return false;
    }
    if (!(tombstone && MUTANT(no_tombstone))) {
        (void)object_insert(object, &partition->clock, version, arena);
    }
    for (uint32_t i = 0; i < replaced_count; i++) {
        object_drop(object, replaced[i], arena);
        if (MUTANT(replaced_into_clock)) {
            (void)clock_add(&partition->clock, replaced[i]);
        }
    }
    (void)clock_add(&partition->clock, version->dot);
    partition->clock_version++;
    object_tidy(object, &partition->clock);
    return true;
}

bool partition_repair(const struct partition *partition, struct object *object,
                      const struct version *versions, uint32_t versions_count,
                      const struct dot *obsolete, uint32_t obsolete_count, struct arena *arena)
{
    bool changed = false;

    if (MUTANT(repair_is_newest)) {
        object->versions_count = 0;
    }
    for (uint32_t i = 0; i < obsolete_count; i++) {
        bool held = object_find(object, obsolete[i]) != NULL;
        if (held || !object_covers(object, &partition->clock, obsolete[i])) {
            object_drop(object, obsolete[i], arena);
            changed = true;
        }
    }
    for (uint32_t i = 0; i < versions_count; i++) {
        if (object_find(object, versions[i].dot) == NULL &&
            !object_covers(object, &partition->clock, versions[i].dot)) {
            (void)object_insert(object, &partition->clock, &versions[i], arena);
            changed = true;
        }
    }
    if (changed) {
        object_tidy(object, &partition->clock);
    }
    return changed;
}

/* `dot` is named in a list of dots. */
static bool dots_have(const struct dot *dots, uint32_t count, struct dot dot)
{
    for (uint32_t i = 0; i < count; i++) {
        if (dot_equal(dots[i], dot)) {
            return true;
        }
    }
    return false;
}

static bool versions_have(const struct version *versions, uint32_t count, struct dot dot)
{
    for (uint32_t i = 0; i < count; i++) {
        if (dot_equal(versions[i].dot, dot)) {
            return true;
        }
    }
    return false;
}

void partition_join_key(const struct partition *partition, struct object *object,
                        const struct clock *theirs, const struct version *versions,
                        uint32_t versions_count, const struct dot *residual,
                        uint32_t residual_count, struct arena *arena)
{
    for (uint32_t i = object->versions_count; i > 0; i--) {
        struct dot dot = object->versions[i - 1].dot;
        bool covered = clock_has(theirs, dot) || dots_have(residual, residual_count, dot);
        if (covered && !versions_have(versions, versions_count, dot) &&
            !MUTANT(join_keeps_obsolete)) {
            /* Residual until the clock is joined, so that a late repair cannot bring it back. */
            object_drop(object, dot, arena);
        }
    }
    for (uint32_t i = 0; i < versions_count; i++) {
        (void)object_insert(object, &partition->clock, &versions[i], arena);
    }
    for (uint32_t i = 0; i < residual_count; i++) {
        if (!clock_has(&partition->clock, residual[i])) {
            object_drop(object, residual[i], arena);
        }
    }
    object_tidy(object, &partition->clock);
}

void partition_join_clock(struct partition *partition, const struct clock *theirs)
{
    clock_join(&partition->clock, theirs);
    partition->clock_version++;
    partition->checkpoint_due = true;
}

void partition_seen(struct partition *partition, unsigned owner, const struct clock *clock)
{
    ASSERT(owner < PARTITION_OWNERS_MAX);
    clock_copy(&partition->seen[owner], clock);
    partition->seen_valid[owner] = true;
}

void partition_unsee(struct partition *partition, unsigned owner)
{
    ASSERT(owner < PARTITION_OWNERS_MAX);
    partition->seen_valid[owner] = false;
    partition->told[owner] = 0;
}

/* Collect the reports of all other owners. Return false while one is missing. */
static bool partition_reports(const struct partition *partition, unsigned owners_count,
                              unsigned self, const struct clock **reports, unsigned *count)
{
    *count = 0;
    for (unsigned i = 0; i < owners_count; i++) {
        if (i == self) {
            continue;
        }
        if (!partition->seen_valid[i]) {
            if (MUTANT(forget_half)) {
                continue;
            }
            return false;
        }
        reports[(*count)++] = &partition->seen[i];
    }
    return true;
}

uint32_t partition_collect_log(struct partition *partition, struct segments *segments,
                               unsigned owners_count, unsigned self, size_t bytes_max)
{
    const struct clock *reports[PARTITION_OWNERS_MAX];
    static const struct clock nothing;
    unsigned count = 0;

    if (partition->log.count == 0) {
        return 0;
    }
    if (!partition_reports(partition, owners_count, self, reports, &count)) {
        if (partition->log.entries.size <= bytes_max && !MUTANT(log_delete_early)) {
            return 0;
        }
        reports[0] = &nothing; /* Covers no dot: only the byte limit counts. */
        count = MUTANT(log_delete_early) ? 0 : 1;
    }
    uint32_t dropped = dotlog_collect(&partition->log, segments, reports, count, bytes_max);
    partition->checkpoint_due = partition->checkpoint_due || dropped > 0;
    return dropped;
}

bool partition_may_forget(const struct partition *partition, unsigned owners_count, unsigned self)
{
    const struct clock *reports[PARTITION_OWNERS_MAX];
    unsigned count = 0;

    if (!partition_reports(partition, owners_count, self, reports, &count)) {
        return false;
    }
    for (unsigned i = 0; i < count; i++) {
        if (!clock_covers(&partition->clock, reports[i]) && !MUTANT(forget_early)) {
            return false;
        }
    }
    return true;
}

bool partition_forget(const struct partition *partition, struct object *object,
                      unsigned owners_count, unsigned self)
{
    const struct clock *reports[PARTITION_OWNERS_MAX];
    unsigned count = 0;
    bool forgot = false;

    if (!partition_reports(partition, owners_count, self, reports, &count)) {
        return false;
    }
    for (uint32_t i = object->versions_count; i > 0; i--) {
        const struct version *version = &object->versions[i - 1];
        bool covered =
            version->kind == VERSION_TOMBSTONE && clock_has(&partition->clock, version->dot);
        for (unsigned j = 0; j < count && covered; j++) {
            covered = clock_has(reports[j], version->dot);
        }
        if (covered) {
            object_forget(object, version->dot);
            forgot = true;
        }
    }
    return forgot;
}

void partition_note_tombstone(struct partition *partition, struct bytes key)
{
    buf_put_be32(&partition->tombstones, (uint32_t)key.size);
    buf_put_bytes(&partition->tombstones, key);
    partition->tombstones_count++;
}
