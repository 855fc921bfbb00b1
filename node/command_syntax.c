#include "node/command.h"

#include <string.h>

/* COMMAND DOCS: summaries, and arguments from the syntax of the table (its grammar:
 * command_docs.c). */

struct argument {
    struct bytes name, type, token, children;
    char between; /* What separates the children. */
    bool optional, multiple;
};

static void reply_arguments(struct reply *reply, struct bytes syntax, char between);

static struct bytes cut(struct bytes text, size_t from, size_t to)
{
    ASSERT(from <= to);
    ASSERT(to <= text.size);
    return (struct bytes){text.data + from, to - from};
}

/* The size of the first item of `text`, up to a separator outside of all brackets. */
static size_t item_size(struct bytes text, char between)
{
    int depth = 0;

    for (size_t i = 0; i < text.size; i++) {
        char c = (char)text.data[i];
        depth += c == '[' || c == '<' || c == '(';
        depth -= c == ']' || c == '>' || c == ')';
        if (depth == 0 && c == between) {
            return i;
        }
    }
    ASSERT(depth == 0);
    return text.size;
}

static size_t find_any(struct bytes text, const char *set)
{
    for (size_t i = 0; i < text.size; i++) {
        if (strchr(set, (char)text.data[i]) != NULL) {
            return i;
        }
    }
    return text.size;
}

static struct argument argument_of(struct bytes item)
{
    struct argument out = {.between = ' '};

    if (item.data[0] == '[') {
        out.optional = true;
        item = cut(item, 1, item.size - 1);
    }
    if (item.size > 3 && memcmp(item.data + item.size - 3, "...", 3) == 0) {
        out.multiple = true;
        item = cut(item, 0, item.size - 3);
    }
    if (item.data[0] == '=') {
        size_t colon = find_any(item, ":");
        out.name = cut(item, 1, colon);
        out.token = cut(item, colon + 1, item.size);
        out.type = BYTES_LITERAL("pure-token");
        return out;
    }
    size_t at = find_any(item, "=:<(");
    if (item.data[at] == '=') {
        out.token = cut(item, 0, at);
        item = cut(item, at + 1, item.size);
        at = find_any(item, ":<(");
    }
    ASSERT(at < item.size);
    out.name = cut(item, 0, at);
    if (item.data[at] == ':') {
        out.type = cut(item, at + 1, item.size);
        return out;
    }
    out.type = item.data[at] == '<' ? BYTES_LITERAL("oneof") : BYTES_LITERAL("block");
    out.between = item.data[at] == '<' ? '|' : ' ';
    out.children = cut(item, at + 1, item.size - 1);
    return out;
}

static void reply_argument(struct reply *reply, struct bytes item)
{
    struct argument argument = argument_of(item);
    bool key = bytes_equal(argument.type, BYTES_LITERAL("key"));
    unsigned flags = (unsigned)argument.optional + argument.multiple;

    reply_map(reply,
              2U + key + (argument.token.size > 0) + (flags > 0) + (argument.children.size > 0));
    reply_bulk_text(reply, "name");
    reply_bulk(reply, argument.name);
    reply_bulk_text(reply, "type");
    reply_bulk(reply, argument.type);
    if (key) {
        reply_bulk_text(reply, "key_spec_index");
        reply_integer(reply, 0);
    }
    if (argument.token.size > 0) {
        reply_bulk_text(reply, "token");
        reply_bulk(reply, argument.token);
    }
    if (flags > 0) {
        reply_bulk_text(reply, "flags");
        reply_set(reply, flags);
        if (argument.optional) {
            reply_simple(reply, "optional");
        }
        if (argument.multiple) {
            reply_simple(reply, "multiple");
        }
    }
    if (argument.children.size > 0) {
        reply_bulk_text(reply, "arguments");
        reply_arguments(reply, argument.children, argument.between);
    }
}

static void reply_arguments(struct reply *reply, struct bytes syntax, char between)
{
    size_t count = 0;

    for (size_t at = 0; at < syntax.size;) {
        at += item_size(cut(syntax, at, syntax.size), between) + 1;
        count++;
    }
    reply_array(reply, count);
    for (size_t at = 0; at < syntax.size;) {
        struct bytes rest = cut(syntax, at, syntax.size);
        size_t size = item_size(rest, between);
        reply_argument(reply, cut(rest, 0, size));
        at += size + 1;
    }
}

static void reply_docs(struct reply *reply, const struct command *command)
{
    size_t subs = 0;
    bool arguments = command->syntax[0] != '\0';

    for (unsigned i = 0; i < COMMANDS_COUNT; i++) {
        subs += command_is_sub_of(COMMANDS + i, command);
    }
    reply_bulk_text(reply, command->name);
    reply_map(reply, 4U + arguments + (subs > 0));
    reply_bulk_text(reply, "summary");
    reply_bulk_text(reply, command->summary);
    reply_bulk_text(reply, "since");
    reply_bulk_text(reply, command->since);
    reply_bulk_text(reply, "group");
    reply_bulk_text(reply, command->group);
    reply_bulk_text(reply, "complexity");
    reply_bulk_text(reply, command->complexity);
    if (arguments) {
        reply_bulk_text(reply, "arguments");
        reply_arguments(reply, bytes_of(command->syntax), ' ');
    }
    if (subs > 0) {
        reply_bulk_text(reply, "subcommands");
        reply_map(reply, subs);
        for (unsigned i = 0; i < COMMANDS_COUNT; i++) {
            if (command_is_sub_of(COMMANDS + i, command)) {
                reply_docs(reply, COMMANDS + i);
            }
        }
    }
}

/* COMMAND DOCS [name ...]: unknown names are left out. */
enum run run_command_docs(struct invocation *in)
{
    size_t count = 0;

    for (uint32_t i = 2; i < in->argc; i++) {
        count += command_find_full(in->clients, in->argv[i]) != NULL;
    }
    for (unsigned i = 0; in->argc == 2 && i < COMMANDS_COUNT; i++) {
        count += strchr(COMMANDS[i].name, '|') == NULL;
    }
    reply_map(&in->reply, count);
    for (uint32_t i = 2; i < in->argc; i++) {
        const struct command *command = command_find_full(in->clients, in->argv[i]);
        if (command != NULL) {
            reply_docs(&in->reply, command);
        }
    }
    for (unsigned i = 0; in->argc == 2 && i < COMMANDS_COUNT; i++) {
        if (strchr(COMMANDS[i].name, '|') == NULL) {
            reply_docs(&in->reply, COMMANDS + i);
        }
    }
    return RUN_REPLIED;
}
