/* tests/transcripts/transcripts.c - does each story still go as it is written down?
 *
 *     transcripts FILE...            with UPDATE=1 in the environment: write down how it goes now
 *
 * A file is a script (tests/lib/transcript.h), a line of four dashes, and the story. Every script
 * is run twice: the same script must tell the same story. */
#include "tests/lib/transcript.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const SEPARATOR = "----\n";

static bool read_file(const char *path, struct buf *out)
{
    FILE *file = fopen(path, "rb");
    char block[4096];
    size_t size;

    if (file == NULL) {
        return false;
    }
    while ((size = fread(block, 1, sizeof(block), file)) > 0) {
        buf_put(out, block, size);
    }
    return fclose(file) == 0;
}

static bool write_file(const char *path, struct bytes script, struct bytes story)
{
    FILE *file = fopen(path, "wb");

    if (file == NULL) {
        return false;
    }
    bool good = fwrite(script.data, 1, script.size, file) == script.size;
    good = good && fputs(SEPARATOR, file) >= 0;
    good = good && fwrite(story.data, 1, story.size, file) == story.size;
    return fclose(file) == 0 && good;
}

/* Cut a file in two at the separator; without one, the story is empty. */
static void split(struct bytes all, struct bytes *script, struct bytes *story)
{
    size_t size = strlen(SEPARATOR);

    *script = all;
    *story = (struct bytes){NULL, 0};
    for (size_t at = 0; at + size <= all.size; at++) {
        bool begins = at == 0 || all.data[at - 1] == '\n';
        if (begins && memcmp(all.data + at, SEPARATOR, size) == 0) {
            *script = (struct bytes){all.data, at};
            *story = (struct bytes){all.data + at + size, all.size - at - size};
            return;
        }
    }
}

static struct bytes line_next(struct bytes *text)
{
    const uint8_t *end = text->size > 0 ? memchr(text->data, '\n', text->size) : NULL;
    size_t size = end != NULL ? (size_t)(end - text->data) : text->size;
    struct bytes line = {text->data, size};
    size_t used = MIN(size + 1, text->size);

    *text = (struct bytes){text->data + used, text->size - used};
    return line;
}

/* The first lines that differ, with what came before them. */
static void print_difference(const char *path, struct bytes wanted, struct bytes got)
{
    struct bytes before[3] = {{NULL, 0}};
    unsigned number = 1;

    for (;; number++) {
        struct bytes a = line_next(&wanted), b = line_next(&got);
        if (!bytes_equal(a, b)) {
            printf("%s: line %u of the story\n", path, number);
            for (unsigned i = 0; i < 3; i++) {
                printf("   %.*s\n", (int)before[i].size, (const char *)before[i].data);
            }
            printf(" - %.*s\n + %.*s\n", (int)a.size, (const char *)a.data, (int)b.size,
                   (const char *)b.data);
            return;
        }
        before[0] = before[1];
        before[1] = before[2];
        before[2] = a;
    }
}

static bool check(const char *path, bool update)
{
    struct buf all, first, second;
    struct bytes script, story;
    bool good = true;

    buf_init(&all, SIZE_MAX);
    buf_init(&first, SIZE_MAX);
    buf_init(&second, SIZE_MAX);
    if (!read_file(path, &all)) {
        printf("%s: cannot be read\n", path);
        good = false;
    } else {
        split(buf_bytes(&all), &script, &story);
        bool understood = transcript_run(script, &first);
        good = understood && transcript_run(script, &second) == understood;
        if (!bytes_equal(buf_bytes(&first), buf_bytes(&second)) && understood) {
            printf("%s: told otherwise the second time\n", path);
            print_difference(path, buf_bytes(&first), buf_bytes(&second));
            good = false;
        } else if (!understood) {
            printf("%s: %.*s", path, (int)first.size, (char *)first.data);
        } else if (update) {
            good = write_file(path, script, buf_bytes(&first));
        } else if (!bytes_equal(story, buf_bytes(&first))) {
            print_difference(path, story, buf_bytes(&first));
            good = false;
        }
    }
    buf_release(&all);
    buf_release(&first);
    buf_release(&second);
    return good;
}

int main(int argc, char **argv)
{
    const char *update = getenv("UPDATE");
    int failed = 0;

    for (int i = 1; i < argc; i++) {
        failed += !check(argv[i], update != NULL && strcmp(update, "1") == 0);
    }
    printf("COUNT transcripts %d\n", argc - 1);
    if (failed > 0) {
        printf("%d of %d differ; if that is right: UPDATE=1 ctest -R transcripts, and explain each "
               "line in the commit\n",
               failed, argc - 1);
    }
    return failed == 0 && argc > 1 ? EXIT_SUCCESS : EXIT_FAILURE;
}
