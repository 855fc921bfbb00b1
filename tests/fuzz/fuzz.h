/* tests/fuzz/fuzz.h - what all fuzzers share: pieces of a stream, bounds on memory, exact copies.
 *
 * A fuzzer is one function, LLVMFuzzerTestOneInput, which ends quietly or breaks an ASSERT. What it
 * draws (sizes of pieces, order of events) comes from the input, so that every failure is one file.
 * With the preset `fuzz` libFuzzer drives it, else replay_main.c with the corpus and mutations. */
#pragma once

#include "base/bytes.h"
#include "base/prng.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a fuzzer must reach to be worth anything, defined by each and ended by NULL: a replay in
 * which one of them was never marked fails. */
extern const char *const FUZZ_MARKS[];
enum { FUZZ_MARKS_MAX = 16 };
extern uint64_t fuzz_marked[FUZZ_MARKS_MAX];

static inline void fuzz_mark(unsigned index)
{
    fuzz_marked[index]++;
}

/* The first byte of an input says what the rest is: 0 .. count-1. An empty input is mode 0. */
unsigned fuzz_mode(struct bytes *input, unsigned count);

/* Write runs out, so that long inputs are short files: 0xfa, a count of two bytes and one byte
 * stand for that byte so many times. Nothing is written past `size_max`. */
void fuzz_expand(struct bytes input, size_t size_max, struct buf *out);

/* A stream cut into pieces. Some inputs come byte by byte, some in a few large pieces, some mixed.
 */
struct pieces {
    struct bytes left;
    struct prng prng;
    uint64_t size_max;
    bool head; /* A short piece, then all the rest. */
};

/* `salt` gives several cuts of one stream. */
void pieces_init(struct pieces *pieces, struct bytes stream, uint64_t salt);
/* The next piece, at least one byte, borrowed from the stream. False at the end. */
bool pieces_next(struct pieces *pieces, struct bytes *piece);

/* A copy that ends where its memory ends, so that ASan sees a read past it. Freed by mem_free. */
uint8_t *fuzz_exact(struct bytes bytes);

/* What has been allocated since fuzz_memory_begin, also what has been freed again meanwhile.
 * Counted by the sanitizer's hooks where there is one, else only what is held at the end. */
struct fuzz_memory {
    uint64_t before;
};

struct fuzz_memory fuzz_memory_begin(void);
uint64_t fuzz_memory_taken(const struct fuzz_memory *memory);
