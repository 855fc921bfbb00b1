#include "tests/lib/transcript.h"

#include "storage/memory.h"
#include "tests/lib/transcript_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS_MAX = 64 };

static const uint64_t REPLY_MAX_MS = 20000, FORM_MAX_MS = 10000, REST_MS = 3000;

/* One line of the script, cut into words. */
struct line {
    const struct bytes *words;
    size_t count;
};

static bool line_is(const struct line *line, const char *verb, size_t count)
{
    return line->count == count && bytes_equal(line->words[0], bytes_of(verb));
}

static bool number_of(struct bytes word, int64_t least, int64_t most, int64_t *out)
{
    return bytes_to_i64(word, out) && *out >= least && *out <= most;
}

static bool node_of(const struct world *world, struct bytes word, unsigned *node)
{
    for (unsigned i = 0; i < world->nodes_count; i++) {
        if (bytes_equal(word, bytes_of(world->nodes[i].name))) {
            *node = i;
            return true;
        }
    }
    return false;
}

/* -- The first line. */

static bool set_option(struct options *options, struct bytes word)
{
    char text[128], *value;
    struct buf words;

    (void)snprintf(text, sizeof(text), "%.*s", (int)word.size, (const char *)word.data);
    value = strchr(text, '=');
    if (value == NULL) {
        return false;
    }
    *value++ = '\0';
    if (strcmp(text, "hedge-ms") == 0) { /* A limit of the house. */
        options->hedge_ms = (uint32_t)strtoul(value, NULL, 10);
        return true;
    }
    buf_init(&words, 8192);
    bool good = options_set(options, text, value, &words) == OK;
    buf_release(&words);
    return good;
}

static void init_node(struct world *world, unsigned index)
{
    struct world_node *node = &world->nodes[index];
    struct options_member *member = &world->options->members[index];

    (void)snprintf(node->name, sizeof(node->name), "n%u", index + 1);
    (void)snprintf(node->address, sizeof(node->address), "10.0.0.%u:8379", index + 1);
    (void)snprintf(node->secret, sizeof(node->secret), "the secret");
    node->storage = memory_new();
    node->deadline_ns = UINT64_MAX;
    node->sync_ns = 2 * MS;
    buf_init(&node->written, SIZE_MAX);
    for (unsigned face = 0; face < WORLD_FACES; face++) {
        resp_client_init(&node->clients[face].parser, SIZE_MAX);
    }
    for (unsigned other = 0; other < WORLD_NODES_MAX; other++) {
        world->delay_ns[index][other] = MS;
    }
    (void)snprintf(member->name, sizeof(member->name), "%s", node->name);
    (void)snprintf(member->address, sizeof(member->address), "%s", node->address);
    member->weight = 1;
}

static bool all_serve(const struct world *world)
{
    bool serve = true;

    for (unsigned i = 0; i < world->nodes_count; i++) {
        serve = serve && world->nodes[i].serving;
    }
    return serve;
}

/* Let the cluster form, and come to rest, before the story begins. */
static bool form(struct world *world)
{
    world->quiet = true;
    for (unsigned i = 0; i < world->nodes_count; i++) {
        world_start(world, i);
    }
    while (!all_serve(world) && world->now_ns < FORM_MAX_MS * MS) {
        world_step(world);
    }
    world_run(world, (world->now_ns / MS + REST_MS) * MS);
    world->quiet = false;
    world->origin_ns = world->now_ns;
    return all_serve(world);
}

static bool do_nodes(struct world *world, const struct line *line)
{
    struct options *options = world->options;
    int64_t count;
    bool down = false;

    if (world->nodes_count > 0 || line->count < 2 ||
        !number_of(line->words[1], 1, WORLD_NODES_MAX, &count)) {
        return false;
    }
    for (size_t i = 2; i < line->count; i++) {
        bool is_down = bytes_equal(line->words[i], bytes_of("down"));
        down = down || is_down;
        if (!is_down && !set_option(options, line->words[i])) {
            return false;
        }
    }
    world->nodes_count = options->members_count = (unsigned)count;
    for (unsigned i = 0; i < world->nodes_count; i++) {
        init_node(world, i);
    }
    return down || form(world);
}

/* -- Commands of clients. */

static const struct bytes *saved(const struct world *world, struct bytes name)
{
    for (unsigned i = 0; i < world->saved_count; i++) {
        if (bytes_equal(name, bytes_of(world->saved[i].name))) {
            return &world->saved[i].token;
        }
    }
    return NULL;
}

static bool do_save(struct world *world, const struct line *line)
{
    if (world->saved_count == WORLD_SAVED_MAX || world->context.size == 0 ||
        line->words[1].size >= sizeof(world->saved[0].name)) {
        return false;
    }
    (void)snprintf(world->saved[world->saved_count].name, sizeof(world->saved[0].name), "%.*s",
                   (int)line->words[1].size, (const char *)line->words[1].data);
    world->saved[world->saved_count++].token = world->context;
    return true;
}

/* n1 COMMAND [&], n1:cluster COMMAND [&] */
static bool do_command(struct world *world, const struct line *line)
{
    struct bytes suffix = BYTES_LITERAL(":cluster"), name = line->words[0], args[WORDS_MAX];
    enum face face = FACE_PLAIN;
    size_t count = line->count - 1;
    unsigned node;

    if (name.size > suffix.size &&
        bytes_equal((struct bytes){name.data + name.size - suffix.size, suffix.size}, suffix)) {
        name.size -= suffix.size;
        face = FACE_CLUSTER;
    }
    bool waits = !bytes_equal(line->words[line->count - 1], bytes_of("&"));
    count -= !waits;
    if (!node_of(world, name, &node) || count == 0 || count > WORDS_MAX) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        args[i] = line->words[i + 1];
        if (args[i].size > 1 && args[i].data[0] == '@') {
            const struct bytes *token =
                saved(world, (struct bytes){args[i].data + 1, args[i].size - 1});
            if (token == NULL) {
                return false;
            }
            args[i] = *token;
        }
    }
    uint64_t until_ns = world->now_ns + REPLY_MAX_MS * MS;
    world_command(world, node, face, args, count);
    while (waits && world->nodes[node].clients[face].waiting > 0 && world->now_ns < until_ns) {
        world_step(world);
    }
    return true;
}

/* -- Everything else. */

/* Verbs about one node. */
static bool do_node(struct world *world, const struct line *line, unsigned node)
{
    struct world_node *it = &world->nodes[node];
    struct event stop = {.type = EVENT_STOP};
    bool up = it->core != NULL;

    if (line_is(line, "start", 2) && !up) {
        tell(world, "%s starts", it->name);
        world_start(world, node);
        return true;
    }
    if (line_is(line, "stop", 2) && up) {
        world_deliver(world, node, &stop);
        return true;
    }
    bool kill = line_is(line, "kill", 2);
    if ((kill || line_is(line, "crash", 2)) && up) {
        tell(world, kill ? "%s is killed" : "%s loses power", it->name);
        world_end(world, node, !kill);
        return true;
    }
    if (line_is(line, "wipe", 2)) {
        tell(world, "%s loses power and its disk", it->name);
        if (up) {
            world_end(world, node, true);
        }
        memory_wipe(it->storage);
        return true;
    }
    return false;
}

/* Verbs that give a node a property. */
static bool do_property(struct world *world, const struct line *line, unsigned node)
{
    struct world_node *it = &world->nodes[node];
    int64_t value;

    if (line_is(line, "secret", 3) && line->words[2].size < sizeof(it->secret)) {
        (void)snprintf(it->secret, sizeof(it->secret), "%.*s", (int)line->words[2].size,
                       (const char *)line->words[2].data);
        return true;
    }
    if (line_is(line, "sync", 3) && number_of(line->words[2], 0, 100000, &value)) {
        tell(world, "a sync of %s takes %lld ms", it->name, (long long)value);
        it->sync_ns = (uint64_t)value * MS;
        return true;
    }
    if (line_is(line, "skew", 3) && number_of(line->words[2], -1000000, 1000000, &value)) {
        tell(world, "the wall clock of %s is off by %lld ms", it->name, (long long)value);
        it->skew_ms = value;
        return true;
    }
    return false;
}

/* Verbs about two nodes. */
static bool do_pair(struct world *world, const struct line *line, unsigned a, unsigned b)
{
    const char *x = world->nodes[a].name, *y = world->nodes[b].name;
    int64_t value;

    if (line_is(line, "cut", 3)) {
        tell(world, "%s and %s cannot reach each other", x, y);
        world->cut[a][b] = world->cut[b][a] = true;
        return true;
    }
    if (line_is(line, "heal", 3)) {
        tell(world, "%s and %s can reach each other", x, y);
        world_net_heal(world, a, b);
        return true;
    }
    if (line_is(line, "delay", 4) && number_of(line->words[3], 0, 100000, &value)) {
        tell(world, "between %s and %s it takes %lld ms", x, y, (long long)value);
        world->delay_ns[a][b] = world->delay_ns[b][a] = (uint64_t)value * MS;
        return true;
    }
    return false;
}

static bool do_show(struct world *world, const struct line *line, bool on)
{
    if (bytes_equal(line->words[1], bytes_of("clocks"))) {
        world->show_clocks = on;
        return true;
    }
    if (bytes_equal(line->words[1], bytes_of("hello"))) {
        world->show_hello = on;
        return true;
    }
    return false;
}

static bool do_line(struct world *world, struct line line)
{
    unsigned a = 0, b = 0;
    int64_t ms;

    if (line_is(&line, "nodes", line.count)) {
        return do_nodes(world, &line);
    }
    if (world->nodes_count == 0) {
        return false;
    }
    if (line_is(&line, "at", line.count) && line.count > 2 &&
        number_of(line.words[1], 0, INT32_MAX, &ms)) {
        world_run(world, world->origin_ns + (uint64_t)ms * MS);
        line.words += 2;
        line.count -= 2;
    }
    if (line_is(&line, "wait", 2) && number_of(line.words[1], 0, INT32_MAX, &ms)) {
        world_run(world, world->now_ns + (uint64_t)ms * MS);
        return true;
    }
    if (line_is(&line, "disk", 1)) {
        tell_disks(world);
        return true;
    }
    if (line_is(&line, "save", 2)) {
        return do_save(world, &line);
    }
    bool show = line_is(&line, "show", 2);
    if (show || line_is(&line, "hide", 2)) {
        return do_show(world, &line, show);
    }
    if (line.count >= 2 && node_of(world, line.words[1], &a)) {
        bool pair = line.count >= 3 && node_of(world, line.words[2], &b);
        if (do_node(world, &line, a) || do_property(world, &line, a) ||
            (pair && do_pair(world, &line, a, b))) {
            return true;
        }
    }
    return line.count >= 2 && do_command(world, &line);
}

/* Cut at spaces; "..." is one word. Return false when a quote has no end or there are too many. */
static bool split(struct bytes text, struct bytes words[WORDS_MAX], size_t *count)
{
    size_t at = 0;

    *count = 0;
    while (at < text.size) {
        bool quoted = text.data[at] == '"';
        uint8_t end = quoted ? '"' : ' ';
        size_t from = at + quoted;
        if (text.data[at] == ' ') {
            at++;
            continue;
        }
        for (at = from; at < text.size && text.data[at] != end; at++) {
        }
        if (*count == WORDS_MAX || (quoted && at == text.size)) {
            return false;
        }
        words[(*count)++] = (struct bytes){text.data + from, at - from};
        at += quoted;
    }
    return true;
}

static bool run_line(struct world *world, struct bytes text)
{
    struct bytes words[WORDS_MAX];
    size_t count = 0;

    if (text.size == 0 || text.data[0] == '#') {
        return true;
    }
    return split(text, words, &count) && count > 0 && do_line(world, (struct line){words, count});
}

bool transcript_run(struct bytes script, struct buf *out)
{
    struct world *world = mem_alloc_zero(1, sizeof(*world));
    bool good = true;

    *world = (struct world){.out = out, .options = mem_alloc(sizeof(*world->options))};
    options_init(world->options);
    world->options->partitions = 1;
    world->options->allow_open = true;
    arena_init(&world->memory, 4096);
    arena_init(&world->step, 4096);
    while (good && script.size > 0) {
        const uint8_t *end = memchr(script.data, '\n', script.size);
        size_t size = end != NULL ? (size_t)(end - script.data) : script.size;
        struct bytes text = {script.data, size};
        script.data += MIN(size + 1, script.size);
        script.size -= MIN(size + 1, script.size);
        good = run_line(world, text);
        if (!good) {
            buf_printf(out, "cannot understand: %.*s\n", (int)text.size, (char *)text.data);
        }
    }
    world_release(world);
    mem_free(world);
    return good;
}
