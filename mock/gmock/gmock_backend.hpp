// A GoogleMock Backend for tests of VMMs: every call goes to a mock KVM unless the test says otherwise. It counts,
// orders and fails calls with GoogleMock's own words.
//
//   mock::GMockBackend kvm;
//   EXPECT_CALL(kvm, ioctl(_, mock::Request(Ioctl::CreateVcpu), _))
//       .WillOnce(kvm.Delegate()).WillOnce(kvm.Delegate()).WillOnce(mock::Fail(ENOMEM));
//
// Link: GTest::gmock and the mock.
#pragma once

#include <gmock/gmock.h>

#include <memory>

#include "kvmapi/backend.hpp"
#include "kvmapi/ioctl.hpp"
#include "mock/mock.hpp"

namespace mock {

class GMockBackendCalls : public kvmapi::Backend {
 public:
  // The action "as the mock KVM does", for ioctl.
  auto Delegate() {
    return [this](int fd, kvmapi::u32 request, kvmapi::u64 argument) { return real_->ioctl(fd, request, argument); };
  }

  // Throws nothing: wrong options fail the current test, and every call answers ENODEV.
  explicit GMockBackendCalls(const MockOptions& options = {}) {
    MockResult made = make_mock(options);
    EXPECT_TRUE(made) << made.error;
    real_ = std::move(made.backend);
    using testing::_;
    ON_CALL(*this, open(_, _)).WillByDefault([this](const char* path, int flags) {
      return real_ ? real_->open(path, flags) : kvmapi::Result<int>(kvmapi::err(ENODEV));
    });
    ON_CALL(*this, ioctl(_, _, _)).WillByDefault(Delegate());
    ON_CALL(*this, mmap(_, _, _, _, _, _))
        .WillByDefault([this](void* address, std::size_t length, int prot, int flags, int fd, off_t offset) {
          return real_->mmap(address, length, prot, flags, fd, offset);
        });
    ON_CALL(*this, munmap(_, _)).WillByDefault([this](void* address, std::size_t length) {
      return real_->munmap(address, length);
    });
    ON_CALL(*this, close(_)).WillByDefault([this](int fd) { return real_->close(fd); });
    // Without these the first EXPECT_CALL of a test would make every other call of that function unexpected.
    EXPECT_CALL(*this, open(_, _)).Times(testing::AnyNumber());
    EXPECT_CALL(*this, ioctl(_, _, _)).Times(testing::AnyNumber());
    EXPECT_CALL(*this, mmap(_, _, _, _, _, _)).Times(testing::AnyNumber());
    EXPECT_CALL(*this, munmap(_, _)).Times(testing::AnyNumber());
    EXPECT_CALL(*this, close(_)).Times(testing::AnyNumber());
  }

  MOCK_METHOD(kvmapi::Result<int>, open, (const char* path, int flags), (override));
  MOCK_METHOD(kvmapi::Result<int>, ioctl, (int fd, kvmapi::u32 request, kvmapi::u64 argument), (override));
  MOCK_METHOD(kvmapi::Result<void*>, mmap,
              (void* address, std::size_t length_bytes, int prot, int flags, int fd, off_t offset_bytes), (override));
  MOCK_METHOD(kvmapi::Result<void>, munmap, (void* address, std::size_t length_bytes), (override));
  MOCK_METHOD(kvmapi::Result<void>, close, (int fd), (override));
  std::string name() const override { return real_ ? real_->name() : "no mock"; }

 private:
  std::unique_ptr<kvmapi::Backend> real_;
};

// Calls that no expectation mentions are delegated in silence.
using GMockBackend = testing::NiceMock<GMockBackendCalls>;

// Matches the request argument of ioctl by its name.
inline auto Request(kvmapi::Ioctl which) { return testing::Eq(static_cast<kvmapi::u32>(which)); }

// The action "fail with this errno".
inline auto Fail(int error) {
  return [error](auto&&...) { return kvmapi::err(error); };
}

}  // namespace mock
