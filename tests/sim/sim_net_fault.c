#include "tests/sim/sim_conn.h"

void net_node_gone(struct sim *sim, unsigned node, bool silent)
{
    LIST_FOR (item, &sim->net.conns) {
        struct sim_conn *conn = CONTAINER_OF(item, struct sim_conn, link);
        for (unsigned i = 0; i < 2; i++) {
            struct sim_end *end = &conn->ends[i], *other = &conn->ends[1 - i];
            if (end->is_client || end->index != node || (!end->open && !end->opening)) {
                continue;
            }
            end_close(sim, conn, i);
            if (!other->open && !other->opening) {
                continue;
            }
            if (silent || prng_chance(&sim->prng, 3)) {
                stream_cut(sim, &conn->streams[i]);
            }
            conn->silent = silent;
            if (silent) { /* Nothing says so: a time-out of its own will. */
                end_notice(sim, conn, 1 - i, around(&sim->prng, 2 * sim->swarm.outage_ns));
            } else {
                conn->streams[i].end = true;
                stream_kick(sim, conn, i);
            }
        }
    }
}

void net_block(struct sim *sim, unsigned from, unsigned to, bool on)
{
    ASSERT(from != to);
    sim->net.blocked[from][to] = on;
    if (on) {
        return;
    }
    LIST_FOR (item, &sim->net.conns) {
        struct sim_conn *conn = CONTAINER_OF(item, struct sim_conn, link);
        for (unsigned i = 0; i < 2; i++) {
            struct sim_end *end = &conn->ends[1 - i];
            if (!conn->ends[0].is_client && conn->ends[i].index == from && end->index == to &&
                (end->open || end->opening)) {
                sim_cancel(sim, &conn->streams[i].give_up);
                stream_kick(sim, conn, i);
            }
        }
    }
}

void net_heal(struct sim *sim)
{
    unsigned nodes = sim->swarm.shape.nodes;
    for (unsigned a = 0; a < nodes; a++) {
        for (unsigned b = 0; b < nodes; b++) {
            if (sim->net.blocked[a][b]) {
                net_block(sim, a, b, false);
            }
        }
    }
    sim->net.slow_until_ns = 0;
}

void net_settle(struct sim *sim)
{
    enum { NOTICE_MAX_NS = 1000 * 1000 * 1000, SOON_NS = 10 * 1000 * 1000 };
    LIST_FOR (item, &sim->net.conns) {
        struct sim_conn *conn = CONTAINER_OF(item, struct sim_conn, link);
        for (unsigned i = 0; i < 2; i++) {
            const struct sim_end *other = &conn->ends[1 - i];
            bool lost = !other->open && !other->opening;
            struct sim_event *deliver = &conn->streams[i].deliver;
            conn->streams[i].stalled_until_ns = 0;
            if (sim_is_pending(deliver)) { /* What has been on its way for long arrives now. */
                sim_after(sim, deliver, prng_below(&sim->prng, SOON_NS));
            }
            if (lost || conn->streams[0].swallow || conn->streams[1].swallow) {
                end_notice(sim, conn, i, prng_below(&sim->prng, NOTICE_MAX_NS));
            }
        }
    }
}

/* Any connection between nodes with both ends open, or NULL. */
static struct sim_conn *conn_pick(struct sim *sim)
{
    struct sim_conn *picked = NULL;
    unsigned seen = 0;
    LIST_FOR (item, &sim->net.conns) {
        struct sim_conn *conn = CONTAINER_OF(item, struct sim_conn, link);
        bool whole = !conn->ends[0].is_client && conn->ends[0].open && conn->ends[1].open;
        if (whole && prng_below(&sim->prng, ++seen) == 0) {
            picked = conn;
        }
    }
    return picked;
}

void net_reset_one(struct sim *sim)
{
    struct sim_conn *conn = conn_pick(sim);
    if (conn == NULL) {
        return;
    }
    sim_mark(sim, MARK_RESET);
    for (unsigned i = 0; i < 2; i++) {
        stream_cut(sim, &conn->streams[i]);
        end_notice(sim, conn, i, prng_below(&sim->prng, 4 * sim->swarm.net.high));
    }
}

void net_half_open_one(struct sim *sim)
{
    struct sim_conn *conn = conn_pick(sim);
    if (conn == NULL) {
        return;
    }
    sim_mark(sim, MARK_HALF_OPEN);
    unsigned first = (unsigned)prng_below(&sim->prng, 2);
    conn->silent = true;
    for (unsigned i = 0; i < 2; i++) {
        stream_cut(sim, &conn->streams[i]);
    }
    end_notice(sim, conn, first, 0);
    end_notice(sim, conn, 1 - first, around(&sim->prng, 2 * sim->swarm.outage_ns));
}

void net_stall_one(struct sim *sim, uint64_t until_ns)
{
    struct sim_conn *conn = conn_pick(sim);
    if (conn != NULL) {
        sim_mark(sim, MARK_STREAM_STALL);
        conn->streams[prng_below(&sim->prng, 2)].stalled_until_ns = until_ns;
    }
}

bool net_clients_quiet(const struct sim *sim)
{
    LIST_FOR (item, &sim->net.conns) {
        const struct sim_conn *conn = CONTAINER_OF(item, struct sim_conn, link);
        const struct sim_end *node = &conn->ends[1];
        if (conn->ends[0].is_client && (node->open || node->opening) &&
            stream_left(&conn->streams[0]) > 0) {
            return false;
        }
    }
    return true;
}
