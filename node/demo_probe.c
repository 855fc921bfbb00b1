/* node/demo_probe.c - does a node serve? Asked over its plain port, all nodes at once, with
 * poll(2). */
#include "node/demo.h"

#include <arpa/inet.h>
#include <errno.h>
#include <hiredis/hiredis.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    PROBE_KEYS = 64, /* Spread over partitions, so that a node that lacks peers is noticed. */
    PROBE_RETRY_MS = 25,
    TAIL_BYTES = 4096,
    TAIL_LINES = 10,
};

static void probe_close(struct demo_node *node, const char *words)
{
    snprintf(node->words, sizeof(node->words), "%s", words);
    if (node->probe_fd >= 0) {
        close(node->probe_fd);
        redisReaderFree(node->reader);
    }
    node->probe_fd = -1;
    node->reader = NULL;
    node->is_connected = false;
    node->retry_ms = demo_now_ms() + PROBE_RETRY_MS;
}

static void probe_open(struct demo *demo, struct demo_node *node)
{
    unsigned port = demo->port + node->number - 1;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    node->reader = redisReaderCreate();
    node->probe_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (connect(node->probe_fd, (struct sockaddr *)&address, sizeof(address)) != 0 &&
        errno != EINPROGRESS) {
        probe_close(node, strerror(errno));
    }
}

/* Everything in one write: a few kilobytes always fit into a fresh socket. */
static void probe_send(struct demo *demo, struct demo_node *node)
{
    struct buf out;
    buf_init(&out, 16 * 1024);
    const char *password = demo->options->requirepass;
    node->answers_left = 1 + PROBE_KEYS;
    node->refused = false;
    if (password[0] != '\0') {
        buf_printf(&out, "*2\r\n$4\r\nAUTH\r\n$%zu\r\n%s\r\n", strlen(password), password);
        node->answers_left++;
    }
    buf_printf(&out, "PING\r\n");
    for (unsigned i = 0; i < PROBE_KEYS; i++) {
        buf_printf(&out, "GET ringfort-demo-probe:%u\r\n", i);
    }
    ssize_t sent = send(node->probe_fd, out.data, out.size, MSG_NOSIGNAL);
    if (sent != (ssize_t)out.size) {
        probe_close(node, "the connection broke");
    }
    buf_release(&out);
}

static void probe_answer(struct demo_node *node, const redisReply *reply)
{
    node->answers_left--;
    if (reply->type == REDIS_REPLY_ERROR) {
        node->refused = true;
        snprintf(node->words, sizeof(node->words), "%s", reply->str);
    }
    if (node->answers_left > 0) {
        return;
    }
    if (node->refused) {
        node->retry_ms = demo_now_ms() + PROBE_RETRY_MS; /* Ask again over the same connection. */
    } else {
        node->serves = true;
        probe_close(node, "");
    }
}

static void probe_read(struct demo_node *node)
{
    char bytes[8192];
    ssize_t size = recv(node->probe_fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    if (size <= 0) {
        probe_close(node, size == 0 ? "it closed the connection" : strerror(errno));
        return;
    }
    void *reply = NULL;
    if (redisReaderFeed(node->reader, bytes, (size_t)size) != REDIS_OK) {
        probe_close(node, "it does not speak the Redis protocol");
        return;
    }
    while (node->reader != NULL && node->answers_left > 0) {
        if (redisReaderGetReply(node->reader, &reply) != REDIS_OK) {
            probe_close(node, "it does not speak the Redis protocol");
            return;
        }
        if (reply == NULL) {
            return;
        }
        probe_answer(node, reply);
        freeReplyObject(reply);
    }
}

static void probe_event(struct demo *demo, struct demo_node *node)
{
    if (node->is_connected) {
        probe_read(node);
        return;
    }
    int error = 0;
    socklen_t size = sizeof(error);
    getsockopt(node->probe_fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) {
        probe_close(node, strerror(error));
        return;
    }
    node->is_connected = true;
    probe_send(demo, node);
}

/* Open or repeat what is due and fill in what to poll. Return the milliseconds to the next
 * retry. */
static int probes_prepare(struct demo *demo, struct pollfd *polls, uint64_t until_ms)
{
    uint64_t now_ms = demo_now_ms();
    uint64_t next_ms = until_ms;
    for (unsigned i = 0; i < demo->nodes_count; i++) {
        struct demo_node *node = &demo->nodes[i];
        bool is_due = !node->serves && now_ms >= node->retry_ms;
        if (is_due && node->probe_fd < 0) {
            probe_open(demo, node);
        } else if (is_due && node->is_connected && node->answers_left == 0) {
            probe_send(demo, node);
        }
        bool is_waiting = node->probe_fd < 0 || (node->is_connected && node->answers_left == 0);
        if (!node->serves && is_waiting) {
            next_ms = MIN(next_ms, node->retry_ms);
        }
        polls[i] =
            (struct pollfd){.fd = node->probe_fd, .events = node->is_connected ? POLLIN : POLLOUT};
    }
    return next_ms > now_ms ? (int)(next_ms - now_ms) : 0;
}

static bool all_serve(const struct demo *demo)
{
    for (unsigned i = 0; i < demo->nodes_count; i++) {
        if (!demo->nodes[i].serves) {
            return false;
        }
    }
    return true;
}

void demo_print_log_tail(const struct demo *demo, const struct demo_node *node)
{
    char path[OPTIONS_TEXT_MAX * 4 + 64];
    snprintf(path, sizeof(path), "%s/n%u/log", demo->directory_full, node->number);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return;
    }
    char text[TAIL_BYTES + 1];
    if (fseek(file, -TAIL_BYTES, SEEK_END) != 0) {
        rewind(file);
    }
    size_t size = fread(text, 1, TAIL_BYTES, file);
    fclose(file);
    text[size] = '\0';
    char *from = text + size;
    for (int lines = 0; from > text; from--) {
        if (from[-1] == '\n' && from != text + size && ++lines == TAIL_LINES) {
            break;
        }
    }
    fprintf(stderr, "The end of %s:\n%s%s", path, from,
            size > 0 && text[size - 1] != '\n' ? "\n" : "");
}

/* A child ended or the time is over: say which, and why as far as its log knows. */
static void report_failure(const struct demo *demo, const struct demo_node *ended)
{
    if (ended != NULL) {
        fprintf(stderr, "ringfort demo: n%u ended before it served\n", ended->number);
        demo_print_log_tail(demo, ended);
        return;
    }
    for (unsigned i = 0; i < demo->nodes_count; i++) {
        const struct demo_node *node = &demo->nodes[i];
        if (!node->serves) {
            fprintf(stderr, "ringfort demo: n%u does not serve after %d s: %s\n", node->number,
                    DEMO_START_MS / 1000, node->words);
            demo_print_log_tail(demo, node);
            return;
        }
    }
}

bool demo_wait_serving(struct demo *demo, bool *interrupted)
{
    uint64_t until_ms = demo_now_ms() + DEMO_START_MS;
    bool failed = false;
    while (!failed && !*interrupted && !all_serve(demo)) {
        struct pollfd polls[DEMO_NODES_MAX + 1];
        int timeout_ms = probes_prepare(demo, polls, until_ms);
        polls[demo->nodes_count] = (struct pollfd){.fd = demo->signal_fd, .events = POLLIN};
        int ready = poll(polls, demo->nodes_count + 1, timeout_ms);
        for (unsigned i = 0; ready > 0 && i < demo->nodes_count; i++) {
            if (polls[i].fd >= 0 && polls[i].revents != 0) {
                probe_event(demo, &demo->nodes[i]);
            }
        }
        struct signalfd_siginfo info;
        if (ready > 0 && polls[demo->nodes_count].revents != 0 &&
            read(demo->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
            *interrupted = info.ssi_signo != SIGCHLD;
        }
        const struct demo_node *ended = demo_reap(demo);
        failed = ended != NULL || (demo_now_ms() >= until_ms && !all_serve(demo));
        if (failed) {
            report_failure(demo, ended);
        }
    }
    bool serving = !failed && !*interrupted;
    for (unsigned i = 0; i < demo->nodes_count; i++) {
        probe_close(&demo->nodes[i], "");
    }
    return serving;
}
