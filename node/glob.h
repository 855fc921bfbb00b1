/* node/glob.h - patterns of KEYS, SCAN MATCH and CONFIG GET.
 *
 * The language of Redis's stringmatchlen, its corners included: * ? [abc] [^a-z] \x; a class
 * without its ] ends with the pattern, and no pattern but the empty one matches the empty
 * string. Unlike the recursive original it never takes more than pattern times string steps.
 * Pure. */
#pragma once

#include "base/bytes.h"

bool glob_match(struct bytes pattern, struct bytes string);
/* The same without regard to the case of ASCII letters. */
bool glob_match_nocase(struct bytes pattern, struct bytes string);
