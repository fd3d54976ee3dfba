// kvm-record [FILE]: writes the facts of this machine's /dev/kvm as JSON to FILE or standard output. 4: no usable
// /dev/kvm.
#include <cstdio>
#include <fstream>
#include <iostream>

#include "conformance/facts/facts.hpp"
#include "kvmapi/kernel_backend.hpp"

int main(int argc, char** argv) {
  kvmapi::KernelBackend kernel;
  const conformance::Json facts = conformance::collect_facts(kernel);
  if (facts.contains("error")) {
    std::fprintf(stderr, "kvm-record: %s\n", facts["error"].get<std::string>().c_str());
    return 4;
  }
  const std::string text = facts.dump(1) + "\n";
  if (argc < 2) {
    std::cout << text;
    return 0;
  }
  std::ofstream file(argv[1]);
  file << text;
  file.close();
  if (!file) std::fprintf(stderr, "kvm-record: can not write %s\n", argv[1]);
  return file ? 0 : 3;
}
