/* node/config.h - where options come from: a file, then the command line, then the host.
 *
 * Shell. The file is INI as inih reads it: `key = value`, `#` (or `;`) begins a comment line, " ;"
 * a comment behind a value, a line that begins with a blank goes on with the value before it. No
 * sections. A later key overrides an earlier one, the command line overrides the file. */
#pragma once

#include "node/options.h"

/* Read one file into `options`. Return OK; ERR_IO when it cannot be read; ERR_INVALID for the first
 * wrong line. `words` (1024 bytes are enough) then says "PATH:LINE: what is wrong". Keys before the
 * wrong line have been set. */
MUST_CHECK enum err config_file(struct options *options, const char *path, struct buf *words);
/* Read `--key value`, `--key=value` and `-c FILE`; files count as if they came first. Return OK, or
 * ERR_INVALID or ERR_IO with words. */
MUST_CHECK enum err config_arguments(struct options *options, int count, char **arguments,
                                     struct buf *words);
/* Fill in node-name from the host's name, read secret-file, check what keys decide together. Return
 * OK, ERR_INVALID or ERR_IO with words. */
MUST_CHECK enum err config_finish(struct options *options, struct buf *words);
