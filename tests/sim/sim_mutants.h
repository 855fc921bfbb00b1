/* tests/sim/sim_mutants.h - every checker must have failed once: run seeds against each known bug.
 *
 * Only the program ringfort-sim-mutants holds the bugs; ringfort-sim runs it in its own place. */
#pragma once

#include <stdint.h>

/* Run each mutant (or the one called `name`, not NULL) until a check notices it, `runs` seeds at
 * most, and print a table. Return an exit status: 0 when all were killed. */
int mutants_run(char **argv, const char *name, uint64_t seed, uint64_t runs);
