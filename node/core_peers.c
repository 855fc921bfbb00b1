/* node/core_peers.c - connections between members: who dials, what is sent, who is live.
 *
 * The member with the smaller name dials. A member is live while its connection is established, not
 * blocked, and was heard within the last peer-alive-ms. */
#include "node/core.h"

#include <stdio.h>
#include <string.h>

enum {
    PEERS_TICK_MS = 100,
    STRANGERS_MAX = 128,
    FRAME_SLACK = 64 * 1024,
    FRAME_VALUE_MIN = 1024 * 1024
};

size_t peers_frame_size_max(const struct node *node)
{
    return MAX((size_t)node->value_max, (size_t)FRAME_VALUE_MIN) + FRAME_SLACK;
}

/* -- Sending. */

void peers_send_frame(struct node *node, struct connection *connection, enum wire_type type,
                      struct bytes body)
{
    struct frame frame = {
        .type = (uint8_t)type,
        .flags = (uint16_t)node->phase,
        .hlc = node->quorum != NULL ? quorum_hlc(node->quorum) : 0,
    };
    size_t start = wire_begin(&connection->out, &frame);

    buf_put_bytes(&connection->out, body);
    wire_end(&connection->out, start);
    connection->sent_ns = node->now.ns;
}

void peers_send(void *context, uint16_t member, const struct message *message)
{
    struct node *node = context;

    ASSERT(member < node->members_count);
    ASSERT(member != node->self);
    struct connection *connection = node->members[member].connection;
    if (connection == NULL || connection->blocked) {
        node->deltas_dropped += message->type == MESSAGE_DELTA;
        return;
    }
    size_t before = connection->out.size;
    wire_put_message(&connection->out, message);
    if (connection->out.size - before > peers_frame_size_max(node)) {
        node_log(node, LOG_ERROR,
                 "a message of %zu bytes to %s is over the limit of a frame; dropped",
                 connection->out.size - before, node->members[member].ring.name);
        connection->out.size = before;
        return;
    }
    connection->sent_ns = node->now.ns;
    node->messages_sent++;
}

void peers_flush(struct node *node)
{
    for (size_t i = 0; i < node->connections_count; i++) {
        struct connection *connection = node->connections[i];
        if (connection->out.size > 0) {
            struct effect *effect = effect_add(node, EFFECT_PEER_SEND);
            effect->id = connection->id;
            effect->bytes = arena_copy_bytes(&node->step, buf_bytes(&connection->out));
            node->bytes_sent += connection->out.size;
            buf_clear_shrink(&connection->out, 1024 * 1024);
        }
    }
}

/* -- Life of a connection. */

static struct connection *connection_find(struct node *node, uint64_t id)
{
    for (size_t i = 0; i < node->connections_count; i++) {
        if (node->connections[i]->id == id) {
            return node->connections[i];
        }
    }
    return NULL;
}

static void connection_free(struct connection *connection)
{
    buf_release(&connection->in);
    buf_release(&connection->out);
    buf_release(&connection->own_hello);
    buf_release(&connection->in_hello);
    mem_free(connection);
}

void peers_set_live(struct node *node, uint16_t index)
{
    struct node_member *member = &node->members[index];
    const struct connection *connection = member->connection;
    uint64_t alive_ns = (uint64_t)node->options.peer_alive_ms * 1000000;
    bool live = connection != NULL && !connection->blocked && member->phase >= PHASE_STORED &&
                node->now.ns - connection->heard_ns < alive_ns;

    if (live == member->live) {
        return;
    }
    member->live = live;
    member->changed_ns = node->now.ns;
    node->view_dirty = true;
    node_log(node, live ? LOG_INFO : LOG_WARNING, "%s is %s", member->ring.name,
             live                  ? "up"
             : connection == NULL  ? "down: its connection closed"
             : connection->blocked ? "slow: its queue is full"
                                   : "silent");
    quorum_on_member(node->quorum, node->now, index, live);
}

/* Forget the connection. `tell`: the other side does not know yet. */
void peers_close(struct node *node, struct connection *connection, bool tell)
{
    uint16_t index = connection->member;

    for (size_t i = 0; i < node->connections_count; i++) {
        if (node->connections[i] == connection) {
            node->connections[i] = node->connections[--node->connections_count];
            break;
        }
    }
    if (tell) {
        if (connection->out.size > 0) {
            struct effect *effect = effect_add(node, EFFECT_PEER_SEND);
            effect->id = connection->id;
            effect->bytes = arena_copy_bytes(&node->step, buf_bytes(&connection->out));
        }
        effect_add(node, EFFECT_PEER_CLOSE)->id = connection->id;
    }
    if (index != MEMBER_NONE) {
        struct node_member *member = &node->members[index];
        if (member->connection == connection) {
            member->connection = NULL;
            peers_set_live(node, index);
        }
        if (connection->dialed) {
            member->dialing = false;
            member->dial_at_ns = node->now.ns + (uint64_t)member->backoff_ms * 1000000 / 2 +
                                 prng_below(&node->prng, (uint64_t)member->backoff_ms * 500000 + 1);
            member->backoff_ms = MIN(member->backoff_ms * 2, (uint32_t)PEER_BACKOFF_MAX_MS);
        }
    }
    connection_free(connection);
}

void peers_release(struct node *node)
{
    while (node->connections_count > 0) {
        struct connection *connection = node->connections[--node->connections_count];
        if (connection->member != MEMBER_NONE &&
            node->members[connection->member].connection == connection) {
            node->members[connection->member].connection = NULL;
        }
        if (node->state == NODE_STOPPING) {
            effect_add(node, EFFECT_PEER_CLOSE)->id = connection->id;
        }
        connection_free(connection);
    }
    mem_free(node->connections);
    node->connections = NULL;
    node->connections_capacity = 0;
    node->peers_at_ns = UINT64_MAX;
}

/* -- Frames. */

static void on_phase(struct node *node, struct connection *connection, uint16_t flags)
{
    struct node_member *member = &node->members[connection->member];
    enum phase phase = (enum phase)MIN(flags, (uint16_t)PHASE_SERVING);

    if (phase != member->phase) {
        member->phase = phase;
        node->view_dirty = true;
        peers_set_live(node, connection->member);
        form_step(node);
    }
}

/* A frame of an established member. Return false when the connection is gone. */
static bool on_member_frame(struct node *node, struct connection *connection,
                            const struct frame *frame)
{
    struct message message;

    quorum_hear_hlc(node->quorum, frame->hlc);
    if (frame->type == WIRE_PING) {
        on_phase(node, connection, frame->flags);
        peers_send_frame(node, connection, WIRE_PONG, (struct bytes){NULL, 0});
        return true;
    }
    if (frame->type == WIRE_PONG) {
        on_phase(node, connection, frame->flags);
        return true;
    }
    if (frame->type == WIRE_FORM) {
        form_on_form(node, connection, frame);
        return true;
    }
    if (frame->type < MESSAGE_ASK || frame->type >= MESSAGE_END) {
        if (frame->type != WIRE_UNSUPPORTED) {
            peers_send_frame(node, connection, WIRE_UNSUPPORTED, (struct bytes){NULL, 0});
        }
        return true;
    }
    if (wire_get_message(frame, &node->step, &message) != OK) {
        node_log(node, LOG_WARNING, "a malformed message (type %u) from %s: closed", frame->type,
                 node->members[connection->member].ring.name);
        peers_close(node, connection, true);
        return false;
    }
    node->messages_received++;
    if (node->phase >= PHASE_STORED && node->state >= NODE_FORMING) {
        quorum_on_message(node->quorum, node->now, connection->member, &message);
    }
    return true;
}

static bool on_frame(struct node *node, struct connection *connection, const struct frame *frame)
{
    uint64_t id = connection->id;

    if (frame->type == WIRE_REFUSED) {
        hello_on_refused(node, connection, frame->body);
        return false;
    }
    if (connection->established) {
        return on_member_frame(node, connection, frame) && connection_find(node, id) != NULL;
    }
    if (frame->type == WIRE_HELLO) {
        hello_on_hello(node, connection, frame->body);
    } else if (frame->type == WIRE_PROOF) {
        hello_on_proof(node, connection, frame->body);
    } else {
        node->strangers++;
        peers_close(node, connection, true);
    }
    return connection_find(node, id) != NULL;
}

/* Handle every whole frame. Return how many bytes were used, or SIZE_MAX when the connection is
 * gone. */
static size_t consume_frames(struct node *node, struct connection *connection, struct bytes in)
{
    size_t used = 0;

    for (;;) {
        struct frame frame;
        size_t consumed = 0;
        struct bytes rest = {in.data + used, in.size - used};
        size_t limit =
            connection->established ? peers_frame_size_max(node) : (size_t)PEER_BEFORE_HELLO_MAX;
        enum err err = wire_next(rest, limit, &frame, &consumed);
        if (err == ERR_INCOMPLETE) {
            return used;
        }
        if (err != OK) {
            /* Framing is lost; nothing after this byte can be trusted. */
            node->strangers += !connection->established;
            node_log(node, connection->established ? LOG_WARNING : LOG_DEBUG, "closed %s: %s",
                     connection->address, err_text(err));
            peers_close(node, connection, true);
            return SIZE_MAX;
        }
        used += consumed;
        if (!on_frame(node, connection, &frame)) {
            return SIZE_MAX;
        }
    }
}

void peers_on_bytes(struct node *node, const struct event *event)
{
    struct connection *connection = connection_find(node, event->id);
    struct bytes in = event->bytes;

    if (connection == NULL) {
        return;
    }
    node->bytes_received += in.size;
    connection->heard_ns = node->now.ns;
    if (connection->established) {
        peers_set_live(node, connection->member);
    }
    while (connection->in.size > 0 && in.size > 0) {
        /* Complete the frame that has begun, a piece at a time: what is kept never passes a frame.
         */
        size_t piece = MIN(in.size, connection->in.size_max - connection->in.size);
        if (piece == 0) {
            peers_close(node, connection, true); /* A frame that long cannot be. */
            return;
        }
        buf_put(&connection->in, in.data, piece);
        in = (struct bytes){in.data + piece, in.size - piece};
        size_t used = consume_frames(node, connection, buf_bytes(&connection->in));
        if (used == SIZE_MAX) {
            return;
        }
        buf_consume(&connection->in, used);
    }
    if (in.size == 0) {
        if (connection->in.size == 0) {
            buf_clear_shrink(&connection->in, 256 * 1024);
        }
        return;
    }
    size_t used = consume_frames(node, connection, in);
    if (used != SIZE_MAX && used < in.size &&
        buf_append(&connection->in, in.data + used, in.size - used) != OK) {
        peers_close(node, connection, true);
    }
}

/* -- Open, closed, time. */

void peers_on_open(struct node *node, const struct event *event)
{
    size_t strangers = 0;
    bool dialed = event->member != MEMBER_NONE;

    for (size_t i = 0; i < node->connections_count; i++) {
        strangers += !node->connections[i]->established;
    }
    if (node->state < NODE_FORMING || node->stop_sequence != 0 ||
        (!dialed && strangers >= STRANGERS_MAX)) {
        effect_add(node, EFFECT_PEER_CLOSE)->id = event->id;
        if (dialed) {
            node->members[event->member].dialing = false;
        }
        return;
    }
    struct connection *connection = mem_alloc_zero(1, sizeof(*connection));
    connection->id = event->id;
    connection->member = event->member;
    connection->dialed = dialed;
    connection->opened_ns = connection->heard_ns = node->now.ns;
    buf_init(&connection->in, PEER_BEFORE_HELLO_MAX);
    buf_init(&connection->out, SIZE_MAX);
    buf_init(&connection->own_hello, PEER_BEFORE_HELLO_MAX);
    buf_init(&connection->in_hello, PEER_BEFORE_HELLO_MAX);
    (void)snprintf(connection->address, sizeof(connection->address), "%s",
                   event->address != NULL ? event->address : "?");
    if (node->connections_count == node->connections_capacity) {
        node->connections_capacity = MAX((size_t)8, node->connections_capacity * 2);
        node->connections = mem_resize(node->connections,
                                       node->connections_capacity * sizeof(node->connections[0]));
    }
    node->connections[node->connections_count++] = connection;
    if (dialed) {
        hello_send(node, connection);
    }
}

void peers_on_failed(struct node *node, uint16_t index)
{
    struct node_member *member = &node->members[index];

    ASSERT(index < node->members_count);
    member->dialing = false;
    member->dial_at_ns = node->now.ns + (uint64_t)member->backoff_ms * 1000000 / 2 +
                         prng_below(&node->prng, (uint64_t)member->backoff_ms * 500000 + 1);
    member->backoff_ms = MIN(member->backoff_ms * 2, (uint32_t)PEER_BACKOFF_MAX_MS);
}

void peers_on_closed(struct node *node, uint64_t id)
{
    struct connection *connection = connection_find(node, id);

    if (connection != NULL) {
        peers_close(node, connection, false);
    }
}

void peers_on_blocked(struct node *node, uint64_t id, bool on)
{
    struct connection *connection = connection_find(node, id);

    if (connection != NULL) {
        connection->blocked = on;
        if (connection->established) {
            peers_set_live(node, connection->member);
        }
    }
}

static void dial_members(struct node *node)
{
    for (uint16_t i = (uint16_t)(node->self + 1); i < node->members_count; i++) {
        struct node_member *member = &node->members[i];
        if (member->connection == NULL && !member->dialing && member->dial_at_ns <= node->now.ns) {
            member->dialing = true;
            struct effect *effect = effect_add(node, EFFECT_PEER_DIAL);
            effect->member = i;
            effect->text = member->address;
        }
    }
}

void peers_on_timer(struct node *node)
{
    uint32_t ping_ms = MIN((uint32_t)PEER_PING_MS, node->options.peer_alive_ms / 3);
    uint64_t ping_ns = (uint64_t)ping_ms * 1000000;
    uint64_t late_ns = node->now.ns - MIN(node->now.ns, node->peers_at_ns);
    uint64_t hello_ns = (uint64_t)PEER_HELLO_TIMEOUT_MS * 1000000;

    node->peers_at_ns = node->now.ns + (uint64_t)MIN((uint32_t)PEERS_TICK_MS, ping_ms) * 1000000;
    for (size_t i = 0; i < node->connections_count; i++) {
        struct connection *connection = node->connections[i];
        /* It was we who slept: what the others said meanwhile has not been read yet. */
        connection->heard_ns = MIN(connection->heard_ns + late_ns, node->now.ns);
        if (!connection->established) {
            if (node->now.ns - connection->opened_ns > hello_ns) {
                peers_close(node, connection, true);
                i--; /* The last one took its place. */
            }
            continue;
        }
        struct node_member *member = &node->members[connection->member];
        bool quiet = node->now.ns - MIN(connection->sent_ns, connection->heard_ns) >= ping_ns;
        if (quiet && node->now.ns - member->pinged_ns >= ping_ns) {
            member->pinged_ns = node->now.ns;
            peers_send_frame(node, connection, WIRE_PING, (struct bytes){NULL, 0});
        }
        peers_set_live(node, connection->member);
    }
    dial_members(node);
}
