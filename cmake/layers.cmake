# One library per folder; arrows only downward. A new file needs no registration.
function(folder_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "FILES;LINK")
  if(NOT arg_FILES)
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE ${arg_LINK})
  else()
    add_library(${name} STATIC ${arg_FILES})
    target_link_libraries(${name} PUBLIC ${arg_LINK})
  endif()
endfunction()

file(GLOB BASE_FILES CONFIGURE_DEPENDS base/*.c)
file(GLOB RING_FILES CONFIGURE_DEPENDS ring/*.c)
file(GLOB GOSSIP_FILES CONFIGURE_DEPENDS gossip/*.c)
file(GLOB QUORUM_FILES CONFIGURE_DEPENDS quorum/*.c)
file(GLOB STORAGE_FILES CONFIGURE_DEPENDS storage/*.c)
file(GLOB NODE_FILES CONFIGURE_DEPENDS node/*.c)

set(STORAGE_ROCKS_FILES ${STORAGE_FILES})
list(FILTER STORAGE_ROCKS_FILES INCLUDE REGEX "/rocks[^/]*$")
list(FILTER STORAGE_FILES EXCLUDE REGEX "/rocks[^/]*$")

# The pure part of node/. Every other file there is shell: it knows a socket, a file, a thread or the time.
set(NODE_PURE "/(node|core|wire|clients|resp|session|command|context|glob|options|metrics|info)(_[a-z0-9_]+)?\\.c$")
set(NODE_PURE_FILES ${NODE_FILES})
list(FILTER NODE_PURE_FILES INCLUDE REGEX ${NODE_PURE})
set(NODE_SHELL_FILES ${NODE_FILES})
list(FILTER NODE_SHELL_FILES EXCLUDE REGEX ${NODE_PURE})
set(NODE_MAIN_FILES ${NODE_SHELL_FILES})
list(FILTER NODE_MAIN_FILES INCLUDE REGEX "/main\\.c$")
list(FILTER NODE_SHELL_FILES EXCLUDE REGEX "/main\\.c$")

set(BASE_LIBRARIES PkgConfig::XXHASH OpenSSL::Crypto ${MSGPACK_LIBRARY})
folder_library(rf_base FILES ${BASE_FILES} LINK ${BASE_LIBRARIES})
folder_library(rf_ring FILES ${RING_FILES} LINK rf_base)
folder_library(rf_gossip FILES ${GOSSIP_FILES} LINK rf_base)
folder_library(rf_storage_memory FILES ${STORAGE_FILES} LINK rf_base)
folder_library(rf_storage_rocks FILES ${STORAGE_ROCKS_FILES}
  LINK rf_storage_memory rocksdb_static stdc++ m Threads::Threads ${CMAKE_DL_LIBS})
folder_library(rf_quorum FILES ${QUORUM_FILES} LINK rf_ring rf_base)
folder_library(rf_node_pure FILES ${NODE_PURE_FILES} LINK rf_quorum rf_gossip rf_ring rf_base)
folder_library(rf_node FILES ${NODE_SHELL_FILES}
  LINK rf_node_pure rf_storage_rocks PkgConfig::UV PkgConfig::INIH PkgConfig::HIREDIS)

if(NODE_MAIN_FILES)
  add_executable(ringfort ${NODE_MAIN_FILES})
  target_link_libraries(ringfort PRIVATE rf_node)
endif()
