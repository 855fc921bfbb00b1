/* node/options_check.c - the rules that several keys decide together (options_check). */
#include "node/options.h"

#include <string.h>

/* With R + W > N every read quorum meets every write quorum (Attiya, Bar-Noy, Dolev 1995). A
 * database's own r, w and consistency count; the weakest decide, since a request may only raise
 * them. */
static enum err check_database(const struct options *options, unsigned index, struct buf *words)
{
    const struct options_database *database = &options->databases[index];
    unsigned r = database->r != 0 ? database->r : options->r;
    unsigned w = database->w != 0 ? database->w : options->w;
    if (r > options->n || w > options->n) {
        bool is_r = r > options->n;
        unsigned own = is_r ? database->r : database->w;
        if (own != 0) {
            buf_printf(words, "db.%u.", index);
        }
        buf_printf(words, "%s must be at most n, which is %u, not %u", is_r ? "r" : "w", options->n,
                   is_r ? r : w);
        return ERR_INVALID;
    }
    enum consistency consistency =
        database->consistency_set ? database->consistency : options->consistency;
    if (consistency == CONSISTENCY_QUORUM || r + w > options->n) {
        return OK;
    }
    bool is_own = database->r != 0 || database->w != 0 || database->consistency_set;
    if (is_own) {
        buf_printf(words, "database %u: ", index);
    }
    buf_printf(
        words,
        "consistency linearizable needs r + w above n, but r %u and w %u are not above n %u; "
        "raise r or w, or set consistency quorum",
        r, w, options->n);
    return ERR_INVALID;
}

/* What listening on `listen` asks for: a secret when others can reach it, a name when it is a
 * wildcard. */
struct listen_rule {
    const char *key, *listen, *advertise_key, *advertise, *guard_key;
    bool guarded;
};

static enum err check_listen(const struct options *options, const struct listen_rule *rule,
                             struct buf *words)
{
    char host[128];
    uint16_t port;
    if (!options_address(rule->listen, host, &port)) {
        return OK; /* Off. */
    }
    if (options_is_wildcard(host) && rule->advertise[0] == '\0') {
        buf_printf(words,
                   "%s %s is a wildcard: set %s to the host:port under which others reach it",
                   rule->key, rule->listen, rule->advertise_key);
        return ERR_INVALID;
    }
    if (!options_is_loopback(host) && !rule->guarded && !options->allow_open) {
        buf_printf(
            words,
            "%s %s can be reached from beyond this host: set %s, or allow-open yes if that is "
            "meant",
            rule->key, rule->listen, rule->guard_key);
        return ERR_INVALID;
    }
    return OK;
}

static enum err check_members(const struct options *options, struct buf *words)
{
    if (options->members_count == 0) {
        return OK;
    }
    for (unsigned i = 0; i < options->members_count; i++) {
        if (strcmp(options->members[i].name, options->node_name) == 0) {
            if (options->peer_listen[0] == '\0' && options->members_count > 1) {
                buf_printf(words, "peer-listen must not be off when initial-members names others");
                return ERR_INVALID;
            }
            return OK;
        }
    }
    buf_printf(words, "node-name ");
    options_put_shown(words, options->node_name);
    buf_printf(words, " is not among initial-members:");
    for (unsigned i = 0; i < options->members_count && i < 8; i++) {
        buf_printf(words, " %s", options->members[i].name);
    }
    if (options->members_count > 8) {
        buf_printf(words, " and %u more", options->members_count - 8);
    }
    return ERR_INVALID;
}

enum err options_check(const struct options *options, struct buf *words)
{
    bool has_password = options->requirepass[0] != '\0';
    const struct listen_rule rules[] = {
        {"client-listen", options->client_listen, "advertise-client", options->advertise_client,
         "requirepass", has_password},
        {"cluster-listen", options->cluster_listen, "advertise-cluster", options->advertise_cluster,
         "requirepass", has_password},
        {"peer-listen", options->peer_listen, "advertise-peer", options->advertise_peer,
         "secret-file", options->secret_file[0] != '\0'},
    };
    for (unsigned i = 0; i < OPTIONS_DATABASES_COUNT; i++) {
        enum err err = check_database(options, i, words);
        if (err != OK) {
            return err;
        }
    }
    for (size_t i = 0; i < ARRAY_COUNT(rules); i++) {
        enum err err = check_listen(options, &rules[i], words);
        if (err != OK) {
            return err;
        }
    }
    if (options->max_request_bytes < options->max_value_bytes) {
        buf_printf(words, "max-request-bytes must not be smaller than max-value-bytes");
        return ERR_INVALID;
    }
    return check_members(options, words);
}
