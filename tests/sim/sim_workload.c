#include "tests/sim/sim_workload.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tests/sim/sim.h"
#include "tests/sim/sim_audit.h"

enum {
    ARGS_MAX = 16,
    VALUE_BIG_MAX = 20000,
    VALUE_MAX = 1 << 20,
    EXPIRY_MAX_MS = 1500,
};

struct args {
    struct bytes items[ARGS_MAX];
    size_t count;
    char numbers[3][24];
};

static void args_add(struct args *args, const char *word)
{
    ASSERT(args->count < ARGS_MAX);
    args->items[args->count++] = bytes_of(word);
}

static void args_add_bytes(struct args *args, struct bytes word)
{
    ASSERT(args->count < ARGS_MAX);
    args->items[args->count++] = word;
}

/* -- Values. */

uint64_t workload_new_value(struct sim *sim, unsigned key)
{
    struct sim_workload *workload = &sim->workload;
    if (workload->values_count + 1 >= workload->values_capacity) {
        workload->values_capacity = MAX((uint64_t)256, workload->values_capacity * 2);
        workload->value_keys = mem_resize(workload->value_keys, workload->values_capacity *
                                                                    sizeof(*workload->value_keys));
    }
    uint64_t value = ++workload->values_count; /* From 1: 0 is nil. */
    workload->value_keys[value] = key;
    size_t size = 8 + (size_t)prng_below(&sim->prng, 24);
    if (prng_chance(&sim->prng, sim->swarm.value_big_one_in)) {
        size = (size_t)prng_below(&sim->prng, VALUE_BIG_MAX);
    }
    buf_clear(&workload->value);
    buf_printf(&workload->value, "%s/%" PRIu64 "/", workload->keys[key].name, value);
    for (size_t i = 0; workload->value.size < size; i++) {
        buf_put_u8(&workload->value, (uint8_t)('a' + (value + i) % 26));
    }
    return value;
}

uint64_t workload_value_id(const struct sim *sim, struct bytes text)
{
    uint64_t value = 0;
    size_t at = 0;
    while (at < text.size && text.data[at] != '/') {
        at++;
    }
    for (at++; at < text.size && text.data[at] >= '0' && text.data[at] <= '9'; at++) {
        value = value * 10 + (uint64_t)(text.data[at] - '0');
    }
    return value <= sim->workload.values_count ? value : 0;
}

uint64_t workload_value(struct sim *sim, unsigned key, struct bytes text)
{
    const struct sim_workload *workload = &sim->workload;
    const char *name = workload->keys[key].name;
    size_t at = strlen(name);
    uint64_t value = 0;
    bool good = text.size > at + 1 && memcmp(text.data, name, at) == 0 && text.data[at] == '/';
    for (at++; good && at < text.size && text.data[at] != '/'; at++) {
        good = text.data[at] >= '0' && text.data[at] <= '9' && value < UINT32_MAX;
        value = value * 10 + (uint64_t)(text.data[at] - '0');
    }
    good = good && at < text.size && value > 0 && value <= workload->values_count &&
           workload->value_keys[value] == key;
    at++;
    for (size_t i = 0; good && at + i < text.size; i++) {
        good = text.data[at + i] == 'a' + (value + i) % 26;
    }
    if (!good) {
        sim_fail(sim, CHECK_GHOST, "key %s shows %.*s, which nobody wrote there", name,
                 (int)MIN(text.size, (size_t)60), (const char *)text.data);
        return 0;
    }
    return value;
}

/* -- Commands. */

static size_t begin_op(struct sim *sim, const struct sim_client *client, unsigned key,
                       enum lin_kind kind, uint64_t value, uint64_t expiry_ms)
{
    return history_add(&sim->workload.keys[key].history, &(struct history_op){
                                                             .kind = kind,
                                                             .value = value,
                                                             .invoke = ++sim->stamp,
                                                             .invoke_ns = sim->now_ns,
                                                             .expiry_ms = expiry_ms,
                                                             .client = client->index,
                                                         });
}

static void add_key(struct command *command, unsigned key, size_t op)
{
    ASSERT(command->keys_count < COMMAND_KEYS_MAX);
    command->keys[command->keys_count] = key;
    command->ops[command->keys_count++] = op;
}

/* Between the least that is asked for and all owners. */
static char *raised(struct sim *sim, unsigned least, char *text, size_t size)
{
    uint64_t room = sim->swarm.shape.n - least + 1;
    (void)snprintf(text, size, "%u", least + (unsigned)prng_below(&sim->prng, room));
    return text;
}

/* Commands on a key of class quorum are wrapped; others may ask for more than the default of R and
 * W. */
static void begin_args(struct sim *sim, struct args *args, unsigned key, const char *name)
{
    *args = (struct args){0};
    if (sim->workload.keys[key].class == KEY_QUORUM) {
        args_add(args, "RF.WITH");
        args_add(args, "CONSISTENCY");
        args_add(args, "quorum");
    } else if (percent(&sim->prng, sim->swarm.raised_percent)) {
        sim_mark(sim, MARK_RAISED);
        args_add(args, "RF.WITH");
        args_add(args, "R");
        args_add(args, raised(sim, sim->swarm.shape.r, args->numbers[1], sizeof(args->numbers[1])));
        args_add(args, "W");
        args_add(args, raised(sim, sim->swarm.shape.w, args->numbers[2], sizeof(args->numbers[2])));
    }
    args_add(args, name);
    args_add(args, sim->workload.keys[key].name);
}

static void send_get(struct sim *sim, struct sim_client *client, unsigned key, bool exists)
{
    struct command command = {.kind = exists ? COMMAND_EXISTS : COMMAND_GET};
    struct args args;
    begin_args(sim, &args, key, exists ? "EXISTS" : "GET");
    add_key(&command, key, begin_op(sim, client, key, LIN_GET, 0, 0));
    client_send(sim, client, &command, args.items, args.count);
}

static void send_del(struct sim *sim, struct sim_client *client, unsigned key)
{
    struct command command = {.kind = COMMAND_DEL};
    struct args args;
    begin_args(sim, &args, key, "DEL");
    add_key(&command, key, begin_op(sim, client, key, LIN_DEL, 0, 0));
    client_send(sim, client, &command, args.items, args.count);
}

static void send_set(struct sim *sim, struct sim_client *client, unsigned key)
{
    const struct sim_key *to = &sim->workload.keys[key];
    bool get = to->class != KEY_QUORUM && prng_chance(&sim->prng, 5);
    uint64_t expiry_ms = 0;
    if (to->class == KEY_EXPIRY && prng_chance(&sim->prng, 2)) {
        expiry_ms = 1 + prng_below(&sim->prng, EXPIRY_MAX_MS);
    }
    struct command command = {.kind = get ? COMMAND_GETSET : COMMAND_SET};
    struct args args;
    begin_args(sim, &args, key, "SET");
    uint64_t value = workload_new_value(sim, key);
    args_add_bytes(&args, buf_bytes(&sim->workload.value));
    if (expiry_ms > 0) {
        (void)snprintf(args.numbers[0], sizeof(args.numbers[0]), "%" PRIu64, expiry_ms);
        args_add(&args, "PX");
        args_add(&args, args.numbers[0]);
    }
    if (get) {
        args_add(&args, "GET");
    }
    add_key(&command, key,
            begin_op(sim, client, key, get ? LIN_GETSET : LIN_SET, value, expiry_ms));
    client_send(sim, client, &command, args.items, args.count);
}

/* One command on several plain keys: an operation on each, all within the command's time. */
static void send_multi(struct sim *sim, struct sim_client *client, enum command_kind kind)
{
    struct sim_workload *workload = &sim->workload;
    struct command command = {.kind = kind};
    bool write = kind == COMMAND_MSET;
    enum lin_kind op = write ? LIN_SET : kind == COMMAND_MDEL ? LIN_DEL : LIN_GET;
    struct args args = {0};
    struct bytes values[COMMAND_KEYS_MAX];
    struct arena arena;
    arena_init(&arena, 1024);
    args_add(&args, write ? "MSET" : kind == COMMAND_MDEL ? "DEL" : "MGET");
    for (unsigned i = 0; i < workload->keys_count && command.keys_count < COMMAND_KEYS_MAX; i++) {
        enum key_class class = workload->keys[i].class;
        if ((class != KEY_PLAIN && class != KEY_EXPIRY) || prng_chance(&sim->prng, 4)) {
            continue;
        }
        args_add(&args, workload->keys[i].name);
        uint64_t value = 0;
        if (write) {
            value = workload_new_value(sim, i);
            values[command.keys_count] = arena_copy_bytes(&arena, buf_bytes(&workload->value));
            args_add_bytes(&args, values[command.keys_count]);
        }
        add_key(&command, i, begin_op(sim, client, i, op, value, 0));
    }
    if (command.keys_count > 0) {
        client_send(sim, client, &command, args.items, args.count);
    }
    arena_release(&arena);
}

/* Commands that must not disturb the order of replies. */
static void send_odd(struct sim *sim, struct sim_client *client)
{
    struct args args = {0};
    struct command command = {.kind = COMMAND_BAD};
    switch (prng_below(&sim->prng, 4)) {
    case 0:
        args_add(&args, "NOSUCHCOMMAND");
        break;
    case 1:
        args_add(&args, "GET");
        break;
    default:
        command.kind = COMMAND_ECHO;
        command.marker = prng_next(&sim->prng);
        (void)snprintf(args.numbers[0], sizeof(args.numbers[0]), "%" PRIu64, command.marker);
        args_add(&args, "ECHO");
        args_add(&args, args.numbers[0]);
    }
    client_send(sim, client, &command, args.items, args.count);
}

static void key_init(struct sim *sim, enum key_class class, bool once)
{
    static const char LETTERS[KEY_CLASSES_COUNT] = {'p', 'e', 'c', 'q'};
    struct sim_workload *workload = &sim->workload;
    ASSERT(workload->keys_count < WORKLOAD_KEYS_MAX);
    unsigned index = workload->keys_count++;
    struct sim_key *key = &workload->keys[index];
    memset(key, 0, sizeof(*key));
    (void)snprintf(key->name, sizeof(key->name), sim->swarm.one_slot ? "{t}%c%u" : "%c%u",
                   LETTERS[class], index);
    key->class = class;
    key->once = once;
    history_init(&key->history);
    causal_init(&key->causal);
}

/* Write a key that nobody wrote before or will again, or read one of those. */
static void send_once(struct sim *sim, struct sim_client *client, bool write)
{
    struct sim_workload *workload = &sim->workload;
    if (write && workload->once_count < sim->swarm.once_max) {
        workload->once_count++;
        key_init(sim, KEY_QUORUM, true);
        send_set(sim, client, workload->keys_count - 1);
    } else if (workload->once_count > 0) {
        unsigned back = (unsigned)prng_below(&sim->prng, workload->once_count);
        send_get(sim, client, workload->keys_count - 1 - back, false);
    }
}

static void send_one(struct sim *sim, struct sim_client *client)
{
    struct sim_workload *workload = &sim->workload;
    const struct swarm *swarm = &sim->swarm;
    bool write = percent(&sim->prng, swarm->write_percent);
    if (percent(&sim->prng, swarm->odd_percent)) {
        send_odd(sim, client);
        return;
    }
    if (percent(&sim->prng, swarm->multi_percent)) {
        bool delete = write && percent(&sim->prng, swarm->delete_percent);
        send_multi(sim, client, delete ? COMMAND_MDEL : write ? COMMAND_MSET : COMMAND_MGET);
        return;
    }
    unsigned fixed = workload->keys_count - workload->once_count;
    unsigned key = (unsigned)prng_below(&sim->prng, fixed);
    switch (workload->keys[key].class) {
    case KEY_CAUSAL:
        causal_send(sim, client, key);
        return;
    case KEY_QUORUM:
        if (prng_chance(&sim->prng, 2) || sim->swarm.once_max > SIM_KEYS_MAX * 2) {
            send_once(sim, client, write);
            return;
        }
        break;
    default:
        break;
    }
    if (!write) {
        send_get(sim, client, key, prng_chance(&sim->prng, 8));
    } else if (percent(&sim->prng, swarm->delete_percent)) {
        send_del(sim, client, key);
    } else {
        send_set(sim, client, key);
    }
}

void workload_on_wake(struct sim *sim, struct sim_client *client)
{
    struct sim_workload *workload = &sim->workload;
    bool settled = client->count == 0 || client->commands[client->first].kind != COMMAND_SETUP;
    if (!settled || sim->failed != CHECK_NONE) {
        return; /* Its replies wake the client. */
    }
    if (client->index >= CLIENTS_AUDIT) {
        audit_on_wake(sim, client);
        return;
    }
    if (sim->healed || workload->started >= sim->swarm.ops_max ||
        client->count >= MIN(sim->swarm.pipeline_max, (unsigned)COMMANDS_MAX)) {
        return;
    }
    workload->started++;
    send_one(sim, client);
    bool more = prng_chance(&sim->prng, 3) && sim->swarm.pipeline_max > 1;
    client_wake(sim, client->index, more ? 0 : around(&sim->prng, sim->swarm.think_ns));
}

void workload_audit_key(struct sim *sim, struct sim_client *client, unsigned key)
{
    if (sim->workload.keys[key].class == KEY_CAUSAL) {
        causal_send_get(sim, client, key, true);
    } else {
        send_get(sim, client, key, false);
    }
}

void workload_init(struct sim *sim)
{
    memset(&sim->workload, 0, sizeof(sim->workload));
    buf_init(&sim->workload.value, VALUE_MAX);
    for (enum key_class class = 0; class < KEY_CLASSES_COUNT; class ++) {
        for (unsigned i = 0; i < sim->swarm.keys[class]; i++) {
            key_init(sim, class, false);
        }
    }
}

void workload_release(struct sim *sim)
{
    for (unsigned i = 0; i < sim->workload.keys_count; i++) {
        history_release(&sim->workload.keys[i].history);
        causal_release(&sim->workload.keys[i].causal);
    }
    mem_free(sim->workload.value_keys);
    buf_release(&sim->workload.value);
}
