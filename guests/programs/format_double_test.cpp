// The double printer of the programs against the C library's.
#include "guests/programs/format_double.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "guests/programs/catalog.hpp"

namespace guests {
namespace {

std::string formatted(double value, int precision) {
  char text[kDoubleChars];
  format_double(text, value, precision);
  return text;
}

std::string expected(double value, int precision) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*g", precision, value);
  return text;
}

std::vector<double> values() {
  std::vector<double> all = {0.0,
                             -0.0,
                             1.0,
                             0.1,
                             0.5,
                             1e15,
                             1e16,
                             1e17,
                             123456789012345680.0,
                             9.5,
                             99.5,
                             1e-4,
                             1e-5,
                             5e-324,
                             1e308,
                             2.5,
                             0.25,
                             -1.5,
                             2.2250738585072011e-308,
                             1e22,
                             1e23,
                             4.35,
                             INFINITY,
                             -INFINITY,
                             std::nextafter(1.0, 2.0),
                             std::ldexp(1, 60),
                             std::ldexp(1, -1022)};
  std::mt19937_64 random(1);
  for (int i = 0; i < 2000; ++i)
    all.push_back(std::bit_cast<double>(random() & ~(0x4000ull << 48 & (random() & 1 ? 0 : ~0ull))));
  for (int i = 0; i < 2000; ++i) all.push_back(static_cast<double>(static_cast<std::int64_t>(random())) / 4096);
  std::erase_if(all, [](double x) { return std::isnan(x); });
  return all;
}

TEST(FormatDouble, PrintsAsPrintfDoes) {
  for (const double value : values()) {
    for (const int precision : {1, 6, 16, 17}) ASSERT_EQ(formatted(value, precision), expected(value, precision));
  }
}

// The significant digits: "-0.00120e+05" has 12.
std::string digits(const std::string& text) {
  std::string kept;
  for (const char c : text.substr(0, text.find('e'))) {
    if (c >= '0' && c <= '9' && (c != '0' || !kept.empty())) kept += c;
  }
  return kept.substr(0, kept.find_last_not_of('0') + 1);
}

TEST(FormatDouble, ShortestTextHasTheFewestDigitsThatReadBack) {
  for (const double value : values()) {
    int precision = 1;
    while (std::strtod(expected(value, precision).c_str(), nullptr) != value) ++precision;
    const std::string text = formatted(value, 0);
    ASSERT_EQ(digits(text), digits(expected(value, precision))) << text;
    ASSERT_EQ(std::strtod(text.c_str(), nullptr), value) << text;
  }
}

TEST(Programs, EachHasAnImageAndAnOutput) {
  ASSERT_FALSE(programs().empty());
  for (const Program& program : programs()) {
    EXPECT_FALSE(program.image.empty()) << program.name << program.variant;
    // Sanitizer builds have one round, and a round prints a line of results.
    EXPECT_GE(program.output.size(), 30u * program.rounds) << program.name << program.variant;
  }
}

}  // namespace
}  // namespace guests
