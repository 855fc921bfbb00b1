/* quorum/request.h - one operation in flight at its coordinator; private to this folder.
 *
 *            start
 *              | not an owner ------------> FORWARDED ----> done
 *              v
 *         BEGINNING (own record) --one round--> WRITING
 *              v
 *           ASKING (R-1 others; again where an answer did not speak of a dot)
 *              v
 *          DECIDING (own record) --same, W hold it--> REVEALING (own copy durable) -> done
 *              |                 --read, differs----> REPAIRING (own copy durable) -> WRITING
 *              v
 *           WRITING (W durable acks) --------------> done
 */
#pragma once

#include "quorum/merge.h"
#include "quorum/state.h"

enum request_state {
    REQUEST_BEGINNING,
    REQUEST_ASKING,
    REQUEST_DECIDING,
    REQUEST_REVEALING,
    REQUEST_REPAIRING,
    REQUEST_WRITING,
    REQUEST_FORWARDED,
};

struct request {
    struct heap_item timer;
    struct list free_link;
    uint64_t id, token;
    uint16_t from; /* Who passed it on to us; QUORUM_MEMBER_NONE for our own clients. */
    uint64_t from_request;
    uint16_t forwarded_to;
    enum request_state state;
    struct op op; /* Its pointers are in the arena. */
    struct arena arena;
    uint16_t partition;
    const uint16_t *owners;
    unsigned owners_count, self;
    uint8_t r, w;
    bool hedged;
    uint64_t start_ns, deadline_ns;
    struct dot *mine; /* What we held when we asked. */
    uint32_t mine_count;
    struct answer answers[QUORUM_OWNERS_MAX];
    const struct version *known; /* Every version that any answer has brought. */
    uint32_t known_count;
    uint32_t asked, answered, failed, acked; /* Bit i: owner i. */
    struct message *round; /* DELTA or REPAIR, for owners that come back in time. */
    struct op_result result;
};

/* -- request.c */
struct request *request_find(struct quorum *quorum, uint64_t id);
bool request_op_is_write(enum op_kind kind);
/* A write that takes part in the total order of its key. */
bool request_two_rounds(const struct request *request);
/* Owners in a mask. */
unsigned owner_bits(uint32_t mask);
/* Bit i: owner i is this node or live. */
uint32_t request_live(const struct quorum *quorum, const struct request *request);
uint32_t request_self_bit(const struct request *request);
/* The one outcome; the request is gone afterwards. */
void request_finish(struct quorum *quorum, struct request *request, enum outcome outcome);
void request_fail(struct quorum *quorum, struct request *request, enum outcome outcome,
                  unsigned needed, unsigned got);
/* Let another owner coordinate, once. */
void request_forward(struct quorum *quorum, struct request *request);
/* Load the key's record; request_on_loaded goes on, now or later. */
void request_load(struct quorum *quorum, struct request *request, enum request_state state);
/* Wake the request at `at_ns`, at its deadline at the latest. */
void request_arm(struct quorum *quorum, struct request *request, uint64_t at_ns);

/* -- ask.c */
void request_round_one(struct quorum *quorum, struct request *request, const struct object *object,
                       uint64_t sequence);
void request_ask(struct quorum *quorum, struct request *request, unsigned owner);
/* Ask others until `wanted` of them have been asked and have not failed. Return how many there are.
 */
unsigned request_ask_more(struct quorum *quorum, struct request *request, unsigned wanted);
unsigned request_answers_wanted(const struct quorum *quorum, const struct request *request);
/* An owner will not answer: ask another, or fail when none is left. */
void request_owner_failed(struct quorum *quorum, struct request *request, unsigned owner,
                          enum outcome outcome);

/* -- decide.c */
void request_decide(struct quorum *quorum, struct request *request, const struct object *object,
                    uint64_t sequence);

/* -- put.c */
/* Write at the coordinator: apply to our own copy, prepare the delta. `merged` is NULL for one
 * round. */
void put_write(struct quorum *quorum, struct request *request, const struct object *object,
               const struct merged *merged);
/* A causal write would leave more siblings than allowed. */
bool put_too_many_siblings(const struct quorum *quorum, const struct request *request,
                           const struct object *object);
/* Read repair at the coordinator: our own copy first; prepare the message. Return the sequence that
 * must be durable before anyone else may see it. */
uint64_t put_back(struct quorum *quorum, struct request *request, const struct object *object,
                  uint64_t sequence, const struct merged *merged);
/* -- get.c */
/* Fill in the result of a read. */
void get_result(struct quorum *quorum, struct request *request, const struct merged *merged);
