/* tests/lib/transcript.h - a cluster of production cores in virtual time, told by a script, as
 * text.
 *
 *     nodes 3 n=3 r=2 w=2            any configuration key may follow; `down`: nobody is started
 *     n1 set k v                     a client of n1 sends a command, and its reply is waited for
 *     n1 set k v &                   not waited for
 *     n1:cluster get k               the same on the face of cluster clients
 *     wait 100 | at 100 COMMAND      let time pass: ms, or until so many ms after the beginning
 *     cut n1 n2 | heal n1 n2         what is sent meanwhile arrives after the healing, as with TCP
 *     delay n1 n2 20                 ms one way, 1 at first
 *     start n2 | stop n2             stop: orderly
 *     kill n2 | crash n2 | wipe n2   kill -9; power lost; power lost and an empty disk
 *     sync n2 50                     ms that a sync takes, 2 at first
 *     skew n2 -300                   ms that its wall clock is off
 *     secret n2 TEXT                 from its next start on; all have the same at first
 *     show clocks | hide clocks      also: hello
 *     disk                           what every disk holds
 *     save NAME                      the context of the last reply; @NAME stands for it in a
 * command
 *
 * Every message takes its delay and every sync its time, exactly, so the same script tells the same
 * story. Random numbers of a node follow from its name and how often it has started. */
#pragma once

#include "base/bytes.h"

/* Append the story of `script` to `out`. Return false, with words about the line in `out`, for a
 * script that cannot be understood. */
MUST_CHECK bool transcript_run(struct bytes script, struct buf *out);
