// GoogleMock matchers for kvmapi::Result: EXPECT_THAT(vcpu.run(), FailsWith(EINTR)).
#pragma once

#include <gmock/gmock.h>

#include "conformance/support/expect.hpp"

namespace conformance {

MATCHER(Succeeds, negation ? "fails" : "succeeds") {
  const Answer answer(arg);
  *result_listener << "answered " << answer.text();
  return answer.error == 0;
}

MATCHER_P(FailsWith, error, "answers " + fails(error).text()) {
  const Answer answer(arg);
  *result_listener << "answered " << answer.text();
  return answer.error == error;
}

MATCHER_P(Returns, expected, ::testing::PrintToString(expected)) {
  const Answer answer(arg);
  *result_listener << "answered " << answer.text();
  return answer.error == 0 && arg.value() == expected;
}

}  // namespace conformance
