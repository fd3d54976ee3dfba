// Asking a KVM something where a bad answer cannot hurt: a function that runs in a child process, with a deadline.
#pragma once

#include <chrono>
#include <functional>
#include <string>

namespace conformance {

struct ChildAnswer {
  bool is_ok = false;
  std::string
      text;  // what `question` returned, or why there is no answer: "no answer within 10 s", "killed by SIGSEGV"
};

ChildAnswer ask_in_child(const std::function<std::string()>& question, std::chrono::milliseconds timeout);

// "killed by SIGSEGV (Segmentation fault)", "ended with status 3". `status` as waitpid(2) gives it.
std::string how_it_ended(int status);

}  // namespace conformance
