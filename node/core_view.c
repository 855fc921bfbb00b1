/* node/core_view.c - what clients and people may know of the cluster. */
#include "node/core.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VIEW_FRESH_MS = 100 };

/* "host:port" to its parts; the port follows the last colon (IPv6). */
static void split_address(const char *address, char host[128], uint16_t *port)
{
    const char *colon = strrchr(address, ':');
    size_t size = colon != NULL ? (size_t)(colon - address) : 0;

    host[0] = '\0';
    *port = 0;
    if (colon == NULL || size >= 128) {
        return;
    }
    bool bracketed = size >= 2 && address[0] == '[' && address[size - 1] == ']';
    memcpy(host, address + (bracketed ? 1 : 0), size - (bracketed ? 2 : 0));
    host[size - (bracketed ? 2 : 0)] = '\0';
    *port = (uint16_t)strtoul(colon + 1, NULL, 10);
}

static const char *first_set(const char *a, const char *b)
{
    return a[0] != '\0' ? a : b;
}

/* Towards clients a node's id is 32 hex of the node id and 8 of the store epoch. */
static void view_id(const struct node_member *member, char out[41])
{
    for (unsigned i = 0; i < NODE_ID_SIZE; i++) {
        (void)snprintf(out + i * 2, 3, "%02x", member->id_known ? member->id[i] : 0);
    }
    (void)snprintf(out + 32, 9, "%08x", member->id_known ? 1U : 0U);
}

static void fill_member(struct node *node, uint16_t index)
{
    const struct node_member *member = &node->members[index];
    const struct options *options = &node->options;
    struct view_member *view = &node->view_members[index];
    bool self = index == node->self;
    const char *client =
        self ? first_set(options->advertise_client, options->client_listen) : member->advertise[0];
    const char *cluster = self ? first_set(options->advertise_cluster, options->cluster_listen)
                               : member->advertise[1];
    const char *peer = self ? first_set(options->advertise_peer, options->peer_listen)
                            : first_set(member->advertise[2], member->address);
    const struct connection *connection = member->connection;

    memcpy(view->name, member->ring.name, sizeof(view->name));
    memcpy(view->rack, member->ring.rack, sizeof(view->rack));
    view_id(member, view->id);
    split_address(client, view->client_host, &view->client_port);
    split_address(cluster, view->cluster_host, &view->cluster_port);
    split_address(peer, view->peer_host, &view->peer_port);
    view->weight = member->ring.weight;
    view->self = self;
    view->live = self || member->live;
    view->connected = self || connection != NULL;
    view->since_ms = (node->now.ns - member->changed_ns) / 1000000;
    view->ping_ms_ago = (node->now.ns - member->pinged_ns) / 1000000;
    view->pong_ms_ago = connection != NULL ? (node->now.ns - connection->heard_ns) / 1000000 : 0;
}

static const char *waiting_words(struct node *node)
{
    char *words = arena_alloc(&node->step, 512);
    size_t size = 0;

    if (node->state < NODE_FORMING) {
        return "recovering its data";
    }
    if (node->state == NODE_STOPPING) {
        return "stopping";
    }
    size = (size_t)snprintf(words, 512, "waiting for members");
    for (unsigned i = 0; i < node->members_count && size < 400; i++) {
        const struct node_member *member = &node->members[i];
        bool missing =
            i != node->self && (member->connection == NULL || member->phase == PHASE_EMPTY);
        if (missing) {
            size += (size_t)snprintf(words + size, 512 - size, " %s", member->ring.name);
        }
    }
    return words;
}

static void count_reachable(struct node *node)
{
    struct view *view = &node->view;

    view->partitions_count = view->partitions_reachable = 0;
    for (uint32_t p = 0; p < node->options.partitions; p++) {
        if (place_is_owner(&node->place, p, node->self)) {
            view->partitions_count++;
            view->partitions_reachable += quorum_partition_reachable(node->quorum, (uint16_t)p);
        }
    }
}

static void refresh(struct node *node)
{
    struct view *view = &node->view;

    for (uint16_t i = 0; i < node->members_count; i++) {
        fill_member(node, i);
    }
    view->members = node->view_members;
    view->members_count = node->members_count;
    view->self = node->self;
    view->place = &node->place;
    view->configuration = 1;
    memcpy(view->cluster_name, node->options.cluster_name, sizeof(view->cluster_name));
    count_reachable(node);
    node->view_dirty = false;
    node->view_at_ns = node->now.ns;
}

const struct view *view_of(struct node *node)
{
    struct view *view = &node->view;
    bool stale = node->now.ns - node->view_at_ns > (uint64_t)VIEW_FRESH_MS * 1000000;
    uint8_t n, r, w;

    if (node->view_dirty || stale || view->members == NULL) {
        refresh(node);
    }
    view->serving = node->state == NODE_SERVING;
    view->waiting = view->serving ? NULL : waiting_words(node);
    memcpy(view->cluster_id, node->cluster_id, sizeof(view->cluster_id));
    memcpy(view->context_key, node->context_key, sizeof(view->context_key));
    view->boot = node->boot;
    view->actor = node->actor;
    quorum_effective(node->quorum, &n, &r, &w);
    view->n = n;
    view->r = r;
    view->w = w;
    view->peer_messages_sent = node->messages_sent;
    view->peer_messages_received = node->messages_received;
    view->peer_bytes_sent = node->bytes_sent;
    view->peer_bytes_received = node->bytes_received;
    view->peer_deltas_dropped = node->deltas_dropped;
    return view;
}
