#include "node/command.h"

#include <stdio.h>
#include <string.h>

/* CLIENT: who is connected. */

enum run run_client_id(struct invocation *in)
{
    reply_integer(&in->reply, (int64_t)in->session->number);
    return RUN_REPLIED;
}

enum run run_client_getname(struct invocation *in)
{
    if (in->session->name[0] == '\0') {
        reply_null(&in->reply);
    } else {
        reply_bulk_text(&in->reply, in->session->name);
    }
    return RUN_REPLIED;
}

static bool is_printable(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '!' || text.data[i] > '~') {
            return false;
        }
    }
    return true;
}

/* Copy `value` into a field of SESSION_NAME_MAX bytes. False: answered. */
static bool set_name(struct invocation *in, char *field, struct bytes value, const char *what)
{
    if (!is_printable(value)) {
        reply_error_printf(&in->reply,
                           "ERR %s cannot contain spaces, newlines or special characters.", what);
        return false;
    }
    if (value.size >= SESSION_NAME_MAX) {
        reply_error_printf(&in->reply, "ERR %s cannot be longer than %d bytes", what,
                           SESSION_NAME_MAX - 1);
        return false;
    }
    memset(field, 0, SESSION_NAME_MAX);
    if (value.size > 0) {
        memcpy(field, value.data, value.size);
    }
    return true;
}

bool client_set_name(struct invocation *in, struct bytes name)
{
    return set_name(in, in->session->name, name, "Client names");
}

enum run run_client_setname(struct invocation *in)
{
    if (client_set_name(in, in->argv[2])) {
        reply_ok(&in->reply);
    }
    return RUN_REPLIED;
}

enum run run_client_setinfo(struct invocation *in)
{
    bool good;

    if (bytes_equal_nocase(in->argv[2], "lib-name")) {
        good = set_name(in, in->session->lib_name, in->argv[3], "lib-name");
    } else if (bytes_equal_nocase(in->argv[2], "lib-ver")) {
        good = set_name(in, in->session->lib_version, in->argv[3], "lib-ver");
    } else {
        reply_error_printf(&in->reply, "ERR Unrecognized option '%.*s'",
                           (int)MIN(in->argv[2].size, (size_t)128), (const char *)in->argv[2].data);
        return RUN_REPLIED;
    }
    if (good) {
        reply_ok(&in->reply);
    }
    return RUN_REPLIED;
}

/* CLIENT NO-EVICT on|off, CLIENT NO-TOUCH on|off: nothing is ever evicted here, so both only
 * show. */
enum run run_client_flag(struct invocation *in)
{
    bool on = bytes_equal_nocase(in->argv[2], "on");

    if (!on && !bytes_equal_nocase(in->argv[2], "off")) {
        return command_syntax_error(in);
    }
    if (in->command->variant == 0) {
        in->session->no_evict = on;
    } else {
        in->session->no_touch = on;
    }
    reply_ok(&in->reply);
    return RUN_REPLIED;
}

/* ---- CLIENT INFO, CLIENT LIST ---- */

void client_describe(struct buf *out, struct session *session)
{
    uint64_t now_ns = session->clients->now.ns;
    const struct view *view = clients_view(session->clients);
    const struct view_member *self = view->members_count > 0 ? view->members + view->self : NULL;
    bool cluster = session->face == FACE_CLUSTER;
    const char *host = self == NULL ? "" : cluster ? self->cluster_host : self->client_host;
    unsigned port = self == NULL ? 0 : cluster ? self->cluster_port : self->client_port;

    buf_printf(out,
               "id=%llu addr=%s laddr=%s:%u fd=0 name=%s age=%llu idle=%llu flags=%s%s%s db=%u",
               (unsigned long long)session->number, session->address, host, port, session->name,
               (unsigned long long)((now_ns - session->opened_ns) / 1000000000),
               (unsigned long long)((now_ns - session->active_ns) / 1000000000),
               session->no_evict ? "e" : "", session->no_touch ? "T" : "",
               session->no_evict || session->no_touch ? "" : "N", session->database);
    buf_printf(out, " sub=0 psub=0 ssub=0 multi=-1 qbuf=%zu qbuf-free=%zu argv-mem=0 multi-mem=0",
               session->in.size, session->in.capacity - session->in.size);
    buf_printf(out, " rbs=0 rbp=0 obl=0 oll=%u omem=%llu tot-mem=%zu events=%s cmd=%s",
               session->calls_count, (unsigned long long)session->held_bytes,
               sizeof(*session) + session->in.capacity + (size_t)session->held_bytes,
               session->paused ? "" : "r", session->last == NULL ? "NULL" : session->last->name);
    buf_printf(out, " user=default redir=-1 resp=%u lib-name=%s lib-ver=%s\n", session->resp,
               session->lib_name, session->lib_version);
}

enum { DESCRIPTIONS_SIZE_MAX = 1 << 30 };

enum run run_client_info(struct invocation *in)
{
    struct buf text;

    buf_init(&text, DESCRIPTIONS_SIZE_MAX);
    client_describe(&text, in->session);
    reply_verbatim(&in->reply, buf_bytes(&text));
    buf_release(&text);
    return RUN_REPLIED;
}

/* True when the words from argv[3] on, all numbers, hold the client's. */
static bool is_listed(const struct invocation *in, uint64_t number)
{
    for (uint32_t i = 3; i < in->argc; i++) {
        int64_t wanted;
        if (bytes_to_i64(in->argv[i], &wanted) && (uint64_t)wanted == number) {
            return true;
        }
    }
    return false;
}

/* CLIENT LIST [TYPE normal|master|replica|pubsub] [ID n ...]. False: answered. */
static bool list_parse(struct invocation *in, bool *none, bool *by_id)
{
    struct bytes word = command_word(in, 2);
    struct bytes value = command_word(in, 3);

    if (in->argc == 4 && bytes_equal_nocase(word, "TYPE")) {
        bool known = bytes_equal_nocase(value, "master") || bytes_equal_nocase(value, "replica") ||
                     bytes_equal_nocase(value, "slave") || bytes_equal_nocase(value, "pubsub");
        if (!known && !bytes_equal_nocase(value, "normal")) {
            reply_error_printf(&in->reply, "ERR Unknown client type '%.*s'",
                               (int)MIN(value.size, (size_t)128), (const char *)value.data);
            return false;
        }
        *none = known; /* Every client of ours is a normal one. */
        return true;
    }
    if (in->argc > 3 && bytes_equal_nocase(word, "ID")) {
        for (uint32_t i = 3; i < in->argc; i++) {
            int64_t number;
            if (!bytes_to_i64(in->argv[i], &number)) {
                reply_error(&in->reply, "ERR Invalid client ID");
                return false;
            }
        }
        *by_id = true;
        return true;
    }
    if (in->argc != 2) {
        command_syntax_error(in);
        return false;
    }
    return true;
}

enum run run_client_list(struct invocation *in)
{
    bool none = false;
    bool by_id = false;
    struct buf text;

    if (!list_parse(in, &none, &by_id)) {
        return RUN_REPLIED;
    }
    buf_init(&text, DESCRIPTIONS_SIZE_MAX);
    LIST_FOR (item, &in->clients->all) {
        struct session *session = CONTAINER_OF(item, struct session, link);
        if (!none && (!by_id || is_listed(in, session->number))) {
            client_describe(&text, session);
        }
    }
    reply_verbatim(&in->reply, buf_bytes(&text));
    buf_release(&text);
    return RUN_REPLIED;
}
