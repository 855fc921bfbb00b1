#include "tests/sim/sim_conn.h"

#include <string.h>

struct sim_conn *conn_of(struct sim *sim, uint64_t id, unsigned *end)
{
    struct sim_conn *conn = map_get(&sim->net.ends, id);
    if (conn != NULL) {
        *end = conn->ends[1].id == id;
        ASSERT(conn->ends[*end].id == id);
    }
    return conn;
}

bool conn_is_blocked(const struct sim *sim, const struct sim_conn *conn, unsigned from)
{
    const struct sim_end *a = &conn->ends[from], *b = &conn->ends[1 - from];
    if (a->is_client || b->is_client) {
        return false; /* Clients sit beside the node they talk to. */
    }
    return sim->net.blocked[a->index][b->index];
}

uint64_t conn_latency(struct sim *sim, const struct sim_conn *conn)
{
    bool client = conn->ends[0].is_client;
    uint64_t at = delay_draw(client ? &sim->swarm.client_net : &sim->swarm.net, &sim->prng);
    bool slow = sim->now_ns < sim->net.slow_until_ns;
    return MIN(slow ? at * sim->net.slow_factor : at, DELAY_MAX_NS);
}

size_t stream_left(const struct sim_stream *stream)
{
    return stream->bytes.size - stream->head;
}

void stream_kick(struct sim *sim, struct sim_conn *conn, unsigned from)
{
    struct sim_stream *stream = &conn->streams[from];
    if (!sim_is_pending(&stream->deliver) && (stream_left(stream) > 0 || stream->end)) {
        sim_after(sim, &stream->deliver, conn_latency(sim, conn));
    }
}

static void stream_drop(struct sim_stream *stream)
{
    stream->head = 0;
    buf_release(&stream->bytes);
}

void stream_cut(struct sim *sim, struct sim_stream *stream)
{
    size_t left = stream_left(stream);
    if (left > 0) {
        size_t kept = (size_t)prng_below(&sim->prng, left + 1);
        stream->bytes.size = stream->head + kept;
        if (kept > 0 && kept < left) {
            sim_mark(sim, MARK_STREAM_CUT);
        }
    }
    stream->swallow = true;
}

void end_close(struct sim *sim, struct sim_conn *conn, unsigned end)
{
    struct sim_end *at = &conn->ends[end];
    ASSERT(at->open || at->opening);
    at->open = at->opening = false;
    (void)map_remove(&sim->net.ends, at->id);
    sim_cancel(sim, &at->open_event);
    sim_cancel(sim, &at->gone);
    sim_cancel(sim, &at->unblock);
    stream_drop(&conn->streams[1 - end]); /* Nobody reads it any more. */
    sim_cancel(sim, &conn->streams[1 - end].deliver);
    sim_cancel(sim, &conn->streams[1 - end].give_up);
}

/* The end learns that its connection is lost. */
static void end_gone(struct sim *sim, struct sim_conn *conn, unsigned end)
{
    struct sim_end *at = &conn->ends[end];
    bool was_open = at->open;
    end_close(sim, conn, end);
    if (at->is_client) {
        client_on_closed(sim, at->index, at->id);
    } else if (was_open) {
        bool peer = !conn->ends[0].is_client;
        struct event event = {.type = peer ? EVENT_PEER_CLOSED : EVENT_CLIENT_CLOSED, .id = at->id};
        node_deliver(sim, at->index, &event);
    } else if (end == 0) { /* The dial had succeeded, but nobody was told. */
        struct event event = {.type = EVENT_PEER_FAILED, .member = at->member};
        node_deliver(sim, at->index, &event);
    }
}

bool end_put_off(struct sim *sim, const struct sim_end *end, struct sim_event *event)
{
    if (end->is_client) {
        return false;
    }
    uint64_t ready = node_ready_ns(sim, end->index);
    if (ready <= sim->now_ns) {
        return false;
    }
    sim_at(sim, event, ready);
    return true;
}

static void gone_run(struct sim *sim, struct sim_conn *conn, unsigned end)
{
    if (!end_put_off(sim, &conn->ends[end], &conn->ends[end].gone)) {
        end_gone(sim, conn, end);
    }
}

static void gone_run_0(struct sim *sim, struct sim_event *event)
{
    gone_run(sim, CONTAINER_OF(event, struct sim_conn, ends[0].gone), 0);
}

static void gone_run_1(struct sim *sim, struct sim_event *event)
{
    gone_run(sim, CONTAINER_OF(event, struct sim_conn, ends[1].gone), 1);
}

void end_notice(struct sim *sim, struct sim_conn *conn, unsigned end, uint64_t delay_ns)
{
    struct sim_end *at = &conn->ends[end];
    if ((at->open || at->opening) &&
        (!sim_is_pending(&at->gone) || at->gone.item.key > sim->now_ns + delay_ns)) {
        sim_after(sim, &at->gone, delay_ns);
    }
}

static void unblock_run(struct sim *sim, struct sim_conn *conn, unsigned end)
{
    struct sim_end *at = &conn->ends[end];
    bool full = stream_left(&conn->streams[end]) > sim->swarm.peer_queue_max_bytes;
    if (at->open && at->blocked != full && !end_put_off(sim, at, &at->unblock)) {
        at->blocked = full;
        sim_mark(sim, MARK_PEER_BLOCKED);
        struct event event = {.type = EVENT_PEER_BLOCKED, .id = at->id, .on = full};
        node_deliver(sim, at->index, &event);
    }
}

static void unblock_run_0(struct sim *sim, struct sim_event *event)
{
    unblock_run(sim, CONTAINER_OF(event, struct sim_conn, ends[0].unblock), 0);
}

static void unblock_run_1(struct sim *sim, struct sim_event *event)
{
    unblock_run(sim, CONTAINER_OF(event, struct sim_conn, ends[1].unblock), 1);
}

void stream_measure(struct sim *sim, struct sim_conn *conn, unsigned from)
{
    struct sim_end *sender = &conn->ends[from];
    size_t left = stream_left(&conn->streams[from]);
    uint64_t bound = sim->swarm.peer_queue_max_bytes;
    bool tell = sender->blocked ? left < bound / 2 : left > bound;
    if (!conn->ends[0].is_client && sender->open && tell && !sim_is_pending(&sender->unblock)) {
        sim_after(sim, &sender->unblock, 0);
    }
}

static void give_up_run(struct sim *sim, struct sim_conn *conn, unsigned from)
{
    if (conn_is_blocked(sim, conn, from)) {
        sim_mark(sim, MARK_STALLED_LOST);
        conn->streams[0].swallow = conn->streams[1].swallow = true;
        end_notice(sim, conn, from, 0);
        end_notice(sim, conn, 1 - from, around(&sim->prng, 4 * sim->swarm.outage_ns));
    }
}

static void give_up_run_0(struct sim *sim, struct sim_event *event)
{
    give_up_run(sim, CONTAINER_OF(event, struct sim_conn, streams[0].give_up), 0);
}

static void give_up_run_1(struct sim *sim, struct sim_event *event)
{
    give_up_run(sim, CONTAINER_OF(event, struct sim_conn, streams[1].give_up), 1);
}

static void hand_over(struct sim *sim, struct sim_conn *conn, unsigned from, struct bytes bytes)
{
    struct sim_end *to = &conn->ends[1 - from];
    if (to->is_client) {
        client_on_bytes(sim, to->index, to->id, bytes);
        return;
    }
    bool peer = !conn->ends[0].is_client;
    struct event event = {
        .type = peer ? EVENT_PEER_BYTES : EVENT_CLIENT_BYTES, .id = to->id, .bytes = bytes};
    node_deliver(sim, to->index, &event);
}

/* Return true when nothing can be delivered now. Who ends the hindrance kicks the stream. */
static bool stream_waits(struct sim *sim, struct sim_conn *conn, unsigned from)
{
    struct sim_stream *stream = &conn->streams[from];
    struct sim_end *to = &conn->ends[1 - from];
    if (conn_is_blocked(sim, conn, from)) {
        if (!sim_is_pending(&stream->give_up)) {
            sim_after(sim, &stream->give_up, around(&sim->prng, 2 * sim->swarm.outage_ns));
        }
        return true;
    }
    if (to->opening || to->paused || end_put_off(sim, to, &stream->deliver)) {
        return true;
    }
    if (stream->stalled_until_ns > sim->now_ns) {
        sim_at(sim, &stream->deliver, stream->stalled_until_ns);
        return true;
    }
    return false;
}

static void deliver_run(struct sim *sim, struct sim_conn *conn, unsigned from)
{
    struct sim_stream *stream = &conn->streams[from];
    if (stream_waits(sim, conn, from)) {
        return;
    }
    ASSERT(conn->ends[1 - from].open);
    size_t size = stream_left(stream);
    if (size == 0) {
        if (stream->end) {
            end_gone(sim, conn, 1 - from);
        }
        return;
    }
    if (prng_chance(&sim->prng, sim->swarm.split_one_in)) {
        size = 1 + (size_t)prng_below(&sim->prng, size);
        sim_mark(sim, MARK_STREAM_SPLIT);
    }
    hand_over(sim, conn, from, (struct bytes){stream->bytes.data + stream->head, size});
    if (!conn->ends[1 - from].open) {
        return; /* The receiver closed or died over it. */
    }
    stream->head += size;
    if (stream_left(stream) == 0) {
        stream->head = 0;
        buf_clear(&stream->bytes);
    }
    stream_measure(sim, conn, from);
    stream_kick(sim, conn, from);
}

static void deliver_run_0(struct sim *sim, struct sim_event *event)
{
    deliver_run(sim, CONTAINER_OF(event, struct sim_conn, streams[0].deliver), 0);
}

static void deliver_run_1(struct sim *sim, struct sim_event *event)
{
    deliver_run(sim, CONTAINER_OF(event, struct sim_conn, streams[1].deliver), 1);
}

void stream_init(struct sim_conn *conn, unsigned from)
{
    struct sim_end *end = &conn->ends[from];
    struct sim_stream *stream = &conn->streams[from];
    end->gone.run = from == 0 ? gone_run_0 : gone_run_1;
    end->unblock.run = from == 0 ? unblock_run_0 : unblock_run_1;
    stream->deliver.run = from == 0 ? deliver_run_0 : deliver_run_1;
    stream->give_up.run = from == 0 ? give_up_run_0 : give_up_run_1;
    buf_init(&stream->bytes, STREAM_BYTES_MAX);
}
