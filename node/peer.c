/* node/peer.c - a dial is a struct of its own: it ends as a peer or as EVENT_PEER_FAILED. */
#include "node/peer.h"

#include <stdio.h>
#include <string.h>

struct peer {
    struct stream stream;
    struct peer_set *set;
    uint64_t id;
    bool is_blocked;
    char address[128];
};

/*   resolving --> connecting --> done        (a deadline over both; `done` once the event is sent)
 *
 * The struct goes when no callback of libuv can name it any more. */
struct dial {
    struct peer_set *set;
    struct peer *peer; /* Made at once: its stream connects. NULL once handed on or closed. */
    struct list link;
    uint16_t member;
    char service[8];
    uv_getaddrinfo_t resolve;
    uv_connect_t connect;
    uv_timer_t deadline;
    unsigned users; /* Callbacks to come: resolve, connect, close of the timer. */
    bool is_done;
};

static struct peer *peer_of(struct stream *stream)
{
    return CONTAINER_OF(stream, struct peer, stream);
}

static void on_bytes(struct stream *stream, struct bytes bytes)
{
    struct event event = {.type = EVENT_PEER_BYTES, .id = peer_of(stream)->id, .bytes = bytes};
    loop_event(stream->loop, &event);
}

static void on_broken(struct stream *stream, const char *reason)
{
    struct peer *peer = peer_of(stream);
    log_line(peer->set->log, LOG_DEBUG, "peer connection %s: %s", peer->address, reason);
    (void)map_remove(&peer->set->peers, peer->id);
    struct event event = {.type = EVENT_PEER_CLOSED, .id = peer->id};
    loop_event(stream->loop, &event);
    stream_close(stream);
}

static void on_drained(struct stream *stream)
{
    struct peer *peer = peer_of(stream);
    if (peer->is_blocked && stream_pending(stream) < peer->set->options->peer_queue_max_bytes / 2) {
        peer->is_blocked = false;
        struct event event = {.type = EVENT_PEER_BLOCKED, .id = peer->id, .on = false};
        loop_event(stream->loop, &event);
    }
}

static void on_released(struct stream *stream)
{
    struct peer *peer = peer_of(stream);
    ASSERT(peer->set->open_count > 0);
    peer->set->open_count--;
    mem_free(peer);
}

static const struct stream_owner STREAM_OWNER = {on_bytes, on_broken, on_drained, on_released};

static struct peer *peer_new(struct peer_set *set)
{
    struct peer *peer = mem_alloc_zero(1, sizeof(*peer));
    peer->set = set;
    peer->id = set->id_next++;
    stream_init(&peer->stream, set->loop, &STREAM_OWNER, 2 * set->options->peer_queue_max_bytes);
    set->open_count++;
    return peer;
}

static void peer_opened(struct peer *peer, uint16_t member)
{
    (void)map_set(&peer->set->peers, peer->id, peer);
    stream_start(&peer->stream);
    struct event event = {
        .type = EVENT_PEER_OPEN, .id = peer->id, .member = member, .address = peer->address};
    loop_event(peer->set->loop, &event);
}

static void on_accept(uv_stream_t *handle, int status)
{
    struct peer_set *set = handle->data;
    if (status != 0) {
        log_line(set->log, LOG_ERROR, "a peer could not be accepted: %s", uv_strerror(status));
        return;
    }
    struct peer *peer = peer_new(set);
    int result = uv_accept(handle, (uv_stream_t *)&peer->stream.tcp);
    if (result != 0 || set->open_count > set->open_max) {
        log_line(set->log, LOG_ERROR, "a peer was turned away: %s",
                 result != 0 ? uv_strerror(result) : "too many connections of peers");
        stream_close(&peer->stream);
        return;
    }
    char address[64];
    stream_address(&peer->stream, address);
    snprintf(peer->address, sizeof(peer->address), "%s", address);
    peer_opened(peer, MEMBER_NONE);
}

/* --- dialing ---------------------------------------------------------------------------------- */

static void dial_unuse(struct dial *dial)
{
    ASSERT(dial->users > 0);
    if (--dial->users == 0) {
        mem_free(dial);
    }
}

static void on_deadline_closed(uv_handle_t *handle)
{
    dial_unuse(handle->data);
}

/* Report the outcome once. What libuv still has in hand is cancelled; its callbacks come later. */
static void dial_end(struct dial *dial, const char *failure)
{
    if (dial->is_done) {
        return;
    }
    dial->is_done = true;
    list_remove(&dial->link);
    struct peer *peer = dial->peer;
    dial->peer = NULL;
    uv_cancel((uv_req_t *)&dial->resolve); /* Fails when it is not running: nothing to cancel. */
    uv_close((uv_handle_t *)&dial->deadline, on_deadline_closed);
    if (failure == NULL) {
        peer_opened(peer, dial->member);
        return;
    }
    log_line(dial->set->log, LOG_DEBUG, "peer %s cannot be reached: %s", peer->address, failure);
    stream_close(&peer->stream);
    /* Perhaps still inside the step that asked for the dial. */
    loop_event_later(dial->set->loop, EVENT_PEER_FAILED, 1)->event.member = dial->member;
}

static void on_deadline(uv_timer_t *handle)
{
    dial_end(handle->data, "no answer in time");
}

static void on_connect(uv_connect_t *request, int status)
{
    struct dial *dial = request->data;
    dial_end(dial, status == 0 ? NULL : uv_strerror(status));
    dial_unuse(dial);
}

static void dial_connect(struct dial *dial, const struct sockaddr *address)
{
    dial->connect.data = dial;
    int result = uv_tcp_connect(&dial->connect, &dial->peer->stream.tcp, address, on_connect);
    if (result == 0) {
        dial->users++;
    } else {
        dial_end(dial, uv_strerror(result));
    }
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
    struct dial *dial = request->data;
    if (status != 0) {
        dial_end(dial, uv_strerror(status));
    } else if (!dial->is_done) {
        dial_connect(dial, found->ai_addr);
    }
    uv_freeaddrinfo(found);
    dial_unuse(dial);
}

static void on_dial(struct dial *dial, const char *host, uint16_t port)
{
    struct sockaddr_storage address;
    if (uv_ip4_addr(host, port, (struct sockaddr_in *)&address) == 0 ||
        uv_ip6_addr(host, port, (struct sockaddr_in6 *)&address) == 0) {
        dial_connect(dial, (const struct sockaddr *)&address);
        return;
    }
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    snprintf(dial->service, sizeof(dial->service), "%u", port);
    dial->resolve.data = dial;
    int result = uv_getaddrinfo(&dial->set->loop->uv, &dial->resolve, on_resolved, host,
                                dial->service, &hints);
    if (result == 0) {
        dial->users++;
    } else {
        dial_end(dial, uv_strerror(result));
    }
}

void peer_set_dial(struct peer_set *set, uint16_t member, const char *address)
{
    char host[128];
    uint16_t port;
    if (!options_address(address, host, &port)) {
        loop_event_later(set->loop, EVENT_PEER_FAILED, 1)->event.member = member;
        return;
    }
    struct dial *dial = mem_alloc_zero(1, sizeof(*dial));
    dial->set = set;
    dial->member = member;
    dial->peer = peer_new(set);
    snprintf(dial->peer->address, sizeof(dial->peer->address), "%s", address);
    list_push_back(&set->dials, &dial->link);
    uv_timer_init(&set->loop->uv, &dial->deadline);
    dial->deadline.data = dial;
    dial->users = 1;
    uv_timer_start(&dial->deadline, on_deadline, PEER_CONNECT_MS, 0);
    on_dial(dial, host, port);
}

/* --- the set ---------------------------------------------------------------------------------- */

void peer_set_init(struct peer_set *set, struct loop *loop, struct log *log,
                   const struct options *options, unsigned open_max)
{
    memset(set, 0, sizeof(*set));
    set->loop = loop;
    set->log = log;
    set->options = options;
    set->open_max = open_max;
    set->id_next = 1;
    map_init(&set->peers);
    list_init(&set->dials);
}

enum err peer_set_listen(struct peer_set *set)
{
    const char *address = set->options->peer_listen;
    if (address[0] == '\0' || set->options->members_count == 0) {
        return OK; /* A store of one node that names no members has no peers. */
    }
    uv_tcp_init(&set->loop->uv, &set->listener);
    set->listener.data = set;
    set->is_listening = true;
    int result = loop_listen(set->loop, &set->listener, address, on_accept);
    if (result != 0) {
        log_line(set->log, LOG_ERROR, "peer-listen %s cannot be opened: %s", address,
                 uv_strerror(result));
        return ERR_IO;
    }
    return OK;
}

void peer_set_send(struct peer_set *set, uint64_t id, struct bytes bytes)
{
    struct peer *peer = map_get(&set->peers, id);
    if (peer == NULL) {
        return;
    }
    if (stream_send(&peer->stream, bytes) != OK) {
        log_line(set->log, LOG_WARNING,
                 "peer connection %s closed: more than twice peer-queue-max-bytes unsent",
                 peer->address);
        (void)map_remove(&set->peers, id);
        stream_close(&peer->stream);
        loop_event_later(set->loop, EVENT_PEER_CLOSED, 1)->event.id = id;
        return;
    }
    if (!peer->is_blocked && stream_pending(&peer->stream) > set->options->peer_queue_max_bytes) {
        peer->is_blocked = true;
        struct loop_later *later = loop_event_later(set->loop, EVENT_PEER_BLOCKED, 1);
        later->event.id = id;
        later->event.on = true;
    }
}

void peer_set_end(struct peer_set *set, uint64_t id)
{
    struct peer *peer = map_remove(&set->peers, id);
    if (peer != NULL) {
        stream_end(&peer->stream);
    }
}

void peer_set_close(struct peer_set *set)
{
    if (set->is_listening) {
        set->is_listening = false;
        uv_close((uv_handle_t *)&set->listener, NULL);
    }
    while (!list_empty(&set->dials)) {
        dial_end(CONTAINER_OF(set->dials.next, struct dial, link), "this node stops");
    }
    MAP_FOR (i, &set->peers) {
        struct peer *peer = set->peers.slots[i].value;
        stream_close(&peer->stream);
    }
}

void peer_set_release(struct peer_set *set)
{
    ASSERT(set->open_count == 0);
    map_release(&set->peers);
}
