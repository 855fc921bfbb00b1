#include "base/pack.h"

#include <msgpack.h>

/* -- Writing. */

static int write_to_buf(void *data, const char *bytes, size_t size)
{
    buf_put(data, bytes, size);
    return 0;
}

static msgpack_packer packer_of(struct buf *buf)
{
    return (msgpack_packer){.data = buf, .callback = write_to_buf};
}

void pack_map(struct buf *buf, uint32_t count)
{
    msgpack_packer packer = packer_of(buf);
    (void)msgpack_pack_map(&packer, count);
}

void pack_array(struct buf *buf, uint32_t count)
{
    msgpack_packer packer = packer_of(buf);
    (void)msgpack_pack_array(&packer, count);
}

void pack_u64(struct buf *buf, uint64_t value)
{
    msgpack_packer packer = packer_of(buf);
    (void)msgpack_pack_uint64(&packer, value);
}

void pack_i64(struct buf *buf, int64_t value)
{
    msgpack_packer packer = packer_of(buf);
    (void)msgpack_pack_int64(&packer, value);
}

void pack_bool(struct buf *buf, bool value)
{
    msgpack_packer packer = packer_of(buf);
    (void)(value ? msgpack_pack_true(&packer) : msgpack_pack_false(&packer));
}

void pack_bin(struct buf *buf, struct bytes value)
{
    msgpack_packer packer = packer_of(buf);
    (void)msgpack_pack_bin(&packer, value.size);
    buf_put_bytes(buf, value);
}

/* -- Reading: msgpack-c's own parser, with callbacks that write one token per value into an array.
 * A container's token comes before those of its items. Nothing is allocated by an announced length.
 */

enum token_type {
    TOKEN_OTHER,
    TOKEN_UINT,
    TOKEN_NEGATIVE,
    TOKEN_BOOL,
    TOKEN_BIN,
    TOKEN_ARRAY,
    TOKEN_MAP
};

struct unpack_token {
    union {
        uint64_t number;
        const uint8_t *data;
    };
    uint32_t size;
    uint8_t type;
};

struct token_list {
    struct arena *arena;
    struct unpack_token *tokens;
    uint32_t count, capacity;
};

static int token_add(struct token_list *list, struct unpack_token token)
{
    if (list->count == list->capacity) {
        uint32_t capacity = MAX(16U, list->capacity * 2);
        struct unpack_token *grown = ARENA_ARRAY(list->arena, struct unpack_token, capacity);
        for (uint32_t i = 0; i < list->count; i++) {
            grown[i] = list->tokens[i];
        }
        list->tokens = grown;
        list->capacity = capacity;
    }
    list->tokens[list->count++] = token;
    return 0;
}

static int add_unsigned(struct token_list *list, uint64_t value)
{
    return token_add(list, (struct unpack_token){.type = TOKEN_UINT, .number = value});
}

static int add_signed(struct token_list *list, int64_t value)
{
    uint8_t type = value < 0 ? TOKEN_NEGATIVE : TOKEN_UINT;
    return token_add(list, (struct unpack_token){.type = type, .number = (uint64_t)value});
}

static int add_counted(struct token_list *list, enum token_type type, unsigned count)
{
    return token_add(list, (struct unpack_token){.type = (uint8_t)type, .size = count});
}

/* The names that msgpack/unpack_template.h asks for. No objects are made: an int is in their place.
 */
#define msgpack_unpack_struct(name) struct token_unpack##name
#define msgpack_unpack_func(ret, name) static __attribute__((unused)) ret token_unpack##name
#define msgpack_unpack_callback(name) on##name
#define msgpack_unpack_object int
#define msgpack_unpack_user struct token_list

#define CALLBACK_UNSIGNED(name, type)                                                              \
    static int name(struct token_list *list, type value, int *object)                              \
    {                                                                                              \
        *object = 0;                                                                               \
        return add_unsigned(list, value);                                                          \
    }
#define CALLBACK_SIGNED(name, type)                                                                \
    static int name(struct token_list *list, type value, int *object)                              \
    {                                                                                              \
        *object = 0;                                                                               \
        return add_signed(list, value);                                                            \
    }
#define CALLBACK_SIMPLE(name, kind, value)                                                         \
    static int name(struct token_list *list, int *object)                                          \
    {                                                                                              \
        *object = 0;                                                                               \
        return token_add(list, (struct unpack_token){.type = (kind), .number = (value)});          \
    }
#define CALLBACK_COUNTED(name, kind)                                                               \
    static int name(struct token_list *list, unsigned count, int *object)                          \
    {                                                                                              \
        *object = 0;                                                                               \
        return add_counted(list, kind, count);                                                     \
    }
#define CALLBACK_BYTES(name, kind)                                                                 \
    static int name(struct token_list *list, const char *base, const char *at, unsigned size,      \
                    int *object)                                                                   \
    {                                                                                              \
        (void)base;                                                                                \
        *object = 0;                                                                               \
        return token_add(list, (struct unpack_token){                                              \
                                   .type = (kind), .data = (const uint8_t *)at, .size = size});    \
    }

CALLBACK_UNSIGNED(on_uint8, uint8_t)
CALLBACK_UNSIGNED(on_uint16, uint16_t)
CALLBACK_UNSIGNED(on_uint32, uint32_t)
CALLBACK_UNSIGNED(on_uint64, uint64_t)
CALLBACK_SIGNED(on_int8, int8_t)
CALLBACK_SIGNED(on_int16, int16_t)
CALLBACK_SIGNED(on_int32, int32_t)
CALLBACK_SIGNED(on_int64, int64_t)
CALLBACK_SIMPLE(on_nil, TOKEN_OTHER, 0)
CALLBACK_SIMPLE(on_true, TOKEN_BOOL, 1)
CALLBACK_SIMPLE(on_false, TOKEN_BOOL, 0)
CALLBACK_COUNTED(on_array, TOKEN_ARRAY)
CALLBACK_COUNTED(on_map, TOKEN_MAP)
CALLBACK_BYTES(on_str, TOKEN_BIN)
CALLBACK_BYTES(on_bin, TOKEN_BIN)
CALLBACK_BYTES(on_ext, TOKEN_OTHER)

static int on_float(struct token_list *list, float value, int *object)
{
    (void)value;
    return on_nil(list, object);
}

static int on_double(struct token_list *list, double value, int *object)
{
    (void)value;
    return on_nil(list, object);
}

static int on_root(struct token_list *list)
{
    (void)list;
    return 0;
}

static int on_array_item(struct token_list *list, int *container, int item)
{
    (void)list;
    (void)container;
    (void)item;
    return 0;
}

static int on_map_item(struct token_list *list, int *container, int key, int value)
{
    (void)list;
    (void)container;
    (void)key;
    (void)value;
    return 0;
}

#undef MSGPACK_EMBED_STACK_SIZE
#define MSGPACK_EMBED_STACK_SIZE PACK_DEPTH_MAX
#include <msgpack/unpack_define.h>
#include <msgpack/unpack_template.h>

struct unpack unpack_of(struct bytes bytes, struct arena *arena)
{
    struct token_unpack_context context = {.user = {.arena = arena}};
    size_t offset = 0;

    token_unpack_init(&context);
    int result = bytes.size == 0 ? 0
                                 : token_unpack_execute(&context, (const char *)bytes.data,
                                                        bytes.size, &offset);
    if (result != 1 || offset != bytes.size) {
        return (struct unpack){.failed = true};
    }
    const struct unpack_token *tokens = context.user.tokens;
    return (struct unpack){.at = tokens, .end = tokens + context.user.count};
}

/* The next token if it is of `type`, else NULL and failed. */
static const struct unpack_token *take(struct unpack *unpack, enum token_type type)
{
    if (unpack->failed || unpack->at == unpack->end || unpack->at->type != type) {
        unpack->failed = true;
        return NULL;
    }
    return unpack->at++;
}

uint32_t unpack_map(struct unpack *unpack)
{
    const struct unpack_token *token = take(unpack, TOKEN_MAP);
    return token != NULL ? token->size : 0;
}

uint32_t unpack_array(struct unpack *unpack)
{
    const struct unpack_token *token = take(unpack, TOKEN_ARRAY);
    return token != NULL ? token->size : 0;
}

uint64_t unpack_u64(struct unpack *unpack)
{
    const struct unpack_token *token = take(unpack, TOKEN_UINT);
    return token != NULL ? token->number : 0;
}

int64_t unpack_i64(struct unpack *unpack)
{
    bool negative =
        !unpack->failed && unpack->at != unpack->end && unpack->at->type == TOKEN_NEGATIVE;
    const struct unpack_token *token = take(unpack, negative ? TOKEN_NEGATIVE : TOKEN_UINT);

    if (token == NULL || (!negative && token->number > INT64_MAX)) {
        unpack->failed = true;
        return 0;
    }
    return (int64_t)token->number;
}

bool unpack_bool(struct unpack *unpack)
{
    const struct unpack_token *token = take(unpack, TOKEN_BOOL);
    return token != NULL && token->number != 0;
}

struct bytes unpack_bin(struct unpack *unpack)
{
    const struct unpack_token *token = take(unpack, TOKEN_BIN);
    return token != NULL ? (struct bytes){token->data, token->size} : (struct bytes){NULL, 0};
}

void unpack_skip(struct unpack *unpack)
{
    uint64_t left = 1; /* Values still to skip; containers add theirs. */

    while (left > 0 && !unpack->failed) {
        if (unpack->at == unpack->end) {
            unpack->failed = true;
            return;
        }
        const struct unpack_token *token = unpack->at++;
        left--;
        left += token->type == TOKEN_ARRAY ? token->size : 0;
        left += token->type == TOKEN_MAP ? (uint64_t)token->size * 2 : 0;
    }
}

bool unpack_done(const struct unpack *unpack)
{
    return !unpack->failed && unpack->at == unpack->end;
}
