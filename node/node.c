#include "node/core.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static struct node *node_of(void *context)
{
    return context;
}

/* -- Effects. */

struct effect *effect_add(struct node *node, enum effect_type type)
{
    if (node->effects_count == node->effects_capacity) {
        node->effects_capacity = MAX((size_t)64, node->effects_capacity * 2);
        node->effects =
            mem_resize(node->effects, node->effects_capacity * sizeof(node->effects[0]));
    }
    struct effect *effect = &node->effects[node->effects_count++];
    *effect = (struct effect){.type = type};
    return effect;
}

void node_log(struct node *node, enum log_level level, const char *format, ...)
{
    char text[512];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    struct effect *effect = effect_add(node, EFFECT_LOG);
    effect->level = level;
    effect->text = arena_copy(&node->step, text, strlen(text) + 1);
}

void node_fatal(struct node *node, const char *format, ...)
{
    char text[512];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    effect_add(node, EFFECT_FATAL)->text = arena_copy(&node->step, text, strlen(text) + 1);
    node->state = NODE_STOPPED;
}

void node_random(struct node *node, void *out, size_t size)
{
    uint8_t *bytes = out;

    for (size_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)(prng_next(&node->prng) >> 32);
    }
}

/* -- What the quorum asks of us. */

void node_put(void *context, int family, struct bytes key, const struct bytes *value)
{
    struct node *node = node_of(context);
    struct bytes key_copy = arena_copy_bytes(&node->step, key);
    struct bytes value_copy = {NULL, 0};

    if (value != NULL) {
        value_copy = arena_copy_bytes(&node->step, *value);
    }
    struct effect *effect = effect_add(node, value != NULL ? EFFECT_DISK_PUT : EFFECT_DISK_DELETE);
    effect->family = (enum storage_family)family;
    effect->key = key_copy;
    effect->bytes = value_copy;
}

static void io_read(void *context, uint64_t id, struct bytes key)
{
    struct node *node = node_of(context);
    struct bytes copy = arena_copy_bytes(&node->step, key);
    struct effect *effect = effect_add(node, EFFECT_DISK_READ);

    effect->id = id;
    effect->key = copy;
}

static void node_scan(struct node *node, uint64_t id, enum storage_family family, struct bytes from,
                      struct bytes to, size_t entries_max, size_t bytes_max)
{
    struct bytes from_copy = arena_copy_bytes(&node->step, from);
    struct bytes to_copy = arena_copy_bytes(&node->step, to);
    struct effect *effect = effect_add(node, EFFECT_DISK_SCAN);

    effect->id = id;
    effect->range = (struct storage_range){family, from_copy, to_copy, entries_max, bytes_max};
}

static void io_scan(void *context, uint64_t id, struct bytes from, struct bytes to,
                    uint32_t entries_max, uint32_t bytes_max)
{
    node_scan(node_of(context), id, STORAGE_DATA, from, to, entries_max, bytes_max);
}

static void io_log(void *context, int level, const char *text)
{
    node_log(node_of(context), (enum log_level)level, "%s", text);
}

static void io_done(void *context, uint64_t token, const struct op_result *result)
{
    struct node *node = node_of(context);
    clients_on_op(node->clients, node->now, token, result);
}

static void io_listed(void *context, uint64_t token, const struct list_result *result)
{
    struct node *node = node_of(context);
    clients_on_listed(node->clients, node->now, token, result);
}

static void io_counted(void *context, uint64_t token, const struct count_result *result)
{
    struct node *node = node_of(context);
    clients_on_counted(node->clients, node->now, token, result);
}

/* -- What the clients ask of us. */

static void client_send(void *context, uint64_t client, struct bytes bytes)
{
    struct node *node = node_of(context);
    struct bytes copy = arena_copy_bytes(&node->step, bytes);
    struct effect *effect = effect_add(node, EFFECT_CLIENT_SEND);

    effect->id = client;
    effect->bytes = copy;
}

static void client_close(void *context, uint64_t client)
{
    effect_add(node_of(context), EFFECT_CLIENT_CLOSE)->id = client;
}

static void client_pause(void *context, uint64_t client, bool on)
{
    struct effect *effect = effect_add(node_of(context), EFFECT_CLIENT_PAUSE);

    effect->id = client;
    effect->on = on;
}

static void client_start(void *context, const struct op *op, uint64_t token)
{
    struct node *node = node_of(context);
    quorum_start(node->quorum, node->now, op, token);
}

static void client_list(void *context, const struct list_query *query, uint64_t token)
{
    struct node *node = node_of(context);
    quorum_list(node->quorum, node->now, query, token);
}

static void client_count(void *context, uint32_t timeout_ms, uint64_t token)
{
    struct node *node = node_of(context);
    quorum_count(node->quorum, node->now, timeout_ms, token);
}

static const struct view *client_view(void *context)
{
    return view_of(node_of(context));
}

static void client_quorum_stats(void *context, struct quorum_stats *out)
{
    quorum_stats(node_of(context)->quorum, out);
}

static const struct shell_stats *client_shell_stats(void *context)
{
    return &node_of(context)->shell;
}

static void client_log(void *context, enum log_level level, const char *text)
{
    node_log(node_of(context), level, "%s", text);
}

static void client_stop(void *context)
{
    start_on_stop(node_of(context));
}

/* -- Life. */

static int member_compare(const struct options_member *a, const struct options_member *b)
{
    return strcmp(a->name, b->name);
}

/* Members sorted by name, so that an index means the same everywhere. */
static void node_init_members(struct node *node)
{
    const struct options *options = &node->options;
    struct options_member alone = {.weight = options->weight};
    struct options_member *sorted =
        mem_alloc_zero(MAX(options->members_count, 1U), sizeof(*sorted));

    if (options->members_count == 0) {
        memcpy(alone.name, options->node_name, sizeof(alone.name));
        memcpy(alone.rack, options->rack, sizeof(alone.rack));
        sorted[0] = alone;
    }
    node->members_count = (uint16_t)MAX(options->members_count, 1U);
    for (unsigned i = 0; i < options->members_count; i++) {
        unsigned at = i;
        for (; at > 0 && member_compare(&options->members[i], &sorted[at - 1]) < 0; at--) {
            sorted[at] = sorted[at - 1];
        }
        sorted[at] = options->members[i];
    }
    node->members = mem_alloc_zero(node->members_count, sizeof(node->members[0]));
    for (unsigned i = 0; i < node->members_count; i++) {
        struct node_member *member = &node->members[i];
        memcpy(member->ring.name, sorted[i].name, sizeof(member->ring.name));
        memcpy(member->ring.rack, sorted[i].rack, sizeof(member->ring.rack));
        member->ring.weight = MAX(sorted[i].weight, 1U);
        memcpy(member->address, sorted[i].address, sizeof(member->address));
        member->backoff_ms = PEER_BACKOFF_MIN_MS;
        if (strcmp(sorted[i].name, options->node_name) == 0) {
            node->self = (uint16_t)i;
        }
    }
    mem_free(sorted);
}

static void node_init_place(struct node *node)
{
    struct ring_member *ring = mem_alloc_zero(node->members_count, sizeof(*ring));

    for (unsigned i = 0; i < node->members_count; i++) {
        ring[i] = node->members[i].ring;
    }
    place_init(&node->place, ring, node->members_count, node->options.partitions, node->options.n,
               NULL);
    mem_free(ring);
}

static void node_init_quorum(struct node *node, uint64_t hash_seed)
{
    const struct options *options = &node->options;
    struct quorum_options quorum = {
        .self = node->self,
        .members_count = node->members_count,
        .n = (uint8_t)options->n,
        .r = (uint8_t)options->r,
        .w = (uint8_t)options->w,
        .partitions_count = options->partitions,
        .hash_seed = hash_seed,
        .cache_bytes = options->cache_bytes / 2, /* The other half is RocksDB's block cache. */
        .log_partition_max_bytes = options->log_partition_max_bytes,
        .value_max_bytes = options->max_value_bytes,
        .max_clock_drift_ms = options->max_clock_drift_ms,
        .hedge_ms = options->hedge_ms,
        .requests_max = options->requests_max,
        .siblings_max = options->siblings_max,
        .clock_exchange_ms = options->clock_exchange_ms,
        .place = &node->place,
        .io = {.context = node,
               .send = peers_send,
               .read = io_read,
               .scan = io_scan,
               .put = node_put,
               .log = io_log,
               .done = io_done,
               .listed = io_listed,
               .counted = io_counted},
    };

    node->quorum = quorum_new(&quorum);
}

struct node *node_new(const struct options *options)
{
    struct node *node = mem_alloc_zero(1, sizeof(*node));

    node->options = *options;
    node->value_max = options->max_value_bytes;
    arena_init(&node->step, 256 * 1024);
    node_init_members(node);
    node_init_place(node);
    node->view_members = mem_alloc_zero(node->members_count, sizeof(node->view_members[0]));
    return node;
}

void node_free(struct node *node)
{
    if (node->clients != NULL) {
        clients_free(node->clients);
    }
    if (node->quorum != NULL) {
        quorum_free(node->quorum);
    }
    peers_release(node);
    place_release(&node->place);
    mem_free(node->members);
    mem_free(node->view_members);
    mem_free(node->effects);
    arena_release(&node->step);
    mem_free(node);
}

static void node_start(struct node *node, const struct event *event)
{
    const struct clients_io io = {
        .context = node,
        .send = client_send,
        .close = client_close,
        .pause = client_pause,
        .start = client_start,
        .list = client_list,
        .count = client_count,
        .view = client_view,
        .quorum_stats = client_quorum_stats,
        .shell_stats = client_shell_stats,
        .log = client_log,
        .stop = client_stop,
    };
    uint64_t seed;

    ASSERT(node->state == NODE_STOPPED);
    ASSERT(event->seed != NULL);
    memcpy(node->seed, event->seed, sizeof(node->seed));
    memcpy(&seed, node->seed, sizeof(seed));
    prng_init(&node->prng, seed);
    for (unsigned i = 0; i < node->members_count; i++) {
        node->members[i].changed_ns = node->now.ns;
    }
    node_init_quorum(node, prng_next(&node->prng));
    node->clients = clients_new(&node->options, &io, prng_next(&node->prng));
    start_on_start(node, event);
    node->state = NODE_LOADING_META;
    node_scan(node, node->scan_id, STORAGE_META, (struct bytes){NULL, 0}, (struct bytes){NULL, 0},
              10000, 64 * 1024 * 1024);
}

/* -- The step. */

static void on_scan(struct node *node, const struct event *event)
{
    if (node->state == NODE_LOADING_META || node->state == NODE_LOADING_LOG) {
        enum storage_family family = node->state == NODE_LOADING_META ? STORAGE_META : STORAGE_LOG;
        start_on_scan(node, event);
        if (node->state == NODE_STOPPED) {
            return;
        }
        bool next_family = family == STORAGE_META && node->state == NODE_LOADING_LOG;
        if (event->more && event->entries_count > 0) {
            /* The next page begins behind the last key. */
            struct bytes last = event->entries[event->entries_count - 1].key;
            uint8_t *from = arena_alloc(&node->step, last.size + 1);
            memcpy(from, last.data, last.size);
            from[last.size] = 0;
            node_scan(node, ++node->scan_id, family, (struct bytes){from, last.size + 1},
                      (struct bytes){NULL, 0}, 10000, 64 * 1024 * 1024);
        } else if (next_family) {
            node_scan(node, ++node->scan_id, STORAGE_LOG, (struct bytes){NULL, 0},
                      (struct bytes){NULL, 0}, 10000, 64 * 1024 * 1024);
        }
        return;
    }
    struct quorum_scanned *entries =
        ARENA_ARRAY(&node->step, struct quorum_scanned, event->entries_count);
    for (size_t i = 0; i < event->entries_count; i++) {
        entries[i] = (struct quorum_scanned){event->entries[i].key, event->entries[i].value};
    }
    quorum_on_scan(node->quorum, node->now, event->id, event->err, entries, event->entries_count,
                   event->more);
}

static void on_timer(struct node *node)
{
    if (node->peers_at_ns <= node->now.ns) {
        peers_on_timer(node);
    }
    if (clients_deadline_ns(node->clients) <= node->now.ns) {
        clients_on_timer(node->clients, node->now);
    }
    if (quorum_deadline_ns(node->quorum) <= node->now.ns) {
        quorum_on_timer(node->quorum, node->now);
    }
    start_stop_step(node);
}

static void on_turn(struct node *node)
{
    form_keep_hlc(node);
    uint64_t sequence = quorum_turn(node->quorum, node->now);
    if (sequence != 0) {
        effect_add(node, EFFECT_DISK_COMMIT)->sequence = sequence;
    }
}

static void on_durable(struct node *node, uint64_t sequence)
{
    quorum_on_durable(node->quorum, node->now, sequence);
    start_on_durable(node, sequence);
    start_stop_step(node);
}

static void dispatch(struct node *node, const struct event *event)
{
    if (node->stop_sequence != 0 && event->type != EVENT_TURN && event->type != EVENT_DURABLE) {
        return; /* The clean-stop mark is written: nothing may follow it. */
    }
    switch (event->type) {
    case EVENT_START:
        node_start(node, event);
        return;
    case EVENT_STOP:
        start_on_stop(node);
        return;
    case EVENT_TURN:
        on_turn(node);
        return;
    case EVENT_TIMER:
        on_timer(node);
        return;
    case EVENT_CLIENT_OPEN:
        clients_on_open(node->clients, node->now, event->id, event->face, event->address);
        return;
    case EVENT_CLIENT_BYTES:
        clients_on_bytes(node->clients, node->now, event->id, event->bytes);
        return;
    case EVENT_CLIENT_CLOSED:
        clients_on_closed(node->clients, node->now, event->id);
        start_stop_step(node);
        return;
    case EVENT_PEER_OPEN:
        peers_on_open(node, event);
        return;
    case EVENT_PEER_FAILED:
        peers_on_failed(node, event->member);
        return;
    case EVENT_PEER_BYTES:
        peers_on_bytes(node, event);
        return;
    case EVENT_PEER_CLOSED:
        peers_on_closed(node, event->id);
        return;
    case EVENT_PEER_BLOCKED:
        peers_on_blocked(node, event->id, event->on);
        return;
    case EVENT_DISK_READ:
        quorum_on_read(node->quorum, node->now, event->id, event->err, event->bytes);
        return;
    case EVENT_DISK_SCAN:
        on_scan(node, event);
        return;
    case EVENT_DURABLE:
        on_durable(node, event->sequence);
        return;
    case EVENT_STATS:
        node->shell = *event->stats;
        return;
    }
}

static uint64_t node_deadline_ns(const struct node *node)
{
    if (node->state == NODE_STOPPED) {
        return UINT64_MAX;
    }
    uint64_t deadline = node->peers_at_ns;
    deadline = MIN(deadline, clients_deadline_ns(node->clients));
    return MIN(deadline, quorum_deadline_ns(node->quorum));
}

void node_step(struct node *node, const struct event *event, struct effects *effects)
{
    ASSERT(event->now_ns >= node->now.ns);
    node->now = (struct now){event->now_ns, event->wall_ms};
    arena_reset(&node->step);
    node->effects_count = 0;
    bool started = node->clients != NULL;
    if ((started && node->state != NODE_STOPPED) || event->type == EVENT_START) {
        dispatch(node, event);
        peers_flush(node);
    }
    *effects = (struct effects){
        .items = node->effects,
        .count = node->effects_count,
        .deadline_ns = node_deadline_ns(node),
    };
}

const struct quorum *node_quorum(const struct node *node)
{
    return node->quorum;
}
