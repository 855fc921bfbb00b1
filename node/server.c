/* node/server.c - the turn first, then effects, then what starts and stops. */
#include "node/server.h"

#include "node/client.h"
#include "node/config.h"
#include "node/disk.h"
#include "node/log.h"
#include "node/loop.h"
#include "node/peer.h"
#include "storage/rocks.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum {
    ROUNDS_MAX = 8, /* Of one turn; then the sockets are looked at again. */
    ROCKS_CACHE_MIN = 1024 * 1024,
    FILES_RESERVED = 700, /* For the store, the log and what libraries open. */
    FILES_CLIENTS_MORE =
        64, /* Connections beyond max-clients, which the core refuses with words. */
};

struct server {
    const struct options *options;
    struct log log;
    struct loop loop;
    struct client_set clients;
    struct peer_set peers;
    struct disk disk;
    struct node *node;
    uv_signal_t signals[2];
    uv_timer_t second, stop_cap;
    uint64_t deadline_ns;
    bool is_stepping;
    bool has_stepped; /* Since the last EVENT_TURN. */
    bool is_stopping; /* EVENT_STOP was sent. */
    bool is_stopped;  /* EFFECT_STOPPED came: the core is not stepped any more. */
};

/* --- the turn --------------------------------------------------------------------------------- */

static void carry_out(struct server *server, const struct effect *effect)
{
    switch (effect->type) {
    case EFFECT_CLIENT_SEND:
        client_set_send(&server->clients, effect->id, effect->bytes);
        break;
    case EFFECT_CLIENT_CLOSE:
        client_set_end(&server->clients, effect->id);
        break;
    case EFFECT_CLIENT_PAUSE:
        client_set_pause(&server->clients, effect->id, effect->on);
        break;
    case EFFECT_PEER_DIAL:
        peer_set_dial(&server->peers, effect->member, effect->text);
        break;
    case EFFECT_PEER_SEND:
        peer_set_send(&server->peers, effect->id, effect->bytes);
        break;
    case EFFECT_PEER_CLOSE:
        peer_set_end(&server->peers, effect->id);
        break;
    case EFFECT_DISK_READ:
        disk_read(&server->disk, effect->id, effect->key);
        break;
    case EFFECT_DISK_SCAN:
        disk_scan(&server->disk, effect->id, &effect->range);
        break;
    case EFFECT_DISK_PUT:
        disk_put(&server->disk, effect->family, effect->key, effect->bytes);
        break;
    case EFFECT_DISK_DELETE:
        disk_delete(&server->disk, effect->family, effect->key);
        break;
    case EFFECT_DISK_COMMIT:
        disk_commit(&server->disk, effect->sequence);
        break;
    case EFFECT_LOG:
        log_line(&server->log, effect->level, "%s", effect->text);
        break;
    case EFFECT_STOPPED:
        server->is_stopped = true;
        break;
    case EFFECT_FATAL:
        log_tick(&server->log, true /* all */);
        log_fatal(&server->log, "%s", effect->text);
    }
}

static void step(struct server *server, struct event *event)
{
    if (server->is_stopped) {
        return;
    }
    ASSERT(!server->is_stepping);
    server->is_stepping = true;
    server->has_stepped = event->type != EVENT_TURN;
    loop_stamp(&server->loop, event);
    struct effects effects;
    node_step(server->node, event, &effects);
    for (size_t i = 0; i < effects.count; i++) {
        carry_out(server, &effects.items[i]);
    }
    server->deadline_ns = effects.deadline_ns;
    server->is_stepping = false;
}

/* Deliver what came up while effects were carried out, which may bring up more. */
static void step_later(struct server *server)
{
    struct event *next;
    while ((next = loop_event_next(&server->loop)) != NULL) {
        struct event event = *next; /* The queue may move. */
        step(server, &event);
    }
}

static void step_all(struct server *server, struct event *event)
{
    step(server, event);
    step_later(server);
}

static void on_event(void *context, struct event *event)
{
    step_all(context, event);
}

static bool timer_is_due(struct server *server)
{
    struct event now = {.type = EVENT_TIMER};
    loop_stamp(&server->loop, &now);
    return server->deadline_ns <= now.now_ns;
}

static void on_stop_cap(uv_timer_t *handle)
{
    struct server *server = handle->data;
    log_fatal(&server->log,
              "the orderly stop takes longer than %d s; exit now, the next start recovers",
              SERVER_STOP_MS / 1000);
}

static void stop_within_cap(struct server *server)
{
    if (uv_is_active((const uv_handle_t *)&server->stop_cap) == 0) {
        uv_timer_start(&server->stop_cap, on_stop_cap, SERVER_STOP_MS, 0);
    }
}

/* A timer that is always due must not keep the loop from its sockets: it comes once per turn, and
 * loop_deadline waits a millisecond at least. */
static void on_turn(void *context)
{
    struct server *server = context;
    step_later(server);
    if (timer_is_due(server)) {
        struct event event = {.type = EVENT_TIMER};
        step_all(server, &event);
    }
    for (int round = 0; round < ROUNDS_MAX && server->has_stepped; round++) {
        struct event event = {.type = EVENT_TURN};
        step_all(server, &event);
    }
    loop_flush(&server->loop);
    step_later(server);
    if (server->is_stopped) {
        stop_within_cap(server);
        if (disk_is_idle(&server->disk)) {
            loop_stop(&server->loop);
        }
        return;
    }
    if (server->has_stepped) {
        loop_again(&server->loop);
    }
    loop_deadline(&server->loop, server->deadline_ns);
}

/* --- what the core is told about the process
 * ----------------------------------------------- */

static uint64_t resident_bytes(void)
{
    unsigned long long size;
    unsigned long long resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file != NULL) {
        if (fscanf(file, "%llu %llu", &size, &resident) != 2) {
            resident = 0;
        }
        fclose(file);
    }
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t timeval_us(struct timeval time)
{
    return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_usec;
}

static void on_second(uv_timer_t *handle)
{
    struct server *server = handle->data;
    log_tick(&server->log, false /* all */);
    struct shell_stats stats = {.resident_bytes = resident_bytes(),
                                .syscalls_read = server->loop.syscalls_read,
                                .syscalls_write = server->loop.syscalls_write};
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    stats.cpu_user_us = timeval_us(usage.ru_utime);
    stats.cpu_system_us = timeval_us(usage.ru_stime);
    struct statvfs files;
    if (statvfs(server->options->data_dir, &files) == 0) {
        stats.disk_free_bytes = (uint64_t)files.f_bavail * files.f_frsize;
    }
    storage_stats(server->disk.storage, &stats.storage);
    stats.syncs = stats.storage.syncs;
    struct event event = {.type = EVENT_STATS, .stats = &stats};
    step_all(server, &event);
}

/* --- stopping --------------------------------------------------------------------------------- */

static void on_signal(uv_signal_t *handle, int number)
{
    struct server *server = handle->data;
    if (server->is_stopping) {
        log_fatal(&server->log, "%s again: exit at once, the next start recovers",
                  number == SIGINT ? "SIGINT" : "SIGTERM");
    }
    server->is_stopping = true;
    log_line(&server->log, LOG_INFO, "%s: stopping", number == SIGINT ? "SIGINT" : "SIGTERM");
    client_set_unlisten(&server->clients);
    stop_within_cap(server);
    struct event event = {.type = EVENT_STOP};
    step_all(server, &event);
}

static void server_finish(struct server *server)
{
    loop_flush(&server->loop); /* The last replies. */
    disk_close(&server->disk);
    client_set_close(&server->clients);
    peer_set_close(&server->peers);
    for (size_t i = 0; i < ARRAY_COUNT(server->signals); i++) {
        uv_close((uv_handle_t *)&server->signals[i], NULL);
    }
    uv_close((uv_handle_t *)&server->second, NULL);
    uv_close((uv_handle_t *)&server->stop_cap, NULL);
    loop_release(&server->loop);
    client_set_release(&server->clients);
    peer_set_release(&server->peers);
    node_free(server->node);
    log_tick(&server->log, true /* all */);
    log_line(&server->log, LOG_INFO, "stopped");
}

/* --- starting --------------------------------------------------------------------------------- */

/* Raise the limit of open files as far as needed and allowed. Return how many connections of
 * clients it leaves room for, 0 after an error was logged. */
static unsigned clients_open_max(struct server *server)
{
    const struct options *options = server->options;
    rlim_t reserved = FILES_RESERVED + 4 * (rlim_t)options->members_count;
    rlim_t needed = reserved + options->max_clients + FILES_CLIENTS_MORE;
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < needed) {
        limit.rlim_cur = MIN(needed, limit.rlim_max);
        (void)setrlimit(RLIMIT_NOFILE, &limit);
        getrlimit(RLIMIT_NOFILE, &limit);
    }
    if (limit.rlim_cur >= needed) {
        return options->max_clients + FILES_CLIENTS_MORE;
    }
    if (limit.rlim_cur <= reserved) {
        log_line(&server->log, LOG_ERROR,
                 "only %llu files may be open, at least %llu are needed: raise ulimit -n",
                 (unsigned long long)limit.rlim_cur,
                 (unsigned long long)reserved + FILES_CLIENTS_MORE);
        return 0;
    }
    log_line(&server->log, LOG_WARNING,
             "max-clients %u needs %llu open files and %llu are allowed: %llu clients find room; "
             "raise ulimit -n",
             options->max_clients, (unsigned long long)needed, (unsigned long long)limit.rlim_cur,
             (unsigned long long)(limit.rlim_cur - reserved));
    return (unsigned)(limit.rlim_cur - reserved);
}

/* Make the directory and what is above it, as mkdir -p does. */
static int make_directory(const char *path)
{
    char text[OPTIONS_TEXT_MAX];
    snprintf(text, sizeof(text), "%s", path);
    for (char *at = text + 1; *at != '\0'; at++) {
        if (*at == '/') {
            *at = '\0';
            if (mkdir(text, 0700) != 0 && errno != EEXIST) {
                return errno;
            }
            *at = '/';
        }
    }
    if (mkdir(text, 0700) != 0 && errno != EEXIST) {
        return errno;
    }
    struct stat status;
    if (stat(text, &status) != 0) {
        return errno;
    }
    return S_ISDIR(status.st_mode) ? 0 : ENOTDIR;
}

static struct storage *open_store(struct server *server)
{
    const struct options *options = server->options;
    int error = make_directory(options->data_dir);
    if (error == 0 && access(options->data_dir, R_OK | W_OK | X_OK) != 0) {
        error = errno;
    }
    if (error != 0) {
        log_line(&server->log, LOG_ERROR,
                 "data-dir %s cannot be used: %s; give a directory that this user may write to",
                 options->data_dir, strerror(error));
        return NULL;
    }
    char path[OPTIONS_TEXT_MAX + 16];
    snprintf(path, sizeof(path), "%s/store", options->data_dir);
    const struct rocks_options rocks = {
        .directory = path,
        .cache_bytes = options->cache_bytes / 2,
        .sync = options->sync != SYNC_OS,
        .create = true,
    };
    struct storage *storage = NULL;
    struct buf words;
    buf_init(&words, ROCKS_WORDS_SIZE_MIN);
    if (rocks_open(&rocks, &storage, &words) != OK) {
        log_line(&server->log, LOG_ERROR, "%.*s", (int)words.size, (const char *)words.data);
    }
    buf_release(&words);
    return storage;
}

static void log_start(struct server *server)
{
    const struct options *options = server->options;
    bool has_peers = server->peers.is_listening;
    log_line(&server->log, LOG_INFO, "ringfort %s, pid %d: clients on %s%s%s%s%s, data in %s",
             RINGFORT_VERSION, (int)getpid(),
             options->client_listen[0] == '\0' ? "no port" : options->client_listen,
             options->cluster_listen[0] == '\0' ? "" : ", cluster clients on ",
             options->cluster_listen, has_peers ? ", peers on " : "",
             has_peers ? options->peer_listen : "", options->data_dir);
    if (options->allow_open) {
        log_line(&server->log, LOG_WARNING,
                 "allow-open yes: whoever reaches the ports of this node can read and write it");
    }
}

static void server_start(struct server *server)
{
    static const int numbers[] = {SIGTERM, SIGINT};
    uv_loop_t *uv = &server->loop.uv;
    for (size_t i = 0; i < ARRAY_COUNT(numbers); i++) {
        uv_signal_init(uv, &server->signals[i]);
        server->signals[i].data = server;
        uv_signal_start(&server->signals[i], on_signal, numbers[i]);
    }
    uv_timer_init(uv, &server->second);
    uv_timer_init(uv, &server->stop_cap);
    server->second.data = server->stop_cap.data = server;
    uv_timer_start(&server->second, on_second, 1000, 1000);
    log_start(server);
    uint8_t seed[32];
    ssize_t size = getrandom(seed, sizeof(seed), 0);
    ASSERT(size == (ssize_t)sizeof(seed));
    struct event event = {.type = EVENT_START, .seed = seed};
    step_all(server, &event);
}

int server_run(const struct options *options)
{
    umask(077);
    signal(SIGPIPE, SIG_IGN);
    struct server *server = mem_alloc_zero(1, sizeof(*server));
    server->options = options;
    server->deadline_ns = UINT64_MAX;
    log_init(&server->log, options);
    unsigned open_max = clients_open_max(server);
    if (open_max == 0) {
        mem_free(server);
        return 1;
    }
    struct loop *loop = &server->loop;
    loop_init(loop, (struct loop_owner){server, on_event, on_turn});
    client_set_init(&server->clients, loop, &server->log, options, open_max);
    peer_set_init(&server->peers, loop, &server->log, options,
                  4 * options->members_count +
                      16 /* Dialed, accepted, and those being replaced. */);
    /* A taken port stops the start before the store is touched. */
    struct storage *storage = NULL;
    if (client_set_listen(&server->clients) == OK && peer_set_listen(&server->peers) == OK) {
        storage = open_store(server);
    }
    int status = 1;
    if (storage != NULL) {
        disk_init(&server->disk, loop, &server->log, options, storage);
        server->node = node_new(options);
        server_start(server);
        loop_run(loop);
        server_finish(server);
        status = 0;
    } else {
        client_set_close(&server->clients);
        peer_set_close(&server->peers);
        loop_release(loop);
    }
    mem_free(server);
    return status;
}

int server_main(int count, char **arguments)
{
    struct options *options = mem_alloc(sizeof(*options));
    struct buf words;
    buf_init(&words, 4096);
    options_init(options);
    enum err err = config_arguments(options, count, arguments, &words);
    if (err == OK) {
        err = config_finish(options, &words);
    }
    int status = 2;
    if (err == OK) {
        status = server_run(options);
    } else {
        fprintf(stderr, "ringfort server: %.*s\n", (int)words.size, (const char *)words.data);
    }
    buf_release(&words);
    mem_free(options);
    return status;
}
