/* tests/sim/sim_main.c - the program ringfort-sim: many seeds, one verdict each.
 *
 *     ringfort-sim [--seed S] [--runs N | --minutes M] [--nodes K] [--shape n,r,w] [--trace]
 *                  [--trace-all] [--verify] [--marks] [--mutants [NAME]]
 *
 * Exit status 0: every seed passed (with --mutants: every mutant was killed); 1: not; 2: bad usage.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "tests/sim/sim.h"
#include "tests/sim/sim_mutants.h"

/* What a crash handler prints: the run that is under way. */
static char replay_line[400];

static void say_seed(const char *program, const struct sim_run_options *options)
{
    char shape[64] = "";
    if (options->shape.nodes != 0) {
        (void)snprintf(shape, sizeof(shape), " --nodes %u --shape %u,%u,%u", options->shape.nodes,
                       options->shape.n, options->shape.r, options->shape.w);
    }
    (void)snprintf(replay_line, sizeof(replay_line),
                   "SEED=%" PRIu64 "\nreplay: %s --seed %" PRIu64 " --runs 1%s --trace\n",
                   options->seed, program, options->seed, shape);
}

static void on_death(void)
{
    (void)fprintf(stderr, "%s", replay_line);
    sim_print_running(stderr, TRACE_TAIL);
}

static void on_signal(int number)
{
    on_death();
    (void)signal(number, SIG_DFL);
    (void)raise(number);
}

/* Sanitizers end the process without a signal. */
void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

static void catch_crashes(void)
{
    (void)signal(SIGABRT, on_signal);
    if (__sanitizer_set_death_callback != NULL) {
        __sanitizer_set_death_callback(on_death);
    } else {
        (void)signal(SIGSEGV, on_signal);
    }
}

struct totals {
    uint64_t runs, failed, events, ops, virtual_ns;
    struct marks marks;
};

static double cpu_seconds(void)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void print_marks(const struct totals *totals)
{
    (void)printf("%-22s %12s  %s\n", "mark", "count", "meaning");
    for (enum mark mark = 0; mark < MARKS_COUNT; mark++) {
        (void)printf("%-22s %12" PRIu64 "  %s\n", mark_name(mark), totals->marks.counts[mark],
                     mark_words(mark));
    }
}

/* Returns how many marks no run has reached. */
static unsigned print_unreached(const struct totals *totals)
{
    unsigned unreached = 0;
    for (enum mark mark = 0; mark < MARKS_COUNT; mark++) {
        if (totals->marks.counts[mark] == 0) {
            (void)printf("%s %s", unreached++ == 0 ? "unreached:" : ",", mark_name(mark));
        }
    }
    if (unreached > 0) {
        (void)printf("\n");
    }
    return unreached;
}

static void print_totals(const struct totals *totals, double cpu)
{
    double virtual_s = (double)totals->virtual_ns / 1e9;
    (void)printf("%" PRIu64 " runs, %" PRIu64 " failed; %" PRIu64 " commands done, %" PRIu64
                 " events, %.0f virtual seconds, %.1f CPU seconds\n",
                 totals->runs, totals->failed, totals->ops, totals->events, virtual_s, cpu);
    if (cpu > 0) {
        (void)printf(
            "%.0f virtual seconds per CPU second, %.0f seeds per CPU hour, %.0f ns per event\n",
            virtual_s / cpu, (double)totals->runs / cpu * 3600,
            cpu * 1e9 / (double)MAX(totals->events, (uint64_t)1));
    }
    (void)printf("COUNT sim_runs %" PRIu64 "\n", totals->runs);
}

/* Run one seed; once more with a trace when it fails. Returns false when it failed. */
static bool run_seed(const struct sim_run_options *options, bool verify, struct totals *totals)
{
    struct sim_result result, again;
    struct marks ignored = {{0}};
    sim_run(options, &totals->marks, &result);
    totals->runs++;
    totals->events += result.events;
    totals->ops += result.ops;
    totals->virtual_ns += result.virtual_ns;
    if (verify && result.failed == CHECK_NONE) {
        sim_run(options, &ignored, &again);
        if (again.hash != result.hash || again.events != result.events) {
            result.failed = CHECK_DETERMINISM;
            (void)snprintf(result.words, sizeof(result.words),
                           "hash %016" PRIx64 " after %" PRIu64 " events, then %016" PRIx64
                           " after %" PRIu64,
                           result.hash, result.events, again.hash, again.events);
        }
    }
    if (result.failed == CHECK_NONE) {
        return true;
    }
    totals->failed++;
    (void)fflush(stdout);
    if (!options->trace && !options->trace_all && totals->failed == 1) {
        struct sim_run_options traced = *options;
        traced.trace = true;
        sim_run(&traced, &ignored, &again);
    }
    (void)fprintf(stderr, "FAILED %s: %s\n%s", check_words(result.failed), result.words,
                  replay_line);
    return false;
}

struct arguments {
    struct sim_run_options run;
    uint64_t runs;
    double minutes;
    bool runs_given, seed_given, verify, marks, mutants;
    const char *mutant;
};

static bool parse_number(const char *text, uint64_t *out)
{
    char *end = NULL;
    errno = 0;
    *out = strtoull(text, &end, 0);
    return errno == 0 && end != text && *end == '\0';
}

static bool parse_shape(const char *text, struct shape *shape)
{
    char rest;
    if (sscanf(text, "%u,%u,%u%c", &shape->n, &shape->r, &shape->w, &rest) != 3) {
        return false;
    }
    shape->nodes = shape->nodes == 0 ? shape->n : shape->nodes;
    unsigned n = MIN(shape->n, shape->nodes);
    return shape->nodes <= SIM_NODES_MAX && shape->n >= 1 && shape->r >= 1 && shape->w >= 1 &&
           shape->r <= shape->n && shape->w <= shape->n && shape->r + shape->w > n;
}

static bool parse(int argc, char **argv, struct arguments *out)
{
    static const struct option OPTIONS[] = {
        {"seed", required_argument, NULL, 's'},
        {"runs", required_argument, NULL, 'r'},
        {"minutes", required_argument, NULL, 'm'},
        {"nodes", required_argument, NULL, 'n'},
        {"shape", required_argument, NULL, 'h'},
        {"trace", no_argument, NULL, 't'},
        {"trace-all", no_argument, NULL, 'a'},
        {"verify", no_argument, NULL, 'v'},
        {"marks", no_argument, NULL, 'k'},
        {"mutants", optional_argument, NULL, 'u'},
        {NULL, 0, NULL, 0},
    };
    uint64_t number = 0;
    bool good = true;
    *out = (struct arguments){.run.seed = 1, .runs = 100};
    for (int c; good && (c = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1;) {
        switch (c) {
        case 's':
            good = parse_number(optarg, &out->run.seed);
            out->seed_given = true;
            break;
        case 'r':
            good = parse_number(optarg, &out->runs);
            out->runs_given = true;
            break;
        case 'm':
            out->minutes = strtod(optarg, NULL);
            good = out->minutes > 0;
            break;
        case 'n':
            good = parse_number(optarg, &number) && number >= 1 && number <= SIM_NODES_MAX;
            out->run.shape.nodes = (unsigned)number;
            break;
        case 'h':
            good = parse_shape(optarg, &out->run.shape);
            break;
        case 't':
            out->run.trace = true;
            break;
        case 'a':
            out->run.trace_all = true;
            break;
        case 'v':
            out->verify = true;
            break;
        case 'k':
            out->marks = true;
            break;
        case 'u':
            out->mutants = true;
            out->mutant = optarg;
            break;
        default:
            good = false;
        }
    }
    return good && optind == argc && (out->run.shape.nodes == 0 || out->run.shape.n != 0);
}

static int run_seeds(const char *program, const struct arguments *arguments)
{
    struct totals totals = {0};
    struct sim_run_options run = arguments->run;
    uint64_t runs = arguments->seed_given && !arguments->runs_given ? 1 : arguments->runs;
    time_t until = time(NULL) + (time_t)(arguments->minutes * 60);
    for (uint64_t i = 0; arguments->minutes > 0 ? time(NULL) < until : i < runs; i++) {
        run.seed = arguments->run.seed + i;
        say_seed(program, &run);
        (void)run_seed(&run, arguments->verify, &totals);
        if (totals.failed >= 5) {
            break;
        }
    }
    double cpu = cpu_seconds();
    if (arguments->marks) {
        print_marks(&totals);
    }
    unsigned unreached = print_unreached(&totals);
    print_totals(&totals, cpu);
    bool passed = totals.failed == 0 && (!arguments->marks || unreached == 0);
    return passed ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct arguments arguments;
    if (!parse(argc, argv, &arguments)) {
        (void)fprintf(
            stderr,
            "usage: %s [--seed S] [--runs N | --minutes M] [--nodes K] [--shape n,r,w]\n"
            "       [--trace] [--trace-all] [--verify] [--marks] [--mutants[=NAME]]\n"
            "       nodes 1..7, r and w 1..n, r + w > n; --marks prints what was reached\n"
            "       and fails when something was not\n",
            argv[0]);
        return 2;
    }
    if (arguments.mutants) {
        uint64_t runs = arguments.runs_given ? arguments.runs : 3000;
        return mutants_run(argv, arguments.mutant, arguments.run.seed, runs);
    }
    catch_crashes();
    return run_seeds(argv[0], &arguments);
}
