#include "node/command.h"

#include <string.h>

/* R, W and consistency: the node's, the database's, the connection's, the request's; the last
 * that says something counts.
 *
 * A database whose consistency is linearizable keeps that promise to everybody, so a request may
 * raise its R and W but not lower them and still be linearizable: a lower one means `quorum`,
 * one round. */

static unsigned database_r(const struct options *options, uint8_t database)
{
    unsigned r = options->databases[database].r;

    return r != 0 ? r : options->r;
}

static unsigned database_w(const struct options *options, uint8_t database)
{
    unsigned w = options->databases[database].w;

    return w != 0 ? w : options->w;
}

static bool above_n(struct reply *reply, const char *name, unsigned value, unsigned n)
{
    if (value <= n) {
        return false;
    }
    reply_error_printf(reply, "ERR %s must be from 1 to %u, the copies of every key, not %u", name,
                       n, value);
    return true;
}

bool terms_resolve(const struct session *session, const struct wish *wish, struct terms *terms,
                   struct reply *reply)
{
    const struct options *options = session->clients->options;
    const struct options_database *database = options->databases + session->database;
    const struct wish *standing = &session->wish;
    unsigned base_r = database_r(options, session->database);
    unsigned base_w = database_w(options, session->database);
    unsigned r = wish->r != 0 ? wish->r : standing->r != 0 ? standing->r : base_r;
    unsigned w = wish->w != 0 ? wish->w : standing->w != 0 ? standing->w : base_w;
    enum wish_consistency wanted =
        wish->consistency != WISH_NONE ? wish->consistency : standing->consistency;
    enum consistency mode =
        database->consistency_set ? database->consistency : options->consistency;
    bool lowered = r < base_r || w < base_w;

    if (above_n(reply, "R", r, options->n) || above_n(reply, "W", w, options->n)) {
        return false;
    }
    if (wanted == WISH_LINEARIZABLE && mode == CONSISTENCY_LINEARIZABLE && lowered) {
        reply_error_printf(
            reply,
            "ERR linearizable needs R >= %u and W >= %u in this database; a lower one "
            "is CONSISTENCY quorum",
            base_r, base_w);
        return false;
    }
    if (wanted == WISH_LINEARIZABLE && r + w <= options->n) {
        reply_error_printf(reply, "ERR linearizable needs R + W > N, not R %u + W %u with N %u", r,
                           w, options->n);
        return false;
    }
    bool quorum =
        wanted == WISH_NONE ? mode == CONSISTENCY_QUORUM || lowered : wanted == WISH_QUORUM;
    *terms = (struct terms){
        .r = (uint8_t)r,
        .w = (uint8_t)w,
        .one_round = quorum,
        .timeout_ms = wish->timeout_ms != 0       ? wish->timeout_ms
                      : standing->timeout_ms != 0 ? standing->timeout_ms
                                                  : options->request_timeout_ms,
    };
    return true;
}

/* ---- Reading wishes ---- */

enum { TIMEOUT_MIN_MS = 10, TIMEOUT_MAX_MS = 60000 };

static bool parse_count(struct invocation *in, const char *name, struct bytes text, uint8_t *out)
{
    int64_t value;

    if (!command_i64(in, text, &value)) {
        return false;
    }
    if (value < 1 || value > in->clients->options->n) {
        reply_error_printf(&in->reply,
                           "ERR %s must be from 1 to %u, the copies of every key, not %lld", name,
                           in->clients->options->n, (long long)value);
        return false;
    }
    *out = (uint8_t)value;
    return true;
}

static bool parse_timeout(struct invocation *in, struct bytes text, uint32_t *out)
{
    int64_t value;

    if (!command_i64(in, text, &value)) {
        return false;
    }
    if (value < TIMEOUT_MIN_MS || value > TIMEOUT_MAX_MS) {
        reply_error_printf(&in->reply, "ERR TIMEOUT must be from %d to %d ms, not %lld",
                           TIMEOUT_MIN_MS, TIMEOUT_MAX_MS, (long long)value);
        return false;
    }
    *out = (uint32_t)value;
    return true;
}

static bool parse_consistency(struct bytes word, struct wish *wish)
{
    if (bytes_equal_nocase(word, "linearizable")) {
        wish->consistency = WISH_LINEARIZABLE;
    } else if (bytes_equal_nocase(word, "quorum")) {
        wish->consistency = WISH_QUORUM;
    } else if (bytes_equal_nocase(word, "default")) {
        *wish = (struct wish){.r = 0};
    } else {
        return false;
    }
    return true;
}

bool wish_parse(struct invocation *in, uint32_t *at, bool bare, struct wish *wish)
{
    while (*at < in->argc) {
        struct bytes word = in->argv[*at];
        struct bytes value = command_word(in, *at + 1);
        bool is_r = bytes_equal_nocase(word, "R");
        bool is_w = bytes_equal_nocase(word, "W");
        bool is_timeout = bytes_equal_nocase(word, "TIMEOUT") && !bare;
        bool is_consistency = bytes_equal_nocase(word, "CONSISTENCY");

        if (bare && parse_consistency(word, wish)) {
            *at += 1;
            continue;
        }
        if (!is_r && !is_w && !is_timeout && !is_consistency) {
            return true;
        }
        if (*at + 1 == in->argc || (is_consistency && !parse_consistency(value, wish))) {
            command_syntax_error(in);
            return false;
        }
        if ((is_r && !parse_count(in, "R", value, &wish->r)) ||
            (is_w && !parse_count(in, "W", value, &wish->w)) ||
            (is_timeout && !parse_timeout(in, value, &wish->timeout_ms))) {
            return false;
        }
        *at += 2;
    }
    return true;
}

/* ---- RF.CONSISTENCY ---- */

/* RF.CONSISTENCY SET [R n] [W n] [linearizable | quorum | default] */
enum run run_rf_consistency_set(struct invocation *in)
{
    struct wish before = in->session->wish;
    struct wish wish = before;
    struct wish none = {.r = 0};
    struct terms terms;
    uint32_t at = 2;

    if (!wish_parse(in, &at, true, &wish)) {
        return RUN_REPLIED;
    }
    if (at < in->argc) {
        return command_syntax_error(in);
    }
    in->session->wish = wish;
    if (!terms_resolve(in->session, &none, &terms, &in->reply)) {
        in->session->wish = before;
        return RUN_REPLIED;
    }
    reply_ok(&in->reply);
    return RUN_REPLIED;
}

enum run run_rf_consistency_get(struct invocation *in)
{
    struct wish none = {.r = 0};
    struct terms terms;

    if (!terms_resolve(in->session, &none, &terms, &in->reply)) {
        return RUN_REPLIED;
    }
    reply_map(&in->reply, 4);
    reply_bulk_text(&in->reply, "n");
    reply_integer(&in->reply, in->clients->options->n);
    reply_bulk_text(&in->reply, "r");
    reply_integer(&in->reply, terms.r);
    reply_bulk_text(&in->reply, "w");
    reply_integer(&in->reply, terms.w);
    reply_bulk_text(&in->reply, "consistency");
    reply_bulk_text(&in->reply, terms.one_round ? "quorum" : "linearizable");
    return RUN_REPLIED;
}
