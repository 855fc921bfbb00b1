/* What commands do beyond the words of Redis: consistency, outcomes, contexts, walks, faces. */
#include "node/command.h"
#include "node/context.h"
#include "tests/lib/unit.h"
#include "tests/unit/clients_fake.h"

static struct fake *fake_ready(enum face face)
{
    struct fake *fake = fake_new(1);
    fake_start(fake);
    fake_open(fake, 1, face);
    return fake;
}

static void expect(struct fake *fake, const char *line, const char *reply)
{
    const char *got = fake_ask(fake, 1, line);
    ck_assert_msg(strcmp(got, reply) == 0, "%s: %s", line, got);
}

static void expect_prefix(struct fake *fake, const char *line, const char *prefix)
{
    const char *got = fake_ask(fake, 1, line);
    ck_assert_msg(strncmp(got, prefix, strlen(prefix)) == 0, "%s: %s", line, got);
}

/* ---- The table ---- */

TEST(the_table_is_sorted_and_whole)
{
    struct fake *fake = fake_ready(FACE_PLAIN);
    for (unsigned i = 0; i < COMMANDS_COUNT; i++) {
        const struct command *command = COMMANDS + i;
        bool parent = (command->traits & (COMMAND_CONTAINER | COMMAND_WITH)) != 0;
        ck_assert(i == 0 || strcmp(COMMANDS[i - 1].name, command->name) < 0);
        ck_assert(command->arity != 0);
        ck_assert(command->run != NULL || parent);
        ck_assert((command->first == 0) == (command->step == 0));
        ck_assert((command->first == 0) == (command->key_flags == NULL));
        ck_assert(command->summary[0] != '\0');
        ck_assert(command->since[0] != '\0');
        ck_assert(command->group[0] != '\0');
        ck_assert_ptr_eq(command_find_full(fake->clients, bytes_of(command->name)), command);
        ck_assert_uint_eq(command_number(command), i);
        if (strchr(command->name, '|') != NULL) {
            size_t size = strcspn(command->name, "|");
            const struct command *container = command_find_full(
                fake->clients, (struct bytes){(const uint8_t *)command->name, size});
            ck_assert((container->traits & COMMAND_CONTAINER) != 0);
        }
    }
    fake_free(fake);
}
END_TEST

/* Every command is answered whatever few words follow it: no handler may fall over. */
TEST(every_command_with_any_few_words_is_answered)
{
    static const char *const WORDS[] = {"a", "1", "", "SET", "EX", "CONTEXT", "R", "COUNT", "*"};
    struct prng prng;
    prng_init(&prng, 5);
    for (unsigned round = 0; round < 4000; round++) {
        const struct command *command = COMMANDS + prng_below(&prng, COMMANDS_COUNT);
        struct fake *fake = fake_new(round);
        struct buf in;
        fake_start(fake);
        fake_open(fake, 1, prng_chance(&prng, 2) ? FACE_PLAIN : FACE_CLUSTER);
        fake->later = prng_chance(&prng, 2);
        fake->view.serving = !prng_chance(&prng, 8);
        fake->outcome = prng_chance(&prng, 3) ? (enum outcome)prng_below(&prng, 6) : OUTCOME_DONE;
        buf_init(&in, 4096);
        const char *bar = strchr(command->name, '|');
        if (bar != NULL) {
            buf_printf(&in, "%.*s %s", (int)(bar - command->name), command->name, bar + 1);
        } else {
            buf_printf(&in, "%s", command->name);
        }
        for (uint64_t i = prng_below(&prng, 6); i > 0; i--) {
            buf_printf(&in, " \"%s\"", WORDS[prng_below(&prng, ARRAY_COUNT(WORDS))]);
        }
        buf_printf(&in, "\r\n");
        fake_send_bytes(fake, 1, buf_bytes(&in));
        fake_answer_all(fake);
        ck_assert(clients_idle(fake->clients));
        ck_assert_msg(fake->of[1].out.size > 0 || fake->of[1].closed, "%.*s", (int)in.size,
                      in.data);
        buf_release(&in);
        fake_free(fake);
    }
}
END_TEST

TEST(a_command_of_redis_that_is_missing_says_so)
{
    struct fake *fake = fake_ready(FACE_PLAIN);
    expect(fake, "INCR k",
           "-ERR unknown command 'INCR': not in Ringfort " RINGFORT_VERSION
           " yet, see PROTOCOL.md\r\n");
    expect(fake, "client kill x",
           "-ERR unknown subcommand 'kill': not in Ringfort " RINGFORT_VERSION
           " yet, see PROTOCOL.md\r\n");
    for (unsigned i = 0; i < REDIS_COMMANDS_COUNT; i++) {
        ck_assert(i == 0 || strcmp(REDIS_COMMANDS[i - 1], REDIS_COMMANDS[i]) < 0);
    }
    fake_free(fake);
}
END_TEST

/* ---- SET ---- */

/* What a sequence of options means, by Redis's rules, written another way. */
struct meaning {
    bool syntax_error, nx, xx, get, keep;
    const char *unit;
};

static struct meaning meaning_of(const char *const *options, unsigned count)
{
    struct meaning m = {.unit = NULL};
    unsigned units = 0;
    bool ex = false, px = false;
    for (unsigned i = 0; i < count; i++) {
        m.nx |= strcmp(options[i], "NX") == 0;
        m.xx |= strcmp(options[i], "XX") == 0;
        m.get |= strcmp(options[i], "GET") == 0;
        m.keep |= strcmp(options[i], "KEEPTTL") == 0;
        ex |= strncmp(options[i], "EX ", 3) == 0;
        px |= strncmp(options[i], "PX ", 3) == 0;
    }
    units = (unsigned)ex + px + m.keep;
    m.syntax_error = (m.nx && m.xx) || units > 1;
    m.unit = ex ? "EX" : px ? "PX" : NULL;
    return m;
}

TEST(set_takes_its_options_in_any_order)
{
    static const char *const OPTIONS[] = {"NX", "XX", "GET", "KEEPTTL", "EX 100", "PX 5000"};
    for (unsigned code = 0; code < 7 * 7 * 7 * 7; code++) {
        const char *options[4];
        unsigned count = 0;
        char line[128] = "SET k new";
        for (unsigned i = 0, left = code; i < 4; i++, left /= 7) {
            if (left % 7 < 6) {
                options[count++] = OPTIONS[left % 7];
                strcat(line, " ");
                strcat(line, OPTIONS[left % 7]);
            }
        }
        struct meaning m = meaning_of(options, count);
        struct fake *fake = fake_ready(FACE_PLAIN);
        expect(fake, "SET k old EX 7", "+OK\r\n");
        unsigned started = fake->started;
        const char *reply = fake_ask(fake, 1, line);
        if (m.syntax_error) {
            ck_assert_msg(strcmp(reply, "-ERR syntax error\r\n") == 0, "%s: %s", line, reply);
        } else if (m.nx || m.xx) {
            char words[256];
            snprintf(
                words, sizeof(words),
                "-ERR SET %s needs one winner among concurrent writers, which Ringfort %s does "
                "not offer; nothing was written\r\n",
                m.nx ? "NX" : "XX", RINGFORT_VERSION);
            ck_assert_str_eq(reply, words);
        } else {
            ck_assert_str_eq(reply, m.get ? "$3\r\nold\r\n" : "+OK\r\n");
        }
        bool written = !m.syntax_error && !m.nx && !m.xx;
        ck_assert_uint_eq(fake->started, started + written);
        const char *ttl = !written || m.keep          ? ":7\r\n"
                          : m.unit == NULL            ? ":-1\r\n"
                          : strcmp(m.unit, "EX") == 0 ? ":100\r\n"
                                                      : ":5\r\n";
        expect(fake, "TTL k", ttl);
        fake_free(fake);
    }
}
END_TEST

TEST(expiry_is_absolute_and_rounds_as_redis_does)
{
    struct fake *fake = fake_ready(FACE_PLAIN);
    expect(fake, "SET k v PX 1499", "+OK\r\n");
    ck_assert_int_eq(fake->last.expiry_ms, fake->now.wall_ms + 1499);
    expect(fake, "TTL k", ":1\r\n");
    expect(fake, "PTTL k", ":1499\r\n");
    expect(fake, "SET k v PX 1500", "+OK\r\n");
    expect(fake, "TTL k", ":2\r\n");
    expect(fake, "SET k v EXAT 2000000000", "+OK\r\n");
    ck_assert_int_eq(fake->last.expiry_ms, 2000000000000);
    expect(fake, "SET k v PXAT 2000000000001", "+OK\r\n");
    ck_assert_int_eq(fake->last.expiry_ms, 2000000000001);
    expect(fake, "PSETEX k 20 v", "+OK\r\n");
    fake->now.wall_ms += 20;
    expect(fake, "GET k", "$-1\r\n");
    expect(fake, "TTL k", ":-2\r\n");
    fake_free(fake);
}
END_TEST

/* ---- Outcomes ---- */

TEST(outcomes_have_words_and_reads_are_never_uncertain)
{
    static const struct {
        enum outcome outcome;
        const char *line, *reply;
    } CASES[] = {
        {OUTCOME_NO_QUORUM, "SET hello v",
         "-TRYAGAIN no quorum: 1 of 2 owners of slot 866 reachable\r\n"},
        {OUTCOME_NO_QUORUM, "GET hello",
         "-TRYAGAIN no quorum: 1 of 2 owners of slot 866 reachable\r\n"},
        {OUTCOME_UNCERTAIN, "SET hello v",
         "-UNCERTAIN 1 of 2 acknowledgements in 1000 ms; the write may still take effect\r\n"},
        {OUTCOME_UNCERTAIN, "DEL hello",
         "-UNCERTAIN 1 of 2 acknowledgements in 1000 ms; the write may still take effect\r\n"},
        {OUTCOME_UNCERTAIN, "RF.SET hello v",
         "-UNCERTAIN 1 of 2 acknowledgements in 1000 ms; the write may still take effect\r\n"},
        {OUTCOME_UNCERTAIN, "GET hello",
         "-TRYAGAIN 1 of 2 owners of slot 866 answered in 1000 ms\r\n"},
        {OUTCOME_BUSY, "SET hello v",
         "-BUSY too many operations in flight; nothing was applied\r\n"},
        {OUTCOME_UNREADABLE, "GET hello",
         "-TRYAGAIN unreadable: 1 of 2 owners of slot 866 can read their copy\r\n"},
        {OUTCOME_UNCERTAIN, "MGET hello other",
         "-TRYAGAIN 1 of 2 owners of slot 866 answered in 1000 ms\r\n"},
    };
    for (unsigned i = 0; i < ARRAY_COUNT(CASES); i++) {
        struct fake *fake = fake_ready(FACE_PLAIN);
        fake->outcome = CASES[i].outcome;
        fake->outcome_key = "hello";
        expect(fake, CASES[i].line, CASES[i].reply);
        fake_free(fake);
    }
}
END_TEST

TEST(mset_tells_which_keys_were_written)
{
    static const struct {
        enum outcome outcome;
        const char *key, *line, *reply;
    } CASES[] = {
        {OUTCOME_DONE, NULL, "MSET a 1 b 2 c 3", "+OK\r\n"},
        {OUTCOME_UNCERTAIN, "b", "MSET a 1 b 2 c 3",
         "-UNCERTAIN MSET: done 2 of 3, unknown: b\r\n"},
        {OUTCOME_NO_QUORUM, "b", "MSET a 1 b 2 c 3",
         "-UNCERTAIN MSET: done 2 of 3, not written: b\r\n"},
        {OUTCOME_UNCERTAIN, NULL, "MSET a 1 b 2", "-UNCERTAIN MSET: done 0 of 2, unknown: a b\r\n"},
        {OUTCOME_NO_QUORUM, NULL, "MSET hello 1 hello 2",
         "-TRYAGAIN no quorum: 1 of 2 owners of slot 866 reachable\r\n"},
        {OUTCOME_UNCERTAIN, "b", "DEL a b c", "-UNCERTAIN DEL: done 2 of 3, unknown: b\r\n"},
    };
    for (unsigned i = 0; i < ARRAY_COUNT(CASES); i++) {
        struct fake *fake = fake_ready(FACE_PLAIN);
        fake->outcome = CASES[i].outcome;
        fake->outcome_key = CASES[i].key;
        expect(fake, CASES[i].line, CASES[i].reply);
        fake_free(fake);
    }
}
END_TEST

TEST(duplicate_keys_count_as_in_redis)
{
    struct fake *fake = fake_ready(FACE_PLAIN);
    expect(fake, "MSET a 1 b 2 a 3", "+OK\r\n");
    ck_assert_uint_eq(fake->started, 2);
    expect(fake, "MGET a b a", "*3\r\n$1\r\n3\r\n$1\r\n2\r\n$1\r\n3\r\n");
    expect(fake, "EXISTS a a nosuch", ":2\r\n");
    expect(fake, "DEL a a b", ":2\r\n");
    fake_free(fake);
}
END_TEST

TEST(many_keys_are_asked_for_a_bounded_number_at_a_time)
{
    struct fake *fake = fake_ready(FACE_PLAIN);
    struct buf in;
    buf_init(&in, 1 << 20);
    buf_printf(&in, "EXISTS");
    for (unsigned i = 0; i < 1000; i++) {
        buf_printf(&in, " key%u", i);
    }
    buf_printf(&in, "\r\n");
    fake->later = true;
    fake_send_bytes(fake, 1, buf_bytes(&in));
    fake_answer_all(fake);
    ck_assert_str_eq(fake_read(fake, 1), ":0\r\n");
    ck_assert_uint_eq(fake->pending_peak, 64);
    buf_release(&in);
    fake_free(fake);
}
END_TEST

TEST(a_reply_of_mget_is_bounded)
{
    struct fake *fake = fake_new(1);
    fake->options.client_output_max_bytes = 100;
    fake_start(fake);
    fake_open(fake, 1, FACE_PLAIN);
    expect(fake, "SET a aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
           "+OK\r\n");
    expect_prefix(fake, "MGET a b", "*2\r\n$64\r\n");
    expect(fake, "MGET a a", "-ERR the reply is larger than client-output-max-bytes\r\n");
    fake_free(fake);
}
END_TEST

/* ---- Consistency ---- */

static void expect_terms(struct fake *fake, const char *line, unsigned r, unsigned w,
                         bool one_round)
{
    unsigned before = fake->started;
    const char *reply = fake_ask(fake, 1, line);
    ck_assert_msg(fake->started == before + 1, "%s: %s", line, reply);
    ck_assert_msg(fake->last.r == r && fake->last.w == w, "%s: r %u w %u", line, fake->last.r,
                  fake->last.w);
    ck_assert_msg(fake->last.one_round == one_round, "%s", line);
}

TEST(lower_r_or_w_means_quorum_and_higher_stays_linearizable)
{
    struct fake *fake = fake_ready(FACE_PLAIN);
    expect_terms(fake, "GET k", 2, 2, false);
    expect_terms(fake, "RF.WITH R 1 GET k", 1, 2, true);
    expect_terms(fake, "RF.WITH R 3 GET k", 3, 2, false);
    expect_terms(fake, "RF.WITH W 3 SET k v", 2, 3, false);
    expect_terms(fake, "RF.WITH w 1 r 3 SET k v", 3, 1, true);
    expect_terms(fake, "RF.WITH CONSISTENCY quorum SET k v", 2, 2, true);
    expect_terms(fake, "RF.WITH CONSISTENCY linearizable R 3 GET k", 3, 2, false);
    expect_terms(fake, "RF.WITH TIMEOUT 50 GET k", 2, 2, false);
    ck_assert_uint_eq(fake->last.timeout_ms, 50);
    expect(fake, "RF.CONSISTENCY SET R 1 W 1", "+OK\r\n");
    expect_terms(fake, "GET k", 1, 1, true);
    expect_terms(fake, "RF.WITH R 2 W 2 GET k", 2, 2, false);
    expect(fake, "RF.CONSISTENCY SET default", "+OK\r\n");
    expect(fake, "RF.CONSISTENCY SET quorum", "+OK\r\n");
    expect_terms(fake, "GET k", 2, 2, true);
    expect(fake, "RF.CONSISTENCY GET",
           "*8\r\n$1\r\nn\r\n:3\r\n$1\r\nr\r\n:2\r\n$1\r\nw\r\n:2\r\n$11\r\nconsistency\r\n"
           "$6\r\nquorum\r\n");
    expect(fake, "RESET", "+RESET\r\n");
    expect_terms(fake, "GET k", 2, 2, false);
    fake_free(fake);
}
END_TEST

TEST(what_cannot_be_promised_is_refused_in_words)
{
    static const char *const LINES[][2] = {
        {"RF.WITH R 4 GET k", "-ERR R must be from 1 to 3, the copies of every key, not 4\r\n"},
        {"RF.WITH W 0 GET k", "-ERR W must be from 1 to 3, the copies of every key, not 0\r\n"},
        {"RF.WITH CONSISTENCY linearizable R 1 GET k",
         "-ERR linearizable needs R >= 2 and W >= 2 in this database; a lower one is CONSISTENCY "
         "quorum\r\n"},
        {"RF.CONSISTENCY SET linearizable W 1",
         "-ERR linearizable needs R >= 2 and W >= 2 in this database; a lower one is CONSISTENCY "
         "quorum\r\n"},
        {"RF.WITH TIMEOUT 5 GET k", "-ERR TIMEOUT must be from 10 to 60000 ms, not 5\r\n"},
        {"RF.WITH R", "-ERR syntax error\r\n"},
        {"RF.WITH R 1", "-ERR RF.WITH needs a command after its options\r\n"},
        {"RF.WITH R 1 PING", "-ERR RF.WITH does not take the command 'ping'\r\n"},
        {"RF.WITH R 1 RF.WITH R 1 GET k", "-ERR RF.WITH does not take the command 'rf.with'\r\n"},
        {"RF.WITH CONSISTENCY strong GET k", "-ERR syntax error\r\n"},
        {"RF.CONSISTENCY SET R", "-ERR syntax error\r\n"},
        {"RF.CONSISTENCY SET TIMEOUT 50", "-ERR syntax error\r\n"},
    };
    struct fake *fake = fake_ready(FACE_PLAIN);
    for (unsigned i = 0; i < ARRAY_COUNT(LINES); i++) {
        expect(fake, LINES[i][0], LINES[i][1]);
    }
    ck_assert_uint_eq(fake->started, 0);
    fake_free(fake);
}
END_TEST

TEST(databases_carry_their_own_r_w_and_consistency)
{
    struct fake *fake = fake_new(1);
    fake->options.databases[1] = (struct options_database){
        .r = 1, .w = 1, .consistency_set = true, .consistency = CONSISTENCY_QUORUM};
    fake->options.databases[2] = (struct options_database){.r = 3, .w = 2};
    fake_start(fake);
    fake_open(fake, 1, FACE_PLAIN);
    expect(fake, "SELECT 1", "+OK\r\n");
    expect_terms(fake, "GET k", 1, 1, true);
    expect(fake, "RF.WITH CONSISTENCY linearizable GET k",
           "-ERR linearizable needs R + W > N, not R 1 + W 1 with N 3\r\n");
    expect_terms(fake, "RF.WITH CONSISTENCY linearizable R 2 W 2 GET k", 2, 2, false);
    expect(fake, "SELECT 2", "+OK\r\n");
    expect_terms(fake, "GET k", 3, 2, false);
    expect_terms(fake, "RF.WITH R 2 GET k", 2, 2, true);
    fake_free(fake);
}
END_TEST

TEST(wait_tells_what_the_last_write_knew)
{
    struct fake *fake = fake_ready(FACE_PLAIN);
    expect(fake, "WAIT 1 100", ":1\r\n");
    expect(fake, "RF.WITH W 3 SET k v", "+OK\r\n");
    expect(fake, "WAIT 2 0", ":2\r\n");
    expect(fake, "RF.WITH W 1 SET k v", "+OK\r\n");
    expect(fake, "WAIT 1 0", ":0\r\n");
    fake->outcome = OUTCOME_UNCERTAIN;
    expect_prefix(fake, "RF.WITH W 3 SET k v", "-UNCERTAIN");
    expect(fake, "WAIT 1 0", ":0\r\n");
    fake_free(fake);
}
END_TEST

/* ---- Causal commands ---- */

/* The context of the last RF.GET k, which was just asked for in RESP2. */
static void context_in(const char *reply, char context[2048])
{
    const char *at = strstr(reply, "context\r\n$");
    ck_assert_ptr_nonnull(at);
    at = strchr(at + 10, '\n') + 1;
    size_t size = strcspn(at, "\r");
    ck_assert_uint_lt(size, 2048);
    memcpy(context, at, size);
    context[size] = '\0';
}

TEST(rf_get_shows_siblings_and_a_context_that_rf_set_takes)
{
    struct fake *fake = fake_ready(FACE_PLAIN);
    char context[2048];
    char line[4096];
    fake->siblings[0] = (struct version){.dot = {.actor = 0xabc, .counter = 7},
                                         .timestamp = (uint64_t)1700000000000 << 16 | 3,
                                         .kind = VERSION_STRING,
                                         .expiry_ms = fake->now.wall_ms + 500,
                                         .payload = BYTES_LITERAL("one")};
    fake->siblings[1] = (struct version){.dot = {.actor = 0xabd, .counter = 2},
                                         .timestamp = (uint64_t)1600000000000 << 16,
                                         .kind = VERSION_STRING,
                                         .payload = BYTES_LITERAL("two")};
    fake->siblings_count = 2;
    for (unsigned i = 0; i < 2; i++) {
        fake->context[i] = (struct seen_dot){fake->siblings[i].dot, fake->siblings[i].timestamp};
    }
    fake->context_count = 2;
    const char *reply = fake_ask(fake, 1, "RF.GET k");
    context_in(reply, context);
    ck_assert_ptr_nonnull(strstr(reply, "*8\r\n$5\r\nvalue\r\n$3\r\none\r\n$9\r\ntimestamp\r\n"
                                        ":1700000000000\r\n$3\r\ndot\r\n$18\r\n0000000000000abc:7"
                                        "\r\n$6\r\nttl_ms\r\n:500\r\n"));
    ck_assert_ptr_nonnull(strstr(reply, "$18\r\n0000000000000abd:2\r\n$6\r\nttl_ms\r\n:-1\r\n"));
    snprintf(line, sizeof(line), "RF.SET k three EX 10 CONTEXT %s", context);
    expect(fake, line, "+OK\r\n");
    ck_assert_uint_eq(fake->last.context_count, 2);
    ck_assert_int_eq(fake->last.expiry_ms, fake->now.wall_ms + 10000);
    snprintf(line, sizeof(line), "RF.DEL k CONTEXT %s", context);
    expect(fake, line, ":1\r\n");
    snprintf(line, sizeof(line), "RF.SET other three CONTEXT %s", context);
    expect(fake, line,
           "-ERR the context is of another key: use the one that RF.GET of this key gave; nothing "
           "was written\r\n");
    context[5] = context[5] == 'A' ? 'B' : 'A';
    snprintf(line, sizeof(line), "RF.SET k three CONTEXT %s", context);
    expect(fake, line,
           "-ERR the context is damaged: hand back exactly what RF.GET gave; nothing was "
           "written\r\n");
    expect_prefix(fake, "HELLO 3", "%7\r\n");
    expect_prefix(fake, "RF.GET k", "%2\r\n$7\r\ncontext\r\n");
    fake_free(fake);
}
END_TEST

TEST(rf_set_without_a_context_has_seen_nothing)
{
    struct fake *fake = fake_ready(FACE_PLAIN);
    expect(fake, "RF.SET k v", "+OK\r\n");
    ck_assert_uint_eq(fake->last.context_count, 0);
    ck_assert_int_eq(fake->last.kind, OP_CAUSAL_SET);
    expect(fake, "RF.SET k v CONTEXT", "-ERR syntax error\r\n");
    expect(fake, "RF.SET k v NX", "-ERR syntax error\r\n");
    expect(fake, "RF.DEL k EX 5", "-ERR syntax error\r\n");
    fake_free(fake);
}
END_TEST

/* ---- Walks ---- */

static void fill(struct fake *fake, unsigned count)
{
    char line[64];
    for (unsigned i = 0; i < count; i++) {
        snprintf(line, sizeof(line), "SET key:%u v", i);
        expect(fake, line, "+OK\r\n");
    }
}

/* SCAN to its end; count each key in `seen`. Return the calls it took. */
static unsigned scan(struct fake *fake, uint64_t client, const char *options, unsigned seen[])
{
    char cursor[32] = "0";
    unsigned calls = 0;
    do {
        char line[128];
        snprintf(line, sizeof(line), "SCAN %s %s", cursor, options);
        const char *at = fake_ask(fake, client, line);
        ck_assert_msg(strncmp(at, "*2\r\n$", 5) == 0, "%s: %s", line, at);
        at = strchr(at + 5, '\n') + 1;
        snprintf(cursor, sizeof(cursor), "%.*s", (int)strcspn(at, "\r"), at);
        for (at = strstr(at, "key:"); at != NULL; at = strstr(at + 4, "key:")) {
            seen[strtoul(at + 4, NULL, 10)]++;
        }
        calls++;
        ck_assert_uint_lt(calls, 10000);
    } while (strcmp(cursor, "0") != 0);
    return calls;
}

TEST(scan_gives_every_key_once)
{
    struct fake *fake = fake_ready(FACE_PLAIN);
    static const char *const OPTIONS[] = {"", "COUNT 1", "COUNT 7", "COUNT 100000"};
    fill(fake, 500);
    for (unsigned i = 0; i < ARRAY_COUNT(OPTIONS); i++) {
        unsigned seen[500] = {0};
        unsigned calls = scan(fake, 1, OPTIONS[i], seen);
        for (unsigned j = 0; j < 500; j++) {
            ck_assert_uint_eq(seen[j], 1);
        }
        ck_assert_uint_le(calls, 501);
    }
    unsigned matched[500] = {0};
    scan(fake, 1, "MATCH *:4? COUNT 50", matched);
    for (unsigned j = 0; j < 500; j++) {
        ck_assert_uint_eq(matched[j], j >= 40 && j < 50);
    }
    unsigned typed[500] = {0};
    scan(fake, 1, "TYPE hash COUNT 100", typed);
    ck_assert_uint_eq(typed[0], 0);
    fake_free(fake);
}
END_TEST

TEST(cluster_faces_of_all_nodes_share_the_keys_among_them)
{
    unsigned seen[400] = {0};
    unsigned long sum = 0;
    for (unsigned self = 0; self < FAKE_MEMBERS; self++) {
        struct fake *fake = fake_ready(FACE_PLAIN);
        fill(fake, 400);
        fake->view.self = self;
        fake_open(fake, 2, FACE_CLUSTER);
        scan(fake, 2, "COUNT 13", seen);
        const char *size = fake_ask(fake, 2, "DBSIZE");
        ck_assert_int_eq(size[0], ':');
        sum += strtoul(size + 1, NULL, 10);
        fake_free(fake);
    }
    for (unsigned i = 0; i < 400; i++) {
        ck_assert_uint_eq(seen[i], 1);
    }
    ck_assert_uint_eq(sum, 400);
}
END_TEST

TEST(flushdb_deletes_one_database_and_flushall_all)
{
    struct fake *fake = fake_ready(FACE_PLAIN);
    fill(fake, 1200);
    expect(fake, "SELECT 3", "+OK\r\n");
    expect(fake, "SET other v", "+OK\r\n");
    expect(fake, "SELECT 0", "+OK\r\n");
    expect(fake, "DBSIZE", ":1200\r\n");
    fake->later = true;
    fake_send(fake, 1, "FLUSHDB\r\nDBSIZE\r\n");
    fake_answer_all(fake);
    ck_assert_str_eq(fake_read(fake, 1), "+OK\r\n:0\r\n");
    ck_assert_uint_le(fake->pending_peak, 64);
    fake->later = false;
    expect(fake, "SELECT 3", "+OK\r\n");
    expect(fake, "DBSIZE", ":1\r\n");
    expect(fake, "FLUSHALL ASYNC", "+OK\r\n");
    expect(fake, "DBSIZE", ":0\r\n");
    expect(fake, "KEYS *", "*0\r\n");
    fake_free(fake);
}
END_TEST

TEST(a_flush_that_fails_half_way_says_so)
{
    struct fake *fake = fake_ready(FACE_PLAIN);
    fill(fake, 3);
    fake->outcome = OUTCOME_UNCERTAIN;
    fake->outcome_key = "key:1";
    const char *reply = fake_ask(fake, 1, "KEYS *");
    ck_assert_int_eq(reply[0], '-');
    fake->outcome = OUTCOME_DONE;
    fake->later = true;
    fake_send(fake, 1, "FLUSHALL\r\n");
    fake_answer(fake, 0); /* The list; three DELs are under way. */
    fake->outcome = OUTCOME_UNCERTAIN;
    fake_answer_all(fake);
    ck_assert_str_eq(fake_read(fake, 1), "-UNCERTAIN FLUSHALL: deleted 2 keys, unknown 1, not "
                                         "deleted 0, and did not go on\r\n");
    fake_free(fake);
}
END_TEST

/* ---- Faces, serving, passwords ---- */

TEST(the_cluster_face_shows_each_slot_once_with_a_live_primary)
{
    for (unsigned dead = 0; dead <= FAKE_MEMBERS; dead++) {
        struct fake *fake = fake_ready(FACE_CLUSTER);
        if (dead < FAKE_MEMBERS) {
            fake->members[dead].live = fake->members[dead].connected = false;
        }
        const char *at = fake_ask(fake, 1, "CLUSTER SLOTS");
        unsigned next = 0;
        unsigned before = 99;
        while ((at = strstr(at, "*3\r\n:")) != NULL) {
            unsigned first, last, port;
            ck_assert_int_eq(sscanf(at, "*3\r\n:%u\r\n:%u\r\n*4\r\n$9\r\n127.0.0.1\r\n:%u", &first,
                                    &last, &port),
                             3);
            ck_assert_uint_eq(first, next);
            ck_assert_uint_ge(last, first);
            ck_assert_uint_ne(port, before); /* Neighbours are one range. */
            ck_assert_uint_ne(port, 7101 + dead);
            before = port;
            next = last + 1;
            at++;
        }
        ck_assert_uint_eq(next, SLOTS_COUNT);
        const char *nodes = fake_ask(fake, 1, "CLUSTER NODES");
        ck_assert_ptr_nonnull(strstr(nodes, "127.0.0.1:7101@8001 myself,master - 0 0 1 connected"));
        ck_assert(dead == 0 || dead == FAKE_MEMBERS || strstr(nodes, " master,fail - ") != NULL);
        expect_prefix(fake, "CLUSTER SHARDS", "*3\r\n*4\r\n$5\r\nslots\r\n");
        expect_prefix(fake, "CLUSTER INFO", "$");
        fake_free(fake);
    }
}
END_TEST

TEST(the_cluster_face_keeps_the_rules_of_redis_cluster)
{
    struct fake *fake = fake_ready(FACE_CLUSTER);
    expect(fake, "MGET a b", "-CROSSSLOT Keys in request don't hash to the same slot\r\n");
    expect(fake, "MSET {x}a 1 {x}b 2", "+OK\r\n");
    expect(fake, "MGET {x}a {x}b", "*2\r\n$1\r\n1\r\n$1\r\n2\r\n");
    expect(fake, "SELECT 1", "-ERR SELECT is not allowed in cluster mode\r\n");
    expect(fake, "SELECT 0", "+OK\r\n");
    expect(fake, "READONLY", "+OK\r\n");
    expect(fake, "SET {x}a 2", "+OK\r\n"); /* A READONLY connection writes, too. */
    expect(fake, "CLUSTER KEYSLOT hello", ":866\r\n");
    expect(fake, "CLUSTER COUNTKEYSINSLOT 16287", ":2\r\n");
    expect(fake, "CLUSTER COUNTKEYSINSLOT 16384", "-ERR Invalid slot\r\n");
    expect_prefix(fake, "CLUSTER MEET 1.2.3.4 5", "-ERR CLUSTER meet is not possible: ");
    expect_prefix(fake, "CLUSTER FAILOVER", "-ERR CLUSTER failover is not possible: ");
    fake_free(fake);
}
END_TEST

TEST(a_node_that_does_not_serve_answers_loading_and_can_be_looked_at)
{
    struct fake *fake = fake_ready(FACE_CLUSTER);
    fake->view.serving = false;
    fake->view.waiting = "waiting for members n2 n3";
    fake->view.place = NULL;
    expect(fake, "GET k", "-LOADING Ringfort is waiting for members n2 n3\r\n");
    expect(fake, "SCAN 0", "-LOADING Ringfort is waiting for members n2 n3\r\n");
    expect(fake, "PING", "+PONG\r\n");
    expect_prefix(fake, "HELLO", "*14\r\n");
    ck_assert_ptr_nonnull(strstr(fake_ask(fake, 1, "INFO"), "loading:1\r\n"));
    ck_assert_ptr_nonnull(strstr(fake_ask(fake, 1, "CLUSTER INFO"), "cluster_state:fail\r\n"));
    expect(fake, "CLUSTER SLOTS", "*0\r\n");
    ck_assert_ptr_nonnull(strstr(fake_ask(fake, 1, "RF.STATUS"), "waiting for members n2 n3"));
    ck_assert_uint_eq(fake->started, 0);
    fake_free(fake);
}
END_TEST

TEST(a_password_is_asked_for)
{
    struct fake *fake = fake_new(1);
    snprintf(fake->options.requirepass, sizeof(fake->options.requirepass), "secret");
    fake_start(fake);
    fake_open(fake, 1, FACE_PLAIN);
    expect(fake, "GET k", "-NOAUTH Authentication required.\r\n");
    expect(fake, "PING", "-NOAUTH Authentication required.\r\n");
    expect(fake, "nosuch", "-ERR unknown command 'nosuch', with args beginning with: \r\n");
    expect_prefix(fake, "HELLO 3", "-NOAUTH HELLO must be called with the client already");
    expect(fake, "AUTH wrong",
           "-WRONGPASS invalid username-password pair or user is disabled.\r\n");
    expect(fake, "AUTH nobody secret",
           "-WRONGPASS invalid username-password pair or user is disabled.\r\n");
    expect_prefix(fake, "HELLO 3 AUTH default secret", "%7\r\n");
    expect(fake, "GET k", "_\r\n");
    expect(fake, "RESET", "+RESET\r\n");
    expect(fake, "GET k", "-NOAUTH Authentication required.\r\n");
    expect(fake, "AUTH secret", "+OK\r\n");
    expect(fake, "GET k", "$-1\r\n");
    ck_assert_ptr_null(strstr(fake_ask(fake, 1, "CONFIG GET requirepass"), "secret"));
    fake_free(fake);
}
END_TEST

TEST(info_has_the_fields_that_tools_read)
{
    static const char *const FIELDS[] = {
        "redis_version:7.0.15",
        "ringfort_version:",
        "redis_mode:standalone",
        "uptime_in_seconds:",
        "connected_clients:1",
        "blocked_clients:0",
        "used_memory:",
        "maxmemory_policy:noeviction",
        "number_of_cached_scripts:0",
        "loading:0",
        "rdb_bgsave_in_progress:0",
        "aof_rewrite_in_progress:0",
        "total_commands_processed:",
        "total_connections_received:1",
        "instantaneous_ops_per_sec:",
        "keyspace_hits:",
        "keyspace_misses:",
        "role:master",
        "master_repl_offset:0",
        "used_cpu_sys:",
        "cluster_enabled:0",
        "db0:keys=2,expires=1,",
        "db5:keys=1,expires=0,",
        "# Ringfort",
        "hedges:0",
        "run_id:0000",
    };
    struct fake *fake = fake_ready(FACE_PLAIN);
    expect(fake, "MSET a 1 b 2", "+OK\r\n");
    expect(fake, "SET b 2 EX 100", "+OK\r\n");
    expect(fake, "SELECT 5", "+OK\r\n");
    expect(fake, "SET c 3", "+OK\r\n");
    char info[65536];
    snprintf(info, sizeof(info), "%s", fake_ask(fake, 1, "INFO"));
    for (unsigned i = 0; i < ARRAY_COUNT(FIELDS); i++) {
        ck_assert_msg(strstr(info, FIELDS[i]) != NULL, "%s", FIELDS[i]);
    }
    const char *two = fake_ask(fake, 1, "INFO cluster commandstats");
    ck_assert_ptr_nonnull(strstr(two, "cmdstat_set:calls=2,usec="));
    ck_assert_ptr_null(strstr(two, "# Server"));
    expect(fake, "GET", "-ERR wrong number of arguments for 'get' command\r\n");
    ck_assert_ptr_nonnull(
        strstr(fake_ask(fake, 1, "INFO errorstats"), "errorstat_ERR:count=1\r\n"));
    fake_free(fake);
}
END_TEST

TEST(config_set_is_all_or_nothing)
{
    struct fake *fake = fake_ready(FACE_PLAIN);
    expect(fake, "CONFIG SET maxclients 7 request-timeout-ms 300", "+OK\r\n");
    ck_assert_uint_eq(fake->options.max_clients, 7);
    expect(fake, "CONFIG GET maxclients", "*2\r\n$10\r\nmaxclients\r\n$1\r\n7\r\n");
    expect_prefix(fake, "CONFIG SET maxclients 8 request-timeout-ms 1",
                  "-ERR CONFIG SET failed (possibly related to argument 'request-timeout-ms') - ");
    ck_assert_uint_eq(fake->options.max_clients, 7);
    expect(fake, "CONFIG SET n 5",
           "-ERR CONFIG SET failed (possibly related to argument 'n') - can't set immutable "
           "config\r\n");
    expect(fake, "CONFIG SET save \"\"", "+OK\r\n");
    expect_prefix(fake, "CONFIG SET appendonly no", "-ERR CONFIG SET failed");
    expect(fake, "CONFIG GET save appendonly",
           "*4\r\n$10\r\nappendonly\r\n$3\r\nyes\r\n$4\r\nsave\r\n$0\r\n\r\n");
    fake_free(fake);
}
END_TEST

TEST(a_draining_node_refuses_data_and_finishes_what_runs)
{
    struct fake *fake = fake_ready(FACE_PLAIN);
    fake->later = true;
    fake_send(fake, 1, "SET k v\r\n");
    clients_drain(fake->clients, fake->now);
    ck_assert(!clients_idle(fake->clients));
    fake_send(fake, 1, "GET other\r\nPING\r\n");
    fake_answer_all(fake);
    ck_assert_str_eq(fake_read(fake, 1), "+OK\r\n-LOADING Ringfort is stopping\r\n+PONG\r\n");
    ck_assert(clients_idle(fake->clients));
    fake_free(fake);
}
END_TEST

TEST(a_key_or_value_over_its_limit_is_refused)
{
    struct fake *fake = fake_new(1);
    struct buf in;
    fake->options.max_value_bytes = 1024;
    fake_start(fake);
    fake_open(fake, 1, FACE_PLAIN);
    buf_init(&in, 8 << 20);
    for (int size = 1023; size <= 1025; size++) {
        buf_clear(&in);
        buf_printf(&in, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n%0*d\r\n", size, size, 0);
        fake_send_bytes(fake, 1, buf_bytes(&in));
        ck_assert_str_eq(fake_read(fake, 1), size <= 1024
                                                 ? "+OK\r\n"
                                                 : "-ERR string exceeds maximum allowed size "
                                                   "(max-value-bytes)\r\n");
    }
    for (int size = KEY_USER_MAX - 1; size <= KEY_USER_MAX; size++) {
        buf_clear(&in);
        buf_printf(&in, "*2\r\n$3\r\nGET\r\n$%d\r\n", size);
        memset(buf_reserve(&in, (size_t)size), 'k', (size_t)size);
        buf_printf(&in, "\r\n");
        fake_send_bytes(fake, 1, buf_bytes(&in));
        ck_assert_str_eq(fake_read(fake, 1), "$-1\r\n");
    }
    buf_release(&in);
    fake_free(fake);
}
END_TEST

UNIT_MAIN(the_table_is_sorted_and_whole, every_command_with_any_few_words_is_answered,
          a_command_of_redis_that_is_missing_says_so, set_takes_its_options_in_any_order,
          expiry_is_absolute_and_rounds_as_redis_does,
          outcomes_have_words_and_reads_are_never_uncertain, mset_tells_which_keys_were_written,
          duplicate_keys_count_as_in_redis, many_keys_are_asked_for_a_bounded_number_at_a_time,
          a_reply_of_mget_is_bounded, lower_r_or_w_means_quorum_and_higher_stays_linearizable,
          what_cannot_be_promised_is_refused_in_words,
          databases_carry_their_own_r_w_and_consistency, wait_tells_what_the_last_write_knew,
          rf_get_shows_siblings_and_a_context_that_rf_set_takes,
          rf_set_without_a_context_has_seen_nothing, scan_gives_every_key_once,
          cluster_faces_of_all_nodes_share_the_keys_among_them,
          flushdb_deletes_one_database_and_flushall_all, a_flush_that_fails_half_way_says_so,
          the_cluster_face_shows_each_slot_once_with_a_live_primary,
          the_cluster_face_keeps_the_rules_of_redis_cluster,
          a_node_that_does_not_serve_answers_loading_and_can_be_looked_at, a_password_is_asked_for,
          info_has_the_fields_that_tools_read, config_set_is_all_or_nothing,
          a_draining_node_refuses_data_and_finishes_what_runs,
          a_key_or_value_over_its_limit_is_refused)
