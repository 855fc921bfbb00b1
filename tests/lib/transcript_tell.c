/* tests/lib/transcript_tell.c - lines of the story, and what is not a message: replies and disks.
 */
#include "quorum/object.h"
#include "storage/memory.h"
#include "tests/lib/transcript_world.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ACTOR_DIGITS = 16, TOKEN_SIZE_MIN = 48, DAY_MS = 24 * 3600 * 1000 };

/* -- Actors: their member's name, with a mark for each time that it drew anew. */

const char *actor_words(struct world *world, uint64_t actor)
{
    unsigned member = (unsigned)(actor >> 44) - 1, drawn = 0;

    if (member >= world->nodes_count) {
        return "?";
    }
    for (unsigned i = 0; i < world->actors_count && world->actors[i] != actor; i++) {
        drawn += world->actors[i] >> 44 == actor >> 44;
    }
    return arena_printf(&world->step, "%s%.*s", world->nodes[member].name, (int)drawn, "''''''''");
}

/* The number at `text` if sixteen digits are there and it is an actor that we know. */
static bool actor_at(const struct world *world, const char *text, uint64_t *actor)
{
    char digits[ACTOR_DIGITS + 1] = {0};

    for (unsigned i = 0; i < ACTOR_DIGITS; i++) {
        if (!isxdigit((unsigned char)text[i])) {
            return false;
        }
        digits[i] = text[i];
    }
    *actor = strtoull(digits, NULL, 16);
    for (unsigned i = 0; i < world->actors_count; i++) {
        if (world->actors[i] == *actor) {
            return true;
        }
    }
    return false;
}

void note_actor(struct world *world, const char *text)
{
    const char *at = strstr(text, "actor ");
    uint64_t actor;

    if (at != NULL && !actor_at(world, at + 6, &actor)) {
        ASSERT(world->actors_count < WORLD_ACTORS_MAX);
        world->actors[world->actors_count++] = strtoull(at + 6, NULL, 16);
    }
}

/* -- Lines. */

void tell(struct world *world, const char *format, ...)
{
    char text[2048];
    va_list arguments;

    if (world->quiet) {
        return;
    }
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    buf_printf(world->out, "[%5llu] ",
               (unsigned long long)((world->now_ns - world->origin_ns) / MS));
    for (const char *at = text; *at != '\0';) {
        uint64_t actor;
        if (actor_at(world, at, &actor)) {
            buf_printf(world->out, "%s", actor_words(world, actor));
            at += ACTOR_DIGITS;
        } else {
            buf_put_u8(world->out, (uint8_t)*at++);
        }
    }
    buf_put_u8(world->out, '\n');
    arena_reset(&world->step);
}

int64_t world_since_ms(const struct world *world, int64_t wall_ms)
{
    return wall_ms - WORLD_WALL_START_MS - (int64_t)(world->origin_ns / MS);
}

/* -- Replies. */

static void reply_words(struct world *world, struct buf *out, const struct resp_value *reply)
{
    switch (reply->type) {
    case RESP_NIL:
        buf_printf(out, "(nil)");
        return;
    case RESP_INTEGER: {
        int64_t since = world_since_ms(world, reply->integer);
        if (since > -DAY_MS && since < DAY_MS) {
            buf_printf(out, "(time %lld)", (long long)since); /* Unix ms, as one reads it here. */
        } else {
            buf_printf(out, "%lld", (long long)reply->integer);
        }
        return;
    }
    case RESP_ERROR:
        buf_put_u8(out, '-');
        buf_put_bytes(out, reply->text);
        return;
    case RESP_SIMPLE:
        buf_put_bytes(out, reply->text);
        return;
    case RESP_BULK:
        if (reply->text.size >= TOKEN_SIZE_MIN &&
            memchr(reply->text.data, ' ', reply->text.size) == NULL) {
            world->context = arena_copy_bytes(&world->memory, reply->text);
            buf_printf(out, "<context>");
        } else {
            buf_printf(out, "\"%.*s\"", (int)reply->text.size, (char *)reply->text.data);
        }
        return;
    default:
        break;
    }
    buf_put_u8(out, '[');
    for (uint32_t i = 0; i < reply->items_count; i++) {
        buf_printf(out, i > 0 ? " " : "");
        reply_words(world, out, &reply->items[i]);
    }
    buf_put_u8(out, ']');
}

void tell_reply(struct world *world, const char *client, const struct resp_value *reply)
{
    struct buf words;

    buf_init(&words, SIZE_MAX);
    reply_words(world, &words, reply);
    tell(world, "%s > %.*s", client, (int)words.size, (char *)words.data);
    buf_release(&words);
}

/* -- Disks. */

struct disk_story {
    struct world *world;
    const char *name;
};

static void tell_record(void *context, struct bytes key, struct bytes value)
{
    const struct disk_story *story = context;
    struct world *world = story->world;
    struct object object;
    struct buf words;

    buf_init(&words, SIZE_MAX);
    if (object_decode(value, key, &world->step, &object) != OK) {
        buf_printf(&words, " what cannot be read");
    } else {
        for (uint32_t i = 0; i < object.versions_count; i++) {
            buf_printf(&words, i > 0 ? ";" : "");
            version_words(world, &words, &object.versions[i]);
        }
        if (object.residual_count > 0) {
            buf_printf(&words, "; known to be gone");
            dots_words(world, &words, object.residual, object.residual_count);
        }
    }
    tell(world, "%s has on disk: %s:%.*s", story->name, key_words(world, key), (int)words.size,
         (char *)words.data);
    buf_release(&words);
}

void tell_disks(struct world *world)
{
    for (unsigned i = 0; i < world->nodes_count; i++) {
        struct disk_story story = {world, world->nodes[i].name};
        const struct storage *storage = world->nodes[i].storage;
        memory_for_each(storage, STORAGE_DATA, tell_record, &story);
        if (memory_keys(storage, STORAGE_DATA) == 0) {
            tell(world, "%s has nothing on disk", story.name);
        }
        uint64_t segments = memory_keys(storage, STORAGE_LOG);
        if (segments > 0) {
            tell(world, "%s keeps %llu segment%s of its log", story.name,
                 (unsigned long long)segments, segments > 1 ? "s" : "");
        }
    }
}
