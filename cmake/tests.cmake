# One program per module: tests/unit/test_<module>.c. test_shell*, test_rocks* and test_disk* see the
# shell and RocksDB as well.
file(GLOB TESTLIB_FILES CONFIGURE_DEPENDS tests/lib/*.c)
folder_library(rf_testlib FILES ${TESTLIB_FILES} LINK rf_node_pure rf_storage_memory)

file(GLOB UNIT_FILES CONFIGURE_DEPENDS tests/unit/test_*.c)
foreach(file ${UNIT_FILES})
  get_filename_component(name ${file} NAME_WE)
  add_executable(${name} ${file})
  target_link_libraries(${name} PRIVATE rf_testlib rf_node_pure rf_storage_memory PkgConfig::CHECK)
  if(name MATCHES "^test_(shell|rocks|disk)")
    target_link_libraries(${name} PRIVATE rf_node rf_storage_rocks)
  endif()
  add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
endforeach()

foreach(folder sim fuzz transcripts bench e2e chaos)
  if(EXISTS ${CMAKE_SOURCE_DIR}/tests/${folder}/CMakeLists.txt)
    add_subdirectory(tests/${folder})
  endif()
endforeach()
