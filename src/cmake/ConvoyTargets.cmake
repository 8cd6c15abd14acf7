# Flags of everything that is built, and the one way to declare a folder of src/, a test and a benchmark.

add_library(convoy_flags INTERFACE)
target_compile_options(convoy_flags INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wconversion -Wno-sign-conversion
    -Wno-float-conversion
    # The same bits on every CPU: products are never contracted into sums behind our back.
    -ffp-contract=off>)
if(CONVOY_WARNINGS_AS_ERRORS)
  target_compile_options(convoy_flags INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Werror>)
endif()

# convoy_folder(<name> [PUBLIC targets...] [PRIVATE targets...]): the library of one folder of src/, from all of its
# sources (subfolders named by SUBFOLDERS too).
function(convoy_folder name)
  cmake_parse_arguments(argument "" "" "PUBLIC;PRIVATE;SUBFOLDERS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  foreach(subfolder IN LISTS argument_SUBFOLDERS)
    file(GLOB more CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${subfolder}/*.cpp)
    list(APPEND sources ${more})
  endforeach()
  add_library(convoy_${name} STATIC ${sources})
  set_target_properties(convoy_${name} PROPERTIES LINKER_LANGUAGE CXX POSITION_INDEPENDENT_CODE ON)
  target_include_directories(convoy_${name} PUBLIC ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(convoy_${name} PUBLIC ${argument_PUBLIC} PRIVATE convoy_flags ${argument_PRIVATE})
endfunction()

# convoy_test(<name> SOURCES files... [LIBRARIES targets...] [RANKS n...] [TIMEOUT seconds] [LABELS l...]): a GoogleTest
# executable, registered once for each number of ranks; without RANKS it runs without mpirun.
function(convoy_test name)
  cmake_parse_arguments(argument "" "TIMEOUT" "SOURCES;LIBRARIES;RANKS;LABELS" ${ARGN})
  if(NOT argument_TIMEOUT)
    set(argument_TIMEOUT 300)
  endif()
  add_executable(${name} ${argument_SOURCES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  if(argument_RANKS)
    target_link_libraries(${name} PRIVATE ${argument_LIBRARIES} test_support_mpi GTest::gtest convoy_flags)
    foreach(ranks IN LISTS argument_RANKS)
      add_test(NAME ${name}.${ranks}ranks
        COMMAND ${MPIEXEC_EXECUTABLE} --allow-run-as-root --oversubscribe --bind-to none -n ${ranks} $<TARGET_FILE:${name}>)
      set_tests_properties(${name}.${ranks}ranks PROPERTIES TIMEOUT ${argument_TIMEOUT} PROCESSORS ${ranks}
        LABELS "${argument_LABELS}" ENVIRONMENT "OMP_NUM_THREADS=1;OMPI_MCA_btl_vader_single_copy_mechanism=none")
    endforeach()
  else()
    target_link_libraries(${name} PRIVATE ${argument_LIBRARIES} GTest::gtest GTest::gtest_main convoy_flags)
    add_test(NAME ${name} COMMAND ${name})
    set_tests_properties(${name} PROPERTIES TIMEOUT ${argument_TIMEOUT} LABELS "${argument_LABELS}")
  endif()
endfunction()
