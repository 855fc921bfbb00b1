#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { ARENA_ALIGN = 16, ARENA_KEEP_FACTOR = 64 };

struct arena_block {
    struct arena_block *next;
    size_t size; /* Of the data behind this header. */
};

_Static_assert(sizeof(struct arena_block) % ARENA_ALIGN == 0, "data behind a block is aligned");

static uint8_t *block_data(struct arena_block *block)
{
    return (uint8_t *)(block + 1);
}

void arena_init(struct arena *arena, size_t block_size)
{
    ASSERT(block_size > 0);
    *arena = (struct arena){.block_size = block_size};
}

static void free_blocks(struct arena_block *block)
{
    while (block != NULL) {
        struct arena_block *next = block->next;
        mem_free(block);
        block = next;
    }
}

void arena_release(struct arena *arena)
{
    free_blocks(arena->blocks);
    arena_init(arena, arena->block_size);
}

void arena_reset(struct arena *arena)
{
    struct arena_block *newest = arena->blocks;

    arena->used = 0;
    if (newest == NULL) {
        return;
    }
    free_blocks(newest->next);
    newest->next = NULL;
    if (newest->size > ARENA_KEEP_FACTOR * arena->block_size) {
        arena_release(arena);
        return;
    }
    arena->at = block_data(newest);
    arena->end = arena->at + newest->size;
}

static void arena_grow(struct arena *arena, size_t size)
{
    size_t doubled = arena->blocks != NULL ? arena->blocks->size * 2 : arena->block_size;
    size_t wanted = MAX(size, MIN(doubled, ARENA_KEEP_FACTOR * arena->block_size));
    struct arena_block *block = mem_alloc(sizeof(*block) + wanted);

    block->next = arena->blocks;
    block->size = wanted;
    arena->blocks = block;
    arena->at = block_data(block);
    arena->end = arena->at + wanted;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    ASSERT(size <= SIZE_MAX - ARENA_ALIGN);
    size_t rounded = (size + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
    if (arena->blocks == NULL || rounded > (size_t)(arena->end - arena->at)) {
        arena_grow(arena, rounded);
    }
    void *memory = arena->at;
    arena->at += rounded;
    arena->used += rounded;
    return memory;
}

void *arena_alloc_zero(struct arena *arena, size_t size)
{
    return memset(arena_alloc(arena, size), 0, size);
}

void *arena_copy(struct arena *arena, const void *data, size_t size)
{
    void *copy = arena_alloc(arena, size);

    if (size > 0) {
        memcpy(copy, data, size);
    }
    return copy;
}

struct bytes arena_copy_bytes(struct arena *arena, struct bytes bytes)
{
    return (struct bytes){arena_copy(arena, bytes.data, bytes.size), bytes.size};
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    va_list arguments, again;

    va_start(arguments, format);
    va_copy(again, arguments);
    int size = vsnprintf(NULL, 0, format, arguments);
    ASSERT(size >= 0);
    char *text = arena_alloc(arena, (size_t)size + 1);
    (void)vsnprintf(text, (size_t)size + 1, format, again);
    va_end(again);
    va_end(arguments);
    return text;
}
