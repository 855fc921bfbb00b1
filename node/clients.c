#include "node/clients.h"

#include "node/command.h"
#include "node/session.h"

#include <string.h>

enum { ARENA_BLOCK_SIZE = 64 * 1024, SAMPLE_NS = 1000 * 1000 * 1000 };

#define BUF_SIZE_MAX ((size_t)1 << 46)

struct clients *clients_new(struct options *options, const struct clients_io *io, uint64_t seed)
{
    struct clients *clients = mem_alloc_zero(1, sizeof(*clients));

    clients->options = options;
    clients->io = *io;
    clients->seed = seed;
    clients->number_next = 1;
    map_init(&clients->sessions);
    list_init(&clients->all);
    list_init(&clients->ready);
    list_init(&clients->dead);
    list_init(&clients->calls_free);
    arena_init(&clients->arena, ARENA_BLOCK_SIZE);
    resp_args_init(&clients->args);
    buf_init(&clients->out, BUF_SIZE_MAX);
    buf_init(&clients->sink, BUF_SIZE_MAX);
    buf_init(&clients->scratch, BUF_SIZE_MAX);
    clients->requests_max = options->requests_max;
    clients->requests = mem_alloc_zero(clients->requests_max, sizeof(*clients->requests));
    for (uint32_t i = 0; i < clients->requests_max; i++) {
        clients->requests[i].next_free = i + 1;
    }
    clients->command_stats = mem_alloc_zero(COMMANDS_COUNT, sizeof(*clients->command_stats));
    command_index_init(clients);
    return clients;
}

static void free_dead(struct clients *clients)
{
    LIST_FOR_SAFE (item, after, &clients->dead) {
        session_free(CONTAINER_OF(item, struct session, link));
    }
}

/* Calls whose operations will never end now. */
static void free_calls(struct clients *clients)
{
    for (uint32_t i = 0; i < clients->requests_max; i++) {
        struct call *call = clients->requests[i].call;
        if (call != NULL && --call->requests == 0) {
            call_free(call);
        }
    }
    LIST_FOR_SAFE (item, after, &clients->calls_free) {
        call_free(CONTAINER_OF(item, struct call, link));
    }
}

void clients_free(struct clients *clients)
{
    ASSERT(clients->depth == 0);
    LIST_FOR_SAFE (item, after, &clients->all) {
        session_detach(CONTAINER_OF(item, struct session, link));
    }
    free_dead(clients);
    free_calls(clients);
    map_release(&clients->sessions);
    arena_release(&clients->arena);
    resp_args_release(&clients->args);
    buf_release(&clients->out);
    buf_release(&clients->sink);
    buf_release(&clients->scratch);
    mem_free(clients->requests);
    mem_free(clients->command_stats);
    mem_free(clients);
}

/* ---- Every call from outside begins and ends here ---- */

/* Rates for INFO: over the time since the last sample, at least a second. */
static void sample(struct clients *clients)
{
    struct clients_stats *stats = &clients->stats;
    uint64_t passed_ns = clients->now.ns - stats->sample_ns;

    if (passed_ns < SAMPLE_NS) {
        return;
    }
    double seconds = (double)passed_ns / SAMPLE_NS;
    stats->commands_per_second = (double)(stats->commands - stats->sample_commands) / seconds;
    stats->in_kbps = (double)(stats->in_bytes - stats->sample_in) / 1024 / seconds;
    stats->out_kbps = (double)(stats->out_bytes - stats->sample_out) / 1024 / seconds;
    stats->sample_ns = clients->now.ns;
    stats->sample_commands = stats->commands;
    stats->sample_in = stats->in_bytes;
    stats->sample_out = stats->out_bytes;
}

static void enter(struct clients *clients, struct now now)
{
    clients->depth++;
    clients->now = now;
    if (clients->started_ns == 0) {
        clients->started_ns = now.ns;
        clients->started_wall_ms = now.wall_ms;
    }
    sample(clients);
}

/* Sessions whose blocked command may go on do so in the outermost call only, so that no handler is
 * entered from within another. */
static void leave(struct clients *clients)
{
    if (clients->depth == 1) {
        while (!list_empty(&clients->ready)) {
            struct list *item = clients->ready.next;
            list_remove(item);
            session_run(CONTAINER_OF(item, struct session, ready_link), (struct bytes){NULL, 0});
        }
        clients_flush(clients);
        free_dead(clients);
        clients->out_session = NULL;
        arena_reset(&clients->arena);
    }
    clients->depth--;
}

void clients_on_open(struct clients *clients, struct now now, uint64_t client, enum face face,
                     const char *address)
{
    enter(clients, now);
    ASSERT(map_get(&clients->sessions, client) == NULL);
    if (clients->sessions_count >= clients->options->max_clients) {
        clients->stats.connections_rejected++;
        clients->io.send(clients->io.context, client,
                         BYTES_LITERAL("-ERR max number of clients reached\r\n"));
        clients->io.close(clients->io.context, client);
    } else {
        struct session *session = session_new(clients, client, face, address);
        map_set(&clients->sessions, client, session);
        clients->sessions_count++;
        clients->stats.connections++;
        clients->stats.clients_peak = MAX(clients->stats.clients_peak, clients->sessions_count);
    }
    leave(clients);
}

void clients_on_bytes(struct clients *clients, struct now now, uint64_t client, struct bytes bytes)
{
    struct session *session = map_get(&clients->sessions, client);

    if (session == NULL) {
        return; /* We closed it; what was on its way does not count. */
    }
    enter(clients, now);
    clients->stats.in_bytes += bytes.size;
    session->active_ns = now.ns;
    session_run(session, bytes);
    leave(clients);
}

void clients_on_closed(struct clients *clients, struct now now, uint64_t client)
{
    struct session *session = map_get(&clients->sessions, client);

    if (session == NULL) {
        return;
    }
    enter(clients, now);
    session_detach(session);
    leave(clients);
}

/* Take the request out of the table. NULL for a token that is not in flight: an answer that comes
 * twice must not complete somebody else's call. */
static struct call *request_end(struct clients *clients, uint64_t token, uint32_t *part)
{
    uint32_t index = (uint32_t)token;

    if (index >= clients->requests_max) {
        return NULL;
    }
    struct request *request = clients->requests + index;
    struct call *call = request->call;
    if (call == NULL || request->generation != (uint32_t)(token >> 32)) {
        return NULL;
    }
    *part = request->part;
    request->call = NULL;
    request->next_free = clients->request_free;
    clients->request_free = index;
    ASSERT(clients->requests_count > 0);
    clients->requests_count--;
    ASSERT(call->requests > 0);
    call->requests--;
    return call;
}

void clients_on_op(struct clients *clients, struct now now, uint64_t token,
                   const struct op_result *result)
{
    uint32_t part;
    struct call *call = request_end(clients, token, &part);

    if (call == NULL) {
        return;
    }
    enter(clients, now);
    call->on_op(call, part, result);
    leave(clients);
}

void clients_on_listed(struct clients *clients, struct now now, uint64_t token,
                       const struct list_result *result)
{
    uint32_t part;
    struct call *call = request_end(clients, token, &part);

    if (call == NULL) {
        return;
    }
    enter(clients, now);
    call->on_listed(call, result);
    leave(clients);
}

void clients_on_counted(struct clients *clients, struct now now, uint64_t token,
                        const struct count_result *result)
{
    uint32_t part;
    struct call *call = request_end(clients, token, &part);

    if (call == NULL) {
        return;
    }
    enter(clients, now);
    call->on_counted(call, result);
    leave(clients);
}

void clients_on_timer(struct clients *clients, struct now now)
{
    enter(clients, now);
    leave(clients);
}

/* Operations carry their own timeouts, and idle connections may stay. */
uint64_t clients_deadline_ns(const struct clients *clients)
{
    MAYBE(clients->sessions_count > 0);
    return UINT64_MAX;
}

void clients_drain(struct clients *clients, struct now now)
{
    enter(clients, now);
    clients->draining = true;
    leave(clients);
}

bool clients_idle(const struct clients *clients)
{
    return clients->calls_count == 0 && clients->requests_count == 0 && clients->out.size == 0;
}
