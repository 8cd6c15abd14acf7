# Builds that look for errors at run time (tests/sanitizers/README.md, tests/fuzz/README.md). Before any target is declared:
# everything that is built gets the flags.

set(CONVOY_SANITIZE OFF CACHE STRING "Checks at run time: ON (AddressSanitizer, UndefinedBehaviorSanitizer), thread, OFF")
set_property(CACHE CONVOY_SANITIZE PROPERTY STRINGS OFF ON thread)
option(CONVOY_FUZZ "Build the programs of tests/fuzz, and only them (Clang)" OFF)

set(convoy_checks "")
if(CONVOY_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID MATCHES Clang)
    message(FATAL_ERROR "CONVOY_FUZZ=ON needs Clang: configure a folder of its own with -DCMAKE_CXX_COMPILER=clang++")
  endif()
  set(convoy_checks fuzzer-no-link,address,undefined,float-cast-overflow)
elseif(CONVOY_SANITIZE STREQUAL "thread")
  set(convoy_checks thread)
elseif(CONVOY_SANITIZE)
  set(convoy_checks address,undefined,float-cast-overflow)
endif()

if(convoy_checks)
  # The CUDA runtime and the checks do not know each other's memory.
  set(CONVOY_CUDA OFF CACHE STRING "" FORCE)
  set(CONVOY_BENCHMARKS OFF CACHE BOOL "" FORCE)
  set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O1 -g1 -fno-omit-frame-pointer")
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fsanitize=${convoy_checks}>
    $<$<COMPILE_LANGUAGE:CXX>:-fno-sanitize-recover=all>)
  add_link_options(-fsanitize=${convoy_checks})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # GCC 12 warns of what the checks themselves add.
    add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-Wno-maybe-uninitialized> $<$<COMPILE_LANGUAGE:CXX>:-Wno-array-bounds>)
  endif()
endif()
