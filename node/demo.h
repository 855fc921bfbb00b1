/* node/demo.h - the verb `ringfort demo`: a cluster on this machine, one process per node.
 *
 * Shell. Everything of a node lies in DIR/nK: its configuration, log and data. The demo starts the
 * nodes, waits until they serve, says what can be tried, reports each one that dies, and takes all
 * of them with it when it ends. Nodes are this same program; they get SIGTERM when the demo is
 * killed. */
#pragma once

#include "node/options.h"

#include <sys/types.h>

enum { DEMO_NODES_MAX = 64, DEMO_START_MS = 15000, DEMO_STOP_MS = 10000, DEMO_PASSED_MAX = 64 };

struct redisReader;

struct demo_node {
    unsigned number; /* From 1. */
    pid_t pid;       /* 0: ended. */
    int exit_status; /* As waitpid gives it, once ended. */
    bool serves;
    /* The probe: see demo_probe.c. */
    int probe_fd; /* -1: none. */
    bool is_connected;
    unsigned answers_left;
    bool refused; /* One of the answers was an error. */
    uint64_t retry_ms;
    struct redisReader *reader;
    char words[160]; /* Why it does not serve yet. */
};

struct demo {
    unsigned nodes_count;
    unsigned port;
    char directory[OPTIONS_TEXT_MAX];          /* As given. */
    char directory_full[OPTIONS_TEXT_MAX * 4]; /* From the root. */
    char program[OPTIONS_TEXT_MAX * 4];
    const char *passed[DEMO_PASSED_MAX][2]; /* Keys and values for every node. */
    unsigned passed_count;
    struct options *options; /* What was passed, checked. */
    struct demo_node nodes[DEMO_NODES_MAX];
    int signal_fd;
};

/* Return the exit status; words go to standard output and error. */
int demo_main(int count, char **arguments);

/* Connect to every node, PING it and GET keys of many partitions, until all serve. Return false
 * with words when one ended or DEMO_START_MS passed; *interrupted when a signal asked for the
 * end. */
MUST_CHECK bool demo_wait_serving(struct demo *demo, bool *interrupted);
/* Wait for children that ended and note their exit. Return the node, or NULL when there is none. */
struct demo_node *demo_reap(struct demo *demo);
/* Print the last lines of a node's log to standard error. */
void demo_print_log_tail(const struct demo *demo, const struct demo_node *node);
/* Milliseconds of the monotonic clock. */
uint64_t demo_now_ms(void);
