// The list of all tests. Rows and free-form tests enter it before main(); the runner, `list` and `explain` read it.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "conformance/support/call.hpp"
#include "conformance/support/needs.hpp"

namespace conformance {

class Ctx;

struct Test {
  std::string id;      // "vm.set_user_memory_region.size_not_page_multiple_is_einval"
  std::string source;  // where the claim comes from: "api.rst 4.35"
  Abi status = Abi::promised;
  Needs needs;
  const char* file = "";
  int line = 0;
  std::function<void(Ctx&)> body;
  std::function<std::string()> describe;  // for `explain`: the call or the guest, and what is expected

  std::string_view area() const;   // "vm"
  std::string_view suite() const;  // "vm.set_user_memory_region"
  std::string_view claim() const;  // the rest
};

class Registry {
 public:
  // The one that KVM_ROWS and KVM_TEST fill.
  static Registry& global();

  // `file` is cut to its part within the project, whatever the build passed to the compiler.
  void add(Test test);
  // In order of registration; call sort() once before reading.
  const std::vector<Test>& tests() const { return tests_; }
  const Test* find(std::string_view id) const;
  // Orders by id, and returns what is wrong with the list: ids that occur twice or are not lower_snake words.
  std::vector<std::string> sort();

 private:
  std::vector<Test> tests_;
};

// Is `id` area.ioctl.claim: at least three parts of lower-case letters, digits and '_', the first and last not empty?
bool is_well_formed_id(std::string_view id);
// '*' stands for any characters, '?' for one.
bool matches_glob(std::string_view glob, std::string_view text);

}  // namespace conformance
