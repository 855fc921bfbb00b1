#include "tests/sim/sim_marks.h"

static const struct {
    const char *name, *words;
} MARKS[] = {
#define X(name, words) {#name, words},
    MARK_LIST(X)
#undef X
};

const char *mark_name(enum mark mark)
{
    ASSERT(mark < MARKS_COUNT);
    return MARKS[mark].name;
}

const char *mark_words(enum mark mark)
{
    ASSERT(mark < MARKS_COUNT);
    return MARKS[mark].words;
}
