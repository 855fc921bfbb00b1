/* tests/unit/test_options.c - every key at its limits, every error text, every rule. */
#include "node/options.h"

#include <string.h>

#include "tests/lib/unit.h"

static struct options options;
static struct buf words;
static struct arena arena;

static void given(void)
{
    options_init(&options);
    buf_init(&words, 4096);
    arena_init(&arena, 4096);
}

static void released(void)
{
    buf_release(&words);
    arena_release(&arena);
}

/* Set, and return the words as a string; "" after OK. */
static const char *set(const char *key, const char *value)
{
    buf_clear(&words);
    enum err err = options_set(&options, key, value, &words);
    ck_assert_int_eq(err == OK, words.size == 0);
    buf_put_u8(&words, '\0');
    return (const char *)words.data;
}

static const char *checked(void)
{
    buf_clear(&words);
    enum err err = options_check(&options, &words);
    ck_assert_int_eq(err == OK, words.size == 0);
    buf_put_u8(&words, '\0');
    return (const char *)words.data;
}

static const char *get(const char *key)
{
    return options_get(&options, key, &arena);
}

static const struct limits {
    const char *key, *initial;
    unsigned long long min, max;
} NUMBERS[] = {
    {"weight", "1", 1, 1000},
    {"n", "3", 1, 7},
    {"r", "2", 1, 7},
    {"w", "2", 1, 7},
    {"sync-interval-ms", "1000", 10, 60000},
    {"sync-delay-us", "0", 0, 100000},
    {"request-timeout-ms", "1000", 10, 60000},
    {"max-clock-drift-ms", "500", 1, 60000},
    {"max-clients", "10000", 1, 1000000},
    {"client-pipeline-max", "1024", 1, 1000000},
    {"requests-max", "100000", 1, 10000000},
    {"siblings-max", "32", 1, 1024},
    {"hedge-ms", "50", 1, 60000},
    {"peer-alive-ms", "1000", 10, 60000},
    {"clock-exchange-ms", "1000", 10, 60000},
};

static const struct limits SIZES[] = {
    {"max-value-bytes", "64mb", 1024, 512ULL << 20},
    {"max-request-bytes", "128mb", 1024, 1ULL << 30},
    {"cache-bytes", "64mb", 1 << 20, 1ULL << 40},
    {"client-output-max-bytes", "256mb", 64 << 10, 16ULL << 30},
    {"client-pause-bytes", "1mb", 4 << 10, 1ULL << 30},
    {"peer-queue-max-bytes", "64mb", 64 << 10, 16ULL << 30},
    {"log-partition-max-bytes", "256kb", 4 << 10, 1ULL << 30},
};

static void check_number(const struct limits *limits)
{
    char text[32];
    char expected[160];
    ck_assert_str_eq(get(limits->key), limits->initial);
    for (unsigned long long value = limits->min; value <= limits->max;
         value += MAX(limits->max - limits->min, 1)) {
        snprintf(text, sizeof(text), "%llu", value);
        ck_assert_str_eq(set(limits->key, text), "");
        ck_assert_str_eq(get(limits->key), text);
    }
    const char *last = get(limits->key);
    for (int above = 0; above < 2; above++) {
        if (above == 0 && limits->min == 0) {
            continue;
        }
        snprintf(text, sizeof(text), "%llu", above != 0 ? limits->max + 1 : limits->min - 1);
        snprintf(expected, sizeof(expected), "%s must be a number from %llu to %llu, not '%s'",
                 limits->key, limits->min, limits->max, text);
        ck_assert_str_eq(set(limits->key, text), expected);
    }
    const char *const nonsense[] = {"",   "-1",  "+1", " 1",
                                    "1 ", "0x1", "1k", "99999999999999999999"};
    for (size_t i = 0; i < ARRAY_COUNT(nonsense); i++) {
        snprintf(expected, sizeof(expected), "%s must be a number from %llu to %llu, not '%s'",
                 limits->key, limits->min, limits->max, nonsense[i]);
        ck_assert_str_eq(set(limits->key, nonsense[i]), expected);
    }
    ck_assert_str_eq(get(limits->key), last);
}

TEST(every_number_takes_its_limits_and_nothing_beyond)
{
    for (size_t i = 0; i < ARRAY_COUNT(NUMBERS); i++) {
        given();
        check_number(&NUMBERS[i]);
        released();
    }
}

/* As options.c shows sizes: the largest unit that divides. */
static void size_text(char text[32], unsigned long long value)
{
    static const char *const units[] = {"", "kb", "mb", "gb"};
    int unit = 0;
    for (; unit < 3 && value % 1024 == 0; unit++) {
        value /= 1024;
    }
    snprintf(text, 32, "%llu%s", value, units[unit]);
}

static void check_size(const struct limits *limits)
{
    char plain[32];
    char min[32];
    char max[32];
    char expected[200];
    ck_assert_str_eq(get(limits->key), limits->initial);
    size_text(min, limits->min);
    size_text(max, limits->max);
    snprintf(plain, sizeof(plain), "%llu", limits->min);
    ck_assert_str_eq(set(limits->key, plain), "");
    ck_assert_str_eq(get(limits->key), min);
    ck_assert_str_eq(set(limits->key, max), "");
    ck_assert_str_eq(get(limits->key), max);
    char below[32];
    char above[32];
    snprintf(below, sizeof(below), "%llu", limits->min - 1);
    snprintf(above, sizeof(above), "%llu", limits->max + 1);
    const char *const refused[] = {
        below, above, "", "kb", "1 kb", "-1", "1.5kb", "1tb", "99999999999999999gb"};
    for (size_t i = 0; i < ARRAY_COUNT(refused); i++) {
        snprintf(expected, sizeof(expected),
                 "%s must be a size from %s to %s (kb, mb and gb are powers of 1024), not '%s'",
                 limits->key, min, max, refused[i]);
        ck_assert_str_eq(set(limits->key, refused[i]), expected);
    }
    ck_assert_str_eq(get(limits->key), max);
}

TEST(every_size_takes_its_limits_and_nothing_beyond)
{
    for (size_t i = 0; i < ARRAY_COUNT(SIZES); i++) {
        given();
        check_size(&SIZES[i]);
        released();
    }
}

TEST(sizes_take_units_in_any_case)
{
    given();
    ck_assert_str_eq(set("cache-bytes", "3GB"), "");
    ck_assert_uint_eq(options.cache_bytes, 3ULL << 30);
    ck_assert_str_eq(set("cache-bytes", "1025kB"), "");
    ck_assert_uint_eq(options.cache_bytes, 1025 << 10);
    ck_assert_str_eq(get("cache-bytes"), "1025kb");
    released();
}

TEST(every_key_has_its_default)
{
    given();
    static const char *const defaults[][2] = {
        {"data-dir", "./ringfort-data"},
        {"client-listen", "127.0.0.1:6379"},
        {"cluster-listen", "off"},
        {"peer-listen", "127.0.0.1:8379"},
        {"advertise-client", ""},
        {"advertise-cluster", ""},
        {"advertise-peer", ""},
        {"initial-members", ""},
        {"cluster-name", "ringfort"},
        {"node-name", ""},
        {"rack", ""},
        {"partitions", "1024"},
        {"consistency", "linearizable"},
        {"sync", "always"},
        {"secret-file", ""},
        {"requirepass", ""},
        {"allow-open", "no"},
        {"log-level", "info"},
        {"log-format", "text"},
        {"shards", "1"},
        {"db.0.r", "default"},
        {"db.15.w", "default"},
        {"db.7.consistency", "default"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(defaults); i++) {
        ck_assert_str_eq(get(defaults[i][0]), defaults[i][1]);
    }
    /* The tables of this file name every key but those of databases. */
    unsigned databases = 0;
    unsigned count = 0;
    for (; options_key(count) != NULL; count++) {
        databases += strncmp(options_key(count), "db.", 3) == 0 ? 1 : 0;
        ck_assert_ptr_nonnull(options_help(count));
    }
    ck_assert_uint_eq(databases, 48);
    ck_assert_uint_eq(count - databases,
                      ARRAY_COUNT(NUMBERS) + ARRAY_COUNT(SIZES) + ARRAY_COUNT(defaults) - 3);
    ck_assert_ptr_null(options_help(count));
    ck_assert_ptr_null(get("shard"));
    released();
}

TEST(what_a_key_shows_is_what_it_takes)
{
    given();
    ck_assert_str_eq(set("initial-members", " n1@127.0.0.1:8001 rack=dc1/r1 weight=7 ,n2@[::1]:2"),
                     "");
    ck_assert_str_eq(set("db.3.consistency", "quorum"), "");
    ck_assert_str_eq(set("db.3.w", "1"), "");
    ck_assert_str_eq(set("node-name", "n1"), "");
    struct options *other = malloc(sizeof(*other));
    ck_assert_ptr_nonnull(other);
    options_init(other);
    for (unsigned i = 0; options_key(i) != NULL; i++) {
        const char *text = get(options_key(i));
        ck_assert_int_eq(options_set(other, options_key(i), text, &words), OK);
    }
    ck_assert_mem_eq(other, &options, sizeof(options));
    free(other);
    released();
}

static const struct refusal {
    const char *key, *value, *words;
} REFUSALS[] = {
    {"shards", "4", "shards must be 1 in this version, which runs one loop per node, not '4'"},
    {"partitions", "1000", "partitions must be a power of two from 1 to 16384, not '1000'"},
    {"partitions", "0", "partitions must be a power of two from 1 to 16384, not '0'"},
    {"partitions", "32768", "partitions must be a power of two from 1 to 16384, not '32768'"},
    {"allow-open", "true", "allow-open must be yes or no, not 'true'"},
    {"sync", "never", "sync must be always, interval or os, not 'never'"},
    {"consistency", "strong", "consistency must be linearizable or quorum, not 'strong'"},
    {"db.9.consistency", "x", "db.9.consistency must be default, linearizable or quorum, not 'x'"},
    {"log-level", "Info", "log-level must be debug, info, warning or error, not 'Info'"},
    {"log-format", "xml", "log-format must be text or json, not 'xml'"},
    {"db.0.r", "0", "db.0.r must be a number from 1 to 7 or default, not '0'"},
    {"db.0.w", "8", "db.0.w must be a number from 1 to 7 or default, not '8'"},
    {"db.16.r", "1", "unknown key 'db.16.r'; did you mean db.1.r?"},
    {"client-listen", "6379", "client-listen must be host:port or off, not '6379'"},
    {"client-listen", "", "client-listen must be host:port or off, not ''"},
    {"client-listen", ":1", "client-listen must be host:port or off, not ':1'"},
    {"client-listen", "a b:1", "client-listen must be host:port or off, not 'a b:1'"},
    {"cluster-listen", "h:0", "cluster-listen must be host:port or off, not 'h:0'"},
    {"peer-listen", "h:65536", "peer-listen must be host:port or off, not 'h:65536'"},
    {"advertise-peer", "off", "advertise-peer must be host:port, not 'off'"},
    {"node-name", "a b", "node-name must be 1 to 63 letters, digits, '.', '_' and '-', not 'a b'"},
    {"cluster-name", "", "cluster-name must be 1 to 63 letters, digits, '.', '_' and '-', not ''"},
    {"rack", "a,b",
     "rack must be a path of at most 63 letters, digits, '.', '_' and '-', as dc1/r1, not 'a,b'"},
    {"data-dir", "", "data-dir must have 1 to 255 characters, not 0"},
    {"initial-members", "n1", "initial-members: 'n1' must be name@host:port"},
    {"initial-members", "n1@h:1,", "initial-members: '' must be name@host:port"},
    {"initial-members", ",n1@h:1", "initial-members: '' must be name@host:port"},
    {"initial-members", "n1@h", "initial-members: 'n1@h' must be name@host:port"},
    {"initial-members", "@h:1",
     "initial-members: '' must be a name of letters, digits, '.', '_' and '-'"},
    {"initial-members", "n1@h:1,n1@h:2", "initial-members: 'n1' is named twice"},
    {"initial-members", "n1@h:1,n2@h:1", "initial-members: 'h:1' is the address of two nodes"},
    {"initial-members", "n1@h:1 weight=0",
     "initial-members: 'weight=0' must be weight=NUMBER from 1 to 1000"},
    {"initial-members", "n1@h:1 weight=1001",
     "initial-members: 'weight=1001' must be weight=NUMBER from 1 to 1000"},
    {"initial-members",
     "n1@h:1 rack=", "initial-members: 'rack=' must be rack=PATH, as rack=dc1/r1"},
    {"initial-members", "n1@h:1 zone=a",
     "initial-members: 'zone=a' is neither rack=PATH nor weight=NUMBER"},
    {"http-listen", "off", "unknown key 'http-listen'"},
    {"clinet-listen", "off", "unknown key 'clinet-listen'; did you mean client-listen?"},
    {"nonsense-of-a-key", "1", "unknown key 'nonsense-of-a-key'"},
    {"R", "1", "unknown key 'R'"},
};

static void check_refusal(const struct refusal *refusal)
{
    struct options *before = malloc(sizeof(*before));
    ck_assert_ptr_nonnull(before);
    *before = options;
    ck_assert_str_eq(set(refusal->key, refusal->value), refusal->words);
    ck_assert_mem_eq(before, &options, sizeof(options));
    free(before);
}

TEST(a_refusal_names_the_value_and_what_is_allowed)
{
    for (size_t i = 0; i < ARRAY_COUNT(REFUSALS); i++) {
        given();
        check_refusal(&REFUSALS[i]);
        released();
    }
}

TEST(a_password_is_never_shown)
{
    given();
    char secret[300];
    memset(secret, 's', sizeof(secret) - 1);
    secret[sizeof(secret) - 1] = '\0';
    ck_assert_str_eq(set("requirepass", secret),
                     "requirepass must have 0 to 255 characters, not 299");
    secret[255] = '\0';
    ck_assert_str_eq(set("requirepass", secret), "");
    ck_assert_str_eq(get("requirepass"), "(set)");
    ck_assert_uint_eq(strlen(options.requirepass), 255);
    released();
}

TEST(a_refused_value_is_shown_short_and_printable)
{
    given();
    char value[200];
    memset(value, 'x', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    value[0] = '\n';
    const char *text = set("r", value);
    ck_assert_ptr_nonnull(strstr(text, "not '?xxx"));
    ck_assert_ptr_nonnull(strstr(text, "xxx...'"));
    ck_assert_uint_lt(strlen(text), 160);
    released();
}

TEST(members_are_limited_to_256)
{
    given();
    char list[8192] = "";
    size_t size = 0;
    for (int i = 1; i <= 256; i++) {
        size += (size_t)snprintf(list + size, sizeof(list) - size, "%sn%d@h:%d", i == 1 ? "" : ",",
                                 i, i);
    }
    ck_assert_str_eq(set("initial-members", list), "");
    ck_assert_uint_eq(options.members_count, 256);
    ck_assert_str_eq(options.members[255].name, "n256");
    strcat(list, ",n257@h:257");
    ck_assert_str_eq(set("initial-members", list), "initial-members must name at most 256 nodes");
    ck_assert_uint_eq(options.members_count, 256);
    released();
}

static const struct rule {
    const char *settings[5][2];
    const char *words;
} RULES[] = {
    {{{"r", "1"}},
     "consistency linearizable needs r + w above n, but r 1 and w 2 are not above n 3; raise r or "
     "w, or set consistency quorum"},
    {{{"r", "1"}, {"consistency", "quorum"}}, ""},
    {{{"r", "1"}, {"w", "3"}}, ""},
    {{{"r", "4"}}, "r must be at most n, which is 3, not 4"},
    {{{"n", "1"}}, "r must be at most n, which is 1, not 2"},
    {{{"n", "2"}, {"w", "3"}}, "w must be at most n, which is 2, not 3"},
    {{{"n", "1"}, {"r", "1"}, {"w", "1"}}, ""},
    {{{"n", "7"}, {"r", "3"}, {"w", "5"}}, ""},
    {{{"n", "7"}, {"r", "3"}, {"w", "4"}},
     "consistency linearizable needs r + w above n, but r 3 and w 4 are not above n 7; raise r or "
     "w, or set consistency quorum"},
    {{{"db.5.r", "1"}},
     "database 5: consistency linearizable needs r + w above n, but r 1 and w 2 are not above n 3; "
     "raise r or w, or set consistency quorum"},
    {{{"db.5.r", "1"}, {"db.5.consistency", "quorum"}}, ""},
    {{{"db.5.r", "1"}, {"db.5.w", "3"}}, ""},
    {{{"db.5.w", "4"}}, "db.5.w must be at most n, which is 3, not 4"},
    {{{"consistency", "quorum"}, {"r", "1"}, {"db.2.consistency", "linearizable"}},
     "database 2: consistency linearizable needs r + w above n, but r 1 and w 2 are not above n 3; "
     "raise r or w, or set consistency quorum"},
    {{{"client-listen", "10.0.0.1:6379"}},
     "client-listen 10.0.0.1:6379 can be reached from beyond this host: set requirepass, or "
     "allow-open yes if that is meant"},
    {{{"client-listen", "10.0.0.1:6379"}, {"requirepass", "x"}}, ""},
    {{{"client-listen", "10.0.0.1:6379"}, {"allow-open", "yes"}}, ""},
    {{{"client-listen", "127.1.2.3:6379"}}, ""},
    {{{"client-listen", "[::1]:6379"}}, ""},
    {{{"client-listen", "localhost:6379"}}, ""},
    {{{"client-listen", "127.example.org:6379"}},
     "client-listen 127.example.org:6379 can be reached from beyond this host: set requirepass, or "
     "allow-open yes if that is meant"},
    {{{"client-listen", "off"}}, ""},
    {{{"cluster-listen", "a.example:1"}},
     "cluster-listen a.example:1 can be reached from beyond this host: set requirepass, or "
     "allow-open yes if that is meant"},
    {{{"peer-listen", "10.0.0.1:8379"}, {"requirepass", "x"}},
     "peer-listen 10.0.0.1:8379 can be reached from beyond this host: set secret-file, or "
     "allow-open yes if that is meant"},
    {{{"peer-listen", "10.0.0.1:8379"}, {"secret-file", "/s"}}, ""},
    {{{"peer-listen", "[::]:8379"}, {"secret-file", "/s"}},
     "peer-listen [::]:8379 is a wildcard: set advertise-peer to the host:port under which others "
     "reach it"},
    {{{"peer-listen", "[::]:8379"}, {"secret-file", "/s"}, {"advertise-peer", "h:8379"}}, ""},
    {{{"client-listen", "0.0.0.0:1"}, {"requirepass", "x"}},
     "client-listen 0.0.0.0:1 is a wildcard: set advertise-client to the host:port under which "
     "others reach it"},
    {{{"cluster-listen", "0.0.0.0:1"}, {"allow-open", "yes"}},
     "cluster-listen 0.0.0.0:1 is a wildcard: set advertise-cluster to the host:port under which "
     "others reach it"},
    {{{"initial-members", "n1@h:1,n2@h:2"}, {"node-name", "n2"}}, ""},
    {{{"initial-members", "n1@h:1,n2@h:2"}, {"node-name", "n3"}},
     "node-name 'n3' is not among initial-members: n1 n2"},
    {{{"initial-members", "n1@h:1,n2@h:2"}, {"node-name", "n1"}, {"peer-listen", "off"}},
     "peer-listen must not be off when initial-members names others"},
    {{{"initial-members", "n1@h:1"}, {"node-name", "n1"}, {"peer-listen", "off"}}, ""},
    {{{"max-value-bytes", "1kb"}, {"max-request-bytes", "1kb"}}, ""},
    {{{"max-value-bytes", "1025"}, {"max-request-bytes", "1kb"}},
     "max-request-bytes must not be smaller than max-value-bytes"},
};

static void check_rule(const struct rule *rule)
{
    for (size_t i = 0; i < ARRAY_COUNT(rule->settings) && rule->settings[i][0] != NULL; i++) {
        ck_assert_str_eq(set(rule->settings[i][0], rule->settings[i][1]), "");
    }
    ck_assert_str_eq(checked(), rule->words);
}

TEST(keys_that_do_not_fit_together_are_refused)
{
    for (size_t i = 0; i < ARRAY_COUNT(RULES); i++) {
        given();
        check_rule(&RULES[i]);
        released();
    }
}

TEST(every_r_w_n_is_accepted_exactly_when_quorums_meet)
{
    given();
    for (unsigned n = 1; n <= OPTIONS_N_MAX; n++) {
        for (unsigned r = 1; r <= OPTIONS_N_MAX; r++) {
            for (unsigned w = 1; w <= OPTIONS_N_MAX; w++) {
                options.n = n;
                options.r = r;
                options.w = w;
                bool is_allowed = r <= n && w <= n && r + w > n;
                ck_assert_int_eq(checked()[0] == '\0', is_allowed);
            }
        }
    }
    released();
}

TEST(addresses_are_split_at_the_last_colon)
{
    given();
    static const struct {
        const char *text, *host;
        uint16_t port;
    } ADDRESSES[] = {
        {"127.0.0.1:1", "127.0.0.1", 1},
        {"a-b.c_d:65535", "a-b.c_d", 65535},
        {"[::1]:80", "::1", 80},
        {"[fe80::1%eth0]:80", NULL, 0},
        {"::1:80", NULL, 0},
        {"[::1]", NULL, 0},
        {"h:", NULL, 0},
        {"h:+1", NULL, 0},
        {"[]:1", NULL, 0},
        {"", NULL, 0},
    };
    for (size_t i = 0; i < ARRAY_COUNT(ADDRESSES); i++) {
        char host[128] = "untouched";
        uint16_t port = 7;
        bool is_address = options_address(ADDRESSES[i].text, host, &port);
        ck_assert_int_eq(is_address, ADDRESSES[i].host != NULL);
        ck_assert_str_eq(host, is_address ? ADDRESSES[i].host : "untouched");
        ck_assert_uint_eq(port, is_address ? ADDRESSES[i].port : 7);
    }
    released();
}

UNIT_MAIN(every_number_takes_its_limits_and_nothing_beyond,
          every_size_takes_its_limits_and_nothing_beyond, sizes_take_units_in_any_case,
          every_key_has_its_default, what_a_key_shows_is_what_it_takes,
          a_refusal_names_the_value_and_what_is_allowed, a_password_is_never_shown,
          a_refused_value_is_shown_short_and_printable, members_are_limited_to_256,
          keys_that_do_not_fit_together_are_refused,
          every_r_w_n_is_accepted_exactly_when_quorums_meet, addresses_are_split_at_the_last_colon)
