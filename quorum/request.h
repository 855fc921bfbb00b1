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
    uint16_t from;           /* Who passed it on to us; QUORUM_MEMBER_NONE for our own clients. */
    uint64_t from_request;
    uint16_t forwarded_to;
    enum request_state state;
    struct op op;            /* Its pointers are in the arena. */
    struct arena arena;
    uint16_t partition;
    const uint16_t *owners;
    unsigned owners_count, self;
    uint8_t r, w;
    bool hedged;
    uint64_t start_ns, deadline_ns;
    struct dot *mine;        /* What we held when we asked. */
    uint32_t mine_count;
    struct answer answers[QUORUM_OWNERS_MAX];
    uint32_t asked, answered, failed, acked; /* Bit i: owner i. */
    struct message *round;   /* DELTA or REPAIR, for owners that come back in time. */
    struct op_result result;
};

/* -- put.c */
/* Write at the coordinator: apply to our own copy, prepare the delta. `merged` is NULL for one round. */
void put_write(struct quorum *quorum, struct request *request, const struct object *object,
               const struct merged *merged);
/* A causal write would leave more siblings than allowed. */
bool put_too_many_siblings(const struct quorum *quorum, const struct request *request,
                           const struct object *object);
/* Read repair at the coordinator: our own copy first; prepare the message. Return the sequence that must
 * be durable before anyone else may see it. */
uint64_t put_back(struct quorum *quorum, struct request *request, const struct object *object,
                  uint64_t sequence, const struct merged *merged);
/* -- get.c */
/* Fill in the result of a read. */
void get_result(struct quorum *quorum, struct request *request, const struct merged *merged);
