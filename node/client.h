/* node/client.h - the connections of clients: accepting, reading, bounded replies.
 *
 * Shell. The core counts clients and answers those beyond max-clients; here only what the process
 * can hold is bounded (open files). A client that does not read its replies is not read from past
 * client-pause-bytes, and closed past client-output-max-bytes. */
#pragma once

#include "base/map.h"
#include "node/log.h"
#include "node/loop.h"

struct client_set {
    struct loop *loop;
    struct log *log;
    const struct options *options;
    struct map clients; /* By id. */
    uint64_t id_next;
    unsigned open_count, open_max; /* Connections, ending ones included. */
    struct client_listener {
        uv_tcp_t tcp;
        bool is_open;
    } listeners[2]; /* By face. */
};

/* `open_max`: connections the process may have open at once; what comes beyond is closed at
 * once. */
void client_set_init(struct client_set *set, struct loop *loop, struct log *log,
                     const struct options *options, unsigned open_max);
/* Listen on both faces. Return OK, or ERR_IO after an error was logged. */
MUST_CHECK enum err client_set_listen(struct client_set *set);
/* The three effects. An unknown id is passed over: the client may just have gone. */
void client_set_send(struct client_set *set, uint64_t id, struct bytes bytes);
void client_set_end(struct client_set *set, uint64_t id);
void client_set_pause(struct client_set *set, uint64_t id, bool on);
/* Stop listening. */
void client_set_unlisten(struct client_set *set);
/* Stop listening and close every client; loop_run must go on until they are released. */
void client_set_close(struct client_set *set);
void client_set_release(struct client_set *set);
