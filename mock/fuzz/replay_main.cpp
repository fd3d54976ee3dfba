// Runs a fuzzer's inputs without libFuzzer: files, or folders of files, once each; then, if asked to, changed at
// random. What the corpora are tested with, and a way to fuzz the optimised build with all its handlers, which
// sanitizers do without.
//
//   fuzz_NAME [--mutations N] [--seed S] FILE_OR_FOLDER...
//
// Exit status: 0, 1 no input could be read, 2 wrong usage. The input at work is in ./last_input when mutations crash.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using Input = std::vector<std::uint8_t>;

constexpr unsigned kSecondsPerInput = 20;
constexpr std::size_t kMaxBytes = 4096;

struct Arguments {
  unsigned long mutations = 0, seed = 1;
  std::vector<std::filesystem::path> files;
};

bool parse(int argc, char** argv, Arguments& arguments) {
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word != "--mutations" && word != "--seed") {
      if (word.starts_with("-")) return false;
      if (!std::filesystem::is_directory(word)) {
        if (std::filesystem::exists(word)) arguments.files.emplace_back(word);
        continue;  // a fuzzer without kept inputs, or without seeds
      }
      for (const auto& entry : std::filesystem::directory_iterator(word))
        if (entry.is_regular_file()) arguments.files.push_back(entry.path());
      continue;
    }
    char* end = nullptr;
    const unsigned long value = i + 1 < argc ? std::strtoul(argv[++i], &end, 10) : 0;
    if (!end || *end) return false;
    (word == "--seed" ? arguments.seed : arguments.mutations) = value;
  }
  std::sort(arguments.files.begin(), arguments.files.end());
  return !arguments.files.empty() || argc == 1;
}

Input mutated(const std::vector<Input>& inputs, std::mt19937_64& random) {
  Input input = inputs[random() % inputs.size()];
  input.resize(std::max<std::size_t>(input.size(), 1));
  for (unsigned n = 1 + random() % 6; n > 0; --n) {
    const std::size_t at = random() % input.size();
    switch (random() % 6) {
      case 0:
        input[at] = static_cast<std::uint8_t>(random());
        break;
      case 1:
        input[at] ^= static_cast<std::uint8_t>(1u << random() % 8);
        break;
      case 2:
        input.insert(input.begin() + static_cast<std::ptrdiff_t>(at), static_cast<std::uint8_t>(random()));
        break;
      case 3:
        if (input.size() > 1) input.erase(input.begin() + static_cast<std::ptrdiff_t>(at));
        break;
      case 4: {  // a piece of another input
        const Input& other = inputs[random() % inputs.size()];
        if (other.empty()) break;
        const std::size_t from = random() % other.size();
        const std::size_t bytes = std::min<std::size_t>({other.size() - from, 1 + random() % 24, input.size() - at});
        std::copy_n(other.begin() + static_cast<std::ptrdiff_t>(from), bytes,
                    input.begin() + static_cast<std::ptrdiff_t>(at));
        break;
      }
      default: {
        const Input& other = inputs[random() % inputs.size()];
        const std::size_t from = random() % (other.size() + 1);
        input.insert(input.end(), other.begin() + static_cast<std::ptrdiff_t>(from), other.end());
      }
    }
  }
  if (input.size() > kMaxBytes) input.resize(kMaxBytes);
  return input;
}

// The input at work, in a file that survives a crash.
class LastInput {
 public:
  LastInput() : file_(open("last_input", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)) {
    if (file_ < 0 || ftruncate(file_, kMaxBytes) != 0) std::abort();
    bytes_ = static_cast<std::uint8_t*>(mmap(nullptr, kMaxBytes, PROT_READ | PROT_WRITE, MAP_SHARED, file_, 0));
    if (bytes_ == MAP_FAILED) std::abort();
  }
  void note(const Input& input) {
    std::memset(bytes_, 0, kMaxBytes);
    std::copy(input.begin(), input.end(), bytes_);
  }
  ~LastInput() { unlink("last_input"); }

 private:
  int file_;
  std::uint8_t* bytes_;
};

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  if (!parse(argc, argv, arguments)) {
    std::fprintf(stderr, "usage: %s [--mutations N] [--seed S] FILE_OR_FOLDER...\n", argv[0]);
    return 2;
  }
  std::vector<Input> inputs;
  for (const auto& path : arguments.files) {
    std::ifstream file(path, std::ios::binary);
    Input input{std::istreambuf_iterator<char>(file), {}};
    if (!file) continue;
    std::fprintf(stderr, "%s\n", path.c_str());  // before it runs: the last one named is the one that crashed
    alarm(kSecondsPerInput);
    LLVMFuzzerTestOneInput(input.data(), input.size());
    inputs.push_back(std::move(input));
  }
  if (inputs.empty()) return 1;
  std::mt19937_64 random(arguments.seed);
  if (arguments.mutations) {
    LastInput last;
    for (unsigned long i = 0; i < arguments.mutations; ++i) {
      const Input input = mutated(inputs, random);
      last.note(input);
      alarm(kSecondsPerInput);
      LLVMFuzzerTestOneInput(input.data(), input.size());
    }
  }
  std::fprintf(stderr, "%zu inputs, %lu mutations\n", inputs.size(), arguments.mutations);
  return 0;
}
