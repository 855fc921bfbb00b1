/* base/base.h - what every file needs: assertions, memory that cannot fail, a few macros.
 *
 * Assertions stay on in production: a broken invariant stops the process before it can spread to
 * the other replicas. They are for programmer errors only, never for what a peer, client, disk or
 * operator can cause.
 *
 * Memory: mem_alloc aborts instead of returning NULL, because every size is already bounded by a
 * limit of node/options.h. The only malloc and free of the project are in base/. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(text, first) __attribute__((format(printf, text, first)))
#define NORETURN __attribute__((noreturn))

#define ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define CONTAINER_OF(pointer, type, member)                                                        \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

/* One condition per ASSERT. The expression is always evaluated. */
#define ASSERT(condition)                                                                          \
    ((condition) ? (void)0 : assert_failed(#condition, __FILE__, __LINE__, __func__))

/* Marks a condition that is normal both ways, where a reader might expect an ASSERT. */
#define MAYBE(condition) ((void)sizeof(condition))

/* Print the broken condition with its place on standard error and abort. */
NORETURN void assert_failed(const char *condition, const char *file, int line,
                            const char *function);

/* Return `size` bytes, uninitialised; `size` may be 0. Abort when there is no memory. */
void *mem_alloc(size_t size);
/* Return `count * size` zeroed bytes. Abort when there is no memory or the product overflows. */
void *mem_alloc_zero(size_t count, size_t size);
/* Resize as realloc(3) does, `old` may be NULL. Abort when there is no memory. */
void *mem_resize(void *old, size_t size);
/* Free what one of the above returned; NULL is allowed. */
void mem_free(void *memory);
/* Bytes held by mem_alloc and mem_resize just now (malloc_usable_size of all live blocks). */
size_t mem_used(void);
