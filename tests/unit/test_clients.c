/* Order, waiting, limits and memory of client connections; their commands are in test_command.c. */
#include "tests/unit/clients_fake.h"

#include <malloc.h>
#include <stdlib.h>

START_TEST(a_command_is_answered)
{
    struct fake *fake = fake_new(1);
    fake_start(fake);
    fake_open(fake, 1, FACE_PLAIN);
    ck_assert_str_eq(fake_ask(fake, 1, "PING"), "+PONG\r\n");
    ck_assert_str_eq(fake_ask(fake, 1, "SET k v"), "+OK\r\n");
    ck_assert_str_eq(fake_ask(fake, 1, "GET k"), "$1\r\nv\r\n");
    ck_assert_str_eq(fake_ask(fake, 1, "DEL k"), ":1\r\n");
    ck_assert_str_eq(fake_ask(fake, 1, "GET k"), "$-1\r\n");
    ck_assert(clients_idle(fake->clients));
    fake_free(fake);
}
END_TEST

/* ---- Order ---- */

/* A random pipeline in which command i is followed by ECHO i: however operations end, the
 * markers and the replies between them stand in the order of the requests. */
static void pipeline(struct fake *fake, struct buf *in, struct buf *expected, char values[][16])
{
    unsigned count = 1 + (unsigned)prng_below(&fake->prng, 40);
    for (unsigned i = 0; i < count; i++) {
        unsigned key = (unsigned)prng_below(&fake->prng, 6);
        switch (prng_below(&fake->prng, 8)) {
        case 0:
        case 1:
            snprintf(values[key], 16, "v%u", (unsigned)prng_below(&fake->prng, 1000000));
            buf_printf(in, "*3\r\n$3\r\nSET\r\n$2\r\nk%u\r\n$%zu\r\n%s\r\n", key,
                       strlen(values[key]), values[key]);
            buf_printf(expected, "+OK\r\n");
            break;
        case 2:
        case 3:
            buf_printf(in, "GET k%u\r\n", key);
            if (values[key][0] == '\0') {
                buf_printf(expected, "$-1\r\n");
            } else {
                buf_printf(expected, "$%zu\r\n%s\r\n", strlen(values[key]), values[key]);
            }
            break;
        case 4:
            buf_printf(in, "DEL k%u\r\n", key);
            buf_printf(expected, ":%d\r\n", values[key][0] != '\0');
            values[key][0] = '\0';
            break;
        case 5:
            buf_printf(in, "EXISTS k%u k%u\r\n", key, (key + 1) % 6);
            buf_printf(expected, ":%d\r\n",
                       (values[key][0] != '\0') + (values[(key + 1) % 6][0] != '\0'));
            break;
        case 6:
            buf_printf(in, "GET\r\n");
            buf_printf(expected, "-ERR wrong number of arguments for 'get' command\r\n");
            break;
        default:
            snprintf(values[key], 16, "m%u", i);
            snprintf(values[(key + 1) % 6], 16, "n%u", i);
            buf_printf(in, "MSET k%u m%u k%u n%u\r\n", key, i, (key + 1) % 6, i);
            buf_printf(expected, "+OK\r\n");
        }
        buf_printf(in, "ECHO e%u\r\n", i);
        buf_printf(expected, "$%d\r\ne%u\r\n", i < 10 ? 2 : 3, i);
    }
}

START_TEST(replies_stand_in_the_order_of_requests)
{
    for (uint64_t seed = 0; seed < 3000; seed++) {
        struct fake *fake = fake_new(seed);
        struct buf in;
        struct buf expected;
        char values[6][16] = {""};
        fake->options.client_pipeline_max = 1 + (uint32_t)prng_below(&fake->prng, 20);
        fake_start(fake);
        fake_open(fake, 1, FACE_PLAIN);
        buf_init(&in, 1 << 20);
        buf_init(&expected, 1 << 20);
        pipeline(fake, &in, &expected, values);
        fake->later = true;
        for (size_t at = 0; at < in.size;) {
            size_t size = 1 + (size_t)prng_below(&fake->prng, 200);
            size = MIN(size, in.size - at);
            fake_send_bytes(fake, 1, (struct bytes){in.data + at, size});
            at += size;
            for (uint64_t i = prng_below(&fake->prng, 4); i > 0 && fake->pending_count > 0; i--) {
                fake_answer(fake, (unsigned)prng_below(&fake->prng, fake->pending_count));
            }
        }
        fake_answer_all(fake);
        ck_assert(clients_idle(fake->clients));
        ck_assert(!fake->of[1].paused);
        buf_put_u8(&expected, 0);
        ck_assert_msg(strcmp(fake_read(fake, 1), (const char *)expected.data) == 0, "SEED=%llu",
                      (unsigned long long)seed);
        buf_release(&in);
        buf_release(&expected);
        fake_free(fake);
    }
}
END_TEST

START_TEST(a_key_in_flight_holds_up_later_commands_on_it)
{
    struct fake *fake = fake_new(1);
    fake_start(fake);
    fake_open(fake, 1, FACE_PLAIN);
    fake->later = true;
    fake_send(fake, 1, "SET a 1\r\nGET b\r\nGET a\r\nGET c\r\n");
    ck_assert_uint_eq(fake->pending_count, 2); /* GET a waits, and what is behind it. */
    fake_answer(fake, 1);
    ck_assert_str_eq(fake_read(fake, 1), ""); /* GET b is done; its reply waits for SET a. */
    fake_answer(fake, 0);
    ck_assert_str_eq(fake_read(fake, 1), "+OK\r\n$-1\r\n");
    ck_assert_uint_eq(fake->pending_count, 2);
    fake_answer(fake, 1);
    fake_answer(fake, 0);
    ck_assert_str_eq(fake_read(fake, 1), "$1\r\n1\r\n$-1\r\n");
    fake_free(fake);
}
END_TEST

START_TEST(select_waits_for_all_earlier_commands)
{
    struct fake *fake = fake_new(1);
    fake_start(fake);
    fake_open(fake, 1, FACE_PLAIN);
    fake->later = true;
    fake_send(fake, 1, "SET a 0\r\nSELECT 1\r\nSET a 1\r\n");
    ck_assert_uint_eq(fake->pending_count, 1);
    ck_assert_uint_eq(key_database(fake->pending[0].op.key), 0);
    fake_answer(fake, 0);
    ck_assert_uint_eq(fake->pending_count, 1);
    ck_assert_uint_eq(key_database(fake->pending[0].op.key), 1);
    fake_answer(fake, 0);
    ck_assert_str_eq(fake_read(fake, 1), "+OK\r\n+OK\r\n+OK\r\n");
    fake_free(fake);
}
END_TEST

/* ---- Limits ---- */

START_TEST(a_full_pipeline_pauses_reading_until_a_call_ends)
{
    struct fake *fake = fake_new(1);
    fake->options.client_pipeline_max = 4;
    fake_start(fake);
    fake_open(fake, 1, FACE_PLAIN);
    fake->later = true;
    fake_send(fake, 1, "GET a\r\nGET b\r\nGET c\r\n");
    ck_assert(!fake->of[1].paused);
    fake_send(fake, 1, "GET d\r\nGET e\r\nGET f\r\n");
    ck_assert(fake->of[1].paused);
    ck_assert_uint_eq(fake->pending_count, 4);
    fake_answer(fake, 0);
    ck_assert_uint_eq(fake->pending_count, 4); /* e has begun, */
    ck_assert(fake->of[1].paused);             /* f waits. */
    fake_answer(fake, 0);
    ck_assert(!fake->of[1].paused);
    fake_answer_all(fake);
    ck_assert_str_eq(fake_read(fake, 1), "$-1\r\n$-1\r\n$-1\r\n$-1\r\n$-1\r\n$-1\r\n");
    fake_free(fake);
}
END_TEST

START_TEST(the_table_of_requests_is_bounded)
{
    struct fake *fake = fake_new(1);
    fake->options.requests_max = 2;
    fake_start(fake);
    fake_open(fake, 1, FACE_PLAIN);
    fake->later = true;
    fake_send(fake, 1, "GET a\r\nGET b\r\nGET c\r\n");
    ck_assert_uint_eq(fake->pending_count, 2);
    fake_answer_all(fake);
    ck_assert_str_eq(fake_read(fake, 1),
                     "$-1\r\n$-1\r\n-BUSY too many operations in flight; nothing was applied\r\n");
    fake_free(fake);
}
END_TEST

START_TEST(one_client_too_many_is_told_so)
{
    struct fake *fake = fake_new(1);
    fake->options.max_clients = 2;
    fake_start(fake);
    fake_open(fake, 1, FACE_PLAIN);
    fake_open(fake, 2, FACE_CLUSTER);
    fake_open(fake, 3, FACE_PLAIN);
    ck_assert_str_eq(fake_read(fake, 3), "-ERR max number of clients reached\r\n");
    ck_assert(fake->of[3].closed);
    clients_on_closed(fake->clients, fake->now, 2);
    fake_open(fake, 4, FACE_PLAIN);
    ck_assert_str_eq(fake_ask(fake, 4, "PING"), "+PONG\r\n");
    fake_free(fake);
}
END_TEST

/* ---- Ends ---- */

START_TEST(operations_of_a_closed_client_end_silently)
{
    struct fake *fake = fake_new(1);
    fake_start(fake);
    fake_open(fake, 1, FACE_PLAIN);
    fake->later = true;
    fake_send(fake, 1, "SET a 1\r\nMGET b c d\r\nGET e\r\n");
    clients_on_closed(fake->clients, fake->now, 1);
    ck_assert(!clients_idle(fake->clients));
    fake_answer_all(fake);
    ck_assert_str_eq(fake_read(fake, 1), "");
    ck_assert(clients_idle(fake->clients));
    fake_free(fake);
}
END_TEST

START_TEST(quit_answers_what_came_before_and_ignores_what_comes_after)
{
    struct fake *fake = fake_new(1);
    fake_start(fake);
    fake_open(fake, 1, FACE_PLAIN);
    fake->later = true;
    fake_send(fake, 1, "GET a\r\nQUIT\r\nSET a 1\r\n");
    ck_assert(!fake->of[1].closed);
    fake_answer_all(fake);
    ck_assert_str_eq(fake_read(fake, 1), "$-1\r\n+OK\r\n");
    ck_assert(fake->of[1].closed);
    ck_assert_uint_eq(fake->started, 1);
    fake_send(fake, 1, "PING\r\n");
    fake_free(fake);
}
END_TEST

START_TEST(a_protocol_error_is_answered_in_order_and_closes)
{
    struct fake *fake = fake_new(1);
    fake_start(fake);
    fake_open(fake, 1, FACE_PLAIN);
    fake->later = true;
    fake_send(fake, 1, "GET a\r\n*1\r\nx\r\nSET a 1\r\n");
    ck_assert_str_eq(fake_read(fake, 1), "");
    fake_answer_all(fake);
    ck_assert_str_eq(fake_read(fake, 1), "$-1\r\n-ERR Protocol error: expected '$', got 'x'\r\n");
    ck_assert(fake->of[1].closed);
    fake_free(fake);
}
END_TEST

START_TEST(http_is_cut_off_without_an_answer)
{
    static const char *const REQUESTS[] = {"POST / HTTP/1.1\r\nHost: x\r\nSET a 1\r\n",
                                           "GET / HTTP/1.1\r\nHost: x\r\nSET a 1\r\n"};
    for (unsigned i = 0; i < ARRAY_COUNT(REQUESTS); i++) {
        struct fake *fake = fake_new(1);
        fake_start(fake);
        fake_open(fake, 1, FACE_PLAIN);
        fake_send(fake, 1, REQUESTS[i]);
        ck_assert(fake->of[1].closed);
        ck_assert_uint_eq(fake->values_count, 0);
        fake_free(fake);
    }
}
END_TEST

START_TEST(a_token_answered_twice_changes_nothing)
{
    struct fake *fake = fake_new(1);
    fake_start(fake);
    fake_open(fake, 1, FACE_PLAIN);
    fake->later = true;
    fake_send(fake, 1, "GET a\r\n");
    uint64_t token = fake->pending[0].token;
    fake_answer(fake, 0);
    fake_send(fake, 1, "GET b\r\n");
    struct op_result stale = {.outcome = OUTCOME_DONE, .found = true, .value = BYTES_LITERAL("x")};
    clients_on_op(fake->clients, fake->now, token, &stale);
    fake_answer_all(fake);
    ck_assert_str_eq(fake_read(fake, 1), "$-1\r\n$-1\r\n");
    fake_free(fake);
}
END_TEST

/* ---- Thrift ---- */

START_TEST(a_steady_state_allocates_nothing)
{
    struct fake *fake = fake_new(1);
    fake_start(fake);
    fake_open(fake, 1, FACE_PLAIN);
    fake_send(fake, 1, "SET k v\r\n");
    struct bytes batch =
        BYTES_LITERAL("*2\r\n$3\r\nGET\r\n$1\r\nx\r\n*2\r\n$3\r\nGET\r\n$1\r\ny\r\n"
                      "*2\r\n$3\r\nGET\r\n$1\r\nz\r\n*1\r\n$4\r\nPING\r\n");
    buf_reserve(&fake->of[1].out, 1 << 20);
    buf_clear(&fake->of[1].out);
    for (unsigned i = 0; i < 100; i++) {
        fake_send_bytes(fake, 1, batch);
    }
    struct mallinfo2 before = mallinfo2();
    size_t used = mem_used();
    for (unsigned i = 0; i < 1000; i++) {
        fake_send_bytes(fake, 1, batch);
    }
    struct mallinfo2 after = mallinfo2();
    ck_assert_uint_eq(mem_used(), used);
    ck_assert_uint_eq(after.uordblks, before.uordblks);
    fake_free(fake);
}
END_TEST

START_TEST(replies_of_one_call_are_sent_at_once)
{
    struct fake *fake = fake_new(1);
    fake_start(fake);
    fake_open(fake, 1, FACE_PLAIN);
    fake_send(fake, 1, "GET a\r\nPING\r\nGET b\r\nECHO x\r\n");
    ck_assert_uint_eq(fake->of[1].sends, 1);
    ck_assert_str_eq(fake_read(fake, 1), "$-1\r\n+PONG\r\n$-1\r\n$1\r\nx\r\n");
    fake_free(fake);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("clients");
    TCase *tcase = tcase_create("all");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, a_command_is_answered);
    tcase_add_test(tcase, replies_stand_in_the_order_of_requests);
    tcase_add_test(tcase, a_key_in_flight_holds_up_later_commands_on_it);
    tcase_add_test(tcase, select_waits_for_all_earlier_commands);
    tcase_add_test(tcase, a_full_pipeline_pauses_reading_until_a_call_ends);
    tcase_add_test(tcase, the_table_of_requests_is_bounded);
    tcase_add_test(tcase, one_client_too_many_is_told_so);
    tcase_add_test(tcase, operations_of_a_closed_client_end_silently);
    tcase_add_test(tcase, quit_answers_what_came_before_and_ignores_what_comes_after);
    tcase_add_test(tcase, a_protocol_error_is_answered_in_order_and_closes);
    tcase_add_test(tcase, http_is_cut_off_without_an_answer);
    tcase_add_test(tcase, a_token_answered_twice_changes_nothing);
    tcase_add_test(tcase, a_steady_state_allocates_nothing);
    tcase_add_test(tcase, replies_of_one_call_are_sent_at_once);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
