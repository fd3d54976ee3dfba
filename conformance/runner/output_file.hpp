// Writing a result so that a reader never sees half of it, and that no error is lost.
#pragma once

#include <string>
#include <string_view>

namespace conformance {

// Replaces `path` in one step; a path that is no regular file (a pipe, /dev/stdout) is written directly. Empty, or what
// went wrong: "cannot write /dev/full: No space left on device".
std::string write_file(const std::string& path, std::string_view text);

// What write_file() would run into at once: a missing or unwritable folder. Leaves nothing behind.
std::string check_writable(const std::string& path);

// The whole file. False with `error` set if it cannot be read.
bool read_file(const std::string& path, std::string& text, std::string& error);

}  // namespace conformance
