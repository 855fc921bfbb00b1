/* tests/e2e/store_dump.c - what a stopped node has on its disk: entries per family, and who holds a
 * text.
 *
 * store_dump STORE TEXT: opens the store of a node that is stopped, compacts it, so that nothing
 * deleted or replaced stays, and prints one line per family: its name, how many entries it has, and
 * how many of them hold TEXT in key or value. Exit status 0 unless the store cannot be read. */
#include "storage/rocks.h"

#include <stdio.h>
#include <string.h>

enum { PAGE_ENTRIES = 1000, PAGE_BYTES = 1024 * 1024, CACHE_BYTES = 8 * 1024 * 1024 };

static const char *const NAMES[STORAGE_FAMILIES_COUNT] = {
    [STORAGE_DATA] = "data",
    [STORAGE_LOG] = "log",
    [STORAGE_HINT] = "hint",
    [STORAGE_META] = "meta",
};

static bool holds(struct bytes bytes, const char *text)
{
    size_t size = strlen(text);

    return bytes.size >= size && memmem(bytes.data, bytes.size, text, size) != NULL;
}

static enum err dump_family(struct storage *storage, enum storage_family family, const char *text)
{
    unsigned long long entries_all = 0;
    unsigned long long holders = 0;
    bool more = true;
    struct arena arena;
    struct buf from;

    arena_init(&arena, PAGE_BYTES);
    buf_init(&from, PAGE_BYTES);
    enum err err = OK;
    while (err == OK && more) {
        struct storage_range range = {
            .family = family,
            .from = buf_bytes(&from),
            .entries_max = PAGE_ENTRIES,
            .bytes_max = PAGE_BYTES,
        };
        struct storage_entry *entries;
        size_t count;
        arena_reset(&arena);
        err = storage_scan(storage, &range, &arena, &entries, &count, &more);
        for (size_t i = 0; err == OK && i < count; i++) {
            holders += holds(entries[i].key, text) || holds(entries[i].value, text);
        }
        if (err == OK && count > 0) { /* Go on behind the last key: its successor ends in a zero. */
            entries_all += count;
            buf_clear(&from);
            buf_put_bytes(&from, entries[count - 1].key);
            buf_put_u8(&from, 0);
        }
    }
    buf_release(&from);
    arena_release(&arena);
    if (err == OK) {
        printf("%s %llu %llu\n", NAMES[family], entries_all, holders);
    }
    return err;
}

int main(int count, char **arguments)
{
    if (count != 3 || arguments[2][0] == '\0') {
        printf("usage: store_dump STORE TEXT\n");
        return 2;
    }
    const struct rocks_options options = {
        .directory = arguments[1], .cache_bytes = CACHE_BYTES, .sync = true};
    struct storage *storage = NULL;
    struct buf words;
    buf_init(&words, ROCKS_WORDS_SIZE_MIN);
    enum err err = rocks_open(&options, &storage, &words);
    if (err != OK) {
        printf("%.*s\n", (int)words.size, (const char *)words.data);
    }
    buf_release(&words);
    if (err != OK) {
        return 1;
    }
    err = rocks_compact(storage);
    for (int family = 0; err == OK && family < STORAGE_FAMILIES_COUNT; family++) {
        err = dump_family(storage, (enum storage_family)family, arguments[2]);
    }
    if (err != OK) {
        printf("%s: %s\n", arguments[1], storage_failure(storage));
    }
    storage_close(storage);
    return err == OK ? 0 : 1;
}
