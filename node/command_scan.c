#include "node/command_multi.h"
#include "node/glob.h"

#include "ring/slot.h"

#include <stdio.h>
#include <string.h>

/* SCAN, KEYS, FLUSHALL, FLUSHDB, DBSIZE: a walk through the keys of a database in the order of
 * slot and hash, a page at a time.
 *
 * The plain face walks over the whole cluster. The cluster face walks over the slots whose
 * advertised primary this node is, so that a client that asks every node sees every key once. A
 * SCAN cursor is the position where the next page begins, slot << 32 | hash: nothing is kept
 * between calls, and any node of the plain face can go on. */

enum {
    PAGE_KEYS = 1000,
    SCAN_PAGES_MAX = 64,          /* Ranges that one SCAN may look into for its COUNT. */
    SCAN_REPLY_SIZE = 1024 * 1024 /* Enough for one reply. */
};

static const uint64_t POSITION_END = (uint64_t)SLOTS_COUNT << 32;

static void walk_pump(struct call *call);

/* ---- Ranges ---- */

/* The partition's slots are this node's to show on the cluster face. */
static bool is_ours(const struct view *view, uint32_t partition)
{
    return slot_primary(view, slot_partition_first(partition, view->place->partitions_count)) ==
           view->self;
}

static uint64_t slot_position(const struct place *place, uint32_t partition)
{
    return (uint64_t)slot_partition_first(partition, place->partitions_count) << 32;
}

/* Set position and end to the next range to read. False: there is none. */
static bool next_range(struct call *call, struct walk *walk)
{
    const struct view *view = clients_view(call->clients);
    bool whole = walk->any_slot || call->session->face == FACE_PLAIN;

    if (walk->position >= walk->limit || (!whole && view->place == NULL)) {
        return false;
    }
    if (whole) {
        walk->end = walk->limit;
        return true;
    }
    const struct place *place = view->place;
    uint32_t partition = slot_partition((uint16_t)(walk->position >> 32), place->partitions_count);
    while (partition < place->partitions_count && !is_ours(view, partition)) {
        partition++;
    }
    walk->position = MAX(walk->position, slot_position(place, partition));
    while (partition < place->partitions_count && is_ours(view, partition)) {
        partition++;
    }
    walk->end = MIN(walk->limit, slot_position(place, partition));
    return walk->position < walk->end;
}

/* ---- Pages ---- */

static void take_keys(struct call *call, const struct list_result *result)
{
    struct walk *walk = &call->multi->walk;
    struct reply found = {.buf = &walk->found, .resp = call->resp};

    walk->seen += result->keys_count;
    if (walk->kind == WALK_COUNT || walk->no_type) {
        return;
    }
    for (uint32_t i = 0; i < result->keys_count; i++) {
        if (walk->all_keys || glob_match(walk->pattern, result->keys[i])) {
            walk->matched++;
            reply_bulk(&found, result->keys[i]);
        }
    }
}

static void on_end_deleted(struct call *call)
{
    struct multi *multi = call->multi;
    struct walk *walk = &multi->walk;

    for (uint32_t i = 0; i < multi->parts_count; i++) {
        walk->done += multi->parts[i].outcome == OUTCOME_DONE;
        walk->unknown += multi->parts[i].outcome == OUTCOME_UNCERTAIN;
        walk->refused +=
            multi->parts[i].outcome != OUTCOME_DONE && multi->parts[i].outcome != OUTCOME_UNCERTAIN;
    }
    if (multi->failed) {
        walk->bad = multi->first_bad; /* Enough: say so instead of failing page after page. */
    }
    walk_pump(call);
}

/* FLUSHALL is DEL of every key found. */
static void delete_keys(struct call *call, const struct list_result *result)
{
    struct multi *multi = call->multi;

    multi_restart(multi, result->keys_count);
    multi->kind = OP_DEL;
    multi->on_end = on_end_deleted;
    for (uint32_t i = 0; i < result->keys_count; i++) {
        struct multi_part *part = multi->parts + i;
        part->key = key_encode(&multi->arena, multi->walk.database, result->keys[i]);
        part->user = arena_copy_bytes(&multi->arena, result->keys[i]);
    }
    multi_pump(call);
}

static void on_listed(struct call *call, const struct list_result *result)
{
    struct walk *walk = &call->multi->walk;

    ASSERT(walk->listing);
    walk->listing = false;
    if (result->outcome != OUTCOME_DONE) {
        walk->bad = (struct op_result){
            .outcome = result->outcome,
            .slot = result->slot,
            .needed = result->needed,
            .got = result->got,
            .waited_ms = result->waited_ms,
        };
    } else {
        ASSERT(result->position_next > walk->position);
        walk->position = result->position_next;
        if (walk->kind == WALK_FLUSH && result->keys_count > 0 && call->session != NULL) {
            delete_keys(call, result);
            return;
        }
        take_keys(call, result);
    }
    walk_pump(call);
}

/* ---- The walk ---- */

/* Nothing more is to be read: because of a failure, a limit, or the end. */
static bool is_enough(struct call *call)
{
    struct walk *walk = &call->multi->walk;

    if (call->session == NULL || walk->bad.outcome != OUTCOME_DONE ||
        walk->found.size > call->clients->options->client_output_max_bytes) {
        return true;
    }
    return walk->kind == WALK_SCAN &&
           (walk->seen >= walk->wanted || walk->pages >= SCAN_PAGES_MAX ||
            walk->found.size > SCAN_REPLY_SIZE);
}

/* Ask for the next page, of the next database after the last one. False: the end. */
static bool next_page(struct call *call)
{
    struct walk *walk = &call->multi->walk;

    while (!next_range(call, walk)) {
        if (walk->database == walk->database_last) {
            walk->position = walk->limit;
            return false;
        }
        walk->database++;
        walk->position = 0;
    }
    uint64_t wanted = walk->kind == WALK_SCAN ? walk->wanted - walk->seen : PAGE_KEYS;
    struct list_query query = {
        .database = walk->database,
        .r = call->terms.r,
        .position = walk->position,
        .position_end = walk->end,
        .count_max = (uint32_t)MIN(wanted, (uint64_t)PAGE_KEYS),
        .timeout_ms = call->terms.timeout_ms,
    };
    walk->listing = true;
    walk->pages++;
    call_list(call, &query);
    return true;
}

static void reply_scan(struct reply *reply, const struct walk *walk)
{
    char cursor[24];
    bool end = walk->position >= POSITION_END;

    snprintf(cursor, sizeof(cursor), "%llu", end ? 0ULL : (unsigned long long)walk->position);
    reply_array(reply, 2);
    reply_bulk_text(reply, cursor);
    reply_array(reply, walk->matched);
    buf_put_bytes(reply->buf, buf_bytes(&walk->found));
}

static void reply_flush(struct reply *reply, struct walk *walk, const char *name)
{
    bool write = walk->done > 0 || walk->unknown > 0;

    if (walk->bad.outcome == OUTCOME_DONE) {
        reply_ok(reply);
    } else if (!write) {
        command_outcome(reply, &walk->bad, false);
    } else {
        reply_error_printf(reply,
                           "UNCERTAIN %s: deleted %llu keys, unknown %llu, not deleted %llu, and "
                           "did not go on",
                           name, (unsigned long long)walk->done, (unsigned long long)walk->unknown,
                           (unsigned long long)walk->refused);
    }
}

static void walk_reply(struct call *call)
{
    struct walk *walk = &call->multi->walk;
    struct reply reply = call_reply(call);

    if (walk->kind == WALK_FLUSH) {
        reply_flush(&reply, walk, call->command->variant == 1 ? "FLUSHALL" : "FLUSHDB");
    } else if (walk->bad.outcome != OUTCOME_DONE) {
        command_outcome(&reply, &walk->bad, false);
    } else if (walk->found.size > call->clients->options->client_output_max_bytes) {
        reply_error(&reply, "ERR the reply is larger than client-output-max-bytes; use SCAN");
    } else if (walk->kind == WALK_SCAN) {
        reply_scan(&reply, walk);
    } else if (walk->kind == WALK_KEYS) {
        reply_array(&reply, walk->matched);
        buf_put_bytes(reply.buf, buf_bytes(&walk->found));
    } else {
        reply_integer(&reply, (int64_t)walk->seen);
    }
}

/* Go on until something is in flight or the walk is over. Pages may be answered while they are
 * asked for; then the loop goes on instead of a recursion. */
static void walk_pump(struct call *call)
{
    struct multi *multi = call->multi;
    struct walk *walk = &multi->walk;

    if (walk->pumping || walk->over) {
        return;
    }
    walk->pumping = true;
    while (!walk->listing && multi->in_flight == 0 && !walk->over) {
        if (is_enough(call) || !next_page(call)) {
            walk->over = true;
        }
    }
    walk->pumping = false;
    if (walk->over) {
        walk_reply(call);
        call_finish(call);
    }
}

static struct walk *walk_new(struct invocation *in, enum walk_kind kind)
{
    struct call *call = in->call;
    struct walk *walk = &multi_new(call, 0)->walk;

    walk->kind = kind;
    walk->all_keys = true;
    walk->database = walk->database_last = call->database;
    walk->limit = POSITION_END;
    call->on_listed = on_listed;
    return walk;
}

static void set_pattern(struct walk *walk, struct bytes pattern)
{
    uint8_t *copy = mem_alloc(pattern.size + 1);

    memcpy(copy, pattern.data, pattern.size);
    mem_free((void *)(uintptr_t)walk->pattern.data);
    walk->pattern = (struct bytes){copy, pattern.size};
    walk->all_keys = pattern.size == 1 && pattern.data[0] == '*';
}

/* ---- Commands ---- */

enum run run_keys(struct invocation *in)
{
    set_pattern(walk_new(in, WALK_KEYS), in->argv[1]);
    walk_pump(in->call);
    return RUN_STARTED;
}

/* As strtoul(3) reads it, which Redis uses: a sign is allowed, and so is nothing at all. */
static bool parse_cursor(struct bytes text, uint64_t *out)
{
    size_t at = text.size > 0 && (text.data[0] == '-' || text.data[0] == '+') ? 1 : 0;
    uint64_t value = 0;

    if (at == 1 && text.size == 1) {
        return false;
    }
    for (size_t i = at; i < text.size; i++) {
        uint8_t digit = (uint8_t)(text.data[i] - '0');
        if (digit > 9 || value > (UINT64_MAX - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    }
    *out = at == 1 && text.data[0] == '-' ? 0 - value : value;
    return true;
}

/* [MATCH pattern] [COUNT count] [TYPE type]. False: answered. */
static bool scan_options(struct invocation *in, struct walk *walk)
{
    for (uint32_t i = 2; i < in->argc; i += 2) {
        struct bytes word = in->argv[i];
        struct bytes value = command_word(in, i + 1);
        bool has_value = i + 1 < in->argc;
        if (bytes_equal_nocase(word, "COUNT") && has_value) {
            int64_t count;
            if (!command_i64(in, value, &count)) {
                return false;
            }
            if (count < 1) {
                command_syntax_error(in);
                return false;
            }
            walk->wanted = (uint32_t)MIN(count, (int64_t)PAGE_KEYS);
        } else if (bytes_equal_nocase(word, "MATCH") && has_value) {
            set_pattern(walk, value);
        } else if (bytes_equal_nocase(word, "TYPE") && has_value) {
            walk->no_type = !bytes_equal_nocase(value, "string");
        } else {
            command_syntax_error(in);
            return false;
        }
    }
    return true;
}

enum run run_scan(struct invocation *in)
{
    uint64_t cursor;

    if (!parse_cursor(in->argv[1], &cursor)) {
        reply_error(&in->reply, "ERR invalid cursor");
        return RUN_REPLIED;
    }
    struct walk *walk = walk_new(in, WALK_SCAN);
    walk->wanted = 10;
    walk->position = MIN(cursor, POSITION_END);
    if (!scan_options(in, walk)) {
        return RUN_REPLIED;
    }
    walk_pump(in->call);
    return RUN_STARTED;
}

/* FLUSHALL, FLUSHDB [ASYNC | SYNC]: both answer when it is done. Keys that are written meanwhile
 * may stay. */
enum run run_flush(struct invocation *in)
{
    bool known = in->argc == 1 || bytes_equal_nocase(in->argv[1], "ASYNC") ||
                 bytes_equal_nocase(in->argv[1], "SYNC");

    if (in->argc > 2 || !known) {
        return command_syntax_error(in);
    }
    struct walk *walk = walk_new(in, WALK_FLUSH);
    if (in->command->variant == 1) {
        walk->database = 0;
        walk->database_last = OPTIONS_DATABASES_COUNT - 1;
    }
    walk_pump(in->call);
    return RUN_STARTED;
}

static void on_counted(struct call *call, const struct count_result *result)
{
    struct reply reply = call_reply(call);
    struct op_result outcome = {.outcome = result->outcome};

    if (result->outcome == OUTCOME_DONE) {
        reply_integer(&reply, (int64_t)result->keys[call->database]);
    } else if (result->outcome == OUTCOME_BUSY) {
        command_outcome(&reply, &outcome, false);
    } else {
        reply_error(&reply, "TRYAGAIN not enough nodes answered to count all keys");
    }
    call_finish(call);
}

enum run run_dbsize(struct invocation *in)
{
    if (in->session->face == FACE_CLUSTER) { /* Of this node's slots only. */
        walk_new(in, WALK_COUNT);
        walk_pump(in->call);
        return RUN_STARTED;
    }
    in->call->on_counted = on_counted;
    call_count(in->call, in->call->terms.timeout_ms);
    return RUN_STARTED;
}

/* CLUSTER COUNTKEYSINSLOT slot: on any node, since every node can read every slot. */
enum run run_cluster_countkeysinslot(struct invocation *in)
{
    int64_t slot;

    if (in->session->face == FACE_PLAIN) {
        return run_cluster_refused(in);
    }
    if (!command_i64(in, in->argv[2], &slot)) {
        return RUN_REPLIED;
    }
    if (slot < 0 || slot >= SLOTS_COUNT) {
        reply_error(&in->reply, "ERR Invalid slot");
        return RUN_REPLIED;
    }
    struct walk *walk = walk_new(in, WALK_COUNT);
    walk->position = (uint64_t)slot << 32;
    walk->limit = (uint64_t)(slot + 1) << 32;
    walk->any_slot = true;
    walk_pump(in->call);
    return RUN_STARTED;
}
