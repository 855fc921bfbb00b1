/* base/arena.h - memory that is freed all at once.
 *
 * A step arena is reset before every node_step; a request arena is released when its request ends.
 * Blocks grow from `block_size` on; reset keeps the newest block, so that a steady state allocates
 * nothing. */
#pragma once

#include "base/base.h"
#include "base/bytes.h"

struct arena_block;

struct arena {
    struct arena_block *blocks; /* Newest first. */
    uint8_t *at, *end;          /* Free part of the newest block. */
    size_t block_size;
    size_t used; /* Bytes handed out since the last reset. */
};

/* `block_size` in bytes: the size of the first block, allocated at the first use. */
void arena_init(struct arena *arena, size_t block_size);
void arena_release(struct arena *arena);
/* Everything handed out becomes invalid; one block of at most 64 * block_size stays for reuse. */
void arena_reset(struct arena *arena);
/* Return `size` bytes aligned to 16; never NULL. */
void *arena_alloc(struct arena *arena, size_t size);
void *arena_alloc_zero(struct arena *arena, size_t size);
void *arena_copy(struct arena *arena, const void *data, size_t size);
struct bytes arena_copy_bytes(struct arena *arena, struct bytes bytes);
/* A NUL-terminated formatted string. */
char *arena_printf(struct arena *arena, const char *format, ...) PRINTF_LIKE(2, 3);

#define ARENA_ARRAY(arena, type, count) ((type *)arena_alloc((arena), sizeof(type) * (count)))
