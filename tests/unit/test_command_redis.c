/* Replies byte for byte as redis-server 7.0.15 gave them: each line alone, as an inline command, to
 * an empty server on a fresh connection. */
#include "tests/unit/clients_fake.h"

static const struct {
    const char *line, *reply;
    bool closes;
} EXPECTED[] =
    {
        {"HELLO 4", "-NOPROTO unsupported protocol version\r\n", false},
        {"HELLO x", "-ERR Protocol version is not an integer or out of range\r\n", false},
        {"HELLO 2 FOO", "-ERR Syntax error in HELLO option 'FOO'\r\n", false},
        {"HELLO 2 AUTH a", "-ERR Syntax error in HELLO option 'AUTH'\r\n", false},
        {"HELLO 2 SETNAME \"a b\"",
         "-ERR Client names cannot contain spaces, newlines or special characters.\r\n", false},
        {"HELLO 3 AUTH a b", "-WRONGPASS invalid username-password pair or user is disabled.\r\n",
         false},
        {"AUTH x",
         "-ERR AUTH <password> called without any password configured for the default user. Are "
         "you su"
         "re your configuration is correct?\r\n",
         false},
        {"AUTH default b", "+OK\r\n", false},
        {"AUTH a b", "-WRONGPASS invalid username-password pair or user is disabled.\r\n", false},
        {"AUTH a b c", "-ERR syntax error\r\n", false},
        {"AUTH", "-ERR wrong number of arguments for 'auth' command\r\n", false},
        {"SELECT 16", "-ERR DB index is out of range\r\n", false},
        {"SELECT x", "-ERR value is not an integer or out of range\r\n", false},
        {"SELECT -1", "-ERR DB index is out of range\r\n", false},
        {"SELECT 15", "+OK\r\n", false},
        {"SELECT 0", "+OK\r\n", false},
        {"SELECT", "-ERR wrong number of arguments for 'select' command\r\n", false},
        {"CLIENT SETNAME \"a b\"",
         "-ERR Client names cannot contain spaces, newlines or special characters.\r\n", false},
        {"CLIENT SETNAME \"\"", "+OK\r\n", false},
        {"CLIENT GETNAME", "$-1\r\n", false},
        {"CLIENT SETNAME abc", "+OK\r\n", false},
        {"CLIENT FOO", "-ERR unknown subcommand 'FOO'. Try CLIENT HELP.\r\n", false},
        {"CLIENT", "-ERR wrong number of arguments for 'client' command\r\n", false},
        {"CLIENT LIST TYPE foo", "-ERR Unknown client type 'foo'\r\n", false},
        {"CLIENT LIST TYPE master", "$0\r\n\r\n", false},
        {"CLIENT LIST ID x", "-ERR Invalid client ID\r\n", false},
        {"CLIENT LIST ID 98 99", "$0\r\n\r\n", false},
        {"CLIENT LIST foo", "-ERR syntax error\r\n", false},
        {"CLIENT LIST ID", "-ERR syntax error\r\n", false},
        {"CLIENT NO-EVICT foo", "-ERR syntax error\r\n", false},
        {"CLIENT NO-EVICT on", "+OK\r\n", false},
        {"CLIENT ID x", "-ERR wrong number of arguments for 'client|id' command\r\n", false},
        {"CLUSTER HELP", "-ERR This instance has cluster support disabled\r\n", false},
        {"CLUSTER INFO", "-ERR This instance has cluster support disabled\r\n", false},
        {"CLUSTER NODES", "-ERR This instance has cluster support disabled\r\n", false},
        {"CLUSTER SLOTS", "-ERR This instance has cluster support disabled\r\n", false},
        {"CLUSTER KEYSLOT a", "-ERR This instance has cluster support disabled\r\n", false},
        {"CLUSTER MEET a 1", "-ERR This instance has cluster support disabled\r\n", false},
        {"CLUSTER FOO", "-ERR unknown subcommand 'FOO'. Try CLUSTER HELP.\r\n", false},
        {"CLUSTER", "-ERR wrong number of arguments for 'cluster' command\r\n", false},
        {"READONLY", "-ERR This instance has cluster support disabled\r\n", false},
        {"READWRITE", "-ERR This instance has cluster support disabled\r\n", false},
        {"ASKING", "-ERR This instance has cluster support disabled\r\n", false},
        {"WAIT a b", "-ERR value is not an integer or out of range\r\n", false},
        {"WAIT 0 -1", "-ERR timeout is negative\r\n", false},
        {"WAIT 0 x", "-ERR timeout is not an integer or out of range\r\n", false},
        {"PING a b", "-ERR wrong number of arguments for 'ping' command\r\n", false},
        {"PING a", "$1\r\na\r\n", false},
        {"PING", "+PONG\r\n", false},
        {"ECHO", "-ERR wrong number of arguments for 'echo' command\r\n", false},
        {"ECHO \"\"", "$0\r\n\r\n", false},
        {"ECHO a b", "-ERR wrong number of arguments for 'echo' command\r\n", false},
        {"INFO foo", "$0\r\n\r\n", false},
        {"RESET", "+RESET\r\n", false},
        {"QUIT", "+OK\r\n", true},
        {"quit x", "+OK\r\n", true},
        {"SCAN x", "-ERR invalid cursor\r\n", false},
        {"SCAN 0 COUNT", "-ERR syntax error\r\n", false},
        {"SCAN 0 COUNT 0", "-ERR syntax error\r\n", false},
        {"SCAN 0 COUNT x", "-ERR value is not an integer or out of range\r\n", false},
        {"SCAN 0 MATCH", "-ERR syntax error\r\n", false},
        {"SCAN 0 FOO 1", "-ERR syntax error\r\n", false},
        {"SCAN 0 TYPE foo", "*2\r\n$1\r\n0\r\n*0\r\n", false},
        {"SCAN -1", "*2\r\n$1\r\n0\r\n*0\r\n", false},
        {"SCAN 99999999999999999999", "-ERR invalid cursor\r\n", false},
        {"SCAN 18446744073709551615", "*2\r\n$1\r\n0\r\n*0\r\n", false},
        {"SCAN \" 1\"", "-ERR invalid cursor\r\n", false},
        {"SCAN 1x", "-ERR invalid cursor\r\n", false},
        {"KEYS", "-ERR wrong number of arguments for 'keys' command\r\n", false},
        {"KEYS nosuch*", "*0\r\n", false},
        {"FLUSHALL foo", "-ERR syntax error\r\n", false},
        {"FLUSHALL ASYNC SYNC", "-ERR syntax error\r\n", false},
        {"FLUSHDB foo", "-ERR syntax error\r\n", false},
        {"DBSIZE x", "-ERR wrong number of arguments for 'dbsize' command\r\n", false},
        {"COMMAND GETKEYS get", "-ERR wrong number of arguments for 'command|getkeys' command\r\n",
         false},
        {"COMMAND GETKEYS foo a", "-ERR Invalid command specified\r\n", false},
        {"COMMAND GETKEYS mset a 1 b 2", "*2\r\n$1\r\na\r\n$1\r\nb\r\n", false},
        {"COMMAND GETKEYS mset a 1 b", "*2\r\n$1\r\na\r\n$1\r\nb\r\n", false},
        {"COMMAND GETKEYS ping x", "-ERR The command has no key arguments\r\n", false},
        {"COMMAND GETKEYS get a b", "-ERR Invalid number of arguments specified for command\r\n",
         false},
        {"COMMAND INFO foo", "*1\r\n$-1\r\n", false},
        {"COMMAND INFO get",
         "*1\r\n*10\r\n$3\r\nget\r\n:2\r\n*2\r\n+readonly\r\n+fast\r\n:1\r\n:1\r\n:1\r\n*3\r\n+@"
         "read\r"
         "\n+@string\r\n+@fast\r\n*0\r\n*1\r\n*6\r\n$5\r\nflags\r\n*2\r\n+RO\r\n+access\r\n$"
         "12\r\nbegi"
         "n_search\r\n*4\r\n$4\r\ntype\r\n$5\r\nindex\r\n$4\r\nspec\r\n*2\r\n$5\r\nindex\r\n:1\r\n$"
         "9\r"
         "\nfind_keys\r\n*4\r\n$4\r\ntype\r\n$5\r\nrange\r\n$4\r\nspec\r\n*6\r\n$7\r\nlastkey\r\n:"
         "0\r"
         "\n$7\r\nkeystep\r\n:1\r\n$5\r\nlimit\r\n:0\r\n*0\r\n",
         false},
        {"COMMAND INFO set",
         "*1\r\n*10\r\n$3\r\nset\r\n:-3\r\n*2\r\n+write\r\n+denyoom\r\n:1\r\n:1\r\n:1\r\n*3\r\n+@"
         "write"
         "\r\n+@string\r\n+@slow\r\n*0\r\n*1\r\n*8\r\n$5\r\nnotes\r\n$48\r\nRW and ACCESS due to "
         "the o"
         "ptional `GET` "
         "argument\r\n$5\r\nflags\r\n*4\r\n+RW\r\n+access\r\n+update\r\n+variable_flags"
         "\r\n$12\r\nbegin_search\r\n*4\r\n$4\r\ntype\r\n$5\r\nindex\r\n$4\r\nspec\r\n*2\r\n$"
         "5\r\ninde"
         "x\r\n:1\r\n$9\r\nfind_keys\r\n*4\r\n$4\r\ntype\r\n$5\r\nrange\r\n$4\r\nspec\r\n*6\r\n$"
         "7\r\nl"
         "astkey\r\n:0\r\n$7\r\nkeystep\r\n:1\r\n$5\r\nlimit\r\n:0\r\n*0\r\n",
         false},
        {"COMMAND INFO mset",
         "*1\r\n*10\r\n$4\r\nmset\r\n:-3\r\n*2\r\n+write\r\n+denyoom\r\n:1\r\n:-1\r\n:2\r\n*3\r\n+@"
         "wri"
         "te\r\n+@string\r\n+@slow\r\n*2\r\n$26\r\nrequest_policy:multi_shard\r\n$29\r\nresponse_"
         "polic"
         "y:all_succeeded\r\n*1\r\n*6\r\n$5\r\nflags\r\n*2\r\n+OW\r\n+update\r\n$12\r\nbegin_"
         "search\r"
         "\n*4\r\n$4\r\ntype\r\n$5\r\nindex\r\n$4\r\nspec\r\n*2\r\n$5\r\nindex\r\n:1\r\n$9\r\nfind_"
         "key"
         "s\r\n*4\r\n$4\r\ntype\r\n$5\r\nrange\r\n$4\r\nspec\r\n*6\r\n$7\r\nlastkey\r\n:-1\r\n$"
         "7\r\nke"
         "ystep\r\n:2\r\n$5\r\nlimit\r\n:0\r\n*0\r\n",
         false},
        {"COMMAND INFO scan",
         "*1\r\n*10\r\n$4\r\nscan\r\n:-2\r\n*1\r\n+readonly\r\n:0\r\n:0\r\n:0\r\n*3\r\n+@"
         "keyspace\r\n+"
         "@read\r\n+@slow\r\n*2\r\n$23\r\nnondeterministic_output\r\n$22\r\nrequest_policy:"
         "special\r\n"
         "*0\r\n*0\r\n",
         false},
        {"COMMAND INFO keys",
         "*1\r\n*10\r\n$4\r\nkeys\r\n:2\r\n*1\r\n+readonly\r\n:0\r\n:0\r\n:0\r\n*4\r\n+@"
         "keyspace\r\n+@"
         "read\r\n+@slow\r\n+@dangerous\r\n*2\r\n$25\r\nrequest_policy:all_shards\r\n$"
         "29\r\nnondetermi"
         "nistic_output_order\r\n*0\r\n*0\r\n",
         false},
        {"COMMAND INFO client|id",
         "*1\r\n*10\r\n$9\r\nclient|id\r\n:2\r\n*3\r\n+noscript\r\n+loading\r\n+stale\r\n:0\r\n:"
         "0\r\n:"
         "0\r\n*2\r\n+@slow\r\n+@connection\r\n*0\r\n*0\r\n*0\r\n",
         false},
        {"COMMAND DOCS foo", "*0\r\n", false},
        {"COMMAND DOCS get",
         "*2\r\n$3\r\nget\r\n*10\r\n$7\r\nsummary\r\n$22\r\nGet the value of a "
         "key\r\n$5\r\nsince\r\n$"
         "5\r\n1.0.0\r\n$5\r\ngroup\r\n$6\r\nstring\r\n$10\r\ncomplexity\r\n$4\r\nO(1)\r\n$"
         "9\r\nargume"
         "nts\r\n*1\r\n*6\r\n$4\r\nname\r\n$3\r\nkey\r\n$4\r\ntype\r\n$3\r\nkey\r\n$14\r\nkey_spec_"
         "ind"
         "ex\r\n:0\r\n",
         false},
        {"COMMAND DOCS ping",
         "*2\r\n$4\r\nping\r\n*10\r\n$7\r\nsummary\r\n$15\r\nPing the "
         "server\r\n$5\r\nsince\r\n$5\r\n1"
         ".0.0\r\n$5\r\ngroup\r\n$10\r\nconnection\r\n$10\r\ncomplexity\r\n$4\r\nO(1)\r\n$"
         "9\r\nargumen"
         "ts\r\n*1\r\n*6\r\n$4\r\nname\r\n$7\r\nmessage\r\n$4\r\ntype\r\n$6\r\nstring\r\n$"
         "5\r\nflags\r"
         "\n*1\r\n+optional\r\n",
         false},
        {"COMMAND DOCS strlen",
         "*2\r\n$6\r\nstrlen\r\n*10\r\n$7\r\nsummary\r\n$43\r\nGet the length of the value stored "
         "in a"
         " key\r\n$5\r\nsince\r\n$5\r\n2.2.0\r\n$5\r\ngroup\r\n$6\r\nstring\r\n$"
         "10\r\ncomplexity\r\n$4"
         "\r\nO(1)\r\n$9\r\narguments\r\n*1\r\n*6\r\n$4\r\nname\r\n$3\r\nkey\r\n$4\r\ntype\r\n$"
         "3\r\nke"
         "y\r\n$14\r\nkey_spec_index\r\n:0\r\n",
         false},
        {"COMMAND LIST FILTERBY FOO x", "-ERR syntax error\r\n", false},
        {"COMMAND LIST FILTERBY PATTERN ge?", "*1\r\n$3\r\nget\r\n", false},
        {"COMMAND LIST FILTERBY ACLCAT foo", "*0\r\n", false},
        {"COMMAND LIST FILTERBY MODULE foo", "*0\r\n", false},
        {"COMMAND LIST foo", "-ERR syntax error\r\n", false},
        {"COMMAND COUNT x", "-ERR wrong number of arguments for 'command|count' command\r\n",
         false},
        {"COMMAND FOO", "-ERR unknown subcommand 'FOO'. Try COMMAND HELP.\r\n", false},
        {"CONFIG GET", "-ERR wrong number of arguments for 'config|get' command\r\n", false},
        {"CONFIG GET maxmemory", "*2\r\n$9\r\nmaxmemory\r\n$1\r\n0\r\n", false},
        {"CONFIG GET nosuch", "*0\r\n", false},
        {"CONFIG SET foo bar",
         "-ERR Unknown option or number of arguments for CONFIG SET - 'foo'\r\n", false},
        {"CONFIG SET foo", "-ERR wrong number of arguments for 'config|set' command\r\n", false},
        {"CONFIG SET maxmemory 0 foo 1",
         "-ERR Unknown option or number of arguments for CONFIG SET - 'foo'\r\n", false},
        {"CONFIG SET maxmemory 0 maxmemory 0",
         "-ERR CONFIG SET failed (possibly related to argument 'maxmemory') - duplicate "
         "parameter\r\n",
         false},
        {"CONFIG RESETSTAT", "+OK\r\n", false},
        {"CONFIG FOO", "-ERR unknown subcommand 'FOO'. Try CONFIG HELP.\r\n", false},
        {"SHUTDOWN foo", "-ERR syntax error\r\n", false},
        {"SHUTDOWN ABORT", "-ERR No shutdown in progress.\r\n", false},
        {"TYPE", "-ERR wrong number of arguments for 'type' command\r\n", false},
        {"TYPE nosuchkey", "+none\r\n", false},
        {"TTL nosuchkey", ":-2\r\n", false},
        {"PTTL nosuchkey", ":-2\r\n", false},
        {"STRLEN nosuchkey", ":0\r\n", false},
        {"EXISTS nosuchkey", ":0\r\n", false},
        {"EXISTS nosuchkey nosuchkey", ":0\r\n", false},
        {"DEL nosuchkey", ":0\r\n", false},
        {"UNLINK nosuchkey nosuchkey", ":0\r\n", false},
        {"GET nosuchkey", "$-1\r\n", false},
        {"MGET nosuchkey nosuch2", "*2\r\n$-1\r\n$-1\r\n", false},
        {"GET", "-ERR wrong number of arguments for 'get' command\r\n", false},
        {"get a b", "-ERR wrong number of arguments for 'get' command\r\n", false},
        {"GeT nosuchkey", "$-1\r\n", false},
        {"SET a", "-ERR wrong number of arguments for 'set' command\r\n", false},
        {"SET a b EX", "-ERR syntax error\r\n", false},
        {"SET a b EX 0", "-ERR invalid expire time in 'set' command\r\n", false},
        {"SET a b EX -1", "-ERR invalid expire time in 'set' command\r\n", false},
        {"SET a b EX x", "-ERR value is not an integer or out of range\r\n", false},
        {"SET a b EX 1.0", "-ERR value is not an integer or out of range\r\n", false},
        {"SET a b PX 9223372036854775807", "-ERR invalid expire time in 'set' command\r\n", false},
        {"SET a b PX 99999999999999999999", "-ERR value is not an integer or out of range\r\n",
         false},
        {"SET a b EX 9223372036854775807", "-ERR invalid expire time in 'set' command\r\n", false},
        {"SET a b EX 1 PX 1", "-ERR syntax error\r\n", false},
        {"SET a b NX XX", "-ERR syntax error\r\n", false},
        {"SET a b XX NX", "-ERR syntax error\r\n", false},
        {"SET a b KEEPTTL EX 1", "-ERR syntax error\r\n", false},
        {"SET a b EX 1 KEEPTTL", "-ERR syntax error\r\n", false},
        {"SET a b foo", "-ERR syntax error\r\n", false},
        {"SET a b EXAT 0", "-ERR invalid expire time in 'set' command\r\n", false},
        {"SET a b PXAT -5", "-ERR invalid expire time in 'set' command\r\n", false},
        {"SET a b GET", "$-1\r\n", false},
        {"SET a b EX 100 EX 200", "+OK\r\n", false},
        {"SET a b KEEPTTL KEEPTTL GET", "$-1\r\n", false},
        {"SETEX a 0 b", "-ERR invalid expire time in 'setex' command\r\n", false},
        {"SETEX a x b", "-ERR value is not an integer or out of range\r\n", false},
        {"SETEX a 1", "-ERR wrong number of arguments for 'setex' command\r\n", false},
        {"PSETEX a -1 b", "-ERR invalid expire time in 'psetex' command\r\n", false},
        {"PSETEX a 100000", "-ERR wrong number of arguments for 'psetex' command\r\n", false},
        {"SETEX a 9223372036854775807 b", "-ERR invalid expire time in 'setex' command\r\n", false},
        {"MSET a", "-ERR wrong number of arguments for 'mset' command\r\n", false},
        {"MSET a b c", "-ERR wrong number of arguments for 'mset' command\r\n", false},
        {"MSET a 1 a 2", "+OK\r\n", false},
        {"MGET", "-ERR wrong number of arguments for 'mget' command\r\n", false},
        {"DEL", "-ERR wrong number of arguments for 'del' command\r\n", false},
        {"EXISTS", "-ERR wrong number of arguments for 'exists' command\r\n", false},
        {"nosuch", "-ERR unknown command 'nosuch', with args beginning with: \r\n", false},
        {"nosuch a b", "-ERR unknown command 'nosuch', with args beginning with: 'a' 'b' \r\n",
         false},
        {"nosuch \"a\\x00b\" \"c\\r\\nd\"",
         "-ERR unknown command 'nosuch', with args beginning with: 'a' 'c  d' \r\n", false},
        {"\"no\\x00such\" a", "-ERR unknown command 'no', with args beginning with: 'a' \r\n",
         false},
        {"nosuch "
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa b",
         "-ERR unknown command 'nosuch', with args beginning with: "
         "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
         "aaa"
         "aa' \r\n",
         false},
        {"nosuch "
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
         "aaaaaaaaaaaaaaaa bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb c",
         "-ERR unknown command 'nosuch', with args beginning with: "
         "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' "
         "'bbbbbbbbbbbbbbbbbbbbbb"
         "bb' \r\n",
         false},
        {"client|id", "-ERR unknown command 'client|id', with args beginning with: \r\n", false},
        {"\"unbalanced", "-ERR Protocol error: unbalanced quotes in request\r\n", true},
        {"foo 'bar'x", "-ERR Protocol error: unbalanced quotes in request\r\n", true},
        {"foo \"a\\x4g\" 'it\\'s' b\"c d\" e\"f\"g",
         "-ERR Protocol error: unbalanced quotes in request\r\n", true},
        {"\"\"", "-ERR unknown command '', with args beginning with: \r\n", false},
        {"TIME x", "-ERR wrong number of arguments for 'time' command\r\n", false},
        {"CLIENT LIST TYPE pubsub", "$0\r\n\r\n", false},
},
  EXPECTED_3[] = {
      /* The same after HELLO 3. */
      {"CLIENT GETNAME", "_\r\n", false},
      {"CLIENT LIST TYPE master", "=4\r\ntxt:\r\n", false},
      {"COMMAND INFO get",
       "*1\r\n*10\r\n$3\r\nget\r\n:2\r\n~2\r\n+readonly\r\n+fast\r\n:1\r\n:1\r\n:1\r\n~3\r\n+@"
       "read\r"
       "\n+@string\r\n+@fast\r\n~0\r\n~1\r\n%3\r\n$5\r\nflags\r\n~2\r\n+RO\r\n+access\r\n$"
       "12\r\nbegi"
       "n_search\r\n%2\r\n$4\r\ntype\r\n$5\r\nindex\r\n$4\r\nspec\r\n%1\r\n$5\r\nindex\r\n:1\r\n$"
       "9\r"
       "\nfind_keys\r\n%2\r\n$4\r\ntype\r\n$5\r\nrange\r\n$4\r\nspec\r\n%3\r\n$7\r\nlastkey\r\n:0\r"
       "\n$7\r\nkeystep\r\n:1\r\n$5\r\nlimit\r\n:0\r\n~0\r\n",
       false},
      {"COMMAND INFO set",
       "*1\r\n*10\r\n$3\r\nset\r\n:-3\r\n~2\r\n+write\r\n+denyoom\r\n:1\r\n:1\r\n:1\r\n~3\r\n+@"
       "write"
       "\r\n+@string\r\n+@slow\r\n~0\r\n~1\r\n%4\r\n$5\r\nnotes\r\n$48\r\nRW and ACCESS due to the "
       "o"
       "ptional `GET` argument\r\n$5\r\nflags\r\n~4\r\n+RW\r\n+access\r\n+update\r\n+variable_flags"
       "\r\n$12\r\nbegin_search\r\n%2\r\n$4\r\ntype\r\n$5\r\nindex\r\n$4\r\nspec\r\n%1\r\n$"
       "5\r\ninde"
       "x\r\n:1\r\n$9\r\nfind_keys\r\n%2\r\n$4\r\ntype\r\n$5\r\nrange\r\n$4\r\nspec\r\n%3\r\n$"
       "7\r\nl"
       "astkey\r\n:0\r\n$7\r\nkeystep\r\n:1\r\n$5\r\nlimit\r\n:0\r\n~0\r\n",
       false},
      {"COMMAND INFO exists",
       "*1\r\n*10\r\n$6\r\nexists\r\n:-2\r\n~2\r\n+readonly\r\n+fast\r\n:1\r\n:-1\r\n:1\r\n~3\r\n+@"
       "k"
       "eyspace\r\n+@read\r\n+@fast\r\n~2\r\n$26\r\nrequest_policy:multi_shard\r\n$23\r\nresponse_"
       "po"
       "licy:agg_sum\r\n~1\r\n%3\r\n$5\r\nflags\r\n~1\r\n+RO\r\n$12\r\nbegin_search\r\n%2\r\n$"
       "4\r\nt"
       "ype\r\n$5\r\nindex\r\n$4\r\nspec\r\n%1\r\n$5\r\nindex\r\n:1\r\n$9\r\nfind_keys\r\n%2\r\n$"
       "4\r"
       "\ntype\r\n$5\r\nrange\r\n$4\r\nspec\r\n%3\r\n$7\r\nlastkey\r\n:-1\r\n$7\r\nkeystep\r\n:"
       "1\r\n"
       "$5\r\nlimit\r\n:0\r\n~0\r\n",
       false},
      {"COMMAND INFO ping",
       "*1\r\n*10\r\n$4\r\nping\r\n:-1\r\n~1\r\n+fast\r\n:0\r\n:0\r\n:0\r\n~2\r\n+@fast\r\n+@"
       "connect"
       "ion\r\n~2\r\n$25\r\nrequest_policy:all_shards\r\n$29\r\nresponse_policy:all_succeeded\r\n~0"
       "\r\n~0\r\n",
       false},
      {"COMMAND DOCS get",
       "%1\r\n$3\r\nget\r\n%5\r\n$7\r\nsummary\r\n$22\r\nGet the value of a "
       "key\r\n$5\r\nsince\r\n$5"
       "\r\n1.0.0\r\n$5\r\ngroup\r\n$6\r\nstring\r\n$10\r\ncomplexity\r\n$4\r\nO(1)\r\n$"
       "9\r\nargumen"
       "ts\r\n*1\r\n%3\r\n$4\r\nname\r\n$3\r\nkey\r\n$4\r\ntype\r\n$3\r\nkey\r\n$14\r\nkey_spec_"
       "inde"
       "x\r\n:0\r\n",
       false},
      {"COMMAND LIST FILTERBY PATTERN ge?", "*1\r\n$3\r\nget\r\n", false},
      {"CONFIG GET maxmemory", "%1\r\n$9\r\nmaxmemory\r\n$1\r\n0\r\n", false},
      {"CONFIG GET nosuch", "%0\r\n", false},
      {"GET nosuch", "_\r\n", false},
      {"MGET nosuch nosuch", "*2\r\n_\r\n_\r\n", false},
      {"SET a b GET", "_\r\n", false},
      {"SCAN 0", "*2\r\n$1\r\n0\r\n*0\r\n", false},
      {"KEYS *", "*0\r\n", false},
      {"INFO foo", "=4\r\ntxt:\r\n", false},
      {"nosuch", "-ERR unknown command 'nosuch', with args beginning with: \r\n", false},
      {"SELECT x", "-ERR value is not an integer or out of range\r\n", false},
      {"EXISTS a", ":0\r\n", false},
      {"TTL a", ":-2\r\n", false},
      {"COMMAND GETKEYS mset a 1 b 2", "*2\r\n$1\r\na\r\n$1\r\nb\r\n", false},
};

START_TEST(replies_are_those_of_redis)
{
    const char *line = EXPECTED[_i].line;
    struct fake *fake = fake_new(1);
    fake_start(fake);
    fake_open(fake, 1, FACE_PLAIN);
    fake_send(fake, 1, line);
    fake_send(fake, 1, "\r\n");
    const char *reply = fake_read(fake, 1);
    ck_assert_msg(strcmp(reply, EXPECTED[_i].reply) == 0, "%s\nours:  %s\nredis: %s", line, reply,
                  EXPECTED[_i].reply);
    ck_assert_msg(fake->of[1].closed == EXPECTED[_i].closes, "%s", line);
    ck_assert(clients_idle(fake->clients));
    fake_free(fake);
}
END_TEST

START_TEST(replies_in_resp3_are_those_of_redis)
{
    const char *line = EXPECTED_3[_i].line;
    struct fake *fake = fake_new(1);
    fake_start(fake);
    fake_open(fake, 1, FACE_PLAIN);
    fake_ask(fake, 1, "HELLO 3");
    const char *reply = fake_ask(fake, 1, line);
    ck_assert_msg(strcmp(reply, EXPECTED_3[_i].reply) == 0, "%s\nours:  %s\nredis: %s", line, reply,
                  EXPECTED_3[_i].reply);
    fake_free(fake);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("command_redis");
    TCase *all = tcase_create("all");
    tcase_add_loop_test(all, replies_are_those_of_redis, 0, (int)ARRAY_COUNT(EXPECTED));
    tcase_add_loop_test(all, replies_in_resp3_are_those_of_redis, 0, (int)ARRAY_COUNT(EXPECTED_3));
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
