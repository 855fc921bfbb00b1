/* node/server.h - one node as a process: the core, its loop, its sockets and its store.
 *
 * Shell. Hands events to node_step and carries out the effects in their order. */
#pragma once

#include "node/options.h"

enum { SERVER_STOP_MS = 10000 };

/* Run a node until SIGTERM, SIGINT or the core ends it. Return the exit status: 0 after an orderly
 * stop, 1 when it could not start. Exits by itself with 1 on a second signal, a failed write, a
 * fatal error of the core, or an orderly stop that takes longer than SERVER_STOP_MS. */
int server_run(const struct options *options);

/* The verb: `ringfort server [-c FILE] [--KEY VALUE ...]`. Return the exit status. */
int server_main(int count, char **arguments);
