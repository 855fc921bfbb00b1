/* node/demo.c - arguments, configuration files, processes. demo_probe.c asks whether they serve. */
#include "node/demo.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CLUSTER_PORT = 100, PEER_PORT = 1000 };

uint64_t demo_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* --- arguments -------------------------------------------------------------------------------- */

static bool is_own_key(const char *key)
{
    static const char *const KEYS[] = {
        "data-dir",  "client-listen",    "cluster-listen",    "peer-listen",
        "node-name", "advertise-client", "advertise-cluster", "advertise-peer",
        "rack",      "weight",           "initial-members"};
    for (size_t i = 0; i < ARRAY_COUNT(KEYS); i++) {
        if (strcmp(KEYS[i], key) == 0) {
            return true;
        }
    }
    return false;
}

static bool parse_number(const char *name, const char *value, unsigned max, unsigned *out)
{
    uint64_t number;
    if (!options_digits(value, strlen(value), &number) || number < 1 || number > max) {
        fprintf(stderr, "ringfort demo: %s must be a number from 1 to %u, not '%s'\n", name, max,
                value);
        return false;
    }
    *out = (unsigned)number;
    return true;
}

/* What a line of the configuration file would not give back as it is. */
static bool fits_file(const char *value)
{
    size_t size = strlen(value);
    bool has_border = size > 0 && (strchr(" \t", value[0]) != NULL ||
                                   strchr(" \t", value[size - 1]) != NULL || value[0] == ';');
    return !has_border && strpbrk(value, "\r\n") == NULL && strstr(value, " ;") == NULL &&
           strstr(value, "\t;") == NULL;
}

/* A key for the servers: check it now rather than in 64 logs. */
static bool parse_passed(struct demo *demo, const char *key, const char *value)
{
    if (is_own_key(key)) {
        fprintf(stderr, "ringfort demo: --%s is chosen by the demo itself\n", key);
        return false;
    }
    if (!fits_file(value)) {
        fprintf(stderr, "ringfort demo: the value of --%s cannot be written to a file\n", key);
        return false;
    }
    if (demo->passed_count == DEMO_PASSED_MAX) {
        fprintf(stderr, "ringfort demo: more than %d options for the nodes\n", DEMO_PASSED_MAX);
        return false;
    }
    struct buf words;
    buf_init(&words, 2048);
    bool is_ok = options_set(demo->options, key, value, &words) == OK;
    if (!is_ok) {
        fprintf(stderr, "ringfort demo: %.*s\n", (int)words.size, (const char *)words.data);
    }
    buf_release(&words);
    demo->passed[demo->passed_count][0] = key;
    demo->passed[demo->passed_count++][1] = value;
    return is_ok;
}

static bool parse_one(struct demo *demo, char *key, const char *value)
{
    if (strcmp(key, "nodes") == 0) {
        return parse_number("--nodes", value, DEMO_NODES_MAX, &demo->nodes_count);
    }
    if (strcmp(key, "port") == 0) {
        return parse_number("--port", value, UINT16_MAX - PEER_PORT - DEMO_NODES_MAX, &demo->port);
    }
    if (strcmp(key, "dir") == 0) {
        if (value[0] == '\0' || strlen(value) >= OPTIONS_TEXT_MAX - 16) {
            fprintf(stderr, "ringfort demo: --dir must be a directory of at most %d characters\n",
                    OPTIONS_TEXT_MAX - 17);
            return false;
        }
        snprintf(demo->directory, sizeof(demo->directory), "%s", value);
        return true;
    }
    return parse_passed(demo, key, value);
}

static bool was_passed(const struct demo *demo, const char *key)
{
    for (unsigned i = 0; i < demo->passed_count; i++) {
        if (strcmp(demo->passed[i][0], key) == 0) {
            return true;
        }
    }
    return false;
}

static bool demo_parse(struct demo *demo, int count, char **arguments)
{
    for (int i = 0; i < count; i++) {
        char *argument = arguments[i];
        if (strncmp(argument, "--", 2) != 0) {
            fprintf(stderr, "ringfort demo: expected --key value, not '%s'\n", argument);
            return false;
        }
        char *equals = strchr(argument, '=');
        const char *value = equals != NULL ? equals + 1 : arguments[i + 1];
        if (equals != NULL) {
            *equals = '\0';
        } else if (++i == count) {
            fprintf(stderr, "ringfort demo: %s needs a value\n", argument);
            return false;
        }
        if (!parse_one(demo, argument + 2, value)) {
            return false;
        }
    }
    /* A majority of the copies, unless other numbers were asked for. */
    struct options *options = demo->options;
    options->n = was_passed(demo, "n") ? options->n : MIN(3, demo->nodes_count);
    options->r = was_passed(demo, "r") ? options->r : options->n / 2 + 1;
    options->w = was_passed(demo, "w") ? options->w : options->n / 2 + 1;
    struct buf words;
    buf_init(&words, 2048);
    bool is_ok = options_check(options, &words) == OK;
    if (!is_ok) {
        fprintf(stderr, "ringfort demo: %.*s\n", (int)words.size, (const char *)words.data);
    }
    buf_release(&words);
    return is_ok;
}

/* --- before the start ------------------------------------------------------------------------- */

static bool port_is_free(unsigned port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    bool is_free = bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
    if (!is_free) {
        fprintf(
            stderr,
            "ringfort demo: port %u is taken: %s; stop what listens there or choose others with "
            "--port\n",
            port, strerror(errno));
    }
    close(fd);
    return is_free;
}

static bool ports_are_free(const struct demo *demo)
{
    for (unsigned i = 0; i < demo->nodes_count; i++) {
        unsigned port = demo->port + i;
        if (!port_is_free(port) || !port_is_free(port + CLUSTER_PORT) ||
            !port_is_free(port + PEER_PORT)) {
            return false;
        }
    }
    return true;
}

static bool make_directory(const char *path)
{
    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        fprintf(stderr, "ringfort demo: %s cannot be made: %s\n", path, strerror(errno));
        return false;
    }
    return true;
}

static bool write_configuration(const struct demo *demo, unsigned number)
{
    char path[OPTIONS_TEXT_MAX * 4 + 64];
    snprintf(path, sizeof(path), "%s/n%u", demo->directory_full, number);
    if (!make_directory(path)) {
        return false;
    }
    snprintf(path, sizeof(path), "%s/n%u/ringfort.conf", demo->directory_full, number);
    FILE *file = fopen(path, "we");
    if (file == NULL) {
        fprintf(stderr, "ringfort demo: %s cannot be written: %s\n", path, strerror(errno));
        return false;
    }
    unsigned port = demo->port + number - 1;
    fprintf(file, "# Written by ringfort demo, anew at each of its starts.\n");
    fprintf(file, "node-name = n%u\ndata-dir = %s/n%u\n", number, demo->directory_full, number);
    fprintf(file, "client-listen = 127.0.0.1:%u\n", port);
    fprintf(file, "cluster-listen = 127.0.0.1:%u\n", port + CLUSTER_PORT);
    fprintf(file, "peer-listen = 127.0.0.1:%u\n", port + PEER_PORT);
    fprintf(file, "initial-members = ");
    for (unsigned i = 0; i < demo->nodes_count; i++) {
        fprintf(file, "%sn%u@127.0.0.1:%u", i == 0 ? "" : ", ", i + 1, demo->port + PEER_PORT + i);
    }
    fprintf(file, "\nn = %u\nr = %u\nw = %u\n", demo->options->n, demo->options->r,
            demo->options->w);
    for (unsigned i = 0; i < demo->passed_count; i++) {
        fprintf(file, "%s = %s\n", demo->passed[i][0], demo->passed[i][1]);
    }
    bool is_ok = ferror(file) == 0;
    if (fclose(file) != 0 || !is_ok) {
        fprintf(stderr, "ringfort demo: %s cannot be written: %s\n", path, strerror(errno));
        return false;
    }
    return true;
}

static bool prepare(struct demo *demo)
{
    umask(077);
    ssize_t size = readlink("/proc/self/exe", demo->program, sizeof(demo->program) - 1);
    if (size <= 0) {
        fprintf(stderr, "ringfort demo: /proc/self/exe: %s\n", strerror(errno));
        return false;
    }
    if (!ports_are_free(demo) || !make_directory(demo->directory)) {
        return false;
    }
    char full[4096];
    if (realpath(demo->directory, full) == NULL || strlen(full) >= OPTIONS_TEXT_MAX - 16) {
        fprintf(stderr, "ringfort demo: the path of %s is longer than %d characters\n",
                demo->directory, OPTIONS_TEXT_MAX - 17);
        return false;
    }
    if (!fits_file(full)) {
        fprintf(stderr, "ringfort demo: the path %s cannot be written to a file\n", full);
        return false;
    }
    snprintf(demo->directory_full, sizeof(demo->directory_full), "%s", full);
    for (unsigned number = 1; number <= demo->nodes_count; number++) {
        if (!write_configuration(demo, number)) {
            return false;
        }
    }
    return true;
}

/* --- processes -------------------------------------------------------------------------------- */

/* In the child: become the node. */
NORETURN static void node_exec(const struct demo *demo, unsigned number, pid_t parent)
{
    char path[OPTIONS_TEXT_MAX * 4 + 64];
    snprintf(path, sizeof(path), "%s/n%u/log", demo->directory_full, number);
    int log = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    int null = open("/dev/null", O_RDONLY);
    if (log < 0 || null < 0) {
        _exit(1);
    }
    dup2(null, STDIN_FILENO);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    /* A group of its own: Ctrl-C is for the demo, which then ends the nodes in order. */
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) {
        _exit(1);
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    close_range(3, ~0U, 0);
    snprintf(path, sizeof(path), "%s/n%u/ringfort.conf", demo->directory_full, number);
    execl(demo->program, "ringfort", "server", "-c", path, (char *)NULL);
    _exit(1);
}

static bool nodes_start(struct demo *demo)
{
    pid_t parent = getpid();
    for (unsigned i = 0; i < demo->nodes_count; i++) {
        struct demo_node *node = &demo->nodes[i];
        node->number = i + 1;
        node->probe_fd = -1;
        fflush(NULL);
        pid_t pid = fork();
        if (pid == 0) {
            node_exec(demo, node->number, parent);
        }
        if (pid < 0) {
            fprintf(stderr, "ringfort demo: no process for n%u: %s\n", node->number,
                    strerror(errno));
            return false;
        }
        node->pid = pid;
    }
    return true;
}

struct demo_node *demo_reap(struct demo *demo)
{
    int status;
    pid_t pid = waitpid(-1, &status, WNOHANG);
    for (unsigned i = 0; pid > 0 && i < demo->nodes_count; i++) {
        if (demo->nodes[i].pid == pid) {
            demo->nodes[i].pid = 0;
            demo->nodes[i].exit_status = status;
            return &demo->nodes[i];
        }
    }
    return NULL;
}

static unsigned running_count(const struct demo *demo)
{
    unsigned count = 0;
    for (unsigned i = 0; i < demo->nodes_count; i++) {
        count += demo->nodes[i].pid != 0 ? 1 : 0;
    }
    return count;
}

static void signal_all(const struct demo *demo, int number)
{
    for (unsigned i = 0; i < demo->nodes_count; i++) {
        if (demo->nodes[i].pid != 0) {
            kill(demo->nodes[i].pid, number);
        }
    }
}

/* SIGTERM to all; SIGKILL to those that have not ended in DEMO_STOP_MS, or at a second Ctrl-C. */
static void nodes_stop(struct demo *demo)
{
    uint64_t until_ms = demo_now_ms() + DEMO_STOP_MS;
    signal_all(demo, SIGTERM);
    for (;;) {
        while (demo_reap(demo) != NULL) {
        }
        if (running_count(demo) == 0) {
            return;
        }
        uint64_t now_ms = demo_now_ms();
        struct pollfd wait = {.fd = demo->signal_fd, .events = POLLIN};
        struct signalfd_siginfo info = {0};
        if (now_ms < until_ms && poll(&wait, 1, (int)(until_ms - now_ms)) > 0) {
            ssize_t size = read(demo->signal_fd, &info, sizeof(info));
            (void)size;
        }
        if (now_ms >= until_ms || info.ssi_signo == SIGINT || info.ssi_signo == SIGTERM) {
            fprintf(stderr, "ringfort demo: %u nodes do not end: killed\n", running_count(demo));
            signal_all(demo, SIGKILL);
            until_ms = now_ms + DEMO_STOP_MS;
        }
    }
}

/* --- what is printed -------------------------------------------------------------------------- */

static void print_banner(const struct demo *demo, uint64_t took_ms)
{
    const struct options *options = demo->options;
    bool is_alone = demo->nodes_count == 1;
    unsigned last = demo->nodes_count;
    const char *auth = options->requirepass[0] == '\0' ? "" : " -a PASSWORD";
    printf("%u node%s after %.1f s; every key on %u, read from %u, written to %u; data in %s\n\n",
           last, is_alone ? " serves" : "s serve", (double)took_ms / 1000,
           MIN(options->n, demo->nodes_count), options->r, options->w, demo->directory);
    printf("  node  pid      plain clients    cluster clients  peers\n");
    for (unsigned i = 0; i < last; i++) {
        unsigned port = demo->port + i;
        printf("  n%-4u %-8d 127.0.0.1:%-6u 127.0.0.1:%-6u 127.0.0.1:%u\n", i + 1,
               (int)demo->nodes[i].pid, port, port + CLUSTER_PORT, port + PEER_PORT);
    }
    printf("\nIn another terminal:\n  redis-cli -p %u%s set greeting hello\n", demo->port, auth);
    printf("  redis-cli -p %u%s get greeting\n", demo->port + (is_alone ? 0 : 1), auth);
    if (!is_alone) {
        printf("  kill -9 %d\n", (int)demo->nodes[last - 1].pid);
        printf("  redis-cli -p %u%s get greeting\n", demo->port, auth);
    }
    printf("  %s%s status -p %u\n\nCtrl-C ends all nodes.\n",
           auth[0] == '\0' ? "" : "REDISCLI_AUTH=PASSWORD ", demo->program, demo->port);
}

/* Print in a way that a shell reads back as one word. */
static void print_word(const char *text)
{
    if (strpbrk(text, " \t'\"$`\\&;|<>()*?[]#~!{}") == NULL) {
        printf("%s", text);
        return;
    }
    putchar('\'');
    for (; *text != '\0'; text++) {
        printf(*text == '\'' ? "'\\''" : "%c", *text);
    }
    putchar('\'');
}

static void print_end(const struct demo *demo, const struct demo_node *node, pid_t pid)
{
    char path[OPTIONS_TEXT_MAX * 4 + 64];
    snprintf(path, sizeof(path), "%s/n%u/ringfort.conf", demo->directory_full, node->number);
    int status = node->exit_status;
    printf("n%u (pid %d) ", node->number, (int)pid);
    if (WIFSIGNALED(status)) {
        printf("was killed by signal %d", WTERMSIG(status));
    } else {
        printf("ended with status %d", WEXITSTATUS(status));
    }
    printf("%s; start it again with: ",
           running_count(demo) > 0 ? "; the other nodes go on" : "; no node is left");
    print_word(demo->program);
    printf(" server -c ");
    print_word(path);
    printf("\n");
}

/* Until a signal asks for the end or the last node has ended. Return the exit status. */
static int watch(struct demo *demo)
{
    while (running_count(demo) > 0) {
        struct signalfd_siginfo info;
        if (read(demo->signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info)) {
            continue;
        }
        if (info.ssi_signo != SIGCHLD) {
            return 0;
        }
        pid_t pids[DEMO_NODES_MAX];
        for (unsigned i = 0; i < demo->nodes_count; i++) {
            pids[i] = demo->nodes[i].pid;
        }
        struct demo_node *node;
        while ((node = demo_reap(demo)) != NULL) {
            print_end(demo, node, pids[node->number - 1]);
        }
    }
    return 1;
}

static int demo_run(struct demo *demo)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (!prepare(demo)) {
        return 1;
    }
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGCHLD);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    demo->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC);
    if (demo->signal_fd < 0) {
        fprintf(stderr, "ringfort demo: signalfd: %s\n", strerror(errno));
        return 1;
    }
    uint64_t begin_ms = demo_now_ms();
    bool interrupted = false;
    int status = 1;
    if (nodes_start(demo) && demo_wait_serving(demo, &interrupted)) {
        print_banner(demo, demo_now_ms() - begin_ms);
        status = watch(demo);
    } else if (interrupted) {
        status = 0;
    }
    nodes_stop(demo);
    close(demo->signal_fd);
    return status;
}

int demo_main(int count, char **arguments)
{
    struct demo *demo = mem_alloc_zero(1, sizeof(*demo));
    demo->options = mem_alloc(sizeof(*demo->options));
    options_init(demo->options);
    demo->nodes_count = 3;
    demo->port = 7001;
    snprintf(demo->directory, sizeof(demo->directory), "%s", "./ringfort-demo");
    int status = demo_parse(demo, count, arguments) ? demo_run(demo) : 2;
    mem_free(demo->options);
    mem_free(demo);
    return status;
}
