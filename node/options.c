/* node/options.c - one table of keys, and the rules that several keys decide together. */
#include "node/options.h"

#include <stdio.h>
#include <string.h>

enum kind {
    KIND_NUMBER,      /* 32 bits, min..max. */
    KIND_POWER,       /* As KIND_NUMBER, a power of two. */
    KIND_SHARDS,      /* As KIND_NUMBER, with words of its own. */
    KIND_OR_DEFAULT,  /* As KIND_NUMBER, or the word "default", which is 0. */
    KIND_SIZE,        /* 64 bits, min..max, kb, mb, gb. */
    KIND_SWITCH,      /* bool: yes or no. */
    KIND_CHOICE,      /* An enum: one of `choices`. */
    KIND_CONSISTENCY, /* db.N.consistency: lies in a struct options_database. */
    KIND_TEXT,        /* Anything that fits. */
    KIND_SECRET,      /* As KIND_TEXT, never shown. */
    KIND_NAME,        /* Letters, digits, '.', '_' and '-', 1..63. */
    KIND_RACK,        /* As KIND_NAME with '/', or nothing. */
    KIND_LISTEN,      /* host:port, or off. */
    KIND_ADDRESS,     /* host:port, or nothing. */
    KIND_MEMBERS,
};

struct option {
    const char *name;
    enum kind kind;
    size_t offset, size;
    uint64_t min, max;
    const char *initial;
    const char *const *choices; /* Ends with NULL; its index is the enum's value. */
    const char *help;
};

#define FIELD(member) offsetof(struct options, member), sizeof(((struct options *)0)->member)
#define KB ((uint64_t)1024)
#define MB (1024 * KB)
#define GB (1024 * MB)

/* Enums and counts are written through one 32-bit path. */
_Static_assert(sizeof(enum consistency) == 4 && sizeof(enum sync_mode) == 4, "enums have 32 bits");
_Static_assert(sizeof(unsigned) == 4, "counts have 32 bits");

static const char *const CONSISTENCIES[] = {"linearizable", "quorum", NULL};
static const char *const DATABASE_CONSISTENCIES[] = {"default", "linearizable", "quorum", NULL};
static const char *const SYNCS[] = {"always", "interval", "os", NULL};
static const char *const LOG_LEVELS[] = {"debug", "info", "warning", "error", NULL};
static const char *const LOG_FORMATS[] = {"text", "json", NULL};

#define DATABASE(i)                                                                                \
    {"db." #i ".r",                                                                                \
     KIND_OR_DEFAULT,                                                                              \
     FIELD(databases[i].r),                                                                        \
     1,                                                                                            \
     OPTIONS_N_MAX,                                                                                \
     "default",                                                                                    \
     NULL,                                                                                         \
     "answers that a read of database " #i " waits for"},                                          \
        {"db." #i ".w",                                                                            \
         KIND_OR_DEFAULT,                                                                          \
         FIELD(databases[i].w),                                                                    \
         1,                                                                                        \
         OPTIONS_N_MAX,                                                                            \
         "default",                                                                                \
         NULL,                                                                                     \
         "acknowledgements that a write of database " #i " waits for"},                            \
    {                                                                                              \
        "db." #i ".consistency", KIND_CONSISTENCY, FIELD(databases[i]), 0, 0, "default",           \
            DATABASE_CONSISTENCIES, "linearizable or quorum, for database " #i                     \
    }

static const struct option OPTIONS[] = {
    {"data-dir", KIND_TEXT, FIELD(data_dir), 1, 0, "./ringfort-data", NULL,
     "directory of this node's data; made when missing"},
    {"client-listen", KIND_LISTEN, FIELD(client_listen), 0, 0, "127.0.0.1:6379", NULL,
     "host:port for plain Redis clients, or off"},
    {"cluster-listen", KIND_LISTEN, FIELD(cluster_listen), 0, 0, "off", NULL,
     "host:port for Redis Cluster clients, or off"},
    {"peer-listen", KIND_LISTEN, FIELD(peer_listen), 0, 0, "127.0.0.1:8379", NULL,
     "host:port for the other nodes, or off"},
    {"advertise-client", KIND_ADDRESS, FIELD(advertise_client), 0, 0, "", NULL,
     "host:port under which others reach client-listen"},
    {"advertise-cluster", KIND_ADDRESS, FIELD(advertise_cluster), 0, 0, "", NULL,
     "host:port under which others reach cluster-listen"},
    {"advertise-peer", KIND_ADDRESS, FIELD(advertise_peer), 0, 0, "", NULL,
     "host:port under which others reach peer-listen"},
    {"initial-members", KIND_MEMBERS, FIELD(members), 0, 0, "", NULL,
     "name@host:port rack=dc1/r1 weight=1, ... the same on every node"},
    {"cluster-name", KIND_NAME, FIELD(cluster_name), 0, 0, "ringfort", NULL,
     "name of the cluster, for people"},
    {"node-name", KIND_NAME, FIELD(node_name), 0, 0, "", NULL,
     "name of this node; the host's name when not given"},
    {"rack", KIND_RACK, FIELD(rack), 0, 0, "", NULL, "where this node stands, as dc1/r1"},
    {"weight", KIND_NUMBER, FIELD(weight), 1, 1000, "1", NULL,
     "share of the data that this node takes"},
    {"partitions", KIND_POWER, FIELD(partitions), 1, 16384, "1024", NULL,
     "arcs of the ring; fixed when the cluster is made"},
    {"n", KIND_NUMBER, FIELD(n), 1, OPTIONS_N_MAX, "3", NULL, "copies of every key"},
    {"r", KIND_NUMBER, FIELD(r), 1, OPTIONS_N_MAX, "2", NULL, "answers that a read waits for"},
    {"w", KIND_NUMBER, FIELD(w), 1, OPTIONS_N_MAX, "2", NULL,
     "acknowledgements that a write waits for"},
    {"consistency", KIND_CHOICE, FIELD(consistency), 0, 0, "linearizable", CONSISTENCIES,
     "linearizable, or quorum: one round, the newest write wins"},
    {"sync", KIND_CHOICE, FIELD(sync), 0, 0, "always", SYNCS,
     "when a write is durable: fsynced, or handed to the system"},
    {"sync-interval-ms", KIND_NUMBER, FIELD(sync_interval_ms), 10, 60000, "1000", NULL,
     "period of fsync with sync interval"},
    {"sync-delay-us", KIND_NUMBER, FIELD(sync_delay_us), 0, 100000, "0", NULL,
     "how long an fsync may wait for more writes to join it"},
    {"request-timeout-ms", KIND_NUMBER, FIELD(request_timeout_ms), 10, 60000, "1000", NULL,
     "after this a request is answered as it stands"},
    {"max-clock-drift-ms", KIND_NUMBER, FIELD(max_clock_drift_ms), 1, 60000, "500", NULL,
     "how far clocks of nodes may differ"},
    {"secret-file", KIND_TEXT, FIELD(secret_file), 0, 0, "", NULL,
     "file with the secret that the nodes share"},
    {"requirepass", KIND_SECRET, FIELD(requirepass), 0, 0, "", NULL,
     "password that clients must give"},
    {"allow-open", KIND_SWITCH, FIELD(allow_open), 0, 0, "no", NULL,
     "listen beyond this host without a password or secret"},
    {"log-level", KIND_CHOICE, FIELD(log_level), 0, 0, "info", LOG_LEVELS,
     "debug, info, warning or error"},
    {"log-format", KIND_CHOICE, FIELD(log_format), 0, 0, "text", LOG_FORMATS, "text or json"},
    {"shards", KIND_SHARDS, FIELD(shards), 1, 1, "1", NULL,
     "loops of this node; 1 in this version"},
    {"max-clients", KIND_NUMBER, FIELD(max_clients), 1, 1000000, "10000", NULL,
     "connections of clients"},
    {"max-value-bytes", KIND_SIZE, FIELD(max_value_bytes), KB, 512 * MB, "64mb", NULL,
     "size of a value"},
    {"max-request-bytes", KIND_SIZE, FIELD(max_request_bytes), KB, GB, "128mb", NULL,
     "size of a command with all its arguments"},
    {"cache-bytes", KIND_SIZE, FIELD(cache_bytes), MB, 1024 * GB, "64mb", NULL,
     "memory for caches, half of it the store's block cache"},
    {"client-pipeline-max", KIND_NUMBER, FIELD(client_pipeline_max), 1, 1000000, "1024", NULL,
     "commands in flight per connection; then reading pauses"},
    {"client-output-max-bytes", KIND_SIZE, FIELD(client_output_max_bytes), 64 * KB, 16 * GB,
     "256mb", NULL, "unread replies per connection; then it is closed"},
    {"client-pause-bytes", KIND_SIZE, FIELD(client_pause_bytes), 4 * KB, GB, "1mb", NULL,
     "unread replies per connection; then reading pauses"},
    {"requests-max", KIND_NUMBER, FIELD(requests_max), 1, 10000000, "100000", NULL,
     "operations in flight; then -BUSY"},
    {"peer-queue-max-bytes", KIND_SIZE, FIELD(peer_queue_max_bytes), 64 * KB, 16 * GB, "64mb", NULL,
     "unsent bytes per peer; then deltas are dropped"},
    {"log-partition-max-bytes", KIND_SIZE, FIELD(log_partition_max_bytes), 4 * KB, GB, "256kb",
     NULL, "log of one partition; then its oldest entries go"},
    {"siblings-max", KIND_NUMBER, FIELD(siblings_max), 1, 1024, "32", NULL,
     "concurrent versions that a causal write may create"},
    {"hedge-ms", KIND_NUMBER, FIELD(hedge_ms), 1, 60000, "50", NULL,
     "silence of an owner after which the next one is asked"},
    {"peer-alive-ms", KIND_NUMBER, FIELD(peer_alive_ms), 10, 60000, "1000", NULL,
     "silence after which a peer is not live"},
    {"clock-exchange-ms", KIND_NUMBER, FIELD(clock_exchange_ms), 10, 60000, "1000", NULL,
     "period of the exchange of durable clocks"},
    DATABASE(0),
    DATABASE(1),
    DATABASE(2),
    DATABASE(3),
    DATABASE(4),
    DATABASE(5),
    DATABASE(6),
    DATABASE(7),
    DATABASE(8),
    DATABASE(9),
    DATABASE(10),
    DATABASE(11),
    DATABASE(12),
    DATABASE(13),
    DATABASE(14),
    DATABASE(15),
};

static const struct option *option_find(const char *key)
{
    for (size_t i = 0; i < ARRAY_COUNT(OPTIONS); i++) {
        if (strcmp(OPTIONS[i].name, key) == 0) {
            return &OPTIONS[i];
        }
    }
    return NULL;
}

/* "KEY must be ALLOWED, not 'VALUE'". */
static enum err refuse(struct buf *words, const char *name, const char *allowed, const char *value)
{
    buf_printf(words, "%s must be %s, not ", name, allowed);
    options_put_shown(words, value);
    return ERR_INVALID;
}

static void put_choices(struct buf *words, const char *const *choices)
{
    for (size_t i = 0; choices[i] != NULL; i++) {
        const char *between = i == 0 ? "" : choices[i + 1] == NULL ? " or " : ", ";
        buf_printf(words, "%s%s", between, choices[i]);
    }
}

static bool parse_size(const char *text, uint64_t *out)
{
    static const struct {
        const char *suffix;
        uint64_t unit;
    } UNITS[] = {{"kb", KB}, {"mb", MB}, {"gb", GB}};
    size_t size = strlen(text);
    uint64_t unit = 1;
    for (size_t i = 0; i < ARRAY_COUNT(UNITS); i++) {
        if (size > 2 && bytes_equal_nocase(bytes_of(text + size - 2), UNITS[i].suffix)) {
            unit = UNITS[i].unit;
            size -= 2;
            break;
        }
    }
    uint64_t value;
    if (!options_digits(text, size, &value) || value > UINT64_MAX / unit) {
        return false;
    }
    *out = value * unit;
    return true;
}

/* The shortest text that parse_size reads back: 64mb, 100kb, 1000. Return `text`. */
static const char *size_text(uint64_t value, char text[32])
{
    static const char *const SUFFIXES[] = {"", "kb", "mb", "gb"};
    size_t i = 0;
    while (i < 3 && value != 0 && value % 1024 == 0) {
        value /= 1024;
        i++;
    }
    snprintf(text, 32, "%llu%s", (unsigned long long)value, SUFFIXES[i]);
    return text;
}

/* --- one key ---------------------------------------------------------------------------------- */

static enum err set_number(const struct option *option, void *field, const char *value,
                           struct buf *words)
{
    uint64_t number;
    bool fits = options_digits(value, strlen(value), &number) && number >= option->min &&
                number <= option->max;
    if (option->kind == KIND_OR_DEFAULT && strcmp(value, "default") == 0) {
        fits = true;
        number = 0;
    }
    if (option->kind == KIND_POWER && fits) {
        fits = (number & (number - 1)) == 0;
    }
    if (fits) {
        uint32_t stored = (uint32_t)number;
        ASSERT(option->size == sizeof(stored));
        memcpy(field, &stored, sizeof(stored));
        return OK;
    }
    if (option->kind == KIND_SHARDS) {
        return refuse(words, option->name, "1 in this version, which runs one loop per node",
                      value);
    }
    char allowed[96];
    snprintf(allowed, sizeof(allowed), "%s from %llu to %llu%s",
             option->kind == KIND_POWER ? "a power of two" : "a number",
             (unsigned long long)option->min, (unsigned long long)option->max,
             option->kind == KIND_OR_DEFAULT ? " or default" : "");
    return refuse(words, option->name, allowed, value);
}

static enum err set_size(const struct option *option, void *field, const char *value,
                         struct buf *words)
{
    uint64_t number;
    if (parse_size(value, &number) && number >= option->min && number <= option->max) {
        ASSERT(option->size == sizeof(number));
        memcpy(field, &number, sizeof(number));
        return OK;
    }
    char min[32];
    char max[32];
    size_text(option->min, min);
    size_text(option->max, max);
    char allowed[128];
    snprintf(allowed, sizeof(allowed), "a size from %s to %s (kb, mb and gb are powers of 1024)",
             min, max);
    return refuse(words, option->name, allowed, value);
}

static enum err set_choice(const struct option *option, void *field, const char *value,
                           struct buf *words)
{
    for (uint32_t i = 0; option->choices[i] != NULL; i++) {
        if (strcmp(option->choices[i], value) != 0) {
            continue;
        }
        if (option->kind == KIND_CONSISTENCY) { /* "default" comes first. */
            struct options_database *database = field;
            database->consistency_set = i != 0;
            database->consistency = i == 0 ? CONSISTENCY_LINEARIZABLE : (enum consistency)(i - 1);
        } else {
            memcpy(field, &i, sizeof(i));
        }
        return OK;
    }
    buf_printf(words, "%s must be ", option->name);
    put_choices(words, option->choices);
    buf_printf(words, ", not ");
    options_put_shown(words, value);
    return ERR_INVALID;
}

static enum err set_text(const struct option *option, char *field, const char *value,
                         struct buf *words)
{
    char host[128];
    uint16_t port;
    size_t size = strlen(value);
    if (option->kind == KIND_LISTEN && strcmp(value, "off") == 0) {
        value = "";
        size = 0;
    } else if (option->kind == KIND_LISTEN && !options_address(value, host, &port)) {
        return refuse(words, option->name, "host:port or off", value);
    } else if (option->kind == KIND_ADDRESS && size > 0 && !options_address(value, host, &port)) {
        return refuse(words, option->name, "host:port", value);
    } else if (option->kind == KIND_NAME && !options_is_name(value, "._-")) {
        return refuse(words, option->name, "1 to 63 letters, digits, '.', '_' and '-'", value);
    } else if (option->kind == KIND_RACK && size > 0 && !options_is_name(value, "._-/")) {
        return refuse(words, option->name,
                      "a path of at most 63 letters, digits, '.', '_' and '-', as dc1/r1", value);
    }
    if (size < option->min || size >= option->size) { /* A secret is not repeated. */
        buf_printf(words, "%s must have %llu to %zu characters, not %zu", option->name,
                   (unsigned long long)option->min, option->size - 1, size);
        return ERR_INVALID;
    }
    memset(field, 0, option->size);
    memcpy(field, value, size);
    return OK;
}

static enum err set_members(struct options *options, const char *value, struct buf *words)
{
    struct options *changed = mem_alloc(sizeof(*changed));
    *changed = *options;
    enum err err = options_members_parse(changed, value, words);
    if (err == OK) {
        *options = *changed;
    }
    mem_free(changed);
    return err;
}

enum err options_set(struct options *options, const char *key, const char *value, struct buf *words)
{
    const struct option *option = option_find(key);
    if (option == NULL) {
        buf_printf(words, "unknown key ");
        options_put_shown(words, key);
        const char *nearest = options_nearest(key, options_key);
        if (nearest != NULL) {
            buf_printf(words, "; did you mean %s?", nearest);
        }
        return ERR_NOT_FOUND;
    }
    void *field = (char *)options + option->offset;
    switch (option->kind) {
    case KIND_NUMBER:
    case KIND_POWER:
    case KIND_SHARDS:
    case KIND_OR_DEFAULT:
        return set_number(option, field, value, words);
    case KIND_SIZE:
        return set_size(option, field, value, words);
    case KIND_SWITCH:
        if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0) {
            return refuse(words, option->name, "yes or no", value);
        }
        *(bool *)field = value[0] == 'y';
        return OK;
    case KIND_CHOICE:
    case KIND_CONSISTENCY:
        return set_choice(option, field, value, words);
    case KIND_MEMBERS:
        return set_members(options, value, words);
    case KIND_TEXT:
    case KIND_SECRET:
    case KIND_NAME:
    case KIND_RACK:
    case KIND_LISTEN:
    case KIND_ADDRESS:
        break;
    }
    return set_text(option, field, value, words);
}

void options_init(struct options *options)
{
    memset(options, 0, sizeof(*options));
    struct buf words;
    buf_init(&words, 1024);
    for (size_t i = 0; i < ARRAY_COUNT(OPTIONS); i++) {
        if (OPTIONS[i].kind == KIND_NAME && OPTIONS[i].initial[0] == '\0') {
            continue; /* node-name: the shell knows the host's name. */
        }
        enum err err = options_set(options, OPTIONS[i].name, OPTIONS[i].initial, &words);
        ASSERT(err == OK);
    }
    buf_release(&words);
}

const char *options_get(const struct options *options, const char *key, struct arena *arena)
{
    const struct option *option = option_find(key);
    if (option == NULL) {
        return NULL;
    }
    const void *field = (const char *)options + option->offset;
    uint32_t number = 0;
    if (option->size == sizeof(number)) {
        memcpy(&number, field, sizeof(number));
    }
    switch (option->kind) {
    case KIND_OR_DEFAULT:
        if (number == 0) {
            return "default";
        }
        return arena_printf(arena, "%u", number);
    case KIND_NUMBER:
    case KIND_POWER:
    case KIND_SHARDS:
        return arena_printf(arena, "%u", number);
    case KIND_SIZE:
        return size_text(*(const uint64_t *)field, arena_alloc(arena, 32));
    case KIND_SWITCH:
        return *(const bool *)field ? "yes" : "no";
    case KIND_CHOICE:
        return option->choices[number];
    case KIND_CONSISTENCY: {
        const struct options_database *database = field;
        return option->choices[database->consistency_set ? database->consistency + 1 : 0];
    }
    case KIND_MEMBERS:
        return options_members_text(options, arena);
    case KIND_SECRET:
        return *(const char *)field == '\0' ? "" : "(set)";
    case KIND_LISTEN:
        return *(const char *)field == '\0' ? "off" : field;
    case KIND_TEXT:
    case KIND_NAME:
    case KIND_RACK:
    case KIND_ADDRESS:
        break;
    }
    return field;
}

const char *options_key(unsigned index)
{
    return index < ARRAY_COUNT(OPTIONS) ? OPTIONS[index].name : NULL;
}

const char *options_help(unsigned index)
{
    return index < ARRAY_COUNT(OPTIONS) ? OPTIONS[index].help : NULL;
}
