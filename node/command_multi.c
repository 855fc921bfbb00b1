#include "node/command_multi.h"

#include <string.h>

enum { MULTI_BLOCK_SIZE = 4096 };

static void on_part(struct call *call, uint32_t part, const struct op_result *result);

struct multi *multi_new(struct call *call, uint32_t parts_count)
{
    struct multi *multi = mem_alloc_zero(1, sizeof(*multi));

    ASSERT(call->multi == NULL);
    arena_init(&multi->arena, MULTI_BLOCK_SIZE);
    buf_init(&multi->walk.found, (size_t)1 << 46);
    multi_restart(multi, parts_count);
    call->multi = multi;
    call->on_op = on_part;
    return multi;
}

void multi_free(struct multi *multi)
{
    arena_release(&multi->arena);
    buf_release(&multi->walk.found);
    mem_free((void *)(uintptr_t)multi->walk.pattern.data);
    mem_free(multi);
}

void multi_restart(struct multi *multi, uint32_t parts_count)
{
    ASSERT(multi->in_flight == 0);
    arena_reset(&multi->arena);
    multi->parts = arena_alloc_zero(&multi->arena, sizeof(*multi->parts) * parts_count);
    multi->parts_count = parts_count;
    multi->next = 0;
    multi->value_bytes = 0;
    multi->failed = false;
}

void multi_set_key(struct call *call, struct multi_part *part, struct bytes user)
{
    struct multi *multi = call->multi;

    part->key = key_encode(&multi->arena, call->database, user);
    part->user = arena_copy_bytes(&multi->arena, user);
}

/* What a client that went away, or a failure that settles the answer, makes needless. Writes go on:
 * one that has been asked for is not taken back because another failed. */
static bool is_over(const struct call *call)
{
    const struct multi *multi = call->multi;

    return call->session == NULL || (multi->failed && !call->writes);
}

static void start_part(struct call *call, uint32_t index)
{
    struct multi *multi = call->multi;
    struct multi_part *part = multi->parts + index;
    struct op op = command_op_on(call, multi->kind, part->key);

    if (multi->kind == OP_SET) {
        op.value = part->value;
    }
    multi->in_flight++;
    call_start(call, index, &op);
}

void multi_pump(struct call *call)
{
    struct multi *multi = call->multi;

    if (multi->pumping) {
        return; /* A part ended while it was being started: the loop below goes on. */
    }
    multi->pumping = true;
    while (multi->next < multi->parts_count && multi->in_flight < MULTI_CONCURRENCY &&
           !is_over(call)) {
        start_part(call, multi->next++);
    }
    multi->pumping = false;
    if (multi->in_flight == 0) {
        multi->on_end(call);
    }
}

/* Keep what MGET will show. Its whole reply must fit what a client may leave unread. */
static void take_value(struct call *call, struct multi_part *part, const struct op_result *result)
{
    struct multi *multi = call->multi;

    if (multi->value_bytes + result->value.size > call->clients->options->client_output_max_bytes) {
        part->outcome = OUTCOME_BUSY;
        multi->too_large = true;
        return;
    }
    multi->value_bytes += result->value.size;
    part->value = arena_copy_bytes(&multi->arena, result->value);
}

static void on_part(struct call *call, uint32_t index, const struct op_result *result)
{
    struct multi *multi = call->multi;
    struct multi_part *part = multi->parts + index;

    ASSERT(index < multi->parts_count);
    ASSERT(multi->in_flight > 0);
    multi->in_flight--;
    part->outcome = result->outcome;
    part->found = result->found;
    if (call->writes) {
        command_note_write(call, result);
    }
    if (result->outcome == OUTCOME_DONE && multi->keep_values && result->found) {
        take_value(call, part, result);
    }
    if (part->outcome != OUTCOME_DONE && !multi->failed) {
        multi->failed = true;
        multi->first_bad = (struct op_result){
            .outcome = result->outcome,
            .slot = result->slot,
            .needed = result->needed,
            .got = result->got,
            .waited_ms = result->waited_ms,
        };
    }
    multi_pump(call);
}
