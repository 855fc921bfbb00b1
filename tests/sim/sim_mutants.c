#include "tests/sim/sim_mutants.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mutant.h"
#include "tests/sim/sim.h"

#ifndef RINGFORT_MUTANTS

int mutants_run(char **argv, const char *name, uint64_t seed, uint64_t runs)
{
    char path[4096];
    ssize_t size = readlink("/proc/self/exe", path, sizeof(path) - 16);
    (void)name;
    (void)seed;
    (void)runs;
    if (size > 0) {
        memcpy(path + size, "-mutants", sizeof("-mutants"));
        (void)execv(path, argv);
        perror(path);
    }
    return 2;
}

#else

enum mutant mutant_on = MUTANT_none;

enum { JOBS = 2, HANG_S = 60, BASELINE_RUNS = 50 };

static const struct {
    const char *name, *hazard, *words;
} MUTANTS[MUTANTS_END] = {[MUTANT_none] = {"none", "", "nothing is wrong"},
#define X(mutant, hazard, words) [MUTANT_##mutant] = {#mutant, hazard, words},
                          MUTANT_LIST(X)
#undef X
};

/* Written by the child, read by the parent after its end. */
struct trial {
    uint64_t seeds;
    enum check check;
    pid_t child;
};

static enum check try_seed(enum mutant mutant, uint64_t seed)
{
    struct marks marks = {{0}};
    struct sim_run_options options = {.seed = seed};
    struct sim_result result;
    mutant_on = mutant;
    (void)alarm(HANG_S);
    sim_run(&options, &marks, &result);
    return result.failed;
}

/* A seed that fails without the mutant too says nothing about it. */
static void try_seeds(enum mutant mutant, uint64_t seed, uint64_t runs, struct trial *trial)
{
    for (uint64_t i = trial->seeds; i < runs; i++) {
        trial->seeds = i + 1;
        enum check check = try_seed(mutant, seed + i);
        if (check != CHECK_NONE &&
            (mutant == MUTANT_none || try_seed(MUTANT_none, seed + i) == CHECK_NONE)) {
            trial->check = check;
            return;
        }
    }
}

static void start(enum mutant mutant, uint64_t seed, uint64_t runs, struct trial *trial)
{
    (void)fflush(stdout);
    pid_t child = fork();
    if (child > 0) {
        trial->child = child; /* The child shares the trial. */
    } else if (child == 0) {
        (void)freopen("/dev/null", "w", stderr); /* Broken invariants say so, at length. */
        const struct rlimit none = {0, 0};
        (void)setrlimit(RLIMIT_CORE, &none);
        try_seeds(mutant, seed, runs, trial);
        _exit(0);
    }
}

/* Returns true when the mutant was noticed. */
static bool report(enum mutant mutant, const struct trial *trial, int status)
{
    bool crashed = !WIFEXITED(status) || WEXITSTATUS(status) != 0;
    bool hung = WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM;
    bool killed = crashed || trial->check != CHECK_NONE;
    const char *by = hung      ? "no end"
                     : crashed ? check_words(CHECK_ASSERTION)
                     : killed  ? check_words(trial->check)
                               : "SURVIVED";
    (void)printf("%-24s %-6s %-30s %7" PRIu64 "  %s\n", MUTANTS[mutant].name,
                 MUTANTS[mutant].hazard, by, trial->seeds, MUTANTS[mutant].words);
    (void)fflush(stdout);
    return killed;
}

static bool is_wanted(enum mutant mutant, const char *name)
{
    return name == NULL ? mutant != MUTANT_none : strcmp(name, MUTANTS[mutant].name) == 0;
}

/* Wait for any child; returns whether its mutant was killed. */
static bool finish_one(struct trial *trials)
{
    int status = 0;
    pid_t child = wait(&status);
    enum mutant mutant = MUTANT_none;
    while (mutant + 1 < MUTANTS_END && trials[mutant].child != child) {
        mutant++;
    }
    ASSERT(trials[mutant].child == child);
    return report(mutant, &trials[mutant], status);
}

int mutants_run(char **argv, const char *name, uint64_t seed, uint64_t runs)
{
    (void)argv;
    size_t size = sizeof(struct trial) * MUTANTS_END;
    struct trial *trials =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT(trials != MAP_FAILED);
    (void)printf("%-24s %-6s %-30s %7s  %s\n", "mutant", "hazard", "killed by", "seeds", "bug");
    start(MUTANT_none, seed, MIN(runs, (uint64_t)BASELINE_RUNS), &trials[MUTANT_none]);
    if (finish_one(trials)) {
        (void)printf("without any mutant the simulator must pass first\n");
        return 1;
    }
    unsigned total = 0, killed = 0, active = 0;
    for (enum mutant mutant = MUTANT_none + 1; mutant < MUTANTS_END; mutant++) {
        if (!is_wanted(mutant, name)) {
            continue;
        }
        if (active == JOBS) {
            killed += finish_one(trials);
            active--;
        }
        start(mutant, seed, runs, &trials[mutant]);
        total++;
        active++;
    }
    for (; active > 0; active--) {
        killed += finish_one(trials);
    }
    (void)printf("%u/%u mutants killed\n", killed, total);
    return killed == total && total > 0 ? 0 : 1;
}

#endif
