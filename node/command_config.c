#include "node/command.h"
#include "node/glob.h"

#include <string.h>

/* CONFIG: the keys of node/options.h under their own names, and those of Redis that tools ask
 * for. */

/* Keys of Redis with one answer here. Setting one to that answer is accepted. */
static const struct {
    const char *name, *value;
} FIXED[] = {
    {"activerehashing", "yes"},
    {"always-show-logo", "no"},
    {"appendfsync", "always"}, /* Writes are durable before they are acknowledged; see sync. */
    {"appendonly", "yes"},
    {"client-query-buffer-limit", "1073741824"},
    {"cluster-allow-reads-when-down", "no"},
    {"cluster-node-timeout", "1000"},
    {"cluster-require-full-coverage", "no"}, /* One unreachable partition stops no other. */
    {"databases", "16"},
    {"hz", "10"},
    {"lazyfree-lazy-user-del", "yes"},
    {"maxmemory", "0"},
    {"maxmemory-policy", "noeviction"},
    {"maxmemory-samples", "5"},
    {"min-replicas-to-write", "0"},
    {"notify-keyspace-events", ""},
    {"protected-mode", "no"},
    {"replica-read-only", "yes"},
    {"save", ""},
    {"slave-read-only", "yes"},
    {"slowlog-log-slower-than", "-1"},
    {"slowlog-max-len", "0"},
    {"tcp-keepalive", "300"},
    {"timeout", "0"},
};

/* Keys of Redis that are keys of ours under another name. */
static const struct {
    const char *name, *key;
} ALIASES[] = {{"maxclients", "max-clients"}, {"dir", "data-dir"}};

/* What CONFIG SET may change: read by the client side of this node, at every use. */
static const char *const CHANGEABLE[] = {
    "max-clients",         "max-value-bytes",    "max-request-bytes", "request-timeout-ms",
    "client-pipeline-max", "client-pause-bytes", "requirepass",       "client-output-max-bytes",
};

/* ---- CONFIG GET ---- */

struct shown {
    struct reply *reply; /* NULL: only count. */
    size_t count;
};

static void show(struct shown *shown, const char *name, const char *value)
{
    shown->count++;
    if (shown->reply != NULL) {
        reply_bulk_text(shown->reply, name);
        reply_bulk_text(shown->reply, value);
    }
}

static bool is_wanted(const struct invocation *in, const char *name)
{
    for (uint32_t i = 2; i < in->argc; i++) {
        if (glob_match_nocase(in->argv[i], bytes_of(name))) {
            return true;
        }
    }
    return false;
}

/* Keys whose value depends on the node or on the face. */
static void show_computed(struct invocation *in, struct shown *shown)
{
    const struct options *options = in->clients->options;
    struct arena *arena = &in->clients->arena;
    bool cluster = in->session->face == FACE_CLUSTER;
    const char *listen = cluster ? options->cluster_listen : options->client_listen;
    const char *colon = strrchr(listen, ':');
    const struct {
        const char *name, *value;
    } COMPUTED[] = {
        {"bind", colon == NULL ? "" : arena_printf(arena, "%.*s", (int)(colon - listen), listen)},
        {"cluster-enabled", cluster ? "yes" : "no"},
        {"loglevel", options->log_level == OPTION_LOG_DEBUG  ? "debug"
                     : options->log_level == OPTION_LOG_INFO ? "notice"
                                                             : "warning"},
        {"port", colon == NULL ? "0" : colon + 1},
        {"proto-max-bulk-len",
         arena_printf(arena, "%llu",
                      (unsigned long long)MAX(options->max_value_bytes, (uint64_t)KEY_USER_MAX))},
    };

    for (size_t i = 0; i < ARRAY_COUNT(COMPUTED); i++) {
        if (is_wanted(in, COMPUTED[i].name)) {
            show(shown, COMPUTED[i].name, COMPUTED[i].value);
        }
    }
}

static void show_all(struct invocation *in, struct shown *shown)
{
    const struct options *options = in->clients->options;
    struct arena *arena = &in->clients->arena;

    for (size_t i = 0; i < ARRAY_COUNT(FIXED); i++) {
        if (is_wanted(in, FIXED[i].name)) {
            show(shown, FIXED[i].name, FIXED[i].value);
        }
    }
    for (size_t i = 0; i < ARRAY_COUNT(ALIASES); i++) {
        if (is_wanted(in, ALIASES[i].name)) {
            show(shown, ALIASES[i].name, options_get(options, ALIASES[i].key, arena));
        }
    }
    show_computed(in, shown);
    for (unsigned i = 0; options_key(i) != NULL; i++) {
        if (is_wanted(in, options_key(i))) {
            show(shown, options_key(i), options_get(options, options_key(i), arena));
        }
    }
}

enum run run_config_get(struct invocation *in)
{
    struct shown counted = {.reply = NULL};
    struct shown shown = {.reply = &in->reply};

    show_all(in, &counted);
    reply_map(&in->reply, counted.count);
    show_all(in, &shown);
    ASSERT(shown.count == counted.count);
    return RUN_REPLIED;
}

/* ---- CONFIG SET ---- */

static char *lower_text(struct arena *arena, struct bytes text)
{
    char *out = arena_alloc(arena, text.size + 1);

    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = text.data[i];
        out[i] = (char)(byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte);
    }
    out[text.size] = '\0';
    return out;
}

static void refuse_set(struct invocation *in, const char *name, const char *words)
{
    reply_error_printf(&in->reply, "ERR CONFIG SET failed (possibly related to argument '%s') - %s",
                       name, words);
}

static bool is_changeable(const char *key)
{
    for (size_t i = 0; i < ARRAY_COUNT(CHANGEABLE); i++) {
        if (strcmp(CHANGEABLE[i], key) == 0) {
            return true;
        }
    }
    return false;
}

/* The answer that Redis's key has here, NULL when it is none of those. */
static const char *fixed_value(const char *name)
{
    for (size_t i = 0; i < ARRAY_COUNT(FIXED); i++) {
        if (strcmp(FIXED[i].name, name) == 0) {
            return FIXED[i].value;
        }
    }
    return NULL;
}

/* Set one pair in `changed`. False: answered. */
static bool set_pair(struct invocation *in, struct options *changed, struct bytes name_bytes,
                     struct bytes value_bytes)
{
    struct arena *arena = &in->clients->arena;
    const char *name = lower_text(arena, name_bytes);
    const char *value = arena_printf(arena, "%.*s", (int)value_bytes.size,
                                     value_bytes.size == 0 ? "" : (const char *)value_bytes.data);
    const char *key = name;
    const char *fixed = fixed_value(name);

    if (fixed != NULL) {
        bool same = strcmp(fixed, value) == 0;
        if (!same) {
            refuse_set(in, name, arena_printf(arena, "Ringfort keeps it at '%s'", fixed));
        }
        return same;
    }
    for (size_t i = 0; i < ARRAY_COUNT(ALIASES); i++) {
        key = strcmp(ALIASES[i].name, name) == 0 ? ALIASES[i].key : key;
    }
    if (options_get(changed, key, arena) == NULL) {
        reply_error_printf(&in->reply,
                           "ERR Unknown option or number of arguments for CONFIG SET - '%.128s'",
                           name);
        return false;
    }
    if (!is_changeable(key)) {
        refuse_set(in, name, "can't set immutable config");
        return false;
    }
    struct buf words;
    buf_init(&words, 4096);
    bool good = options_set(changed, key, value, &words) == OK;
    if (!good) {
        refuse_set(in, name, arena_printf(arena, "%.*s", (int)words.size, (char *)words.data));
    }
    buf_release(&words);
    return good;
}

static bool has_duplicate(struct invocation *in)
{
    struct arena *arena = &in->clients->arena;

    for (uint32_t i = 2; i < in->argc; i += 2) {
        for (uint32_t j = 2; j < i; j += 2) {
            if (bytes_equal_nocase(in->argv[i], lower_text(arena, in->argv[j]))) {
                refuse_set(in, lower_text(arena, in->argv[i]), "duplicate parameter");
                return true;
            }
        }
    }
    return false;
}

/* All pairs or none. */
enum run run_config_set(struct invocation *in)
{
    enum { PAIRS_MAX = 64 };
    struct buf words;

    if (in->argc % 2 != 0 || in->argc > 2 + 2 * PAIRS_MAX) {
        reply_error(&in->reply, "ERR wrong number of arguments for 'config|set' command");
        return RUN_REPLIED;
    }
    struct options *changed = mem_alloc(sizeof(*changed));
    *changed = *in->clients->options;
    bool good = !has_duplicate(in);
    for (uint32_t i = 2; good && i < in->argc; i += 2) {
        good = set_pair(in, changed, in->argv[i], in->argv[i + 1]);
    }
    buf_init(&words, 4096);
    if (good && options_check(changed, &words) != OK) {
        reply_error_printf(&in->reply, "ERR CONFIG SET failed - %.*s", (int)words.size,
                           (const char *)words.data);
        good = false;
    }
    if (good) {
        *in->clients->options = *changed;
        reply_ok(&in->reply);
    }
    buf_release(&words);
    mem_free(changed);
    return RUN_REPLIED;
}

enum run run_config_resetstat(struct invocation *in)
{
    struct clients *clients = in->clients;
    struct clients_stats *stats = &clients->stats;

    memset(clients->command_stats, 0, sizeof(*clients->command_stats) * COMMANDS_COUNT);
    clients->errors = (struct reply_errors){.count = 0};
    *stats = (struct clients_stats){
        .sample_ns = stats->sample_ns,
        .clients_peak = clients->sessions_count,
    };
    reply_ok(&in->reply);
    return RUN_REPLIED;
}
