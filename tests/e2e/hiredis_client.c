/* tests/e2e/hiredis_client.c - hiredis, unmodified, against one port: pipelines, bytes of any kind,
 * sizes.
 *
 * hiredis_client PORT OTHER_PORT: writes through the first node, reads through the second. Exit
 * status 0 when every reply was the expected one. */
#include <hiredis/hiredis.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PIPELINE = 5000, /* More than client-pipeline-max: reading pauses and goes on. */
    BINARY_KEYS = 256,
    LARGE_SIZE = 4 * 1024 * 1024,
};

static unsigned replies_checked;

static void fail(const char *what, const redisReply *reply, const redisContext *redis)
{
    const char *text = reply == NULL        ? redis->errstr
                       : reply->str == NULL ? "(no text)"
                                            : reply->str;
    printf("%s: type %d: %.200s\n", what, reply == NULL ? -1 : reply->type, text);
    exit(1);
}

static redisContext *connect_to(int port)
{
    const struct timeval timeout = {.tv_sec = 20};
    redisContext *redis = redisConnectWithTimeout("127.0.0.1", port, timeout);

    if (redis == NULL || redis->err != 0) {
        printf("no connection to port %d: %s\n", port, redis == NULL ? "?" : redis->errstr);
        exit(1);
    }
    redisSetTimeout(redis, timeout);
    return redis;
}

static void expect_status(redisContext *redis, redisReply *reply, const char *text)
{
    if (reply == NULL || reply->type != REDIS_REPLY_STATUS || strcmp(reply->str, text) != 0) {
        fail(text, reply, redis);
    }
    replies_checked++;
    freeReplyObject(reply);
}

static void expect_bytes(redisContext *redis, redisReply *reply, const char *bytes, size_t size)
{
    if (reply == NULL || reply->type != REDIS_REPLY_STRING || (size_t)reply->len != size ||
        memcmp(reply->str, bytes, size) != 0) {
        fail("the bytes that were written", reply, redis);
    }
    replies_checked++;
    freeReplyObject(reply);
}

static redisReply *next_reply(redisContext *redis)
{
    void *reply = NULL;

    return redisGetReply(redis, &reply) == REDIS_OK ? reply : NULL;
}

/* All commands are sent before the first reply is read. */
static void long_pipelines_keep_their_order(redisContext *writer, redisContext *reader)
{
    char text[32];

    for (int i = 0; i < PIPELINE; i++) {
        redisAppendCommand(writer, "SET pipelined:%d %d", i, i * 7);
    }
    for (int i = 0; i < PIPELINE; i++) {
        expect_status(writer, next_reply(writer), "OK");
    }
    for (int i = 0; i < PIPELINE; i++) {
        redisAppendCommand(reader, "GET pipelined:%d", i);
    }
    for (int i = 0; i < PIPELINE; i++) {
        int size = snprintf(text, sizeof(text), "%d", i * 7);
        expect_bytes(reader, next_reply(reader), text, (size_t)size);
    }
}

/* A read behind a write in one pipeline sees it, also between errors. */
static void a_pipeline_reads_what_it_wrote(redisContext *redis)
{
    for (int i = 0; i < 100; i++) {
        redisAppendCommand(redis, "SET same %d", i);
        redisAppendCommand(redis, "GET same");
        redisAppendCommand(redis, "NOSUCHCOMMAND");
        redisAppendCommand(redis, "DEL same");
        redisAppendCommand(redis, "GET same");
    }
    for (int i = 0; i < 100; i++) {
        char text[16];
        int size = snprintf(text, sizeof(text), "%d", i);
        expect_status(redis, next_reply(redis), "OK");
        expect_bytes(redis, next_reply(redis), text, (size_t)size);
        redisReply *reply = next_reply(redis);
        if (reply == NULL || reply->type != REDIS_REPLY_ERROR) {
            fail("an error for an unknown command", reply, redis);
        }
        freeReplyObject(reply);
        reply = next_reply(redis);
        if (reply == NULL || reply->type != REDIS_REPLY_INTEGER || reply->integer != 1) {
            fail("DEL of one key", reply, redis);
        }
        freeReplyObject(reply);
        reply = next_reply(redis);
        if (reply == NULL || reply->type != REDIS_REPLY_NIL) {
            fail("nothing after DEL", reply, redis);
        }
        freeReplyObject(reply);
        replies_checked += 3;
    }
}

/* Keys and values hold every byte, NUL, CR and LF too; one key is empty, braces make hash tags. */
static void keys_and_values_are_bytes(redisContext *writer, redisContext *reader)
{
    char key[BINARY_KEYS];
    char value[2 * BINARY_KEYS];

    for (size_t i = 0; i < BINARY_KEYS; i++) {
        key[i] = (char)(i * 37);
        value[2 * i] = (char)i;
        value[2 * i + 1] = '\r';
    }
    for (size_t size = 0; size < BINARY_KEYS; size++) {
        const char *words[] = {"SET", key, value};
        const size_t sizes[] = {3, size, 2 * size};
        redisAppendCommandArgv(writer, 3, words, sizes);
    }
    for (size_t size = 0; size < BINARY_KEYS; size++) {
        expect_status(writer, next_reply(writer), "OK");
    }
    for (size_t size = 0; size < BINARY_KEYS; size++) {
        const char *words[] = {"GET", key};
        const size_t sizes[] = {3, size};
        redisAppendCommandArgv(reader, 2, words, sizes);
    }
    for (size_t size = 0; size < BINARY_KEYS; size++) {
        expect_bytes(reader, next_reply(reader), value, 2 * size);
    }
}

static void large_values_come_back(redisContext *writer, redisContext *reader)
{
    char *value = malloc(LARGE_SIZE);

    if (value == NULL) {
        fail("memory", NULL, writer);
    }
    for (size_t i = 0; i < LARGE_SIZE; i++) {
        value[i] = (char)(i * i >> 7);
    }
    for (size_t size = 1; size <= LARGE_SIZE; size *= 16) {
        expect_status(writer, redisCommand(writer, "SET large:%d %b", (int)size, value, size),
                      "OK");
        expect_bytes(reader, redisCommand(reader, "GET large:%d", (int)size), value, size);
    }
    free(value);
}

int main(int count, char **arguments)
{
    if (count != 3) {
        printf("usage: hiredis_client PORT OTHER_PORT\n");
        return 2;
    }
    redisContext *writer = connect_to((int)strtol(arguments[1], NULL, 10));
    redisContext *reader = connect_to((int)strtol(arguments[2], NULL, 10));

    long_pipelines_keep_their_order(writer, reader);
    a_pipeline_reads_what_it_wrote(writer);
    keys_and_values_are_bytes(writer, reader);
    large_values_come_back(writer, reader);
    if (redisReconnect(writer) != REDIS_OK) {
        fail("redisReconnect", NULL, writer);
    }
    expect_bytes(writer, redisCommand(writer, "GET pipelined:1"), "7", 1);
    redisFree(writer);
    redisFree(reader);
    printf("COUNT hiredis_replies %u\n", replies_checked);
    return 0;
}
