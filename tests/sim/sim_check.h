/* tests/sim/sim_check.h - the verdict on a whole run's histories. */
#pragma once

struct sim;

/* Check every key; fails the run at the first that is wrong. */
void check_run(struct sim *sim);
