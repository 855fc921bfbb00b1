#include "node/info.h"

#include <stdio.h>
#include <string.h>

/* RF.STATUS: one line per fact, then a table of members; the same facts as JSON. */

typedef unsigned long long ull;

static const char *state_of(const struct view_member *member)
{
    return member->self ? "self" : member->live ? "live" : member->connected ? "silent" : "down";
}

static const char *self_name(const struct view *view)
{
    return view->members_count > 0 ? view->members[view->self].name : "";
}

static unsigned count_live(const struct view *view)
{
    unsigned live = 0;

    for (unsigned i = 0; i < view->members_count; i++) {
        live += view->members[i].live;
    }
    return live;
}

static const char *mode_of(const struct options *options)
{
    return options->consistency == CONSISTENCY_LINEARIZABLE ? "linearizable" : "quorum";
}

static const char *sync_of(const struct options *options)
{
    static const char *const NAMES[] = {
        [SYNC_ALWAYS] = "always",
        [SYNC_INTERVAL] = "interval (safe against kill -9, not against power loss)",
        [SYNC_OS] = "os (safe against kill -9, not against power loss)",
    };

    return NAMES[options->sync];
}

/* "12s", "5m", "3h", "2d" */
static void age_text(uint64_t ms, char text[24])
{
    uint64_t s = ms / 1000;

    if (s < 120) {
        snprintf(text, 24, "%llus", (ull)s);
    } else if (s < 2 * 3600) {
        snprintf(text, 24, "%llum", (ull)(s / 60));
    } else if (s < 2 * 86400) {
        snprintf(text, 24, "%lluh", (ull)(s / 3600));
    } else {
        snprintf(text, 24, "%llud", (ull)(s / 86400));
    }
}

static void address_text(const char *host, unsigned port, char text[160])
{
    bool v6 = strchr(host, ':') != NULL;

    if (port == 0) {
        snprintf(text, 160, "-");
    } else {
        snprintf(text, 160, "%s%s%s:%u", v6 ? "[" : "", host, v6 ? "]" : "", port);
    }
}

/* How long a member has been in its state; this node since its start. */
static uint64_t since_ms(const struct clients *clients, const struct view_member *member)
{
    return member->self ? (clients->now.ns - clients->started_ns) / 1000000 : member->since_ms;
}

static void put_member_row(struct clients *clients, struct buf *out,
                           const struct view_member *member, uint32_t owned, uint32_t first)
{
    char age[24];
    char client[160];
    char cluster[160];
    char peer[160];

    age_text(since_ms(clients, member), age);
    address_text(member->client_host, member->client_port, client);
    address_text(member->cluster_host, member->cluster_port, cluster);
    address_text(member->peer_host, member->peer_port, peer);
    buf_printf(out, "%-16s %-6s %-5s %-21s %-21s %-21s %-10s %6u %9u %8u\n", member->name,
               state_of(member), age, client, cluster, peer,
               member->rack[0] == '\0' ? "-" : member->rack, member->weight, owned, first);
}

/* Vnodes and first owners per member; zero before the cluster has formed. */
static void member_loads(struct clients *clients, const struct view *view, uint32_t **owned,
                         uint32_t **first)
{
    size_t size = sizeof(uint32_t) * (view->members_count + 1);

    *owned = arena_alloc_zero(&clients->arena, size);
    *first = arena_alloc_zero(&clients->arena, size);
    if (view->place != NULL) {
        ASSERT(view->place->members_count <= view->members_count);
        place_loads(view->place, *owned, *first);
    }
}

void info_put_status(struct clients *clients, struct buf *out)
{
    const struct view *view = clients_view(clients);
    const struct options *options = clients->options;
    uint32_t *owned;
    uint32_t *first;
    char age[24];

    age_text((clients->now.ns - clients->started_ns) / 1000000, age);
    buf_printf(out, "version:%s\ncluster:%s\nnode:%s\nuptime:%s\n", RINGFORT_VERSION,
               view->cluster_name, self_name(view), age);
    buf_printf(out, "state:%s\n",
               view->serving           ? "serving"
               : view->waiting == NULL ? "starting"
                                       : view->waiting);
    buf_printf(out, "configuration:%llu\nn:%u\nr:%u\nw:%u\nconsistency:%s\nsync:%s\n",
               (ull)view->configuration, view->n, view->r, view->w, mode_of(options),
               sync_of(options));
    buf_printf(out, "members:%u, %u live\n", view->members_count, count_live(view));
    buf_printf(out, "partitions:%u here, %u with a quorum\n", view->partitions_count,
               view->partitions_reachable);
    member_loads(clients, view, &owned, &first);
    buf_printf(out, "\n%-16s %-6s %-5s %-21s %-21s %-21s %-10s %6s %9s %8s\n", "member", "state",
               "since", "clients", "cluster clients", "peers", "rack", "weight", "partitions",
               "first of");
    for (unsigned i = 0; i < view->members_count; i++) {
        put_member_row(clients, out, view->members + i, owned[i], first[i]);
    }
}

/* ---- JSON ---- */

static void put_json_text(struct buf *out, const char *name, const char *text)
{
    buf_printf(out, "\"%s\":\"", name);
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\') {
            buf_printf(out, "\\%c", *text);
        } else if ((unsigned char)*text < ' ') {
            buf_printf(out, "\\u%04x", (unsigned)(unsigned char)*text);
        } else {
            buf_put_u8(out, (uint8_t)*text);
        }
    }
    buf_printf(out, "\"");
}

static const char *json_bool(bool value)
{
    return value ? "true" : "false";
}

static void put_json_member(struct clients *clients, struct buf *out,
                            const struct view_member *member, uint32_t owned, uint32_t first)
{
    char client[160];
    char cluster[160];
    char peer[160];

    address_text(member->client_host, member->client_port, client);
    address_text(member->cluster_host, member->cluster_port, cluster);
    address_text(member->peer_host, member->peer_port, peer);
    buf_printf(out, "{");
    put_json_text(out, "name", member->name);
    buf_printf(out, ",");
    put_json_text(out, "id", member->id);
    buf_printf(out, ",");
    put_json_text(out, "rack", member->rack);
    buf_printf(out, ",\"weight\":%u,", member->weight);
    put_json_text(out, "state", state_of(member));
    buf_printf(out, ",\"self\":%s,\"live\":%s,\"connected\":%s,\"since_ms\":%llu,",
               json_bool(member->self), json_bool(member->live), json_bool(member->connected),
               (ull)since_ms(clients, member));
    put_json_text(out, "client", client);
    buf_printf(out, ",");
    put_json_text(out, "cluster_client", cluster);
    buf_printf(out, ",");
    put_json_text(out, "peer", peer);
    buf_printf(out, ",\"partitions\":%u,\"partitions_first\":%u}", owned, first);
}

void info_put_status_json(struct clients *clients, struct buf *out)
{
    const struct view *view = clients_view(clients);
    const struct options *options = clients->options;
    uint32_t *owned;
    uint32_t *first;

    buf_printf(out, "{");
    put_json_text(out, "version", RINGFORT_VERSION);
    buf_printf(out, ",");
    put_json_text(out, "cluster", view->cluster_name);
    buf_printf(out, ",");
    put_json_text(out, "node", self_name(view));
    buf_printf(out, ",\"uptime_ms\":%llu,\"serving\":%s,",
               (ull)((clients->now.ns - clients->started_ns) / 1000000), json_bool(view->serving));
    put_json_text(out, "waiting", view->serving || view->waiting == NULL ? "" : view->waiting);
    buf_printf(out, ",\"configuration\":%llu,\"n\":%u,\"r\":%u,\"w\":%u,", (ull)view->configuration,
               view->n, view->r, view->w);
    put_json_text(out, "consistency", mode_of(options));
    buf_printf(out, ",\"partitions\":%u,\"partitions_reachable\":%u,\"members\":[",
               view->partitions_count, view->partitions_reachable);
    member_loads(clients, view, &owned, &first);
    for (unsigned i = 0; i < view->members_count; i++) {
        buf_printf(out, "%s", i == 0 ? "" : ",");
        put_json_member(clients, out, view->members + i, owned[i], first[i]);
    }
    buf_printf(out, "]}\n");
}
