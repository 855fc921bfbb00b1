#!/bin/sh
# tidy_test.sh SCRATCH_DIRECTORY - a check that has never failed proves nothing: break each rule once, in
# a tree of our own, and see that tidy.sh names the place.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
rm -rf "$1"
mkdir -p "$1"
cd "$1"
failed=0
done_count=0

# A tree without faults, and its libraries.
clean_tree() {
    rm -rf tree
    mkdir tree
    for folder in base ring gossip storage quorum node tests; do
        mkdir "tree/$folder"
        printf '/* %s */\nint %s_one(void);\nint %s_one(void)\n{\n    return 1;\n}\n' \
            "$folder" "$folder" "$folder" >"tree/$folder/one.c"
    done
    mv tree/node/one.c tree/node/core.c
    printf '#include <openssl/evp.h>\n' >tree/base/hash.c
    printf '#include "storage/storage.h"\n#include <uv.h>\n' >tree/node/disk.c
    printf '/* strcpy(a, b), TOD' >tree/node/log.c
    printf 'AY, "time(NULL)" */\nstatic const char text[] = "malloc(1)";\n' >>tree/node/log.c
    printf '#include <rocksdb/c.h>\n' >tree/storage/rocks_open.c
}

library() { # FOLDER NAME FILE: made of this file alone.
    ${CC:-cc} -c "tree/$1/$3" -o "build/$3.o"
    rm -f "build/lib$2.a"
    ar qc "build/lib$2.a" "build/$3.o"
}

clean_libraries() {
    rm -rf build
    mkdir build
    library base rf_base one.c
    library ring rf_ring one.c
    library gossip rf_gossip one.c
    library quorum rf_quorum one.c
    library node rf_node_pure core.c
}

# expect PLACE WORDS: exactly this violation, and failure.
expect() {
    done_count=$((done_count + 1))
    if "$here/tidy.sh" build tree >said 2>&1; then
        echo "not noticed: $1 $2"
        failed=$((failed + 1))
    elif [ "$(wc -l <said)" -ne 1 ] || ! grep -qF -e "$1: $2" said; then
        echo "expected '$1: $2' alone, tidy said:"
        cat said
        failed=$((failed + 1))
    fi
}

# bad FILE LINE TEXT WORDS: one line more in a file of a clean tree.
bad() {
    clean_tree
    lines=1
    [ ! -f "tree/$1" ] || lines=$(($(wc -l <"tree/$1") + 1))
    printf '%s\n' "$3" >>"tree/$1"
    [ "$2" = last ] || lines=$2
    expect "$1:$lines" "$4"
}

# object FOLDER LIBRARY FILE TEXT WORDS: what only the built library shows.
object() {
    clean_tree
    clean_libraries
    printf '%s\n' "$4" >"tree/$1/$3"
    library "$1" "$2" "$3"
    expect "$1/$3:1" "$5"
}

clean_tree
clean_libraries
"$here/tidy.sh" build tree || { echo "a clean tree was refused"; failed=1; }

# Layers.
bad base/two.c last '#include "ring/ring.h"' 'base/ must not include ring/'
bad ring/two.c last '#include "storage/storage.h"' 'ring/ must not include storage/'
bad gossip/two.c last '#include "quorum/quorum.h"' 'gossip/ must not include quorum/'
bad quorum/two.c last '#include "gossip/gossip.h"' 'quorum/ must not include gossip/'
bad quorum/two.c last '#include "storage/storage.h"' 'quorum/ must not include storage/'
bad quorum/two.c last '#include "node/options.h"' 'quorum/ must not include node/'
bad storage/two.c last '#include "node/node.h"' 'storage/ must not include node/'
bad node/loop.c last '#include "tests/lib/unit.h"' 'node/ must not include tests/'
bad node/core.c last '#include "node/disk.h"' 'a pure file must not include node/disk.h'
bad ring/two.h last '#include "slot.h"' 'include "slot.h" does not name its folder'

# Libraries.
bad quorum/two.c last '#include <msgpack.h>' '<msgpack.h> belongs to base/pack.c only'
bad node/disk.c last '#include <rocksdb/c.h>' '<rocksdb/c.h> belongs to storage/rocks* only'
bad node/core.c last '#include <uv.h>' '<uv.h> belongs to the shell in node/ only'
bad storage/memory.c last '#include <uv.h>' '<uv.h> belongs to the shell in node/ only'
bad ring/two.c last '#include <xxhash.h>' '<xxhash.h> belongs to base/hash.c only'
bad node/peer.c last '#include <openssl/ssl.h>' '<openssl/ssl.h> belongs to base/hash.c only'

# Banned calls.
for name in strcpy strcat sprintf vsprintf gets atoi atol strtok alloca; do
    bad node/loop.c last "void f(void) { $name(x); }" "$name is banned"
done
for name in malloc calloc realloc free; do
    bad quorum/two.c last "void f(void) { $name (x); }" "$name belongs to base/ only"
done

# Lengths, and notes to oneself.
bad node/loop.c last "/* $(printf '%0101d' 0) */" '107 columns, at most 100'
bad tests/two.c last "/* $(printf '%0101d' 0) */" '107 columns, at most 100'
bad ring/two.c 2 "int f(void)
{
$(yes '    g();' | head -71)
}" 'a function of 71 lines, at most 70'
bad node/peer.c 701 "$(yes 'int x;' | head -701)" 'more than 700 lines in one file'
bad gossip/two.c last '/* TOD''O: later */' 'a note to do something later'

# Purity.
object ring rf_ring two.c 'long time(long *); long f(void); long f(void) { return time(0); }' 'time in pure code'
object quorum rf_quorum two.c 'int rand(void); int f(void); int f(void) { return rand(); }' 'rand in pure code'
object gossip rf_gossip two.c 'int sendto(void); int f(void); int f(void) { return sendto(); }' 'sendto in pure code'
object node rf_node_pure core.c 'int uv_run(void); int f(void); int f(void) { return uv_run(); }' 'uv_run in pure code'
object node rf_node_pure wire.c 'char *getenv(const char *); char *f(void); char *f(void) { return getenv("A"); }' \
    'getenv in pure code'
object quorum rf_quorum two.c 'int pthread_self(void); int f(void); int f(void) { return pthread_self(); }' \
    'pthread_self in pure code'
object base rf_base two.c 'int printf(const char *, ...); void f(int i); void f(int i) { printf("%d", i); }' \
    'printf in pure code'
object ring rf_ring two.c 'static int calls; int f(void); int f(void) { return ++calls; }' \
    'calls is a variable of file scope'
object ring rf_ring two.c 'int f(void); int f(void) { static int calls = 5; return ++calls; }' \
    'calls is a variable of file scope'
object ring rf_ring two.c 'static const char *last = "a"; const char *f(void); const char *f(void) { return last++; }' \
    'last is a variable of file scope'

# A library that was not built hides its faults.
clean_tree
clean_libraries
rm build/librf_quorum.a
expect quorum:1 'librf_quorum.a is not built'

printf 'COUNT tidy_alarms %d\n' "$done_count"
[ "$failed" -eq 0 ]
