#include "node/glob.h"

static uint8_t fold(uint8_t byte, bool nocase)
{
    return nocase && byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte;
}

/* Redis compares plain chars, which are signed here. */
static bool in_range(uint8_t byte, uint8_t first, uint8_t last, bool nocase)
{
    int8_t c = (int8_t)fold(byte, nocase);
    int8_t a = (int8_t)first;
    int8_t b = (int8_t)last;
    int8_t low = (int8_t)fold((uint8_t)MIN(a, b), nocase);
    int8_t high = (int8_t)fold((uint8_t)MAX(a, b), nocase);

    return c >= low && c <= high;
}

/* Match the class that begins at pattern[*at] == '[' and move past it. */
static bool match_class(struct bytes pattern, size_t *at, uint8_t byte, bool nocase)
{
    size_t i = *at + 1;
    bool match = false;
    bool negated = i < pattern.size && pattern.data[i] == '^';

    ASSERT(pattern.data[*at] == '[');
    i += negated;
    for (; i < pattern.size && pattern.data[i] != ']'; i++) {
        size_t left = pattern.size - i;
        if (pattern.data[i] == '\\' && left >= 2) {
            i++;
            match |= pattern.data[i] == byte;
        } else if (left >= 3 && pattern.data[i + 1] == '-') {
            match |= in_range(byte, pattern.data[i], pattern.data[i + 2], nocase);
            i += 2;
        } else {
            match |= fold(pattern.data[i], nocase) == fold(byte, nocase);
        }
    }
    *at = MIN(i + 1, pattern.size);
    return match != negated;
}

/* Match the element that begins at pattern[*at], which is no '*', and move past it. */
static bool match_one(struct bytes pattern, size_t *at, uint8_t byte, bool nocase)
{
    ASSERT(*at < pattern.size);
    switch (pattern.data[*at]) {
    case '?':
        *at += 1;
        return true;
    case '[':
        return match_class(pattern, at, byte, nocase);
    case '\\':
        *at += *at + 1 < pattern.size;
        break;
    default:
        break;
    }
    *at += 1;
    return fold(pattern.data[*at - 1], nocase) == fold(byte, nocase);
}

/* Every element takes exactly one byte, so when what follows a '*' cannot be matched from
 * anywhere, a longer stretch for an earlier '*' cannot help: going back to the latest one is
 * enough. */
static bool match(struct bytes pattern, struct bytes string, bool nocase)
{
    size_t at = 0;
    size_t star = SIZE_MAX; /* What follows the latest '*', */
    size_t star_byte = 0;   /* and the byte from which that is tried. */
    size_t byte = 0;

    while (byte < string.size) {
        if (at < pattern.size && pattern.data[at] == '*') {
            star = ++at;
            star_byte = byte;
            continue;
        }
        if (at < pattern.size && match_one(pattern, &at, string.data[byte], nocase)) {
            byte++;
            continue;
        }
        if (star == SIZE_MAX) {
            return false;
        }
        at = star;
        byte = ++star_byte;
    }
    while (string.size > 0 && at < pattern.size && pattern.data[at] == '*') {
        at++;
    }
    return at == pattern.size;
}

bool glob_match(struct bytes pattern, struct bytes string)
{
    return match(pattern, string, false);
}

bool glob_match_nocase(struct bytes pattern, struct bytes string)
{
    return match(pattern, string, true);
}
