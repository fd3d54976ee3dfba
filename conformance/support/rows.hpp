// All that a conformance test file includes.
//
//   constexpr IoctlCase kRows[] = {
//     {.name = "size_not_page_multiple_is_einval",
//      .call = [](Ctx& t) { return t.vm().set_user_memory_region(slot(0).size(0x1001)); },
//      .expect = fails(EINVAL)},
//   };
//   KVM_ROWS("vm.set_user_memory_region", "api.rst 4.35", kRows);
//
//   KVM_TEST("run.immediate_exit", "signal_ends_run_with_eintr", "api.rst 5", {.needs = {.cap = Cap::ImmediateExit}})
//   (Ctx& t) {
//     EXPECT_THAT(t.vcpu().run(), FailsWith(EINTR));
//   }
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "conformance/support/ctx.hpp"
#include "conformance/support/expect.hpp"
#include "conformance/support/ioctl_case.hpp"
#include "conformance/support/matchers.hpp"
#include "conformance/support/memory_slot.hpp"
#include "conformance/support/needs.hpp"
#include "conformance/support/registry.hpp"

namespace conformance {

// What KVM_TEST takes after its source.
struct TestOptions {
  Needs needs{};
  Abi status = Abi::promised;
};

struct Registrar {
  template <class Case, std::size_t N>
  Registrar(const char* suite, const char* source, const Case (&rows)[N]) {
    add_rows(Registry::global(), suite, source, std::span<const Case>(rows));
  }
  Registrar(const char* suite, const char* claim, const char* source, const char* file, int line, void (*body)(Ctx&),
            const TestOptions& options = {});
};

}  // namespace conformance

#define KVM_CONCAT_(a, b) a##b
#define KVM_CONCAT(a, b) KVM_CONCAT_(a, b)

#define KVM_ROWS(suite, source, rows) \
  static const ::conformance::Registrar KVM_CONCAT(kvm_rows_, __LINE__)(suite, source, rows)

#define KVM_TEST(suite, claim, source, ...)                                                                   \
  static void KVM_CONCAT(kvm_test_, __LINE__)(::conformance::Ctx&);                                           \
  static const ::conformance::Registrar KVM_CONCAT(kvm_entry_, __LINE__)(                                     \
      suite, claim, source, __FILE__, __LINE__, &KVM_CONCAT(kvm_test_, __LINE__) __VA_OPT__(, ) __VA_ARGS__); \
  static void KVM_CONCAT(kvm_test_, __LINE__)
