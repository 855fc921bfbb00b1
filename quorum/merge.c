#include "quorum/merge.h"

#include "base/mutant.h"

const struct version *merged_winner(const struct merged *merged, int64_t wall_ms)
{
    const struct version *winner = NULL;

    for (uint32_t i = 0; i < merged->object.versions_count; i++) {
        const struct version *version = &merged->object.versions[i];
        if (!version_is_gone(version, wall_ms) &&
            (winner == NULL || version_compare_tag(version, winner) > 0)) {
            winner = version;
        }
    }
    return winner;
}

enum dot_status answer_status(const struct answer *answer, struct dot dot, bool *spoken)
{
    *spoken = true;
    for (uint32_t i = 0; i < answer->versions_count; i++) {
        if (dot_equal(answer->versions[i].dot, dot)) {
            return DOT_HELD;
        }
    }
    for (uint32_t i = 0; i < answer->asked_count; i++) {
        if (dot_equal(answer->asked[i], dot)) {
            return answer->statuses.size == 0 ? DOT_HELD
                                              : (enum dot_status)answer->statuses.data[i];
        }
    }
    *spoken = false;
    return DOT_UNKNOWN;
}

static void held_add(struct merged *out, struct dot dot)
{
    for (uint32_t i = 0; i < out->held_count; i++) {
        if (dot_equal(out->held[i], dot)) {
            return;
        }
    }
    out->held[out->held_count++] = dot;
}

static void candidate_add(struct object *object, const struct version *version)
{
    if (object_find(object, version->dot) == NULL) {
        object->versions[object->versions_count++] = *version;
    }
}

static void gather_answer(const struct answer *answer, struct merged *out)
{
    bool spoken = false;

    for (uint32_t i = 0; i < answer->versions_count; i++) {
        candidate_add(&out->object, &answer->versions[i]);
        held_add(out, answer->versions[i].dot);
    }
    for (uint32_t i = 0; i < answer->earlier_count; i++) {
        if (answer_status(answer, answer->earlier[i].dot, &spoken) == DOT_HELD) {
            candidate_add(&out->object, &answer->earlier[i]);
        }
    }
    for (uint32_t i = 0; i < answer->asked_count; i++) {
        if (answer_status(answer, answer->asked[i], &spoken) == DOT_HELD) {
            held_add(out, answer->asked[i]);
        }
    }
}

/* All versions that anyone holds, and their dots. */
static void gather(const struct object *own, const struct answer *answers, unsigned count,
                   struct arena *arena, struct merged *out)
{
    uint32_t versions = own->versions_count, dots = own->versions_count;

    for (unsigned i = 0; i < count; i++) {
        versions += answers[i].versions_count + answers[i].earlier_count;
        dots += answers[i].versions_count + answers[i].asked_count;
    }
    out->object.versions = ARENA_ARRAY(arena, struct version, versions + 1);
    out->object.versions_capacity = versions + 1;
    out->held = ARENA_ARRAY(arena, struct dot, dots + 1);
    out->lost = ARENA_ARRAY(arena, struct dot, versions + 1);
    for (uint32_t i = 0; i < own->versions_count; i++) {
        candidate_add(&out->object, &own->versions[i]);
        held_add(out, own->versions[i].dot);
    }
    for (unsigned i = 0; i < count; i++) {
        if (answers[i].answered) {
            gather_answer(&answers[i], out);
        }
    }
    for (uint32_t i = 0; i < out->object.versions_count; i++) {
        out->timestamp_max = MAX(out->timestamp_max, out->object.versions[i].timestamp);
    }
}

/* Is `dot` gone, as someone knows? */
static bool is_obsolete(const struct object *own, const struct clock *clock,
                        const struct answer *answers, unsigned count, struct dot dot)
{
    bool obsolete = object_find(own, dot) == NULL && object_covers(own, clock, dot);

    for (unsigned i = 0; i < count; i++) {
        bool spoken = false;
        if (answers[i].answered) {
            enum dot_status status = answer_status(&answers[i], dot, &spoken);
            obsolete = obsolete || status == DOT_OBSOLETE ||
                       (MUTANT(notfound_wins) && status == DOT_UNKNOWN);
        }
    }
    return obsolete;
}

/* Who has said nothing of a dot that would be shown? What it outranks needs no word of anyone. */
static uint32_t who_is_silent(const struct answer *answers, unsigned count, struct dot dot)
{
    uint32_t silent = 0;

    for (unsigned i = 0; i < count; i++) {
        bool spoken = true;
        if (answers[i].answered && !MUTANT(pairwise)) {
            (void)answer_status(&answers[i], dot, &spoken);
        }
        silent |= (uint32_t)!spoken << i;
    }
    return silent;
}

/* The answer holds exactly our versions. */
static bool answer_same(const struct object *own, const struct answer *answer)
{
    if (answer->versions_count > 0 || answer->asked_count != own->versions_count) {
        return false;
    }
    for (uint32_t i = 0; i < answer->asked_count; i++) {
        bool held = answer->statuses.size == 0 || answer->statuses.data[i] == DOT_HELD;
        if (!held || !dot_equal(answer->asked[i], own->versions[i].dot)) {
            return false;
        }
    }
    return true;
}

void merge_answers(const struct object *own, const struct clock *clock,
                   const struct answer *answers, unsigned count, struct arena *arena,
                   struct merged *out)
{
    *out = (struct merged){.same = true};
    for (unsigned i = 0; i < count; i++) {
        if (answers[i].answered && !answer_same(own, &answers[i])) {
            out->same = false;
        }
    }
    if (out->same) { /* The common case needs no set at all. */
        out->object = *own;
        out->object.residual = NULL;
        out->object.residual_count = out->object.residual_capacity = 0;
        out->held = ARENA_ARRAY(arena, struct dot, own->versions_count);
        for (uint32_t i = 0; i < own->versions_count; i++) {
            out->held[out->held_count++] = own->versions[i].dot;
            out->timestamp_max = MAX(out->timestamp_max, own->versions[i].timestamp);
        }
        return;
    }
    gather(own, answers, count, arena, out);
    uint32_t kept = 0, silent_of_any = 0, silent_of_shown = 0;
    for (uint32_t i = 0; i < out->object.versions_count; i++) {
        struct version version = out->object.versions[i];
        if (is_obsolete(own, clock, answers, count, version.dot)) {
            out->lost[out->lost_count++] = version.dot;
            continue; /* One who knows is enough; nobody has to be asked again. */
        }
        silent_of_any |= who_is_silent(answers, count, version.dot);
        out->object.versions[kept++] = version;
    }
    out->object.versions_count = kept;
    object_rank(&out->object, arena);
    for (uint32_t i = 0; i < out->object.versions_count; i++) {
        silent_of_shown |= who_is_silent(answers, count, out->object.versions[i].dot);
    }
    /* Who is asked again is asked about everything, so that twice is enough. */
    out->unspoken = silent_of_shown != 0 ? silent_of_any : 0;
    for (uint32_t i = 0; i < out->object.residual_count; i++) {
        out->lost[out->lost_count++] = out->object.residual[i];
    }
}
