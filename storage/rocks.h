/* storage/rocks.h - storage.h over RocksDB, through its C API.
 *
 * One RocksDB per node, one column family per storage family, one log (WAL) for all of them: that a
 * commit is kept as a whole, and only together with all earlier ones, is RocksDB's promise with
 * point-in-time recovery. commit hands the batch to the operating system, sync calls fdatasync on
 * the log; neither waits for the other, so a thread of its own syncs while the loop goes on
 * writing.
 *
 * Memory: 11 MB when idle; the block cache, which holds index and filter blocks too; and write
 * buffers of at most 3 x 32 MB for data, 3 x 16 for the log, 3 x 8 for hints and 2 x 4 for meta,
 * taken piece by piece as they fill. At most 512 files are open.
 *
 * A commit waits when RocksDB stops or delays writes (a flush or compaction that does not keep up);
 * the stats tell before it comes to that. RocksDB's threads belong to the process: after a fork the
 * child has none of them, so a process that will fork must do so before its first rocks_open.
 *
 * Not promised: that a log whose synced tail was lost by the disk is noticed. RocksDB opens such a
 * store without a word, whatever its recovery mode; the node's anchor finds it out (DESIGN, 4). */
#pragma once

#include "storage/storage.h"

enum { ROCKS_WORDS_SIZE_MIN = 4096 };

struct rocks_options {
    const char *directory; /* Its parent must exist. Nothing else may live in it. */
    size_t cache_bytes;    /* Block cache, at least 1 MB. */
    bool sync;             /* False: sync hands over to the operating system only. */
    bool create;           /* Make the directory (mode 0700) and the store if they are not there. */
};

/* Open the store in `directory`, after replaying its log. On failure append to `words`, whose
 * size_max is at least ROCKS_WORDS_SIZE_MIN, one line that says what is wrong and what to do.
 * Return OK; ERR_NOT_FOUND: no store there and `create` not given, or no parent directory;
 * ERR_EXISTS: another process has the store open; ERR_DENIED: permission missing; ERR_INVALID: not
 * a directory; ERR_CORRUPT: damaged; ERR_IO: anything else, such as a full disk. */
MUST_CHECK enum err rocks_open(const struct rocks_options *options, struct storage **out,
                               struct buf *words);

/* Write all memtables to table files. For tests, and before a backup. Return OK or ERR_IO. */
MUST_CHECK enum err rocks_flush(struct storage *storage);
/* Flush, then rewrite every family whole, so that nothing deleted or replaced stays on the disk.
 * Takes as long as the store is large. Return OK or ERR_IO. */
MUST_CHECK enum err rocks_compact(struct storage *storage);
/* Bytes of the live table files of one family; its memtable and the log do not count. */
uint64_t rocks_count_bytes(struct storage *storage, enum storage_family family);
