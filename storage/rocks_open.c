#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <rocksdb/c.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "storage/rocks_state.h"

enum {
    MEGABYTE = 1 << 20,
    RECOVERY_POINT_IN_TIME = 2, /* rocksdb::WALRecoveryMode. */
    CHECKSUM_XXH3 = 4,          /* rocksdb::ChecksumType. */
    INFO_LOG_WARN = 2,          /* rocksdb::InfoLogLevel. */
    TABLE_FORMAT = 5,
    BLOOM_BITS_PER_KEY = 10,
    FILES_OPEN_MAX = 512,
    WAL_SIZE_MAX = 256 * MEGABYTE, /* Bounds how long replaying it takes, too. */
    CACHE_SIZE_MIN = MEGABYTE,
    CACHE_SHARD_SIZE_MIN = 16 * MEGABYTE,
    CACHE_SHARD_BITS_MAX = 4,
    DIRECTORY_MODE = 0700,
    WORDS_PART_MAX = 1000, /* Of a path or a status, in words. */
};

/* Each insert begins its search where the last key of the same first bytes went in, instead of at
 * the head of the skiplist: keys come in clusters, by slot or partition. The C API has no setter.
 */
static const struct rocks_family {
    const char *name;
    const char *hint;
    size_t write_buffer_size;
    int write_buffers_max;
    double bloom_part; /* Of a memtable's memory, for a filter of its keys. */
} families[STORAGE_FAMILIES_COUNT] = {
    [STORAGE_DATA] = {"default", "memtable_insert_with_hint_prefix_extractor=fixed:2",
                      32 * MEGABYTE, 3, 0.02},
    [STORAGE_LOG] = {"log", "memtable_insert_with_hint_prefix_extractor=fixed:4", 16 * MEGABYTE, 3,
                     0},
    [STORAGE_HINT] = {"hint", "", 8 * MEGABYTE, 3, 0},
    [STORAGE_META] = {"meta", "", 4 * MEGABYTE, 2, 0},
};

static void words_add(struct buf *words, const char *directory, const char *what,
                      const char *detail)
{
    buf_printf(words, "store %.*s: %s%s%.*s", WORDS_PART_MAX, directory, what,
               detail[0] == '\0' ? "" : ": ", WORDS_PART_MAX, detail);
}

/* fsync(2) the directory above, so that the new name survives a power failure. */
static int sync_parent(const char *directory)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s", directory); /* Cut only if mkdir has refused it before. */
    int fd = open(dirname(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return errno;
    }
    int error = fsync(fd) != 0 ? errno : 0;
    close(fd);
    return error;
}

static int make_directory(const char *directory)
{
    if (mkdir(directory, DIRECTORY_MODE) != 0) {
        return errno;
    }
    /* A umask may have taken bits from the owner. */
    if (chmod(directory, DIRECTORY_MODE) != 0) {
        return errno;
    }
    return sync_parent(directory);
}

static enum err directory_failed(const char *directory, int error, struct buf *words)
{
    switch (error) {
    case ENOENT:
        words_add(words, directory, "it, or the directory it belongs in, does not exist; make it",
                  "");
        return ERR_NOT_FOUND;
    case ENOTDIR:
        words_add(words, directory, "not a directory; name another one", "");
        return ERR_INVALID;
    case EACCES:
    case EPERM:
    case EROFS:
        words_add(words, directory,
                  "not permitted; let the user that runs this program read and write there",
                  strerror(error));
        return ERR_DENIED;
    default:
        words_add(words, directory, "the directory cannot be used", strerror(error));
        return ERR_IO;
    }
}

/* RocksDB takes a directory without the file CURRENT for a new one, begins an empty store in it and
 * deletes the table files it does not know. Return the name of a file that speaks against it in
 * `name`, or 0: nothing does. */
static bool has_lost_current(const char *directory, char name[NAME_MAX + 1])
{
    bool has_current = false;
    DIR *dir = opendir(directory);

    name[0] = '\0';
    if (dir == NULL) {
        return false;
    }
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        const char *dot = strrchr(entry->d_name, '.');
        if (strcmp(entry->d_name, "CURRENT") == 0) {
            has_current = true;
        } else if (dot != NULL && (strcmp(dot, ".sst") == 0 || strcmp(dot, ".log") == 0)) {
            snprintf(name, NAME_MAX + 1, "%s", entry->d_name);
        }
    }
    closedir(dir);
    return !has_current && name[0] != '\0';
}

static enum err prepare_directory(const struct rocks_options *options, struct buf *words)
{
    const char *directory = options->directory;
    char name[NAME_MAX + 1];
    struct stat status;

    int error = stat(directory, &status) != 0 ? errno : 0;
    if (error == ENOENT && options->create) {
        error = make_directory(directory);
    } else if (error == 0 && !S_ISDIR(status.st_mode)) {
        error = ENOTDIR;
    }
    if (error == 0 && access(directory, R_OK | W_OK | X_OK) != 0) {
        error = errno;
    }
    if (error != 0) {
        return directory_failed(directory, error, words);
    }
    if (has_lost_current(directory, name)) {
        words_add(
            words, directory,
            "damaged: the file CURRENT is missing beside a file of a store; restore a backup, "
            "or empty the directory and let the other replicas fill this node again",
            name);
        return ERR_CORRUPT;
    }
    return OK;
}

/* The process that holds the store's lock, or 0. Must not be asked by that process itself: closing
 * any descriptor of the file would release its lock. */
static int lock_holder(const char *directory)
{
    char path[PATH_MAX];
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int pid = 0;

    if (snprintf(path, sizeof(path), "%s/LOCK", directory) >= (int)sizeof(path)) {
        return 0;
    }
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        return 0;
    }
    if (fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK) {
        pid = (int)lock.l_pid;
    }
    close(fd);
    return pid;
}

static enum err open_failed(const char *directory, const char *status, struct buf *words)
{
    if (strstr(status, "lock hold by current process") != NULL) {
        words_add(words, directory, "this process has it open already", "");
        return ERR_EXISTS;
    }
    if (strstr(status, "While lock file") != NULL) {
        int pid = lock_holder(directory);
        words_add(words, directory,
                  "another process holds its lock; stop that one or name another directory", "");
        if (pid != 0) {
            buf_printf(words, " (pid %d)", pid);
        }
        return ERR_EXISTS;
    }
    if (strstr(status, "create_if_missing is false") != NULL) {
        words_add(words, directory, "there is no store in this directory", "");
        return ERR_NOT_FOUND;
    }
    if (strstr(status, "Permission denied") != NULL || strstr(status, "Read-only file") != NULL) {
        words_add(words, directory,
                  "not permitted; let the user that runs this program read and write there",
                  status);
        return ERR_DENIED;
    }
    if (strncmp(status, "Corruption", 10) == 0) {
        words_add(words, directory,
                  "damaged; restore a backup, or empty the directory and let the other replicas "
                  "fill this node again",
                  status);
        return ERR_CORRUPT;
    }
    words_add(words, directory, "cannot be opened", status);
    return ERR_IO;
}

static void set_process_wide(rocksdb_options_t *db, bool create)
{
    rocksdb_options_set_create_if_missing(db, create);
    rocksdb_options_set_create_missing_column_families(db, create);
    rocksdb_options_set_wal_recovery_mode(db, RECOVERY_POINT_IN_TIME);
    rocksdb_options_set_max_total_wal_size(db, WAL_SIZE_MAX);
    rocksdb_options_set_max_background_jobs(db, 2);
    rocksdb_options_set_max_open_files(db, FILES_OPEN_MAX);
    rocksdb_options_set_bytes_per_sync(db, MEGABYTE);
    rocksdb_options_set_is_fd_close_on_exec(db, 1);
    /* One thread writes; only then does the insert hint apply. */
    rocksdb_options_set_allow_concurrent_memtable_write(db, 0);
    rocksdb_options_set_skip_stats_update_on_db_open(db, 1);
    rocksdb_options_set_info_log_level(db, INFO_LOG_WARN);
    rocksdb_options_set_keep_log_file_num(db, 2);
    rocksdb_options_set_max_log_file_size(db, MEGABYTE);
    rocksdb_options_set_max_manifest_file_size(db, 16 * MEGABYTE);
    rocksdb_options_set_stats_dump_period_sec(db, 0);
    rocksdb_options_set_stats_persist_period_sec(db, 0);
}

/* A shard must hold the index and filter block of a table file (half a megabyte each) with room to
 * spare: RocksDB's own choice, 64 shards, makes shards of half a megabyte out of 32 MB, in which
 * those blocks push each other out at every get (42 us of CPU against 5). */
static rocksdb_cache_t *make_cache(size_t size)
{
    int bits = 0;
    while (bits < CACHE_SHARD_BITS_MAX && (size >> (bits + 1)) >= CACHE_SHARD_SIZE_MIN) {
        bits++;
    }
    rocksdb_lru_cache_options_t *options = rocksdb_lru_cache_options_create();
    rocksdb_lru_cache_options_set_capacity(options, MAX(size, (size_t)CACHE_SIZE_MIN));
    rocksdb_lru_cache_options_set_num_shard_bits(options, bits);
    rocksdb_cache_t *cache = rocksdb_cache_create_lru_opts(options);
    rocksdb_lru_cache_options_destroy(options);
    return cache;
}

/* Bloom filters hold whole keys. RocksDB's prefix extractor is left out: nothing seeks by prefix,
 * and with it each filter would hold the seven-byte prefixes as well, twice the bits for the same
 * keys. */
static rocksdb_block_based_table_options_t *table_options(rocksdb_cache_t *cache)
{
    rocksdb_block_based_table_options_t *table = rocksdb_block_based_options_create();
    rocksdb_block_based_options_set_block_cache(table, cache);
    rocksdb_block_based_options_set_cache_index_and_filter_blocks(table, 1);
    rocksdb_block_based_options_set_pin_l0_filter_and_index_blocks_in_cache(table, 1);
    rocksdb_block_based_options_set_filter_policy(
        table, rocksdb_filterpolicy_create_bloom_full(BLOOM_BITS_PER_KEY));
    rocksdb_block_based_options_set_whole_key_filtering(table, 1);
    rocksdb_block_based_options_set_format_version(table, TABLE_FORMAT);
    rocksdb_block_based_options_set_checksum(table, CHECKSUM_XXH3);
    return table;
}

static rocksdb_options_t *family_options(const struct rocks_family *family,
                                         rocksdb_block_based_table_options_t *table)
{
    rocksdb_options_t *plain = rocksdb_options_create();
    rocksdb_options_t *options = rocksdb_options_create();
    char *status = NULL;

    rocksdb_get_options_from_string(plain, family->hint, options, &status);
    ASSERT(status == NULL); /* A constant string, known to the library that we are linked with. */
    rocksdb_options_destroy(plain);
    rocksdb_options_set_block_based_table_factory(options, table);
    rocksdb_options_set_compression(options, rocksdb_lz4_compression);
    rocksdb_options_set_write_buffer_size(options, family->write_buffer_size);
    rocksdb_options_set_max_write_buffer_number(options, family->write_buffers_max);
    if (family->bloom_part > 0) {
        rocksdb_options_set_memtable_prefix_bloom_size_ratio(options, family->bloom_part);
        rocksdb_options_set_memtable_whole_key_filtering(options, 1);
    }
    /* A memtable takes its memory in such pieces; the default is a megabyte. */
    rocksdb_options_set_arena_block_size(options, family->write_buffer_size / 64);
    rocksdb_options_set_target_file_size_base(options, 32 * MEGABYTE);
    /* Fewer, larger compactions: with 128 MB and four files they were a fifth of a write's CPU.
     * What is young is rewritten soon, so compressing it does not pay. */
    rocksdb_options_set_max_bytes_for_level_base(options, 512 * MEGABYTE);
    rocksdb_options_set_level0_file_num_compaction_trigger(options, 8);
    rocksdb_options_set_level0_slowdown_writes_trigger(options, 24);
    rocksdb_options_set_level0_stop_writes_trigger(options, 40);
    rocksdb_options_set_min_level_to_compress(options, 2);
    rocksdb_options_set_level_compaction_dynamic_level_bytes(options, 1);
    return options;
}

/* Return RocksDB's status, to be freed, or NULL: rocks->db and rocks->families are open. */
static char *open_database(struct rocks *rocks, const struct rocks_options *from)
{
    const char *names[STORAGE_FAMILIES_COUNT];
    rocksdb_options_t *options[STORAGE_FAMILIES_COUNT];
    char *status = NULL;

    rocksdb_options_t *db = rocksdb_options_create();
    rocksdb_block_based_table_options_t *table = table_options(rocks->cache);
    set_process_wide(db, from->create);
    for (size_t i = 0; i < STORAGE_FAMILIES_COUNT; i++) {
        names[i] = families[i].name;
        options[i] = family_options(&families[i], table);
    }
    rocks->db = rocksdb_open_column_families(db, from->directory, STORAGE_FAMILIES_COUNT, names,
                                             (const rocksdb_options_t *const *)options,
                                             rocks->families, &status);
    for (size_t i = 0; i < STORAGE_FAMILIES_COUNT; i++) {
        rocksdb_options_destroy(options[i]);
    }
    rocksdb_block_based_options_destroy(table);
    rocksdb_options_destroy(db);
    ASSERT((rocks->db == NULL) == (status != NULL));
    return status;
}

enum err rocks_open(const struct rocks_options *options, struct storage **out, struct buf *words)
{
    ASSERT(words->size_max - words->size >= ROCKS_WORDS_SIZE_MIN);
    enum err err = prepare_directory(options, words);
    if (err != OK) {
        return err;
    }
    struct rocks *rocks = mem_alloc_zero(1, sizeof(*rocks));
    rocks->sync = options->sync;
    rocks->cache = make_cache(options->cache_bytes);
    char *status = open_database(rocks, options);
    if (status != NULL) {
        err = open_failed(options->directory, status, words);
        rocksdb_free(status);
        rocksdb_cache_destroy(rocks->cache);
        mem_free(rocks);
        return err;
    }
    rocks_start(rocks);
    *out = &rocks->storage;
    return OK;
}
