#include "mock/profile/recorded_facts.hpp"

#define EMBED(symbol, file)                                                                           \
  extern "C" const char symbol##_begin[], symbol##_end[];                                             \
  asm(".pushsection .rodata\n" #symbol "_begin:\n.incbin \"" KVM_RECORDED_DIR "/" file "\"\n" #symbol \
      "_end:\n.popsection\n")

EMBED(kvmmock_facts_5_10, "facts-amd-5.10.json");
EMBED(kvmmock_facts_6_1, "facts-amd-6.1.json");
EMBED(kvmmock_facts_6_12, "facts-amd-6.12.json");
EMBED(kvmmock_facts_7_x, "facts-amd-7.x.json");

namespace mock {
namespace {

std::string_view text(const char* begin, const char* end) { return {begin, static_cast<std::size_t>(end - begin)}; }

}  // namespace

std::span<const RecordedFacts> recorded_facts() {
  static const RecordedFacts facts[] = {
      {"5.10", text(kvmmock_facts_5_10_begin, kvmmock_facts_5_10_end)},
      {"6.1", text(kvmmock_facts_6_1_begin, kvmmock_facts_6_1_end)},
      {"6.12", text(kvmmock_facts_6_12_begin, kvmmock_facts_6_12_end)},
      {"7.x", text(kvmmock_facts_7_x_begin, kvmmock_facts_7_x_end)},
  };
  return facts;
}

}  // namespace mock
