#include "node/session.h"

#include "base/mutant.h"
#include "node/command.h"
#include "node/command_multi.h"

#include <stdio.h>
#include <string.h>

enum {
    OUT_KEEP_SIZE = 256 * 1024, /* Memory kept by the shared out-buffer. */
    OUT_SEND_SIZE = 256 * 1024, /* Send before the end of the call when this much has gathered. */
    IN_KEEP_SIZE = 4096,        /* Memory kept by an idle session. */
    REPLY_KEEP_SIZE = 1024,     /* Memory kept by a pooled call. */
    ARENA_RESET_SIZE = 64 * 1024,
    GENERATION_MASK = 0x7fffffff,     /* The quorum keeps the top bit of a token to itself. */
    IN_SLACK_SIZE = 64 * 1024 * 1024, /* Chunks that may arrive on top of a whole request. */
};

/* No buffer of replies is bounded by itself: what goes into one is bounded before. */
#define REPLY_SIZE_MAX ((size_t)1 << 46)

struct session *session_new(struct clients *clients, uint64_t id, enum face face,
                            const char *address)
{
    struct session *session = mem_alloc_zero(1, sizeof(*session));

    session->clients = clients;
    session->id = id;
    session->number = clients->number_next++;
    session->face = face;
    session->resp = 2;
    session->authenticated = clients->options->requirepass[0] == '\0';
    session->opened_ns = session->active_ns = clients->now.ns;
    snprintf(session->address, sizeof(session->address), "%s", address);
    list_init(&session->calls);
    list_init(&session->ready_link);
    resp_parser_init(&session->parser);
    buf_init(&session->in, (size_t)clients->options->max_request_bytes + IN_SLACK_SIZE);
    list_push_back(&clients->all, &session->link);
    return session;
}

void session_free(struct session *session)
{
    ASSERT(list_empty(&session->calls));
    list_remove(&session->ready_link);
    list_remove(&session->link);
    buf_release(&session->in);
    mem_free(session);
}

/* ---- Sending ---- */

void clients_flush(struct clients *clients)
{
    struct session *session = clients->out_session;

    if (clients->out.size == 0) {
        return;
    }
    ASSERT(session != NULL);
    if (!session->dead) {
        clients->stats.out_bytes += clients->out.size;
        clients->io.send(clients->io.context, session->id, buf_bytes(&clients->out));
    }
    buf_clear_shrink(&clients->out, OUT_KEEP_SIZE);
}

/* The shared out-buffer, holding nobody else's replies. */
static struct buf *session_out(struct session *session)
{
    struct clients *clients = session->clients;

    if (clients->out_session != session || clients->out.size >= OUT_SEND_SIZE) {
        clients_flush(clients);
        clients->out_session = session;
    }
    return &clients->out;
}

/* ---- The pool of calls ---- */

struct call *call_new(struct session *session, const struct command *command)
{
    struct clients *clients = session->clients;
    struct call *call;

    if (list_empty(&clients->calls_free)) {
        call = mem_alloc_zero(1, sizeof(*call));
        buf_init(&call->reply, REPLY_SIZE_MAX);
    } else {
        call = CONTAINER_OF(clients->calls_free.next, struct call, link);
        list_remove(&call->link);
        clients->calls_free_count--;
    }
    struct buf reply = call->reply;
    *call = (struct call){
        .clients = clients,
        .session = session,
        .command = command,
        .resp = session->resp,
        .database = session->database,
        .started_ns = clients->now.ns,
        .reply = reply,
    };
    ASSERT(call->reply.size == 0);
    list_push_back(&session->calls, &call->link);
    session->calls_count++;
    clients->calls_count++;
    return call;
}

void call_free(struct call *call)
{
    ASSERT(call->requests == 0);
    if (call->multi != NULL) {
        multi_free(call->multi);
    }
    mem_free(call->reply_key);
    buf_release(&call->reply);
    mem_free(call);
}

static void call_recycle(struct call *call)
{
    struct clients *clients = call->clients;

    ASSERT(call->requests == 0);
    clients->calls_count--;
    if (clients->calls_free_count >= SESSION_CALLS_KEEP) {
        call_free(call);
        return;
    }
    if (call->multi != NULL) {
        multi_free(call->multi);
        call->multi = NULL;
    }
    mem_free(call->reply_key);
    call->reply_key = NULL;
    buf_clear_shrink(&call->reply, REPLY_KEEP_SIZE);
    list_push_front(&clients->calls_free, &call->link);
    clients->calls_free_count++;
}

/* ---- Order of replies ---- */

static bool call_is_oldest(const struct call *call)
{
    return call->session->calls.next == &call->link;
}

struct reply call_reply(struct call *call)
{
    struct clients *clients = call->clients;
    struct buf *buf = &call->reply;

    if (call->session == NULL) {
        buf_clear_shrink(&clients->sink, OUT_KEEP_SIZE);
        buf = &clients->sink;
    } else if (call_is_oldest(call) || MUTANT(reply_out_of_order)) {
        buf = session_out(call->session);
    }
    return (struct reply){
        .buf = buf, .resp = call->resp, .errors = &clients->errors, .failed = &call->failed};
}

static void session_close_now(struct session *session)
{
    struct clients *clients = session->clients;

    ASSERT(list_empty(&session->calls));
    if (clients->out_session == session) {
        clients_flush(clients);
    }
    clients->io.close(clients->io.context, session->id);
    session_detach(session);
}

void session_close_later(struct session *session)
{
    session->closing = true;
    if (list_empty(&session->calls) && !session->dead) {
        session_close_now(session);
    }
}

/* The oldest calls that are done leave the list, their replies in order. */
static void session_settle(struct session *session)
{
    while (!list_empty(&session->calls)) {
        struct call *call = CONTAINER_OF(session->calls.next, struct call, link);
        if (!call->done) {
            break;
        }
        if (call->reply.size > 0) {
            session->held_bytes -= call->reply.size;
            buf_put_bytes(session_out(session), buf_bytes(&call->reply));
        }
        list_remove(&call->link);
        session->calls_count--;
        call_recycle(call);
    }
    if (session->closing && list_empty(&session->calls)) {
        session_close_now(session);
    }
}

/* A call has ended: may the blocked command be tried again? `position` is of its key, if it had
 * one. */
static bool session_may_go_on(const struct session *session, bool keyed, uint64_t position)
{
    switch (session->block) {
    case BLOCK_NONE:
        return false;
    case BLOCK_KEY:
        return keyed && position == session->block_position;
    case BLOCK_IDLE:
        return session->calls_count == 0;
    case BLOCK_FULL:
        break;
    }
    return true;
}

static void count_command(struct call *call)
{
    struct clients *clients = call->clients;
    struct command_stats *stats = clients->command_stats + command_number(call->command);

    stats->calls++;
    stats->failed += call->failed;
    stats->us += (clients->now.ns - call->started_ns) / 1000;
}

void call_finish(struct call *call)
{
    struct session *session = call->session;

    ASSERT(!call->done);
    ASSERT(call->requests == 0);
    call->done = true;
    if (call->command != NULL) {
        count_command(call);
    }
    if (session == NULL) {
        call_recycle(call);
        return;
    }
    if (call->keyed) {
        ASSERT(session->keys[call->position % SESSION_KEYS_SIZE] > 0);
        session->keys[call->position % SESSION_KEYS_SIZE]--;
    }
    if (call->exclusive) {
        session->exclusive = false;
    }
    session->held_bytes += call->reply.size;
    bool keyed = call->keyed;
    uint64_t position = call->position;
    session_settle(session);
    if (!session->dead && session_may_go_on(session, keyed, position)) {
        list_remove(&session->ready_link);
        list_push_back(&session->clients->ready, &session->ready_link);
    }
}

void call_hold_key(struct call *call, uint64_t position)
{
    ASSERT(!call->keyed);
    call->keyed = true;
    call->position = position;
    call->session->keys[position % SESSION_KEYS_SIZE]++;
}

bool session_key_in_flight(const struct session *session, uint64_t position)
{
    if (session->keys[position % SESSION_KEYS_SIZE] == 0) {
        return false; /* The usual case. */
    }
    LIST_FOR (item, &session->calls) {
        const struct call *call = CONTAINER_OF(item, struct call, link);
        if (call->keyed && !call->done && call->position == position) {
            return true;
        }
    }
    return false;
}

void session_detach(struct session *session)
{
    struct clients *clients = session->clients;

    ASSERT(!session->dead);
    LIST_FOR_SAFE (item, after, &session->calls) {
        struct call *call = CONTAINER_OF(item, struct call, link);
        list_remove(&call->link);
        call->session = NULL; /* Its operations end silently. */
        if (call->done) {
            call_recycle(call);
        }
    }
    if (clients->out_session == session) {
        buf_clear(&clients->out);
        clients->out_session = NULL;
    }
    session->dead = session->closing = true;
    session->calls_count = 0;
    list_remove(&session->ready_link);
    list_remove(&session->link);
    list_push_back(&clients->dead, &session->link);
    map_remove(&clients->sessions, session->id);
    clients->sessions_count--;
    clients->paused_count -= session->paused;
}

/* ---- The loop over requests ---- */

static void session_pause(struct session *session, bool on)
{
    if (session->paused != on && !session->dead) {
        session->paused = on;
        session->clients->paused_count += on ? 1 : (uint32_t)-1;
        session->clients->io.pause(session->clients->io.context, session->id, on);
    }
}

/* Answer in order that framing is lost, then close. */
static void session_refuse(struct session *session, const char *words)
{
    struct call *call = call_new(session, NULL);
    struct reply reply = call_reply(call);

    reply_error_printf(&reply, "ERR %s", words);
    session->closing = true;
    call_finish(call);
}

static bool session_full(const struct session *session)
{
    const struct options *options = session->clients->options;

    return session->calls_count >= options->client_pipeline_max ||
           session->held_bytes > options->client_pause_bytes;
}

/* Carry out requests of `input`. Return how many of its bytes are behind us. */
static size_t session_parse(struct session *session, struct bytes input)
{
    struct clients *clients = session->clients;
    size_t at = 0;

    session->block = BLOCK_NONE;
    while (!session->closing && at < input.size) {
        struct bytes rest = {input.data + at, input.size - at};
        struct resp_limits limits = {
            .authenticated = session->authenticated,
            .bulk_max = MAX(clients->options->max_value_bytes, (uint64_t)KEY_USER_MAX),
            .request_max = clients->options->max_request_bytes,
        };
        size_t used = 0;
        if (session->parser.at == 0 && session_full(session)) {
            session->block = BLOCK_FULL;
            return at;
        }
        enum resp_result result =
            resp_parse(&session->parser, &limits, rest, &clients->arena, &clients->args, &used);
        if (result == RESP_MORE) {
            return at;
        }
        if (result == RESP_ERROR) {
            session_refuse(session, clients->args.error);
            return input.size;
        }
        if (clients->args.count > 0) {
            command_execute(session, clients->args.items, clients->args.count);
            if (session->block != BLOCK_NONE) {
                return at; /* It will be parsed again. */
            }
        }
        at += used;
        if (clients->arena.used > ARENA_RESET_SIZE && clients->depth == 1) {
            arena_reset(&clients->arena);
        }
    }
    return session->closing ? input.size : at;
}

void session_run(struct session *session, struct bytes chunk)
{
    if (session->closing) {
        return;
    }
    list_remove(&session->ready_link);
    if (session->block == BLOCK_NONE && session->in.size == 0) {
        /* The usual case: whole requests are carried out where they lie. */
        size_t used = session_parse(session, chunk);
        chunk = (struct bytes){chunk.data + used, chunk.size - used};
        if (chunk.size > 0 && buf_append(&session->in, chunk.data, chunk.size) != OK) {
            session_refuse(session, "Protocol error: request larger than max-request-bytes");
        }
    } else {
        if (buf_append(&session->in, chunk.data, chunk.size) != OK) {
            session_refuse(session, "Protocol error: request larger than max-request-bytes");
            return;
        }
        buf_consume(&session->in, session_parse(session, buf_bytes(&session->in)));
        if (session->in.size == 0) {
            buf_clear_shrink(&session->in, IN_KEEP_SIZE);
        }
    }
    session_pause(session,
                  session->block == BLOCK_FULL ||
                      (session->block != BLOCK_NONE && session->in.size > SESSION_IN_PAUSE_SIZE));
}

/* ---- Operations ---- */

static struct request *request_new(struct call *call, uint32_t part, uint64_t *token)
{
    struct clients *clients = call->clients;

    if (clients->requests_count == clients->requests_max) {
        return NULL;
    }
    uint32_t index = clients->request_free;
    struct request *request = clients->requests + index;
    ASSERT(request->call == NULL);
    clients->request_free = request->next_free;
    clients->requests_count++;
    request->call = call;
    request->part = part;
    request->generation = (request->generation + 1) & GENERATION_MASK;
    call->requests++;
    *token = (uint64_t)request->generation << 32 | index;
    return request;
}

void call_start(struct call *call, uint32_t part, const struct op *op)
{
    struct clients *clients = call->clients;
    uint64_t token;

    ASSERT(call->on_op != NULL);
    if (request_new(call, part, &token) == NULL) {
        struct op_result busy = {.outcome = OUTCOME_BUSY, .slot = key_slot(op->key)};
        call->on_op(call, part, &busy);
        return;
    }
    clients->io.start(clients->io.context, op, token);
}

void call_list(struct call *call, const struct list_query *query)
{
    struct clients *clients = call->clients;
    uint64_t token;

    ASSERT(call->on_listed != NULL);
    if (request_new(call, 0, &token) == NULL) {
        struct list_result busy = {.outcome = OUTCOME_BUSY};
        call->on_listed(call, &busy);
        return;
    }
    clients->io.list(clients->io.context, query, token);
}

void call_count(struct call *call, uint32_t timeout_ms)
{
    struct clients *clients = call->clients;
    uint64_t token;

    ASSERT(call->on_counted != NULL);
    if (request_new(call, 0, &token) == NULL) {
        struct count_result busy = {.outcome = OUTCOME_BUSY};
        call->on_counted(call, &busy);
        return;
    }
    clients->io.count(clients->io.context, timeout_ms, token);
}
