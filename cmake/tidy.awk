# What a look at the source can tell: layers, who may include which library, lengths, banned calls.
# Input: the C files by their path from the root; `pure` matches the pure ones of node/ without their
# suffix. Output: file:line: words.

function report(line, words) {
    print FILENAME ":" line ": " words
}

# Drop comments and the contents of strings; `in_comment` carries over to the next line.
function code_of(line,    out, i, c, end) {
    out = ""
    for (i = 1; i <= length(line); i++) {
        c = substr(line, i, 1)
        if (in_comment) {
            end = index(substr(line, i), "*/")
            if (!end) {
                return out
            }
            i += end
            in_comment = 0
        } else if (substr(line, i, 2) == "/*") {
            in_comment = 1
            i++
            out = out " "
        } else if (substr(line, i, 2) == "//") {
            return out
        } else if (c == "\"" || c == "'") {
            out = out c c
            for (i++; i <= length(line) && substr(line, i, 1) != c; i++) {
                if (substr(line, i, 1) == "\\") {
                    i++
                }
            }
        } else {
            out = out c
        }
    }
    return out
}

function is_pure_node(path) {
    return path ~ "^node/" pure "[.][ch]$"
}

function exists(path,    line, found) {
    found = (getline line < path) > 0
    close(path)
    return found
}

function check_own_include(path,    to, source) {
    if (path !~ /\//) {
        report(FNR, "include \"" path "\" does not name its folder")
        return
    }
    to = path
    sub(/\/.*/, "", to)
    if (index(below[folder], " " to " ") == 0) {
        report(FNR, folder "/ must not include " to "/")
        return
    }
    if (!is_pure_node(FILENAME)) {
        return
    }
    source = path
    sub(/\.h$/, ".c", source)
    if (to == "node" && !is_pure_node(path) && exists(source)) {
        report(FNR, "a pure file must not include " path)
    }
}

function check_library(header,    i) {
    for (i = 1; i <= libraries; i++) {
        if (header ~ library[i] && FILENAME !~ home[i]) {
            report(FNR, "<" header "> belongs to " place[i] " only")
        }
    }
    if (header ~ /^(uv|ini|hiredis|microhttpd)(\.h|\/)/ && (folder != "node" || is_pure_node(FILENAME))) {
        report(FNR, "<" header "> belongs to the shell in node/ only")
    }
}

function check_calls(code,    rest, name) {
    rest = code
    while (match(rest, /[A-Za-z_][A-Za-z_0-9]*[ \t]*\(/)) {
        name = substr(rest, RSTART, RLENGTH - 1)
        sub(/[ \t]+$/, "", name)
        if (name in banned) {
            report(FNR, name " is banned: " banned[name])
        } else if (name in allocates && folder != "base") {
            report(FNR, name " belongs to base/ only: mem_alloc counts and cannot fail")
        }
        rest = substr(rest, RSTART + RLENGTH)
    }
}

BEGIN {
    below["base"] = " base "
    below["ring"] = " base ring "
    below["gossip"] = " base gossip "
    below["storage"] = " base storage "
    below["quorum"] = " base ring quorum "
    below["node"] = " base ring gossip storage quorum node "
    below["tests"] = " base ring gossip storage quorum node tests "

    library[++libraries] = "^msgpack(\\.h|/)"; home[libraries] = "^base/pack\\.c$"; place[libraries] = "base/pack.c"
    library[++libraries] = "^rocksdb/"; home[libraries] = "^storage/rocks[^/]*$"; place[libraries] = "storage/rocks*"
    library[++libraries] = "^(xxhash\\.h|openssl/)"; home[libraries] = "^base/hash\\.c$"; place[libraries] = "base/hash.c"

    banned["strcpy"] = banned["strcat"] = "no bound; use struct buf or arena_printf"
    banned["sprintf"] = banned["vsprintf"] = banned["gets"] = "no bound; use buf_printf or arena_printf"
    banned["atoi"] = banned["atol"] = "errors look like 0; use bytes_to_i64"
    banned["strtok"] = "hidden state; walk the bytes"
    banned["alloca"] = "no bound; use an arena"
    split("malloc calloc realloc free strdup strndup", names, " ")
    for (i in names) {
        allocates[names[i]] = 1
    }
}

FNR == 1 {
    in_comment = 0
    body = 0
    folder = FILENAME
    sub(/\/.*/, "", folder)
    product = folder != "tests"
}

{
    columns = $0
    gsub(/[\200-\277]/, "", columns) # Count characters, not the bytes of UTF-8.
    if (length(columns) > 100) {
        report(FNR, length(columns) " columns, at most 100")
    }
    was_comment = in_comment
    code = code_of($0)
}

!was_comment && /^[ \t]*#[ \t]*include[ \t]*"/ {
    split($0, part, "\"")
    check_own_include(part[2])
}

!was_comment && product && /^[ \t]*#[ \t]*include[ \t]*</ {
    split($0, part, /[<>]/)
    check_library(part[2])
}

/(^|[^A-Za-z0-9_])(TODO|FIXME|XXX|HACK)([^A-Za-z0-9_]|$)/ {
    report(FNR, "a note to do something later; do it or leave it out")
}

product {
    check_calls(code)
}

product && /^\{/ {
    body = FNR
}

product && /^\}/ && body {
    if (FNR - body - 1 > 70) {
        report(body, "a function of " FNR - body - 1 " lines, at most 70")
    }
    body = 0
}

product && FNR == 701 {
    report(FNR, "more than 700 lines in one file")
}
