/* node/log.h - one line per fact on standard error.
 *
 *     2026-11-21T06:51:02.123Z info n1 peer n2 connected
 *     {"time":"2026-11-21T06:51:02.123Z","level":"info","node":"n1","text":"peer n2 connected"}
 *
 * Shell; one thread. A line that repeats within a second is counted instead, and the count follows
 * with log_tick. Nothing that a client or the secret file gave may be logged. */
#pragma once

#include "node/node.h"

enum { LOG_RECENT_COUNT = 16, LOG_LINE_MAX = 1024 };

struct log_recent {
    uint64_t hash; /* Of level and text; 0: free. */
    uint64_t since_ms;
    uint64_t suppressed; /* How often the line came again. */
    enum log_level level;
    char text[LOG_LINE_MAX];
};

struct log {
    int fd;
    enum log_level level; /* Lower ones are not written. */
    enum log_format format;
    char name[64]; /* Of the node. */
    struct log_recent recent[LOG_RECENT_COUNT];
};

void log_init(struct log *log, const struct options *options);
/* Write one line; control characters become '?', what is longer than LOG_LINE_MAX is cut. */
void log_line(struct log *log, enum log_level level, const char *format, ...) PRINTF_LIKE(3, 4);
/* Write the counts of lines whose second is over. Called about once a second, and before an exit
 * with `all` for the rest. */
void log_tick(struct log *log, bool all);
/* Write one line at level error and end the process with status 1 at once: nothing more is sent to
 * anybody. May be called from any thread. */
NORETURN void log_fatal(const struct log *log, const char *format, ...) PRINTF_LIKE(2, 3);
