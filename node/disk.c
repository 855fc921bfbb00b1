/* node/disk.c - the loop's side first, then the sync thread's, then the workers'. */
#include "node/disk.h"

#include <string.h>

enum { RECORD_SLACK = 1024 * 1024, SCAN_ARENA_SIZE = 64 * 1024 };

struct disk_task {
    uv_work_t work;
    struct disk *disk;
    struct list link; /* In scans_waiting. */
    uint64_t id;
    struct bytes key; /* Of a read; lies in `arena`. */
    struct storage_range range;
    struct arena arena;
    struct buf value;
    struct storage_entry *entries;
    size_t entries_count;
    bool more;
    enum err err;
};

static void commit_or_die(struct disk *disk)
{
    if (storage_commit(disk->storage) != OK) {
        log_fatal(disk->log, "a write to %s failed, so this node stops: %s",
                  disk->options->data_dir, storage_failure(disk->storage));
    }
    disk->is_batch_open = false;
}

static void sync_or_die(struct disk *disk)
{
    if (storage_sync(disk->storage) != OK) {
        log_fatal(disk->log, "a sync of %s failed, so this node stops: %s", disk->options->data_dir,
                  storage_failure(disk->storage));
    }
}

void disk_put(struct disk *disk, enum storage_family family, struct bytes key, struct bytes value)
{
    disk->is_batch_open = true;
    storage_put(disk->storage, family, key, value);
}

void disk_delete(struct disk *disk, enum storage_family family, struct bytes key)
{
    disk->is_batch_open = true;
    storage_delete(disk->storage, family, key);
}

static void scan_start(struct disk_task *task);

static void want_sync(struct disk *disk)
{
    uv_mutex_lock(&disk->mutex);
    disk->wanted = disk->committed;
    uv_cond_signal(&disk->wake_thread);
    uv_mutex_unlock(&disk->mutex);
}

void disk_commit(struct disk *disk, uint64_t sequence)
{
    ASSERT(sequence > disk->committed);
    bool was_written = disk->is_batch_open;
    commit_or_die(disk);
    bool all_reported = disk->reported == disk->committed;
    disk->committed = sequence;
    while (!list_empty(&disk->scans_waiting)) {
        struct disk_task *task = CONTAINER_OF(disk->scans_waiting.next, struct disk_task, link);
        list_remove(&task->link);
        scan_start(task);
    }
    if (disk->options->sync != SYNC_ALWAYS || (!was_written && all_reported)) {
        disk->reported = sequence;
        loop_event_later(disk->loop, EVENT_DURABLE, 1)->event.sequence = sequence;
    } else {
        want_sync(disk);
    }
}

static void on_interval(uv_timer_t *handle)
{
    want_sync(handle->data);
}

static void on_synced(uv_async_t *handle)
{
    struct disk *disk = handle->data;
    uv_mutex_lock(&disk->mutex);
    uint64_t synced = disk->synced;
    uv_mutex_unlock(&disk->mutex);
    if (synced > disk->reported) {
        disk->reported = synced;
        struct event event = {.type = EVENT_DURABLE, .sequence = synced};
        loop_event(disk->loop, &event);
    }
}

/* --- the sync thread -------------------------------------------------------------------------- */

static void sync_main(void *context)
{
    struct disk *disk = context;
    uv_mutex_lock(&disk->mutex);
    for (;;) {
        while (disk->wanted == disk->synced && !disk->is_stopping) {
            uv_cond_wait(&disk->wake_thread, &disk->mutex);
        }
        if (disk->wanted == disk->synced) {
            break;
        }
        uint64_t delay_ns = disk->options->sync_delay_us * (uint64_t)1000;
        for (uint64_t until = uv_hrtime() + delay_ns, now; !disk->is_stopping;) {
            now = uv_hrtime(); /* Commits signal too: wait on until the time is over. */
            if (now >= until) {
                break;
            }
            (void)uv_cond_timedwait(&disk->wake_thread, &disk->mutex, until - now);
        }
        uint64_t target = disk->wanted;
        uv_mutex_unlock(&disk->mutex);
        sync_or_die(disk);
        uv_mutex_lock(&disk->mutex);
        disk->synced = target;
        if (!disk->is_stopping) {
            uv_async_send(&disk->wake_loop);
        }
    }
    uv_mutex_unlock(&disk->mutex);
}

/* --- reads and scans -------------------------------------------------------------------------- */

static struct disk_task *task_new(struct disk *disk, uint64_t id)
{
    struct disk_task *task = mem_alloc_zero(1, sizeof(*task));
    task->disk = disk;
    task->id = id;
    task->work.data = task;
    list_init(&task->link);
    arena_init(&task->arena, SCAN_ARENA_SIZE);
    buf_init(&task->value, disk->value_max);
    return task;
}

static void task_start(struct disk_task *task, uv_work_cb work, uv_after_work_cb done)
{
    task->disk->workers_count++;
    int result = uv_queue_work(&task->disk->loop->uv, &task->work, work, done);
    ASSERT(result == 0);
}

static void task_free(struct disk_task *task)
{
    arena_release(&task->arena);
    buf_release(&task->value);
    mem_free(task);
}

/* The core knows four answers; a record larger than any it wrote is a broken one. */
static enum err read_answer(enum err err)
{
    return err == ERR_TOO_LARGE ? ERR_CORRUPT : err;
}

static void read_work(uv_work_t *work)
{
    struct disk_task *task = work->data;
    task->err =
        storage_get(task->disk->storage, STORAGE_DATA, task->key, STORAGE_TIER_ALL, &task->value);
}

static void read_done(uv_work_t *work, int status)
{
    struct disk_task *task = work->data;
    ASSERT(status == 0); /* Nothing is ever cancelled. */
    struct event event = {.type = EVENT_DISK_READ,
                          .id = task->id,
                          .err = read_answer(task->err),
                          .bytes = buf_bytes(&task->value)};
    task->disk->workers_count--;
    loop_event(task->disk->loop, &event);
    task_free(task);
}

void disk_read(struct disk *disk, uint64_t id, struct bytes key)
{
    struct loop_later *later = loop_event_later(disk->loop, EVENT_DISK_READ, disk->value_max);
    enum err err =
        storage_get(disk->storage, STORAGE_DATA, key, STORAGE_TIER_MEMORY, &later->value);
    if (err != ERR_WOULD_BLOCK) {
        later->event.id = id;
        later->event.err = read_answer(err);
        return;
    }
    loop_event_undo(disk->loop);
    struct disk_task *task = task_new(disk, id);
    task->key = arena_copy_bytes(&task->arena, key);
    task_start(task, read_work, read_done);
}

static void scan_work(uv_work_t *work)
{
    struct disk_task *task = work->data;
    task->err = storage_scan(task->disk->storage, &task->range, &task->arena, &task->entries,
                             &task->entries_count, &task->more);
}

static void scan_done(uv_work_t *work, int status)
{
    struct disk_task *task = work->data;
    ASSERT(status == 0);
    struct event event = {.type = EVENT_DISK_SCAN, .id = task->id, .err = task->err};
    if (task->err == OK) {
        event.entries = task->entries;
        event.entries_count = task->entries_count;
        event.more = task->more;
    }
    task->disk->workers_count--;
    loop_event(task->disk->loop, &event);
    task_free(task);
}

static void scan_start(struct disk_task *task)
{
    task_start(task, scan_work, scan_done);
}

void disk_scan(struct disk *disk, uint64_t id, const struct storage_range *range)
{
    struct disk_task *task = task_new(disk, id);
    task->range = *range;
    task->range.from = arena_copy_bytes(&task->arena, range->from);
    task->range.to = arena_copy_bytes(&task->arena, range->to);
    if (disk->is_batch_open) {
        list_push_back(&disk->scans_waiting, &task->link);
    } else {
        scan_start(task);
    }
}

bool disk_is_idle(const struct disk *disk)
{
    return disk->workers_count == 0;
}

/* --- life cycle ------------------------------------------------------------------------------- */

void disk_init(struct disk *disk, struct loop *loop, struct log *log, const struct options *options,
               struct storage *storage)
{
    memset(disk, 0, sizeof(*disk));
    disk->loop = loop;
    disk->log = log;
    disk->options = options;
    disk->storage = storage;
    disk->value_max = (options->siblings_max + 1) * (size_t)options->max_value_bytes + RECORD_SLACK;
    list_init(&disk->scans_waiting);
    uv_mutex_init(&disk->mutex);
    uv_cond_init(&disk->wake_thread);
    uv_async_init(&loop->uv, &disk->wake_loop, on_synced);
    uv_timer_init(&loop->uv, &disk->interval);
    disk->wake_loop.data = disk->interval.data = disk;
    if (options->sync == SYNC_INTERVAL) {
        uv_timer_start(&disk->interval, on_interval, options->sync_interval_ms,
                       options->sync_interval_ms);
    }
    int result = uv_thread_create(&disk->thread, sync_main, disk);
    ASSERT(result == 0);
}

void disk_close(struct disk *disk)
{
    ASSERT(disk_is_idle(disk));
    while (!list_empty(&disk->scans_waiting)) {
        struct disk_task *task = CONTAINER_OF(disk->scans_waiting.next, struct disk_task, link);
        list_remove(&task->link);
        task_free(task);
    }
    uv_mutex_lock(&disk->mutex);
    disk->is_stopping = true;
    uv_cond_signal(&disk->wake_thread);
    uv_mutex_unlock(&disk->mutex);
    uv_thread_join(&disk->thread);
    commit_or_die(disk);
    sync_or_die(disk);
    storage_close(disk->storage);
    uv_close((uv_handle_t *)&disk->wake_loop, NULL);
    uv_close((uv_handle_t *)&disk->interval, NULL);
    uv_cond_destroy(&disk->wake_thread);
    uv_mutex_destroy(&disk->mutex);
}
