#include "tests/sim/sim_conn.h"

#include <stdio.h>
#include <string.h>

static void open_run(struct sim *sim, struct sim_conn *conn, unsigned end)
{
    struct sim_end *at = &conn->ends[end];
    ASSERT(at->opening);
    if (end_put_off(sim, at, &at->open_event)) {
        return;
    }
    at->opening = false;
    at->open = true;
    if (at->is_client) {
        client_on_open(sim, at->index, at->id);
    } else {
        bool peer = !conn->ends[0].is_client;
        char address[32];
        (void)snprintf(address, sizeof(address), "10.%u.0.%u:%u", peer ? 0U : 1U,
                       conn->ends[1 - end].index + 1, 1024 + (unsigned)(at->id % 60000));
        struct event event = {.type = peer ? EVENT_PEER_OPEN : EVENT_CLIENT_OPEN,
                              .id = at->id,
                              .member = at->member,
                              .face = at->face,
                              .address = address};
        node_deliver(sim, at->index, &event);
    }
    if (at->open) {
        stream_kick(sim, conn, 1 - end);
    }
}

static void open_run_0(struct sim *sim, struct sim_event *event)
{
    open_run(sim, CONTAINER_OF(event, struct sim_conn, ends[0].open_event), 0);
}

static void open_run_1(struct sim *sim, struct sim_event *event)
{
    open_run(sim, CONTAINER_OF(event, struct sim_conn, ends[1].open_event), 1);
}

static struct sim_conn *conn_new(struct sim *sim)
{
    struct sim_conn *conn = mem_alloc_zero(1, sizeof(*conn));
    for (unsigned i = 0; i < 2; i++) {
        struct sim_end *end = &conn->ends[i];
        end->id = ++sim->next_id;
        end->member = MEMBER_NONE;
        end->opening = true;
        end->open_event.run = i == 0 ? open_run_0 : open_run_1;
        stream_init(conn, i);
        (void)map_set(&sim->net.ends, end->id, conn);
    }
    list_push_back(&sim->net.conns, &conn->link);
    return conn;
}

uint64_t net_connect(struct sim *sim, unsigned client, unsigned node, enum face face)
{
    struct sim_conn *conn = conn_new(sim);
    conn->ends[0].is_client = true;
    conn->ends[0].index = client;
    conn->ends[1].index = node;
    conn->ends[1].face = face;
    if (!node_is_up(sim, node)) { /* Refused: the client is told, nobody else was there. */
        end_close(sim, conn, 1);
        end_notice(sim, conn, 0, conn_latency(sim, conn));
        return conn->ends[0].id;
    }
    sim_after(sim, &conn->ends[1].open_event, conn_latency(sim, conn));
    sim_after(sim, &conn->ends[0].open_event, conn_latency(sim, conn));
    return conn->ends[0].id;
}

static void dial_free(struct sim *sim, struct sim_dial *dial)
{
    sim_cancel(sim, &dial->event);
    list_remove(&dial->link);
    mem_free(dial);
}

static void dial_run(struct sim *sim, struct sim_event *event)
{
    struct sim_dial *dial = CONTAINER_OF(event, struct sim_dial, event);
    unsigned from = dial->from, to = dial->to;
    if (!node_is_up(sim, from) || sim->nodes[from].boots != dial->boots) {
        dial_free(sim, dial);
        return;
    }
    uint64_t ready = node_ready_ns(sim, from);
    if (ready > sim->now_ns) {
        sim_at(sim, &dial->event, ready);
        return;
    }
    bool refused = to == NO_NODE || !node_is_up(sim, to);
    if (!refused && !dial->fails && (sim->net.blocked[from][to] || sim->net.blocked[to][from])) {
        dial->fails = true; /* No answer: time out. */
        sim_after(sim, &dial->event, around(&sim->prng, 2 * sim->swarm.outage_ns));
        return;
    }
    uint16_t member = dial->member;
    bool fails = dial->fails;
    dial_free(sim, dial);
    if (refused || fails) {
        sim_mark(sim, refused ? MARK_DIAL_REFUSED : MARK_DIAL_TIMEOUT);
        struct event failed = {.type = EVENT_PEER_FAILED, .member = member};
        node_deliver(sim, from, &failed);
        return;
    }
    struct sim_conn *conn = conn_new(sim);
    conn->ends[0].index = from;
    conn->ends[0].member = member;
    conn->ends[1].index = to;
    sim_after(sim, &conn->ends[0].open_event, 0);
    sim_after(sim, &conn->ends[1].open_event, conn_latency(sim, conn));
}

void net_dial(struct sim *sim, unsigned from, uint16_t member, const char *address)
{
    struct sim_dial *dial = mem_alloc_zero(1, sizeof(*dial));
    *dial = (struct sim_dial){
        .event.run = dial_run,
        .from = from,
        .to = NO_NODE,
        .boots = sim->nodes[from].boots,
        .member = member,
    };
    for (unsigned i = 0; i < sim->swarm.shape.nodes; i++) {
        if (strcmp(sim->nodes[i].address, address) == 0) {
            dial->to = i;
        }
    }
    list_push_back(&sim->net.dials, &dial->link);
    sim_after(sim, &dial->event,
              delay_draw(&sim->swarm.net, &sim->prng) + delay_draw(&sim->swarm.net, &sim->prng));
}

void net_send(struct sim *sim, uint64_t id, struct bytes bytes)
{
    unsigned end = 0;
    struct sim_conn *conn = conn_of(sim, id, &end);
    if (conn == NULL || bytes.size == 0) {
        return;
    }
    struct sim_end *to = &conn->ends[1 - end];
    if (!to->open && !to->opening) { /* Nobody is there: a reset comes back. */
        if (!conn->silent && !sim_is_pending(&conn->ends[end].gone)) {
            end_notice(sim, conn, end, conn_latency(sim, conn));
        }
        return;
    }
    if (conn->streams[end].swallow) {
        return;
    }
    buf_put_bytes(&conn->streams[end].bytes, bytes);
    stream_kick(sim, conn, end);
    stream_measure(sim, conn, end);
}

void net_close(struct sim *sim, uint64_t id)
{
    unsigned end = 0;
    struct sim_conn *conn = conn_of(sim, id, &end);
    if (conn == NULL) {
        return;
    }
    end_close(sim, conn, end);
    struct sim_end *other = &conn->ends[1 - end];
    if (other->open || other->opening) { /* What was sent before still arrives, then the end. */
        conn->streams[end].end = true;
        stream_kick(sim, conn, end);
    }
}

void net_pause(struct sim *sim, uint64_t id, bool on)
{
    unsigned end = 0;
    struct sim_conn *conn = conn_of(sim, id, &end);
    if (conn != NULL && conn->ends[end].paused != on) {
        conn->ends[end].paused = on;
        stream_kick(sim, conn, 1 - end);
    }
}

void net_init(struct sim_net *net)
{
    memset(net, 0, sizeof(*net));
    map_init(&net->ends);
    list_init(&net->conns);
    list_init(&net->dials);
}

void net_release(struct sim *sim)
{
    LIST_FOR_SAFE (item, after, &sim->net.dials) {
        dial_free(sim, CONTAINER_OF(item, struct sim_dial, link));
    }
    LIST_FOR_SAFE (item, after, &sim->net.conns) {
        struct sim_conn *conn = CONTAINER_OF(item, struct sim_conn, link);
        for (unsigned i = 0; i < 2; i++) {
            sim_cancel(sim, &conn->ends[i].open_event);
            sim_cancel(sim, &conn->ends[i].gone);
            sim_cancel(sim, &conn->ends[i].unblock);
            sim_cancel(sim, &conn->streams[i].deliver);
            sim_cancel(sim, &conn->streams[i].give_up);
            buf_release(&conn->streams[i].bytes);
        }
        list_remove(&conn->link);
        mem_free(conn);
    }
    map_release(&sim->net.ends);
}
