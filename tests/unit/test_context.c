/* Contexts: what is given out comes back, and nothing else is taken. */
#include "node/context.h"

#include "base/hash.h"
#include "base/prng.h"
#include "quorum/key.h"
#include "tests/lib/unit.h"

#include <string.h>

static const uint8_t CLUSTER[16] = "cluster-id-16-b.";
static const uint8_t SECRET[16] = "context-key-16-b";

struct world {
    struct arena arena;
    struct context_binding binding;
    struct buf token;
    struct prng prng;
};

static void world_init(struct world *world)
{
    arena_init(&world->arena, 4096);
    world->binding = (struct context_binding){
        .cluster_id = CLUSTER,
        .context_key = SECRET,
        .key = key_encode(&world->arena, 0, BYTES_LITERAL("k")),
    };
    buf_init(&world->token, CONTEXT_TOKEN_MAX);
    prng_init(&world->prng, 7);
}

static void world_release(struct world *world)
{
    buf_release(&world->token);
    arena_release(&world->arena);
}

/* `count` different dots, as a busy key has them. */
static void random_dots(struct prng *prng, struct seen_dot *dots, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint64_t member = prng_chance(prng, 3) ? prng_below(prng, 4) : i;
        dots[i] = (struct seen_dot){
            .dot = {.actor = member << 44 | (member * 2654435761U & 0xfffffffff), .counter = i + 1},
            .timestamp =
                ((uint64_t)1700000000000 + prng_below(prng, 600000)) << 16 | prng_below(prng, 4),
        };
    }
}

static enum context_result decode(struct world *world, struct bytes token, uint32_t *count)
{
    struct seen_dot *dots = NULL;
    return context_decode(&world->binding, token, &world->arena, &dots, count);
}

TEST(every_context_comes_back)
{
    struct world world;
    struct seen_dot dots[64];
    world_init(&world);
    for (unsigned round = 0; round < 3000; round++) {
        uint32_t count = (uint32_t)prng_below(&world.prng, 65);
        random_dots(&world.prng, dots, count);
        buf_clear(&world.token);
        context_encode(&world.binding, dots, count, &world.arena, &world.token);
        struct seen_dot *back = NULL;
        uint32_t back_count = 99;
        ck_assert_int_eq(context_decode(&world.binding, buf_bytes(&world.token), &world.arena,
                                        &back, &back_count),
                         CONTEXT_OK);
        ck_assert_uint_eq(back_count, count);
        for (uint32_t i = 0; i < count; i++) {
            bool found = false;
            for (uint32_t j = 0; j < count; j++) {
                found |=
                    dot_equal(back[j].dot, dots[i].dot) && back[j].timestamp == dots[i].timestamp;
            }
            ck_assert(found);
            ck_assert(i == 0 || dot_compare(back[i - 1].dot, back[i].dot) < 0);
        }
        arena_reset(&world.arena);
        world.binding.key = key_encode(&world.arena, 0, BYTES_LITERAL("k"));
    }
    world_release(&world);
}
END_TEST

TEST(thirty_two_siblings_of_as_many_actors_fit_1_kb_of_printable_text)
{
    struct world world;
    struct seen_dot dots[32];
    world_init(&world);
    for (uint32_t i = 0; i < 32; i++) {
        dots[i] = (struct seen_dot){
            .dot = {.actor = UINT64_MAX - i, .counter = (uint64_t)1 << 40},
            .timestamp = ((uint64_t)1700000000000 + (uint64_t)i * 86400000) << 16,
        };
    }
    context_encode(&world.binding, dots, 32, &world.arena, &world.token);
    ck_assert_uint_le(world.token.size, 1024);
    for (size_t i = 0; i < world.token.size; i++) {
        uint8_t c = world.token.data[i];
        ck_assert((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '-' || c == '_');
    }
    world_release(&world);
}
END_TEST

TEST(every_changed_bit_is_noticed)
{
    struct world world;
    struct seen_dot dots[5];
    world_init(&world);
    for (uint32_t size = 0; size <= 5; size++) { /* All three ways in which base64 can end. */
        uint32_t count = 0;
        random_dots(&world.prng, dots, size);
        buf_clear(&world.token);
        context_encode(&world.binding, dots, size, &world.arena, &world.token);
        for (size_t bit = 0; bit < world.token.size * 8; bit++) {
            world.token.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
            ck_assert_int_ne(decode(&world, buf_bytes(&world.token), &count), CONTEXT_OK);
            world.token.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        for (size_t cut = 0; cut < world.token.size; cut++) {
            ck_assert_int_eq(decode(&world, (struct bytes){world.token.data, cut}, &count),
                             CONTEXT_DAMAGED);
        }
        ck_assert_int_eq(decode(&world, buf_bytes(&world.token), &count), CONTEXT_OK);
    }
    world_release(&world);
}
END_TEST

TEST(another_key_cluster_or_secret_has_words_of_its_own)
{
    static const uint8_t OTHER[16] = "another-id-16-b.";
    struct world world;
    struct seen_dot dots[3];
    uint32_t count = 0;
    world_init(&world);
    random_dots(&world.prng, dots, 3);
    context_encode(&world.binding, dots, 3, &world.arena, &world.token);
    struct bytes token = buf_bytes(&world.token);

    world.binding.key = key_encode(&world.arena, 0, BYTES_LITERAL("l"));
    ck_assert_int_eq(decode(&world, token, &count), CONTEXT_OTHER_KEY);
    world.binding.key = key_encode(&world.arena, 1, BYTES_LITERAL("k")); /* Another database. */
    ck_assert_int_eq(decode(&world, token, &count), CONTEXT_OTHER_KEY);
    world.binding.key = key_encode(&world.arena, 0, BYTES_LITERAL("k"));
    world.binding.cluster_id = OTHER;
    ck_assert_int_eq(decode(&world, token, &count), CONTEXT_FOREIGN);
    world.binding.cluster_id = CLUSTER;
    world.binding.context_key = OTHER;
    ck_assert_int_eq(decode(&world, token, &count), CONTEXT_FORGED);
    ck_assert_int_eq(decode(&world, BYTES_LITERAL("hello"), &count), CONTEXT_DAMAGED);
    for (int a = CONTEXT_OK; a <= CONTEXT_FORGED; a++) {
        for (int b = CONTEXT_OK; b < a; b++) {
            ck_assert_str_ne(context_text((enum context_result)a),
                             context_text((enum context_result)b));
        }
    }
    world_release(&world);
}
END_TEST

UNIT_MAIN(every_context_comes_back,
          thirty_two_siblings_of_as_many_actors_fit_1_kb_of_printable_text,
          every_changed_bit_is_noticed, another_key_cluster_or_secret_has_words_of_its_own)
