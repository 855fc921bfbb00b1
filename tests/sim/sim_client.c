#include "tests/sim/sim_client.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tests/sim/sim.h"

struct sim_client_events {
    unsigned index;
    struct sim_event wake, give_up;
};

enum { REPLIES_MAX = 64 << 20, MILLI = 1000000 };

static bool is_audit(const struct sim_client *client)
{
    return client->index >= CLIENTS_AUDIT;
}

static void connect(struct sim *sim, struct sim_client *client)
{
    unsigned nodes = sim->swarm.shape.nodes;
    client->node = is_audit(client) ? client->index - CLIENTS_AUDIT : client->index % nodes;
    if (!is_audit(client) && (!sim->swarm.locality || prng_chance(&sim->prng, 4))) {
        client->node = (unsigned)prng_below(&sim->prng, nodes);
    }
    client->face = FACE_PLAIN;
    if (!is_audit(client) && percent(&sim->prng, sim->swarm.cluster_face_percent)) {
        client->face = FACE_CLUSTER;
    }
    client->resp3 = percent(&sim->prng, sim->swarm.resp3_percent);
    client->connecting = true;
    resp_client_clear(&client->parser);
    client->conn = net_connect(sim, client->index, client->node, client->face);
}

void client_wake(struct sim *sim, unsigned index, uint64_t delay_ns)
{
    sim_after(sim, &sim->clients.items[index].events->wake, delay_ns);
}

bool client_is_waking(const struct sim *sim, unsigned index)
{
    return sim_is_pending(&sim->clients.items[index].events->wake);
}

static void wake_run(struct sim *sim, struct sim_event *event)
{
    unsigned index = CONTAINER_OF(event, struct sim_client_events, wake)->index;
    struct sim_client *client = &sim->clients.items[index];
    if (client->open) {
        workload_on_wake(sim, client);
    } else if (!client->connecting && (is_audit(client) || !sim->healed)) {
        connect(sim, client);
    }
}

/* Watch over the oldest command in flight. */
static void watch(struct sim *sim, struct sim_client *client)
{
    if (client->count == 0) {
        sim_cancel(sim, &client->events->give_up);
        return;
    }
    uint64_t wait_ns = (uint64_t)CLIENT_WAIT_MAX_MS * MILLI;
    if (!sim->healed) {
        wait_ns = around(&sim->prng, 4 * (uint64_t)sim->swarm.request_timeout_ms * MILLI);
    }
    sim_after(sim, &client->events->give_up, wait_ns);
}

static void give_up_run(struct sim *sim, struct sim_event *event)
{
    unsigned index = CONTAINER_OF(event, struct sim_client_events, give_up)->index;
    struct sim_client *client = &sim->clients.items[index];
    if (!sim->healed) {
        sim_mark(sim, MARK_CLIENT_TIMEOUT);
        client_drop(sim, index);
        return;
    }
    uint64_t waited_ms = (sim->now_ns - client->commands[client->first].sent_ns) / MILLI;
    if (waited_ms < CLIENT_WAIT_MAX_MS) { /* It was sent before healing. */
        sim_after(sim, event, (CLIENT_WAIT_MAX_MS - waited_ms) * MILLI);
        return;
    }
    sim_fail(sim, CHECK_LIVENESS, "client %u: no reply from n%u for %" PRIu64 " ms, %u in flight",
             index, client->node + 1, waited_ms, client->count);
}

void client_send(struct sim *sim, struct sim_client *client, const struct command *command,
                 const struct bytes *args, size_t args_count)
{
    ASSERT(client->open);
    ASSERT(client->count < COMMANDS_MAX);
    struct command *added = &client->commands[(client->first + client->count) % COMMANDS_MAX];
    *added = *command;
    added->sent_ns = sim->now_ns;
    client->count++;
    if (client->count == 1) {
        watch(sim, client);
    } else {
        sim_mark(sim, MARK_PIPELINED);
    }
    buf_clear(&sim->clients.out);
    resp_client_command(&sim->clients.out, args, args_count);
    net_send(sim, client->conn, buf_bytes(&sim->clients.out));
}

static void send_setup(struct sim *sim, struct sim_client *client)
{
    struct command command = {.kind = COMMAND_SETUP};
    if (client->resp3) {
        struct bytes hello[] = {BYTES_LITERAL("HELLO"), BYTES_LITERAL("3")};
        client_send(sim, client, &command, hello, ARRAY_COUNT(hello));
    }
    if (sim->swarm.database != 0) {
        char number[12];
        (void)snprintf(number, sizeof(number), "%u", sim->swarm.database);
        struct bytes select[] = {BYTES_LITERAL("SELECT"), bytes_of(number)};
        client_send(sim, client, &command, select, ARRAY_COUNT(select));
    }
}

void client_on_open(struct sim *sim, unsigned index, uint64_t conn)
{
    struct sim_client *client = &sim->clients.items[index];
    ASSERT(client->connecting);
    ASSERT(client->conn == conn);
    client->connecting = false;
    client->open = true;
    send_setup(sim, client);
    client_wake(sim, index, 0);
}

static void take_reply(struct sim *sim, struct sim_client *client, const struct resp_value *reply)
{
    if (client->count == 0) {
        sim_fail(sim, CHECK_REPLY, "client %u: n%u sent a reply to no command: %.*s", client->index,
                 client->node + 1, (int)MIN(reply->text.size, (size_t)80),
                 reply->text.size > 0 ? (const char *)reply->text.data : "");
        return;
    }
    struct command command = client->commands[client->first];
    client->first = (client->first + 1) % COMMANDS_MAX;
    client->count--;
    client->done++;
    watch(sim, client);
    workload_on_reply(sim, client, &command, reply);
}

void client_on_bytes(struct sim *sim, unsigned index, uint64_t conn, struct bytes bytes)
{
    struct sim_client *client = &sim->clients.items[index];
    ASSERT(client->open);
    ASSERT(client->conn == conn);
    enum err err = resp_client_feed(&client->parser, bytes);
    while (err == OK && client->open && client->conn == conn && sim->failed == CHECK_NONE) {
        struct resp_value reply;
        arena_reset(&client->arena);
        err = resp_client_next(&client->parser, &client->arena, &reply);
        if (err == OK) {
            take_reply(sim, client, &reply);
        }
    }
    if (err != OK && err != ERR_INCOMPLETE) {
        sim_fail(sim, CHECK_REPLY, "client %u: n%u sent bytes that are no RESP: %s", index,
                 client->node + 1, err_text(err));
    }
}

/* The outcome of everything in flight stays unknown, as it was from the start. */
static void forget(struct sim *sim, struct sim_client *client)
{
    client->open = client->connecting = false;
    client->first = client->count = 0;
    watch(sim, client);
    client_wake(sim, client->index, around(&sim->prng, 20 * MILLI));
}

void client_on_closed(struct sim *sim, unsigned index, uint64_t conn)
{
    struct sim_client *client = &sim->clients.items[index];
    ASSERT(client->conn == conn);
    if (client->open) {
        sim_mark(sim, MARK_CLIENT_LOST);
    }
    forget(sim, client);
}

void client_drop(struct sim *sim, unsigned index)
{
    struct sim_client *client = &sim->clients.items[index];
    if (client->open) {
        if (client->count > 0) {
            sim_mark(sim, MARK_CLIENT_DROP);
        }
        net_close(sim, client->conn);
        forget(sim, client);
    }
}

bool clients_busy(const struct sim *sim)
{
    for (unsigned i = 0; i < CLIENTS_MAX; i++) {
        if (sim->clients.items[i].count > 0) {
            return true;
        }
    }
    return false;
}

void clients_init(struct sim *sim)
{
    buf_init(&sim->clients.out, REPLIES_MAX);
    for (unsigned i = 0; i < CLIENTS_MAX; i++) {
        struct sim_client *client = &sim->clients.items[i];
        memset(client, 0, sizeof(*client));
        client->index = i;
        resp_client_init(&client->parser, REPLIES_MAX);
        arena_init(&client->arena, 1024);
        client->events = mem_alloc_zero(1, sizeof(*client->events));
        *client->events = (struct sim_client_events){
            .index = i, .wake.run = wake_run, .give_up.run = give_up_run};
    }
}

void clients_release(struct sim *sim)
{
    for (unsigned i = 0; i < CLIENTS_MAX; i++) {
        struct sim_client *client = &sim->clients.items[i];
        sim_cancel(sim, &client->events->wake);
        sim_cancel(sim, &client->events->give_up);
        resp_client_release(&client->parser);
        arena_release(&client->arena);
        mem_free(client->events);
    }
    buf_release(&sim->clients.out);
}

void clients_begin(struct sim *sim)
{
    for (unsigned i = 0; i < sim->swarm.clients_count; i++) {
        client_wake(sim, i, prng_below(&sim->prng, 100 * MILLI));
    }
}
