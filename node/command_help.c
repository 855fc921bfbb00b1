#include "node/command.h"

#include <string.h>

/* CLIENT HELP and its like: Redis's form, the subcommands that there are. */

static const char *const CLIENT_HELP[] = {
    "CLIENT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "GETNAME",
    "    Return the name of the current connection.",
    "ID",
    "    Return the ID of the current connection.",
    "INFO",
    "    Return information about the current client connection.",
    "LIST [options ...]",
    "    Return information about client connections. Options:",
    "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
    "      Return clients of specified type.",
    "    * ID <id> [<id> ...]",
    "      Return clients of specified ids.",
    "SETNAME <name>",
    "    Assign the name <name> to the current connection.",
    "SETINFO (LIB-NAME|LIB-VER) <value>",
    "    Tell which library this connection is.",
    "NO-EVICT (ON|OFF)",
    "    Protect current client connection from eviction.",
    "NO-TOUCH (ON|OFF)",
    "    Accepted; there is no LRU to touch.",
    "HELP",
    "    Prints this help.",
    NULL,
};

static const char *const CLUSTER_HELP[] = {
    "CLUSTER <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "COUNTKEYSINSLOT <slot>",
    "    Return the number of keys in <slot>.",
    "INFO",
    "    Return information about the cluster.",
    "KEYSLOT <key>",
    "    Return the hash slot for <key>.",
    "MYID",
    "    Return the node id.",
    "NODES",
    "    Return cluster configuration seen by node. Output format:",
    "    <id> <ip:port> <flags> <master> <pings> <pongs> <epoch> <link> <slot> ...",
    "SLOTS",
    "    Return information about slots range mappings. Each range is made of:",
    "    start, end, master IP address, port and id",
    "SHARDS",
    "    Return information about slot range mappings and the nodes associated with them.",
    "HELP",
    "    Prints this help.",
    NULL,
};

static const char *const COMMAND_HELP[] = {
    "COMMAND <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "(no subcommand)",
    "    Return details about all commands.",
    "COUNT",
    "    Return the total number of commands in this server.",
    "LIST [FILTERBY (MODULE|ACLCAT|PATTERN) <value>]",
    "    Return a list of all commands in this server.",
    "INFO [<command-name> ...]",
    "    Return details about multiple commands.",
    "DOCS [<command-name> ...]",
    "    Return documentation details about multiple commands.",
    "GETKEYS <full-command>",
    "    Return the keys from a full command.",
    "HELP",
    "    Prints this help.",
    NULL,
};

static const char *const CONFIG_HELP[] = {
    "CONFIG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "GET <pattern>",
    "    Return parameters matching the glob-like <pattern> and their values.",
    "SET <directive> <value>",
    "    Set the configuration <directive> to <value>.",
    "RESETSTAT",
    "    Reset statistics reported by the INFO command.",
    "HELP",
    "    Prints this help.",
    NULL,
};

static const char *const CONSISTENCY_HELP[] = {
    "RF.CONSISTENCY <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "GET",
    "    Return N, R, W and the consistency of this connection's commands.",
    "SET [R <n>] [W <n>] [LINEARIZABLE|QUORUM|DEFAULT]",
    "    Set them for this connection. An R or W below the database's means QUORUM;",
    "    DEFAULT gives back what the database has.",
    "HELP",
    "    Prints this help.",
    NULL,
};

enum run run_help(struct invocation *in)
{
    static const char *const *const HELPS[] = {
        [HELP_CLIENT] = CLIENT_HELP,           [HELP_CLUSTER] = CLUSTER_HELP,
        [HELP_COMMAND] = COMMAND_HELP,         [HELP_CONFIG] = CONFIG_HELP,
        [HELP_CONSISTENCY] = CONSISTENCY_HELP,
    };
    size_t count = 0;

    ASSERT(in->command->variant < ARRAY_COUNT(HELPS));
    if (in->command->variant == HELP_CLUSTER && in->session->face == FACE_PLAIN) {
        return run_cluster_refused(in);
    }
    const char *const *lines = HELPS[in->command->variant];
    while (lines[count] != NULL) {
        count++;
    }
    reply_array(&in->reply, count);
    for (size_t i = 0; i < count; i++) {
        reply_simple(&in->reply, lines[i]);
    }
    return RUN_REPLIED;
}
