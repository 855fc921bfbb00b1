/* tests/fuzz/fuzz_replies.h - a second look at RESP2 and RESP3, from the client's side. */
#pragma once

#include "base/bytes.h"

/* How many whole replies these bytes are; -1 when they are not, or not only, replies. Attributes
 * and pushes are none, since no command of ours sends them. */
int64_t replies_count(struct bytes bytes);
/* The last of them, all its bytes. `bytes` are whole replies. */
struct bytes replies_last(struct bytes bytes);
/* One of them is an error. */
bool replies_have_error(struct bytes bytes);
