/* tests/unit/test_place.c - what a partition table promises, over random shapes and changes.
 *
 * Each promise is checked by other means than place_init's: fair shares by bisection in floating
 * point, the unavoidable copies by a minimum-cost flow over the whole table. */
#include "ring/place.h"

#include "base/hash.h"
#include "base/prng.h"
#include "tests/lib/unit.h"

#include <math.h>
#include <string.h>

enum { MEMBERS_MAX = 48, RACKS_MAX = 8 };

struct shape {
    struct ring_member members[MEMBERS_MAX];
    unsigned members_count;
    uint32_t partitions_count;
    unsigned n;
    unsigned born;           /* Names given so far. */
    unsigned racks, weights; /* How many of each there may be. */
};

static uint64_t seed; /* Of the shape being checked. */

#define CLAIM(condition, ...)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            printf("SEED=%llu: %s\n", (unsigned long long)seed, #condition);                       \
            ck_abort_msg(__VA_ARGS__);                                                             \
        }                                                                                          \
    } while (0)

static void shape_join(struct shape *shape, struct prng *prng)
{
    struct ring_member *member = &shape->members[shape->members_count++];

    ASSERT(shape->members_count <= MEMBERS_MAX);
    *member = (struct ring_member){.weight = 1 + (unsigned)prng_below(prng, shape->weights)};
    snprintf(member->name, sizeof(member->name), "n%u", ++shape->born);
    if (shape->racks > 0) {
        unsigned rack = (unsigned)prng_below(prng, shape->racks);
        snprintf(member->rack, sizeof(member->rack), "dc/r%u", rack);
    }
}

static void shape_leave(struct shape *shape, struct prng *prng)
{
    unsigned leaver = (unsigned)prng_below(prng, shape->members_count);

    ASSERT(shape->members_count > 1);
    shape->members[leaver] = shape->members[--shape->members_count];
}

static void shape_make(struct shape *shape, struct prng *prng, unsigned members_max,
                       uint32_t partitions_max)
{
    unsigned count = 1 + (unsigned)prng_below(prng, members_max);

    *shape = (struct shape){
        .partitions_count = 1,
        .n = 1 + (unsigned)prng_below(prng, 5),
        .racks = (unsigned)prng_below(prng, RACKS_MAX + 1),
        .weights = prng_chance(prng, 2) ? 1 : 1 + (unsigned)prng_below(prng, 10),
    };
    while (shape->partitions_count < partitions_max && !prng_chance(prng, 6)) {
        shape->partitions_count *= 2;
    }
    while (shape->members_count < count) {
        shape_join(shape, prng);
    }
}

static void shape_place(struct place *place, const struct shape *shape, const struct place *current)
{
    place_init(place, shape->members, shape->members_count, shape->partitions_count, shape->n,
               current);
}

static unsigned shape_owners(const struct shape *shape)
{
    return MIN(shape->n, shape->members_count);
}

static bool same_rack(const struct shape *shape, unsigned a, unsigned b)
{
    return strcmp(shape->members[a].rack, shape->members[b].rack) == 0;
}

/* Members that share the rack of `member` and come before it in the array. */
static unsigned rack_before(const struct shape *shape, unsigned member)
{
    unsigned count = 0;

    for (unsigned m = 0; m < member; m++) {
        count += same_rack(shape, m, member);
    }
    return count;
}

/* The least number c such that c members of each rack, where it has them, are enough owners. */
static unsigned rack_limit(const struct shape *shape)
{
    for (unsigned limit = 1;; limit++) {
        unsigned found = 0;
        for (unsigned m = 0; m < shape->members_count; m++) {
            found += rack_before(shape, m) < limit;
        }
        if (found >= shape_owners(shape)) {
            return limit;
        }
    }
}

/* Vnodes that the rack of `member` takes when each unit of weight asks for `level`. */
static double rack_asks(const struct shape *shape, unsigned member, double level)
{
    double sum = 0;

    for (unsigned m = 0; m < shape->members_count; m++) {
        if (same_rack(shape, m, member)) {
            sum += fmin(shape->partitions_count, level * shape->members[m].weight);
        }
    }
    return sum;
}

/* The level at which the racks, limited, take what there is; or at which one rack is full. */
static double find_level(const struct shape *shape, int rack_of_member)
{
    double low = 0, high = 1e7, full = rack_limit(shape) * (double)shape->partitions_count;
    double wanted =
        rack_of_member >= 0 ? full : shape_owners(shape) * (double)shape->partitions_count;

    for (int i = 0; i < 100; i++) {
        double level = (low + high) / 2, sum = 0;
        for (unsigned m = 0; m < shape->members_count; m++) {
            if (rack_of_member < 0 && rack_before(shape, m) == 0) {
                sum += fmin(full, rack_asks(shape, m, level));
            }
        }
        if (rack_of_member >= 0) {
            sum = rack_asks(shape, (unsigned)rack_of_member, level);
        }
        *(sum < wanted ? &low : &high) = level;
    }
    return high;
}

static void fair_shares(const struct shape *shape, double *shares)
{
    double level = find_level(shape, -1);
    double full = rack_limit(shape) * (double)shape->partitions_count;

    for (unsigned m = 0; m < shape->members_count; m++) {
        double own = rack_asks(shape, m, level) > full ? find_level(shape, (int)m) : level;
        shares[m] = fmin(shape->partitions_count, own * shape->members[m].weight);
    }
}

static void check_owners(const struct shape *shape, const struct place *place)
{
    unsigned limit = rack_limit(shape);

    CLAIM(place_owners_count(place) == shape_owners(shape), "owners count");
    for (uint32_t p = 0; p < shape->partitions_count; p++) {
        const uint16_t *owners = place_owners(place, p);
        for (unsigned i = 0; i < place_owners_count(place); i++) {
            unsigned same = 0;
            CLAIM(owners[i] < shape->members_count, "no such member");
            for (unsigned k = 0; k < place_owners_count(place); k++) {
                CLAIM(k == i || owners[k] != owners[i], "an owner twice");
                same += same_rack(shape, owners[k], owners[i]);
            }
            CLAIM(same <= limit, "partition %u has %u owners in one rack", p, same);
            CLAIM(place_index_of(place, p, owners[i]) == (int)i, "index of an owner");
        }
    }
}

static void check_loads(const struct shape *shape, const struct place *place)
{
    uint32_t loads[MEMBERS_MAX], primaries[MEMBERS_MAX];
    double shares[MEMBERS_MAX], slack = 1e-6;

    fair_shares(shape, shares);
    place_loads(place, loads, primaries);
    for (unsigned m = 0; m < shape->members_count; m++) {
        double first = shares[m] / shape_owners(shape);
        CLAIM(loads[m] >= floor(shares[m] - slack), "%u of %f", loads[m], shares[m]);
        CLAIM(loads[m] <= ceil(shares[m] - slack), "%u of %f", loads[m], shares[m]);
        CLAIM(primaries[m] >= floor(first - slack), "%u of %f first", primaries[m], first);
        CLAIM(primaries[m] <= ceil(first - slack), "%u of %f first", primaries[m], first);
    }
}

/* A table by names, so that the order of the members does not show. */
static uint64_t digest_of(const struct shape *shape, const struct place *place)
{
    uint64_t digest = 0;

    for (uint32_t p = 0; p < shape->partitions_count; p++) {
        for (unsigned i = 0; i < place_owners_count(place); i++) {
            uint8_t mixed[8];
            be64_set(mixed, digest);
            digest = hash_xxh3_2((struct bytes){mixed, sizeof(mixed)},
                                 bytes_of(shape->members[place_owners(place, p)[i]].name));
        }
    }
    return digest;
}

static void check_order(const struct shape *shape, const struct place *place,
                        const struct place *current, struct prng *prng)
{
    struct shape shuffled = *shape;
    struct place other;

    for (unsigned m = shape->members_count; m > 1; m--) {
        unsigned k = (unsigned)prng_below(prng, m);
        struct ring_member member = shuffled.members[k];
        shuffled.members[k] = shuffled.members[m - 1];
        shuffled.members[m - 1] = member;
    }
    shape_place(&other, &shuffled, current);
    CLAIM(digest_of(shape, place) == digest_of(&shuffled, &other), "order matters");
    CLAIM(place_moves(place, &other) == 0, "order matters");
    place_release(&other);
}

/* The reference for copies: a network source - partition - rack of it - member - sink, whose last
 * arcs hold the bounds, solved with Bellman and Ford's shortest paths one vnode at a time. */
enum { NODES_MAX = 2 + 8 + 8 * RACKS_MAX + 8, ARCS_MAX = 2000 };

struct network {
    struct {
        int from, to, room, cost;
    } arcs[ARCS_MAX];
    int arcs_count;
    int distance[NODES_MAX], by[NODES_MAX];
};

static void arc(struct network *network, int from, int to, int room, int cost)
{
    ASSERT(network->arcs_count + 2 <= ARCS_MAX);
    network->arcs[network->arcs_count].from = from;
    network->arcs[network->arcs_count].to = to;
    network->arcs[network->arcs_count].room = room;
    network->arcs[network->arcs_count++].cost = cost;
    network->arcs[network->arcs_count].from = to;
    network->arcs[network->arcs_count].to = from;
    network->arcs[network->arcs_count].room = 0;
    network->arcs[network->arcs_count++].cost = -cost;
}

/* Send one unit from node 0 to node 1 and return its cost. */
static int network_push(struct network *network)
{
    bool changed = true;

    for (int i = 0; i < NODES_MAX; i++) {
        network->distance[i] = i == 0 ? 0 : 1 << 20;
    }
    while (changed) {
        changed = false;
        for (int i = 0; i < network->arcs_count; i++) {
            int from = network->arcs[i].from, to = network->arcs[i].to;
            int distance = network->distance[from] + network->arcs[i].cost;
            if (network->arcs[i].room > 0 && distance < network->distance[to] &&
                network->distance[from] < 1 << 19) {
                network->distance[to] = distance;
                network->by[to] = i;
                changed = true;
            }
        }
    }
    ASSERT(network->distance[1] < 1 << 19);
    for (int at = 1; at != 0; at = network->arcs[network->by[at]].from) {
        network->arcs[network->by[at]].room--;
        network->arcs[network->by[at] ^ 1].room++;
    }
    return network->distance[1];
}

static bool owned_before(const struct place *old, uint32_t partition, const char *name)
{
    for (unsigned m = 0; m < old->members_count; m++) {
        if (strcmp(old->names[m], name) == 0) {
            return place_is_owner(old, partition, m);
        }
    }
    return false;
}

/* The fewest copies with which any table within the same bounds can be reached from `old`. */
static int unavoidable(const struct shape *shape, const struct place *old)
{
    enum { MUST = 1000 };
    struct network network = {0};
    int racks = 2 + (int)shape->partitions_count, limit = (int)rack_limit(shape), cost = 0;
    int members = racks + (int)shape->partitions_count * RACKS_MAX;
    double shares[MEMBERS_MAX];

    fair_shares(shape, shares);
    for (unsigned m = 0; m < shape->members_count; m++) {
        int low = (int)floor(shares[m] + 1e-6), high = (int)ceil(shares[m] - 1e-6);
        arc(&network, members + (int)m, 1, low, -MUST);
        arc(&network, members + (int)m, 1, high - low, 0);
        cost += MUST * low;
    }
    for (uint32_t p = 0; p < shape->partitions_count; p++) {
        int base = racks + (int)p * RACKS_MAX;
        unsigned rack_of[MEMBERS_MAX] = {0}, racks_count = 0;
        arc(&network, 0, 2 + (int)p, (int)shape_owners(shape), 0);
        for (unsigned m = 0; m < shape->members_count; m++) {
            if (rack_before(shape, m) == 0) {
                rack_of[m] = racks_count++;
                arc(&network, 2 + (int)p, base + (int)rack_of[m], limit, 0);
            }
            for (unsigned k = 0; k < m && rack_before(shape, m) > 0; k++) {
                rack_of[m] = same_rack(shape, k, m) ? rack_of[k] : rack_of[m];
            }
            arc(&network, base + (int)rack_of[m], members + (int)m, 1,
                !owned_before(old, p, shape->members[m].name));
        }
    }
    for (uint32_t i = 0; i < shape->partitions_count * shape_owners(shape); i++) {
        cost += network_push(&network);
    }
    return cost;
}

static void change(struct shape *shape, struct prng *prng)
{
    uint64_t kind = prng_below(prng, 8);

    if (kind == 0) {
        shape->n = 1 + (unsigned)prng_below(prng, 5);
    } else if (kind == 1) {
        unsigned m = (unsigned)prng_below(prng, shape->members_count);
        shape->members[m].weight = 1 + (unsigned)prng_below(prng, 10);
    } else if (kind < 5 && shape->members_count > 1) {
        shape_leave(shape, prng);
    } else if (shape->members_count < MEMBERS_MAX) {
        shape_join(shape, prng);
    }
}

static void check_table(const struct shape *shape, const struct place *place,
                        const struct place *current, struct prng *prng)
{
    check_owners(shape, place);
    check_loads(shape, place);
    if (prng_chance(prng, 4)) {
        check_order(shape, place, current, prng);
    }
}

/* A table and `changes` successors; return how many tables that were. */
static unsigned check_history(unsigned members_max, uint32_t partitions_max, unsigned changes)
{
    struct shape shape;
    struct prng prng;
    struct place place;

    prng_init(&prng, seed);
    shape_make(&shape, &prng, members_max, partitions_max);
    shape_place(&place, &shape, NULL);
    check_table(&shape, &place, NULL, &prng);
    for (unsigned i = 0; i < changes; i++) {
        struct place next;
        change(&shape, &prng);
        shape_place(&next, &shape, &place);
        check_table(&shape, &next, &place, &prng);
        place_release(&place);
        place = next;
    }
    place_release(&place);
    return 1 + changes;
}

TEST(every_table_keeps_every_promise)
{
    unsigned shapes = 0;

    for (seed = 1; seed <= 4000; seed++) {
        shapes += check_history(12, 64, 4);
    }
    for (; seed <= 4200; seed++) {
        shapes += check_history(40, 512, 2);
    }
    printf("COUNT place_shapes %u\n", shapes);
    ck_assert_uint_ge(shapes, 20000);
}

TEST(a_change_copies_no_more_than_it_must)
{
    unsigned changes = 0;

    for (seed = 100001; seed <= 103000; seed++) {
        struct shape shape;
        struct prng prng;
        struct place old, new;
        prng_init(&prng, seed);
        shape_make(&shape, &prng, 7, 8);
        shape_place(&old, &shape, NULL);
        change(&shape, &prng);
        shape_place(&new, &shape, &old);
        unsigned moves = place_moves(&old, &new), must = (unsigned)unavoidable(&shape, &old);
        CLAIM(moves == must, "%u copies, %u needed", moves, must);
        changes++;
        place_release(&old);
        place_release(&new);
    }
    printf("COUNT place_changes %u\n", changes);
}

TEST(a_newcomer_gets_its_share_and_nothing_else_moves)
{
    for (unsigned members = 3; members < MEMBERS_MAX; members += 4) {
        struct shape shape = {.partitions_count = 1024, .n = 3, .weights = 1};
        struct prng prng;
        struct place old, new, back;
        prng_init(&prng, seed = members);
        while (shape.members_count < members) {
            shape_join(&shape, &prng);
        }
        shape_place(&old, &shape, NULL);
        shape_join(&shape, &prng);
        shape_place(&new, &shape, &old);
        unsigned share = 3 * 1024 / (members + 1);
        CLAIM(place_moves(&old, &new) <= share + 1, "%u for %u", place_moves(&old, &new), share);
        shape.members_count--;
        shape_place(&back, &shape, &new);
        CLAIM(place_moves(&new, &back) <= share + 1, "%u for %u", place_moves(&new, &back), share);
        place_release(&old);
        place_release(&new);
        place_release(&back);
    }
}

TEST(a_table_is_its_own_successor)
{
    for (seed = 1; seed <= 300; seed++) {
        struct shape shape;
        struct prng prng;
        struct place old, new;
        prng_init(&prng, seed);
        shape_make(&shape, &prng, 20, 128);
        shape_place(&old, &shape, NULL);
        shape_place(&new, &shape, &old);
        CLAIM(digest_of(&shape, &old) == digest_of(&shape, &new), "not stable");
        place_release(&old);
        place_release(&new);
    }
}

TEST(a_lonely_rack_owns_every_partition)
{
    struct shape shape = {.partitions_count = 64, .n = 3, .weights = 1, .racks = 1};
    struct prng prng;
    struct place place;
    uint32_t loads[MEMBERS_MAX];

    prng_init(&prng, 1);
    while (shape.members_count < 6) {
        shape_join(&shape, &prng);
    }
    strcpy(shape.members[2].rack, "dc2/r1");
    shape_place(&place, &shape, NULL);
    check_table(&shape, &place, NULL, &prng);
    place_loads(&place, loads, NULL);
    ck_assert_uint_eq(loads[2], 64);
    place_release(&place);
}

/* A node of another version must compute the same table: what these digests pin down. */
TEST(tables_are_those_of_earlier_versions)
{
    static const struct {
        unsigned members, racks, weights, n;
        uint32_t partitions;
        uint64_t digest, digest_after;
    } table[] = {
        {1, 0, 1, 3, 1024, 0xf51257ce0ff71695, 0x556b18548a78474c},
        {3, 0, 1, 3, 1024, 0xdb04d52a3657b3c3, 0xd8437aaefc3683f9},
        {8, 4, 1, 3, 1024, 0xe58a74d0cf6f40ce, 0xecef87a55244ac4d},
        {13, 5, 7, 3, 256, 0x21d42f966eadd9db, 0x7e8d37d8a883d58c},
        {40, 8, 3, 5, 512, 0x2b7794a8eb84787d, 0x34919bf4ff9792ef},
    };

    for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
        struct shape shape = {.partitions_count = table[i].partitions,
                              .n = table[i].n,
                              .racks = table[i].racks,
                              .weights = table[i].weights};
        struct prng prng;
        struct place old, new;
        prng_init(&prng, i);
        while (shape.members_count < table[i].members) {
            shape_join(&shape, &prng);
        }
        shape_place(&old, &shape, NULL);
        uint64_t digest = digest_of(&shape, &old);
        shape_join(&shape, &prng);
        shape_place(&new, &shape, &old);
        uint64_t after = digest_of(&shape, &new);
        CLAIM(digest == table[i].digest, "table %zu: 0x%016llx", i, (unsigned long long)digest);
        CLAIM(after == table[i].digest_after, "after %zu: 0x%016llx", i, (unsigned long long)after);
        place_release(&old);
        place_release(&new);
    }
}

UNIT_MAIN(every_table_keeps_every_promise, a_change_copies_no_more_than_it_must,
          a_newcomer_gets_its_share_and_nothing_else_moves, a_table_is_its_own_successor,
          a_lonely_rack_owns_every_partition, tables_are_those_of_earlier_versions)
