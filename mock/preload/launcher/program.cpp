#include "mock/preload/launcher/program.hpp"

#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <vector>

namespace mock::preload {
namespace {

bool is_executable_file(const std::string& path) {
  struct stat status;
  return stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) && access(path.c_str(), X_OK) == 0;
}

class File {
 public:
  explicit File(const std::string& path) : fd_(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  ~File() {
    if (fd_ >= 0) close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  bool is_open() const { return fd_ >= 0; }
  // Bytes read; short at the end of the file.
  std::size_t read_at(void* data, std::size_t size, off_t offset) const {
    const ssize_t got = pread(fd_, data, size, offset);
    return got < 0 ? 0 : static_cast<std::size_t>(got);
  }

 private:
  int fd_;
};

// The interpreter of "#!/path arguments"; empty if the file is not a script.
std::optional<std::string> interpreter_of(const File& file) {
  std::array<char, 256> line{};
  const std::size_t got = file.read_at(line.data(), line.size() - 1, 0);
  if (got < 3 || line[0] != '#' || line[1] != '!') return {};
  std::istringstream words(std::string(line.data() + 2, std::strcspn(line.data() + 2, "\n")));
  std::string interpreter, argument;
  words >> interpreter >> argument;
  // "#!/usr/bin/env python3": env itself is reachable, what matters is the program behind it.
  if (interpreter.ends_with("/env") && !argument.empty() && argument[0] != '-') return find_program(argument);
  return interpreter;
}

std::optional<std::string> why_secure(const std::string& path) {
  struct stat status;
  if (stat(path.c_str(), &status) != 0) return {};
  const bool changes_user = (status.st_mode & S_ISUID) && status.st_uid != getuid();
  const bool changes_group = (status.st_mode & S_ISGID) && status.st_gid != getgid();
  if (changes_user || changes_group) {
    return path +
           " is set-user-ID or set-group-ID: the loader ignores preloaded libraries for it. Run it as its owner, or a "
           "copy without the bit";
  }
  if (getuid() != 0 && getxattr(path.c_str(), "security.capability", nullptr, 0) > 0) {
    return path + " has file capabilities: the loader ignores preloaded libraries for it. Run a copy without them";
  }
  return {};
}

std::optional<std::string> why_unreachable_elf(const std::string& path, const File& file) {
  Elf64_Ehdr header;
  const std::size_t got = file.read_at(&header, sizeof header, 0);
  if (got < EI_NIDENT || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) {
    return path + " is neither an ELF program nor a script";
  }
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || got < sizeof header || header.e_machine != EM_X86_64) {
    return path + " is not an x86-64 program; the library that would be loaded into it is";
  }
  constexpr unsigned kMostSegments = 1024;
  for (unsigned i = 0; i < header.e_phnum && i < kMostSegments; ++i) {
    Elf64_Phdr segment;
    const auto offset = static_cast<off_t>(header.e_phoff + static_cast<u_int64_t>(i) * header.e_phentsize);
    if (file.read_at(&segment, sizeof segment, offset) != sizeof segment) return path + " has a damaged ELF header";
    if (segment.p_type == PT_INTERP) return {};
  }
  return path +
         " is statically linked: a preloaded library can not reach it. Link it dynamically, or link the mock into it";
}

}  // namespace

std::optional<std::string> find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) {
    if (access(name.c_str(), F_OK) == 0) return name;
    return {};
  }
  const char* path = std::getenv("PATH");
  std::istringstream folders(path != nullptr ? path : "/usr/local/bin:/usr/bin:/bin");
  for (std::string folder; std::getline(folders, folder, ':');) {
    const std::string candidate = (folder.empty() ? "." : folder) + "/" + name;
    if (is_executable_file(candidate)) return candidate;
  }
  return {};
}

std::optional<std::string> why_unreachable(const std::string& path) {
  std::string current = path;
  constexpr int kMostScripts = 5;  // as many "#!" as the kernel follows
  for (int depth = 0; depth < kMostScripts; ++depth) {
    if (!is_executable_file(current)) return current + " is not an executable file";
    if (auto reason = why_secure(current)) return reason;
    const File file(current);
    if (!file.is_open()) return current + " can not be read, so it is unknown whether a preloaded library reaches it";
    const auto interpreter = interpreter_of(file);
    if (!interpreter) return why_unreachable_elf(current, file);
    current = *interpreter;
  }
  return path + ": too many script interpreters";
}

}  // namespace mock::preload
