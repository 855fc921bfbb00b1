/* node/options_text.c - the small grammars of option values: names, numbers, addresses, members. */
#include "node/options.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { SHOWN_MAX = 80, NEAREST_WORD_MAX = 63 };

/* A value as it may stand in a message: short and printable. */
void options_put_shown(struct buf *words, const char *value)
{
    buf_put_u8(words, '\'');
    for (size_t i = 0; value[i] != '\0'; i++) {
        if (i == SHOWN_MAX) {
            buf_printf(words, "...");
            break;
        }
        buf_put_u8(words, isprint((unsigned char)value[i]) != 0 ? (uint8_t)value[i] : '?');
    }
    buf_put_u8(words, '\'');
}

/* Digits only, at most 18 of them, so that nothing overflows. */
bool options_digits(const char *text, size_t size, uint64_t *out)
{
    if (size == 0 || size > 18) {
        return false;
    }
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
        value = value * 10 + (uint64_t)(text[i] - '0');
    }
    *out = value;
    return true;
}

bool options_is_name(const char *text, const char *more)
{
    for (size_t i = 0; text[i] != '\0'; i++) {
        if (isalnum((unsigned char)text[i]) == 0 && strchr(more, text[i]) == NULL) {
            return false;
        }
    }
    return text[0] != '\0' && strlen(text) < 64;
}

bool options_address(const char *text, char host[128], uint16_t *port)
{
    const char *colon = strrchr(text, ':');
    if (colon == NULL) {
        return false;
    }
    const char *from = text;
    size_t size = (size_t)(colon - text);
    bool is_v6 = size >= 2 && text[0] == '[' && colon[-1] == ']';
    if (is_v6) {
        from++;
        size -= 2;
    }
    uint64_t number;
    if (size == 0 || size >= 128 || !options_digits(colon + 1, strlen(colon + 1), &number) ||
        number == 0 || number > UINT16_MAX) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        bool allowed = is_v6
                           ? strchr("0123456789abcdefABCDEF:.%", from[i]) != NULL
                           : isalnum((unsigned char)from[i]) != 0 || strchr(".-_", from[i]) != NULL;
        if (!allowed) {
            return false;
        }
    }
    memcpy(host, from, size);
    host[size] = '\0';
    *port = (uint16_t)number;
    return true;
}

bool options_is_loopback(const char *host)
{
    if (bytes_equal_nocase(bytes_of(host), "localhost") || strcmp(host, "::1") == 0) {
        return true;
    }
    if (strncmp(host, "127.", 4) != 0) {
        return false;
    }
    /* A name may begin with "127." too: only digits and dots are an address. */
    return strspn(host, "0123456789.") == strlen(host);
}

bool options_is_wildcard(const char *host)
{
    return strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
}

static enum err members_refuse(struct buf *words, const char *what, const char *item)
{
    buf_printf(words, "initial-members: ");
    options_put_shown(words, item);
    buf_printf(words, " %s", what);
    return ERR_INVALID;
}

/* "rack=dc1/r1" or "weight=1". */
static enum err member_attribute(struct options_member *member, const char *text, struct buf *words)
{
    if (strncmp(text, "rack=", 5) == 0) {
        if (!options_is_name(text + 5, "._-/")) {
            return members_refuse(words, "must be rack=PATH, as rack=dc1/r1", text);
        }
        snprintf(member->rack, sizeof(member->rack), "%s", text + 5);
        return OK;
    }
    uint64_t weight;
    if (strncmp(text, "weight=", 7) != 0) {
        return members_refuse(words, "is neither rack=PATH nor weight=NUMBER", text);
    }
    if (!options_digits(text + 7, strlen(text + 7), &weight) || weight < 1 || weight > 1000) {
        return members_refuse(words, "must be weight=NUMBER from 1 to 1000", text);
    }
    member->weight = (unsigned)weight;
    return OK;
}

/* One item, already cut out: "n1@127.0.0.1:8001 rack=dc1/r1 weight=1". Changes `item`. */
static enum err member_parse(struct options_member *member, char *item, struct buf *words)
{
    char *save = NULL;
    char *word = strtok_r(item, " \t", &save);
    if (word == NULL) {
        return members_refuse(words, "must be name@host:port", "");
    }
    char *at = strchr(word, '@');
    char host[128];
    uint16_t port;
    if (at == NULL || strlen(at + 1) >= sizeof(member->address) ||
        !options_address(at + 1, host, &port)) {
        return members_refuse(words, "must be name@host:port", word);
    }
    *at = '\0';
    if (!options_is_name(word, "._-")) {
        return members_refuse(words, "must be a name of letters, digits, '.', '_' and '-'", word);
    }
    *member = (struct options_member){.weight = 1};
    snprintf(member->name, sizeof(member->name), "%s", word);
    snprintf(member->address, sizeof(member->address), "%s", at + 1);
    while ((word = strtok_r(NULL, " \t", &save)) != NULL) {
        enum err err = member_attribute(member, word, words);
        if (err != OK) {
            return err;
        }
    }
    return OK;
}

static enum err members_check_new(const struct options *options, const struct options_member *new,
                                  struct buf *words)
{
    if (options->members_count == OPTIONS_MEMBERS_MAX) {
        buf_printf(words, "initial-members must name at most %d nodes", OPTIONS_MEMBERS_MAX);
        return ERR_INVALID;
    }
    for (unsigned i = 0; i < options->members_count; i++) {
        const struct options_member *old = &options->members[i];
        if (strcmp(old->name, new->name) == 0) {
            return members_refuse(words, "is named twice", new->name);
        }
        if (strcmp(old->address, new->address) == 0) {
            return members_refuse(words, "is the address of two nodes", new->address);
        }
    }
    return OK;
}

enum err options_members_parse(struct options *options, const char *value, struct buf *words)
{
    options->members_count = 0;
    while (*value != '\0') {
        size_t size = strcspn(value, ",");
        char item[320];
        if (size >= sizeof(item)) {
            return members_refuse(words, "is too long for one node", value);
        }
        memcpy(item, value, size);
        item[size] = '\0';
        struct options_member member;
        enum err err = member_parse(&member, item, words);
        if (err == OK) {
            err = members_check_new(options, &member, words);
        }
        if (err != OK) {
            return err;
        }
        options->members[options->members_count++] = member;
        value += size;
        if (*value == ',') {
            value++;
            if (*value == '\0') {
                return members_refuse(words, "must be name@host:port", "");
            }
        }
    }
    return OK;
}

const char *options_members_text(const struct options *options, struct arena *arena)
{
    const char *text = "";
    for (unsigned i = 0; i < options->members_count; i++) {
        const struct options_member *member = &options->members[i];
        text = arena_printf(arena, "%s%s%s@%s%s%s weight=%u", text, i == 0 ? "" : ",", member->name,
                            member->address, member->rack[0] == '\0' ? "" : " rack=", member->rack,
                            member->weight);
    }
    return text;
}

/* Levenshtein's distance; words longer than NEAREST_WORD_MAX are like nothing. */
static size_t distance(const char *a, const char *b)
{
    size_t a_size = strlen(a);
    size_t b_size = strlen(b);
    if (a_size > NEAREST_WORD_MAX || b_size > NEAREST_WORD_MAX) {
        return SIZE_MAX;
    }
    size_t row[NEAREST_WORD_MAX + 1];
    for (size_t j = 0; j <= b_size; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= a_size; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_size; j++) {
            size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = row[j];
            row[j] = MIN(replaced, MIN(row[j], row[j - 1]) + 1);
        }
    }
    return row[b_size];
}

const char *options_nearest(const char *word, const char *(*names)(unsigned index))
{
    const char *best = NULL;
    /* Further away, or nothing in common, is another word. */
    size_t best_distance = MIN(MAX(strlen(word) / 3, 1) + 1, strlen(word));
    for (unsigned i = 0; names(i) != NULL; i++) {
        size_t candidate = distance(word, names(i));
        if (candidate < best_distance) {
            best = names(i);
            best_distance = candidate;
        }
    }
    return best;
}
