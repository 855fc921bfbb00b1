/* node/core_peers.c - connections between members.
 *
 * The member with the smaller name dials. Both say hello with a nonce, both prove with
 * HMAC-SHA256(secret, role | dialer's nonce | acceptor's nonce | own hello) that they know the secret;
 * until then a connection may send a few hundred bytes and changes nothing. A member is live while its
 * connection is established, not blocked, and was heard within the last peer-alive-ms. */
#include "node/core.h"

#include "base/hash.h"
#include "base/pack.h"

#include <stdio.h>
#include <string.h>

enum hello_field {
    HELLO_CLUSTER_NAME = 1,
    HELLO_GENESIS = 2,
    HELLO_CLUSTER_ID = 3,
    HELLO_NODE_NAME = 4,
    HELLO_NODE_ID = 5,
    HELLO_BOOT = 6,
    HELLO_ACTOR = 7,
    HELLO_CONFIGURATION = 8,
    HELLO_SHARD = 9,
    HELLO_SHARDS = 10,
    HELLO_NONCE = 11,
    HELLO_PHASE = 12,
    HELLO_CLIENT = 13,
    HELLO_CLUSTER = 14,
    HELLO_PEER = 15,
};

enum { PEERS_TICK_MS = 100, STRANGERS_MAX = 128, FRAME_SLACK = 64 * 1024 };

struct hello {
    struct bytes cluster_name, genesis, cluster_id, node_name, node_id, nonce;
    uint64_t boot, actor, configuration, shard, shards, phase;
    struct bytes advertise[3];
};

static size_t frame_size_max(const struct node *node)
{
    return (size_t)node->options.max_value_bytes + FRAME_SLACK;
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
    if (connection->out.size - before > frame_size_max(node)) {
        node_log(node, LOG_ERROR, "a message of %zu bytes to %s is over the limit of a frame; dropped",
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
    mem_free(connection);
}

static void member_set_live(struct node *node, uint16_t index)
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
             live                    ? "up"
             : connection == NULL    ? "down: its connection closed"
             : connection->blocked   ? "slow: its queue is full"
                                     : "silent");
    quorum_on_member(node->quorum, node->now, index, live);
}

/* Forget the connection. `tell`: the other side does not know yet. */
static void connection_close(struct node *node, struct connection *connection, bool tell)
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
            member_set_live(node, index);
        }
        if (connection->dialed) {
            member->dialing = false;
            member->dial_at_ns =
                node->now.ns + (uint64_t)member->backoff_ms * 1000000 / 2 +
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

/* -- Hello. */

static void pack_text(struct buf *out, uint64_t field, const char *text)
{
    pack_u64(out, field);
    pack_bin(out, bytes_of(text));
}

static const char *own_advertise(const struct node *node, unsigned which)
{
    const struct options *options = &node->options;
    const char *listen[3] = {options->client_listen, options->cluster_listen,
                             options->peer_listen};
    const char *advertise[3] = {options->advertise_client, options->advertise_cluster,
                                options->advertise_peer};

    return advertise[which][0] != '\0' ? advertise[which] : listen[which];
}

static void send_hello(struct node *node, struct connection *connection)
{
    struct buf *body = &connection->own_hello;
    bool known = node->phase >= PHASE_STORED;

    buf_clear(body);
    node_random(node, connection->nonce, sizeof(connection->nonce));
    pack_map(body, 15);
    pack_text(body, HELLO_CLUSTER_NAME, node->options.cluster_name);
    pack_u64(body, HELLO_GENESIS);
    pack_bin(body, (struct bytes){node->genesis, 16});
    pack_u64(body, HELLO_CLUSTER_ID);
    pack_bin(body, (struct bytes){node->cluster_id, known ? 16 : 0});
    pack_text(body, HELLO_NODE_NAME, node->options.node_name);
    pack_u64(body, HELLO_NODE_ID);
    pack_bin(body, (struct bytes){node->id, NODE_ID_SIZE});
    pack_u64(body, HELLO_BOOT);
    pack_u64(body, node->boot);
    pack_u64(body, HELLO_ACTOR);
    pack_u64(body, node->actor);
    pack_u64(body, HELLO_CONFIGURATION);
    pack_u64(body, 1);
    pack_u64(body, HELLO_SHARD);
    pack_u64(body, 0);
    pack_u64(body, HELLO_SHARDS);
    pack_u64(body, 1);
    pack_u64(body, HELLO_NONCE);
    pack_bin(body, (struct bytes){connection->nonce, 16});
    pack_u64(body, HELLO_PHASE);
    pack_u64(body, node->phase);
    pack_text(body, HELLO_CLIENT, own_advertise(node, 0));
    pack_text(body, HELLO_CLUSTER, own_advertise(node, 1));
    pack_text(body, HELLO_PEER, own_advertise(node, 2));
    peers_send_frame(node, connection, WIRE_HELLO, buf_bytes(body));
    connection->hello_sent = true;
}

static bool get_hello(struct node *node, struct bytes body, struct hello *hello)
{
    struct unpack in = unpack_of(body, &node->step);
    uint32_t fields = unpack_map(&in);

    *hello = (struct hello){0};
    for (uint32_t i = 0; i < fields && !in.failed; i++) {
        uint64_t field = unpack_u64(&in);
        switch (field) {
        case HELLO_CLUSTER_NAME: hello->cluster_name = unpack_bin(&in); break;
        case HELLO_GENESIS: hello->genesis = unpack_bin(&in); break;
        case HELLO_CLUSTER_ID: hello->cluster_id = unpack_bin(&in); break;
        case HELLO_NODE_NAME: hello->node_name = unpack_bin(&in); break;
        case HELLO_NODE_ID: hello->node_id = unpack_bin(&in); break;
        case HELLO_BOOT: hello->boot = unpack_u64(&in); break;
        case HELLO_ACTOR: hello->actor = unpack_u64(&in); break;
        case HELLO_CONFIGURATION: hello->configuration = unpack_u64(&in); break;
        case HELLO_SHARD: hello->shard = unpack_u64(&in); break;
        case HELLO_SHARDS: hello->shards = unpack_u64(&in); break;
        case HELLO_NONCE: hello->nonce = unpack_bin(&in); break;
        case HELLO_PHASE: hello->phase = unpack_u64(&in); break;
        case HELLO_CLIENT:
        case HELLO_CLUSTER:
        case HELLO_PEER: hello->advertise[field - HELLO_CLIENT] = unpack_bin(&in); break;
        default: unpack_skip(&in); break;
        }
    }
    return unpack_done(&in) && hello->genesis.size == 16 && hello->node_id.size == NODE_ID_SIZE &&
           hello->nonce.size == 16 && hello->phase <= PHASE_SERVING &&
           (hello->cluster_id.size == 0 || hello->cluster_id.size == 16);
}

static void refuse(struct node *node, struct connection *connection, const char *words)
{
    node->strangers++;
    node_log(node, LOG_WARNING, "refused %s: %s", connection->address, words);
    peers_send_frame(node, connection, WIRE_REFUSED, bytes_of(words));
    connection_close(node, connection, true);
}

/* Why this hello cannot be from a member of our cluster; NULL when it can. */
static const char *hello_problem(struct node *node, const struct connection *connection,
                                 const struct hello *hello, uint16_t *index)
{
    struct node_member *member = NULL;

    if (!bytes_equal(hello->cluster_name, bytes_of(node->options.cluster_name))) {
        return "it belongs to a cluster of another cluster-name";
    }
    if (memcmp(hello->genesis.data, node->genesis, 16) != 0) {
        return "it was started with other initial-members, racks, weights, partitions, n, r or w";
    }
    if (hello->cluster_id.size == 16 && node->phase >= PHASE_STORED &&
        memcmp(hello->cluster_id.data, node->cluster_id, 16) != 0) {
        return "it belongs to another cluster (its cluster id differs)";
    }
    for (uint16_t i = 0; i < node->members_count; i++) {
        if (bytes_equal(hello->node_name, bytes_of(node->members[i].ring.name))) {
            member = &node->members[i];
            *index = i;
        }
    }
    if (member == NULL) {
        return "its node-name is not among the initial-members";
    }
    if (memcmp(hello->node_id.data, node->id, NODE_ID_SIZE) == 0 || *index == node->self) {
        return "it has our own name or node id: two processes must not share a data directory";
    }
    if (member->id_durable && memcmp(hello->node_id.data, member->id, NODE_ID_SIZE) != 0) {
        return "this member is known with another node id: its data directory was lost or swapped; "
               "give it back its own data-dir";
    }
    if (hello->shards != 1 || hello->shard != 0) {
        return "it runs with another number of shards";
    }
    if (connection->dialed && *index != connection->member) {
        return "another member answers at this address";
    }
    return NULL;
}

static void proof(const struct node *node, const struct connection *connection, bool of_dialer,
                  struct bytes hello, uint8_t out[32])
{
    struct buf text;
    const uint8_t *dialer = connection->dialed ? connection->nonce : connection->their_nonce;
    const uint8_t *acceptor = connection->dialed ? connection->their_nonce : connection->nonce;

    buf_init(&text, SIZE_MAX);
    buf_put_bytes(&text, of_dialer ? BYTES_LITERAL("dialer") : BYTES_LITERAL("acceptor"));
    buf_put(&text, dialer, 16);
    buf_put(&text, acceptor, 16);
    buf_put_bytes(&text, hello);
    hash_hmac_sha256((struct bytes){node->options.secret, node->options.secret_size},
                     buf_bytes(&text), out);
    buf_release(&text);
}

static void note_member(struct node *node, uint16_t index, const struct hello *hello)
{
    struct node_member *member = &node->members[index];

    memcpy(member->id, hello->node_id.data, NODE_ID_SIZE);
    member->id_known = true;
    member->boot = hello->boot;
    member->actor = hello->actor;
    member->phase = (enum phase)hello->phase;
    for (unsigned i = 0; i < 3; i++) {
        size_t size = MIN(hello->advertise[i].size, sizeof(member->advertise[i]) - 1);
        if (size > 0) {
            memcpy(member->advertise[i], hello->advertise[i].data, size);
        }
        member->advertise[i][size] = '\0';
    }
    member->refused[0] = '\0';
    node->view_dirty = true;
}

static void on_hello(struct node *node, struct connection *connection, struct bytes body)
{
    struct hello hello;
    uint16_t index = MEMBER_NONE;
    uint8_t mac[32];

    if (connection->hello_heard || !get_hello(node, body, &hello)) {
        node->strangers++;
        connection_close(node, connection, true);
        return;
    }
    const char *problem = hello_problem(node, connection, &hello, &index);
    if (problem != NULL) {
        refuse(node, connection, problem);
        return;
    }
    connection->hello_heard = true;
    connection->member = index;
    memcpy(connection->their_nonce, hello.nonce.data, 16);
    if (!connection->dialed) {
        send_hello(node, connection);
        proof(node, connection, false, buf_bytes(&connection->own_hello), mac);
        peers_send_frame(node, connection, WIRE_PROOF, (struct bytes){mac, sizeof(mac)});
    }
    proof(node, connection, !connection->dialed, body, connection->expected);
    /* Believed only once the proof has come. */
    buf_clear(&connection->in_hello);
    buf_put_bytes(&connection->in_hello, body);
}

static void establish(struct node *node, struct connection *connection)
{
    struct node_member *member = &node->members[connection->member];
    struct hello hello;

    bool sound = get_hello(node, buf_bytes(&connection->in_hello), &hello);
    ASSERT(sound);
    if (member->connection != NULL) {
        /* Its other connection is half dead, or it started again. */
        connection_close(node, member->connection, true);
    }
    note_member(node, connection->member, &hello);
    connection->established = true;
    connection->in.size_max = frame_size_max(node);
    buf_release(&connection->own_hello);
    buf_release(&connection->in_hello);
    member->connection = connection;
    member->dialing = false;
    member->backoff_ms = PEER_BACKOFF_MIN_MS;
    connection->heard_ns = node->now.ns;
    node_log(node, LOG_INFO, "connected with %s at %s", member->ring.name, connection->address);
    peers_send_frame(node, connection, WIRE_PING, (struct bytes){NULL, 0});
    member_set_live(node, connection->member);
    form_step(node);
}

static void on_proof(struct node *node, struct connection *connection, struct bytes body)
{
    uint8_t mac[32];

    if (!connection->hello_heard || connection->established) {
        connection_close(node, connection, true);
        return;
    }
    if (body.size != sizeof(mac) || !hash_equal(body.data, connection->expected, sizeof(mac))) {
        refuse(node, connection, "it does not know the secret (secret-file differs)");
        return;
    }
    if (connection->dialed) {
        proof(node, connection, true, buf_bytes(&connection->own_hello), mac);
        peers_send_frame(node, connection, WIRE_PROOF, (struct bytes){mac, sizeof(mac)});
    }
    establish(node, connection);
}

static void on_refused(struct node *node, struct connection *connection, struct bytes words)
{
    char text[160];

    (void)snprintf(text, sizeof(text), "%.*s", (int)MIN(words.size, (size_t)150), words.data);
    for (char *at = text; *at != '\0'; at++) {
        *at = *at < ' ' || *at > '~' ? '?' : *at;
    }
    if (connection->dialed && connection->member != MEMBER_NONE) {
        struct node_member *member = &node->members[connection->member];
        if (strcmp(member->refused, text) != 0) {
            node_log(node, LOG_WARNING, "%s refused us: %s", member->ring.name, text);
            memcpy(member->refused, text, sizeof(text));
        }
    }
    connection_close(node, connection, true);
}

/* -- Frames. */

static void on_phase(struct node *node, struct connection *connection, uint16_t flags)
{
    struct node_member *member = &node->members[connection->member];
    enum phase phase = (enum phase)MIN(flags, (uint16_t)PHASE_SERVING);

    if (phase != member->phase) {
        member->phase = phase;
        node->view_dirty = true;
        member_set_live(node, connection->member);
        form_step(node);
    }
}

/* A frame of an established member. Return false when the connection is gone. */
static bool on_member_frame(struct node *node, struct connection *connection,
                            const struct frame *frame)
{
    struct message message;

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
        connection_close(node, connection, true);
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
        on_refused(node, connection, frame->body);
        return false;
    }
    if (connection->established) {
        return on_member_frame(node, connection, frame) && connection_find(node, id) != NULL;
    }
    if (frame->type == WIRE_HELLO) {
        on_hello(node, connection, frame->body);
    } else if (frame->type == WIRE_PROOF) {
        on_proof(node, connection, frame->body);
    } else {
        node->strangers++;
        connection_close(node, connection, true);
    }
    return connection_find(node, id) != NULL;
}

/* Handle every whole frame. Return how many bytes were used, or SIZE_MAX when the connection is gone. */
static size_t consume_frames(struct node *node, struct connection *connection, struct bytes in)
{
    size_t used = 0;

    for (;;) {
        struct frame frame;
        size_t consumed = 0;
        struct bytes rest = {in.data + used, in.size - used};
        size_t limit = connection->established ? frame_size_max(node)
                                               : (size_t)PEER_BEFORE_HELLO_MAX;
        enum err err = wire_next(rest, limit, &frame, &consumed);
        if (err == ERR_INCOMPLETE) {
            return used;
        }
        if (err != OK) {
            /* Framing is lost; nothing after this byte can be trusted. */
            node->strangers += !connection->established;
            node_log(node, connection->established ? LOG_WARNING : LOG_DEBUG,
                     "closed %s: %s", connection->address, err_text(err));
            connection_close(node, connection, true);
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
        member_set_live(node, connection->member);
    }
    if (connection->in.size > 0) {
        if (buf_append(&connection->in, in.data, in.size) != OK) {
            /* More than one frame's worth behind an unfinished frame cannot be: it is no member. */
            buf_put(&connection->in, in.data, connection->in.size_max - connection->in.size);
        }
        in = buf_bytes(&connection->in);
    }
    bool buffered = connection->in.size > 0;
    size_t used = consume_frames(node, connection, in);
    if (used == SIZE_MAX) {
        return;
    }
    if (buffered) {
        buf_consume(&connection->in, used);
        if (connection->in.size == 0) {
            buf_clear_shrink(&connection->in, 256 * 1024);
        }
    } else if (in.size > used) {
        struct bytes rest = {in.data + used, in.size - used};
        if (buf_append(&connection->in, rest.data, rest.size) != OK) {
            connection_close(node, connection, true);
        }
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
        node->connections = mem_resize(node->connections, node->connections_capacity *
                                                              sizeof(node->connections[0]));
    }
    node->connections[node->connections_count++] = connection;
    if (dialed) {
        send_hello(node, connection);
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
        connection_close(node, connection, false);
    }
}

void peers_on_blocked(struct node *node, uint64_t id, bool on)
{
    struct connection *connection = connection_find(node, id);

    if (connection != NULL) {
        connection->blocked = on;
        if (connection->established) {
            member_set_live(node, connection->member);
        }
    }
}

static void dial_members(struct node *node)
{
    for (uint16_t i = (uint16_t)(node->self + 1); i < node->members_count; i++) {
        struct node_member *member = &node->members[i];
        if (member->connection == NULL && !member->dialing &&
            member->dial_at_ns <= node->now.ns) {
            member->dialing = true;
            struct effect *effect = effect_add(node, EFFECT_PEER_DIAL);
            effect->member = i;
            effect->text = member->address;
        }
    }
}

void peers_on_timer(struct node *node)
{
    uint64_t ping_ns = (uint64_t)PEER_PING_MS * 1000000;
    uint64_t hello_ns = (uint64_t)PEER_HELLO_TIMEOUT_MS * 1000000;

    node->peers_at_ns = node->now.ns + (uint64_t)PEERS_TICK_MS * 1000000;
    for (size_t i = 0; i < node->connections_count; i++) {
        struct connection *connection = node->connections[i];
        if (!connection->established) {
            if (node->now.ns - connection->opened_ns > hello_ns) {
                connection_close(node, connection, true);
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
        member_set_live(node, connection->member);
    }
    dial_members(node);
}
