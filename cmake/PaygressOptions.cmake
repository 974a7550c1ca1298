# What every target is compiled with. Presets in CMakePresets.json set the options.

option(PAYGRESS_SHELL "Build the real-IO shell and its programs" ON)
option(PAYGRESS_TESTS "Build the tests" ON)
option(PAYGRESS_TEST_PCH "Precompile the headers of the tests" OFF)
option(PAYGRESS_FUZZ "Build the libFuzzer targets (needs clang)" OFF)
option(PAYGRESS_BENCH "Build the benchmarks" OFF)
option(PAYGRESS_COVERAGE "Instrument for gcov" OFF)
option(PAYGRESS_PLANT "Compile the planted bugs in (core/base/planted.h); never in a release" OFF)
set(PAYGRESS_SANITIZE "" CACHE STRING "Value for -fsanitize= (address,undefined or thread)")
set(PAYGRESS_SANITIZE_NOT "" CACHE STRING "Checks of it that are left out")

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")  # -O3 costs build time and buys nothing measurable here
# The presets of `./dev test` compile the sources of a target as one (CMAKE_UNITY_BUILD): what many
# of them read and instantiate is compiled once. The other presets compile each alone, so that each
# includes what it needs.
set(CMAKE_UNITY_BUILD_BATCH_SIZE 24)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)

add_library(paygress_options INTERFACE)
target_compile_options(paygress_options INTERFACE
  -Wall -Wextra -Wpedantic -Werror -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual
  -fno-fast-math -ffp-contract=off)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # Most files are compiled to the end in less; collecting before takes an eighth more time.
  target_compile_options(paygress_options INTERFACE --param=ggc-min-heapsize=524288)  # kB
  # No library of ours is shared: nothing of it can be replaced, so calls may be inlined.
  target_compile_options(paygress_options INTERFACE -fno-semantic-interposition)
  # gcc 12 reports these inside its own <string> and <variant> at -O2 and above.
  target_compile_options(paygress_options INTERFACE
    -Wno-restrict -Wno-maybe-uninitialized -Wno-array-bounds -Wno-stringop-overflow
    -Wno-stringop-overread)
endif()
if(PAYGRESS_PLANT)
  target_compile_definitions(paygress_options INTERFACE PAYGRESS_PLANT)
endif()
if(PAYGRESS_SANITIZE)
  add_compile_options(-fsanitize=${PAYGRESS_SANITIZE} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${PAYGRESS_SANITIZE})
  if(PAYGRESS_SANITIZE MATCHES "undefined")
    add_compile_options(-fno-sanitize-recover=all)
    # Before every access through a pointer. The address sanitizer stops at the bad access itself,
    # so the tree of `./dev test` leaves them out: a quarter of its building time. The fuzz tree has
    # them.
    if(PAYGRESS_SANITIZE_NOT)
      add_compile_options(-fno-sanitize=${PAYGRESS_SANITIZE_NOT})
    endif()
  endif()
endif()
if(PAYGRESS_COVERAGE)
  add_compile_options(--coverage -O0)
  add_link_options(--coverage)
endif()
