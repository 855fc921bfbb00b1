/* tests/unit/test_merge.c - what a round of answers means, against decide() of
 * model/quorum_model.py.
 *
 * Here every owner says at once what it holds and what it covers, as in the model. Production
 * answers speak of the dots asked about and of what is held besides; who has said nothing of a dot
 * is asked again. Both must come to the same. */
#include "quorum/merge.h"

#include "base/prng.h"
#include "tests/lib/unit.h"

#include <string.h>

enum { DOTS = 5, OWNERS = 5 };

/* What an owner knows of a dot. */
enum known { UNKNOWN, HELD, GONE, KNOWN };

/* One key on the coordinator, 0, and those that it asks. */
struct config {
    unsigned dots, owners;
    struct version versions[DOTS];
    enum known known[OWNERS][DOTS];
    bool silent[OWNERS]; /* Does not answer. */
};

static struct version version_of(uint64_t actor, uint64_t timestamp, unsigned kind)
{
    return (struct version){
        .dot = {actor, 1},
        .timestamp = timestamp,
        .kind = kind & 2 ? VERSION_TOMBSTONE : VERSION_STRING,
        .flags = kind & 1,
    };
}

/* -- The dumb one: sets of dots as bits. */

struct decision {
    unsigned counts, held, lost, same;
    uint64_t timestamp_max;
};

static unsigned bits_of(const struct config *config, unsigned owner, enum known known)
{
    unsigned bits = 0;

    for (unsigned dot = 0; dot < config->dots; dot++) {
        bits |= (unsigned)(config->known[owner][dot] == known) << dot;
    }
    return bits;
}

/* Drop what yields to rank: all but causal values and the highest tag. */
static unsigned ranked(const struct config *config, unsigned bits)
{
    unsigned stays = 0;

    for (unsigned dot = 0; dot < config->dots; dot++) {
        bool top = true;
        for (unsigned other = 0; other < config->dots; other++) {
            bool higher = version_compare_tag(&config->versions[other], &config->versions[dot]) > 0;
            top = top && !((bits >> other & 1) && higher);
        }
        bool causal = config->versions[dot].flags == VERSION_CAUSAL &&
                      config->versions[dot].kind == VERSION_STRING;
        stays |= (bits >> dot & 1 & (unsigned)(top || causal)) << dot;
    }
    return stays;
}

static struct decision decide(const struct config *config)
{
    struct decision decision = {.same = true};
    unsigned gone = 0;

    for (unsigned owner = 0; owner < config->owners; owner++) {
        if (!config->silent[owner]) {
            decision.held |= bits_of(config, owner, HELD);
            gone |= bits_of(config, owner, GONE);
            decision.same =
                decision.same && bits_of(config, owner, HELD) == bits_of(config, 0, HELD);
        }
    }
    decision.counts = ranked(config, decision.held & ~gone);
    decision.lost = decision.held & ~decision.counts;
    for (unsigned dot = 0; dot < config->dots; dot++) {
        if (decision.held >> dot & 1) {
            decision.timestamp_max = MAX(decision.timestamp_max, config->versions[dot].timestamp);
        }
    }
    return decision;
}

/* -- The answers as they would come. */

/* What `owner` answers when asked about `asked`, as quorum/replica.c does. */
static struct answer answer_of(const struct config *config, unsigned owner, struct dot *asked,
                               uint32_t asked_count, struct arena *arena)
{
    struct answer answer = {.answered = true, .asked = asked, .asked_count = asked_count};
    struct version *versions = ARENA_ARRAY(arena, struct version, DOTS);
    uint8_t *statuses = arena_alloc_zero(arena, asked_count);
    bool all_held = true;

    for (unsigned dot = 0; dot < config->dots; dot++) {
        enum known known = config->known[owner][dot];
        bool named = false;
        for (uint32_t i = 0; i < asked_count; i++) {
            if (dot_equal(asked[i], config->versions[dot].dot)) {
                named = true;
                statuses[i] = known == HELD ? DOT_HELD : known == GONE ? DOT_OBSOLETE : DOT_UNKNOWN;
                all_held = all_held && known == HELD;
            }
        }
        if (!named && known == HELD) {
            versions[answer.versions_count++] = config->versions[dot];
        }
    }
    answer.versions = versions;
    answer.statuses = all_held ? (struct bytes){NULL, 0} : (struct bytes){statuses, asked_count};
    return answer;
}

/* Ask again, about all that anyone holds; what came before is kept (quorum/ask.c). */
static void ask_again(const struct config *config, unsigned owner, struct answer *answer,
                      struct dot *asked, uint32_t asked_count, struct arena *arena)
{
    struct version *earlier = ARENA_ARRAY(arena, struct version, DOTS);
    uint32_t count = 0;

    for (uint32_t i = 0; i < answer->versions_count; i++) {
        earlier[count++] = answer->versions[i];
    }
    for (uint32_t i = 0; i < answer->earlier_count; i++) {
        earlier[count++] = answer->earlier[i];
    }
    *answer = answer_of(config, owner, asked, asked_count, arena);
    answer->earlier = earlier;
    answer->earlier_count = count;
}

/* The coordinator's own object; what it covers is in the clock or residual, by turns. */
static void own_of(const struct config *config, struct object *own, struct clock *clock,
                   struct arena *arena)
{
    static const struct clock nothing;

    object_init(own);
    clock_init(clock);
    own->versions = ARENA_ARRAY(arena, struct version, DOTS);
    own->versions_capacity = DOTS;
    for (unsigned dot = 0; dot < config->dots; dot++) {
        const struct version *version = &config->versions[dot];
        if (config->known[0][dot] == HELD) {
            own->versions[own->versions_count++] = *version; /* Not ranked yet, perhaps. */
        } else if (config->known[0][dot] == GONE && dot % 2 == 0) {
            (void)clock_add(clock, version->dot);
        } else if (config->known[0][dot] == GONE) {
            object_drop(own, version->dot, arena);
        }
        ASSERT(!object_covers(own, &nothing, version->dot) || config->known[0][dot] == GONE);
    }
}

/* Ask and merge; asked a second time about all there is, everybody has spoken of everything. Return
 * how often was asked. */
static int merge(const struct config *config, const struct object *own, const struct clock *clock,
                 struct arena *arena, struct merged *merged)
{
    struct answer answers[OWNERS] = {{0}};
    struct dot *asked = ARENA_ARRAY(arena, struct dot, DOTS);
    int rounds = 1;

    for (uint32_t i = 0; i < own->versions_count; i++) {
        asked[i] = own->versions[i].dot;
    }
    for (unsigned owner = 1; owner < config->owners; owner++) {
        if (!config->silent[owner]) {
            answers[owner] = answer_of(config, owner, asked, own->versions_count, arena);
        }
    }
    for (;; rounds++) {
        merge_answers(own, clock, answers, config->owners, arena, merged);
        if (merged->unspoken == 0 || rounds == 2) {
            return rounds;
        }
        for (unsigned owner = 1; owner < config->owners; owner++) {
            if (merged->unspoken >> owner & 1) {
                ask_again(config, owner, &answers[owner], merged->held, merged->held_count, arena);
            }
        }
    }
}

/* -- Both. */

static unsigned bit_of(const struct config *config, struct dot dot)
{
    unsigned bits = 0;

    for (unsigned i = 0; i < config->dots; i++) {
        bits |= (unsigned)dot_equal(config->versions[i].dot, dot) << i;
    }
    ASSERT(bits != 0);
    return bits;
}

static bool agrees(const struct config *config, const struct merged *merged)
{
    struct decision wanted = decide(config), had = {.same = merged->same};
    const struct version *top = NULL;

    for (uint32_t i = 0; i < merged->object.versions_count; i++) {
        unsigned bit = bit_of(config, merged->object.versions[i].dot);
        bool twice = (had.counts & bit) != 0;
        had.counts |= twice ? ~0U : bit;
        const struct version *version = &merged->object.versions[i];
        if (version->kind == VERSION_STRING &&
            (top == NULL || version_compare_tag(version, top) > 0)) {
            top = version;
        }
    }
    for (uint32_t i = 0; i < merged->held_count; i++) {
        had.held |= bit_of(config, merged->held[i]);
    }
    for (uint32_t i = 0; i < merged->lost_count; i++) {
        had.lost |= bit_of(config, merged->lost[i]);
    }
    return had.counts == wanted.counts && had.held == wanted.held && had.lost == wanted.lost &&
           had.same == wanted.same && merged->timestamp_max == wanted.timestamp_max &&
           merged_winner(merged, 0) == top && merged->unspoken == 0;
}

static void must_agree(const struct config *config, struct arena *arena, int *again)
{
    struct object own;
    struct clock clock;
    struct merged merged;

    own_of(config, &own, &clock, arena);
    *again += merge(config, &own, &clock, arena, &merged) > 1;
    if (!agrees(config, &merged)) {
        struct buf text;
        buf_init(&text, 1000);
        for (unsigned owner = 0; owner < config->owners; owner++) {
            buf_printf(&text, " %s%x/%x", config->silent[owner] ? "silent " : "",
                       bits_of(config, owner, HELD), bits_of(config, owner, GONE));
        }
        for (unsigned dot = 0; dot < config->dots; dot++) {
            buf_printf(&text, " %u@%u",
                       config->versions[dot].kind | config->versions[dot].flags << 1,
                       (unsigned)config->versions[dot].timestamp);
        }
        ck_abort_msg("another decision, held/covered:%.*s", (int)text.size, (char *)text.data);
    }
    clock_release(&clock);
    arena_reset(arena);
}

/* What every owner knows of every dot, as a number to the base of three. */
static void set_known(struct config *config, unsigned number)
{
    for (unsigned owner = 0; owner < config->owners; owner++) {
        for (unsigned dot = 0; dot < config->dots; dot++, number /= KNOWN) {
            config->known[owner][dot] = (enum known)(number % KNOWN);
        }
    }
}

/* An owner's object is always ranked: no plain version beside a higher one. */
static bool is_ranked(const struct config *config)
{
    bool good = true;

    for (unsigned owner = 0; owner < config->owners; owner++) {
        unsigned held = bits_of(config, owner, HELD);
        good = good && ranked(config, held) == held;
    }
    return good;
}

static int all_configs(unsigned owners, unsigned dots, int *again)
{
    struct config config = {.owners = owners, .dots = dots};
    unsigned numbers = 1, kinds_count = 1U << (2 * dots);
    struct arena arena;
    int count = 0;

    for (unsigned i = 0; i < owners * dots; i++) {
        numbers *= KNOWN;
    }
    arena_init(&arena, 1 << 14);
    for (unsigned kinds = 0; kinds < kinds_count; kinds++) {
        for (unsigned dot = 0; dot < dots; dot++) { /* Actors 1, 2, 3; the second ranks highest. */
            config.versions[dot] = version_of(dot + 1, 10 + dot * 7 % 5, kinds >> (2 * dot) & 3);
        }
        for (unsigned number = 0; number < numbers; number++) {
            set_known(&config, number);
            if (is_ranked(&config)) {
                must_agree(&config, &arena, again);
                count++;
            }
        }
    }
    arena_release(&arena);
    return count;
}

TEST(two_and_three_owners_decide_as_the_model_does_in_every_small_case)
{
    int again = 0;
    int two = all_configs(2, 3, &again), three = all_configs(3, 2, &again);

    three += all_configs(3, 3, &again);
    ck_assert_int_gt(again, 1000);
    printf("COUNT merge_two_owners %d\nCOUNT merge_three_owners %d\nCOUNT merge_asked_again %d\n",
           two, three, again);
}

TEST(up_to_five_owners_decide_as_the_model_does_whoever_is_silent)
{
    enum { RUNS = 60000 };
    struct arena arena;
    struct prng prng;
    int again = 0;

    arena_init(&arena, 1 << 14);
    prng_init(&prng, 1);
    for (int run = 0; run < RUNS; run++) {
        struct config config = {.owners = 1 + (unsigned)prng_below(&prng, OWNERS), .dots = DOTS};
        for (unsigned dot = 0; dot < DOTS; dot++) {
            config.versions[dot] =
                version_of(dot + 1, 10 + prng_below(&prng, 3), (unsigned)prng_below(&prng, 4));
        }
        for (unsigned owner = 0; owner < config.owners; owner++) {
            config.silent[owner] = owner > 0 && prng_chance(&prng, 4);
            for (unsigned dot = 0; dot < DOTS; dot++) {
                config.known[owner][dot] = (enum known)prng_below(&prng, KNOWN);
            }
        }
        for (unsigned owner = 0; owner < config.owners; owner++) {
            unsigned stays = ranked(&config, bits_of(&config, owner, HELD));
            for (unsigned dot = 0; dot < DOTS; dot++) {
                if (config.known[owner][dot] == HELD && !(stays >> dot & 1)) {
                    config.known[owner][dot] = GONE;
                }
            }
        }
        must_agree(&config, &arena, &again);
    }
    arena_release(&arena);
    printf("COUNT merge_random %d\n", RUNS);
}

UNIT_MAIN(two_and_three_owners_decide_as_the_model_does_in_every_small_case,
          up_to_five_owners_decide_as_the_model_does_whoever_is_silent)
