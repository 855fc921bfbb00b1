/* node/core_hello.c - how two members come to know each other.
 *
 * Both say hello with a nonce; both prove with HMAC-SHA256(secret, role | dialer's nonce |
 * acceptor's nonce | own hello) that they know the secret. Until then a connection may send a few
 * hundred bytes and changes nothing. */
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
    HELLO_VALUE_MAX = 16,
};

struct hello {
    struct bytes cluster_name, genesis, cluster_id, node_name, node_id, nonce;
    uint64_t boot, actor, configuration, shard, shards, phase, value_max;
    struct bytes advertise[3];
};

static void pack_text(struct buf *out, uint64_t field, const char *text)
{
    pack_u64(out, field);
    pack_bin(out, bytes_of(text));
}

static const char *own_advertise(const struct node *node, unsigned which)
{
    const struct options *options = &node->options;
    const char *listen[3] = {options->client_listen, options->cluster_listen, options->peer_listen};
    const char *advertise[3] = {options->advertise_client, options->advertise_cluster,
                                options->advertise_peer};

    return advertise[which][0] != '\0' ? advertise[which] : listen[which];
}

void hello_send(struct node *node, struct connection *connection)
{
    struct buf *body = &connection->own_hello;
    bool known = node->phase >= PHASE_STORED;

    buf_clear(body);
    node_random(node, connection->nonce, sizeof(connection->nonce));
    pack_map(body, 16);
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
    pack_u64(body, HELLO_VALUE_MAX);
    pack_u64(body, node->value_max);
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
        case HELLO_CLUSTER_NAME:
            hello->cluster_name = unpack_bin(&in);
            break;
        case HELLO_GENESIS:
            hello->genesis = unpack_bin(&in);
            break;
        case HELLO_CLUSTER_ID:
            hello->cluster_id = unpack_bin(&in);
            break;
        case HELLO_NODE_NAME:
            hello->node_name = unpack_bin(&in);
            break;
        case HELLO_NODE_ID:
            hello->node_id = unpack_bin(&in);
            break;
        case HELLO_BOOT:
            hello->boot = unpack_u64(&in);
            break;
        case HELLO_ACTOR:
            hello->actor = unpack_u64(&in);
            break;
        case HELLO_CONFIGURATION:
            hello->configuration = unpack_u64(&in);
            break;
        case HELLO_SHARD:
            hello->shard = unpack_u64(&in);
            break;
        case HELLO_SHARDS:
            hello->shards = unpack_u64(&in);
            break;
        case HELLO_VALUE_MAX:
            hello->value_max = unpack_u64(&in);
            break;
        case HELLO_NONCE:
            hello->nonce = unpack_bin(&in);
            break;
        case HELLO_PHASE:
            hello->phase = unpack_u64(&in);
            break;
        case HELLO_CLIENT:
        case HELLO_CLUSTER:
        case HELLO_PEER:
            hello->advertise[field - HELLO_CLIENT] = unpack_bin(&in);
            break;
        default:
            unpack_skip(&in);
            break;
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
    peers_close(node, connection, true);
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
    if (hello->value_max != node->value_max) {
        return "its max-value-bytes differs: give all members the same";
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

void hello_on_hello(struct node *node, struct connection *connection, struct bytes body)
{
    struct hello hello;
    uint16_t index = MEMBER_NONE;
    uint8_t mac[32];

    if (connection->hello_heard || !get_hello(node, body, &hello)) {
        node->strangers++;
        peers_close(node, connection, true);
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
        hello_send(node, connection);
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
        peers_close(node, member->connection, true);
    }
    note_member(node, connection->member, &hello);
    connection->established = true;
    connection->in.size_max = peers_frame_size_max(node);
    buf_release(&connection->own_hello);
    buf_release(&connection->in_hello);
    member->connection = connection;
    member->dialing = false;
    member->backoff_ms = PEER_BACKOFF_MIN_MS;
    connection->heard_ns = node->now.ns;
    node_log(node, LOG_INFO, "connected with %s at %s", member->ring.name, connection->address);
    peers_send_frame(node, connection, WIRE_PING, (struct bytes){NULL, 0});
    peers_set_live(node, connection->member);
    form_step(node);
}

void hello_on_proof(struct node *node, struct connection *connection, struct bytes body)
{
    uint8_t mac[32];

    if (!connection->hello_heard || connection->established) {
        peers_close(node, connection, true);
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

void hello_on_refused(struct node *node, struct connection *connection, struct bytes words)
{
    char text[160];

    (void)snprintf(text, sizeof(text), "%.*s", (int)MIN(words.size, (size_t)150), words.data);
    for (char *at = text; *at != '\0'; at++) {
        *at = *at < ' ' || *at > '~' ? '?' : *at;
    }
    if (connection->member != MEMBER_NONE) {
        struct node_member *member = &node->members[connection->member];
        if (strcmp(member->refused, text) != 0) {
            node_log(node, LOG_WARNING, "%s refused us: %s", member->ring.name, text);
            memcpy(member->refused, text, sizeof(text));
        }
    }
    peers_close(node, connection, true);
}
