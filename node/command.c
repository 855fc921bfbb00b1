#include "node/command.h"

#include "ring/slot.h"

#include <stdio.h>
#include <string.h>

enum { COMMAND_NAME_MAX = 64 };

/* ---- Finding ---- */

static uint8_t lower(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte;
}

/* FNV-1a over the name in lower case: names are short. */
static uint32_t hash_name(uint32_t hash, struct bytes name)
{
    for (size_t i = 0; i < name.size; i++) {
        hash = (hash ^ lower(name.data[i])) * 16777619U;
    }
    return hash;
}

enum { HASH_START = 2166136261U & 0x7fffffff };

static unsigned index_slot(uint32_t hash)
{
    return (hash ^ hash >> 15) % COMMAND_INDEX_SIZE;
}

void command_index_init(struct clients *clients)
{
    ASSERT(COMMANDS_COUNT * 2 < COMMAND_INDEX_SIZE);
    memset(clients->command_index, 0, sizeof(clients->command_index));
    for (unsigned i = 0; i < COMMANDS_COUNT; i++) {
        unsigned slot = index_slot(hash_name(HASH_START, bytes_of(COMMANDS[i].name)));
        while (clients->command_index[slot] != 0) {
            slot = (slot + 1) % COMMAND_INDEX_SIZE;
        }
        clients->command_index[slot] = (uint16_t)(i + 1);
    }
}

/* True when `full` is `name`, or "name|sub" when `sub` is not empty. */
static bool name_matches(const char *full, struct bytes name, struct bytes sub)
{
    size_t size = strlen(full);

    if (size != name.size + (sub.size > 0 ? 1 + sub.size : 0)) {
        return false;
    }
    for (size_t i = 0; i < name.size; i++) {
        if (lower(name.data[i]) != (uint8_t)full[i]) {
            return false;
        }
    }
    for (size_t i = 0; i < sub.size; i++) {
        if (lower(sub.data[i]) != (uint8_t)full[name.size + 1 + i]) {
            return false;
        }
    }
    return sub.size == 0 || full[name.size] == '|';
}

const struct command *command_find(const struct clients *clients, struct bytes name,
                                   struct bytes sub)
{
    if (name.size == 0 || name.size > COMMAND_NAME_MAX || sub.size > COMMAND_NAME_MAX) {
        return NULL;
    }
    uint32_t hash = hash_name(HASH_START, name);
    if (sub.size > 0) {
        hash = hash_name(hash_name(hash, BYTES_LITERAL("|")), sub);
    }
    unsigned slot = index_slot(hash);
    while (clients->command_index[slot] != 0) {
        const struct command *command = COMMANDS + clients->command_index[slot] - 1;
        if (name_matches(command->name, name, sub)) {
            return command;
        }
        slot = (slot + 1) % COMMAND_INDEX_SIZE;
    }
    return NULL;
}

const struct command *command_find_full(const struct clients *clients, struct bytes name)
{
    return command_find(clients, name, (struct bytes){NULL, 0});
}

unsigned command_number(const struct command *command)
{
    ASSERT(command >= COMMANDS);
    ASSERT(command < COMMANDS + COMMANDS_COUNT);
    return (unsigned)(command - COMMANDS);
}

uint32_t command_keys(const struct command *command, uint32_t argc, uint32_t *first, uint32_t *step)
{
    if (command->first == 0 || (uint32_t)command->first >= argc) {
        return 0;
    }
    uint32_t last = command->last >= 0 ? (uint32_t)command->last : argc - (uint32_t)-command->last;
    *first = (uint32_t)command->first;
    *step = (uint32_t)command->step;
    return last < *first ? 0 : (last - *first) / *step + 1;
}

/* ---- Refusing ---- */

/* The part of a word that Redis shows: C strings end at a NUL. */
static int shown_size(struct bytes word, size_t size_max)
{
    size_t size = strnlen((const char *)word.data, MIN(word.size, size_max));

    return (int)size;
}

static const char *upper_text(struct arena *arena, const char *text, size_t size)
{
    char *out = arena_copy(arena, text, size + 1);

    for (size_t i = 0; i < size; i++) {
        out[i] = text[i] >= 'a' && text[i] <= 'z' ? (char)(text[i] - 0x20) : text[i];
    }
    out[size] = '\0';
    return out;
}

/* A command of Redis that this version does not have. */
static bool is_redis_command(struct bytes name, struct bytes sub)
{
    if (memchr(name.data, '|', name.size) != NULL) {
        return false; /* "client|id" is how tables name it, not how it is called. */
    }
    for (unsigned i = 0; i < REDIS_COMMANDS_COUNT; i++) {
        if (name_matches(REDIS_COMMANDS[i], name, sub)) {
            return true;
        }
    }
    return false;
}

static void reply_unknown(struct invocation *in)
{
    struct bytes name = in->argv[0];
    struct bytes none = {NULL, 0};
    char text[512];

    if (is_redis_command(name, none)) {
        reply_error_printf(&in->reply,
                           "ERR unknown command '%.*s': not in Ringfort %s yet, see PROTOCOL.md",
                           shown_size(name, 128), (const char *)name.data, RINGFORT_VERSION);
        return;
    }
    size_t size = (size_t)snprintf(text, sizeof(text),
                                   "ERR unknown command '%.*s', with args beginning with: ",
                                   shown_size(name, 128), (const char *)name.data);
    size_t args_size = 0;
    for (uint32_t i = 1; i < in->argc && args_size < 128; i++) {
        size_t room = sizeof(text) - size - args_size;
        args_size += (size_t)snprintf(text + size + args_size, room, "'%.*s' ",
                                      shown_size(in->argv[i], 128 - args_size),
                                      (const char *)in->argv[i].data);
        ASSERT(size + args_size < sizeof(text));
    }
    reply_error(&in->reply, text);
}

static void reply_unknown_sub(struct invocation *in, const struct command *container)
{
    struct bytes sub = in->argv[1];

    if (is_redis_command(in->argv[0], sub)) {
        reply_error_printf(&in->reply,
                           "ERR unknown subcommand '%.*s': not in Ringfort %s yet, see PROTOCOL.md",
                           shown_size(sub, 128), (const char *)sub.data, RINGFORT_VERSION);
        return;
    }
    reply_error_printf(&in->reply, "ERR unknown subcommand '%.*s'. Try %s HELP.",
                       shown_size(sub, 128), (const char *)sub.data,
                       upper_text(&in->clients->arena, container->name, strlen(container->name)));
}

static bool arity_fits(const struct command *command, uint32_t argc)
{
    return command->arity >= 0 ? argc == (uint32_t)command->arity
                               : argc >= (uint32_t)-command->arity;
}

/* Find the command of in->argv and check its arity. False: answered. */
static bool resolve(struct invocation *in)
{
    struct bytes none = {NULL, 0};
    const struct command *command = command_find(in->clients, in->argv[0], none);

    if (command == NULL || memchr(in->argv[0].data, '|', in->argv[0].size) != NULL) {
        reply_unknown(in);
        return false;
    }
    in->command = command;
    if ((command->traits & COMMAND_CONTAINER) != 0 && in->argc >= 2) {
        const struct command *sub = command_find(in->clients, in->argv[0], in->argv[1]);
        if (sub == NULL || in->argv[1].size == 0) {
            reply_unknown_sub(in, command);
            return false;
        }
        in->command = command = sub;
    }
    if (!arity_fits(command, in->argc)) {
        reply_error_printf(&in->reply, "ERR wrong number of arguments for '%s' command",
                           command->name);
        return false;
    }
    return true;
}

/* May the command run now, on this node and connection? False: answered. */
static bool admit(struct invocation *in)
{
    const struct command *command = in->command;

    if (!in->session->authenticated && (command->traits & COMMAND_NO_AUTH) == 0) {
        reply_error(&in->reply, "NOAUTH Authentication required.");
        return false;
    }
    if ((command->traits & (COMMAND_READ | COMMAND_WRITE)) == 0) {
        return true;
    }
    if (in->clients->draining) {
        reply_error(&in->reply, "LOADING Ringfort is stopping");
        return false;
    }
    const struct view *view = clients_view(in->clients);
    if (!view->serving) {
        reply_error_printf(&in->reply, "LOADING Ringfort is %s",
                           view->waiting == NULL ? "starting" : view->waiting);
        return false;
    }
    return true;
}

/* Keys: their size, and on the cluster face one slot for all. False: answered. */
static bool admit_keys(struct invocation *in, uint32_t first, uint32_t step, uint32_t count)
{
    bool one_slot = in->session->face == FACE_CLUSTER && count > 1;
    unsigned slot = 0;

    for (uint32_t i = 0; i < count; i++) {
        struct bytes key = in->argv[first + i * step];
        if (key.size > KEY_USER_MAX) {
            reply_error_printf(&in->reply, "ERR key is longer than %d bytes", KEY_USER_MAX);
            return false;
        }
        if (one_slot && i > 0 && slot_of(key) != slot) {
            reply_error(&in->reply, "CROSSSLOT Keys in request don't hash to the same slot");
            return false;
        }
        slot = one_slot ? slot_of(key) : 0;
    }
    return true;
}

/* ---- Execution ---- */

/* HTTP sent by a browser that was lured here: nothing of it may be carried out. */
static bool is_cross_protocol(struct bytes word)
{
    return bytes_equal_nocase(word, "post") || bytes_equal_nocase(word, "host:");
}

/* Must the request wait? Then the session's block says for what. */
static bool must_wait(struct invocation *in, bool alone)
{
    struct session *session = in->session;

    if (alone && session->calls_count > 0) {
        session->block = BLOCK_IDLE;
        return true;
    }
    if (in->keyed && session_key_in_flight(session, key_position(in->key))) {
        session->block = BLOCK_KEY;
        session->block_position = key_position(in->key);
        return true;
    }
    return false;
}

/* Check the request, with errors going to `in->reply`, which is not the client's yet. Return
 * false when it is answered there. `*alone` says that it wants the connection idle. */
static bool prepare(struct invocation *in, bool *alone)
{
    uint32_t at = 1;
    uint32_t first = 0;
    uint32_t step = 0;

    if (!resolve(in) || !admit(in)) {
        return false;
    }
    if ((in->command->traits & COMMAND_WITH) != 0) {
        if (!wish_parse(in, &at, false, &in->wish)) {
            return false;
        }
        if (at == in->argc) {
            reply_error(&in->reply, "ERR RF.WITH needs a command after its options");
            return false;
        }
        in->argv += at;
        in->argc -= at;
        if (!resolve(in) || !admit(in)) {
            return false;
        }
        if ((in->command->traits & COMMAND_PASSABLE) == 0) {
            reply_error_printf(&in->reply, "ERR RF.WITH does not take the command '%s'",
                               in->command->name);
            return false;
        }
    }
    uint32_t count = command_keys(in->command, in->argc, &first, &step);
    if (count > 0 && !admit_keys(in, first, step, count)) {
        return false;
    }
    in->keyed = count == 1;
    if (in->keyed) {
        in->key = key_encode(&in->clients->arena, in->session->database, in->argv[first]);
    }
    *alone = (in->command->traits & COMMAND_ALONE) != 0 || count > 1;
    return true;
}

/* The terms of the call, if it has operations. False: answered. */
static bool agree_terms(struct invocation *in)
{
    if ((in->command->traits & (COMMAND_READ | COMMAND_WRITE)) == 0) {
        return true;
    }
    return terms_resolve(in->session, &in->wish, &in->call->terms, &in->reply);
}

static void run(struct invocation *in, bool alone)
{
    struct session *session = in->session;
    struct call *call = call_new(session, in->command);

    in->call = call;
    session->last = in->command;
    if (in->keyed) {
        call_hold_key(call, key_position(in->key));
    }
    if (alone) {
        call->exclusive = session->exclusive = true;
    }
    call->writes = (in->command->traits & COMMAND_WRITE) != 0;
    in->reply = call_reply(call);
    if (!agree_terms(in) || in->command->run(in) == RUN_REPLIED) {
        call_finish(call);
    }
}

/* Answer what `prepare` has put into the scratch buffer. */
static void refuse(struct invocation *in)
{
    struct clients *clients = in->clients;
    struct call *call = call_new(in->session, NULL);
    struct reply reply = call_reply(call);

    if (in->command != NULL) {
        clients->command_stats[command_number(in->command)].rejected++;
    }
    buf_put_bytes(reply.buf, buf_bytes(in->reply.buf));
    call_finish(call);
}

void command_execute(struct session *session, const struct bytes *argv, uint32_t argc)
{
    struct clients *clients = session->clients;
    struct invocation in = {
        .clients = clients,
        .session = session,
        .argv = argv,
        .argc = argc,
        .reply = {.buf = &clients->scratch, .resp = session->resp, .errors = &clients->errors},
    };
    bool alone = false;

    ASSERT(argc > 0);
    if (session->exclusive) {
        session->block = BLOCK_IDLE;
        return;
    }
    if (is_cross_protocol(argv[0])) {
        clients->io.log(clients->io.context, LOG_WARNING,
                        "a client sent POST or Host:, as a web page's request to this port would; "
                        "its connection is closed");
        session_close_later(session);
        return;
    }
    buf_clear(&clients->scratch);
    bool good = prepare(&in, &alone);
    if (good && must_wait(&in, alone)) {
        return;
    }
    clients->stats.commands++;
    if (good) {
        run(&in, alone);
    } else {
        refuse(&in);
    }
}
