#include "node/command.h"

#include "ring/slot.h"

#include <stdio.h>
#include <string.h>

/* CLUSTER as the cluster face shows it: primaries only, each slot exactly once, every node a
 * master. Preference lists overlap and cannot be told as replicas; any node coordinates any key,
 * so that a client with an old map costs a hop and nothing else. */

unsigned slot_primary(const struct view *view, unsigned slot)
{
    ASSERT(slot < SLOTS_COUNT);
    if (view->place == NULL) {
        return QUORUM_MEMBER_NONE;
    }
    const struct place *place = view->place;
    const uint16_t *owners =
        place_owners(place, slot_partition((uint16_t)slot, place->partitions_count));
    unsigned known = owners[0];
    for (unsigned i = place_owners_count(place); i-- > 0;) {
        known = view->members[owners[i]].cluster_port != 0 ? owners[i] : known;
    }
    for (unsigned i = 0; i < place_owners_count(place); i++) {
        const struct view_member *member = view->members + owners[i];
        if (member->live && member->cluster_port != 0) { /* Clients could not use an unknown one. */
            return owners[i];
        }
    }
    return known;
}

/* The last slot of the run of slots from `first` on that have one primary. */
static unsigned run_end(const struct view *view, unsigned first)
{
    uint32_t partitions_count = view->place->partitions_count;
    uint32_t partition = slot_partition((uint16_t)first, partitions_count) + 1U;
    unsigned primary = slot_primary(view, first);

    while (partition < partitions_count &&
           slot_primary(view, slot_partition_first(partition, partitions_count)) == primary) {
        partition++;
    }
    return slot_partition_first(partition, partitions_count) - 1U;
}

/* True, answered, where there is no cluster to be seen. */
static bool refused_here(struct invocation *in)
{
    if (in->session->face == FACE_PLAIN) {
        reply_error(&in->reply, "ERR This instance has cluster support disabled");
        return true;
    }
    return false;
}

/* Slots are the ring's to give: refuse whatever would move them. */
enum run run_cluster_refused(struct invocation *in)
{
    if (!refused_here(in)) {
        const char *sub = strchr(in->command->name, '|');
        reply_error_printf(&in->reply,
                           "ERR CLUSTER %s is not possible: members and slots are managed by the "
                           "ring, from the configuration's initial-members",
                           sub + 1);
    }
    return RUN_REPLIED;
}

/* READONLY, READWRITE, ASKING: every node reads and writes anyway. */
enum run run_cluster_ok(struct invocation *in)
{
    if (!refused_here(in)) {
        reply_ok(&in->reply);
    }
    return RUN_REPLIED;
}

static const char *self_id(const struct view *view)
{
    return view->members_count > 0 ? view->members[view->self].id
                                   : "0000000000000000000000000000000000000000";
}

enum run run_cluster_myid(struct invocation *in)
{
    if (!refused_here(in)) {
        reply_bulk_text(&in->reply, self_id(clients_view(in->clients)));
    }
    return RUN_REPLIED;
}

enum run run_cluster_keyslot(struct invocation *in)
{
    if (!refused_here(in)) {
        reply_integer(&in->reply, slot_of(in->argv[2]));
    }
    return RUN_REPLIED;
}

enum run run_cluster_info(struct invocation *in)
{
    const struct view *view = clients_view(in->clients);
    unsigned size = 0;
    struct buf text;

    if (refused_here(in)) {
        return RUN_REPLIED;
    }
    for (unsigned i = 0; i < view->members_count; i++) {
        size += view->members[i].live;
    }
    buf_init(&text, 4096);
    bool ok = view->serving && view->partitions_reachable > 0; /* Some keys can be served. */
    buf_printf(&text, "cluster_state:%s\r\n", ok ? "ok" : "fail");
    buf_printf(&text, "cluster_slots_assigned:%d\r\ncluster_slots_ok:%d\r\n",
               view->place == NULL ? 0 : SLOTS_COUNT, view->place == NULL ? 0 : SLOTS_COUNT);
    buf_printf(&text, "cluster_slots_pfail:0\r\ncluster_slots_fail:0\r\n");
    buf_printf(&text, "cluster_known_nodes:%u\r\ncluster_size:%u\r\n", view->members_count, size);
    buf_printf(&text, "cluster_current_epoch:%llu\r\ncluster_my_epoch:%llu\r\n",
               (unsigned long long)view->configuration, (unsigned long long)view->configuration);
    buf_printf(&text, "cluster_stats_messages_sent:%llu\r\n",
               (unsigned long long)view->peer_messages_sent);
    buf_printf(&text, "cluster_stats_messages_received:%llu\r\n",
               (unsigned long long)view->peer_messages_received);
    buf_printf(&text, "total_cluster_links_buffer_limit_exceeded:0\r\n");
    reply_verbatim(&in->reply, buf_bytes(&text));
    buf_release(&text);
    return RUN_REPLIED;
}

/* ---- CLUSTER SLOTS, CLUSTER SHARDS, CLUSTER NODES ---- */

enum run run_cluster_slots(struct invocation *in)
{
    const struct view *view = clients_view(in->clients);
    size_t count = 0;

    if (refused_here(in)) {
        return RUN_REPLIED;
    }
    unsigned slots = view->place == NULL ? 0 : SLOTS_COUNT;
    for (unsigned slot = 0; slot < slots; slot = run_end(view, slot) + 1) {
        count++;
    }
    reply_array(&in->reply, count);
    for (unsigned slot = 0; slot < slots;) {
        const struct view_member *member = view->members + slot_primary(view, slot);
        unsigned last = run_end(view, slot);
        reply_array(&in->reply, 3);
        reply_integer(&in->reply, slot);
        reply_integer(&in->reply, last);
        reply_array(&in->reply, 4);
        reply_bulk_text(&in->reply, member->cluster_host);
        reply_integer(&in->reply, member->cluster_port);
        reply_bulk_text(&in->reply, member->id);
        reply_map(&in->reply, 0);
        slot = last + 1;
    }
    return RUN_REPLIED;
}

/* Append the runs of slots of one member as integers; only count them when `reply` is NULL. */
static size_t member_runs(const struct view *view, unsigned member, struct reply *reply)
{
    size_t count = 0;
    unsigned slots = view->place == NULL ? 0 : SLOTS_COUNT;

    for (unsigned slot = 0; slot < slots;) {
        unsigned last = run_end(view, slot);
        if (slot_primary(view, slot) == member) {
            count++;
            if (reply != NULL) {
                reply_integer(reply, slot);
                reply_integer(reply, last);
            }
        }
        slot = last + 1;
    }
    return count;
}

enum run run_cluster_shards(struct invocation *in)
{
    const struct view *view = clients_view(in->clients);
    struct reply *reply = &in->reply;

    if (refused_here(in)) {
        return RUN_REPLIED;
    }
    reply_array(reply, view->members_count);
    for (unsigned i = 0; i < view->members_count; i++) {
        const struct view_member *member = view->members + i;
        reply_map(reply, 2);
        reply_bulk_text(reply, "slots");
        reply_array(reply, member_runs(view, i, NULL) * 2);
        member_runs(view, i, reply);
        reply_bulk_text(reply, "nodes");
        reply_array(reply, 1);
        reply_map(reply, 7);
        reply_bulk_text(reply, "id");
        reply_bulk_text(reply, member->id);
        reply_bulk_text(reply, "port");
        reply_integer(reply, member->cluster_port);
        reply_bulk_text(reply, "ip");
        reply_bulk_text(reply, member->cluster_host);
        reply_bulk_text(reply, "endpoint");
        reply_bulk_text(reply, member->cluster_host);
        reply_bulk_text(reply, "role");
        reply_bulk_text(reply, "master");
        reply_bulk_text(reply, "replication-offset");
        reply_integer(reply, 0);
        reply_bulk_text(reply, "health");
        reply_bulk_text(reply, member->live ? "online" : "fail");
    }
    return RUN_REPLIED;
}

/* <id> <ip>:<port>@<cport> <flags> - <ping> <pong> <epoch> <link> <slots...> */
static void put_node(struct buf *text, const struct clients *clients, const struct view *view,
                     unsigned index)
{
    const struct view_member *member = view->members + index;
    int64_t wall_ms = clients->now.wall_ms;
    int64_t ping_ms = member->self ? 0 : wall_ms - (int64_t)member->ping_ms_ago;
    int64_t pong_ms = member->self ? 0 : wall_ms - (int64_t)member->pong_ms_ago;
    unsigned slots = view->place == NULL ? 0 : SLOTS_COUNT;

    buf_printf(text, "%s %s:%u@%u %smaster%s - %lld %lld %llu %s", member->id, member->cluster_host,
               member->cluster_port, member->peer_port, member->self ? "myself," : "",
               member->live || member->self ? "" : ",fail", (long long)ping_ms, (long long)pong_ms,
               (unsigned long long)view->configuration,
               member->connected || member->self ? "connected" : "disconnected");
    for (unsigned slot = 0; slot < slots;) {
        unsigned last = run_end(view, slot);
        if (slot_primary(view, slot) == index) {
            buf_printf(text, slot == last ? " %u" : " %u-%u", slot, last);
        }
        slot = last + 1;
    }
    buf_printf(text, "\n");
}

enum run run_cluster_nodes(struct invocation *in)
{
    const struct view *view = clients_view(in->clients);
    struct buf text;

    if (refused_here(in)) {
        return RUN_REPLIED;
    }
    buf_init(&text, 64 * 1024 * 1024);
    for (unsigned i = 0; i < view->members_count; i++) {
        put_node(&text, in->clients, view, i);
    }
    reply_verbatim(&in->reply, buf_bytes(&text));
    buf_release(&text);
    return RUN_REPLIED;
}
