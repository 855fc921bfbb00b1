/* node/loop.h - one libuv loop, cut into turns; its clock, its deadline and its TCP streams.
 *
 * Shell. A turn is what happens between two polls: the callbacks of libuv hand events to the owner,
 * who carries out their effects; then on_turn ends the turn, and everything that was sent during it
 * leaves with one write per stream. One thread; every callback comes from loop_run. */
#pragma once

#include "base/list.h"
#include "node/node.h"

#include <uv.h> /* Last: it brings the system's MIN and MAX, which then give way to ours. */

struct loop;
struct stream;

struct loop_owner {
    void *context;
    /* Step the node with this event; it is borrowed for the call. */
    void (*on_event)(void *context, struct event *event);
    /* The turn ends: close batches, flush. Called before every poll. */
    void (*on_turn)(void *context);
};

/* An event that came up while effects were carried out: steps do not nest, so it waits. */
struct loop_later {
    struct event event;
    struct buf value; /* Owned; event.bytes when it is delivered. Keeps its memory for reuse. */
};

struct loop {
    uv_loop_t uv;
    struct loop_owner owner;
    uv_prepare_t turn;
    uv_idle_t again; /* Active: the next poll does not block. */
    uv_timer_t deadline;
    uint64_t deadline_ms; /* What `deadline` is set to, in uv_now's time; UINT64_MAX: off. */
    uv_timer_t ending_timer;
    struct list ending;    /* Streams that may not stay longer, first deadline first. */
    struct list unflushed; /* Streams with something new to write. */
    struct loop_later *later;
    size_t later_count, later_capacity, later_next;
    bool is_time_fresh;
    uint64_t now_ns;
    int64_t wall_ms;
    uint64_t syscalls_read, syscalls_write; /* Of streams. */
    uint8_t *read_buffer;                   /* One for all streams. */
};

enum { LOOP_READ_SIZE = 64 * 1024, STREAM_END_MS = 1000 };

void loop_init(struct loop *loop, struct loop_owner owner);
/* All handles of others must have been closed or be closing, streams that end excepted. */
void loop_release(struct loop *loop);
/* Until loop_stop. */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);
/* Read the clocks once per turn and put their values into `event`. */
void loop_stamp(struct loop *loop, struct event *event);
/* Stamp and hand over an event; not while effects are carried out. */
void loop_event(struct loop *loop, struct event *event);
/* Queue an event, which is delivered before the turn ends; its value buffer is empty and may take
 * `value_max` bytes. The pointer is valid until the next call. */
struct loop_later *loop_event_later(struct loop *loop, enum event_type type, size_t value_max);
/* Take back the event that was queued last; it must not have been delivered. */
void loop_event_undo(struct loop *loop);
/* Take the oldest queued event, NULL when there is none. Valid until the next loop_event_later. */
struct event *loop_event_next(struct loop *loop);
/* Wake up for on_turn once this time has come, rounded up to milliseconds, at least one from
 * now. */
void loop_deadline(struct loop *loop, uint64_t deadline_ns);
/* Go through another turn without waiting. */
void loop_again(struct loop *loop);
/* Write what all streams were sent since the last call. */
void loop_flush(struct loop *loop);

struct stream_owner {
    /* Bytes came; borrowed. */
    void (*on_bytes)(struct stream *stream, struct bytes bytes);
    /* The other side closed, or the connection failed (`reason` for people). Called once, not after
     * stream_end or stream_close. The owner calls stream_close then or soon. */
    void (*on_broken)(struct stream *stream, const char *reason);
    /* stream_pending has fallen; not while effects are carried out. */
    void (*on_drained)(struct stream *stream);
    /* After stream_close or stream_end: the memory may be freed. */
    void (*on_released)(struct stream *stream);
};

/* A TCP connection. Lies inside the owner's struct. */
struct stream {
    uv_tcp_t tcp;
    struct loop *loop;
    const struct stream_owner *owner;
    struct buf out;     /* Sent, not yet handed to libuv. */
    struct buf writing; /* Borrowed by `write` while it runs. */
    uv_write_t write;
    uv_shutdown_t shutdown;
    struct list flush_link, ending_link;
    uint64_t ending_ms; /* When an ending stream is closed, in uv_now's time. */
    bool is_reading, is_writing, is_ending, is_shut, is_broken, is_closed;
};

/* Make an unconnected stream; its owner accepts or connects stream->tcp. `out_max`: unsent
 * bytes. */
void stream_init(struct stream *stream, struct loop *loop, const struct stream_owner *owner,
                 size_t out_max);
/* Once connected: no delay, keep-alive, reading. */
void stream_start(struct stream *stream);
/* Append; it leaves when the turn ends. Return ERR_TOO_LARGE, sending nothing, past out_max.
 * Ignored on a broken or closed stream. */
MUST_CHECK enum err stream_send(struct stream *stream, struct bytes bytes);
/* Bytes that were sent and that the kernel has not taken. */
size_t stream_pending(const struct stream *stream);
void stream_read(struct stream *stream, bool on);
/* Close in good order: what was sent leaves first, then the other side may close; at the latest
 * after STREAM_END_MS. Input is thrown away: closing over unread bytes would reset the connection
 * and could take the last reply with it. */
void stream_end(struct stream *stream);
/* Close now. May be called again. */
void stream_close(struct stream *stream);
/* "127.0.0.1:51234", "[::1]:51234" of the other end, or "unknown". */
void stream_address(const struct stream *stream, char text[64]);
/* Bind a listening socket. Return 0 or libuv's error. `address` is host:port; names are
 * resolved. */
int loop_listen(struct loop *loop, uv_tcp_t *listener, const char *address,
                uv_connection_cb on_accept);
