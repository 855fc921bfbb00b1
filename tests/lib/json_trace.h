/* tests/lib/json_trace.h - what model/partition_model.py writes with --trace, as values of C.
 *
 * The model's nodes are letters, its actors (node, epoch), its keys k0, k1, k2. A line that does
 * not look like that aborts. Header only, so that the other tests need no libjansson. */
#pragma once

#include "quorum/object.h"

#include <jansson.h>

enum { NODES = 8, KEYS = 3, DOTS_MAX = 512 };

struct dots {
    struct dot dots[DOTS_MAX];
    uint32_t count;
};

static inline const json_t *member(const json_t *line, const char *name)
{
    const json_t *value = json_object_get(line, name);

    ASSERT(value != NULL);
    return value;
}

static inline unsigned node_of(const json_t *name)
{
    unsigned node = (unsigned)(json_string_value(name)[0] - 'a');

    ASSERT(node < NODES);
    return node;
}

static inline unsigned key_of(const json_t *name)
{
    unsigned key = (unsigned)(json_string_value(name)[1] - '0');

    ASSERT(key < KEYS);
    return key;
}

static inline struct bytes key_name(unsigned key)
{
    static const char names[KEYS][2] = {{'k', '0'}, {'k', '1'}, {'k', '2'}};

    return (struct bytes){(const uint8_t *)names[key], 2};
}

/* Actors of the model are (node, epoch), in that order. */
static inline uint64_t actor_of(unsigned node, uint64_t epoch)
{
    return (uint64_t)(node + 1) << 44 | epoch;
}

/* [node, epoch, counter] */
static inline struct dot dot_of(const json_t *dot)
{
    uint64_t epoch = (uint64_t)json_integer_value(json_array_get(dot, 1));

    return (struct dot){actor_of(node_of(json_array_get(dot, 0)), epoch),
                        (uint64_t)json_integer_value(json_array_get(dot, 2))};
}

static inline void dots_of(const json_t *list, struct dots *out)
{
    out->count = (uint32_t)json_array_size(list);
    ASSERT(out->count <= DOTS_MAX);
    for (uint32_t i = 0; i < out->count; i++) {
        out->dots[i] = dot_of(json_array_get(list, i));
    }
}

static inline void clock_of(const json_t *list, struct clock *clock)
{
    clock_init(clock);
    for (size_t i = 0; i < json_array_size(list); i++) {
        (void)clock_add(clock, dot_of(json_array_get(list, i)));
    }
}

static inline struct version version_of(struct dot dot, const json_t *value, const json_t *hlc,
                                        const json_t *plain)
{
    struct version version = {
        .dot = dot,
        .timestamp = (uint64_t)json_integer_value(hlc),
        .kind = json_is_null(value) ? VERSION_TOMBSTONE : VERSION_STRING,
        .flags = json_is_true(plain) ? 0 : VERSION_CAUSAL,
    };

    if (!json_is_null(value)) {
        version.payload = bytes_of(json_string_value(value));
        version.payload_size = version.payload.size;
    }
    return version;
}

/* [[dot, value or null, hlc, plain], ...] */
static inline struct version *versions_of(struct arena *arena, const json_t *list, uint32_t *count)
{
    *count = (uint32_t)json_array_size(list);
    struct version *versions = ARENA_ARRAY(arena, struct version, *count);
    for (uint32_t i = 0; i < *count; i++) {
        const json_t *item = json_array_get(list, i);
        versions[i] = version_of(dot_of(json_array_get(item, 0)), json_array_get(item, 1),
                                 json_array_get(item, 2), json_array_get(item, 3));
    }
    return versions;
}
