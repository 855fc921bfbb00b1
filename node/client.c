/* node/client.c - one struct client per connection; map by id. */
#include "node/client.h"

#include <string.h>

struct client {
    struct stream stream;
    struct client_set *set;
    uint64_t id;
    bool is_paused;      /* By the core. */
    bool is_overflowing; /* Too many unread replies: paused here. */
    char address[64];
};

static struct client *client_of(struct stream *stream)
{
    return CONTAINER_OF(stream, struct client, stream);
}

static void client_read(struct client *client)
{
    stream_read(&client->stream, !client->is_paused && !client->is_overflowing);
}

static void on_bytes(struct stream *stream, struct bytes bytes)
{
    struct client *client = client_of(stream);
    struct event event = {.type = EVENT_CLIENT_BYTES, .id = client->id, .bytes = bytes};
    loop_event(stream->loop, &event);
}

static void on_broken(struct stream *stream, const char *reason)
{
    struct client *client = client_of(stream);
    log_line(client->set->log, LOG_DEBUG, "client %s: %s", client->address, reason);
    (void)map_remove(&client->set->clients, client->id);
    struct event event = {.type = EVENT_CLIENT_CLOSED, .id = client->id};
    loop_event(stream->loop, &event);
    stream_close(stream);
}

static void on_drained(struct stream *stream)
{
    struct client *client = client_of(stream);
    if (client->is_overflowing &&
        stream_pending(stream) < client->set->options->client_pause_bytes / 2) {
        client->is_overflowing = false;
        client_read(client);
    }
}

static void on_released(struct stream *stream)
{
    struct client *client = client_of(stream);
    ASSERT(client->set->open_count > 0);
    client->set->open_count--;
    mem_free(client);
}

static const struct stream_owner STREAM_OWNER = {on_bytes, on_broken, on_drained, on_released};

static void on_accept(uv_stream_t *handle, int status)
{
    struct client_set *set = handle->data;
    if (status != 0) {
        log_line(set->log, LOG_ERROR, "a client could not be accepted: %s", uv_strerror(status));
        return;
    }
    enum face face =
        handle == (uv_stream_t *)&set->listeners[FACE_PLAIN].tcp ? FACE_PLAIN : FACE_CLUSTER;
    struct client *client = mem_alloc_zero(1, sizeof(*client));
    client->set = set;
    client->id = set->id_next++;
    stream_init(&client->stream, set->loop, &STREAM_OWNER, set->options->client_output_max_bytes);
    set->open_count++;
    int result = uv_accept(handle, (uv_stream_t *)&client->stream.tcp);
    if (result != 0 || set->open_count > set->open_max) {
        log_line(set->log, LOG_ERROR, "a client was turned away: %s",
                 result != 0 ? uv_strerror(result)
                             : "there is no room for more connections (max-clients, ulimit -n)");
        stream_close(&client->stream);
        return;
    }
    stream_address(&client->stream, client->address);
    (void)map_set(&set->clients, client->id, client);
    stream_start(&client->stream);
    struct event event = {
        .type = EVENT_CLIENT_OPEN, .id = client->id, .face = face, .address = client->address};
    loop_event(set->loop, &event);
}

void client_set_init(struct client_set *set, struct loop *loop, struct log *log,
                     const struct options *options, unsigned open_max)
{
    memset(set, 0, sizeof(*set));
    set->loop = loop;
    set->log = log;
    set->options = options;
    set->open_max = open_max;
    set->id_next = 1;
    map_init(&set->clients);
}

enum err client_set_listen(struct client_set *set)
{
    const char *const keys[] = {"client-listen", "cluster-listen"};
    const char *const addresses[] = {set->options->client_listen, set->options->cluster_listen};
    for (int face = FACE_PLAIN; face <= FACE_CLUSTER; face++) {
        if (addresses[face][0] == '\0') {
            continue;
        }
        struct client_listener *listener = &set->listeners[face];
        uv_tcp_init(&set->loop->uv, &listener->tcp);
        listener->is_open = true;
        listener->tcp.data = set;
        int result = loop_listen(set->loop, &listener->tcp, addresses[face], on_accept);
        if (result != 0) {
            log_line(set->log, LOG_ERROR, "%s %s cannot be opened: %s", keys[face], addresses[face],
                     uv_strerror(result));
            return ERR_IO;
        }
    }
    return OK;
}

void client_set_send(struct client_set *set, uint64_t id, struct bytes bytes)
{
    struct client *client = map_get(&set->clients, id);
    if (client == NULL) {
        return;
    }
    if (stream_send(&client->stream, bytes) != OK) {
        log_line(set->log, LOG_WARNING,
                 "client %s closed: more than client-output-max-bytes of unread replies",
                 client->address);
        (void)map_remove(&set->clients, id);
        stream_close(&client->stream);
        loop_event_later(set->loop, EVENT_CLIENT_CLOSED, 1)->event.id = id;
        return;
    }
    if (!client->is_overflowing &&
        stream_pending(&client->stream) > set->options->client_pause_bytes) {
        client->is_overflowing = true;
        client_read(client);
    }
}

void client_set_end(struct client_set *set, uint64_t id)
{
    struct client *client = map_remove(&set->clients, id);
    if (client != NULL) {
        stream_end(&client->stream);
    }
}

void client_set_pause(struct client_set *set, uint64_t id, bool on)
{
    struct client *client = map_get(&set->clients, id);
    if (client != NULL) {
        client->is_paused = on;
        client_read(client);
    }
}

void client_set_unlisten(struct client_set *set)
{
    for (size_t i = 0; i < ARRAY_COUNT(set->listeners); i++) {
        if (set->listeners[i].is_open) {
            set->listeners[i].is_open = false;
            uv_close((uv_handle_t *)&set->listeners[i].tcp, NULL);
        }
    }
}

void client_set_close(struct client_set *set)
{
    client_set_unlisten(set);
    MAP_FOR (i, &set->clients) {
        struct client *client = set->clients.slots[i].value;
        stream_close(&client->stream);
    }
}

void client_set_release(struct client_set *set)
{
    ASSERT(set->open_count == 0);
    map_release(&set->clients);
}
