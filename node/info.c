#include "node/info.h"

#include "ring/slot.h"

#include <stdio.h>
#include <string.h>

enum { ONE_S_NS = 1000000000 };

typedef unsigned long long ull;

/* "1.02M", as Redis writes sizes for people. */
static void put_human(struct buf *out, const char *name, uint64_t bytes)
{
    static const char UNITS[] = "KMGTPE";
    double value = (double)bytes;
    int unit = -1;

    while (value >= 1024 && unit < 5) {
        value /= 1024;
        unit++;
    }
    if (unit < 0) {
        buf_printf(out, "%s:%lluB\r\n", name, (ull)bytes);
    } else {
        buf_printf(out, "%s:%.2f%c\r\n", name, value, UNITS[unit]);
    }
}

static const struct view_member *self_of(const struct view *view)
{
    return view->members_count > 0 ? view->members + view->self : NULL;
}

static void put_server(struct clients *clients, enum face face, struct buf *out)
{
    const struct view_member *self = self_of(clients_view(clients));
    uint64_t up_s = (clients->now.ns - clients->started_ns) / ONE_S_NS;
    bool cluster = face == FACE_CLUSTER;
    unsigned port = self == NULL ? 0 : cluster ? self->cluster_port : self->client_port;

    buf_printf(out, "redis_version:%s\r\nredis_git_sha1:00000000\r\nredis_git_dirty:0\r\n",
               REDIS_VERSION);
    buf_printf(out, "redis_build_id:ringfort-%s\r\nredis_mode:%s\r\n", RINGFORT_VERSION,
               cluster ? "cluster" : "standalone");
    buf_printf(out, "server_name:ringfort\r\nringfort_version:%s\r\n", RINGFORT_VERSION);
    buf_printf(out, "os:Linux\r\narch_bits:%zu\r\nmultiplexing_api:epoll\r\ngcc_version:%s\r\n",
               sizeof(void *) * 8, __VERSION__);
    buf_printf(out, "run_id:%s\r\ntcp_port:%u\r\n", self == NULL ? "" : self->id, port);
    buf_printf(out, "server_time_usec:%lld\r\n", (long long)clients->now.wall_ms * 1000);
    buf_printf(out, "uptime_in_seconds:%llu\r\nuptime_in_days:%llu\r\n", (ull)up_s,
               (ull)(up_s / 86400));
    buf_printf(out, "hz:10\r\nconfigured_hz:10\r\nio_threads_active:0\r\n");
}

static void put_clients(struct clients *clients, enum face face, struct buf *out)
{
    MAYBE(face == FACE_PLAIN);
    buf_printf(out, "connected_clients:%u\r\ncluster_connections:0\r\nmaxclients:%u\r\n",
               clients->sessions_count, clients->options->max_clients);
    buf_printf(out, "blocked_clients:0\r\ntracking_clients:0\r\nclients_in_timeout_table:0\r\n");
    buf_printf(out, "paused_clients:%u\r\npeak_clients:%u\r\n", clients->paused_count,
               clients->stats.clients_peak);
}

static void put_memory(struct clients *clients, enum face face, struct buf *out)
{
    const struct shell_stats *shell = clients->io.shell_stats(clients->io.context);
    uint64_t used = mem_used();
    uint64_t resident = shell == NULL ? 0 : shell->resident_bytes;
    uint64_t storage = shell == NULL ? 0 : shell->storage.memory_bytes;

    MAYBE(face == FACE_PLAIN);
    buf_printf(out, "used_memory:%llu\r\n", (ull)used);
    put_human(out, "used_memory_human", used);
    buf_printf(out, "used_memory_rss:%llu\r\n", (ull)resident);
    put_human(out, "used_memory_rss_human", resident);
    buf_printf(out, "used_memory_storage:%llu\r\n", (ull)storage);
    buf_printf(out, "used_memory_lua:0\r\nnumber_of_cached_scripts:0\r\n");
    buf_printf(out, "maxmemory:0\r\nmaxmemory_human:0B\r\nmaxmemory_policy:noeviction\r\n");
    buf_printf(out, "mem_fragmentation_ratio:%.2f\r\nmem_allocator:libc\r\n",
               used == 0 ? 0.0 : (double)resident / (double)used);
}

static void put_persistence(struct clients *clients, enum face face, struct buf *out)
{
    const struct view *view = clients_view(clients);

    MAYBE(face == FACE_PLAIN);
    buf_printf(out, "loading:%d\r\n", !view->serving);
    if (!view->serving) {
        buf_printf(out, "loading_eta_seconds:1\r\n");
    }
    buf_printf(out,
               "async_loading:0\r\nrdb_changes_since_last_save:0\r\n"
               "rdb_bgsave_in_progress:0\r\nrdb_last_save_time:%lld\r\n"
               "rdb_last_bgsave_status:ok\r\n",
               (long long)(clients->started_wall_ms / 1000));
    buf_printf(out, "aof_enabled:1\r\naof_rewrite_in_progress:0\r\naof_rewrite_scheduled:0\r\n"
                    "aof_last_bgrewrite_status:ok\r\naof_last_write_status:ok\r\n");
}

static void put_stats(struct clients *clients, enum face face, struct buf *out)
{
    const struct clients_stats *stats = &clients->stats;
    struct quorum_stats quorum;

    MAYBE(face == FACE_PLAIN);
    clients->io.quorum_stats(clients->io.context, &quorum);
    buf_printf(out, "total_connections_received:%llu\r\ntotal_commands_processed:%llu\r\n",
               (ull)stats->connections, (ull)stats->commands);
    buf_printf(out, "instantaneous_ops_per_sec:%.0f\r\n", stats->commands_per_second);
    buf_printf(out, "total_net_input_bytes:%llu\r\ntotal_net_output_bytes:%llu\r\n",
               (ull)stats->in_bytes, (ull)stats->out_bytes);
    buf_printf(out, "instantaneous_input_kbps:%.2f\r\ninstantaneous_output_kbps:%.2f\r\n",
               stats->in_kbps, stats->out_kbps);
    buf_printf(out, "rejected_connections:%llu\r\nsync_full:0\r\nsync_partial_ok:0\r\n",
               (ull)stats->connections_rejected);
    buf_printf(out, "expired_keys:%llu\r\nevicted_keys:0\r\n", (ull)quorum.versions_expired);
    buf_printf(out, "keyspace_hits:%llu\r\nkeyspace_misses:%llu\r\n", (ull)stats->hits,
               (ull)stats->misses);
    buf_printf(out, "pubsub_channels:0\r\npubsub_patterns:0\r\nlatest_fork_usec:0\r\n"
                    "total_forks:0\r\nunexpected_error_replies:0\r\n");
    buf_printf(out, "total_error_replies:%llu\r\n", (ull)clients->errors.total);
}

static void put_replication(struct clients *clients, enum face face, struct buf *out)
{
    const struct view_member *self = self_of(clients_view(clients));

    MAYBE(face == FACE_PLAIN);
    buf_printf(out, "role:master\r\nconnected_slaves:0\r\nmaster_failover_state:no-failover\r\n");
    buf_printf(out, "master_replid:%s\r\nmaster_repl_offset:0\r\nsecond_repl_offset:-1\r\n",
               self == NULL ? "" : self->id);
    buf_printf(out, "repl_backlog_active:0\r\nrepl_backlog_size:0\r\n"
                    "repl_backlog_first_byte_offset:0\r\nrepl_backlog_histlen:0\r\n");
}

static void put_cpu(struct clients *clients, enum face face, struct buf *out)
{
    const struct shell_stats *shell = clients->io.shell_stats(clients->io.context);
    uint64_t system_us = shell == NULL ? 0 : shell->cpu_system_us;
    uint64_t user_us = shell == NULL ? 0 : shell->cpu_user_us;

    MAYBE(face == FACE_PLAIN);
    buf_printf(out, "used_cpu_sys:%llu.%06llu\r\nused_cpu_user:%llu.%06llu\r\n",
               (ull)(system_us / 1000000), (ull)(system_us % 1000000), (ull)(user_us / 1000000),
               (ull)(user_us % 1000000));
    buf_printf(out, "used_cpu_sys_children:0.000000\r\nused_cpu_user_children:0.000000\r\n");
}

static void put_modules(struct clients *clients, enum face face, struct buf *out)
{
    MAYBE(face == FACE_PLAIN);
    MAYBE(clients->draining);
    MAYBE(out->size > 0); /* There are none; the header stands alone, as in Redis. */
}

/* usec is the time from the request to its reply, which includes other nodes and the disk. */
static void put_commandstats(struct clients *clients, enum face face, struct buf *out)
{
    MAYBE(face == FACE_PLAIN);
    for (unsigned i = 0; i < COMMANDS_COUNT; i++) {
        const struct command_stats *stats = clients->command_stats + i;
        if (stats->calls + stats->rejected > 0) {
            buf_printf(out,
                       "cmdstat_%s:calls=%llu,usec=%llu,usec_per_call=%.2f,rejected_calls=%llu,"
                       "failed_calls=%llu\r\n",
                       COMMANDS[i].name, (ull)stats->calls, (ull)stats->us,
                       stats->calls == 0 ? 0.0 : (double)stats->us / (double)stats->calls,
                       (ull)stats->rejected, (ull)stats->failed);
        }
    }
}

static void put_errorstats(struct clients *clients, enum face face, struct buf *out)
{
    MAYBE(face == FACE_PLAIN);
    for (unsigned i = 0; i < clients->errors.count; i++) {
        buf_printf(out, "errorstat_%s:count=%llu\r\n", clients->errors.items[i].prefix,
                   (ull)clients->errors.items[i].count);
    }
}

static void put_cluster(struct clients *clients, enum face face, struct buf *out)
{
    MAYBE(clients->draining);
    buf_printf(out, "cluster_enabled:%d\r\n", face == FACE_CLUSTER);
}

/* ---- # Ringfort ---- */

static void put_quorum(struct clients *clients, struct buf *out)
{
    struct quorum_stats s;

    clients->io.quorum_stats(clients->io.context, &s);
    const struct {
        const char *name;
        uint64_t value;
    } FIELDS[] = {
        {"ops_get", s.ops[OP_GET]},
        {"ops_set", s.ops[OP_SET]},
        {"ops_del", s.ops[OP_DEL]},
        {"ops_causal_get", s.ops[OP_CAUSAL_GET]},
        {"ops_causal_set", s.ops[OP_CAUSAL_SET]},
        {"ops_causal_del", s.ops[OP_CAUSAL_DEL]},
        {"ops_forwarded", s.forwarded},
        {"fast_reads", s.fast_reads},
        {"write_backs", s.write_backs},
        {"hedges", s.hedges},
        {"outcome_no_quorum", s.no_quorum},
        {"outcome_uncertain", s.uncertain},
        {"outcome_busy", s.busy},
        {"outcome_unreadable", s.unreadable},
        {"deltas_applied", s.deltas_applied},
        {"deltas_duplicate", s.deltas_duplicate},
        {"repairs_applied", s.repairs_applied},
        {"asks", s.asks},
        {"answers_same", s.answers_same},
        {"cache_hits", s.cache_hits},
        {"cache_misses", s.cache_misses},
        {"cache_bytes", s.cache_bytes},
        {"cache_entries", s.cache_entries},
        {"log_entries", s.log_entries},
        {"log_bytes", s.log_bytes},
        {"log_truncated", s.log_truncated},
        {"tombstones_collected", s.tombstones_collected},
        {"versions_expired", s.versions_expired},
        {"clocks_sent", s.clocks_sent},
        {"states_sent", s.states_sent},
        {"states_joined", s.states_joined},
        {"state_keys", s.state_keys},
        {"corrupt_records", s.corrupt_records},
        {"requests_in_flight", s.requests},
        {"loads_in_flight", s.loads},
        {"waiting_durable", s.waiting_durable},
    };

    for (size_t i = 0; i < ARRAY_COUNT(FIELDS); i++) {
        buf_printf(out, "%s:%llu\r\n", FIELDS[i].name, (ull)FIELDS[i].value);
    }
}

static void put_shell(struct clients *clients, struct buf *out)
{
    const struct shell_stats *shell = clients->io.shell_stats(clients->io.context);

    if (shell == NULL) {
        return;
    }
    const struct storage_stats *storage = &shell->storage;
    buf_printf(out, "syscalls_read:%llu\r\nsyscalls_write:%llu\r\nsyncs:%llu\r\n",
               (ull)shell->syscalls_read, (ull)shell->syscalls_write, (ull)shell->syncs);
    buf_printf(out, "disk_free_bytes:%llu\r\ndisk_bytes:%llu\r\n", (ull)shell->disk_free_bytes,
               (ull)storage->disk_bytes);
    buf_printf(out, "storage_gets:%llu\r\nstorage_gets_missed_memory:%llu\r\n", (ull)storage->gets,
               (ull)storage->gets_missed_memory);
    buf_printf(out, "storage_puts:%llu\r\nstorage_deletes:%llu\r\nstorage_commits:%llu\r\n",
               (ull)storage->puts, (ull)storage->deletes, (ull)storage->commits);
    buf_printf(out, "storage_commit_bytes:%llu\r\nstorage_background_errors:%llu\r\n",
               (ull)storage->commit_bytes, (ull)storage->background_errors);
    buf_printf(out, "storage_write_stopped:%d\r\nstorage_write_delayed_rate:%llu\r\n",
               storage->write_stopped, (ull)storage->write_delayed_rate);
}

static void put_ringfort(struct clients *clients, enum face face, struct buf *out)
{
    const struct view *view = clients_view(clients);
    const struct view_member *self = self_of(view);
    unsigned live = 0;

    MAYBE(face == FACE_PLAIN);
    for (unsigned i = 0; i < view->members_count; i++) {
        live += view->members[i].live;
    }
    buf_printf(out, "ringfort_version:%s\r\ncluster_name:%s\r\nnode_name:%s\r\nnode_id:%s\r\n",
               RINGFORT_VERSION, view->cluster_name, self == NULL ? "" : self->name,
               self == NULL ? "" : self->id);
    buf_printf(out, "boot:%llu\r\nactor:%016llx\r\nconfiguration:%llu\r\n", (ull)view->boot,
               (ull)view->actor, (ull)view->configuration);
    buf_printf(out, "serving:%d\r\nn:%u\r\nr:%u\r\nw:%u\r\n", view->serving, view->n, view->r,
               view->w);
    buf_printf(out, "members:%u\r\nmembers_live:%u\r\npartitions:%u\r\npartitions_reachable:%u\r\n",
               view->members_count, live, view->partitions_count, view->partitions_reachable);
    buf_printf(out, "peer_messages_sent:%llu\r\npeer_messages_received:%llu\r\n",
               (ull)view->peer_messages_sent, (ull)view->peer_messages_received);
    buf_printf(
        out, "peer_bytes_sent:%llu\r\npeer_bytes_received:%llu\r\npeer_deltas_dropped:%llu\r\n",
        (ull)view->peer_bytes_sent, (ull)view->peer_bytes_received, (ull)view->peer_deltas_dropped);
    put_quorum(clients, out);
    put_shell(clients, out);
}

/* ---- # Keyspace ---- */

/* How many of the slots the cluster face shows as this node's: the counts are of the whole cluster,
 * and tools add up what all nodes say. */
static uint64_t share_of(uint64_t count, unsigned ours)
{
    return count * ours / SLOTS_COUNT;
}

static unsigned our_slots(const struct view *view)
{
    unsigned ours = 0;

    for (unsigned slot = 0; view->place != NULL && slot < SLOTS_COUNT; slot++) {
        ours += slot_primary(view, slot) == view->self;
    }
    return ours;
}

static void put_keyspace(struct clients *clients, enum face face, const struct count_result *counts,
                         struct buf *out)
{
    unsigned ours = face == FACE_CLUSTER ? our_slots(clients_view(clients)) : SLOTS_COUNT;

    if (counts == NULL || counts->outcome != OUTCOME_DONE) {
        return;
    }
    for (unsigned i = 0; i < QUORUM_DATABASES; i++) {
        if (counts->keys[i] > 0) {
            buf_printf(out, "db%u:keys=%llu,expires=%llu,avg_ttl=0\r\n", i,
                       (ull)share_of(counts->keys[i], ours),
                       (ull)share_of(counts->expires[i], ours));
        }
    }
}

/* ---- Sections ---- */

static const struct {
    const char *name, *title;
    void (*put)(struct clients *, enum face, struct buf *);
} SECTIONS[] = {
    {"server", "Server", put_server},
    {"clients", "Clients", put_clients},
    {"memory", "Memory", put_memory},
    {"persistence", "Persistence", put_persistence},
    {"stats", "Stats", put_stats},
    {"replication", "Replication", put_replication},
    {"cpu", "CPU", put_cpu},
    {"modules", "Modules", put_modules},
    {"commandstats", "Commandstats", put_commandstats},
    {"errorstats", "Errorstats", put_errorstats},
    {"latencystats", "Latencystats", put_modules},
    {"cluster", "Cluster", put_cluster},
    {"keyspace", "Keyspace", NULL},
    {"ringfort", "Ringfort", put_ringfort},
};

enum {
    INFO_EVERYTHING = (1 << ARRAY_COUNT(SECTIONS)) - 1,
    INFO_ALL = INFO_EVERYTHING & ~INFO_MODULES,
    INFO_DEFAULT = INFO_EVERYTHING & ~(INFO_COMMANDSTATS | INFO_LATENCYSTATS),
};

unsigned info_sections(const struct bytes *words, uint32_t count)
{
    unsigned sections = count == 0 ? INFO_DEFAULT : 0;

    for (uint32_t i = 0; i < count; i++) {
        if (bytes_equal_nocase(words[i], "default")) {
            sections |= INFO_DEFAULT;
        } else if (bytes_equal_nocase(words[i], "all")) {
            sections |= INFO_ALL;
        } else if (bytes_equal_nocase(words[i], "everything")) {
            sections |= INFO_EVERYTHING;
        }
        for (unsigned j = 0; j < ARRAY_COUNT(SECTIONS); j++) {
            sections |= bytes_equal_nocase(words[i], SECTIONS[j].name) ? 1U << j : 0;
        }
    }
    return sections;
}

void info_put(struct clients *clients, enum face face, unsigned sections,
              const struct count_result *counts, struct buf *out)
{
    bool first = true;

    for (unsigned i = 0; i < ARRAY_COUNT(SECTIONS); i++) {
        if ((sections & 1U << i) == 0) {
            continue;
        }
        buf_printf(out, "%s# %s\r\n", first ? "" : "\r\n", SECTIONS[i].title);
        first = false;
        if (SECTIONS[i].put != NULL) {
            SECTIONS[i].put(clients, face, out);
        } else {
            put_keyspace(clients, face, counts, out);
        }
    }
}
