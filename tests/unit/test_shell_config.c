/* tests/unit/test_shell_config.c - files and command lines: who overrides whom, and which line is
 * blamed. */
#include "node/config.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/unit.h"

static struct options options;
static struct buf words;
static struct arena arena;
static char directory[32];
static char path[64];

static void given(void)
{
    options_init(&options);
    buf_init(&words, 4096);
    arena_init(&arena, 4096);
    strcpy(directory, "/tmp/ringfort-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/ringfort.conf", directory);
}

static void released(void)
{
    (void)unlink(path);
    ck_assert_int_eq(rmdir(directory), 0);
    buf_release(&words);
    arena_release(&arena);
}

static void write_file(const char *text, size_t size)
{
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(text, 1, size, file), size);
    ck_assert_int_eq(fclose(file), 0);
}

/* The words without the directory, so that they begin with "ringfort.conf:". */
static const char *words_text(void)
{
    buf_put_u8(&words, '\0');
    const char *text = (const char *)words.data;
    size_t size = strlen(directory) + 1;
    return strncmp(text, directory, size - 1) == 0 ? text + size : text;
}

static const char *read_text(const char *text)
{
    write_file(text, strlen(text));
    buf_clear(&words);
    enum err err = config_file(&options, path, &words);
    ck_assert_int_eq(err, words.size == 0 ? OK : ERR_INVALID);
    return words_text();
}

static const char *get(const char *key)
{
    return options_get(&options, key, &arena);
}

static const char *arguments(char **list, int count)
{
    buf_clear(&words);
    enum err err = config_arguments(&options, count, list, &words);
    ck_assert_int_eq(err == OK, words.size == 0);
    return words_text();
}

#define ARGUMENTS(...)                                                                             \
    arguments((char *[]){__VA_ARGS__}, (int)(sizeof((char *[]){__VA_ARGS__}) / sizeof(char *)))

TEST(a_file_sets_keys_and_the_later_one_counts)
{
    given();
    ck_assert_str_eq(read_text("# a comment\n"
                               "\n"
                               "n = 5\r\n"
                               "  # an indented comment\n"
                               "r=1\n"
                               "r = 3 ; a comment behind a value\n"
                               "requirepass = a#b;c d\n"
                               "w = 4"),
                     "");
    ck_assert_str_eq(get("n"), "5");
    ck_assert_str_eq(get("r"), "3");
    ck_assert_str_eq(get("w"), "4");
    ck_assert_str_eq(options.requirepass, "a#b;c d");
    released();
}

TEST(a_value_goes_on_in_lines_that_begin_with_a_blank)
{
    given();
    ck_assert_str_eq(read_text("initial-members = n1@h:1 rack=a,\n"
                               "\tn2@h:2\n"
                               "    weight=2\n"
                               "r = 1\n"),
                     "");
    ck_assert_str_eq(get("initial-members"), "n1@h:1 rack=a weight=1,n2@h:2 weight=2");
    ck_assert_str_eq(get("r"), "1");
    released();
}

/* inih by itself would cut the line at 200 bytes and lose the rest. */
TEST(a_long_line_is_read_whole)
{
    given();
    for (int members = 1; members <= 256; members++) {
        char text[16384];
        char expected[16384];
        size_t size = (size_t)snprintf(text, sizeof(text), "initial-members = ");
        size_t expected_size = 0;
        for (int i = 1; i <= members; i++) {
            const char *between = i == 1 ? "" : i % 3 == 0 ? "," : " , ";
            size += (size_t)snprintf(text + size, sizeof(text) - size,
                                     "%sn%d@host-%d.example:%d rack=r%d", between, i, i, i, i % 5);
            expected_size += (size_t)snprintf(
                expected + expected_size, sizeof(expected) - expected_size,
                "%sn%d@host-%d.example:%d rack=r%d weight=1", i == 1 ? "" : ",", i, i, i, i % 5);
        }
        strcpy(text + size, " ; and a comment, n999@h:1\nr = 1\n");
        ck_assert_str_eq(read_text(text), "");
        ck_assert_str_eq(get("initial-members"), expected);
    }
    ck_assert_str_eq(get("r"), "1");
    released();
}

static const struct blame {
    const char *text, *words;
} BLAMES[] = {
    {"# one\n\nr = 9\n", "ringfort.conf:3: r must be a number from 1 to 7, not '9'"},
    {"n = 3\nr = 9\nw = 9\n", "ringfort.conf:2: r must be a number from 1 to 7, not '9'"},
    {"n = 3\nr = 9", "ringfort.conf:2: r must be a number from 1 to 7, not '9'"},
    {"initial-members = n1@h:1,\n  n2\nr = 1\n",
     "ringfort.conf:1: initial-members: 'n2' must be name@host:port"},
    {"r = 1\nfrobnicate = 7\n", "ringfort.conf:2: unknown key 'frobnicate'"},
    {"r = 1\nclint-listen = off\n",
     "ringfort.conf:2: unknown key 'clint-listen'; did you mean client-listen?"},
    {"r = 1\n\nfrobnicate\n", "ringfort.conf:3: expected key = value, not 'frobnicate'"},
    {"r = 1\n[server]\nw = 1\n",
     "ringfort.conf:2: there are no sections here, only key = value, not '[server]'"},
    {"r =\n", "ringfort.conf:1: r must be a number from 1 to 7, not ''"},
    {"= 3\n", "ringfort.conf:1: unknown key ''"},
    {" r = 9\n", "ringfort.conf:1: r must be a number from 1 to 7, not '9'"},
};

static void check_blame(const struct blame *blame)
{
    ck_assert_str_eq(read_text(blame->text), blame->words);
}

TEST(the_wrong_line_is_named)
{
    for (size_t i = 0; i < ARRAY_COUNT(BLAMES); i++) {
        given();
        check_blame(&BLAMES[i]);
        released();
    }
}

TEST(a_nul_byte_is_refused)
{
    given();
    write_file("r = 1\nw = 1\0 2\n", 15);
    ck_assert_int_eq(config_file(&options, path, &words), ERR_INVALID);
    ck_assert_str_eq(words_text(), "ringfort.conf:2: the line holds a NUL byte");
    released();
}

TEST(a_line_that_cannot_be_cut_or_held_is_refused)
{
    given();
    static char text[70000];
    memset(text, '-', sizeof(text) - 1);
    memcpy(text, "r = ", 4);
    ck_assert_str_eq(read_text(text), "ringfort.conf:1: the line is too long");
    text[400] = '\0';
    ck_assert_str_eq(read_text(text), "ringfort.conf:1: the line is too long");
    released();
}

TEST(a_missing_file_is_named)
{
    given();
    ck_assert_int_eq(config_file(&options, path, &words), ERR_IO);
    ck_assert_str_eq(words_text(), "ringfort.conf: cannot be read: No such file or directory");
    write_file("", 0);
    released();
}

TEST(the_command_line_overrides_the_file_wherever_it_stands)
{
    given();
    write_file("r = 1\nw = 1\nn = 1\n", 18);
    ck_assert_str_eq(ARGUMENTS("--r", "3", "-c", path, "--w=2", "--w", "3"), "");
    ck_assert_str_eq(get("r"), "3");
    ck_assert_str_eq(get("w"), "3");
    ck_assert_str_eq(get("n"), "1");
    released();
}

TEST(a_wrong_command_line_is_refused_with_words)
{
    given();
    ck_assert_str_eq(ARGUMENTS("--r"), "--r needs a value");
    ck_assert_str_eq(ARGUMENTS("-c"), "-c needs a value");
    ck_assert_str_eq(ARGUMENTS("r", "1"), "expected --key value or -c FILE, not 'r'");
    ck_assert_str_eq(ARGUMENTS("-r", "1"), "expected --key value or -c FILE, not '-r'");
    ck_assert_str_eq(ARGUMENTS("--", "1"), "unknown key ''");
    ck_assert_str_eq(ARGUMENTS("--r=9"), "r must be a number from 1 to 7, not '9'");
    ck_assert_str_eq(ARGUMENTS("--request-timeout", "9"),
                     "unknown key 'request-timeout'; did you mean request-timeout-ms?");
    released();
}

static const char *finished(mode_t mode, const char *secret)
{
    write_file(secret, strlen(secret));
    ck_assert_int_eq(chmod(path, mode), 0);
    buf_clear(&words);
    ck_assert_int_eq(options_set(&options, "secret-file", path, &words), OK);
    enum err err = config_finish(&options, &words);
    ck_assert_int_eq(err == OK, words.size == 0);
    buf_put_u8(&words, '\0');
    return (const char *)words.data;
}

TEST(a_secret_is_read_only_when_nobody_else_can)
{
    given();
    char expected[256];
    ck_assert_str_eq(finished(0600, "0123456789abcdef\n"), "");
    ck_assert_uint_eq(options.secret_size, 16);
    ck_assert_mem_eq(options.secret, "0123456789abcdef", 16);
    snprintf(expected, sizeof(expected), "secret-file %s can be read by others: chmod 600 it",
             path);
    ck_assert_str_eq(finished(0640, "0123456789abcdef"), expected);
    ck_assert_str_eq(finished(0604, "0123456789abcdef"), expected);
    snprintf(expected, sizeof(expected), "secret-file %s must hold 16 to 256 bytes", path);
    ck_assert_str_eq(finished(0600, "0123456789abcde\n"), expected);
    char longest[258];
    memset(longest, 'x', 257);
    longest[257] = '\0';
    ck_assert_str_eq(finished(0600, longest), expected);
    longest[256] = '\0';
    ck_assert_str_eq(finished(0600, longest), "");
    ck_assert_uint_eq(options.secret_size, 256);
    released();
}

TEST(a_missing_secret_is_named)
{
    given();
    ck_assert_int_eq(options_set(&options, "secret-file", "/nonexistent/s", &words), OK);
    ck_assert_int_eq(config_finish(&options, &words), ERR_IO);
    ck_assert_str_eq(words_text(),
                     "secret-file /nonexistent/s: cannot be read: No such file or directory");
    write_file("", 0);
    released();
}

TEST(a_node_is_named_after_its_host)
{
    given();
    write_file("", 0);
    ck_assert_int_eq(config_finish(&options, &words), OK);
    ck_assert(options_is_name(options.node_name, "._-"));
    released();
}

UNIT_MAIN(a_file_sets_keys_and_the_later_one_counts,
          a_value_goes_on_in_lines_that_begin_with_a_blank, a_long_line_is_read_whole,
          the_wrong_line_is_named, a_nul_byte_is_refused,
          a_line_that_cannot_be_cut_or_held_is_refused, a_missing_file_is_named,
          the_command_line_overrides_the_file_wherever_it_stands,
          a_wrong_command_line_is_refused_with_words, a_secret_is_read_only_when_nobody_else_can,
          a_missing_secret_is_named, a_node_is_named_after_its_host)
