/* node/options.h - every configuration key and every limit of a node, in one list.
 *
 * Pure: text in, struct out; config.c of the shell reads files and the command line. Sizes are
 * bytes (kb, mb, gb = powers of 1024 in the text), times are milliseconds. */
#pragma once

#include "base/arena.h"
#include "base/bytes.h"

enum {
    OPTIONS_TEXT_MAX = 256,
    OPTIONS_MEMBERS_MAX = 256,
    OPTIONS_DATABASES_COUNT = 16,
    OPTIONS_N_MAX = 7,
};

enum consistency { CONSISTENCY_LINEARIZABLE, CONSISTENCY_QUORUM };
enum sync_mode { SYNC_ALWAYS, SYNC_INTERVAL, SYNC_OS };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

struct options_member {
    char name[64], address[128], rack[64];
    unsigned weight;
};

struct options_database {
    unsigned r, w; /* 0: the node's default. */
    bool consistency_set;
    enum consistency consistency;
};

struct options {
    /* Where. */
    char data_dir[OPTIONS_TEXT_MAX];
    char client_listen[OPTIONS_TEXT_MAX], cluster_listen[OPTIONS_TEXT_MAX];
    char peer_listen[OPTIONS_TEXT_MAX], http_listen[OPTIONS_TEXT_MAX]; /* "" is off. */
    char advertise_client[OPTIONS_TEXT_MAX], advertise_cluster[OPTIONS_TEXT_MAX];
    char advertise_peer[OPTIONS_TEXT_MAX];
    /* Who. */
    struct options_member members[OPTIONS_MEMBERS_MAX];
    unsigned members_count; /* 0: a one-node store. */
    char cluster_name[64], node_name[64], rack[64];
    unsigned weight, partitions;
    unsigned shards; /* Loops per node; 1 in this version. */
    /* How. */
    unsigned n, r, w;
    enum consistency consistency;
    struct options_database databases[OPTIONS_DATABASES_COUNT];
    enum sync_mode sync;
    uint32_t sync_interval_ms;
    uint32_t request_timeout_ms, max_clock_drift_ms;
    char secret_file[OPTIONS_TEXT_MAX];
    uint8_t secret[256];
    size_t secret_size; /* Read from secret_file by the shell; 0: none. */
    char requirepass[OPTIONS_TEXT_MAX];
    bool allow_open;
    enum log_level_option {
        OPTION_LOG_DEBUG,
        OPTION_LOG_INFO,
        OPTION_LOG_WARNING,
        OPTION_LOG_ERROR
    } log_level;
    enum log_format log_format;
    /* Limits of users. */
    uint32_t max_clients;
    uint64_t max_value_bytes, max_request_bytes, cache_bytes;
    /* Limits of the house: reaching one is an answer, a drop with a counter, or back-pressure. */
    uint32_t client_pipeline_max;     /* Commands in flight per connection; then reading pauses. */
    uint64_t client_output_max_bytes; /* Unread replies per connection; then it is closed. */
    uint64_t client_pause_bytes;      /* Unread replies per connection; then reading pauses. */
    uint32_t requests_max;            /* Operations in flight per node; then -BUSY. */
    uint64_t peer_queue_max_bytes;    /* Unsent bytes per peer; then deltas are dropped. */
    uint64_t log_partition_max_bytes; /* Log of one vnode; then its oldest entries go. */
    uint32_t siblings_max;            /* Concurrent versions that a causal write may create. */
    uint32_t hedge_ms;                /* Silence of an asked owner after which the next is asked. */
    uint32_t peer_alive_ms;           /* Silence after which a peer is not live. */
    uint32_t clock_exchange_ms;       /* Period of the exchange of durable clocks. */
    uint32_t sync_delay_us;           /* How long a sync may wait for more writes to join it. */
};

/* Fill in every default. node_name is left empty: the shell puts the host's name there. */
void options_init(struct options *options);
/* Set one key from text; `words` can take 1024 bytes more. Return OK, or ERR_INVALID with words in
 * `words` that name the value and what is allowed ("r must be a number from 1 to 7, not '9'"), or
 * ERR_NOT_FOUND for an unknown key with the nearest known one named. */
MUST_CHECK enum err options_set(struct options *options, const char *key, const char *value,
                                struct buf *words);
/* Check what several keys decide together: r, w <= n; r + w > n where linearizable; open listeners;
 * wildcard addresses without advertise-*; this node among the members. Return OK or ERR_INVALID
 * with words. */
MUST_CHECK enum err options_check(const struct options *options, struct buf *words);
/* The text of a key as CONFIG GET shows it, which options_set takes back; a password is shown as
 * "(set)". NULL for an unknown key. Memory from `arena`. */
const char *options_get(const struct options *options, const char *key, struct arena *arena);
/* The index-th key name, NULL past the last. */
const char *options_key(unsigned index);
/* One line for people: what the index-th key is for and takes; NULL past the last. */
const char *options_help(unsigned index);

/* The name of names(0), names(1), ... (which ends with NULL) that is most like `word`; NULL when
 * none is near enough to be meant. */
const char *options_nearest(const char *word, const char *(*names)(unsigned index));
/* Split "host:port" or "[v6]:port". `host` has room for 128 bytes. Return false, leaving both
 * alone, for anything else; names are not resolved. Port 0 is refused. */
MUST_CHECK bool options_address(const char *text, char host[128], uint16_t *port);
/* True for 127.0.0.0/8, ::1 and localhost; false for every other name. */
bool options_is_loopback(const char *host);
/* True for 0.0.0.0 and ::. */
bool options_is_wildcard(const char *host);

/* The grammars of values, for options.c and config.c. */

/* Append `value` in quotes: printable characters only, at most 80 of them. */
void options_put_shown(struct buf *words, const char *value);
/* Digits only, at most 18. */
MUST_CHECK bool options_digits(const char *text, size_t size, uint64_t *out);
/* 1..63 letters, digits and characters of `more`. */
bool options_is_name(const char *text, const char *more);
/* Replace options->members by what `value` lists; they are undefined after ERR_INVALID. */
MUST_CHECK enum err options_members_parse(struct options *options, const char *value,
                                          struct buf *words);
const char *options_members_text(const struct options *options, struct arena *arena);
