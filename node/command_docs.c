#include "node/command.h"
#include "node/glob.h"

#include <string.h>

/* COMMAND and its subcommands: the table as clients read it.
 *
 * Grammar of a command's syntax, from which COMMAND DOCS (command_syntax.c) makes "arguments":
 *
 *     item  = "[" item "]" (optional) | core | core "..." (may be repeated)
 *     core  = "=" name ":" TOKEN                (a word alone)
 *           | [TOKEN "="] name ":" type         (a value, maybe after a word)
 *           | [TOKEN "="] name "<" a "|" b ">"  (one of several)
 *           | [TOKEN "="] name "(" a " " b ")"  (several in a row) */

bool command_is_sub_of(const struct command *command, const struct command *container)
{
    size_t size = strlen(container->name);

    return strncmp(command->name, container->name, size) == 0 && command->name[size] == '|';
}

static bool is_top(const struct command *command)
{
    return strchr(command->name, '|') == NULL;
}

static unsigned count_subs(const struct command *container)
{
    unsigned count = 0;

    for (unsigned i = 0; i < COMMANDS_COUNT; i++) {
        count += command_is_sub_of(COMMANDS + i, container);
    }
    return count;
}

static unsigned count_top(void)
{
    unsigned count = 0;

    for (unsigned i = 0; i < COMMANDS_COUNT; i++) {
        count += is_top(COMMANDS + i);
    }
    return count;
}

/* ---- COMMAND, COMMAND INFO ---- */

static unsigned count_words(const char *words)
{
    unsigned count = words[0] != '\0';

    for (const char *at = words; *at != '\0'; at++) {
        count += *at == ' ';
    }
    return count;
}

/* The words as simple strings (or bulk ones) after `prefix`. */
static void reply_words(struct reply *reply, const char *words, const char *prefix, bool bulk)
{
    while (*words != '\0') {
        size_t size = strcspn(words, " ");
        char text[80];
        ASSERT(strlen(prefix) + size < sizeof(text));
        memcpy(text, prefix, strlen(prefix));
        memcpy(text + strlen(prefix), words, size);
        text[strlen(prefix) + size] = '\0';
        if (bulk) {
            reply_bulk_text(reply, text);
        } else {
            reply_simple(reply, text);
        }
        words += size;
        words += *words == ' ';
    }
}

static void reply_key_spec(struct reply *reply, const struct command *command)
{
    if (command->key_flags == NULL) {
        reply_set(reply, 0);
        return;
    }
    reply_set(reply, 1);
    reply_map(reply, command->key_notes != NULL ? 4 : 3);
    if (command->key_notes != NULL) {
        reply_bulk_text(reply, "notes");
        reply_bulk_text(reply, command->key_notes);
    }
    reply_bulk_text(reply, "flags");
    reply_set(reply, count_words(command->key_flags));
    reply_words(reply, command->key_flags, "", false);
    reply_bulk_text(reply, "begin_search");
    reply_map(reply, 2);
    reply_bulk_text(reply, "type");
    reply_bulk_text(reply, "index");
    reply_bulk_text(reply, "spec");
    reply_map(reply, 1);
    reply_bulk_text(reply, "index");
    reply_integer(reply, command->first);
    reply_bulk_text(reply, "find_keys");
    reply_map(reply, 2);
    reply_bulk_text(reply, "type");
    reply_bulk_text(reply, "range");
    reply_bulk_text(reply, "spec");
    reply_map(reply, 3);
    reply_bulk_text(reply, "lastkey");
    reply_integer(reply, command->last < 0 ? command->last : command->last - command->first);
    reply_bulk_text(reply, "keystep");
    reply_integer(reply, command->step);
    reply_bulk_text(reply, "limit");
    reply_integer(reply, 0);
}

static void reply_command(struct reply *reply, const struct command *command)
{
    reply_array(reply, 10);
    reply_bulk_text(reply, command->name);
    reply_integer(reply, command->arity);
    reply_set(reply, count_words(command->flags));
    reply_words(reply, command->flags, "", false);
    reply_integer(reply, command->first);
    reply_integer(reply, command->last);
    reply_integer(reply, command->step);
    reply_set(reply, count_words(command->acl));
    reply_words(reply, command->acl, "@", false);
    reply_set(reply, count_words(command->tips));
    reply_words(reply, command->tips, "", true);
    reply_key_spec(reply, command);
    reply_set(reply, count_subs(command));
    for (unsigned i = 0; i < COMMANDS_COUNT; i++) {
        if (command_is_sub_of(COMMANDS + i, command)) {
            reply_command(reply, COMMANDS + i); /* One level: subcommands have none. */
        }
    }
}

static void reply_all_commands(struct reply *reply)
{
    reply_array(reply, count_top());
    for (unsigned i = 0; i < COMMANDS_COUNT; i++) {
        if (is_top(COMMANDS + i)) {
            reply_command(reply, COMMANDS + i);
        }
    }
}

enum run run_command_all(struct invocation *in)
{
    reply_all_commands(&in->reply);
    return RUN_REPLIED;
}

enum run run_command_info(struct invocation *in)
{
    if (in->argc == 2) {
        reply_all_commands(&in->reply);
        return RUN_REPLIED;
    }
    reply_array(&in->reply, in->argc - 2);
    for (uint32_t i = 2; i < in->argc; i++) {
        const struct command *command = command_find_full(in->clients, in->argv[i]);
        if (command == NULL) {
            reply_null(&in->reply);
        } else {
            reply_command(&in->reply, command);
        }
    }
    return RUN_REPLIED;
}

enum run run_command_count(struct invocation *in)
{
    reply_integer(&in->reply, count_top());
    return RUN_REPLIED;
}

/* ---- COMMAND LIST ---- */

static bool has_word(const char *words, struct bytes word)
{
    while (*words != '\0') {
        size_t size = strcspn(words, " ");
        if (size == word.size && memcmp(words, word.data, size) == 0) {
            return true;
        }
        words += size;
        words += *words == ' ';
    }
    return false;
}

enum list_filter { FILTER_NONE, FILTER_MODULE, FILTER_ACL, FILTER_PATTERN };

static bool is_filtered_in(const struct command *command, enum list_filter filter,
                           struct bytes value)
{
    switch (filter) {
    case FILTER_NONE:
        return true;
    case FILTER_MODULE:
        return false;
    case FILTER_ACL:
        return has_word(command->acl, value);
    case FILTER_PATTERN:
        break;
    }
    return glob_match_nocase(value, bytes_of(command->name));
}

enum run run_command_list(struct invocation *in)
{
    enum list_filter filter = FILTER_NONE;
    struct bytes kind = command_word(in, 3);
    struct bytes value = command_word(in, 4);
    size_t count = 0;

    if (in->argc == 5 && bytes_equal_nocase(in->argv[2], "FILTERBY")) {
        filter = bytes_equal_nocase(kind, "MODULE")    ? FILTER_MODULE
                 : bytes_equal_nocase(kind, "ACLCAT")  ? FILTER_ACL
                 : bytes_equal_nocase(kind, "PATTERN") ? FILTER_PATTERN
                                                       : FILTER_NONE;
    }
    if (in->argc != 2 && filter == FILTER_NONE) {
        return command_syntax_error(in);
    }
    for (unsigned i = 0; i < COMMANDS_COUNT; i++) {
        count += is_filtered_in(COMMANDS + i, filter, value);
    }
    reply_array(&in->reply, count);
    for (unsigned i = 0; i < COMMANDS_COUNT; i++) {
        if (is_filtered_in(COMMANDS + i, filter, value)) {
            reply_bulk_text(&in->reply, COMMANDS[i].name);
        }
    }
    return RUN_REPLIED;
}

/* ---- COMMAND GETKEYS ---- */

/* Skip RF.WITH and its options: what follows has the keys. False: answered. */
static bool skip_with(struct invocation *inner, const struct command **command)
{
    struct wish wish = {.r = 0};
    uint32_t at = 1;

    if (!wish_parse(inner, &at, false, &wish)) {
        return false;
    }
    inner->argv += at;
    inner->argc -= at;
    *command = inner->argc == 0 ? NULL : command_find_full(inner->clients, inner->argv[0]);
    return true;
}

enum run run_command_getkeys(struct invocation *in)
{
    struct invocation inner = *in;
    uint32_t first = 0;
    uint32_t step = 0;

    inner.argv += 2;
    inner.argc -= 2;
    const struct command *command = command_find_full(in->clients, inner.argv[0]);
    if (command != NULL && (command->traits & COMMAND_WITH) != 0 && !skip_with(&inner, &command)) {
        in->reply = inner.reply;
        return RUN_REPLIED;
    }
    if (command == NULL) {
        reply_error(&in->reply, "ERR Invalid command specified");
        return RUN_REPLIED;
    }
    if (command->first == 0) {
        reply_error(&in->reply, "ERR The command has no key arguments");
        return RUN_REPLIED;
    }
    bool fits = command->arity >= 0 ? inner.argc == (uint32_t)command->arity
                                    : inner.argc >= (uint32_t)-command->arity;
    if (!fits) {
        reply_error(&in->reply, "ERR Invalid number of arguments specified for command");
        return RUN_REPLIED;
    }
    uint32_t count = command_keys(command, inner.argc, &first, &step);
    reply_array(&in->reply, count);
    for (uint32_t i = 0; i < count; i++) {
        reply_bulk(&in->reply, inner.argv[first + i * step]);
    }
    return RUN_REPLIED;
}
