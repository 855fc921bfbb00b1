/* node/loop.c - turns first, then streams. */
#include "node/loop.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    OUT_KEEP_SIZE = 4096,   /* An idle stream keeps so much memory at most. */
    LATER_KEEP_SIZE = 1024, /* So does a place in the queue of events. */
    KEEPALIVE_S = 60,
    LISTEN_BACKLOG = 1024,
};

static void on_turn(uv_prepare_t *handle)
{
    struct loop *loop = handle->data;
    uv_idle_stop(&loop->again);
    loop->owner.on_turn(loop->owner.context);
    loop->is_time_fresh = false;
}

static void on_again(uv_idle_t *handle)
{
    (void)handle; /* That it is active keeps the poll from blocking. */
}

static void on_deadline(uv_timer_t *handle)
{
    struct loop *loop = handle->data;
    loop->deadline_ms = UINT64_MAX; /* on_turn, which always follows, looks at the clock. */
}

static void on_ending(uv_timer_t *handle);

void loop_init(struct loop *loop, struct loop_owner owner)
{
    memset(loop, 0, sizeof(*loop));
    loop->owner = owner;
    loop->deadline_ms = UINT64_MAX;
    loop->read_buffer = mem_alloc(LOOP_READ_SIZE);
    list_init(&loop->unflushed);
    list_init(&loop->ending);
    int result = uv_loop_init(&loop->uv);
    ASSERT(result == 0);
    uv_prepare_init(&loop->uv, &loop->turn);
    uv_idle_init(&loop->uv, &loop->again);
    uv_timer_init(&loop->uv, &loop->deadline);
    uv_timer_init(&loop->uv, &loop->ending_timer);
    loop->turn.data = loop->again.data = loop->deadline.data = loop->ending_timer.data = loop;
    uv_prepare_start(&loop->turn, on_turn);
}

void loop_release(struct loop *loop)
{
    while (!list_empty(&loop->ending)) {
        stream_close(CONTAINER_OF(loop->ending.next, struct stream, ending_link));
    }
    uv_close((uv_handle_t *)&loop->turn, NULL);
    uv_close((uv_handle_t *)&loop->again, NULL);
    uv_close((uv_handle_t *)&loop->deadline, NULL);
    uv_close((uv_handle_t *)&loop->ending_timer, NULL);
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    int result = uv_loop_close(&loop->uv);
    ASSERT(result == 0);
    for (size_t i = 0; i < loop->later_capacity; i++) {
        buf_release(&loop->later[i].value);
    }
    mem_free(loop->later);
    mem_free(loop->read_buffer);
}

void loop_run(struct loop *loop)
{
    uv_run(&loop->uv, UV_RUN_DEFAULT);
}

void loop_stop(struct loop *loop)
{
    uv_stop(&loop->uv);
}

void loop_stamp(struct loop *loop, struct event *event)
{
    if (!loop->is_time_fresh) {
        struct timespec wall;
        clock_gettime(CLOCK_REALTIME, &wall);
        loop->wall_ms = (int64_t)wall.tv_sec * 1000 + wall.tv_nsec / 1000000;
        loop->now_ns = uv_hrtime();
        loop->is_time_fresh = true;
    }
    event->now_ns = loop->now_ns;
    event->wall_ms = loop->wall_ms;
}

void loop_event(struct loop *loop, struct event *event)
{
    loop->owner.on_event(loop->owner.context, event);
}

struct loop_later *loop_event_later(struct loop *loop, enum event_type type, size_t value_max)
{
    if (loop->later_count == loop->later_capacity) {
        size_t capacity = MAX(64, 2 * loop->later_capacity);
        loop->later = mem_resize(loop->later, capacity * sizeof(*loop->later));
        for (size_t i = loop->later_capacity; i < capacity; i++) {
            buf_init(&loop->later[i].value, 1);
        }
        loop->later_capacity = capacity;
    }
    struct loop_later *later = &loop->later[loop->later_count++];
    later->event = (struct event){.type = type};
    buf_clear_shrink(&later->value, LATER_KEEP_SIZE);
    later->value.size_max = value_max;
    return later;
}

void loop_event_undo(struct loop *loop)
{
    ASSERT(loop->later_count > loop->later_next);
    loop->later_count--;
}

struct event *loop_event_next(struct loop *loop)
{
    if (loop->later_next == loop->later_count) {
        loop->later_next = loop->later_count = 0;
        return NULL;
    }
    struct loop_later *later = &loop->later[loop->later_next++];
    if (later->value.size > 0) {
        later->event.bytes = buf_bytes(&later->value);
    }
    return &later->event;
}

void loop_deadline(struct loop *loop, uint64_t deadline_ns)
{
    if (deadline_ns == UINT64_MAX) {
        if (loop->deadline_ms != UINT64_MAX) {
            uv_timer_stop(&loop->deadline);
            loop->deadline_ms = UINT64_MAX;
        }
        return;
    }
    uint64_t now_ms = uv_now(&loop->uv);
    uint64_t deadline_ms = MAX((deadline_ns + 999999) / 1000000, now_ms + 1);
    if (deadline_ms != loop->deadline_ms) {
        uv_timer_start(&loop->deadline, on_deadline, deadline_ms - now_ms, 0);
        loop->deadline_ms = deadline_ms;
    }
}

void loop_again(struct loop *loop)
{
    uv_idle_start(&loop->again, on_again);
}

/* --- streams ---------------------------------------------------------------------------------- */

static void on_stream_closed(uv_handle_t *handle)
{
    struct stream *stream = handle->data;
    buf_release(&stream->out);
    buf_release(&stream->writing);
    stream->owner->on_released(stream);
}

static void stream_break(struct stream *stream, int error)
{
    if (stream->is_ending) {
        stream_close(stream);
    } else if (!stream->is_broken && !stream->is_closed) {
        stream->is_broken = true;
        stream_read(stream, false);
        stream->owner->on_broken(stream, error == UV_EOF ? "closed" : uv_strerror(error));
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    (void)suggested;
    struct stream *stream = handle->data;
    *out = uv_buf_init((char *)stream->loop->read_buffer, LOOP_READ_SIZE);
}

static void on_read(uv_stream_t *handle, ssize_t size, const uv_buf_t *buffer)
{
    struct stream *stream = handle->data;
    stream->loop->syscalls_read++;
    if (size < 0) {
        stream_break(stream, (int)size);
    } else if (size > 0 && !stream->is_ending) {
        stream->owner->on_bytes(stream,
                                (struct bytes){(const uint8_t *)buffer->base, (size_t)size});
    }
}

static void stream_shut_if_done(struct stream *stream)
{
    if (stream->is_ending && !stream->is_shut && stream_pending(stream) == 0) {
        stream->is_shut = true;
        if (uv_shutdown(&stream->shutdown, (uv_stream_t *)&stream->tcp, NULL) != 0) {
            stream_close(stream);
        }
    }
}

static void stream_flush(struct stream *stream);

static void stream_drained(struct stream *stream)
{
    if (stream->is_ending) {
        stream_shut_if_done(stream);
    } else {
        stream->owner->on_drained(stream);
    }
}

static void on_write(uv_write_t *write, int status)
{
    struct stream *stream = write->data;
    stream->is_writing = false;
    buf_clear_shrink(&stream->writing, OUT_KEEP_SIZE);
    if (status < 0) {
        stream_break(stream, status);
        return;
    }
    stream_drained(stream);
    stream_flush(stream);
}

/* Write at once what the kernel takes; libuv keeps the rest. */
static void stream_flush(struct stream *stream)
{
    if (stream->is_writing || stream->is_broken || stream->is_closed) {
        return;
    }
    if (stream->out.size == 0) {
        stream_shut_if_done(stream);
        return;
    }
    uv_buf_t buffer = uv_buf_init((char *)stream->out.data, (unsigned)stream->out.size);
    int written = uv_try_write((uv_stream_t *)&stream->tcp, &buffer, 1);
    stream->loop->syscalls_write++;
    if (written < 0 && written != UV_EAGAIN) {
        stream_break(stream, written);
        return;
    }
    size_t done = written < 0 ? 0 : (size_t)written;
    if (done == stream->out.size) {
        buf_clear_shrink(&stream->out, OUT_KEEP_SIZE);
        stream_drained(stream);
        return;
    }
    struct buf empty = stream->writing;
    stream->writing = stream->out;
    stream->out = empty;
    stream->is_writing = true;
    buffer =
        uv_buf_init((char *)stream->writing.data + done, (unsigned)(stream->writing.size - done));
    stream->write.data = stream;
    int result = uv_write(&stream->write, (uv_stream_t *)&stream->tcp, &buffer, 1, on_write);
    if (result != 0) {
        stream->is_writing = false;
        stream_break(stream, result);
    }
}

void loop_flush(struct loop *loop)
{
    while (!list_empty(&loop->unflushed)) {
        struct list *first = loop->unflushed.next;
        list_remove(first);
        stream_flush(CONTAINER_OF(first, struct stream, flush_link));
    }
}

void stream_init(struct stream *stream, struct loop *loop, const struct stream_owner *owner,
                 size_t out_max)
{
    memset(stream, 0, sizeof(*stream));
    stream->loop = loop;
    stream->owner = owner;
    /* libuv counts a buffer in 32 bits. */
    buf_init(&stream->out, MIN(out_max, UINT32_MAX));
    buf_init(&stream->writing, MIN(out_max, UINT32_MAX));
    list_init(&stream->flush_link);
    list_init(&stream->ending_link);
    uv_tcp_init(&loop->uv, &stream->tcp);
    stream->tcp.data = stream;
}

void stream_start(struct stream *stream)
{
    /* Both only matter for speed and for dead hosts: a failure shows in the next read. */
    uv_tcp_nodelay(&stream->tcp, 1);
    uv_tcp_keepalive(&stream->tcp, 1, KEEPALIVE_S);
    stream_read(stream, true);
}

enum err stream_send(struct stream *stream, struct bytes bytes)
{
    if (stream->is_broken || stream->is_closed || stream->is_ending) {
        return OK;
    }
    if (stream_pending(stream) + bytes.size > stream->out.size_max ||
        buf_append(&stream->out, bytes.data, bytes.size) != OK) {
        return ERR_TOO_LARGE;
    }
    if (list_empty(&stream->flush_link)) {
        list_push_back(&stream->loop->unflushed, &stream->flush_link);
    }
    return OK;
}

size_t stream_pending(const struct stream *stream)
{
    return stream->out.size + uv_stream_get_write_queue_size((const uv_stream_t *)&stream->tcp);
}

void stream_read(struct stream *stream, bool on)
{
    if (on == stream->is_reading || stream->is_closed || (on && stream->is_broken)) {
        return;
    }
    stream->is_reading = on;
    if (!on) {
        uv_read_stop((uv_stream_t *)&stream->tcp);
    } else if (uv_read_start((uv_stream_t *)&stream->tcp, on_alloc, on_read) != 0) {
        stream->is_reading = false; /* The next write shows that the connection is gone. */
    }
}

static void on_ending(uv_timer_t *handle)
{
    struct loop *loop = handle->data;
    uint64_t now_ms = uv_now(&loop->uv);
    while (!list_empty(&loop->ending)) {
        struct stream *first = CONTAINER_OF(loop->ending.next, struct stream, ending_link);
        if (first->ending_ms > now_ms) {
            uv_timer_start(&loop->ending_timer, on_ending, first->ending_ms - now_ms, 0);
            return;
        }
        stream_close(first);
    }
}

void stream_end(struct stream *stream)
{
    if (stream->is_broken) {
        stream_close(stream);
    }
    if (stream->is_ending || stream->is_closed) {
        return;
    }
    struct loop *loop = stream->loop;
    stream->is_ending = true;
    stream->ending_ms = uv_now(&loop->uv) + STREAM_END_MS;
    if (list_empty(&loop->ending)) {
        uv_timer_start(&loop->ending_timer, on_ending, STREAM_END_MS, 0);
    }
    list_push_back(&loop->ending, &stream->ending_link);
    stream_read(stream, true);
    if (list_empty(&stream->flush_link)) { /* So that a stream with nothing to write is shut too. */
        list_push_back(&loop->unflushed, &stream->flush_link);
    }
}

void stream_close(struct stream *stream)
{
    if (stream->is_closed) {
        return;
    }
    stream->is_closed = true;
    list_remove(&stream->flush_link);
    list_remove(&stream->ending_link);
    uv_close((uv_handle_t *)&stream->tcp, on_stream_closed);
}

void stream_address(const struct stream *stream, char text[64])
{
    struct sockaddr_storage address;
    int size = sizeof(address);
    char host[48];
    snprintf(text, 64, "%s", "unknown");
    if (uv_tcp_getpeername(&stream->tcp, (struct sockaddr *)&address, &size) != 0) {
        return;
    }
    if (address.ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&address;
        uv_ip6_name(v6, host, sizeof(host));
        snprintf(text, 64, "[%s]:%u", host, ntohs(v6->sin6_port));
    } else {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)&address;
        uv_ip4_name(v4, host, sizeof(host));
        snprintf(text, 64, "%s:%u", host, ntohs(v4->sin_port));
    }
}

int loop_listen(struct loop *loop, uv_tcp_t *listener, const char *address,
                uv_connection_cb on_accept)
{
    char host[128];
    char service[8];
    uint16_t port;
    if (!options_address(address, host, &port)) {
        return UV_EINVAL;
    }
    snprintf(service, sizeof(service), "%u", port);
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    uv_getaddrinfo_t resolve;
    int result = uv_getaddrinfo(&loop->uv, &resolve, NULL, host, service, &hints);
    if (result == 0) {
        result = uv_tcp_bind(listener, resolve.addrinfo->ai_addr, 0);
        uv_freeaddrinfo(resolve.addrinfo);
    }
    return result != 0 ? result : uv_listen((uv_stream_t *)listener, LISTEN_BACKLOG, on_accept);
}
