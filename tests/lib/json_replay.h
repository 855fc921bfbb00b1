/* tests/lib/json_replay.h - replicas of quorum/partition.h that do what a line of a trace says.
 *
 * Objects pass through their stored record between steps, as in production; a crash rebuilds the
 * partition from what was durable, as recovery does. The model logs a dot again when its delta
 * comes twice; so does the replay, which stands in the caller's place. */
#pragma once

#include "quorum/partition.h"
#include "tests/lib/json_trace.h"
#include "tests/lib/unit.h"

#include <string.h>

/* What a crash leaves. */
struct durable {
    struct clock clock;
    struct dotlog log;
    struct bytes records[KEYS];
};

struct replica {
    struct partition partition;
    struct segments segments;
    struct bytes records[KEYS]; /* Empty: nothing is stored. */
    struct durable durable;
    struct clock told[NODES]; /* By node: the last durable clock it reported. */
    bool told_valid[NODES];
    uint64_t epoch;
    bool used;
};

/* One schedule: all that one seed of the model is about. */
struct replay {
    struct replica replicas[NODES];
    struct arena arena; /* Records of all steps; they never change. */
    uint64_t segment;
    json_int_t seed;
    bool differed;
};

/* -- Objects and logs of a replica. */

static inline struct object load(struct replay *replay, const struct replica *replica, unsigned key)
{
    struct object object;

    object_init(&object);
    if (replica->records[key].size > 0) {
        enum err err = object_decode(replica->records[key], key_name(key), &replay->arena, &object);
        ck_assert_int_eq(err, OK);
    }
    return object;
}

static inline void save(struct replay *replay, struct replica *replica, unsigned key,
                        const struct object *object)
{
    struct buf record;

    replica->records[key] = (struct bytes){NULL, 0};
    if (!object_is_empty(object)) {
        buf_init(&record, SIZE_MAX);
        object_encode(object, key_name(key), &record);
        replica->records[key] = arena_copy_bytes(&replay->arena, buf_bytes(&record));
        buf_release(&record);
    }
}

static inline bool logged(const struct dotlog *log, struct dot dot)
{
    struct dotlog_entry entry;
    bool found = false;

    for (size_t at = 0; !found && dotlog_next(log, &at, &entry);) {
        found = dot_equal(entry.dot, dot);
    }
    return found;
}

static inline void log_dot(struct replay *replay, struct replica *replica, struct dot dot,
                           struct bytes key)
{
    if (!logged(&replica->partition.log, dot)) {
        dotlog_append(&replica->partition.log, &replica->segments, dot, ++replay->segment, key);
    }
}

static inline void replica_init(struct replica *replica)
{
    *replica = (struct replica){.used = true};
    partition_init(&replica->partition);
    segments_init(&replica->segments);
    clock_init(&replica->durable.clock);
    dotlog_init(&replica->durable.log);
}

static inline void replica_release(struct replica *replica)
{
    if (replica->used) {
        partition_release(&replica->partition);
        segments_release(&replica->segments);
        clock_release(&replica->durable.clock);
        dotlog_release(&replica->durable.log);
        for (unsigned i = 0; i < NODES; i++) {
            clock_release(&replica->told[i]);
        }
        *replica = (struct replica){0};
    }
}

static inline void replica_sync(struct replica *replica)
{
    struct durable *durable = &replica->durable;

    clock_copy(&durable->clock, &replica->partition.clock);
    memcpy(durable->records, replica->records, sizeof(durable->records));
    buf_clear(&durable->log.entries);
    buf_put_bytes(&durable->log.entries, buf_bytes(&replica->partition.log.entries));
}

/* A node that lost its tail: a fresh partition, filled from what is durable as recovery does. */
static inline void replica_crash(struct replay *replay, struct replica *replica)
{
    struct dotlog_entry entry;

    partition_release(&replica->partition);
    segments_release(&replica->segments);
    partition_init(&replica->partition);
    segments_init(&replica->segments);
    clock_copy(&replica->partition.clock, &replica->durable.clock);
    memcpy(replica->records, replica->durable.records, sizeof(replica->records));
    for (size_t at = 0; dotlog_next(&replica->durable.log, &at, &entry);) {
        log_dot(replay, replica, entry.dot, entry.key);
    }
    memset(replica->told_valid, 0, sizeof(replica->told_valid));
    replica->epoch++;
}

/* Where a copy that has expired meets the same version that has not, or the other way round, the
 * model takes the one that comes and the C code keeps the one it has: time makes them equal. Follow
 * the model, so that the lines after this one can be compared. */
static inline void follow_expiry(struct replay *replay, const struct replica *replica,
                                 struct object *object, const struct version *versions,
                                 uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t j = 0; j < object->versions_count; j++) {
            struct version *held = &object->versions[j];
            if (dot_equal(held->dot, versions[i].dot) && held->kind != versions[i].kind &&
                !clock_has(&replica->partition.clock, held->dot)) {
                *held = versions[i];
            }
        }
    }
    object_rank(object, &replay->arena);
}

/* -- The actions. */

static inline void apply(struct replay *replay, struct replica *replica, const json_t *line,
                         const struct dots *replaced)
{
    unsigned key = key_of(member(line, "key"));
    struct object object = load(replay, replica, key);
    struct version version = version_of(dot_of(member(line, "dot")), member(line, "value"),
                                        member(line, "hlc"), member(line, "plain"));

    follow_expiry(replay, replica, &object, &version, 1);
    if (partition_apply(&replica->partition, &object, &version, replaced->dots, replaced->count,
                        &replay->arena)) {
        save(replay, replica, key, &object);
    }
    log_dot(replay, replica, version.dot, key_name(key));
}

/* Return false when the C code would have issued another dot. */
static inline bool act_write(struct replay *replay, struct replica *replica, const json_t *line)
{
    uint64_t actor = actor_of(node_of(member(line, "node")), replica->epoch);
    struct dot dot = partition_next_dot(&replica->partition, actor);
    const json_t *context = member(line, "context");
    struct dots replaced;

    if (!dot_equal(dot, dot_of(member(line, "dot")))) {
        return false;
    }
    dots_of(context, &replaced);
    if (json_is_null(context)) {
        struct object object = load(replay, replica, key_of(member(line, "key")));
        for (; replaced.count < object.versions_count; replaced.count++) {
            replaced.dots[replaced.count] = object.versions[replaced.count].dot;
        }
    }
    apply(replay, replica, line, &replaced);
    return true;
}

static inline void act_repair(struct replay *replay, struct replica *replica, const json_t *line)
{
    unsigned key = key_of(member(line, "key"));
    struct object object = load(replay, replica, key);
    struct dots obsolete;
    uint32_t count;
    struct version *versions = versions_of(&replay->arena, member(line, "versions"), &count);

    dots_of(member(line, "obsolete"), &obsolete);
    follow_expiry(replay, replica, &object, versions, count);
    (void)partition_repair(&replica->partition, &object, versions, count, obsolete.dots,
                           obsolete.count, &replay->arena);
    save(replay, replica, key, &object);
}

static inline void join_key(struct replay *replay, struct replica *replica, unsigned key,
                            const struct clock *theirs, const json_t *versions,
                            const json_t *residual)
{
    struct object object = load(replay, replica, key);
    struct dots gone;
    uint32_t count;
    struct version *held = versions_of(&replay->arena, versions, &count);

    dots_of(residual, &gone);
    follow_expiry(replay, replica, &object, held, count);
    partition_join_key(&replica->partition, &object, theirs, held, count, gone.dots, gone.count,
                       &replay->arena);
    save(replay, replica, key, &object);
}

static inline void act_join(struct replay *replay, struct replica *replica, const json_t *line)
{
    const json_t *answer = member(line, "answer"), *log = member(answer, "log");
    const json_t *keys = member(answer, "keys");
    bool listed[KEYS] = {false};
    struct clock theirs;

    clock_of(member(answer, "clock"), &theirs);
    for (size_t i = 0; i < json_array_size(keys); i++) {
        const json_t *item = json_array_get(keys, i);
        unsigned key = key_of(json_array_get(item, 0));
        listed[key] = true;
        join_key(replay, replica, key, &theirs, json_array_get(item, 1), json_array_get(item, 2));
    }
    for (unsigned key = 0; key < KEYS; key++) {
        if (json_is_null(log) && !listed[key]) {
            join_key(replay, replica, key, &theirs, NULL, NULL); /* A full state lists all. */
        }
    }
    for (size_t i = 0; i < json_array_size(log); i++) {
        const json_t *item = json_array_get(log, i);
        struct dot dot = dot_of(json_array_get(item, 0));
        (void)clock_add(&replica->partition.clock, dot);
        log_dot(replay, replica, dot, key_name(key_of(json_array_get(item, 1))));
    }
    partition_join_clock(&replica->partition, &theirs);
    clock_release(&theirs);
}

static inline void act_collect(struct replay *replay, struct replica *replica, const json_t *line)
{
    const json_t *owners = member(line, "owners");
    unsigned count = (unsigned)json_array_size(owners), self = count;

    for (unsigned i = 0; i < count; i++) {
        unsigned node = node_of(json_array_get(owners, i));
        self = replica == &replay->replicas[node] ? i : self;
        partition_unsee(&replica->partition, i);
        if (replica->told_valid[node]) {
            partition_seen(&replica->partition, i, &replica->told[node]);
        }
    }
    ASSERT(self < count);
    (void)partition_collect_log(&replica->partition, &replica->segments, count, self, SIZE_MAX);
    if (!partition_may_forget(&replica->partition, count, self)) {
        return;
    }
    for (unsigned key = 0; key < KEYS; key++) {
        struct object object = load(replay, replica, key);
        if (partition_forget(&replica->partition, &object, count, self)) {
            save(replay, replica, key, &object);
        }
    }
}

static inline void act_expire(struct replay *replay, struct replica *replica, const json_t *line)
{
    unsigned key = key_of(member(line, "key"));
    struct object object = load(replay, replica, key);
    struct dot dot = dot_of(member(line, "dot"));

    for (uint32_t i = 0; i < object.versions_count; i++) {
        object.versions[i].expiry_ms = dot_equal(object.versions[i].dot, dot) ? 1 : 0;
    }
    (void)object_expire(&object, 1, &replay->arena);
    save(replay, replica, key, &object);
}

static inline void act_seen(struct replica *replica, const json_t *line)
{
    unsigned of = node_of(member(line, "of"));

    clock_release(&replica->told[of]);
    clock_of(member(line, "told"), &replica->told[of]);
    replica->told_valid[of] = true;
}

/* Return false when the C code could not even do it. */
static inline bool act(struct replay *replay, struct replica *replica, const json_t *line)
{
    const char *action = json_string_value(member(line, "action"));
    struct dots replaced;

    if (strcmp(action, "write") == 0) {
        return act_write(replay, replica, line);
    }
    if (strcmp(action, "start") == 0) {
        replica_init(replica);
    } else if (strcmp(action, "apply") == 0) {
        dots_of(member(line, "replaced"), &replaced);
        apply(replay, replica, line, &replaced);
    } else if (strcmp(action, "repair") == 0) {
        act_repair(replay, replica, line);
    } else if (strcmp(action, "join") == 0) {
        act_join(replay, replica, line);
    } else if (strcmp(action, "collect") == 0) {
        act_collect(replay, replica, line);
    } else if (strcmp(action, "expire") == 0) {
        act_expire(replay, replica, line);
    } else if (strcmp(action, "seen") == 0) {
        act_seen(replica, line);
    } else if (strcmp(action, "unsee") == 0) {
        memset(replica->told_valid, 0, sizeof(replica->told_valid));
    } else if (strcmp(action, "sync") == 0) {
        replica_sync(replica);
    } else if (strcmp(action, "crash") == 0) {
        replica_crash(replay, replica);
    } else {
        ck_abort_msg("the model knows an action that this test does not: %s", action);
    }
    return true;
}
