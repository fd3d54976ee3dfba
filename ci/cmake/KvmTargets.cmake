# One way to make a library, a unit test and a benchmark, so that every folder looks alike.
include(GNUInstallDirs)
include(GoogleTest)

add_library(kvm_options INTERFACE)
target_include_directories(kvm_options INTERFACE
  $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_compile_features(kvm_options INTERFACE cxx_std_20)
set(kvm_warnings -Wall -Wextra -Wno-missing-field-initializers)
if(CMAKE_CXX_COMPILER_ID MATCHES Clang)
  # Tables made by macros and templates have members that not every row needs.
  list(APPEND kvm_warnings -Wno-unused-const-variable)
endif()
if(KVM_WERROR)
  list(APPEND kvm_warnings -Werror)
endif()
target_compile_options(kvm_options INTERFACE "$<BUILD_INTERFACE:${kvm_warnings}>")
if(KVM_SANITIZE)
  # -O1: the interpreter without any optimisation is ten times slower.
  set(kvm_optimisation "$<IF:$<BOOL:$<TARGET_PROPERTY:KVM_COMPILE_QUICKLY>>,-O0,-O1>")
  set(kvm_sanitizer -fsanitize=${KVM_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer ${kvm_optimisation}
    -g${KVM_DEBUG_LEVEL})
  if(KVM_SANITIZE MATCHES thread AND CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    # A guest's fences order guest memory, whose accesses are atomic anyway (mock/cpu/guest_memory.hpp).
    list(APPEND kvm_sanitizer -Wno-tsan)
  endif()
  target_compile_options(kvm_options INTERFACE "$<BUILD_INTERFACE:${kvm_sanitizer}>")
  target_link_options(kvm_options INTERFACE $<BUILD_INTERFACE:-fsanitize=${KVM_SANITIZE}>)
elseif(CMAKE_BUILD_TYPE STREQUAL Release)
  target_compile_options(kvm_options INTERFACE "$<BUILD_INTERFACE:$<$<BOOL:$<TARGET_PROPERTY:KVM_COMPILE_QUICKLY>>:-O1>>")
endif()
if(KVM_FUZZ)
  # Without traced comparisons, which cost half the speed and tell little about a decoder with tables.
  target_compile_options(kvm_options INTERFACE "$<BUILD_INTERFACE:-fsanitize-coverage=inline-8bit-counters,pc-table>")
endif()

# kvm_compile_quickly(NAME...): tests and command lines, which run once and take most of the compiler's time. Optimised less.
function(kvm_compile_quickly)
  set_target_properties(${ARGN} PROPERTIES KVM_COMPILE_QUICKLY ON)
endfunction()

# kvm_library(NAME [LINK lib...]): every .cpp of this folder except *_test.cpp, *_bench.cpp and main.cpp.
function(kvm_library name)
  cmake_parse_arguments(ARG "" "" "LINK;EXTRA" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS *.cpp)
  list(FILTER sources EXCLUDE REGEX "(_test|_bench|/main)\\.cpp$")
  list(APPEND sources ${ARG_EXTRA})
  if(sources)
    add_library(${name} STATIC ${sources})
    target_link_libraries(${name} PUBLIC kvm_options ${ARG_LINK})
  else()
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE kvm_options ${ARG_LINK})
  endif()
endfunction()

# kvm_precompile(NAME header...): headers of libraries that most sources of the target include.
function(kvm_precompile name)
  if(NOT KVM_PRECOMPILE)
    return()
  endif()
  target_precompile_headers(${name} PRIVATE ${ARGN})
  if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    target_compile_options(${name} PRIVATE -fpch-preprocess)  # ccache asks for it
  endif()
endfunction()

# kvm_precompile_gtest(NAME): <gtest/gtest.h>, parsed once for all unit tests.
function(kvm_precompile_gtest name)
  if(NOT KVM_PRECOMPILE)
    return()
  endif()
  if(NOT TARGET kvm_gtest_header)
    file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/gtest_header.cpp CONTENT "int main() {}\n")
    add_executable(kvm_gtest_header ${CMAKE_BINARY_DIR}/gtest_header.cpp)
    target_link_libraries(kvm_gtest_header PRIVATE kvm_options GTest::gtest)
    set_target_properties(kvm_gtest_header PROPERTIES EXCLUDE_FROM_ALL ON)
    kvm_compile_quickly(kvm_gtest_header)
    kvm_precompile(kvm_gtest_header <gtest/gtest.h>)
  endif()
  target_precompile_headers(${name} REUSE_FROM kvm_gtest_header)
  if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    target_compile_options(${name} PRIVATE -fpch-preprocess)
  endif()
endfunction()

# kvm_unit_test(NAME [LINK lib...]): every *_test.cpp of this folder, in one program, with the label "unit".
function(kvm_unit_test name)
  cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS *_test.cpp)
  if(NOT sources)
    return()
  endif()
  add_executable(${name} ${sources})
  target_link_libraries(${name} PRIVATE kvm_options ${ARG_LINK} GTest::gmock GTest::gtest_main)
  kvm_compile_quickly(${name})
  kvm_precompile_gtest(${name})
  gtest_discover_tests(${name} TEST_PREFIX ${name}. DISCOVERY_MODE PRE_TEST PROPERTIES LABELS unit)
endfunction()
