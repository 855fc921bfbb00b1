/* node/log.c - each line is one write(2), so that lines of several processes do not mix. */
#include "node/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/hash.h"

_Static_assert((int)OPTION_LOG_DEBUG == (int)LOG_DEBUG, "options name the levels of node.h");
_Static_assert((int)OPTION_LOG_ERROR == (int)LOG_ERROR, "options name the levels of node.h");

static const char *const LEVELS[] = {"debug", "info", "warning", "error"};

void log_init(struct log *log, const struct options *options)
{
    memset(log, 0, sizeof(*log));
    log->fd = STDERR_FILENO;
    log->level = (enum log_level)options->log_level;
    log->format = options->log_format;
    snprintf(log->name, sizeof(log->name), "%s", options->node_name);
}

/* Append `text` as the inside of a JSON string. */
static size_t put_json(char *out, size_t size, const char *text)
{
    size_t used = 0;
    for (size_t i = 0; text[i] != '\0' && used + 3 < size; i++) {
        if (text[i] == '"' || text[i] == '\\') {
            out[used++] = '\\';
        }
        out[used++] = text[i];
    }
    out[used] = '\0';
    return used;
}

static void write_line(const struct log *log, enum log_level level, const char *text)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct tm parts;
    gmtime_r(&now.tv_sec, &parts);
    char when[32];
    size_t when_size = strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(when + when_size, sizeof(when) - when_size, ".%03dZ",
             (int)(now.tv_nsec / 1000000) % 1000);
    char line[2 * LOG_LINE_MAX + 256];
    int size;
    if (log->format == LOG_FORMAT_JSON) {
        char escaped[2 * LOG_LINE_MAX + 8];
        put_json(escaped, sizeof(escaped), text);
        size = snprintf(line, sizeof(line),
                        "{\"time\":\"%s\",\"level\":\"%s\",\"node\":\"%s\",\"text\":\"%s\"}\n",
                        when, LEVELS[level], log->name, escaped);
    } else {
        size = snprintf(line, sizeof(line), "%s %s %s %s\n", when, LEVELS[level], log->name, text);
    }
    /* A log that cannot be written has nobody to be reported to. */
    ssize_t written = write(log->fd, line, (size_t)size);
    (void)written;
}

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void recent_end(struct log *log, struct log_recent *recent)
{
    if (recent->suppressed > 0) {
        char text[LOG_LINE_MAX + 64];
        snprintf(text, sizeof(text), "%s (and %llu more)", recent->text,
                 (unsigned long long)recent->suppressed);
        write_line(log, recent->level, text);
    }
    recent->hash = 0;
    recent->suppressed = 0;
}

/* Return true when the line was written less than a second ago, and count it. */
static bool is_repeated(struct log *log, enum log_level level, const char *text)
{
    uint64_t hash = hash_xxh3(bytes_of(text)) + level + 1;
    uint64_t now = now_ms();
    struct log_recent *oldest = &log->recent[0];
    for (size_t i = 0; i < LOG_RECENT_COUNT; i++) {
        struct log_recent *recent = &log->recent[i];
        if (recent->hash == hash && now - recent->since_ms < 1000) {
            recent->suppressed++;
            return true;
        }
        if (recent->hash == hash || (oldest->hash != hash && recent->since_ms < oldest->since_ms)) {
            oldest = recent;
        }
    }
    recent_end(log, oldest);
    oldest->hash = hash;
    oldest->since_ms = now;
    oldest->level = level;
    snprintf(oldest->text, sizeof(oldest->text), "%s", text);
    return false;
}

PRINTF_LIKE(2, 0)
static void format_text(char text[LOG_LINE_MAX], const char *format, va_list arguments)
{
    vsnprintf(text, LOG_LINE_MAX, format, arguments);
    for (size_t i = 0; text[i] != '\0'; i++) {
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f) {
            text[i] = '?';
        }
    }
}

void log_line(struct log *log, enum log_level level, const char *format, ...)
{
    if (level < log->level) {
        return;
    }
    char text[LOG_LINE_MAX];
    va_list arguments;
    va_start(arguments, format);
    format_text(text, format, arguments);
    va_end(arguments);
    if (!is_repeated(log, level, text)) {
        write_line(log, level, text);
    }
}

void log_tick(struct log *log, bool all)
{
    uint64_t now = now_ms();
    for (size_t i = 0; i < LOG_RECENT_COUNT; i++) {
        struct log_recent *recent = &log->recent[i];
        if (recent->hash != 0 && (all || now - recent->since_ms >= 1000)) {
            recent_end(log, recent);
        }
    }
}

void log_fatal(const struct log *log, const char *format, ...)
{
    char text[LOG_LINE_MAX];
    va_list arguments;
    va_start(arguments, format);
    format_text(text, format, arguments);
    va_end(arguments);
    write_line(log, LOG_ERROR, text);
    _exit(1);
}
