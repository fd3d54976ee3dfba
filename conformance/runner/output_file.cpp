// Files: atomic replacement, and reading. See output_file.hpp.
#include "conformance/runner/output_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace conformance {
namespace {

std::string problem(const char* verb, const std::string& path) {
  return fmt::format("cannot {} {}: {}", verb, path, std::strerror(errno));
}

bool is_special(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode);
}

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

std::string write_directly(const std::string& path, std::string_view text) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return problem("open", path);
  std::string error;
  if (!write_all(fd, text)) error = problem("write", path);
  if (::close(fd) != 0 && error.empty()) error = problem("write", path);
  return error;
}

std::string temporary(const std::string& path) { return fmt::format("{}.{}.part", path, ::getpid()); }

}  // namespace

std::string write_file(const std::string& path, std::string_view text) {
  if (is_special(path)) return write_directly(path, text);
  const std::string part = temporary(path);
  const int fd = ::open(part.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return problem("create", part);
  std::string error;
  if (!write_all(fd, text) || ::fsync(fd) != 0) error = problem("write", path);
  if (::close(fd) != 0 && error.empty()) error = problem("write", path);
  if (error.empty() && ::rename(part.c_str(), path.c_str()) != 0) error = problem("replace", path);
  if (!error.empty()) ::unlink(part.c_str());
  return error;
}

std::string check_writable(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode))
    return fmt::format("cannot write {}: it is a folder", path);
  if (is_special(path)) return ::access(path.c_str(), W_OK) == 0 ? "" : problem("write", path);
  const std::string part = temporary(path);
  const int fd = ::open(part.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return problem("write", path);
  ::close(fd);
  ::unlink(part.c_str());
  return "";
}

bool read_file(const std::string& path, std::string& text, std::string& error) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    error = problem("read", path);
    return false;
  }
  char buffer[65536];
  ssize_t got = 0;
  while ((got = ::read(fd, buffer, sizeof buffer)) > 0 || (got < 0 && errno == EINTR)) {
    if (got > 0) text.append(buffer, static_cast<std::size_t>(got));
  }
  if (got < 0) error = problem("read", path);
  ::close(fd);
  return error.empty();
}

}  // namespace conformance
