/* tests/fuzz/fuzz_config.c - what an operator may write: values of keys, files, command lines.
 *
 * Input: one byte of mode. 0: the number of a key, then its value; 1: a key, NUL, a value; 2: a
 * file; 3: arguments, each ended by NUL. Properties:
 * - a value that was taken is shown as a text that sets it again, and changes no other key;
 * - a refusal changes nothing and says why in one printable line;
 * - what a file has set, written as a file again, sets the same; so does the file with \r\n;
 * - `key = value` in a file means what setting the key means. */
#include "node/config.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    MODE_VALUE,
    MODE_KEY,
    MODE_FILE,
    MODE_ARGUMENTS,
    MODES_COUNT,
    WORDS_MAX = 1024,
    ARGUMENTS_MAX = 32,
    LINE_SIZE_SAFE = 140,
    MEMORY_FACTOR = 64,
    MEMORY_SLACK = 4 * 1024 * 1024, /* A list of members works on a copy of all options. */
};

enum mark { MARK_SET, MARK_REFUSED, MARK_UNKNOWN, MARK_FILE, MARK_FILE_REFUSED, MARK_ARGUMENTS };
const char *const FUZZ_MARKS[] = {"set",           "refused",   "unknown", "files",
                                  "files_refused", "arguments", NULL};

static const struct options *defaults(void)
{
    static struct options options;
    static bool made;

    if (!made) {
        options_init(&options);
        made = true;
    }
    return &options;
}

static struct options *options_copy(const struct options *options)
{
    struct options *copy = mem_alloc(sizeof(*copy));

    *copy = *options;
    return copy;
}

static void check_words(const struct buf *words, bool wanted)
{
    ASSERT((words->size > 0) == wanted);
    for (size_t i = 0; i < words->size; i++) {
        ASSERT(words->data[i] >= ' ');
        ASSERT(words->data[i] < 0x7f);
    }
}

static void check_same(const struct options *a, const struct options *b, const char *but)
{
    struct arena arena;

    arena_init(&arena, 16 * 1024);
    for (unsigned i = 0; options_key(i) != NULL; i++) {
        const char *key = options_key(i);
        if (but == NULL || strcmp(key, but) != 0) {
            ASSERT(strcmp(options_get(a, key, &arena), options_get(b, key, &arena)) == 0);
        }
    }
    ASSERT(but != NULL || strcmp(a->requirepass, b->requirepass) == 0);
    arena_release(&arena);
}

/* Bytes as a C string: what follows a NUL does not count. */
static char *string_of(struct bytes bytes)
{
    char *text = mem_alloc(bytes.size + 1);

    if (bytes.size > 0) {
        memcpy(text, bytes.data, bytes.size);
    }
    text[bytes.size] = '\0';
    return text;
}

/* ---- One key ---- */

static void check_shown(const struct options *options, const char *key)
{
    struct options *again = options_copy(defaults());
    struct arena arena;
    struct buf words;

    arena_init(&arena, 1024);
    buf_init(&words, WORDS_MAX);
    const char *text = options_get(options, key, &arena);
    ASSERT(text != NULL);
    if (strcmp(key, "requirepass") != 0) { /* Passwords are not shown. */
        ASSERT(options_set(again, key, text, &words) == OK);
        ASSERT(strcmp(options_get(again, key, &arena), text) == 0);
        check_same(defaults(), again, key);
    }
    buf_release(&words);
    arena_release(&arena);
    mem_free(again);
}

static bool is_known(const char *key)
{
    for (unsigned i = 0; options_key(i) != NULL; i++) {
        if (strcmp(options_key(i), key) == 0) {
            return true;
        }
    }
    return false;
}

static void check_set(const char *key, const char *value)
{
    struct options *options = options_copy(defaults());
    struct buf words, verdict;

    buf_init(&words, WORDS_MAX);
    buf_init(&verdict, WORDS_MAX);
    struct fuzz_memory memory = fuzz_memory_begin();
    enum err err = options_set(options, key, value, &words);
    ASSERT(fuzz_memory_taken(&memory) <= MEMORY_FACTOR * strlen(value) + MEMORY_SLACK);
    check_words(&words, err != OK);
    ASSERT((err == ERR_NOT_FOUND) == !is_known(key));
    if (err == OK) {
        fuzz_mark(MARK_SET);
        check_same(defaults(), options, key);
        check_shown(options, key);
        check_words(&verdict, options_check(options, &verdict) != OK);
    } else {
        fuzz_mark(err == ERR_INVALID ? MARK_REFUSED : MARK_UNKNOWN);
        ASSERT(err == ERR_INVALID || err == ERR_NOT_FOUND);
        ASSERT(memcmp(options, defaults(), sizeof(*options)) == 0);
    }
    buf_release(&words);
    buf_release(&verdict);
    mem_free(options);
}

/* ---- Files ---- */

static enum err read_file(struct bytes text, struct options *options)
{
    static int file = -1;
    static char path[64];
    struct buf words, name;

    if (file < 0) {
        file = memfd_create("fuzz", 0);
        ASSERT(file >= 0);
        buf_init(&name, sizeof(path));
        buf_printf(&name, "/proc/self/fd/%d", file);
        memcpy(path, name.data, name.size);
        buf_release(&name);
    }
    ASSERT(ftruncate(file, 0) == 0);
    ASSERT(pwrite(file, text.data, text.size, 0) == (ssize_t)text.size);
    buf_init(&words, WORDS_MAX);
    struct fuzz_memory memory = fuzz_memory_begin();
    enum err err = config_file(options, path, &words);
    uint64_t lines = 1;
    for (size_t i = 0; i < text.size; i++) {
        lines += text.data[i] == '\n';
    }
    /* A line may hold a list of members, which works on a copy of all options. */
    ASSERT(fuzz_memory_taken(&memory) <=
           MEMORY_FACTOR * text.size + lines * 2 * sizeof(*options) + MEMORY_SLACK);
    check_words(&words, err != OK);
    ASSERT(err == OK || (words.size > strlen(path) && memcmp(words.data, path, strlen(path)) == 0));
    buf_release(&words);
    return err;
}

/* What these options are as a file. Passwords are not shown, so they are not written. */
static void write_file(const struct options *options, struct buf *out)
{
    struct arena arena;

    arena_init(&arena, 16 * 1024);
    for (unsigned i = 0; options_key(i) != NULL; i++) {
        const char *key = options_key(i);
        const char *value = options_get(options, key, &arena);
        bool skipped =
            strcmp(key, "requirepass") == 0 || (strcmp(key, "node-name") == 0 && value[0] == '\0');
        if (!skipped) {
            buf_printf(out, "%s=%s\n", key, value); /* Behind a blank ; would begin a comment. */
        }
    }
    arena_release(&arena);
}

/* inih sees long lines in pieces, which need a place to be cut at: not every long line can be read.
 */
static bool has_long_line(struct bytes text)
{
    size_t size = 0;

    for (size_t i = 0; i < text.size; i++) {
        size = text.data[i] == '\n' ? 0 : size + 1;
        if (size > LINE_SIZE_SAFE) {
            return true;
        }
    }
    return false;
}

/* Windows ends its lines otherwise. */
static void check_line_ends(struct bytes text, enum err err, const struct options *options)
{
    struct options *again = options_copy(defaults());
    struct buf other;

    buf_init(&other, SIZE_MAX);
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '\n') {
            buf_put_u8(&other, '\r');
        }
        buf_put_u8(&other, text.data[i]);
    }
    ASSERT(read_file(buf_bytes(&other), again) == err);
    ASSERT(memcmp(options, again, sizeof(*options)) == 0);
    buf_release(&other);
    mem_free(again);
}

static void check_file(struct bytes text)
{
    struct options *options = options_copy(defaults());
    struct options *again = options_copy(defaults());
    struct buf other;

    buf_init(&other, SIZE_MAX);
    enum err err = read_file(text, options);
    ASSERT(err == OK || err == ERR_INVALID);
    fuzz_mark(err == OK ? MARK_FILE : MARK_FILE_REFUSED);
    if (!has_long_line(text) && (text.size == 0 || memchr(text.data, '\r', text.size) == NULL)) {
        check_line_ends(text, err, options);
    }
    write_file(options, &other);
    /* A line that goes on may bring in what would be a comment on the first one. */
    bool comments = memmem(other.data, other.size, " ;", 2) != NULL ||
                    memmem(other.data, other.size, "\t;", 2) != NULL;
    if (err == OK && !comments && !has_long_line(buf_bytes(&other))) {
        ASSERT(read_file(buf_bytes(&other), again) == OK);
        memcpy(again->requirepass, options->requirepass, sizeof(again->requirepass));
        check_same(options, again, NULL);
    }
    buf_release(&other);
    mem_free(options);
    mem_free(again);
}

/* Text that no rule of files changes: no blanks at its ends, no comment, no end of line. */
static bool is_plain(const char *text)
{
    size_t size = strlen(text);

    if (size == 0 || size > 60 || strchr("#;", text[0]) != NULL) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        bool edge = i == 0 || i == size - 1;
        if (text[i] < ' ' || text[i] > '~' || text[i] == ';' || (edge && text[i] == ' ')) {
            return false;
        }
    }
    return true;
}

static void check_line(const char *key, const char *value)
{
    if (!is_plain(value) || !is_known(key)) {
        return;
    }
    struct options *by_set = options_copy(defaults());
    struct options *by_file = options_copy(defaults());
    struct buf words, line;

    buf_init(&words, WORDS_MAX);
    buf_init(&line, SIZE_MAX);
    buf_printf(&line, "%s = %s", key, value);
    bool set = options_set(by_set, key, value, &words) == OK;
    bool read = read_file(buf_bytes(&line), by_file) == OK;
    ASSERT(set == read);
    ASSERT(memcmp(by_set, by_file, sizeof(*by_set)) == 0);
    buf_release(&words);
    buf_release(&line);
    mem_free(by_set);
    mem_free(by_file);
}

/* ---- Command lines ---- */

static void check_arguments(struct bytes input)
{
    struct options *options = options_copy(defaults());
    char *text = string_of(input), *arguments[ARGUMENTS_MAX];
    int count = 0;
    struct buf words;

    buf_init(&words, WORDS_MAX);
    for (size_t at = 0; at < input.size && count < ARGUMENTS_MAX; at += strlen(text + at) + 1) {
        arguments[count] = text + at;
        if (strcmp(arguments[count], "-c") == 0) { /* Would read files of this machine. */
            arguments[count][1] = 'd';
        }
        count++;
    }
    enum err err = config_arguments(options, count, arguments, &words);
    ASSERT(err == OK || err == ERR_INVALID);
    ASSERT((words.size > 0) == (err != OK)); /* They may show an argument as it was typed. */
    if (err == OK) {
        fuzz_mark(MARK_ARGUMENTS);
        check_words(&words, options_check(options, &words) != OK);
    }
    buf_release(&words);
    mem_free(text);
    mem_free(options);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes input = {data, size};
    unsigned keys = 0;

    while (options_key(keys) != NULL) {
        keys++;
    }
    switch (fuzz_mode(&input, MODES_COUNT)) {
    case MODE_VALUE: {
        const char *key = options_key(fuzz_mode(&input, keys));
        char *value = string_of(input);
        check_set(key, value);
        check_line(key, value);
        mem_free(value);
        break;
    }
    case MODE_KEY: {
        char *key = string_of(input);
        size_t key_size = strlen(key);
        check_set(key, key_size < input.size ? key + key_size + 1 : "");
        mem_free(key);
        break;
    }
    case MODE_FILE:
        check_file(input);
        break;
    default:
        check_arguments(input);
        break;
    }
    return 0;
}
