#!/bin/sh
# tidy.sh BUILD_DIRECTORY [ROOT] - what the compiler does not check: layers, purity, lengths, banned calls.
#
# Prints each violation as file:line: words. Exit status 1 when there is one. Purity is read from the
# built libraries, so that no macro or include can hide a call.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd)
cd "${2:-$here/..}"
export LC_ALL=C

# Which files of node/ are pure is written down once.
pure=$(sed -n 's,^set(NODE_PURE "/\(([a-z|]*)([^)]*)?\)\\\\.c.*,\1,p' "$here/layers.cmake")
[ -n "$pure" ] || { echo "cmake/layers.cmake: NODE_PURE is not there"; exit 1; }

impure='accept accept4 bind clock clock_gettime clock_nanosleep close connect epoll_ctl epoll_wait
    fopen fopen64 fprintf fputc fputs fread fwrite getentropy getenv getrandom gettimeofday listen
    localtime localtime_r nanosleep open open64 openat openat64 perror poll pread pread64 printf putchar
    puts pwrite pwrite64 rand rand_r random read recv recvfrom recvmsg secure_getenv select send sendmsg
    sendto sleep socket srand srandom stderr stdin stdout syscall time usleep vfprintf vprintf write'
# A broken invariant is told on standard error before the process ends.
allowed_in_base='fprintf fputs fwrite stderr'

# report LIBRARY MEMBER SYMBOL WORDS: find the line in the source that the member was built from.
report() {
    file=$1/${2%.o}
    line=$(grep -nw -m1 -e "$3" "$file" 2>/dev/null | cut -d: -f1)
    printf '%s:%s: %s %s\n' "$file" "${line:-1}" "$3" "$4"
}

check_symbols() { # FOLDER LIBRARY
    nm -A -u "$2" | sed -n 's/^[^:]*:\([^:]*\): *[Uw] \([^@]*\).*/\1 \2/p' |
        awk -v impure="$impure" -v allowed="$allowed_in_base" '
            BEGIN {
                split(impure, a, " "); for (i in a) { bad[a[i]] = 1 }
                split(allowed, b, " "); for (i in b) { fine[b[i]] = 1 }
            }
            $1 == "base.c.o" && ($2 in fine) { next }
            { name = $2; sub(/^__/, "", name); sub(/_chk$/, "", name) }
            (name in bad) || $2 ~ /^(pthread|uv|rocksdb|storage)_/ { print $1, name }' |
        while read -r member symbol; do
            report "$1" "$member" "$symbol" "in pure code"
        done
}

# A variable that can change lies in .data or .bss; const tables of pointers in .data.rel.ro.
check_variables() { # FOLDER LIBRARY
    objdump -t "$2" | awk '
        / file format / { sub(/:.*/, "", $1); member = $1 }
        NF >= 5 && $(NF - 2) ~ /^(\.data|\.bss|\*COM\*)/ && $(NF - 2) !~ /^\.data\.rel\.ro/ &&
            $NF !~ /^(\.|__odr_asan|_ZL|__asan)/ { name = $NF; sub(/\.[0-9]+$/, "", name); print member, name }' |
        while read -r member symbol; do
            # The count of live memory is of the process, like the heap that it counts.
            [ "$1 $member $symbol" = "base base.c.o mem_live" ] ||
                report "$1" "$member" "$symbol" "is a variable of file scope in pure code"
        done
}

check_library() { # FOLDER NAME
    library=$build/lib$2.a
    if [ -f "$library" ]; then
        check_symbols "$1" "$library"
        check_variables "$1" "$library"
    elif [ "$1" = node ] || ls "$1"/*.c >/dev/null 2>&1; then
        printf '%s:1: %s is not built\n' "$1" "lib$2.a"
    fi
}

found=$(
    # shellcheck disable=SC2046 # Our file names have no spaces.
    awk -v pure="$pure" -f "$here/tidy.awk" $("$here/sources.sh")
    check_library base rf_base
    check_library ring rf_ring
    check_library gossip rf_gossip
    check_library quorum rf_quorum
    check_library node rf_node_pure
)
[ -z "$found" ] || { printf '%s\n' "$found"; exit 1; }
