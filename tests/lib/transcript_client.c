/* tests/lib/transcript_client.c - clients of the story: one connection for each face of each node.
 */
#include "tests/lib/transcript_world.h"

static const char *client_name(struct world *world, unsigned index, unsigned face)
{
    return arena_printf(&world->step, "%s%s", world->nodes[index].name,
                        face == FACE_CLUSTER ? ":cluster" : "");
}

/* Which face the client `id` is at. */
static unsigned face_of(const struct world *world, unsigned index, uint64_t id)
{
    return world->nodes[index].clients[FACE_CLUSTER].id == id ? FACE_CLUSTER : FACE_PLAIN;
}

void world_client_bytes(struct world *world, unsigned index, uint64_t id, struct bytes bytes)
{
    unsigned face = face_of(world, index, id);
    struct world_client *client = &world->nodes[index].clients[face];
    struct resp_value reply;

    enum err err = resp_client_feed(&client->parser, bytes);
    while (err == OK && resp_client_next(&client->parser, &world->step, &reply) == OK) {
        client->waiting -= client->waiting > 0;
        tell_reply(world, client_name(world, index, face), &reply);
    }
    ASSERT(err == OK);
}

void world_client_closed(struct world *world, unsigned index, uint64_t id)
{
    unsigned face = face_of(world, index, id);
    struct world_client *client = &world->nodes[index].clients[face];

    if (client->open && client->waiting > 0) {
        tell(world, "%s > (closed)", client_name(world, index, face));
    }
    client->open = false;
    client->waiting = 0;
    resp_client_clear(&client->parser);
}

void world_command(struct world *world, unsigned index, enum face face, const struct bytes *args,
                   size_t count)
{
    struct world_node *node = &world->nodes[index];
    struct world_client *client = &node->clients[face];
    struct buf bytes, words;

    buf_init(&bytes, SIZE_MAX);
    buf_init(&words, SIZE_MAX);
    for (size_t i = 0; i < count; i++) {
        bool token = args[i].size >= 48;
        buf_printf(&words, " %.*s", token ? 9 : (int)args[i].size,
                   token ? "<context>" : (const char *)args[i].data);
    }
    tell(world, "%s <%.*s", client_name(world, index, face), (int)words.size, (char *)words.data);
    if (node->core == NULL) {
        tell(world, "%s > (refused)", client_name(world, index, face));
    } else {
        if (!client->open) {
            client->open = true;
            client->id = ++world->client_last;
            struct event open = {.type = EVENT_CLIENT_OPEN,
                                 .id = client->id,
                                 .face = face,
                                 .address = "10.0.1.1:50000"};
            world_deliver(world, index, &open);
        }
        client->waiting++;
        resp_client_command(&bytes, args, count);
        struct event event = {
            .type = EVENT_CLIENT_BYTES, .id = client->id, .bytes = buf_bytes(&bytes)};
        world_deliver(world, index, &event);
    }
    buf_release(&bytes);
    buf_release(&words);
}
