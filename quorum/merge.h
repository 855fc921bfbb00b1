/* quorum/merge.h - what a round of answers about one key means: a pure decision.
 *
 * model/quorum_model.py, decide(): a version is obsolete if ANY answer covers it and does not hold
 * it. An answer speaks of the dots it was asked about and of all that it holds besides; of any
 * other dot it says nothing, and its owner has to be asked again before the dot may be shown
 * (REVIEW of the protocol: answers must not be compared with the coordinator's copy only). */
#pragma once

#include "quorum/message.h"
#include "quorum/object.h"

struct answer {
    bool answered;
    const struct dot *asked; /* The dots that the request carried, sorted. */
    uint32_t asked_count;
    struct bytes statuses;          /* One enum dot_status per dot asked; empty: all held. */
    const struct version *versions; /* Held there and not asked about. */
    uint32_t versions_count;
    const struct version *earlier; /* What any answer has brought before. */
    uint32_t earlier_count;
};

struct merged {
    struct object object; /* What counts, ranked. */
    struct dot *held;     /* Every dot that anyone holds. */
    uint32_t held_count;
    struct dot *lost; /* Dots that someone holds and that do not count any more. */
    uint32_t lost_count;
    uint64_t timestamp_max; /* Over every version that anyone holds. */
    bool same;              /* All hold exactly what we hold. */
    uint32_t unspoken;      /* Bit i: answer i has to be asked again. */
};

/* Merge the answers of `count` owners (unanswered ones are skipped) with our own object. */
void merge_answers(const struct object *own, const struct clock *clock,
                   const struct answer *answers, unsigned count, struct arena *arena,
                   struct merged *out);
/* The living version of highest tag, or NULL. Where causal siblings stand beside a tombstone, or
 * one has expired, the others are still there: the answer must not change when the tombstone is
 * forgotten. */
const struct version *merged_winner(const struct merged *merged, int64_t wall_ms);
/* What `answer` says of a dot. */
enum dot_status answer_status(const struct answer *answer, struct dot dot, bool *spoken);
