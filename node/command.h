/* node/command.h - the commands: one table, and what carries a request from its words to a
 * reply.
 *
 * The table says of every command what COMMAND and COMMAND DOCS tell clients (names, arity, keys
 * and texts of Redis 7.0.15 where it has the command) and what execution needs: must the store
 * serve, must the connection be idle. Handlers live in command_*.c by family.
 *
 * Only for session.c and the command files. */
#pragma once

#include "node/session.h"

enum command_trait {
    COMMAND_READ = 1,    /* Reads data: refused while the node does not serve. */
    COMMAND_WRITE = 2,   /* Writes data: the same. */
    COMMAND_ALONE = 4,   /* Waits for all earlier calls of its connection, and later ones for it. */
    COMMAND_NO_AUTH = 8, /* Allowed before AUTH. */
    COMMAND_CONTAINER = 16, /* Its second word names a command of its own: "client|id". */
    COMMAND_WITH = 32,      /* RF.WITH: the command follows after options. */
    COMMAND_PASSABLE = 64,  /* May follow RF.WITH. */
};

/* The Redis that clients shall take us for: they gate features on it. */
#define REDIS_VERSION "7.0.15"

struct invocation;

/* What a handler has done with the call. */
enum run {
    RUN_REPLIED, /* The reply is complete. */
    RUN_STARTED, /* Operations are under way; the call may have ended and be gone already. */
};

struct command {
    const char *name; /* Lower case. */
    int arity;        /* As Redis: the command's name counts; negative: at least. */
    unsigned traits;
    const char *flags;                 /* As COMMAND lists them, with spaces between. */
    const char *acl;                   /* Categories, without '@'. */
    int first, last, step;             /* Where keys stand among the arguments; 0: none. */
    const char *key_flags, *key_notes; /* Of COMMAND's key specification; NULL: none. */
    const char *tips;
    const char *since, *group, *complexity, *summary;
    const char *syntax; /* Arguments for hints; see command_docs.c. */
    enum run (*run)(struct invocation *);
    uint8_t variant; /* For a handler that serves several commands. */
};

/* One command being carried out; lives on the stack. Arguments are borrowed. */
struct invocation {
    struct clients *clients;
    struct session *session;
    struct call *call;
    const struct command *command;
    const struct bytes *argv;
    uint32_t argc;
    bool keyed;       /* Exactly one key: */
    struct bytes key; /* its stored name, from the step arena. */
    struct wish wish; /* Of RF.WITH. */
    struct reply reply;
};

/* Carry out one request, or leave session->block saying why it must wait. */
void command_execute(struct session *session, const struct bytes *argv, uint32_t argc);

/* ---- The table (command_table.c, command.c) ---- */

extern const struct command COMMANDS[];
extern const unsigned COMMANDS_COUNT;
/* Names of all commands and subcommands of Redis 7.0.15, sorted, in lower case. */
extern const char *const REDIS_COMMANDS[];
extern const unsigned REDIS_COMMANDS_COUNT;

void command_index_init(struct clients *clients);
/* By name, in any mixture of case; `sub` (size 0: none) names a subcommand. NULL when unknown. */
const struct command *command_find(const struct clients *clients, struct bytes name,
                                   struct bytes sub);
/* By the full name, as "get" or "client|id" in any mixture of case. */
const struct command *command_find_full(const struct clients *clients, struct bytes name);
/* "client|id" is one of "client". */
bool command_is_sub_of(const struct command *command, const struct command *container);
unsigned command_number(const struct command *command);
/* The indexes of keys in a request: first, first + step .. last. Return how many. */
uint32_t command_keys(const struct command *command, uint32_t argc, uint32_t *first,
                      uint32_t *step);

/* ---- Helpers of handlers (command.c) ---- */

enum run command_syntax_error(struct invocation *in);
/* An int64 argument, else answer -ERR value is not an integer or out of range. */
bool command_i64(struct invocation *in, struct bytes text, int64_t *out);
/* An operation on the command's one key, with the terms of its connection and request. */
struct op command_op(struct invocation *in, enum op_kind kind);
/* The same for any key of the call. */
struct op command_op_on(const struct call *call, enum op_kind kind, struct bytes key);
/* True for OUTCOME_DONE. Else answer in words; `write`: the operation may have changed
 * something. */
bool command_outcome(struct reply *reply, const struct op_result *result, bool write);
/* Remember for WAIT what a write of this connection has reached. */
void command_note_write(struct call *call, const struct op_result *result);
/* The n-th word, or an empty one past the last. */
struct bytes command_word(const struct invocation *in, uint32_t index);
const struct view *clients_view(struct clients *clients);

/* r, w, rounds and time of an operation (command_terms.c). Return false, words in `reply`, for what
 * cannot be had: R or W above N, or linearizable where the quorums would not overlap. */
bool terms_resolve(const struct session *session, const struct wish *wish, struct terms *terms,
                   struct reply *reply);
/* Read [R n] [W n] [CONSISTENCY c | linearizable | quorum] [TIMEOUT ms] from word `*at` on; stop at
 * the first other word. `bare`: consistency stands without its keyword. False: answered. */
bool wish_parse(struct invocation *in, uint32_t *at, bool bare, struct wish *wish);

/* When a value ends to be: words EX, PX, EXAT, PXAT with a number. */
enum expiry_unit { EXPIRY_NONE, EXPIRY_EX, EXPIRY_PX, EXPIRY_EXAT, EXPIRY_PXAT };
enum expiry_unit expiry_unit_of(struct bytes word);
/* Unix ms, or false after answering as Redis: invalid expire time in 'set' command. */
bool expiry_parse(struct invocation *in, enum expiry_unit unit, struct bytes number, int64_t *out);

/* False, answered, for a value over max-value-bytes. */
bool value_fits(struct invocation *in, struct bytes value);

/* The client that a connection is, as CLIENT LIST shows it: one line without its end. */
void client_describe(struct buf *out, struct session *session);
bool client_set_name(struct invocation *in, struct bytes name);
/* Give back every state that HELLO, SELECT, AUTH, CLIENT and RF.CONSISTENCY changed. */
void session_reset(struct session *session);

/* Owners of slots as clients of the cluster face see them (command_cluster.c): the first live
 * owner of the slot's preference list, else the first. QUORUM_MEMBER_NONE before the cluster has
 * formed. */
unsigned slot_primary(const struct view *view, unsigned slot);

/* ---- Handlers ---- */

enum help_text { HELP_CLIENT, HELP_CLUSTER, HELP_COMMAND, HELP_CONFIG, HELP_CONSISTENCY };

enum run run_auth(struct invocation *in);
enum run run_client_flag(struct invocation *in);
enum run run_client_getname(struct invocation *in);
enum run run_client_id(struct invocation *in);
enum run run_client_info(struct invocation *in);
enum run run_client_list(struct invocation *in);
enum run run_client_setinfo(struct invocation *in);
enum run run_client_setname(struct invocation *in);
enum run run_cluster_countkeysinslot(struct invocation *in);
enum run run_cluster_info(struct invocation *in);
enum run run_cluster_keyslot(struct invocation *in);
enum run run_cluster_myid(struct invocation *in);
enum run run_cluster_nodes(struct invocation *in);
enum run run_cluster_ok(struct invocation *in);
enum run run_cluster_refused(struct invocation *in);
enum run run_cluster_shards(struct invocation *in);
enum run run_cluster_slots(struct invocation *in);
enum run run_command_all(struct invocation *in);
enum run run_command_count(struct invocation *in);
enum run run_command_docs(struct invocation *in);
enum run run_command_getkeys(struct invocation *in);
enum run run_command_info(struct invocation *in);
enum run run_command_list(struct invocation *in);
enum run run_config_get(struct invocation *in);
enum run run_config_resetstat(struct invocation *in);
enum run run_config_set(struct invocation *in);
enum run run_dbsize(struct invocation *in);
enum run run_del(struct invocation *in);
enum run run_echo(struct invocation *in);
enum run run_exists(struct invocation *in);
enum run run_flush(struct invocation *in);
enum run run_get(struct invocation *in);
enum run run_hello(struct invocation *in);
enum run run_help(struct invocation *in);
enum run run_info(struct invocation *in);
enum run run_keys(struct invocation *in);
enum run run_mget(struct invocation *in);
enum run run_mset(struct invocation *in);
enum run run_ping(struct invocation *in);
enum run run_quit(struct invocation *in);
enum run run_reset(struct invocation *in);
enum run run_rf_consistency_get(struct invocation *in);
enum run run_rf_consistency_set(struct invocation *in);
enum run run_rf_del(struct invocation *in);
enum run run_rf_explain(struct invocation *in);
enum run run_rf_get(struct invocation *in);
enum run run_rf_set(struct invocation *in);
enum run run_rf_status(struct invocation *in);
enum run run_scan(struct invocation *in);
enum run run_select(struct invocation *in);
enum run run_set(struct invocation *in);
enum run run_setex(struct invocation *in);
enum run run_shutdown(struct invocation *in);
enum run run_strlen(struct invocation *in);
enum run run_time(struct invocation *in);
enum run run_ttl(struct invocation *in);
enum run run_type(struct invocation *in);
enum run run_wait(struct invocation *in);
