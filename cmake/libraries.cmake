# Libraries from Debian, one place each (see packages.txt for why).
find_package(PkgConfig REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(UV REQUIRED IMPORTED_TARGET libuv)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(HIREDIS REQUIRED IMPORTED_TARGET hiredis)
pkg_check_modules(INIH REQUIRED IMPORTED_TARGET inih)
pkg_check_modules(CHECK REQUIRED IMPORTED_TARGET check)
pkg_check_modules(JANSSON IMPORTED_TARGET jansson) # Of one test; whoever only builds can do without.
find_path(MSGPACK_INCLUDE msgpack.h REQUIRED)
find_library(MSGPACK_LIBRARY NAMES msgpackc msgpack-c REQUIRED)

# RocksDB and what it compresses with, statically: a third cheaper per write than the shared library
# (ARCHITECTURE.md, storage), and one file less to install beside the program.
add_library(rocksdb_static INTERFACE)
foreach(name rocksdb snappy lz4 zstd bz2 z)
  find_library(ROCKS_${name} NAMES lib${name}.a REQUIRED)
  target_link_libraries(rocksdb_static INTERFACE ${ROCKS_${name}})
endforeach()
