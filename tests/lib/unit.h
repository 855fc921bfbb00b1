/* tests/lib/unit.h - the frame of a unit test program: Check, one process per test.
 *
 *     TEST(a_claim_that_reads_as_a_sentence)
 *     {
 *         ck_assert_int_eq(1 + 1, 2);
 *     }
 *
 *     UNIT_MAIN(a_claim_that_reads_as_a_sentence, another_one)
 *
 * A test that is defined and not named in UNIT_MAIN does not compile (unused variable). */
#pragma once

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base.h"

#define TEST(name) START_TEST(name)

enum { UNIT_TIMEOUT_S = 120 };

static inline int unit_run(const char *file, const TTest *const *tests, size_t count)
{
    Suite *suite = suite_create(file);
    TCase *all = tcase_create("all");

    tcase_set_timeout(all, UNIT_TIMEOUT_S);
    for (size_t i = 0; i < count; i++) {
        tcase_add_test(all, tests[i]);
    }
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int run = srunner_ntests_run(runner), failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    printf("COUNT unit_tests %d\n", run);
    return failed == 0 && run == (int)count ? EXIT_SUCCESS : EXIT_FAILURE;
}

#define UNIT_MAIN(...)                                                                             \
    int main(void)                                                                                 \
    {                                                                                              \
        const TTest *const tests[] = {__VA_ARGS__};                                                \
        return unit_run(__FILE__, tests, ARRAY_COUNT(tests));                                      \
    }

/* How a process that runs `body` ends, as waitpid(2) says it; 0: `body` returned. */
static inline int unit_fate(void (*body)(void))
{
    (void)fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        (void)setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        (void)close(STDERR_FILENO);
        body();
        _exit(EXIT_SUCCESS);
    }
    int status = 0;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return status;
}

/* True when `body` stops the process as a broken ASSERT does. */
static inline bool unit_aborts(void (*body)(void))
{
    int fate = unit_fate(body);
    return WIFSIGNALED(fate) && WTERMSIG(fate) == SIGABRT;
}
