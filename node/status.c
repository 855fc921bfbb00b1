/* node/status.c - parse the flags, connect, ask, print. */
#include "node/status.h"

#include "node/options.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONNECT_TIMEOUT_S = 3 };

struct status {
    const char *host;
    int port;
    bool is_json;
};

static const char *flag_name(unsigned index)
{
    static const char *const FLAGS[] = {"-h", "-p", "--json", "--help"};
    return index < ARRAY_COUNT(FLAGS) ? FLAGS[index] : NULL;
}

/* Return false after words. */
static bool status_parse(struct status *status, int count, char **arguments)
{
    for (int i = 0; i < count; i++) {
        const char *flag = arguments[i];
        bool is_host = strcmp(flag, "-h") == 0;
        if (strcmp(flag, "--json") == 0) {
            status->is_json = true;
            continue;
        }
        if (!is_host && strcmp(flag, "-p") != 0) {
            const char *nearest = options_nearest(flag, flag_name);
            fprintf(stderr, "ringfort status: unknown option '%s'%s%s%s\n", flag,
                    nearest == NULL ? "" : "; did you mean ", nearest == NULL ? "" : nearest,
                    nearest == NULL ? "; see ringfort help status" : "?");
            return false;
        }
        if (++i == count) {
            fprintf(stderr, "ringfort status: %s needs a value\n", flag);
            return false;
        }
        uint64_t port;
        if (is_host) {
            status->host = arguments[i];
        } else if (!options_digits(arguments[i], strlen(arguments[i]), &port) || port < 1 ||
                   port > UINT16_MAX) {
            fprintf(stderr, "ringfort status: -p must be a port from 1 to 65535, not '%s'\n",
                    arguments[i]);
            return false;
        } else {
            status->port = (int)port;
        }
    }
    return true;
}

/* Print the text of a reply. Return false after words. */
static bool print_reply(const struct status *status, redisContext *redis, redisReply *reply)
{
    if (reply == NULL) {
        fprintf(stderr, "ringfort status: %s:%d gave no answer: %s\n", status->host, status->port,
                redis->errstr);
        return false;
    }
    if (reply->type == REDIS_REPLY_ERROR || reply->str == NULL) {
        fprintf(stderr, "ringfort status: %s:%d answered: %s%s\n", status->host, status->port,
                reply->str == NULL ? "something that is no text" : reply->str,
                reply->str != NULL && strncmp(reply->str, "NOAUTH", 6) == 0
                    ? " Set REDISCLI_AUTH to the password."
                    : "");
        return false;
    }
    fwrite(reply->str, 1, (size_t)reply->len, stdout);
    if (reply->len > 0 && reply->str[reply->len - 1] != '\n') {
        putchar('\n');
    }
    return true;
}

static bool status_ask(const struct status *status, redisContext *redis)
{
    const char *password = getenv("REDISCLI_AUTH");
    if (password != NULL && password[0] != '\0') {
        redisReply *reply = redisCommand(redis, "AUTH %s", password);
        bool is_ok = reply != NULL && reply->type != REDIS_REPLY_ERROR;
        if (!is_ok) {
            (void)print_reply(status, redis, reply);
        }
        freeReplyObject(reply);
        if (!is_ok) {
            return false;
        }
    }
    redisReply *reply = redisCommand(redis, status->is_json ? "RF.STATUS JSON" : "RF.STATUS");
    bool is_ok = print_reply(status, redis, reply);
    freeReplyObject(reply);
    return is_ok;
}

int status_main(int count, char **arguments)
{
    struct status status = {.host = "127.0.0.1", .port = 6379};
    if (!status_parse(&status, count, arguments)) {
        return 2;
    }
    const struct timeval timeout = {.tv_sec = CONNECT_TIMEOUT_S};
    redisContext *redis = redisConnectWithTimeout(status.host, status.port, timeout);
    if (redis == NULL || redis->err != 0) {
        fprintf(stderr, "ringfort status: no node answers at %s:%d: %s\n", status.host, status.port,
                redis == NULL ? "out of memory" : redis->errstr);
        redisFree(redis);
        return 1;
    }
    redisSetTimeout(redis, timeout);
    bool is_ok = status_ask(&status, redis);
    redisFree(redis);
    return is_ok ? 0 : 1;
}
