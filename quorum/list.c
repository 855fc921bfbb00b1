/* quorum/list.c - pages of keys from R owners, and counts of keys.
 *
 * A page covers a run of partitions whose chosen owners are the same. Each of R owners lists what
 * it holds; a key that all of them hold alive is listed, one that only some hold is read with a
 * quorum first, so that neither a missed write hides a key nor a missed delete shows one. */
#include "quorum/state.h"

#include "ring/slot.h"

#include <stdlib.h>

enum { LIST_SCAN_MIN = 64, LIST_BYTES_MAX = 4 * 1024 * 1024, LIST_VERIFY_MAX = 32 };

struct listed_page {
    bool answered;
    uint64_t position_end; /* Everything before it is listed. */
    const struct message_listed *listed;
    uint32_t count;
};

struct list_candidate {
    struct bytes user;
    uint64_t position;
    unsigned live; /* Owners that hold it alive. */
    bool accepted;
};

struct listing {
    uint64_t id, token;
    bool counting;
    struct list_query query;
    struct arena arena, page_arena;
    uint64_t start_ns, deadline_ns;
    uint64_t position; /* Everything before it is in `keys`. */
    struct bytes *keys;
    uint32_t keys_count, keys_capacity;
    /* The page that is being put together. */
    uint64_t page; /* Rises, so that late answers are known. */
    uint64_t position_end;
    uint16_t targets[QUORUM_OWNERS_MAX];
    unsigned targets_count;
    struct listed_page pages[QUORUM_OWNERS_MAX];
    struct list_candidate *candidates;
    uint32_t candidates_count, verifying, verify_next;
    /* COUNT: answers still to come. */
    unsigned counts_open;
    struct count_result counts;
};

/* A scan of the local store for ourselves or for a member that asked. */
struct list_scan {
    uint64_t id;
    uint16_t from;    /* QUORUM_MEMBER_NONE: our own list. */
    uint64_t request; /* Their request, or list id << 20 | page. */
    uint8_t database;
    uint64_t position, position_end;
    uint32_t count_max;
};

static void list_step(struct quorum *quorum, struct listing *list);

static const uint64_t LIST_TOKEN = 1ULL << 63; /* Operations started here; see request_finish. */

static uint64_t page_request(const struct listing *list)
{
    return list->id << 24 | (list->page & 0xffffff);
}

static void list_free(struct quorum *quorum, struct listing *list)
{
    (void)map_remove(&quorum->lists, list->id);
    arena_release(&list->arena);
    arena_release(&list->page_arena);
    mem_free(list->keys);
    mem_free(list);
}

void lists_release(struct quorum *quorum)
{
    MAP_FOR (i, &quorum->lists) {
        uint64_t id = quorum->lists.slots[i].key;
        if (id >> 40 != 0) { /* A scan, see scan_new. */
            mem_free(quorum->lists.slots[i].value);
            continue;
        }
        struct listing *list = quorum->lists.slots[i].value;
        arena_release(&list->arena);
        arena_release(&list->page_arena);
        mem_free(list->keys);
        mem_free(list);
    }
    map_release(&quorum->lists);
}

static void list_done(struct quorum *quorum, struct listing *list, enum outcome outcome,
                      unsigned needed, unsigned got)
{
    uint32_t waited_ms = (uint32_t)((quorum->now.ns - list->start_ns) / 1000000);

    if (list->counting) {
        list->counts.outcome = outcome;
        quorum->options.io.counted(quorum->options.io.context, list->token, &list->counts);
    } else {
        struct list_result result = {
            .outcome = outcome,
            .needed = (uint8_t)needed,
            .got = (uint8_t)got,
            .slot = (uint16_t)MIN(list->position >> 32, (uint64_t)SLOTS_COUNT - 1),
            .waited_ms = waited_ms,
            .keys = list->keys,
            .keys_count = list->keys_count,
            .position_next = list->position,
        };
        quorum->options.io.listed(quorum->options.io.context, list->token, &result);
    }
    list_free(quorum, list);
}

static struct listing *list_new(struct quorum *quorum, uint32_t timeout_ms, uint64_t token)
{
    struct listing *list = mem_alloc_zero(1, sizeof(*list));

    list->id = ++quorum->request_next & 0xffffffffffU;
    list->token = token;
    arena_init(&list->arena, 4096);
    arena_init(&list->page_arena, 4096);
    list->start_ns = quorum->now.ns;
    list->deadline_ns = quorum->now.ns + (uint64_t)timeout_ms * 1000000;
    (void)map_set(&quorum->lists, list->id, list);
    return list;
}

/* -- Choosing owners. */

/* R live owners of a partition, ourselves first. Return how many there are. */
static unsigned choose_targets(struct quorum *quorum, uint16_t partition, unsigned wanted,
                               uint16_t *targets)
{
    unsigned owners_count, count = 0;
    const uint16_t *owners = owners_of(quorum, partition, &owners_count);

    if (owner_index(quorum, partition, quorum->options.self) >= 0) {
        targets[count++] = quorum->options.self;
    }
    for (unsigned i = 0; i < owners_count && count < wanted; i++) {
        if (owners[i] != quorum->options.self && quorum_member_live(quorum, owners[i])) {
            targets[count++] = owners[i];
        }
    }
    return count;
}

static bool all_own(const struct quorum *quorum, uint16_t partition, const uint16_t *targets,
                    unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (owner_index(quorum, partition, targets[i]) < 0) {
            return false;
        }
    }
    return true;
}

/* -- The replica's side. */

static struct list_scan *scan_new(struct quorum *quorum, uint16_t from, uint64_t request,
                                  const struct message *ask)
{
    struct list_scan *scan = mem_alloc_zero(1, sizeof(*scan));

    /* Bit 40 and above tell a scan from a list in one table. */
    scan->id = (++quorum->request_next & 0xffffffffffU) | 1ULL << 41;
    scan->from = from;
    scan->request = request;
    scan->database = ask->database;
    scan->position_end = ask->position_end;
    scan->count_max = ask->count_max;
    (void)map_set(&quorum->lists, scan->id, scan);
    return scan;
}

static void scan_start(struct quorum *quorum, struct list_scan *scan, uint64_t position,
                       uint32_t bytes_max)
{
    const struct quorum_io *io = &quorum->options.io;
    uint8_t *from = arena_alloc(&quorum->step, KEY_PREFIX_SIZE);

    scan->position = position;
    uint32_t slot_end = (uint32_t)((scan->position_end + UINT32_MAX) >> 32);
    struct bytes to = {NULL, 0};

    be16_set(from, (uint16_t)(position >> 32));
    from[2] = scan->database;
    be32_set(from + 3, (uint32_t)position);
    if (slot_end < SLOTS_COUNT) {
        to = key_at_slot(&quorum->step, slot_end);
    }
    io->scan(io->context, scan->id, (struct bytes){from, KEY_PREFIX_SIZE}, to,
             MAX(scan->count_max, (uint32_t)LIST_SCAN_MIN), bytes_max);
}

/* How far the entries reach: everything of our database before the returned position is among them.
 */
static uint64_t scan_reach(const struct list_scan *scan, struct bytes last, bool more)
{
    if (!more) {
        return scan->position_end;
    }
    uint64_t slot = (uint64_t)key_slot(last) << 32;
    uint64_t reach = key_position(last); /* Others of this position may follow. */
    if (key_database(last) > scan->database) {
        reach = slot + (1ULL << 32);
    } else if (key_database(last) < scan->database) {
        reach = slot;
    }
    return MIN(reach, scan->position_end);
}

bool list_on_scan(struct quorum *quorum, uint64_t id, enum err err,
                  const struct quorum_scanned *entries, size_t count, bool more)
{
    struct list_scan *scan = map_get(&quorum->lists, id);
    struct message listed = {.type = MESSAGE_LISTED};

    if (scan == NULL) {
        return false;
    }
    if (err == OK && more && count > 0 &&
        scan_reach(scan, entries[count - 1].key, more) <= scan->position) {
        /* One record fills the whole scan: with room for it and what follows it goes on. */
        scan->count_max = MAX(scan->count_max, (uint32_t)LIST_SCAN_MIN) + (uint32_t)count;
        scan_start(quorum, scan, scan->position, UINT32_MAX);
        return true;
    }
    (void)map_remove(&quorum->lists, id);
    listed.request = scan->request;
    struct message_listed *items = ARENA_ARRAY(&quorum->step, struct message_listed, count);
    if (err == OK) {
        listed.position_end =
            count == 0 ? scan->position_end : scan_reach(scan, entries[count - 1].key, more);
        for (size_t i = 0; i < count; i++) {
            struct key_parts parts;
            struct object object;
            if (key_decode(entries[i].key, &parts) != OK || parts.database != scan->database ||
                key_position(entries[i].key) >= listed.position_end) {
                continue;
            }
            /* A damaged record may hold the key: it is listed, and a quorum read decides. */
            bool live =
                object_decode(entries[i].value, entries[i].key, &quorum->step, &object) != OK;
            for (uint32_t j = 0; !live && j < object.versions_count; j++) {
                live = !version_is_gone(&object.versions[j], quorum->now.wall_ms);
            }
            items[listed.listed_count++] =
                (struct message_listed){parts.user, key_position(entries[i].key), live};
        }
    } else {
        listed.reason = REFUSE_UNREADABLE;
    }
    listed.listed = items;
    /* What the scan saw may not be durable yet. */
    uint64_t sequence = quorum->sequence - (quorum->batch_open ? 0 : 1);
    if (scan->from != QUORUM_MEMBER_NONE) {
        send_when_durable(quorum, scan->from, &listed, sequence);
    } else if (sequence <= quorum->durable) {
        list_on_page(quorum, quorum->options.self, &listed);
    } else {
        struct durable_waiter waiter = {.kind = DURABLE_LISTED};
        arena_init(&waiter.arena, 4096);
        waiter.message = message_copy(&listed, &waiter.arena);
        durable_wait(quorum, sequence, waiter);
    }
    mem_free(scan);
    return true;
}

/* -- The coordinator's side. */

static void ask_targets(struct quorum *quorum, struct listing *list)
{
    struct message ask = {
        .type = MESSAGE_LIST,
        .request = page_request(list),
        .database = list->query.database,
        .position = list->position,
        .position_end = list->position_end,
        .count_max = list->query.count_max - MIN(list->keys_count, list->query.count_max - 1),
    };

    for (unsigned i = 0; i < list->targets_count; i++) {
        if (list->targets[i] == quorum->options.self) {
            struct list_scan *scan = scan_new(quorum, QUORUM_MEMBER_NONE, page_request(list), &ask);
            scan_start(quorum, scan, list->position, LIST_BYTES_MAX);
        } else {
            send_message(quorum, list->targets[i], &ask);
        }
    }
}

/* Begin the next page, or end the list. */
static void list_step(struct quorum *quorum, struct listing *list)
{
    uint32_t partitions = quorum->options.partitions_count;
    unsigned r = list->query.r == 0 ? quorum->r : MIN(list->query.r, quorum->n);

    if (list->position >= list->query.position_end || list->keys_count >= list->query.count_max) {
        list_done(quorum, list, OUTCOME_DONE, 0, 0);
        return;
    }
    uint32_t partition = slot_partition((uint16_t)(list->position >> 32), partitions);
    list->targets_count = choose_targets(quorum, (uint16_t)partition, r, list->targets);
    if (list->targets_count < r) {
        list_done(quorum, list, OUTCOME_NO_QUORUM, r, list->targets_count);
        return;
    }
    uint32_t end = partition + 1;
    while (end < partitions && all_own(quorum, (uint16_t)end, list->targets, list->targets_count)) {
        end++;
    }
    uint64_t slot_end = (uint64_t)end * (SLOTS_COUNT / partitions);
    list->position_end = MIN(slot_end << 32, list->query.position_end);
    list->page++;
    arena_reset(&list->page_arena);
    list->candidates_count = list->verifying = list->verify_next = 0;
    for (unsigned i = 0; i < QUORUM_OWNERS_MAX; i++) {
        list->pages[i] = (struct listed_page){0};
    }
    ask_targets(quorum, list);
}

void quorum_list(struct quorum *quorum, struct now now, const struct list_query *query,
                 uint64_t token)
{
    quorum->now = now;
    if (quorum->depth++ == 0) {
        arena_reset(&quorum->step);
    }
    struct listing *list = list_new(quorum, query->timeout_ms, token);
    list->query = *query;
    list->query.count_max = MAX(query->count_max, 1U);
    list->position = query->position;
    list_step(quorum, list);
    quorum->depth--;
}

static void keys_add(struct listing *list, struct bytes user)
{
    if (list->keys_count == list->keys_capacity) {
        list->keys_capacity = MAX(64U, list->keys_capacity * 2);
        list->keys = mem_resize(list->keys, list->keys_capacity * sizeof(list->keys[0]));
    }
    list->keys[list->keys_count++] = arena_copy_bytes(&list->arena, user);
}

static void page_end(struct quorum *quorum, struct listing *list)
{
    for (uint32_t i = 0; i < list->candidates_count; i++) {
        if (list->candidates[i].accepted) {
            keys_add(list, list->candidates[i].user);
        }
    }
    list->position = list->position_end;
    list_step(quorum, list);
}

/* Read with a quorum the keys on which the owners differ, a bounded number at a time. */
static void page_verify(struct quorum *quorum, struct listing *list)
{
    uint64_t id = list->id, page = list->page;

    list->verifying++; /* Held, so that answers that come at once do not end the page. */
    while (list->verify_next < list->candidates_count && list->verifying <= LIST_VERIFY_MAX) {
        uint32_t index = list->verify_next++;
        struct list_candidate *candidate = &list->candidates[index];
        if (candidate->live == 0 || candidate->accepted) {
            continue;
        }
        uint64_t left_ms =
            quorum->now.ns < list->deadline_ns ? (list->deadline_ns - quorum->now.ns) / 1000000 : 0;
        struct op op = {
            .kind = OP_GET,
            .key = key_encode(&quorum->step, list->query.database, candidate->user),
            .r = list->query.r,
            .timeout_ms = (uint32_t)MAX(left_ms, 1U),
        };
        list->verifying++;
        quorum_start(quorum, quorum->now, &op, LIST_TOKEN | id << 23 | (index & 0x7fffff));
        list = map_get(&quorum->lists, id);
        if (list == NULL || list->page != page) {
            return;
        }
    }
    if (--list->verifying == 0 && list->verify_next >= list->candidates_count) {
        page_end(quorum, list);
    }
}

void list_on_op(struct quorum *quorum, uint64_t token, const struct op_result *result)
{
    struct listing *list = map_get(&quorum->lists, (token & ~LIST_TOKEN) >> 23);
    uint32_t index = token & 0x7fffff;

    if (list == NULL || index >= list->candidates_count || list->verifying == 0) {
        return;
    }
    if (result->outcome != OUTCOME_DONE) {
        list_done(quorum, list, result->outcome, result->needed, result->got);
        return;
    }
    list->candidates[index].accepted = result->found;
    if (--list->verifying == 0) {
        page_verify(quorum, list);
    }
}

static int candidate_compare(const void *a, const void *b)
{
    const struct list_candidate *x = a, *y = b;

    if (x->position != y->position) {
        return x->position < y->position ? -1 : 1;
    }
    return bytes_compare(x->user, y->user);
}

/* All owners have listed: merge up to where the shortest answer reaches. */
static void page_merge(struct quorum *quorum, struct listing *list)
{
    uint32_t total = 0, kept = 0;

    for (unsigned i = 0; i < list->targets_count; i++) {
        total += list->pages[i].count;
        list->position_end = MIN(list->position_end, list->pages[i].position_end);
    }
    list->candidates = ARENA_ARRAY(&list->page_arena, struct list_candidate, total);
    total = 0;
    for (unsigned i = 0; i < list->targets_count; i++) {
        for (uint32_t j = 0; j < list->pages[i].count; j++) {
            const struct message_listed *item = &list->pages[i].listed[j];
            if (item->position < list->position_end && item->position >= list->position) {
                list->candidates[total++] =
                    (struct list_candidate){item->user, item->position, item->live, false};
            }
        }
    }
    qsort(list->candidates, total, sizeof(list->candidates[0]), candidate_compare);
    for (uint32_t i = 0; i < total; i++) {
        struct list_candidate *last = kept > 0 ? &list->candidates[kept - 1] : NULL;
        if (last != NULL && bytes_equal(last->user, list->candidates[i].user)) {
            last->live += list->candidates[i].live;
        } else {
            list->candidates[kept++] = list->candidates[i];
        }
    }
    list->candidates_count = kept;
    for (uint32_t i = 0; i < kept; i++) {
        list->candidates[i].accepted = list->candidates[i].live >= list->targets_count;
    }
    page_verify(quorum, list);
}

void list_on_page(struct quorum *quorum, uint16_t from, const struct message *listed)
{
    struct listing *list = map_get(&quorum->lists, listed->request >> 24);
    unsigned answered = 0;

    if (list == NULL || list->counting || page_request(list) != listed->request) {
        return;
    }
    if (listed->reason != 0) {
        list_done(quorum, list, OUTCOME_UNREADABLE, list->targets_count, 0);
        return;
    }
    for (unsigned i = 0; i < list->targets_count; i++) {
        struct listed_page *page = &list->pages[i];
        if (list->targets[i] == from && !page->answered) {
            struct message *copy = message_copy(listed, &list->page_arena);
            *page =
                (struct listed_page){true, listed->position_end, copy->listed, copy->listed_count};
        }
        answered += page->answered;
    }
    if (answered == list->targets_count && list->candidates_count == 0 && list->verifying == 0) {
        page_merge(quorum, list);
    }
}

/* -- Counts. */

static void counts_add(struct count_result *counts, struct bytes bytes)
{
    for (unsigned d = 0; d < QUORUM_DATABASES && bytes.size >= (d + 1) * 16U; d++) {
        counts->keys[d] += be64_at(bytes.data + d * 16);
        counts->expires[d] += be64_at(bytes.data + d * 16 + 8);
    }
}

/* Each partition is counted by one live owner: ourselves where we can. */
void quorum_count(struct quorum *quorum, struct now now, uint32_t timeout_ms, uint64_t token)
{
    quorum->now = now;
    if (quorum->depth++ == 0) {
        arena_reset(&quorum->step);
    }
    struct listing *list = list_new(quorum, timeout_ms, token);
    struct buf *asks =
        arena_alloc_zero(&quorum->step, sizeof(*asks) * quorum->options.members_count);
    list->counting = true;
    bool reachable = true;
    for (uint32_t p = 0; p < quorum->options.partitions_count; p++) {
        uint16_t target;
        if (choose_targets(quorum, (uint16_t)p, 1, &target) == 0 ||
            !quorum_partition_reachable(quorum, (uint16_t)p)) {
            reachable = false;
        } else if (target == quorum->options.self) {
            sweep_counts(quorum, (uint16_t)p, list->counts.keys, list->counts.expires);
        } else {
            asks[target].size_max = SIZE_MAX;
            buf_put_be16(&asks[target], (uint16_t)p);
        }
    }
    for (uint16_t m = 0; m < quorum->options.members_count; m++) {
        if (asks[m].size > 0) {
            struct message ask = {.type = MESSAGE_COUNT,
                                  .request = page_request(list),
                                  .partitions = buf_bytes(&asks[m])};
            list->counts_open++;
            send_message(quorum, m, &ask);
            buf_release(&asks[m]);
        }
    }
    if (!reachable || list->counts_open == 0) {
        list_done(quorum, list, reachable ? OUTCOME_DONE : OUTCOME_NO_QUORUM, 1, 0);
    }
    quorum->depth--;
}

static void on_count(struct quorum *quorum, uint16_t from, const struct message *message)
{
    struct count_result counts = {0};
    uint8_t *bytes = arena_alloc(&quorum->step, QUORUM_DATABASES * 16);

    for (size_t i = 0; i + 2 <= message->partitions.size; i += 2) {
        uint16_t partition = be16_at(message->partitions.data + i);
        if (partition < quorum->options.partitions_count) {
            sweep_counts(quorum, partition, counts.keys, counts.expires);
        }
    }
    for (unsigned d = 0; d < QUORUM_DATABASES; d++) {
        be64_set(bytes + d * 16, counts.keys[d]);
        be64_set(bytes + d * 16 + 8, counts.expires[d]);
    }
    struct message counted = {.type = MESSAGE_COUNTED,
                              .request = message->request,
                              .counts = {bytes, QUORUM_DATABASES * 16}};
    send_message(quorum, from, &counted);
}

void list_on_message(struct quorum *quorum, uint16_t from, const struct message *message)
{
    if (message->type == MESSAGE_LIST) {
        uint64_t limit = (uint64_t)SLOTS_COUNT << 32;
        if (message->position < message->position_end && message->position_end <= limit) {
            struct list_scan *scan = scan_new(quorum, from, message->request, message);
            scan_start(quorum, scan, message->position, LIST_BYTES_MAX);
        }
    } else if (message->type == MESSAGE_LISTED) {
        list_on_page(quorum, from, message);
    } else if (message->type == MESSAGE_COUNT) {
        on_count(quorum, from, message);
    } else {
        struct listing *list = map_get(&quorum->lists, message->request >> 24);
        if (list != NULL && list->counting && list->counts_open > 0) {
            counts_add(&list->counts, message->counts);
            if (--list->counts_open == 0) {
                list_done(quorum, list, OUTCOME_DONE, 0, 0);
            }
        }
    }
}

/* -- Time and members. */

uint64_t list_deadline_ns(const struct quorum *quorum)
{
    uint64_t deadline = UINT64_MAX;

    if (quorum->lists.count == 0) {
        return deadline; /* Asked for after every step. */
    }
    MAP_FOR (i, &quorum->lists) {
        if (quorum->lists.slots[i].key >> 40 == 0) {
            const struct listing *list = quorum->lists.slots[i].value;
            deadline = MIN(deadline, list->deadline_ns);
        }
    }
    return deadline;
}

/* End the lists for which `member` matters, or whose time is up (MEMBER_NONE). One at a time:
 * ending one may begin another. Lowest id first, so that the order is the same every time. */
static void lists_end(struct quorum *quorum, uint16_t member)
{
    for (;;) {
        struct listing *found = NULL;
        MAP_FOR (i, &quorum->lists) {
            if (quorum->lists.slots[i].key >> 40 != 0) {
                continue;
            }
            struct listing *list = quorum->lists.slots[i].value;
            bool ends = list->deadline_ns <= quorum->now.ns;
            for (unsigned t = 0; t < list->targets_count && member != QUORUM_MEMBER_NONE; t++) {
                ends = ends || (list->targets[t] == member && !list->pages[t].answered);
            }
            if (ends && (found == NULL || list->id < found->id)) {
                found = list;
            }
        }
        if (found == NULL) {
            return;
        }
        list_done(quorum, found, OUTCOME_NO_QUORUM, MAX(found->targets_count, 1U), 0);
    }
}

void list_on_timer(struct quorum *quorum)
{
    lists_end(quorum, QUORUM_MEMBER_NONE);
}

void list_on_member(struct quorum *quorum, uint16_t member, bool live)
{
    if (!live) {
        lists_end(quorum, member);
    }
}
