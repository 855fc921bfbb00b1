/* base/mutant.h - named switches that re-introduce known bugs, for a test build only.
 *
 * A checker that has never failed proves nothing: the program ringfort-sim-mutants is built from
 * the same sources with -DRINGFORT_MUTANTS, switches on one mutant at a time, and the simulator
 * must notice each. Without that define MUTANT() is the constant false: the release binary holds
 * no hook.
 *
 *     if (!MUTANT(low_tag)) {
 *         timestamp = MAX(timestamp, seen);
 *     }
 *
 * The third word is the hazard that the bug stands for: A2, B1 and so on name entries of the
 * catalogue of hazards, "model" a bug that one of the executable models in model/ knows by the same
 * name. */
#pragma once

#define MUTANT_LIST(X)                                                                             \
    X(no_write_back, "A2", "a read answers before W owners hold what it shows")                    \
    X(same_r, "A2", "a read is satisfied when R owners agree, although W is larger")               \
    X(pairwise, "model", "answers are compared with the coordinator's own copy only")              \
    X(ack_twice, "A5", "a second acknowledgement of one owner counts again")                       \
    X(stale_answer, "A7", "an answer completes whichever request is current")                      \
    X(mset_partial_ok, "A9", "MSET says OK although one of its keys failed")                       \
    X(notfound_wins, "A10", "an owner without the key outvotes those that hold it")                \
    X(refused_though_applied, "A12", "-TRYAGAIN after the write was applied locally")              \
    X(w_ignored, "A13", "a write answers after its first acknowledgement")                         \
    X(blind_set, "model", "SET skips its first round")                                             \
    X(blind_del, "model", "DEL skips its first round")                                             \
    X(low_tag, "model", "a write is not ranked above what it replaces")                            \
    X(no_tombstone, "model", "DEL leaves no tombstone")                                            \
    X(forget_half, "model", "a tombstone goes before every owner has reported")                    \
    X(forget_early, "model", "a tombstone goes before one's clock covers the reports")             \
    X(hlc_falls, "model", "the hybrid clock ignores what is applied")                              \
    X(hlc_falls_restart, "model", "the hybrid clock starts anew after a restart")                  \
    X(replaced_into_clock, "model", "replaced dots enter the clock with their replacer")           \
    X(repair_clock, "model", "read repair adds dots to the clock")                                 \
    X(repair_is_newest, "D6", "read repair replaces whatever the replica holds")                   \
    X(reuse_actor, "B1", "a node keeps its actor after an unclean stop")                           \
    X(counter_restarts, "B9", "an actor's counters begin at 1 after a clean restart")              \
    X(unsynced_reads, "model", "an answer shows what is not yet durable")                          \
    X(ack_unsynced, "G1", "an owner acknowledges before its sync")                                 \
    X(sibling_merge, "D16", "causal siblings yield to rank")                                       \
    X(double_coordination, "B12", "a forwarded write is written by the forwarder as well")         \
    X(forward_loop, "B13", "an owner forwards once more instead of serving")                       \
    X(context_not_bound, "B15", "a context of another key is accepted")                            \
    X(context_unchecked, "B17", "a forged or damaged context is accepted")                         \
    X(blind_causal_swallows, "B16", "RF.SET without a context replaces everything")                \
    X(context_ignored, "B11", "RF.SET replaces nothing, whatever its context")                     \
    X(rank_by_arrival, "C3", "equal timestamps are ranked by arrival")                             \
    X(expiry_local, "C12", "a time to live counts anew at every owner")                            \
    X(expiry_lost, "C12", "repair and synchronisation forget a version's expiry")                  \
    X(not_found_on_error, "D12", "a record that cannot be read counts as absent")                  \
    X(timeout_means_failed, "H1", "a timeout is reported as refused")                              \
    X(reply_out_of_order, "H12", "a reply is sent as soon as it is known")                         \
    X(lost_load_waiter, "I44", "a second operation that waits for one load is forgotten")          \
    X(checkpoint_missing, "G18", "log entries are deleted without a checkpoint of the clock")      \
    X(log_delete_early, "D7", "log entries go before every owner is covered")                      \
    X(collect_volatile_clock, "D9", "peers collect against clocks that are not durable")           \
    X(clock_base_too_high, "G18", "a recovered clock claims dots that were lost")                  \
    X(residual_lost, "model", "a replaced dot whose delta is on its way is not remembered")        \
    X(state_partial_clock, "D13", "the first part of a state brings the whole clock")              \
    X(join_keeps_obsolete, "model", "joining a state does not drop what the sender dropped")       \
    X(no_log_after_restart, "D14", "dots recovered at a start are missing from the log")

enum mutant {
    MUTANT_none,
#define X(name, hazard, words) MUTANT_##name,
    MUTANT_LIST(X)
#undef X
        MUTANTS_END,
};

#ifdef RINGFORT_MUTANTS
extern enum mutant mutant_on; /* Defined by the simulator. */
#define MUTANT(name) (mutant_on == MUTANT_##name)
#else
#define MUTANT(name) (MUTANT_##name < 0) /* False; still checks that the name is listed. */
#endif
