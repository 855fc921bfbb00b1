/* tests/sim/sim_marks.h - which faults struck and which rare branches were reached.
 *
 * A fault that never fires and a branch that no seed enters prove nothing: every mark must be
 * reached in a run of a few hundred seeds, and those that were not are listed. */
#pragma once

#include "base/base.h"

#define MARK_LIST(X)                                                                               \
    X(KILL, "process killed")                                                                      \
    X(POWER_LOSS, "power lost at one node")                                                        \
    X(POWER_LOSS_ALL, "power lost everywhere at once")                                             \
    X(COMMITS_LOST, "a crash forgot commits")                                                      \
    X(CRASH_IN_START, "crash before the node served")                                              \
    X(CRASH_IN_STOP, "crash during an orderly stop")                                               \
    X(STOP, "orderly stop")                                                                        \
    X(RESTART, "node started again")                                                               \
    X(PAUSE, "node paused")                                                                        \
    X(PARTITION, "partition in two halves")                                                        \
    X(PARTITION_ONE_WAY, "one direction between two halves blocked")                               \
    X(LINK_CUT, "one link blocked both ways")                                                      \
    X(LINK_CUT_ONE_WAY, "one link blocked one way")                                                \
    X(HEAL, "network healed between faults")                                                       \
    X(DIAL_REFUSED, "dial refused")                                                                \
    X(DIAL_TIMEOUT, "dial timed out")                                                              \
    X(RESET, "connection reset at both ends")                                                      \
    X(HALF_OPEN, "connection lost at one end only")                                                \
    X(STALLED_LOST, "connection given up while stalled")                                           \
    X(STREAM_CUT, "stream ended inside the bytes sent")                                            \
    X(STREAM_STALL, "stream stalled")                                                              \
    X(STREAM_SPLIT, "bytes split where the sender did not")                                        \
    X(PEER_BLOCKED, "a peer's out-queue was full")                                                 \
    X(LATENCY_SPIKE, "network slowed down")                                                        \
    X(CLOCK_JUMP, "wall clock jumped")                                                             \
    X(DISK_SLOW, "disk slowed down")                                                               \
    X(DISK_MISS, "read from beyond memory")                                                        \
    X(READ_ERROR, "disk read failed")                                                              \
    X(READ_CORRUPT, "disk read returned damaged bytes")                                            \
    X(COMMIT_ERROR, "commit or sync failed")                                                       \
    X(CLIENT_DROP, "client left with commands in flight")                                          \
    X(CLIENT_LOST, "client lost its node")                                                         \
    X(CLIENT_TIMEOUT, "client gave up waiting")                                                    \
    X(CLIENT_PAUSED, "node stopped reading from a client")                                         \
    X(REPLY_DONE, "command done")                                                                  \
    X(REPLY_TRYAGAIN, "-TRYAGAIN")                                                                 \
    X(REPLY_UNCERTAIN, "-UNCERTAIN")                                                               \
    X(REPLY_LOADING, "-LOADING")                                                                   \
    X(REPLY_BUSY, "-BUSY")                                                                         \
    X(REPLY_OTHER, "another refusal")                                                              \
    X(REPLY_USAGE, "bad command refused")                                                          \
    X(CONTEXT_STALE, "causal write with an old context")                                           \
    X(CONTEXT_BLIND, "causal write without a context")                                             \
    X(CONTEXT_FORGED, "forged context refused")                                                    \
    X(CONTEXT_DAMAGED, "damaged context refused")                                                  \
    X(CONTEXT_FOREIGN, "context of another key refused")                                           \
    X(SIBLINGS, "a causal read showed siblings")                                                   \
    X(EXPIRED, "a value was read as expired")                                                      \
    X(RAISED, "request with its own R and W")                                                      \
    X(SETTLED_UNREAD, "replicas became alike before anything was read")                            \
    X(PIPELINED, "several commands in flight on one connection")                                   \
    X(FORWARDED, "request passed on to an owner")                                                  \
    X(WRITE_BACK, "read waited for a write-back")                                                  \
    X(HEDGE, "request hedged")                                                                     \
    X(NO_QUORUM, "operation refused without quorum")                                               \
    X(UNCERTAIN, "operation ended uncertain")                                                      \
    X(DELTA_DUPLICATE, "delta received twice")                                                     \
    X(REPAIR, "repair applied")                                                                    \
    X(ASK, "answers asked about dots they did not speak of")                                       \
    X(STATE_JOINED, "state of another owner joined")                                               \
    X(LOG_TRUNCATED, "log cut at its limit")                                                       \
    X(TOMBSTONE_COLLECTED, "tombstone collected")                                                  \
    X(VERSION_EXPIRED, "version turned into a tombstone")                                          \
    X(CACHE_MISS, "key was not in the cache")                                                      \
    X(CORRUPT_RECORD, "damaged record noticed")                                                    \
    X(UNREADABLE, "operation refused as unreadable")

enum mark {
#define X(name, words) MARK_##name,
    MARK_LIST(X)
#undef X
        MARKS_COUNT,
};

struct marks {
    uint64_t counts[MARKS_COUNT];
};

const char *mark_name(enum mark mark);
const char *mark_words(enum mark mark);
