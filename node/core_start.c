/* node/core_start.c - from an unknown directory to a serving member, and back to a clean stop.
 *
 * A node draws a new actor at every start without the clean-stop mark, since it cannot prove that
 * it remembers every dot it issued. A cluster forms once: the first member by name, when all
 * members are connected and empty, draws the cluster id; all store it with all node ids; then all
 * serve. */
#include "node/core.h"

#include "base/hash.h"
#include "base/mutant.h"
#include "base/pack.h"

#include <string.h>

enum {
    FORMAT_VERSION = 1,
    HLC_AHEAD_MS = 10000, /* The durable bound of the hybrid clock is this far ahead. */
    ACTOR_MEMBER_BITS = 20,
    FORM_BODY_CLUSTER = 1,
    FORM_BODY_GENESIS = 2,
    FORM_BODY_IDS = 3,
};

/* The identity of a cluster before it has an id: what all members must have been told alike. */
static void genesis_of(const struct node *node, uint8_t out[16])
{
    static const uint8_t key[16] = "ringfort genesis";
    struct buf text;

    buf_init(&text, SIZE_MAX);
    buf_printf(&text, "%s|%u|%u|%u|%u", node->options.cluster_name, node->options.partitions,
               node->options.n, node->options.r, node->options.w);
    for (unsigned i = 0; i < node->members_count; i++) {
        const struct ring_member *ring = &node->members[i].ring;
        buf_printf(&text, "|%s@%s*%u", ring->name, ring->rack, ring->weight);
    }
    hash_siphash128(buf_bytes(&text), key, out);
    buf_release(&text);
}

void start_on_start(struct node *node, const struct event *event)
{
    MAYBE(event->wall_ms > 0);
    genesis_of(node, node->genesis);
    node->scan_id = 1;
    node->peers_at_ns = UINT64_MAX;
    node->phase = PHASE_EMPTY;
}

/* -- Recovery. */

static void load_cluster(struct node *node, struct bytes value)
{
    size_t size = 16 + 16 + 1 + (size_t)node->members_count * NODE_ID_SIZE;

    if (value.size < 33 || memcmp(value.data + 16, node->genesis, 16) != 0 || value.size != size) {
        node_fatal(node,
                   "the data directory %s belongs to a cluster that was formed with other members, "
                   "racks, weights, partitions, n, r, w or cluster-name: start with what it was "
                   "formed with, or give a new data-dir",
                   node->options.data_dir);
        return;
    }
    memcpy(node->cluster_id, value.data, 16);
    node->phase = value.data[32] == PHASE_SERVING ? PHASE_SERVING : PHASE_STORED;
    for (unsigned i = 0; i < node->members_count; i++) {
        memcpy(node->members[i].id, value.data + 33 + i * NODE_ID_SIZE, NODE_ID_SIZE);
        node->members[i].id_known = node->members[i].id_durable = true;
    }
}

static void load_meta(struct node *node, struct bytes name, struct bytes value)
{
    struct reader in = reader_of(value);

    if (name.size == 3 && name.data[0] == 'c' &&
        be16_at(name.data + 1) >= node->options.partitions) {
        node_fatal(node,
                   "the data directory %s was formed with more than %u partitions: start "
                   "with what it was formed with, or give a new data-dir",
                   node->options.data_dir, node->options.partitions);
    } else if (name.size == 3 && name.data[0] == 'c') {
        if (quorum_recover_clock(node->quorum, be16_at(name.data + 1), value) != OK) {
            node_fatal(node,
                       "the clock of partition %u in %s is damaged: restore this node from "
                       "its peers with an empty data-dir of a new node",
                       be16_at(name.data + 1), node->options.data_dir);
        }
    } else if (bytes_equal(name, BYTES_LITERAL("format"))) {
        if (reader_u8(&in) != FORMAT_VERSION) {
            node_fatal(node,
                       "the data directory %s has another format than this version (%d): "
                       "use the version that wrote it, or a new data-dir",
                       node->options.data_dir, FORMAT_VERSION);
        }
    } else if (bytes_equal(name, BYTES_LITERAL("node")) && value.size == NODE_ID_SIZE) {
        memcpy(node->id, value.data, NODE_ID_SIZE);
        node->known = true;
    } else if (bytes_equal(name, BYTES_LITERAL("name"))) {
        if (!bytes_equal(value, bytes_of(node->options.node_name))) {
            node_fatal(node,
                       "the data directory %s belongs to node '%.*s', this is '%s': give each "
                       "node its own data-dir, or the name it had",
                       node->options.data_dir, (int)MIN(value.size, (size_t)63), value.data,
                       node->options.node_name);
        }
    } else if (bytes_equal(name, BYTES_LITERAL("cluster"))) {
        load_cluster(node, value);
    } else if (bytes_equal(name, BYTES_LITERAL("actor"))) {
        node->actor = reader_be64(&in);
    } else if (bytes_equal(name, BYTES_LITERAL("boot"))) {
        node->boot = reader_be64(&in);
    } else if (bytes_equal(name, BYTES_LITERAL("hlc"))) {
        node->hlc_bound = reader_be64(&in);
    } else if (bytes_equal(name, BYTES_LITERAL("clean"))) {
        node->clean = true;
    }
}

static void put_meta(struct node *node, struct bytes name, const void *data, size_t size)
{
    struct bytes value = {data, size};

    quorum_put_meta(node->quorum, name, &value);
}

static void put_meta_u64(struct node *node, struct bytes name, uint64_t value)
{
    uint8_t bytes[8];

    be64_set(bytes, value);
    put_meta(node, name, bytes, sizeof(bytes));
}

/* Everything is loaded: settle who we are for this run, durably, before any dot is issued. */
static void identify(struct node *node)
{
    static const uint8_t format[1] = {FORMAT_VERSION};
    bool keeps_actor = (node->clean || MUTANT(reuse_actor)) && node->actor != 0;

    node->state = NODE_IDENTIFYING;
    if (!node->known) {
        node_random(node, node->id, NODE_ID_SIZE);
        node->known = true;
    }
    memcpy(node->members[node->self].id, node->id, NODE_ID_SIZE);
    node->members[node->self].id_known = true;
    if (!keeps_actor) {
        uint64_t random = prng_next(&node->prng) >> ACTOR_MEMBER_BITS;
        node->actor = ((uint64_t)node->self + 1) << (64 - ACTOR_MEMBER_BITS) | random;
    }
    node->boot++;
    quorum_set_identity(node->quorum, node->actor, MUTANT(hlc_falls_restart) ? 0 : node->hlc_bound);
    put_meta(node, BYTES_LITERAL("format"), format, sizeof(format));
    put_meta(node, BYTES_LITERAL("node"), node->id, NODE_ID_SIZE);
    put_meta(node, BYTES_LITERAL("name"), node->options.node_name, strlen(node->options.node_name));
    put_meta_u64(node, BYTES_LITERAL("actor"), node->actor);
    put_meta_u64(node, BYTES_LITERAL("boot"), node->boot);
    quorum_put_meta(node->quorum, BYTES_LITERAL("clean"), NULL);
    node->identity_sequence = quorum_sequence(node->quorum);
    node_log(node, LOG_INFO, "recovered after %s stop; boot %llu, actor %016llx",
             node->clean       ? "an orderly"
             : node->boot == 1 ? "no earlier"
                               : "an unclean",
             (unsigned long long)node->boot, (unsigned long long)node->actor);
}

void start_on_scan(struct node *node, const struct event *event)
{
    if (event->id != node->scan_id) {
        return;
    }
    if (event->err != OK) {
        node_fatal(node, "the store in %s cannot be read: %s", node->options.data_dir,
                   err_text(event->err));
        return;
    }
    for (size_t i = 0; i < event->entries_count && node->state != NODE_STOPPED; i++) {
        const struct storage_entry *entry = &event->entries[i];
        if (node->state == NODE_LOADING_META) {
            load_meta(node, entry->key, entry->value);
        } else if (quorum_recover_log(node->quorum, entry->key, entry->value) != OK) {
            node_fatal(node,
                       "the log in %s is damaged: restore this node from its peers with an "
                       "empty data-dir of a new node",
                       node->options.data_dir);
        }
    }
    if (event->more || node->state == NODE_STOPPED) {
        return;
    }
    if (node->state == NODE_LOADING_META) {
        node->state = NODE_LOADING_LOG;
    } else {
        identify(node);
    }
}

void form_keep_hlc(struct node *node)
{
    uint64_t hlc = quorum_hlc(node->quorum);

    if (node->state < NODE_IDENTIFYING || hlc < node->hlc_bound) {
        return;
    }
    /* In the same batch as the writes that moved it, so that it never falls behind them. */
    node->hlc_bound = hlc + ((uint64_t)HLC_AHEAD_MS << 16);
    put_meta_u64(node, BYTES_LITERAL("hlc"), node->hlc_bound);
}

/* -- Forming. */

/* Make the cluster's identity and our phase durable; it counts once it is. */
static void form_store(struct node *node, enum phase phase)
{
    struct buf value;

    buf_init(&value, SIZE_MAX);
    buf_put(&value, node->cluster_id, 16);
    buf_put(&value, node->genesis, 16);
    buf_put_u8(&value, (uint8_t)phase);
    for (unsigned i = 0; i < node->members_count; i++) {
        ASSERT(node->members[i].id_known);
        buf_put(&value, node->members[i].id, NODE_ID_SIZE);
    }
    put_meta(node, BYTES_LITERAL("cluster"), value.data, value.size);
    buf_release(&value);
    node->form_sequence = quorum_sequence(node->quorum);
    node->form_phase = phase;
}

static void form_send(struct node *node, struct connection *connection)
{
    struct buf body;

    buf_init(&body, SIZE_MAX);
    pack_map(&body, 3);
    pack_u64(&body, FORM_BODY_CLUSTER);
    pack_bin(&body, (struct bytes){node->cluster_id, 16});
    pack_u64(&body, FORM_BODY_GENESIS);
    pack_bin(&body, (struct bytes){node->genesis, 16});
    pack_u64(&body, FORM_BODY_IDS);
    pack_array(&body, node->members_count);
    for (unsigned i = 0; i < node->members_count; i++) {
        pack_bin(&body, (struct bytes){node->members[i].id, NODE_ID_SIZE});
    }
    peers_send_frame(node, connection, WIRE_FORM, buf_bytes(&body));
    buf_release(&body);
}

void form_on_form(struct node *node, struct connection *connection, const struct frame *frame)
{
    struct unpack in = unpack_of(frame->body, &node->step);
    struct bytes cluster = {NULL, 0}, genesis = {NULL, 0};
    struct bytes *ids = ARENA_ARRAY(&node->step, struct bytes, node->members_count);
    uint32_t fields = unpack_map(&in), ids_count = 0;

    for (uint32_t i = 0; i < fields && !in.failed; i++) {
        uint64_t field = unpack_u64(&in);
        if (field == FORM_BODY_CLUSTER) {
            cluster = unpack_bin(&in);
        } else if (field == FORM_BODY_GENESIS) {
            genesis = unpack_bin(&in);
        } else if (field == FORM_BODY_IDS) {
            ids_count = unpack_array(&in);
            for (uint32_t j = 0; j < ids_count && !in.failed; j++) {
                struct bytes id = unpack_bin(&in);
                in.failed = in.failed || j >= node->members_count || id.size != NODE_ID_SIZE;
                if (!in.failed) {
                    ids[j] = id;
                }
            }
        } else {
            unpack_skip(&in);
        }
    }
    bool whole = unpack_done(&in) && cluster.size == 16 && ids_count == node->members_count;
    if (!whole || !bytes_equal(genesis, (struct bytes){node->genesis, 16}) ||
        node->phase != PHASE_EMPTY || node->state != NODE_FORMING || node->form_sequence != 0) {
        return;
    }
    for (unsigned i = 0; i < node->members_count; i++) {
        const struct node_member *member = &node->members[i];
        if (member->id_known && memcmp(member->id, ids[i].data, NODE_ID_SIZE) != 0) {
            node_log(node, LOG_ERROR,
                     "%s wants to form a cluster in which %s has another node id: not stored",
                     node->members[connection->member].ring.name, member->ring.name);
            return;
        }
    }
    memcpy(node->cluster_id, cluster.data, 16);
    for (unsigned i = 0; i < node->members_count; i++) {
        memcpy(node->members[i].id, ids[i].data, NODE_ID_SIZE);
        node->members[i].id_known = true;
    }
    form_store(node, PHASE_STORED);
}

static bool all_others(const struct node *node, enum phase least, enum phase most)
{
    for (unsigned i = 0; i < node->members_count; i++) {
        const struct node_member *member = &node->members[i];
        bool heard = member->connection != NULL && member->phase >= least && member->phase <= most;
        if (i != node->self && !heard) {
            return false;
        }
    }
    return true;
}

static bool any_other_serves(const struct node *node)
{
    for (unsigned i = 0; i < node->members_count; i++) {
        if (i != node->self && node->members[i].connection != NULL &&
            node->members[i].phase == PHASE_SERVING) {
            return true;
        }
    }
    return false;
}

static void serve(struct node *node)
{
    uint8_t mac[32];

    node->state = NODE_SERVING;
    hash_hmac_sha256((struct bytes){node->cluster_id, 16}, BYTES_LITERAL("ringfort context"), mac);
    memcpy(node->context_key, mac, sizeof(node->context_key));
    quorum_serve(node->quorum, node->now);
    node_log(node, LOG_INFO, "serving: member %u of %u, cluster %02x%02x%02x%02x", node->self + 1U,
             node->members_count, node->cluster_id[0], node->cluster_id[1], node->cluster_id[2],
             node->cluster_id[3]);
}

void form_step(struct node *node)
{
    if (node->state == NODE_SERVING || node->state == NODE_FORMING) {
        /* Whoever knows the cluster tells those who do not. */
        for (unsigned i = 0; i < node->members_count && node->phase >= PHASE_STORED; i++) {
            struct node_member *member = &node->members[i];
            if (i != node->self && member->connection != NULL && member->phase == PHASE_EMPTY) {
                form_send(node, member->connection);
            }
        }
    }
    if (node->state != NODE_FORMING || node->form_sequence != 0) {
        return;
    }
    bool founder = node->self == 0;
    if (node->phase == PHASE_SERVING) {
        serve(node);
    } else if (node->phase == PHASE_EMPTY && founder &&
               all_others(node, PHASE_EMPTY, PHASE_EMPTY)) {
        node_random(node, node->cluster_id, sizeof(node->cluster_id));
        form_store(node, node->members_count == 1 ? PHASE_SERVING : PHASE_STORED);
    } else if (node->phase == PHASE_STORED &&
               (any_other_serves(node) ||
                (founder && all_others(node, PHASE_STORED, PHASE_SERVING)))) {
        form_store(node, PHASE_SERVING);
    }
}

void start_on_durable(struct node *node, uint64_t sequence)
{
    if (node->state == NODE_IDENTIFYING && sequence >= node->identity_sequence) {
        node->state = NODE_FORMING;
        if (node->members_count > 1) {
            node->peers_at_ns = node->now.ns;
        }
        form_step(node);
    }
    if (node->form_sequence != 0 && sequence >= node->form_sequence) {
        node->form_sequence = 0;
        node->phase = node->form_phase;
        for (unsigned i = 0; i < node->members_count; i++) {
            node->members[i].id_durable = true;
            if (i != node->self && node->members[i].connection != NULL) {
                peers_send_frame(node, node->members[i].connection, WIRE_PING,
                                 (struct bytes){NULL, 0}); /* It carries our phase. */
            }
        }
        form_step(node);
    }
    if (node->stop_sequence != 0 && sequence >= node->stop_sequence) {
        (void)effect_add(node, EFFECT_STOPPED);
        node->state = NODE_STOPPED;
    }
}

/* -- The orderly stop. */

void start_on_stop(struct node *node)
{
    if (node->state < NODE_FORMING) {
        (void)effect_add(node, EFFECT_STOPPED); /* Nothing was promised yet. */
        node->state = NODE_STOPPED;
        return;
    }
    if (node->state != NODE_STOPPING) {
        node_log(node, LOG_INFO, "stopping: finishing what is in flight");
        node->state = NODE_STOPPING;
        clients_drain(node->clients, node->now);
    }
    start_stop_step(node);
}

void start_stop_step(struct node *node)
{
    if (node->state != NODE_STOPPING || node->stop_sequence != 0 || !clients_idle(node->clients) ||
        !quorum_idle(node->quorum)) {
        return;
    }
    /* From here on node.c lets nothing in that could write behind the mark. */
    peers_release(node);
    put_meta_u64(node, BYTES_LITERAL("hlc"), quorum_hlc(node->quorum) + 1);
    put_meta(node, BYTES_LITERAL("clean"), "1", 1);
    node->stop_sequence = quorum_sequence(node->quorum);
}
