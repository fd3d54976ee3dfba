// Reports of the whole selftest run as documents: they must be readable by those who read them.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "conformance/selftest/command.hpp"

namespace conformance {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;

CommandResult run_all(const std::string& format) {
  return selftest({"run", "--target", "mock", "--target", "/dev/not-there", "--require", "auto", "--timeout", "1",
                   "--format", format});
}

std::size_t spaces(const std::string& line) { return std::min(line.find_first_not_of(' '), line.size()); }

bool take(std::string& text, const std::string& prefix) {
  if (!text.starts_with(prefix)) return false;
  text.erase(0, prefix.size());
  return true;
}

// Plans and results of nested KTAP: each "1..N" is followed by N results of its level, numbered from 1.
class KtapReader {
 public:
  void read(const std::string& line) {
    const std::size_t level = spaces(line) / 2;
    std::string rest = line.substr(spaces(line));
    if (take(rest, "1..")) {
      ASSERT_EQ(levels_.size(), level) << line;
      levels_.push_back({std::stoi(rest), 0});
      return;
    }
    take(rest, "not ");
    if (!take(rest, "ok ")) {
      EXPECT_TRUE(rest.starts_with("#") || rest == "KTAP version 1") << line;
      return;
    }
    while (levels_.size() > level + 1) close(line);
    ASSERT_EQ(levels_.size(), level + 1) << line;
    EXPECT_EQ(++levels_.back().seen, std::stoi(rest)) << line;
  }

  void finish() {
    EXPECT_EQ(levels_.size(), 1u);
    while (!levels_.empty()) close("the end");
  }

 private:
  struct Level {
    int planned, seen;
  };
  void close(const std::string& where) {
    EXPECT_EQ(levels_.back().planned, levels_.back().seen) << where;
    levels_.pop_back();
  }
  std::vector<Level> levels_;
};

TEST(Ktap, plans_and_numbers_agree_at_every_level) {
  const CommandResult result = run_all("ktap");
  EXPECT_EQ(result.status, 1);
  std::istringstream lines(result.out);
  std::string line;
  std::getline(lines, line);
  EXPECT_EQ(line, "KTAP version 1");
  KtapReader reader;
  while (std::getline(lines, line)) reader.read(line);
  reader.finish();
  EXPECT_THAT(result.out,
              AllOf(HasSubstr("not ok 1 mock"), HasSubstr("ok 2 /dev/not-there # SKIP /dev/not-there does not exist")));
  EXPECT_THAT(result.out, HasSubstr("unmet_capability_skips # SKIP KVM_CAP_READONLY_MEM is 0 on /dev/kvm"));
}

bool is_known_entity(const std::string& xml, std::size_t at) {
  const std::string name = xml.substr(at + 1, xml.find(';', at) - at - 1);
  const bool is_number =
      name.size() > 1 && name[0] == '#' && name.find_first_not_of("0123456789", 1) == std::string::npos;
  return is_number || name == "amp" || name == "lt" || name == "gt" || name == "quot";
}

// A reader of XML 1.0 in small: tags nest, entities are known, no forbidden characters.
void expect_well_formed(const std::string& xml) {
  std::vector<std::string> open;
  for (std::size_t i = 0; i < xml.size(); ++i) {
    const auto c = static_cast<unsigned char>(xml[i]);
    ASSERT_TRUE(c >= 0x20 || c == '\n' || c == '\t') << "control character at " << i;
    if (c == '&') {
      ASSERT_TRUE(is_known_entity(xml, i)) << xml.substr(i, 20);
    }
    if (c != '<') continue;
    const auto end = xml.find('>', i);
    ASSERT_NE(end, std::string::npos);
    const std::string tag = xml.substr(i + 1, end - i - 1);
    if (tag[0] == '?' || tag.back() == '/') continue;
    if (tag[0] == '/') {
      ASSERT_FALSE(open.empty());
      ASSERT_EQ(open.back(), tag.substr(1));
      open.pop_back();
    } else {
      open.push_back(tag.substr(0, tag.find(' ')));
    }
  }
  EXPECT_TRUE(open.empty());
}

TEST(Junit, is_well_formed_and_counts_right) {
  const CommandResult result = run_all("junit");
  EXPECT_EQ(result.status, 1);
  expect_well_formed(result.out);
  const auto count = [&](const std::string& text) {
    std::size_t found = 0;
    for (std::size_t at = 0; (at = result.out.find(text, at)) != std::string::npos; ++at) ++found;
    return std::to_string(found);
  };
  EXPECT_THAT(result.out, HasSubstr("failures=\"" + count("<failure ") + "\" errors=\"" + count("<error ") + "\""));
  EXPECT_THAT(result.out, HasSubstr("control_characters_fail"));
  EXPECT_THAT(result.out, HasSubstr("&lt;tag&gt; &amp; &quot;quote&quot;"));
}

TEST(Json, names_schema_target_and_place_of_every_test) {
  const json document = json::parse(run_all("json").out);
  EXPECT_EQ(document["schema_version"], 1);
  EXPECT_EQ(document["targets"].size(), 2u);
  const json& target = document["targets"][0];
  EXPECT_EQ(target["name"], "mock");
  EXPECT_EQ(target["kernel_release"], "6.12");
  EXPECT_EQ(target["complete"], true);
  EXPECT_TRUE(target.contains("facts"));
  for (const json& result : target["results"]) {
    EXPECT_EQ(result["file"], "conformance/selftest/rows.cpp");
    EXPECT_GT(result["line"], 0);
    EXPECT_EQ(result["source"], "here");
  }
  EXPECT_EQ(document["targets"][1]["unavailable"], "/dev/not-there does not exist");
}

TEST(Human, explains_failures_once_and_ends_with_the_table) {
  const CommandResult result = run_all("human");
  EXPECT_THAT(result.out, HasSubstr("FAIL    selftest.row.wrong_value_fails  on fake"));
  EXPECT_THAT(result.out, HasSubstr("expected: 13\n         got: 12"));
  EXPECT_THAT(result.out,
              HasSubstr("again:  kvm-conformance run --target mock --filter selftest.row.wrong_value_fails"));
  EXPECT_THAT(result.out, HasSubstr("BROKEN  selftest.row.failing_set_up_is_broken"));
  EXPECT_THAT(result.out, HasSubstr("area       |    pass   fail   skip  xfail broken"));
}

TEST(Compare, tells_what_differs) {
  const std::string a = temporary_path("a.json"), b = temporary_path("b.json");
  selftest({"run", "--target", "mock", "--filter", "selftest.free.passes", "--format", "json", "--output", a});
  selftest({"run", "--target", "mock", "--filter", "selftest.free.fails", "--format", "json", "--output", b});
  const CommandResult same = selftest({"compare", a, a});
  EXPECT_EQ(same.status, 0) << same.err;
  EXPECT_THAT(same.out, HasSubstr("no difference"));
  const CommandResult other = selftest({"compare", a, b});
  EXPECT_EQ(other.status, 1);
  EXPECT_THAT(other.out,
              AllOf(HasSubstr("selftest.free.passes: pass | -"), HasSubstr("selftest.free.fails: - | fail")));
}

TEST(List, gives_every_id_with_its_place) {
  const CommandResult plain = selftest({"list", "selftest.free"});
  EXPECT_EQ(plain.status, 0);
  EXPECT_THAT(plain.out, HasSubstr("selftest.free.passes\n"));
  const json all = json::parse(selftest({"list", "--json"}).out);
  EXPECT_GT(all.size(), 25u);
  EXPECT_EQ(all[0]["file"], "conformance/selftest/rows.cpp");
}

TEST(Explain, tells_claim_needs_source_and_calls) {
  const CommandResult result = selftest({"explain", "selftest.row.unmet_capability_skips"});
  EXPECT_EQ(result.status, 0);
  EXPECT_THAT(result.out, AllOf(HasSubstr("unmet capability skips"), HasSubstr("KVM_CAP_READONLY_MEM on /dev/kvm"),
                                HasSubstr("here (promised)"), HasSubstr("conformance/selftest/rows.cpp:")));
  EXPECT_THAT(selftest({"explain", "selftest.row.right_value_passes"}).out, HasSubstr("KVM_GET_API_VERSION"));
}

TEST(Doctor, tells_what_is_missing) {
  const CommandResult mock = selftest({"doctor", "--target", "mock"});
  EXPECT_EQ(mock.status, 0) << mock.err;
  EXPECT_THAT(mock.out, AllOf(HasSubstr("mock: usable"), HasSubstr("KVM_CAP_READONLY_MEM")));
  const CommandResult absent = selftest({"doctor", "--target", "/dev/not-there", "--json"});
  EXPECT_EQ(absent.status, 4);
  EXPECT_EQ(json::parse(absent.out)[0]["usable"], false);
}

}  // namespace
}  // namespace conformance
