/* tests/unit/test_shell_stream.c - streams over a socket pair: one write per turn, bounded queues,
 * endings that lose nothing. */
#include "node/loop.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/unit.h"

enum { OUT_MAX = 8 * 1024 * 1024 };

static struct loop loop;
static struct stream stream;
static int other; /* The other end. */
static struct buf received;
static unsigned turns, broken, drained, released, stop_after_turns;
static void (*at_turn)(unsigned turn);

static void on_bytes(struct stream *from, struct bytes bytes)
{
    (void)from;
    buf_put_bytes(&received, bytes);
}

static void on_broken(struct stream *from, const char *reason)
{
    ck_assert_str_eq(reason, "closed");
    broken++;
    stream_close(from);
}

static void on_drained(struct stream *from)
{
    (void)from;
    drained++;
}

static void on_released(struct stream *from)
{
    (void)from;
    released++;
    loop_stop(&loop);
}

static const struct stream_owner OWNER = {on_bytes, on_broken, on_drained, on_released};

static void on_event(void *context, struct event *event)
{
    (void)context;
    (void)event;
}

static void on_turn(void *context)
{
    (void)context;
    at_turn(++turns);
    loop_flush(&loop);
    if (turns == stop_after_turns) {
        loop_stop(&loop);
    }
}

/* Call `turn` in every turn; until the stream is released or so many turns are over. */
static void run(void (*turn)(unsigned turn), unsigned turns_max)
{
    int ends[2];
    at_turn = turn;
    stop_after_turns = turns_max;
    turns = broken = drained = released = 0;
    buf_init(&received, OUT_MAX);
    loop_init(&loop, (struct loop_owner){NULL, on_event, on_turn});
    stream_init(&stream, &loop, &OWNER, OUT_MAX);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    ck_assert_int_eq(uv_tcp_open(&stream.tcp, ends[0]), 0);
    other = ends[1];
    stream_start(&stream);
    loop_run(&loop);
    stream_close(&stream);
    loop_release(&loop);
    ck_assert_uint_eq(released, 1);
    buf_release(&received);
    (void)close(other);
}

/* What has arrived at the other end, up to `size` bytes; -1 when nothing is there. */
static ssize_t take(char *out, size_t size)
{
    return recv(other, out, size, MSG_DONTWAIT);
}

static void send_many(unsigned turn)
{
    if (turn == 1) {
        for (int i = 0; i < 1000; i++) {
            ck_assert_int_eq(stream_send(&stream, BYTES_LITERAL("0123456789")), OK);
        }
        ck_assert_uint_eq(stream_pending(&stream), 10000);
        loop_again(&loop);
    } else {
        char bytes[20000];
        ck_assert_int_eq(take(bytes, sizeof(bytes)), 10000);
        ck_assert_mem_eq(bytes + 9990, "0123456789", 10);
    }
}

TEST(what_is_sent_in_one_turn_leaves_in_one_write)
{
    run(send_many, 2);
    ck_assert_uint_eq(loop.syscalls_write, 1);
    ck_assert_uint_eq(drained, 1);
}

static void overflow(unsigned turn)
{
    static char block[OUT_MAX / 4];
    (void)turn;
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(stream_send(&stream, (struct bytes){(uint8_t *)block, sizeof(block)}), OK);
    }
    ck_assert_int_eq(stream_send(&stream, BYTES_LITERAL("x")), ERR_TOO_LARGE);
    ck_assert_uint_eq(stream_pending(&stream), OUT_MAX);
}

TEST(nothing_is_sent_past_the_bound)
{
    run(overflow, 1);
}

/* Several megabytes do not fit into the socket: the rest leaves as the other end reads. */
static size_t taken;

static void send_large_then_read(unsigned turn)
{
    static char block[OUT_MAX / 2];
    if (turn == 1) {
        for (size_t i = 0; i < sizeof(block); i++) {
            block[i] = (char)(i % 251);
        }
        ck_assert_int_eq(stream_send(&stream, (struct bytes){(uint8_t *)block, sizeof(block)}), OK);
        loop_again(&loop);
        return;
    }
    if (turn == 2) {
        ck_assert_uint_gt(stream_pending(&stream), 0);
        ck_assert_int_eq(stream_send(&stream, BYTES_LITERAL("end")), OK);
    }
    static char bytes[64 * 1024];
    ssize_t size;
    while ((size = take(bytes, sizeof(bytes))) > 0) {
        size_t of_block = MIN((size_t)size, sizeof(block) - MIN(taken, sizeof(block)));
        ck_assert_mem_eq(bytes, block + MIN(taken, sizeof(block)), of_block);
        taken += (size_t)size;
    }
    if (taken == sizeof(block) + 3) {
        ck_assert_uint_eq(stream_pending(&stream), 0);
        loop_stop(&loop);
    }
    loop_again(&loop);
}

TEST(what_the_socket_does_not_take_leaves_later_and_in_order)
{
    taken = 0;
    run(send_large_then_read, 1000000);
    ck_assert_uint_eq(taken, OUT_MAX / 2 + 3);
    ck_assert_uint_ge(drained, 1);
}

static void end_with_a_reply(unsigned turn)
{
    char bytes[16];
    if (turn == 1) {
        ck_assert_int_eq(send(other, "unread input", 12, 0), 12);
        ck_assert_int_eq(stream_send(&stream, BYTES_LITERAL("bye")), OK);
        stream_end(&stream);
        ck_assert_int_eq(stream_send(&stream, BYTES_LITERAL("too late")), OK);
    } else if (turn == 2) {
        ck_assert_int_eq(take(bytes, sizeof(bytes)), 3);
        ck_assert_mem_eq(bytes, "bye", 3);
        ck_assert_int_eq(take(bytes, sizeof(bytes)), 0); /* The end, not a reset. */
        ck_assert_int_eq(shutdown(other, SHUT_WR), 0);
    }
}

TEST(an_ending_stream_delivers_its_last_bytes_and_goes_when_the_other_side_does)
{
    run(end_with_a_reply, 1000);
    ck_assert_uint_eq(broken, 0);
    ck_assert_uint_eq(released, 1);
    ck_assert_uint_le(turns, 10); /* Without waiting for STREAM_END_MS. */
}

static void end_in_silence(unsigned turn)
{
    if (turn == 1) {
        stream_end(&stream);
    }
}

TEST(an_ending_stream_does_not_wait_for_ever)
{
    uint64_t begin_ns = uv_hrtime();
    run(end_in_silence, 1000);
    uint64_t took_ms = (uv_hrtime() - begin_ns) / 1000000;
    ck_assert_uint_ge(took_ms, STREAM_END_MS - 10);
}

static void other_closes(unsigned turn)
{
    if (turn == 1) {
        ck_assert_int_eq(send(other, "last words", 10, 0), 10);
        ck_assert_int_eq(shutdown(other, SHUT_WR), 0);
    } else if (broken == 1) {
        ck_assert_mem_eq(received.data, "last words", 10);
        ck_assert_int_eq(stream_send(&stream, BYTES_LITERAL("into the void")), OK);
    }
}

TEST(a_broken_stream_is_reported_once_after_its_last_bytes)
{
    run(other_closes, 1000);
    ck_assert_uint_eq(broken, 1);
}

static void pause_and_go_on(unsigned turn)
{
    if (turn == 1) {
        stream_read(&stream, false);
        ck_assert_int_eq(send(other, "a", 1, 0), 1);
        loop_again(&loop);
    } else if (turn == 2) {
        loop_again(&loop);
    } else if (turn == 3) {
        ck_assert_uint_eq(received.size, 0);
        stream_read(&stream, true);
    } else {
        ck_assert_uint_eq(received.size, 1);
        loop_stop(&loop);
    }
}

TEST(a_paused_stream_is_not_read)
{
    run(pause_and_go_on, 1000);
}

UNIT_MAIN(what_is_sent_in_one_turn_leaves_in_one_write, nothing_is_sent_past_the_bound,
          what_the_socket_does_not_take_leaves_later_and_in_order,
          an_ending_stream_delivers_its_last_bytes_and_goes_when_the_other_side_does,
          an_ending_stream_does_not_wait_for_ever,
          a_broken_stream_is_reported_once_after_its_last_bytes, a_paused_stream_is_not_read)
