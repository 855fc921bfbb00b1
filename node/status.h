/* node/status.h - the verb `ringfort status [-h HOST] [-p PORT] [--json]`: asks a running node.
 *
 * Shell; the only file that speaks as a client (hiredis), with demo_probe.c. */
#pragma once

/* Return the exit status; words go to standard error. */
int status_main(int count, char **arguments);
