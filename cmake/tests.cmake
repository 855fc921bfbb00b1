# One program per module: tests/unit/test_<module>.c or test_<module>_<part>.c. Those of base/ and
# ring/ see no more than that; test_shell*, test_rocks* and test_disk* see the shell and RocksDB too.
file(GLOB TESTLIB_FILES CONFIGURE_DEPENDS tests/lib/*.c)
folder_library(rf_testlib FILES ${TESTLIB_FILES} LINK rf_node_pure rf_storage_memory)

function(unit_test file)
  get_filename_component(name ${file} NAME_WE)
  string(REGEX REPLACE "^test_([a-z0-9]+).*" "\\1" module ${name})
  set(libraries rf_testlib rf_node_pure rf_storage_memory)
  if(EXISTS ${CMAKE_SOURCE_DIR}/base/${module}.h)
    set(libraries rf_base)
  elseif(EXISTS ${CMAKE_SOURCE_DIR}/ring/${module}.h)
    set(libraries rf_ring)
  elseif(module MATCHES "^(shell|rocks|disk)$")
    list(PREPEND libraries rf_node rf_storage_rocks)
  endif()
  if(module STREQUAL "model")
    if(NOT JANSSON_FOUND)
      message(STATUS "Without libjansson there is no ${name}: ./dev deps")
      return()
    endif()
    list(APPEND libraries PkgConfig::JANSSON)
  endif()
  add_executable(${name} ${file})
  target_link_libraries(${name} PRIVATE ${libraries} PkgConfig::CHECK m)
  add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
endfunction()

file(GLOB UNIT_FILES CONFIGURE_DEPENDS tests/unit/test_*.c)
foreach(file ${UNIT_FILES})
  unit_test(${file})
endforeach()

# The simulator is production code and a model of the world in one program. ringfort-sim-mutants comes
# from the same sources with the known bugs of base/mutant.h in them, to be switched on one by one.
file(GLOB SIM_FILES CONFIGURE_DEPENDS tests/sim/*.c)
set(SIM_MAIN ${SIM_FILES})
list(FILTER SIM_MAIN INCLUDE REGEX "/(main|sim|sim_main)\\.c$")
if(SIM_MAIN)
  add_executable(ringfort-sim ${SIM_FILES})
  target_link_libraries(ringfort-sim PRIVATE rf_testlib rf_node_pure rf_storage_memory m)
  # The transcripts' small world has functions of the same names as the simulator's.
  set(SIM_LIB_FILES ${TESTLIB_FILES})
  list(FILTER SIM_LIB_FILES EXCLUDE REGEX "/transcript[^/]*$")
  add_executable(ringfort-sim-mutants ${SIM_FILES} ${SIM_LIB_FILES} ${STORAGE_FILES} ${NODE_PURE_FILES}
                 ${QUORUM_FILES} ${GOSSIP_FILES} ${RING_FILES} ${BASE_FILES})
  target_compile_definitions(ringfort-sim-mutants PRIVATE RINGFORT_MUTANTS)
  target_link_libraries(ringfort-sim-mutants PRIVATE ${BASE_LIBRARIES} m)
endif()

# What else these folders build and run they say themselves.
foreach(folder sim fuzz transcripts bench e2e chaos)
  if(EXISTS ${CMAKE_SOURCE_DIR}/tests/${folder}/CMakeLists.txt)
    add_subdirectory(tests/${folder})
  endif()
endforeach()

# The house rules that no compiler knows, and proof that their alarm rings.
add_test(NAME tidy COMMAND ${CMAKE_SOURCE_DIR}/cmake/tidy.sh ${CMAKE_BINARY_DIR})
add_test(NAME tidy_alarm
  COMMAND ${CMAKE_SOURCE_DIR}/cmake/tidy_test.sh ${CMAKE_BINARY_DIR}/tidy_alarm)
add_test(NAME format COMMAND ${CMAKE_SOURCE_DIR}/cmake/format.sh)
