#include "node/command.h"

#include "base/hash.h"

#include <string.h>

/* Commands about the connection itself: PING, ECHO, HELLO, AUTH, SELECT, RESET, QUIT. */

enum run run_ping(struct invocation *in)
{
    if (in->argc > 2) {
        reply_error(&in->reply, "ERR wrong number of arguments for 'ping' command");
    } else if (in->argc == 2) {
        reply_bulk(&in->reply, in->argv[1]);
    } else {
        reply_simple(&in->reply, "PONG");
    }
    return RUN_REPLIED;
}

enum run run_echo(struct invocation *in)
{
    reply_bulk(&in->reply, in->argv[1]);
    return RUN_REPLIED;
}

enum run run_quit(struct invocation *in)
{
    reply_ok(&in->reply);
    session_close_later(in->session);
    return RUN_REPLIED;
}

void session_reset(struct session *session)
{
    session->resp = 2;
    session->database = 0;
    session->authenticated = session->clients->options->requirepass[0] == '\0';
    session->no_evict = session->no_touch = false;
    session->name[0] = '\0';
    session->wish = (struct wish){.r = 0};
}

enum run run_reset(struct invocation *in)
{
    session_reset(in->session);
    reply_simple(&in->reply, "RESET");
    return RUN_REPLIED;
}

enum run run_select(struct invocation *in)
{
    int64_t index;

    if (!command_i64(in, in->argv[1], &index)) {
        return RUN_REPLIED;
    }
    if (in->session->face == FACE_CLUSTER && index != 0) {
        reply_error(&in->reply, "ERR SELECT is not allowed in cluster mode");
    } else if (index < 0 || index >= OPTIONS_DATABASES_COUNT) {
        reply_error(&in->reply, "ERR DB index is out of range");
    } else {
        in->session->database = (uint8_t)index;
        reply_ok(&in->reply);
    }
    return RUN_REPLIED;
}

enum run run_time(struct invocation *in)
{
    int64_t ms = in->clients->now.wall_ms;

    reply_array(&in->reply, 2);
    reply_bulk_u64(&in->reply, (uint64_t)(ms / 1000));
    reply_bulk_u64(&in->reply, (uint64_t)(ms % 1000 * 1000));
    return RUN_REPLIED;
}

/* ---- AUTH, HELLO ---- */

/* The one user is "default"; without requirepass any password is right, as in Redis. */
static bool password_fits(const struct options *options, struct bytes user, struct bytes password)
{
    struct bytes right = bytes_of(options->requirepass);

    if (!bytes_equal(user, BYTES_LITERAL("default"))) {
        return false;
    }
    if (right.size == 0) {
        return true;
    }
    /* Compare hashes, so that neither content nor length shows in the time it takes. */
    uint8_t a[32];
    uint8_t b[32];
    hash_hmac_sha256(BYTES_LITERAL("requirepass"), right, a);
    hash_hmac_sha256(BYTES_LITERAL("requirepass"), password, b);
    return hash_equal(a, b, sizeof(a));
}

static bool authenticate(struct invocation *in, struct bytes user, struct bytes password)
{
    if (!password_fits(in->clients->options, user, password)) {
        reply_error(&in->reply, "WRONGPASS invalid username-password pair or user is disabled.");
        return false;
    }
    in->session->authenticated = true;
    return true;
}

enum run run_auth(struct invocation *in)
{
    if (in->argc > 3) {
        return command_syntax_error(in);
    }
    if (in->argc == 2 && in->clients->options->requirepass[0] == '\0') {
        reply_error(&in->reply,
                    "ERR AUTH <password> called without any password configured for the default "
                    "user. Are you sure your configuration is correct?");
        return RUN_REPLIED;
    }
    struct bytes user = in->argc == 2 ? BYTES_LITERAL("default") : in->argv[1];
    if (authenticate(in, user, in->argv[in->argc - 1])) {
        reply_ok(&in->reply);
    }
    return RUN_REPLIED;
}

struct hello {
    int64_t version; /* 0: as it is. */
    bool auth, set_name;
    struct bytes user, password, name;
};

static bool hello_parse(struct invocation *in, struct hello *out)
{
    if (in->argc >= 2 && !bytes_to_i64(in->argv[1], &out->version)) {
        reply_error(&in->reply, "ERR Protocol version is not an integer or out of range");
        return false;
    }
    if (in->argc >= 2 && (out->version < 2 || out->version > 3)) {
        reply_error(&in->reply, "NOPROTO unsupported protocol version");
        return false;
    }
    for (uint32_t i = 2; i < in->argc; i++) {
        uint32_t more = in->argc - 1 - i;
        if (bytes_equal_nocase(in->argv[i], "AUTH") && more >= 2) {
            out->auth = true;
            out->user = in->argv[i + 1];
            out->password = in->argv[i + 2];
            i += 2;
        } else if (bytes_equal_nocase(in->argv[i], "SETNAME") && more >= 1) {
            out->set_name = true;
            out->name = in->argv[++i];
        } else {
            reply_error_printf(&in->reply, "ERR Syntax error in HELLO option '%.*s'",
                               (int)MIN(in->argv[i].size, (size_t)128),
                               (const char *)in->argv[i].data);
            return false;
        }
    }
    return true;
}

enum run run_hello(struct invocation *in)
{
    struct hello hello = {.version = 0};
    struct session *session = in->session;

    if (!hello_parse(in, &hello) || (hello.auth && !authenticate(in, hello.user, hello.password))) {
        return RUN_REPLIED;
    }
    if (!session->authenticated) {
        reply_error(&in->reply,
                    "NOAUTH HELLO must be called with the client already authenticated, otherwise "
                    "the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the "
                    "client and select the RESP protocol version at the same time");
        return RUN_REPLIED;
    }
    if (hello.set_name && !client_set_name(in, hello.name)) {
        return RUN_REPLIED;
    }
    if (hello.version != 0) {
        session->resp = in->reply.resp = (uint8_t)hello.version;
    }
    reply_map(&in->reply, 7);
    reply_bulk_text(&in->reply, "server");
    reply_bulk_text(&in->reply, "redis");
    reply_bulk_text(&in->reply, "version");
    reply_bulk_text(&in->reply, REDIS_VERSION);
    reply_bulk_text(&in->reply, "proto");
    reply_integer(&in->reply, session->resp);
    reply_bulk_text(&in->reply, "id");
    reply_integer(&in->reply, (int64_t)session->number);
    reply_bulk_text(&in->reply, "mode");
    reply_bulk_text(&in->reply, session->face == FACE_CLUSTER ? "cluster" : "standalone");
    reply_bulk_text(&in->reply, "role");
    reply_bulk_text(&in->reply, "master");
    reply_bulk_text(&in->reply, "modules");
    reply_array(&in->reply, 0);
    return RUN_REPLIED;
}

/* ---- WAIT ---- */

/* How many other owners hold this connection's last write for certain. A quorum write has waited
 * for them already, so WAIT never waits: it tells what the write knew, W - 1 when it was done
 * and 0 when its outcome is unknown, and the timeout passes at once where more are asked for. */
enum run run_wait(struct invocation *in)
{
    int64_t wanted;
    int64_t timeout_ms;

    if (!command_i64(in, in->argv[1], &wanted)) {
        return RUN_REPLIED;
    }
    if (!bytes_to_i64(in->argv[2], &timeout_ms)) {
        reply_error(&in->reply, "ERR timeout is not an integer or out of range");
        return RUN_REPLIED;
    }
    if (timeout_ms < 0) {
        reply_error(&in->reply, "ERR timeout is negative");
        return RUN_REPLIED;
    }
    const struct view *view = clients_view(in->clients);
    unsigned others = view->w > 0 ? view->w - 1 : 0;
    reply_integer(&in->reply, in->session->wrote ? in->session->acked_others : others);
    return RUN_REPLIED;
}

/* ---- SHUTDOWN ---- */

enum run run_shutdown(struct invocation *in)
{
    for (uint32_t i = 1; i < in->argc; i++) {
        struct bytes word = in->argv[i];
        if (bytes_equal_nocase(word, "ABORT")) {
            reply_error(&in->reply, "ERR No shutdown in progress.");
            return RUN_REPLIED;
        }
        if (!bytes_equal_nocase(word, "SAVE") && !bytes_equal_nocase(word, "NOSAVE") &&
            !bytes_equal_nocase(word, "NOW") && !bytes_equal_nocase(word, "FORCE")) {
            return command_syntax_error(in);
        }
    }
    session_close_later(in->session); /* Without a reply, as Redis. */
    in->clients->io.stop(in->clients->io.context);
    return RUN_REPLIED;
}
