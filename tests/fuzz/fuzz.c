#include "tests/fuzz/fuzz.h"

#include "base/hash.h"

#include <string.h>

enum { PIECES_MAX = 50, RUN_MARK = 0xfa };

uint64_t fuzz_marked[FUZZ_MARKS_MAX];

unsigned fuzz_mode(struct bytes *input, unsigned count)
{
    ASSERT(count > 0);
    if (input->size == 0) {
        return 0;
    }
    unsigned mode = input->data[0] % count;
    *input = (struct bytes){input->data + 1, input->size - 1};
    return mode;
}

void fuzz_expand(struct bytes input, size_t size_max, struct buf *out)
{
    while (input.size > 0) {
        size_t taken = 1, times = 1;
        uint8_t byte = input.data[0];
        if (byte == RUN_MARK && input.size >= 4) {
            times = be16_at(input.data + 1);
            byte = input.data[3];
            taken = 4;
        }
        times = MIN(times, size_max - out->size);
        if (times > 0) {
            memset(buf_reserve(out, times), byte, times);
        }
        input = (struct bytes){input.data + taken, input.size - taken};
    }
}

void pieces_init(struct pieces *pieces, struct bytes stream, uint64_t salt)
{
    static const uint64_t SIZES[] = {1, 2, 3, 8, 40, 400, 4000};

    pieces->left = stream;
    prng_init(&pieces->prng, hash_seeded(stream, salt));
    pieces->head = prng_chance(&pieces->prng, 5);
    pieces->size_max = SIZES[prng_below(&pieces->prng, ARRAY_COUNT(SIZES))];
    /* Whoever parses again what is not whole yet takes quadratic time: not too many pieces. */
    pieces->size_max = MAX(pieces->size_max, (uint64_t)stream.size / PIECES_MAX);
}

bool pieces_next(struct pieces *pieces, struct bytes *piece)
{
    struct bytes *left = &pieces->left;

    if (left->size == 0) {
        return false;
    }
    if (pieces->head) {
        pieces->head = false;
        pieces->size_max = SIZE_MAX;
        size_t head = 1 + (size_t)prng_below(&pieces->prng, 64);
        head = MIN(head, left->size);
        *piece = (struct bytes){left->data, head};
        *left = (struct bytes){left->data + head, left->size - head};
        return true;
    }
    bool small = left->size < 4000 && pieces->size_max < SIZE_MAX && prng_chance(&pieces->prng, 4);
    size_t size = 1 + (size_t)prng_below(&pieces->prng, small ? 8 : pieces->size_max);
    if (pieces->size_max < SIZE_MAX && prng_chance(&pieces->prng, 3)) {
        /* Ends of lines are where parsers err: cut before, within or behind the next one. */
        const uint8_t *end = memchr(left->data, '\r', left->size);
        size_t line = end == NULL ? size : (size_t)(end - left->data);
        size = left->size > 4000 ? size : line + prng_below(&pieces->prng, 3);
    }
    size = MIN(MAX(size, (size_t)1), left->size);
    *piece = (struct bytes){left->data, size};
    *left = (struct bytes){left->data + size, left->size - size};
    return true;
}

uint8_t *fuzz_exact(struct bytes bytes)
{
    uint8_t *copy = mem_alloc(bytes.size);

    if (bytes.size > 0) {
        memcpy(copy, bytes.data, bytes.size);
    }
    return copy;
}

/* ---- Memory ---- */

/* Of the sanitizers' common interface; absent in a build without one. */
int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void *, size_t),
                                              void (*on_free)(const volatile void *))
    __attribute__((weak));

static uint64_t memory_taken;

static void on_malloc(const volatile void *memory, size_t size)
{
    (void)memory;
    memory_taken += size;
}

static void on_free(const volatile void *memory)
{
    (void)memory;
}

static bool memory_is_hooked(void)
{
    static bool tried, hooked;

    if (!tried) {
        tried = true;
        hooked = __sanitizer_install_malloc_and_free_hooks != NULL &&
                 __sanitizer_install_malloc_and_free_hooks(on_malloc, on_free) > 0;
    }
    return hooked;
}

struct fuzz_memory fuzz_memory_begin(void)
{
    return (struct fuzz_memory){memory_is_hooked() ? memory_taken : mem_used()};
}

uint64_t fuzz_memory_taken(const struct fuzz_memory *memory)
{
    uint64_t now = memory_is_hooked() ? memory_taken : mem_used();

    return now > memory->before ? now - memory->before : 0;
}
