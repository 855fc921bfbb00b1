#include "ring/share.h"

struct share {
    const struct share_input *input;
    bool *member_full; /* Owns every partition. */
    bool *rack_full;   /* Owns every partition rack_limit times. */
    uint32_t *rack_members_full;
    uint64_t *rack_weight; /* Of the members that are not full. */
    uint64_t left, weight; /* A share is left * weights[m] / weight, unless full. */
};

unsigned share_rack_limit(const struct share_input *input)
{
    uint32_t *sizes = mem_alloc_zero(input->racks_count, sizeof(uint32_t));
    unsigned limit = 0, found = 0;

    ASSERT(input->owners_count <= input->members_count);
    for (unsigned m = 0; m < input->members_count; m++) {
        sizes[input->racks[m]]++;
    }
    while (found < input->owners_count) {
        limit++;
        found = 0;
        for (unsigned r = 0; r < input->racks_count; r++) {
            found += MIN(sizes[r], limit);
        }
    }
    mem_free(sizes);
    return limit;
}

/* What each unit of weight would get if nobody but the full ones was limited. */
static void share_level(struct share *share)
{
    const struct share_input *in = share->input;
    uint64_t q = in->partitions_count;

    share->left = q * in->owners_count;
    share->weight = 0;
    for (unsigned r = 0; r < in->racks_count; r++) {
        share->rack_weight[r] = 0;
        share->rack_members_full[r] = 0;
        share->left -= share->rack_full[r] ? q * in->rack_limit : 0;
    }
    for (unsigned m = 0; m < in->members_count; m++) {
        unsigned r = in->racks[m];
        if (share->rack_full[r]) {
            continue;
        }
        if (share->member_full[m]) {
            share->rack_members_full[r]++;
            share->left -= q;
        } else {
            share->rack_weight[r] += in->weights[m];
            share->weight += in->weights[m];
        }
    }
    ASSERT(share->left <= q * in->owners_count);
}

/* Mark what would get more than it can take. The level only ever rises by that, so nobody who is
 * marked once would have to be unmarked. Return whether anything was marked. */
static bool share_mark(struct share *share)
{
    const struct share_input *in = share->input;
    uint64_t q = in->partitions_count;
    bool marked = false;

    for (unsigned m = 0; m < in->members_count; m++) {
        if (!share->rack_full[in->racks[m]] && !share->member_full[m] &&
            share->left * in->weights[m] > q * share->weight) {
            share->member_full[m] = true;
            marked = true;
        }
    }
    if (marked) {
        return true; /* First what a rack's members cannot take: it may be all that is too much. */
    }
    for (unsigned r = 0; r < in->racks_count; r++) {
        uint64_t weight = MAX(share->weight, 1u); /* 0 once every member is full: left is 0 too. */
        uint64_t asked =
            share->left * share->rack_weight[r] + share->rack_members_full[r] * q * weight;
        if (!share->rack_full[r] && asked > in->rack_limit * q * weight) {
            share->rack_full[r] = true;
            marked = true;
        }
    }
    return marked;
}

static void share_write(const struct share *share, unsigned member, uint32_t *low, uint32_t *high)
{
    const struct share_input *in = share->input;

    if (share->member_full[member]) {
        low[member] = high[member] = in->partitions_count;
        return;
    }
    uint64_t wanted = share->left * in->weights[member];
    ASSERT(share->weight > 0);
    low[member] = (uint32_t)(wanted / share->weight);
    high[member] = low[member] + (wanted % share->weight != 0);
    ASSERT(high[member] <= in->partitions_count);
}

/* A full rack is a small world of its own: its members share rack_limit owners per partition. */
static void share_full_rack(const struct share *share, unsigned rack, uint32_t *low, uint32_t *high)
{
    const struct share_input *in = share->input;
    uint64_t q = in->partitions_count;
    struct share inner = {.input = in, .member_full = share->member_full};
    bool marked = true;

    for (unsigned m = 0; m < in->members_count; m++) {
        inner.member_full[m] = in->racks[m] == rack ? false : inner.member_full[m];
    }
    while (marked) {
        marked = false;
        inner.left = q * in->rack_limit;
        inner.weight = 0;
        for (unsigned m = 0; m < in->members_count; m++) {
            if (in->racks[m] == rack) {
                inner.left -= inner.member_full[m] ? q : 0;
                inner.weight += inner.member_full[m] ? 0 : in->weights[m];
            }
        }
        for (unsigned m = 0; m < in->members_count; m++) {
            if (in->racks[m] == rack && !inner.member_full[m] &&
                inner.left * in->weights[m] > q * inner.weight) {
                inner.member_full[m] = true;
                marked = true;
            }
        }
    }
    for (unsigned m = 0; m < in->members_count; m++) {
        if (in->racks[m] == rack) {
            share_write(&inner, m, low, high);
        }
    }
}

void share_bounds(const struct share_input *input, uint32_t *low, uint32_t *high)
{
    struct share share = {
        .input = input,
        .member_full = mem_alloc_zero(input->members_count, sizeof(bool)),
        .rack_full = mem_alloc_zero(input->racks_count, sizeof(bool)),
        .rack_members_full = mem_alloc_zero(input->racks_count, sizeof(uint32_t)),
        .rack_weight = mem_alloc_zero(input->racks_count, sizeof(uint64_t)),
    };

    do {
        share_level(&share);
    } while (share_mark(&share));
    for (unsigned m = 0; m < input->members_count; m++) {
        if (!share.rack_full[input->racks[m]]) {
            share_write(&share, m, low, high);
        }
    }
    for (unsigned r = 0; r < input->racks_count; r++) {
        if (share.rack_full[r]) {
            share_full_rack(&share, r, low, high);
        }
    }
    mem_free(share.member_full);
    mem_free(share.rack_full);
    mem_free(share.rack_members_full);
    mem_free(share.rack_weight);
}
