/* tests/unit/test_model.c - the C code does what model/partition_model.py does, step by step.
 *
 * The model writes a line for every step of its random schedules: what was done to which replica,
 * and what that replica holds afterwards. Here the same is done with quorum/partition.c, object.c
 * and dotlog.c, and compared. Residual dots that the clock covers by now say nothing; either side
 * may have tidied them away, so they are left out. */
#include "tests/lib/json_replay.h"

enum { SCHEDULES = 250, MUTANT_SCHEDULES = 40 };

/* -- Comparison with what the model holds. */

static bool log_is(const struct replica *replica, const json_t *log)
{
    bool same = replica->partition.log.count == json_array_size(log);

    for (size_t i = 0; same && i < json_array_size(log); i++) {
        same = logged(&replica->partition.log, dot_of(json_array_get(json_array_get(log, i), 0)));
    }
    return same;
}

/* The entry [key, ...] of a list, NULL when the key has none. */
static const json_t *of_key(const json_t *list, unsigned key)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        if (key_of(json_array_get(item, 0)) == key) {
            return json_array_get(item, 1);
        }
    }
    return NULL;
}

static bool versions_are(struct replay *replay, const struct object *object, const json_t *list)
{
    uint32_t count;
    const struct version *wanted = versions_of(&replay->arena, list, &count);
    bool same = object->versions_count == count;

    for (uint32_t i = 0; same && i < count; i++) {
        const struct version *held = object_find(object, wanted[i].dot);
        same = held != NULL && held->timestamp == wanted[i].timestamp &&
               held->kind == wanted[i].kind && held->flags == wanted[i].flags &&
               bytes_equal(held->payload, wanted[i].payload);
    }
    return same;
}

static bool residual_is(const struct replica *replica, struct object *object, const json_t *list)
{
    struct dots wanted;
    uint32_t count = 0;
    bool same = true;

    object_tidy(object, &replica->partition.clock);
    dots_of(list, &wanted);
    for (uint32_t i = 0; i < wanted.count; i++) {
        if (!clock_has(&replica->partition.clock, wanted.dots[i])) {
            same = same && object_residual_has(object, wanted.dots[i]);
            count++;
        }
    }
    return same && object->residual_count == count;
}

/* Return what differs, or NULL. */
static const char *differs(struct replay *replay, const struct replica *replica, const json_t *line)
{
    struct clock clock;

    clock_of(member(line, "clock"), &clock);
    bool same_clock = clock_equal(&replica->partition.clock, &clock);
    clock_release(&clock);
    if (!same_clock) {
        return "the clock";
    }
    for (unsigned key = 0; key < KEYS; key++) {
        struct object object = load(replay, replica, key);
        if (!versions_are(replay, &object, of_key(member(line, "store"), key))) {
            return "the store";
        }
        if (!residual_is(replica, &object, of_key(member(line, "residual"), key))) {
            return "the residual dots";
        }
    }
    return log_is(replica, member(line, "log")) ? NULL : "the log";
}

static void replay_reset(struct replay *replay)
{
    for (unsigned i = 0; i < NODES; i++) {
        replica_release(&replay->replicas[i]);
    }
    arena_release(&replay->arena);
    *replay = (struct replay){0};
    arena_init(&replay->arena, 1 << 16);
}

/* What one run of the model came to. */
struct outcome_counts {
    int steps, schedules, alarms;
};

/* Do one line; a schedule that has differed once is left alone from then on. */
static void replay_line(struct replay *replay, const json_t *line, bool tell,
                        struct outcome_counts *counts)
{
    json_int_t seed = json_integer_value(member(line, "seed"));
    struct replica *replica = &replay->replicas[node_of(member(line, "node"))];

    if (seed != replay->seed) {
        replay_reset(replay);
        replay->seed = seed;
        counts->schedules++;
    }
    if (replay->differed) {
        return;
    }
    counts->steps++;
    const char *what = act(replay, replica, line) ? differs(replay, replica, line) : "the next dot";
    if (what != NULL) {
        replay->differed = true;
        counts->alarms++;
        if (tell) {
            char *text = json_dumps(line, JSON_COMPACT);
            printf("seed %lld: %s differs after %s\n", (long long)seed, what, text);
            free(text);
        }
    }
}

/* Run the model with `bug` and replay all that it does. It exits with 1 when its own checks see the
 * bug, which is no concern of ours. */
static struct outcome_counts replay_model(int schedules, const char *bug)
{
    struct outcome_counts counts = {0};
    struct replay replay = {0};
    char command[256], *text = NULL;
    size_t capacity = 0;
    ssize_t size;

    (void)snprintf(command, sizeof(command),
                   "python3 model/partition_model.py %d 1 %s --trace /dev/fd/3 3>&1 >%s", schedules,
                   bug, bug[0] == '\0' ? "&2" : "/dev/null");
    FILE *trace = popen(command, "r");
    ck_assert_ptr_nonnull(trace);
    arena_init(&replay.arena, 1 << 16);
    while ((size = getline(&text, &capacity, trace)) > 0) {
        json_error_t error;
        json_t *line = json_loadb(text, (size_t)size, 0, &error);
        ck_assert_msg(line != NULL, "%s", error.text);
        replay_line(&replay, line, bug[0] == '\0', &counts);
        json_decref(line);
    }
    free(text);
    int status = pclose(trace);
    ck_assert(WIFEXITED(status));
    ck_assert_int_le(WEXITSTATUS(status), bug[0] == '\0' ? 0 : 1);
    replay_reset(&replay);
    arena_release(&replay.arena);
    return counts;
}

TEST(every_step_of_the_model_has_the_same_effect_here)
{
    struct outcome_counts counts = replay_model(SCHEDULES, "");

    ck_assert_int_eq(counts.schedules, SCHEDULES);
    ck_assert_int_eq(counts.alarms, 0);
    printf("COUNT model_steps %d\nCOUNT model_schedules %d\n", counts.steps, counts.schedules);
}

/* Proof that the comparison sees: a model with a bug must not look like our code. */
TEST(a_model_with_a_bug_is_noticed)
{
    static const char *const bugs[] = {"no_tombstone", "replaced_into_clock", "repair_clock",
                                       "forget_half"};
    int alarms = 0;

    for (size_t i = 0; i < ARRAY_COUNT(bugs); i++) {
        struct outcome_counts counts = replay_model(MUTANT_SCHEDULES, bugs[i]);
        ck_assert_msg(counts.alarms > 0, "%s is not noticed", bugs[i]);
        alarms += counts.alarms;
    }
    printf("COUNT model_alarms %d\n", alarms);
}

UNIT_MAIN(every_step_of_the_model_has_the_same_effect_here, a_model_with_a_bug_is_noticed)
