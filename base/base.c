#include "base/base.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

/* Worker threads allocate as well; only a statistic, so no order is needed. */
static atomic_size_t mem_live;

void assert_failed(const char *condition, const char *file, int line, const char *function)
{
    fprintf(stderr, "%s:%d: %s: broken invariant: %s\n", file, line, function, condition);
    abort();
}

static void *mem_count(void *memory)
{
    if (memory == NULL) {
        fputs("out of memory\n", stderr);
        abort();
    }
    atomic_fetch_add_explicit(&mem_live, malloc_usable_size(memory), memory_order_relaxed);
    return memory;
}

static void mem_uncount(void *memory)
{
    atomic_fetch_sub_explicit(&mem_live, malloc_usable_size(memory), memory_order_relaxed);
}

void *mem_alloc(size_t size)
{
    return mem_count(malloc(size > 0 ? size : 1));
}

void *mem_alloc_zero(size_t count, size_t size)
{
    return mem_count(calloc(count > 0 ? count : 1, size > 0 ? size : 1));
}

void *mem_resize(void *old, size_t size)
{
    mem_uncount(old);
    return mem_count(realloc(old, size > 0 ? size : 1));
}

void mem_free(void *memory)
{
    mem_uncount(memory);
    free(memory);
}

size_t mem_used(void)
{
    return atomic_load_explicit(&mem_live, memory_order_relaxed);
}
