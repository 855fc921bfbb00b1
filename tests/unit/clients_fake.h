/* tests/unit/clients_fake.h - a world around `struct clients`: one map instead of a cluster.
 *
 * Operations are carried out when they are started and answered either at once (from within
 * clients_io.start) or later, in any order that the test draws. What clients would read is gathered
 * per client. Everything is in memory and in virtual time. */
#pragma once

#include "base/hash.h"
#include "base/prng.h"
#include "node/clients.h"
#include "quorum/key.h"
#include "ring/place.h"
#include "ring/slot.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FAKE_CLIENTS_MAX = 16, FAKE_KEYS_MAX = 4096, FAKE_PENDING_MAX = 4096, FAKE_MEMBERS = 3 };

struct fake_client {
    struct buf out;
    bool closed, paused;
    unsigned sends, pauses;
};

struct fake_value {
    uint8_t *key, *value;
    size_t key_size, value_size;
    int64_t expiry_ms;
    uint64_t timestamp;
};

/* An operation, list or count that has not been answered. */
struct fake_pending {
    uint64_t token;
    int what; /* 0: operation, 1: list, 2: count. */
    struct op op;
    struct list_query query;
};

struct fake {
    struct clients *clients;
    struct options options;
    struct view view;
    struct view_member members[FAKE_MEMBERS];
    struct place place;
    struct shell_stats shell;
    struct prng prng;
    struct now now;
    struct fake_client of[FAKE_CLIENTS_MAX];
    struct fake_value values[FAKE_KEYS_MAX];
    unsigned values_count;
    struct fake_pending pending[FAKE_PENDING_MAX];
    unsigned pending_count, pending_peak;
    bool later; /* Answer when fake_answer is called. */
    bool stopped;
    unsigned started, logged;
    struct op last; /* Its key, value and context are not kept. */
    /* What the next operations end with; by key when `outcome_key` is not NULL. */
    enum outcome outcome;
    const char *outcome_key;
    uint8_t needed, got;
    struct version siblings[8];
    uint32_t siblings_count;
    struct seen_dot context[300];
    uint32_t context_count;
    uint64_t clock;
};

static inline struct bytes fake_copy(struct bytes bytes)
{
    uint8_t *copy = mem_alloc(bytes.size + 1);
    if (bytes.size > 0) {
        memcpy(copy, bytes.data, bytes.size);
    }
    return (struct bytes){copy, bytes.size};
}

static inline void fake_io_send(void *context, uint64_t client, struct bytes bytes)
{
    struct fake *fake = context;
    ck_assert(client < FAKE_CLIENTS_MAX);
    ck_assert(!fake->of[client].closed);
    fake->of[client].sends++;
    buf_put_bytes(&fake->of[client].out, bytes);
}

static inline void fake_io_close(void *context, uint64_t client)
{
    struct fake *fake = context;
    ck_assert(!fake->of[client].closed);
    fake->of[client].closed = true;
}

static inline void fake_io_pause(void *context, uint64_t client, bool on)
{
    struct fake *fake = context;
    ck_assert(fake->of[client].paused != on);
    fake->of[client].paused = on;
    fake->of[client].pauses++;
}

static inline struct fake_value *fake_find(struct fake *fake, struct bytes key)
{
    for (unsigned i = 0; i < fake->values_count; i++) {
        struct fake_value *value = fake->values + i;
        if (bytes_equal((struct bytes){value->key, value->key_size}, key)) {
            return value;
        }
    }
    return NULL;
}

static inline bool fake_live(const struct fake *fake, const struct fake_value *value)
{
    return value != NULL && value->value != NULL &&
           (value->expiry_ms == 0 || value->expiry_ms > fake->now.wall_ms);
}

static inline void fake_write(struct fake *fake, const struct op *op, struct fake_value *value)
{
    if (value == NULL) {
        ck_assert(fake->values_count < FAKE_KEYS_MAX);
        value = fake->values + fake->values_count++;
        memset(value, 0, sizeof(*value));
        struct bytes key = fake_copy(op->key);
        value->key = (uint8_t *)(uintptr_t)key.data;
        value->key_size = key.size;
    }
    mem_free(value->value);
    value->value = NULL;
    if (op->kind == OP_SET || op->kind == OP_CAUSAL_SET) {
        struct bytes copy = fake_copy(op->value);
        value->value = (uint8_t *)(uintptr_t)copy.data;
        value->value_size = copy.size;
        value->expiry_ms = op->keep_expiry ? value->expiry_ms : op->expiry_ms;
    }
    value->timestamp = ++fake->clock << 16;
}

static inline bool fake_fails(const struct fake *fake, const struct op *op)
{
    struct key_parts parts;
    ck_assert_int_eq(key_decode(op->key, &parts), OK);
    return fake->outcome != OUTCOME_DONE &&
           (fake->outcome_key == NULL || bytes_equal(parts.user, bytes_of(fake->outcome_key)));
}

static inline void fake_do(struct fake *fake, const struct op *op, uint64_t token)
{
    struct fake_value *value = fake_find(fake, op->key);
    bool fails = fake_fails(fake, op);
    struct op_result result = {
        .outcome = fails ? fake->outcome : OUTCOME_DONE,
        .slot = key_slot(op->key),
        .needed = fake->needed,
        .got = fake->got,
        .waited_ms = op->timeout_ms,
        .siblings = fake->siblings,
        .siblings_count = fake->siblings_count,
        .context = fake->context,
        .context_count = fake->context_count,
    };
    struct bytes old = {NULL, 0};
    if (!fails && fake_live(fake, value)) {
        result.found = true;
        result.expiry_ms = value->expiry_ms;
        result.timestamp = value->timestamp;
        result.removed = 1;
        old = fake_copy((struct bytes){value->value, value->value_size});
        result.value = old;
    }
    if (!fails && op->kind != OP_GET && op->kind != OP_CAUSAL_GET && op->kind != OP_EXPLAIN) {
        fake_write(fake, op, value);
    }
    clients_on_op(fake->clients, fake->now, token, &result);
    mem_free((void *)(uintptr_t)old.data);
}

static inline int fake_by_position(const void *a, const void *b)
{
    const struct fake_value *const *x = a;
    const struct fake_value *const *y = b;
    uint64_t p = key_position((struct bytes){(*x)->key, (*x)->key_size});
    uint64_t q = key_position((struct bytes){(*y)->key, (*y)->key_size});
    return p < q ? -1 : p > q;
}

static inline void fake_list(struct fake *fake, const struct list_query *query, uint64_t token)
{
    struct list_result result = {.outcome = fake->outcome, .position_next = query->position_end};
    struct fake_value *sorted[FAKE_KEYS_MAX];
    struct bytes keys[FAKE_KEYS_MAX];
    unsigned count = 0;
    for (unsigned i = 0; i < fake->values_count; i++) {
        struct fake_value *value = fake->values + i;
        uint64_t position = key_position((struct bytes){value->key, value->key_size});
        bool in_range = position >= query->position && position < query->position_end;
        if (fake_live(fake, value) && in_range && value->key[2] == query->database) {
            sorted[count++] = value;
        }
    }
    qsort(sorted, count, sizeof(sorted[0]), fake_by_position);
    for (unsigned i = 0; i < count; i++) {
        struct key_parts parts;
        uint64_t position = key_position((struct bytes){sorted[i]->key, sorted[i]->key_size});
        if (i >= query->count_max && position != result.position_next) {
            result.position_next = position;
            break;
        }
        ck_assert_int_eq(key_decode((struct bytes){sorted[i]->key, sorted[i]->key_size}, &parts),
                         OK);
        keys[result.keys_count++] = parts.user;
        if (i + 1 == query->count_max) {
            result.position_next = position; /* More keys of this position still come. */
        }
        if (i + 1 == count) {
            result.position_next = query->position_end;
        }
    }
    result.keys = keys;
    clients_on_listed(fake->clients, fake->now, token, &result);
}

static inline void fake_count(struct fake *fake, uint64_t token)
{
    struct count_result result = {.outcome = fake->outcome};
    for (unsigned i = 0; i < fake->values_count; i++) {
        if (fake_live(fake, fake->values + i)) {
            result.keys[fake->values[i].key[2]]++;
            result.expires[fake->values[i].key[2]] += fake->values[i].expiry_ms != 0;
        }
    }
    clients_on_counted(fake->clients, fake->now, token, &result);
}

static inline struct fake_pending *fake_pend(struct fake *fake, uint64_t token, int what)
{
    ck_assert(fake->pending_count < FAKE_PENDING_MAX);
    struct fake_pending *pending = fake->pending + fake->pending_count++;
    fake->pending_peak = MAX(fake->pending_peak, fake->pending_count);
    *pending = (struct fake_pending){.token = token, .what = what};
    return pending;
}

static inline void fake_io_start(void *context, const struct op *op, uint64_t token)
{
    struct fake *fake = context;
    fake->started++;
    fake->last = *op;
    if (!fake->later) {
        fake_do(fake, op, token);
        return;
    }
    struct fake_pending *pending = fake_pend(fake, token, 0);
    pending->op = *op;
    pending->op.key = fake_copy(op->key);
    pending->op.value = fake_copy(op->value);
}

static inline void fake_io_list(void *context, const struct list_query *query, uint64_t token)
{
    struct fake *fake = context;
    if (fake->later) {
        fake_pend(fake, token, 1)->query = *query;
    } else {
        fake_list(fake, query, token);
    }
}

static inline void fake_io_count(void *context, uint32_t timeout_ms, uint64_t token)
{
    struct fake *fake = context;
    ck_assert(timeout_ms > 0);
    if (fake->later) {
        fake_pend(fake, token, 2);
    } else {
        fake_count(fake, token);
    }
}

static inline const struct view *fake_io_view(void *context)
{
    return &((struct fake *)context)->view;
}

static inline void fake_io_stats(void *context, struct quorum_stats *out)
{
    (void)context;
    memset(out, 0, sizeof(*out));
}

static inline const struct shell_stats *fake_io_shell(void *context)
{
    return &((struct fake *)context)->shell;
}

static inline void fake_io_log(void *context, enum log_level level, const char *text)
{
    struct fake *fake = context;
    (void)level;
    ck_assert(strlen(text) > 0);
    fake->logged++;
}

static inline void fake_io_stop(void *context)
{
    ((struct fake *)context)->stopped = true;
}

/* Answer the index-th pending operation. */
static inline void fake_answer(struct fake *fake, unsigned index)
{
    ck_assert(index < fake->pending_count);
    struct fake_pending pending = fake->pending[index];
    memmove(fake->pending + index, fake->pending + index + 1,
            sizeof(pending) * (fake->pending_count - index - 1));
    fake->pending_count--;
    switch (pending.what) {
    case 0:
        fake_do(fake, &pending.op, pending.token);
        mem_free((void *)(uintptr_t)pending.op.key.data);
        mem_free((void *)(uintptr_t)pending.op.value.data);
        break;
    case 1:
        fake_list(fake, &pending.query, pending.token);
        break;
    default:
        fake_count(fake, pending.token);
    }
}

/* Answer everything, in random order, and what that starts. */
static inline void fake_answer_all(struct fake *fake)
{
    while (fake->pending_count > 0) {
        fake_answer(fake, (unsigned)prng_below(&fake->prng, fake->pending_count));
    }
}

static inline void fake_members(struct fake *fake)
{
    struct ring_member members[FAKE_MEMBERS];
    memset(members, 0, sizeof(members));
    for (unsigned i = 0; i < FAKE_MEMBERS; i++) {
        struct view_member *member = fake->members + i;
        snprintf(member->name, sizeof(member->name), "n%u", i + 1);
        snprintf(member->id, sizeof(member->id), "%040u", i + 1);
        snprintf(member->client_host, sizeof(member->client_host), "127.0.0.1");
        snprintf(member->cluster_host, sizeof(member->cluster_host), "127.0.0.1");
        snprintf(member->peer_host, sizeof(member->peer_host), "127.0.0.1");
        member->client_port = (uint16_t)(7001 + i);
        member->cluster_port = (uint16_t)(7101 + i);
        member->peer_port = (uint16_t)(8001 + i);
        member->weight = 1;
        member->self = i == 0;
        member->live = member->connected = true;
        snprintf(members[i].name, sizeof(members[i].name), "n%u", i + 1);
        members[i].weight = 1;
    }
    place_init(&fake->place, members, FAKE_MEMBERS, 64 /* partitions */, 3 /* n */, NULL);
    fake->view = (struct view){
        .members = fake->members,
        .members_count = FAKE_MEMBERS,
        .place = &fake->place,
        .configuration = 1,
        .serving = true,
        .cluster_id = {1, 2, 3},
        .context_key = {9, 8, 7},
        .cluster_name = "test",
        .n = 3,
        .r = 2,
        .w = 2,
        .partitions_count = 64,
        .partitions_reachable = 64,
    };
}

static inline struct fake *fake_new(uint64_t seed)
{
    struct fake *fake = mem_alloc_zero(1, sizeof(*fake));
    options_init(&fake->options);
    fake->options.requests_max = 4096;
    prng_init(&fake->prng, seed);
    fake->now = (struct now){.ns = 1000000000, .wall_ms = 1700000000123};
    fake->needed = 2;
    fake->got = 1;
    fake_members(fake);
    for (unsigned i = 0; i < FAKE_CLIENTS_MAX; i++) {
        buf_init(&fake->of[i].out, (size_t)1 << 30);
    }
    return fake;
}

/* After the test has changed fake->options. */
static inline void fake_start(struct fake *fake)
{
    struct clients_io io = {
        .context = fake,
        .send = fake_io_send,
        .close = fake_io_close,
        .pause = fake_io_pause,
        .start = fake_io_start,
        .list = fake_io_list,
        .count = fake_io_count,
        .view = fake_io_view,
        .quorum_stats = fake_io_stats,
        .shell_stats = fake_io_shell,
        .log = fake_io_log,
        .stop = fake_io_stop,
    };
    fake->clients = clients_new(&fake->options, &io, 42);
}

static inline void fake_free(struct fake *fake)
{
    clients_free(fake->clients);
    for (unsigned i = 0; i < fake->pending_count; i++) {
        mem_free((void *)(uintptr_t)fake->pending[i].op.key.data);
        mem_free((void *)(uintptr_t)fake->pending[i].op.value.data);
    }
    for (unsigned i = 0; i < fake->values_count; i++) {
        mem_free(fake->values[i].key);
        mem_free(fake->values[i].value);
    }
    for (unsigned i = 0; i < FAKE_CLIENTS_MAX; i++) {
        buf_release(&fake->of[i].out);
    }
    place_release(&fake->place);
    mem_free(fake);
}

static inline void fake_open(struct fake *fake, uint64_t client, enum face face)
{
    clients_on_open(fake->clients, fake->now, client, face, "127.0.0.1:50000");
}

static inline void fake_send_bytes(struct fake *fake, uint64_t client, struct bytes bytes)
{
    clients_on_bytes(fake->clients, fake->now, client, bytes);
}

static inline void fake_send(struct fake *fake, uint64_t client, const char *text)
{
    fake_send_bytes(fake, client, bytes_of(text));
}

/* What the client has read since the last call, as a string of `fake`. */
static inline const char *fake_read(struct fake *fake, uint64_t client)
{
    static char text[1 << 20];
    struct buf *out = &fake->of[client].out;
    size_t size = MIN(out->size, sizeof(text) - 1);
    if (size > 0) {
        memcpy(text, out->data, size);
    }
    text[size] = '\0';
    buf_clear(out);
    return text;
}

/* One inline command and its whole reply; operations are answered at once. */
static inline const char *fake_ask(struct fake *fake, uint64_t client, const char *line)
{
    fake_read(fake, client);
    fake_send(fake, client, line);
    fake_send(fake, client, "\r\n");
    return fake_read(fake, client);
}
