/* tests/fuzz/fuzz_disk.c - a node that starts over a disk that somebody else has written.
 *
 * Input: entries of all families, each a byte of family and flags, a byte of size and the key, two
 * bytes of size and the value. Properties: the node starts, or says why it does not; if it serves,
 * it answers every command about every key, damaged or not; what it wrote itself it can read after
 * a crash. */
#include "base/hash.h"
#include "quorum/key.h"
#include "storage/memory.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/fuzz_node.h"
#include "tests/fuzz/fuzz_object.h"

#include <string.h>

enum { FLAG_CHECKSUM = 4, FLAG_NAME = 8, SEGMENTS_MAX = 10000 };

enum mark { MARK_SERVES, MARK_REFUSED, MARK_AGAIN };
const char *const FUZZ_MARKS[] = {"served", "refused", "served_again", NULL};

static void put_entry(struct storage *storage, struct reader *in, struct arena *arena)
{
    uint8_t what = reader_u8(in);
    struct bytes key = reader_bytes(in, reader_u8(in));
    struct bytes value = reader_bytes(in, reader_be16(in));

    if (in->failed || key.size == 0) {
        return;
    }
    if ((what & FLAG_NAME) != 0) {
        key = key_encode(arena, what >> 4, key);
    }
    uint8_t number[8];
    if ((what & 3) == STORAGE_LOG && key.size == sizeof(number)) {
        /* Segments are numbered from 1 on, and their numbers take memory in proportion. */
        be64_set(number, 1 + be64_at(key.data) % SEGMENTS_MAX);
        key = (struct bytes){number, sizeof(number)};
    }
    uint8_t *record = fuzz_exact(value);
    if ((what & 3) == STORAGE_META && bytes_equal(key, BYTES_LITERAL("hlc")) && value.size > 0) {
        record[0] &= 0x0f; /* In the next thousand years. */
    }
    if ((what & FLAG_CHECKSUM) != 0) {
        fuzz_put_checksum(record, value.size, key);
        struct bytes checked = {record, value.size};
        struct object object;
        struct key_parts parts;
        if (object_decode(checked, key, arena, &object) == OK &&
            (key_decode(key, &parts) != OK || !fuzz_is_ours(&object))) {
            record[0] ^= 1;
        }
    }
    storage_put(storage, (enum storage_family)(what & 3), key, (struct bytes){record, value.size});
    mem_free(record);
}

/* Counting keys looks at all slots, and so does the sweep: not for every input. */
static void ask(struct fuzz_node *node, uint64_t id, bool thorough)
{
    const struct bytes words = BYTES_LITERAL(
        "GET a\r\nMGET a b c {a}1\r\nTTL b\r\nTYPE c\r\nEXISTS a b c\r\nRF.GET a\r\nRF.GET b\r\n"
        "RF.EXPLAIN a\r\nRF.EXPLAIN b\r\nSTRLEN {a}1\r\nSCAN 0 COUNT 100\r\nKEYS *\r\n"
        "SET a new\r\nSET b new KEEPTTL\r\nRF.SET c new\r\nDEL a\r\nRF.DEL {a}1\r\nSET x y EX 1\r\n"
        "SELECT 1\r\nGET a\r\nSCAN 0\r\nFLUSHDB\r\nSELECT 0\r\nECHO end\r\n");
    const struct bytes end = BYTES_LITERAL("$3\r\nend\r\n");

    fuzz_client_open(node, id, FACE_PLAIN);
    if (thorough) {
        fuzz_client_bytes(node, id, BYTES_LITERAL("DBSIZE\r\nINFO\r\nRF.STATUS\r\n"));
    }
    fuzz_client_bytes(node, id, words);
    fuzz_node_settle(node);
    fuzz_node_pass(node, thorough ? 5000 : 100);
    const struct buf *out = &node->clients[id].out;
    ASSERT(out->size > end.size);
    ASSERT(memcmp(out->data + out->size - end.size, end.data, end.size) == 0);
    fuzz_client_close(node, id);
    fuzz_node_settle(node);
}

static const struct options *disk_options(void)
{
    static struct options options;
    static bool made;

    if (!made) {
        fuzz_node_options(&options);
        made = true;
    }
    return &options;
}

/* Start, ask, crash, and once more. */
static void start(struct storage *storage, bool thorough, bool first)
{
    struct fuzz_node node;

    fuzz_node_start(&node, disk_options(), storage, 0);
    fuzz_mark(node.fatal ? MARK_REFUSED : first ? MARK_SERVES : MARK_AGAIN);
    ASSERT(first || !node.fatal);
    if (!node.fatal) {
        ask(&node, 1, thorough);
    }
    bool again = first && !node.fatal;
    fuzz_node_release(&node);
    if (again) {
        (void)memory_crash(storage, MEMORY_CRASH_POWER, 0);
        memory_reopen(storage);
        start(storage, thorough, false);
    }
}

static void check_disk(struct bytes input)
{
    struct storage *storage = memory_new();
    struct reader in = reader_of(input);
    bool thorough = hash_xxh3(input) % 16 == 0;
    struct arena arena;

    arena_init(&arena, 1024);
    while (reader_left(&in) > 0) {
        put_entry(storage, &in, &arena);
    }
    ASSERT(storage_commit(storage) == OK);
    ASSERT(storage_sync(storage) == OK);
    start(storage, thorough, true);
    storage_close(storage);
    arena_release(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_disk((struct bytes){data, size});
    return 0;
}
