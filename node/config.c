/* node/config.c - the only file that includes <ini.h>. */
#include "node/config.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    LINE_MAX_SIZE = 64 * 1024, /* initial-members of 256 nodes fit. */
    PIECE_MAX = 150,           /* inih reads 200 bytes per line, see reader_next. */
    NAME_MAX_SIZE = 64,
    SECRET_MIN = 16,
};

/* inih as Debian builds it truncates lines at 200 bytes, but joins lines that begin with a blank.
 * So a long line is handed over in pieces, each after the first behind a blank, and on_value glues
 * them together. */
struct file_reader {
    FILE *file;
    struct options *options;
    struct buf *words;
    const char *path;
    char *line;               /* The current line of the file... */
    size_t size, at;          /* ... and how much of it inih has seen. */
    unsigned number;          /* Its number, from 1. */
    bool glue;                /* The piece inih sees now goes on where the last one ended. */
    bool goes_on;             /* It goes on with the key before it. */
    char name[NAME_MAX_SIZE]; /* The key whose value is being collected; "" is none. */
    unsigned name_number;     /* Its line. */
    struct buf value;
    enum err err; /* The first error; nothing after it counts. */
};

static void reader_fail(struct file_reader *reader, unsigned number, const char *text,
                        const char *value)
{
    if (reader->err != OK) {
        return;
    }
    reader->err = ERR_INVALID;
    buf_printf(reader->words, "%s:%u: %s", reader->path, number, text);
    if (value != NULL) {
        options_put_shown(reader->words, value);
    }
}

/* The collected key is complete. */
static void reader_set(struct file_reader *reader)
{
    if (reader->name[0] == '\0' || reader->err != OK) {
        return;
    }
    struct buf words;
    buf_init(&words, 1024);
    buf_put_u8(&reader->value, '\0');
    reader->err =
        options_set(reader->options, reader->name, (const char *)reader->value.data, &words);
    if (reader->err != OK) {
        reader->err = ERR_INVALID;
        buf_printf(reader->words, "%s:%u: ", reader->path, reader->name_number);
        buf_put_bytes(reader->words, buf_bytes(&words));
    }
    buf_release(&words);
    reader->name[0] = '\0';
}

static int on_value(void *context, const char *section, const char *name, const char *value)
{
    struct file_reader *reader = context;
    if (section[0] != '\0') {
        return 1; /* Reported by reader_look. */
    }
    if (reader->goes_on) {
        if (!reader->glue) {
            buf_put_u8(&reader->value, ' ');
        }
    } else {
        reader_set(reader);
        if (name[0] == '\0' || strlen(name) >= sizeof(reader->name)) {
            reader_fail(reader, reader->number, "unknown key ", name);
            return 1;
        }
        snprintf(reader->name, sizeof(reader->name), "%s", name);
        reader->name_number = reader->number;
        buf_clear(&reader->value);
    }
    if (buf_append(&reader->value, value, strlen(value)) != OK) {
        reader_fail(reader, reader->name_number, "the value is too long", NULL);
    }
    return 1;
}

/* Look at a new line before inih does, since inih would pass over what is wrong with it. */
static void reader_look(struct file_reader *reader)
{
    const char *start = reader->line + strspn(reader->line, " \t\r\n");
    if (*start == '\0' || *start == '#' || *start == ';') {
        memcpy(reader->line, "\n", 2);
        reader->size = 1;
        return;
    }
    reader->goes_on = start != reader->line && reader->name[0] != '\0';
    size_t shown = strcspn(start, "\r\n");
    char text[100];
    snprintf(text, sizeof(text), "%.*s", (int)MIN(shown, sizeof(text) - 1), start);
    if (*start == '[') {
        reader_fail(reader, reader->number, "there are no sections here, only key = value, not ",
                    text);
    } else if (!reader->goes_on && strpbrk(start, "=:") == NULL) {
        reader_fail(reader, reader->number, "expected key = value, not ", text);
    }
}

static bool reader_line(struct file_reader *reader)
{
    int byte = '\0';
    reader->at = reader->size = 0;
    reader->goes_on = false;
    while (byte != '\n' && (byte = getc(reader->file)) != EOF) {
        if (reader->size == 0) {
            reader->number++;
        }
        if (byte == '\0' || reader->size == LINE_MAX_SIZE - 1) {
            reader_fail(reader, reader->number,
                        byte == '\0' ? "the line holds a NUL byte" : "the line is too long", NULL);
            return false;
        }
        reader->line[reader->size++] = (char)byte;
    }
    if (reader->size == 0) {
        return false;
    }
    reader->line[reader->size] = '\0';
    reader_look(reader);
    if (reader->size > PIECE_MAX) { /* A comment must not hide in one of several pieces. */
        for (char *at = reader->line; (at = strchr(at, ';')) != NULL; at++) {
            if (isspace((unsigned char)at[-1]) != 0) {
                memcpy(at, "\n", 2); /* ";" and its NUL were there. */
                reader->size = strlen(reader->line);
                break;
            }
        }
    }
    return true;
}

/* What inih calls in place of fgets. */
static char *reader_next(char *out, int out_size, void *context)
{
    struct file_reader *reader = context;
    if (reader->err != OK || (reader->at == reader->size && !reader_line(reader))) {
        return NULL;
    }
    size_t left = reader->size - reader->at;
    size_t piece = left;
    if (left > PIECE_MAX) {
        /* Blanks at either end of a piece would be lost, and '#' at its start begins a comment. */
        const char *from = reader->line + reader->at;
        piece = PIECE_MAX;
        while (piece > 0 && (isalnum((unsigned char)from[piece - 1]) == 0 ||
                             isalnum((unsigned char)from[piece]) == 0)) {
            piece--;
        }
        if (piece == 0) {
            reader_fail(reader, reader->number, "the line is too long", NULL);
            return NULL;
        }
    }
    ASSERT((size_t)out_size > PIECE_MAX + 2);
    reader->glue = reader->at > 0;
    size_t blank = reader->glue ? 1 : 0;
    if (reader->glue) {
        reader->goes_on = true;
        out[0] = ' ';
    }
    memcpy(out + blank, reader->line + reader->at, piece);
    out[blank + piece] = '\0';
    reader->at += piece;
    return out;
}

enum err config_file(struct options *options, const char *path, struct buf *words)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        buf_printf(words, "%s: cannot be read: %s", path, strerror(errno));
        return ERR_IO;
    }
    struct file_reader reader = {.file = file, .options = options, .words = words, .path = path};
    reader.line = mem_alloc(LINE_MAX_SIZE);
    buf_init(&reader.value, LINE_MAX_SIZE);
    int result = ini_parse_stream(reader_next, &reader, on_value, &reader);
    reader_set(&reader);
    if (result != 0) { /* Nothing new, unless a key is longer than a piece. */
        reader_fail(&reader, reader.number, "expected key = value", NULL);
    }
    if (reader.err == OK && ferror(file) != 0) {
        buf_printf(words, "%s: cannot be read: %s", path, strerror(errno));
        reader.err = ERR_IO;
    }
    buf_release(&reader.value);
    mem_free(reader.line);
    fclose(file);
    return reader.err;
}

/* One step of the walk over the arguments. Return how many were used, 0 with words on error. */
static int argument_next(int count, char **arguments, char key[NAME_MAX_SIZE], const char **value,
                         struct buf *words)
{
    const char *argument = arguments[0];
    if (strncmp(argument, "--", 2) != 0 && strcmp(argument, "-c") != 0) {
        buf_printf(words, "expected --key value or -c FILE, not ");
        options_put_shown(words, argument);
        return 0;
    }
    const char *name = argument[1] == '-' ? argument + 2 : argument + 1;
    size_t size = argument[1] == '-' ? strcspn(name, "=") : 1;
    if (size >= NAME_MAX_SIZE) {
        buf_printf(words, "unknown key ");
        options_put_shown(words, name);
        return 0;
    }
    snprintf(key, NAME_MAX_SIZE, "%.*s", (int)size, name);
    if (name[size] == '=') {
        *value = name + size + 1;
        return 1;
    }
    if (count < 2) {
        buf_printf(words, "%s needs a value", argument);
        return 0;
    }
    *value = arguments[1];
    return 2;
}

/* Walk over all arguments and use the files, or everything else. */
static enum err arguments_walk(struct options *options, int count, char **arguments, bool files,
                               struct buf *words)
{
    for (int i = 0; i < count;) {
        char key[NAME_MAX_SIZE];
        const char *value;
        int used = argument_next(count - i, arguments + i, key, &value, words);
        if (used == 0) {
            return ERR_INVALID;
        }
        bool is_file = strcmp(arguments[i], "-c") == 0;
        enum err err = OK;
        if (is_file && files) {
            err = config_file(options, value, words);
        } else if (!is_file && !files) {
            err = options_set(options, key, value, words) == OK ? OK : ERR_INVALID;
        }
        if (err != OK) {
            return err;
        }
        i += used;
    }
    return OK;
}

enum err config_arguments(struct options *options, int count, char **arguments, struct buf *words)
{
    enum err err = arguments_walk(options, count, arguments, true /* files */, words);
    return err != OK ? err : arguments_walk(options, count, arguments, false /* files */, words);
}

static enum err read_secret(struct options *options, struct buf *words)
{
    const char *path = options->secret_file;
    FILE *file = fopen(path, "re");
    struct stat status;
    if (file == NULL || fstat(fileno(file), &status) != 0) {
        buf_printf(words, "secret-file %s: cannot be read: %s", path, strerror(errno));
        if (file != NULL) {
            fclose(file);
        }
        return ERR_IO;
    }
    uint8_t bytes[sizeof(options->secret) + 2];
    size_t size = fread(bytes, 1, sizeof(bytes), file);
    fclose(file);
    while (size > 0 && (bytes[size - 1] == '\n' || bytes[size - 1] == '\r')) {
        size--;
    }
    if ((status.st_mode & 077) != 0) {
        buf_printf(words, "secret-file %s can be read by others: chmod 600 it", path);
        return ERR_INVALID;
    }
    if (size < SECRET_MIN || size > sizeof(options->secret)) {
        buf_printf(words, "secret-file %s must hold %d to %zu bytes", path, SECRET_MIN,
                   sizeof(options->secret));
        return ERR_INVALID;
    }
    memcpy(options->secret, bytes, size);
    options->secret_size = size;
    return OK;
}

/* A host's name may hold what a node's may not. */
static void name_by_host(struct options *options)
{
    char host[sizeof(options->node_name)] = "";
    if (gethostname(host, sizeof(host) - 1) != 0 || !options_is_name(host, "._-")) {
        snprintf(host, sizeof(host), "%s", "node");
    }
    snprintf(options->node_name, sizeof(options->node_name), "%s", host);
}

enum err config_finish(struct options *options, struct buf *words)
{
    if (options->node_name[0] == '\0') {
        name_by_host(options);
    }
    if (options->secret_file[0] != '\0') {
        enum err err = read_secret(options, words);
        if (err != OK) {
            return err;
        }
    }
    return options_check(options, words);
}
