#include "conformance/layout/abi_model.hpp"

#include <algorithm>
#include <stdexcept>

namespace conformance {
namespace {

using kvmapi::u32;

constexpr u32 round_up(u32 value, u32 alignment) { return (value + alignment - 1) / alignment * alignment; }

class Parser {
 public:
  Parser(std::string_view text, const AbiRules& abi) : text_(text), abi_(abi) {}

  ModelLayout parse_all() {
    ModelLayout layout = parse_type();
    skip_spaces();
    if (at_ < text_.size()) fail("text after the type");
    return layout;
  }

 private:
  [[noreturn]] void fail(const char* what) const {
    throw std::invalid_argument(std::string(what) + " at " + std::to_string(at_) + " of " + std::string(text_));
  }
  void skip_spaces() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
  }
  bool take(char c) {
    skip_spaces();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  std::string_view word() {
    skip_spaces();
    const std::size_t first = at_;
    const auto is_word = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; };
    while (at_ < text_.size() && is_word(text_[at_])) ++at_;
    return text_.substr(first, at_ - first);
  }

  ModelLayout scalar(std::string_view name) const {
    if (name == "u8") return {1, 1, {}};
    if (name == "u16") return {2, 2, {}};
    if (name == "u32") return {4, 4, {}};
    if (name == "u64") return {8, abi_.u64_alignment, {}};
    if (name == "u128") return {16, 16, {}};
    if (name == "long") return {abi_.long_bytes, abi_.long_bytes, {}};
    if (name == "pointer") return {abi_.pointer_bytes, abi_.pointer_bytes, {}};
    fail("no such scalar");
  }

  // "name:" if there is one; a type's own word is put back.
  std::string_view member_name() {
    const std::size_t before = at_;
    const std::string_view name = word();
    if (!name.empty() && take(':')) return name;
    at_ = before;
    return {};
  }

  static void add_offsets(ModelLayout& outer, std::string_view name, const ModelLayout& inner, u32 offset) {
    const std::string prefix(name);
    if (!name.empty()) outer.offsets[prefix] = offset;
    for (const auto& [path, inner_offset] : inner.offsets) {
      outer.offsets[name.empty() ? path : prefix + "." + path] = offset + inner_offset;
    }
  }

  ModelLayout parse_struct() {
    ModelLayout result;
    while (!take('}')) {
      if (at_ >= text_.size()) fail("struct without end");
      const std::string_view name = member_name();
      const ModelLayout member = parse_type();
      const u32 offset = round_up(result.bytes, member.alignment);
      add_offsets(result, name, member, offset);
      result.bytes = offset + member.bytes;
      result.alignment = std::max(result.alignment, member.alignment);
    }
    result.bytes = round_up(result.bytes, result.alignment);
    return result;
  }

  ModelLayout parse_union() {
    ModelLayout result;
    do {
      const std::string_view name = member_name();
      const ModelLayout member = parse_type();
      add_offsets(result, name, member, 0);
      result.bytes = std::max(result.bytes, member.bytes);
      result.alignment = std::max(result.alignment, member.alignment);
    } while (take('|'));
    if (!take('>')) fail("union without end");
    result.bytes = round_up(result.bytes, result.alignment);
    return result;
  }

  ModelLayout parse_type() {
    ModelLayout result = take('{') ? parse_struct() : take('<') ? parse_union() : scalar(word());
    while (take('[')) {
      u32 count = 0;
      for (const char digit : word()) {
        if (digit < '0' || digit > '9') fail("an array needs a number");
        count = count * 10 + static_cast<u32>(digit - '0');
      }
      if (!take(']')) fail("array without end");
      result.bytes *= count;
    }
    return result;
  }

  std::string_view text_;
  const AbiRules& abi_;
  std::size_t at_ = 0;
};

}  // namespace

u32 ModelLayout::offset(std::string_view path) const {
  const auto found = offsets.find(path);
  if (found == offsets.end()) throw std::out_of_range("no member " + std::string(path));
  return found->second;
}

ModelLayout lay_out(std::string_view type, const AbiRules& abi) { return Parser(type, abi).parse_all(); }

}  // namespace conformance
