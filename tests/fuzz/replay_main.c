/* tests/fuzz/replay_main.c - runs a fuzzer without libFuzzer, as an ordinary test.
 *
 *     fuzz_NAME [--mutations N] [--must-find] [FILE | DIRECTORY]...
 *
 * Every file once, then N mutations of them, the same ones in every run. The input that fails is
 * left in the working directory as crash-fuzz_NAME; to see it again, give it as the only argument.
 * With
 * --must-find the program succeeds only if some input fails: the proof that the alarm rings. */
#include "base/prng.h"
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { INPUT_SIZE_MAX = 256 * 1024, MUTANT_SIZE_MAX = 4096, SECONDS_MAX = 20 };

/* What stands in a corpus, sorted by name: the order of directories is not that of every machine.
 */
struct corpus {
    struct bytes *inputs;
    char **names;
    size_t count, capacity;
};

static const char *program_name;
static struct bytes running; /* For the last words. */

/* ---- The input that failed ---- */

static void save_running(void)
{
    char path[256];

    (void)snprintf(path, sizeof(path), "crash-%s", program_name);
    FILE *file = fopen(path, "wb");
    if (file != NULL) {
        (void)fwrite(running.data, 1, running.size, file);
        (void)fclose(file);
        fprintf(stderr, "%s: the input of %zu bytes is in ./%s\n", program_name, running.size,
                path);
    }
}

static void on_signal(int number)
{
    save_running();
    (void)signal(number, SIG_DFL);
    (void)raise(number);
}

/* Of the sanitizers' common interface; absent in a build without one. */
void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));
const char *__ubsan_default_options(void);

/* So that on_signal hears of undefined behaviour too. */
const char *__ubsan_default_options(void)
{
    return "abort_on_error=1:print_stacktrace=1";
}

static void run_one(struct bytes input)
{
    uint8_t *exact = fuzz_exact(input);

    running = (struct bytes){exact, input.size};
    (void)alarm(SECONDS_MAX); /* An input that never ends is a failure too. */
    (void)LLVMFuzzerTestOneInput(exact, input.size);
    (void)alarm(0);
    mem_free(exact);
}

/* ---- Reading the corpus ---- */

static void corpus_add_file(struct corpus *corpus, const char *path)
{
    FILE *file = fopen(path, "rb");

    if (file == NULL) {
        fprintf(stderr, "%s: cannot read %s\n", program_name, path);
        exit(2);
    }
    uint8_t *data = mem_alloc(INPUT_SIZE_MAX);
    size_t size = fread(data, 1, INPUT_SIZE_MAX, file);
    (void)fclose(file);
    if (corpus->count == corpus->capacity) {
        corpus->capacity = MAX((size_t)64, corpus->capacity * 2);
        corpus->inputs = mem_resize(corpus->inputs, corpus->capacity * sizeof(*corpus->inputs));
        corpus->names = mem_resize(corpus->names, corpus->capacity * sizeof(*corpus->names));
    }
    corpus->inputs[corpus->count] = (struct bytes){mem_resize(data, size), size};
    corpus->names[corpus->count++] =
        (char *)fuzz_exact((struct bytes){(const uint8_t *)path, strlen(path) + 1});
}

static void corpus_add(struct corpus *corpus, const char *path)
{
    struct stat status;

    if (stat(path, &status) != 0 || !S_ISDIR(status.st_mode)) {
        corpus_add_file(corpus, path);
        return;
    }
    DIR *directory = opendir(path);
    for (struct dirent *entry; directory != NULL && (entry = readdir(directory)) != NULL;) {
        char name[1024];
        if (entry->d_name[0] != '.') {
            (void)snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
            corpus_add_file(corpus, name);
        }
    }
    (void)closedir(directory);
}

static void corpus_swap(struct corpus *corpus, size_t a, size_t b)
{
    struct bytes input = corpus->inputs[a];
    char *name = corpus->names[a];

    corpus->inputs[a] = corpus->inputs[b];
    corpus->names[a] = corpus->names[b];
    corpus->inputs[b] = input;
    corpus->names[b] = name;
}

static void corpus_sort(struct corpus *corpus)
{
    for (size_t i = 1; i < corpus->count; i++) {
        for (size_t j = i; j > 0 && strcmp(corpus->names[j - 1], corpus->names[j]) > 0; j--) {
            corpus_swap(corpus, j - 1, j);
        }
    }
}

static void corpus_release(struct corpus *corpus)
{
    for (size_t i = 0; i < corpus->count; i++) {
        mem_free((void *)(uintptr_t)corpus->inputs[i].data);
        mem_free(corpus->names[i]);
    }
    mem_free(corpus->inputs);
    mem_free(corpus->names);
}

/* ---- Mutating ---- */

#define WORD(text)                                                                                 \
    {                                                                                              \
        (const uint8_t *)(text), sizeof(text) - 1                                                  \
    }

/* Of all grammars: RESP, msgpack, varints, configuration. */
static const struct bytes WORDS[] = {
    WORD("\r\n"),
    WORD("\r"),
    WORD("\n"),
    WORD("*"),
    WORD("$"),
    WORD("*1\r\n$"),
    WORD("-1"),
    WORD("0"),
    WORD("00"),
    WORD("2147483648"),
    WORD("4294967296"),
    WORD("9223372036854775807"),
    WORD("536870913"),
    WORD("1048577"),
    WORD("65536"),
    WORD("\0"),
    WORD("\xff"),
    WORD("\x7f"),
    WORD("\x80\x01"),
    WORD("\xc0"),
    WORD("\x90"),
    WORD("\xdd\x7f\xff\xff\xff"),
    WORD("\xdf\x80\0\0\0"),
    WORD("\xc6\xff\xff\xff\xff"),
    WORD("\xcf\0\0\0\0\0\0\0\1"),
    WORD("\xff\xff\xff\xff\xff\xff\xff\xff\xff\1"),
    WORD("\0\0\0\0\0\0\0\1"),
    WORD("\""),
    WORD("'"),
    WORD("\\x"),
    WORD(" "),
    WORD(" = "),
    WORD(","),
};

/* Replace `gone` bytes at `at` by `piece`. */
static void splice(struct buf *buf, size_t at, size_t gone, struct bytes piece)
{
    struct buf out;

    buf_init(&out, SIZE_MAX);
    buf_put(&out, buf->data, at);
    buf_put_bytes(&out, piece);
    buf_put(&out, buf->data + at + gone, buf->size - at - gone);
    buf_clear(buf);
    buf_put(buf, out.data, MIN(out.size, (size_t)MUTANT_SIZE_MAX));
    buf_release(&out);
}

static struct bytes some_of(struct prng *prng, struct bytes bytes, size_t size_max)
{
    size_t at = (size_t)prng_below(prng, bytes.size + 1);
    size_t size = (size_t)prng_below(prng, MIN(bytes.size - at, size_max) + 1);

    return (struct bytes){bytes.data + at, size};
}

static void mutate_once(struct prng *prng, const struct corpus *corpus, struct buf *buf)
{
    struct bytes all = buf_bytes(buf);
    struct bytes place = some_of(prng, all, 32);
    size_t at = (size_t)(place.data - all.data);
    struct bytes other = corpus->inputs[prng_below(prng, corpus->count)];

    switch (prng_below(prng, 8)) {
    case 0:
    case 1:
        if (at < buf->size) {
            buf->data[at] ^= (uint8_t)(1U << prng_below(prng, 8));
        }
        return;
    case 2:
        if (at < buf->size) {
            buf->data[at] = (uint8_t)prng_next(prng);
        }
        return;
    case 3: /* A word of some grammar, in place of something or between. */
        splice(buf, at, prng_chance(prng, 2) ? place.size : 0,
               WORDS[prng_below(prng, ARRAY_COUNT(WORDS))]);
        return;
    case 4:
        splice(buf, at, place.size, (struct bytes){NULL, 0});
        return;
    case 5: /* A part of another input. */
        splice(buf, at, place.size, some_of(prng, other, 256));
        return;
    case 6: { /* A part of itself once more. */
        uint8_t *copy = fuzz_exact(place);
        splice(buf, (size_t)prng_below(prng, buf->size + 1), 0, (struct bytes){copy, place.size});
        mem_free(copy);
        return;
    }
    default: /* The end is missing. */
        buf->size = prng_chance(prng, 4) ? at : buf->size;
        return;
    }
}

static void run_mutant(const struct corpus *corpus, uint64_t number)
{
    struct prng prng;
    struct buf buf;

    prng_init(&prng, number);
    buf_init(&buf, SIZE_MAX);
    struct bytes from = corpus->inputs[prng_below(&prng, corpus->count)];
    buf_put(&buf, from.data, MIN(from.size, (size_t)MUTANT_SIZE_MAX));
    for (uint64_t left = 1 + prng_below(&prng, 6); left > 0; left--) {
        if (buf.data == NULL) {
            buf_put_u8(&buf, 0);
        }
        mutate_once(&prng, corpus, &buf);
    }
    run_one(buf_bytes(&buf));
    buf_release(&buf);
}

/* Print how often each mark was reached. False when one was not. */
static bool report_marks(void)
{
    bool all = true;

    for (unsigned i = 0; FUZZ_MARKS[i] != NULL; i++) {
        printf("COUNT %s_%s %llu\n", program_name, FUZZ_MARKS[i],
               (unsigned long long)fuzz_marked[i]);
        if (fuzz_marked[i] == 0) {
            fprintf(stderr, "%s: no input reached '%s'\n", program_name, FUZZ_MARKS[i]);
            all = false;
        }
    }
    return all;
}

static void run_all(const struct corpus *corpus, uint64_t mutations)
{
    struct sigaction action = {.sa_handler = on_signal};

    (void)sigaction(SIGABRT, &action, NULL);
    (void)sigaction(SIGALRM, &action, NULL);
    if (__sanitizer_set_death_callback != NULL) {
        __sanitizer_set_death_callback(save_running);
    }
    for (size_t i = 0; i < corpus->count; i++) {
        run_one(corpus->inputs[i]);
    }
    for (uint64_t i = 0; i < mutations; i++) {
        run_mutant(corpus, i);
    }
    printf("COUNT %s_inputs %llu\n", program_name, (unsigned long long)(corpus->count + mutations));
}

/* Run in a child, since what is wanted is its death. */
static int must_find(const struct corpus *corpus, uint64_t mutations)
{
    int status = 0;

    (void)fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        run_all(corpus, mutations);
        _exit(0);
    }
    (void)waitpid(child, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        fprintf(stderr, "%s: found nothing, although there is something\n", program_name);
        return 1;
    }
    printf("COUNT %s_found 1\n", program_name);
    return 0;
}

int main(int argc, char **argv)
{
    struct corpus corpus = {NULL, NULL, 0, 0};
    const char *slash = strrchr(argv[0], '/');
    uint64_t mutations = 0;
    bool find = false;

    program_name = slash == NULL ? argv[0] : slash + 1;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--mutations") == 0 && i + 1 < argc) {
            mutations = strtoull(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--must-find") == 0) {
            find = true;
        } else {
            corpus_add(&corpus, argv[i]);
        }
    }
    if (corpus.count == 0) {
        fprintf(stderr, "%s: there is no input\n", program_name);
        return 2;
    }
    corpus_sort(&corpus);
    int status = 0;
    if (find) {
        status = must_find(&corpus, mutations);
    } else {
        run_all(&corpus, mutations);
        status = report_marks() || mutations == 0 ? 0 : 1;
    }
    corpus_release(&corpus);
    return status;
}
