# Flags of everything that is built, and the one way to declare a folder of src/, a test and a benchmark.

add_library(convoy_flags INTERFACE)
target_compile_options(convoy_flags INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wconversion -Wno-sign-conversion
    -Wno-float-conversion
    # The same bits on every CPU: products are never contracted into sums behind our back.
    -ffp-contract=off>
  $<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-Wall,-Wextra,-Wshadow,-Wnon-virtual-dtor,-ffp-contract=off>)
if(CONVOY_WARNINGS_AS_ERRORS)
  target_compile_options(convoy_flags INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Werror>
    $<$<COMPILE_LANGUAGE:CUDA>:-Werror=all-warnings -Xcompiler=-Werror>)
endif()

# What nearly every test includes, compiled once. Takes GoogleTest and the flags of tests.
function(convoy_test_headers)
  file(GENERATE OUTPUT ${PROJECT_BINARY_DIR}/test_headers.cpp CONTENT "")
  add_library(convoy_test_headers OBJECT ${PROJECT_BINARY_DIR}/test_headers.cpp)
  target_link_libraries(convoy_test_headers PRIVATE GTest::gtest convoy_flags)
  target_compile_options(convoy_test_headers PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-O1>)
  target_precompile_headers(convoy_test_headers PRIVATE <gtest/gtest.h> <algorithm> <filesystem> <fstream>
    <functional> <map> <memory> <optional> <random> <span> <sstream> <string> <vector>)
endfunction()

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
  # .ci/tidy reads a folder's files as one unit.
  set_target_properties(convoy_${name} PROPERTIES LINKER_LANGUAGE CXX POSITION_INDEPENDENT_CODE ON
    UNITY_BUILD_CODE_BEFORE_INCLUDE "// NOLINTNEXTLINE(bugprone-suspicious-include)")
  target_include_directories(convoy_${name} PUBLIC ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(convoy_${name} PUBLIC ${argument_PUBLIC} PRIVATE convoy_flags ${argument_PRIVATE})
endfunction()

# convoy_messages(<name> <file.proto>): the static library convoy_<name> of the messages that a .proto file describes, for
# libprotobuf-lite; it is included as "<file>.pb.h". Generated code keeps to no rules of ours: neither flags nor clang-tidy.
function(convoy_messages name proto)
  get_filename_component(base ${proto} NAME_WE)
  set(folder ${PROJECT_BINARY_DIR}/generated/${name})
  file(MAKE_DIRECTORY ${folder})
  add_custom_command(OUTPUT ${folder}/${base}.pb.cc ${folder}/${base}.pb.h
    COMMAND protobuf::protoc --cpp_out=lite:${folder} -I ${CMAKE_CURRENT_SOURCE_DIR} ${proto}
    DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${proto} VERBATIM)
  add_library(convoy_${name} STATIC ${folder}/${base}.pb.cc ${folder}/${base}.pb.h)
  set_target_properties(convoy_${name} PROPERTIES POSITION_INDEPENDENT_CODE ON UNITY_BUILD OFF)
  target_include_directories(convoy_${name} SYSTEM PUBLIC ${folder})
  target_link_libraries(convoy_${name} PUBLIC protobuf::libprotobuf-lite)
  # Whoever reads the sources without building them (.ci/tidy) needs the headers.
  if(NOT TARGET convoy_generated)
    add_custom_target(convoy_generated)
  endif()
  add_custom_target(convoy_generated_${name} DEPENDS ${folder}/${base}.pb.h)
  add_dependencies(convoy_generated convoy_generated_${name})
endfunction()

# convoy_test(<name> SOURCES files... [LIBRARIES targets...] [RANKS n...] [TIMEOUT seconds] [LABELS l...]
#             [GPU] [GPU_TOO filter]): a GoogleTest executable, registered once for each number of ranks; without RANKS it
# runs without mpirun.
#   GPU      the test is about GPUs: it gets the label `gpu` and does nothing where there is no device.
#   GPU_TOO  the cases that match the filter (of GoogleTest) are registered once more as <name>.gpu…, with the label `gpu`:
#            for typed suites, whose targets are the devices that the machine has. Labels that begin with `gpu` are theirs.
#   LABELS   gpu-narrow: small enough to be run under other orders of an emulated GPU's work too; alone, without `gpu`, for
#            cases that are another test's too. gpu-one-stream: narrow, and its work is on one stream, so that its order
#            can hardly matter: CI runs it under a random one only.
# Every test finds the CUDA module of this build, if there is one.
function(convoy_test name)
  cmake_parse_arguments(argument "GPU" "TIMEOUT;GPU_TOO" "SOURCES;LIBRARIES;RANKS;LABELS" ${ARGN})
  if(NOT argument_TIMEOUT)
    set(argument_TIMEOUT 300)
  endif()
  if(argument_GPU)
    list(PREPEND argument_LABELS gpu)
  endif()
  add_executable(${name} ${argument_SOURCES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  # What a test does itself is little: a third less to compile.
  target_compile_options(${name} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-O1>)
  target_precompile_headers(${name} REUSE_FROM convoy_test_headers)
  if(argument_RANKS)
    target_link_libraries(${name} PRIVATE ${argument_LIBRARIES} test_support_mpi GTest::gtest convoy_flags)
  else()
    target_link_libraries(${name} PRIVATE ${argument_LIBRARIES} GTest::gtest GTest::gtest_main convoy_flags)
  endif()
  if(TARGET convoy_cuda AND (argument_GPU OR argument_GPU_TOO))
    add_dependencies(${name} convoy_cuda)
  endif()

  if(argument_GPU_TOO)
    convoy_add_test(${name} ".gpu" "${argument_RANKS}" ${argument_TIMEOUT} "gpu;${argument_LABELS}"
      --gtest_filter=${argument_GPU_TOO})
    list(FILTER argument_LABELS EXCLUDE REGEX "^gpu")
  endif()
  convoy_add_test(${name} "" "${argument_RANKS}" ${argument_TIMEOUT} "${argument_LABELS}")
endfunction()

# convoy_test_again(<name> <suffix> FILTER filter [RANKS n...] [TIMEOUT seconds] [LABELS l...] [ENVIRONMENT NAME=value]): the cases of a test that
# match the filter once more, as <name><suffix>: on other numbers of ranks, under a label of their own, or (without RANKS) in another environment.
function(convoy_test_again name suffix)
  cmake_parse_arguments(argument "" "FILTER;TIMEOUT;ENVIRONMENT" "RANKS;LABELS" ${ARGN})
  if(NOT argument_TIMEOUT)
    set(argument_TIMEOUT 300)
  endif()
  convoy_add_test(${name} "${suffix}" "${argument_RANKS}" ${argument_TIMEOUT} "${argument_LABELS}"
    --gtest_filter=${argument_FILTER})
  if(argument_ENVIRONMENT AND NOT argument_RANKS)
    set_property(TEST ${name}${suffix} APPEND PROPERTY ENVIRONMENT ${argument_ENVIRONMENT})
  endif()
endfunction()

# convoy_test_file(<test> <name> <file>): the test finds <file> by built_file(<name>) (tests/support/built_file.hpp), also
# where the build is not.
function(convoy_test_file test name file)
  target_compile_definitions(${test} PRIVATE ${name}="${file}")
  set_property(GLOBAL APPEND PROPERTY convoy_test_files ${file})
endfunction()

# Of this file only: a line for tests/gpu_tests if the test has the label gpu.
function(convoy_list_gpu_test labels name ranks timeout program)
  if("gpu" IN_LIST labels)
    string(REPLACE ";" " " arguments "${ARGN}")
    set_property(GLOBAL APPEND PROPERTY convoy_gpu_tests "${name} ${ranks} ${timeout} ${program} ${arguments}")
  endif()
endfunction()

# After all tests: what cluster/bundle packs. tests/gpu_tests has a line for each test with the label gpu: name, ranks (0:
# without mpirun), limit in seconds, program, arguments; tests/gpu_test_files names the files that they use.
function(convoy_write_test_lists)
  get_property(tests GLOBAL PROPERTY convoy_gpu_tests)
  get_property(files GLOBAL PROPERTY convoy_test_files)
  list(REMOVE_DUPLICATES files)
  string(REPLACE ";" "\n" tests "${tests}")
  string(REPLACE ";" "\n" files "${files}")
  file(GENERATE OUTPUT ${PROJECT_BINARY_DIR}/tests/gpu_tests CONTENT "${tests}\n")
  file(GENERATE OUTPUT ${PROJECT_BINARY_DIR}/tests/gpu_test_files CONTENT "${files}\n")
endfunction()

# Of this file only: registers the executable <name> as <name><suffix>, with further arguments. A test of which every
# case was skipped, or that has none on this machine (a typed suite without its device), is shown as skipped.
function(convoy_add_test name suffix rank_counts timeout labels)
  set(nothing_ran "\\[  PASSED  \\] 0 tests\\.\n(\\[  SKIPPED \\][^\n]*\n)*$")
  if(CONVOY_SANITIZE)  # several times slower
    math(EXPR timeout "${timeout} * 5")
  endif()
  # What tests measure is not kept where users' runs look for it.
  set(environment "XDG_CACHE_HOME=${PROJECT_BINARY_DIR}/tests/cache")
  if(TARGET convoy_cuda)
    list(APPEND environment "CONVOY_CUDA_MODULE=$<TARGET_FILE:convoy_cuda>")
  endif()
  file(RELATIVE_PATH program ${PROJECT_BINARY_DIR} ${CMAKE_CURRENT_BINARY_DIR}/${name})
  if(NOT rank_counts)
    convoy_list_gpu_test("${labels}" ${name}${suffix} 0 ${timeout} ${program} ${ARGN})
    add_test(NAME ${name}${suffix} COMMAND ${name} ${ARGN})
    set_tests_properties(${name}${suffix} PROPERTIES TIMEOUT ${timeout} LABELS "${labels}" ENVIRONMENT "${environment}"
      SKIP_REGULAR_EXPRESSION "${nothing_ran}")
  endif()
  list(APPEND environment OMP_NUM_THREADS=1 OMPI_MCA_btl_vader_single_copy_mechanism=none)
  foreach(ranks IN LISTS rank_counts)
    set(test ${name}${suffix}.${ranks}ranks)
    convoy_list_gpu_test("${labels}" ${test} ${ranks} ${timeout} ${program} ${ARGN})
    add_test(NAME ${test} COMMAND ${MPIEXEC_EXECUTABLE} --allow-run-as-root --oversubscribe --bind-to none -n ${ranks}
      $<TARGET_FILE:${name}> ${ARGN})
    set_tests_properties(${test} PROPERTIES TIMEOUT ${timeout} PROCESSORS ${ranks} LABELS "${labels}"
      ENVIRONMENT "${environment}" SKIP_REGULAR_EXPRESSION "${nothing_ran}")
  endforeach()
endfunction()
