/* node/main.c - the verbs of the one program, ringfort. */
#include "node/demo.h"
#include "node/options.h"
#include "node/server.h"
#include "node/status.h"

#include <stdio.h>
#include <string.h>

struct verb {
    const char *name;
    int (*run)(int count, char **arguments);
    const char *usage, *summary, *help;
};

static const struct verb VERBS[] = {
    {"server", server_main, "server [-c FILE] [--KEY VALUE ...]", "run one node",
     "Runs one node until SIGTERM or SIGINT. FILE holds lines of `key = value`; every key is also "
     "an\n"
     "option and then overrides the file."},
    {"demo", demo_main, "demo [--nodes 3] [--dir DIR] [--port 7001] [--KEY VALUE ...]",
     "run a cluster on this machine, one process per node",
     "Starts 1 to 64 nodes on 127.0.0.1: plain clients on PORT and the ports after it, cluster\n"
     "clients on +100, peers on +1000. Data and logs stay in DIR (./ringfort-demo) for the next\n"
     "start. Other options go to every node; see `ringfort help server`. Ctrl-C ends all nodes."},
    {"status", status_main, "status [-h HOST] [-p PORT] [--json]",
     "print the cluster as one node sees it",
     "Asks the node at HOST (127.0.0.1) and PORT (6379). A node with requirepass is given the\n"
     "password in the environment variable REDISCLI_AUTH."},
};

static const char *verb_name(unsigned index)
{
    return index < ARRAY_COUNT(VERBS) ? VERBS[index].name : NULL;
}

static const struct verb *verb_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_COUNT(VERBS); i++) {
        if (strcmp(VERBS[i].name, name) == 0) {
            return &VERBS[i];
        }
    }
    fprintf(stderr, "ringfort: unknown verb '%s'", name);
    const char *nearest = options_nearest(name, verb_name);
    if (nearest != NULL) {
        fprintf(stderr, "; did you mean %s?\n", nearest);
    } else {
        fprintf(stderr, "; see ringfort --help\n");
    }
    return NULL;
}

static void print_help(void)
{
    printf("ringfort %s: a key-value store without a leader that speaks the Redis protocol\n\n",
           RINGFORT_VERSION);
    for (size_t i = 0; i < ARRAY_COUNT(VERBS); i++) {
        printf("  ringfort %s\n      %s\n", VERBS[i].usage, VERBS[i].summary);
    }
    printf("  ringfort help VERB\n      more about one of them\n  ringfort --version\n\n"
           "Exit status: 0 done, 1 failed, 2 bad usage.\n");
}

static void print_keys(void)
{
    struct options *options = mem_alloc(sizeof(*options));
    struct arena arena;
    options_init(options);
    arena_init(&arena, 4096);
    printf("\nKeys, with their defaults (sizes take kb, mb, gb):\n");
    for (unsigned i = 0; options_key(i) != NULL; i++) {
        if (strncmp(options_key(i), "db.", 3) != 0) {
            printf("  %-24s %-17s %s\n", options_key(i),
                   options_get(options, options_key(i), &arena), options_help(i));
        }
    }
    printf("  %-24s %-17s %s\n", "db.0.r ... db.15.r", "default",
           "r of one database; so too db.N.w");
    printf("  %-24s %-17s %s\n", "db.0.consistency ...", "default", "consistency of one database");
    arena_release(&arena);
    mem_free(options);
}

static int print_verb(const struct verb *verb)
{
    printf("ringfort %s\n\n%s\n", verb->usage, verb->help);
    if (verb->run == server_main) {
        print_keys();
    }
    return 0;
}

static int run_help(int count, char **arguments)
{
    if (count == 0) {
        print_help();
        return 0;
    }
    const struct verb *verb = verb_find(arguments[0]);
    return verb == NULL ? 2 : print_verb(verb);
}

int main(int count, char **arguments)
{
    if (count < 2) {
        print_help();
        return 2;
    }
    const char *name = arguments[1];
    if (strcmp(name, "--version") == 0) {
        printf("ringfort %s\n", RINGFORT_VERSION);
        return 0;
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        return run_help(count - 2, arguments + 2);
    }
    const struct verb *verb = verb_find(name);
    if (verb == NULL) {
        return 2;
    }
    if (count > 2 && strcmp(arguments[2], "--help") == 0) {
        return print_verb(verb);
    }
    return verb->run(count - 2, arguments + 2);
}
