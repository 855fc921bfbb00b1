/* base/err.h - the errors that the environment can cause: bytes, disk, sockets.
 *
 * Programmer errors are ASSERTs, outcomes of the protocol (quorum lost, busy) are ordinary enums
 * of their modules. Texts are for people; nothing parses them. */
#pragma once

#define ERR_LIST(X)                                                                                \
    X(OK, "ok")                                                                                    \
    X(ERR_INCOMPLETE, "more bytes are needed")                                                     \
    X(ERR_MALFORMED, "malformed bytes")                                                            \
    X(ERR_TOO_LARGE, "larger than the limit")                                                      \
    X(ERR_CORRUPT, "checksum does not match")                                                      \
    X(ERR_UNSUPPORTED, "unknown version or type")                                                  \
    X(ERR_NOT_FOUND, "not found")                                                                  \
    X(ERR_WOULD_BLOCK, "not in memory")                                                            \
    X(ERR_IO, "input or output failed")                                                            \
    X(ERR_INVALID, "invalid value")                                                                \
    X(ERR_EXISTS, "exists already")                                                                \
    X(ERR_DENIED, "not allowed")                                                                   \
    X(ERR_CLOSED, "closed")

enum err {
#define X(name, text) name,
    ERR_LIST(X)
#undef X
};

/* Return a short constant text such as "malformed bytes". */
const char *err_text(enum err err);
