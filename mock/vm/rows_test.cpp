// Every ioctl of the ABI table that x86 has is a row here, on each kind of descriptor that takes it: served or said to
// be missing.
#include <gtest/gtest.h>

#include "kvmapi/ioctl.hpp"
#include "mock/vm/device.hpp"
#include "mock/vm/system.hpp"
#include "mock/vm/vcpu.hpp"
#include "mock/vm/vm.hpp"

namespace mock::vm {
namespace {

template <class Object>
void expect_complete(FdKind kind) {
  const RowIndex<Object> index(Object::rows());
  for (const IoctlInfo& info : ioctls()) {
    if (!info.is_x86 || !info.fds.has(kind)) continue;
    EXPECT_NE(index.find(info.number()), nullptr) << info.c_name << " on a " << name(kind) << " descriptor has no row";
  }
  for (const Row<Object>& row : Object::rows()) {
    const IoctlInfo* known = find_ioctl(kind, number(row.id));
    EXPECT_TRUE(known && known->is_x86) << c_name(row.id) << " does not belong on a " << name(kind) << " descriptor";
    EXPECT_EQ(index.find(number(row.id)), &row) << c_name(row.id) << " has two rows";
    // What is not complete says what is missing.
    EXPECT_EQ(row.support == Support::full, row.note.empty()) << c_name(row.id);
    EXPECT_EQ(row.call == nullptr, row.support == Support::missing) << c_name(row.id);
    EXPECT_EQ(row.call == nullptr, row.missing_errno != 0) << c_name(row.id);
  }
}

TEST(Rows, system_table_is_complete) { expect_complete<System>(FdKind::System); }
TEST(Rows, vm_table_is_complete) { expect_complete<Vm>(FdKind::Vm); }
TEST(Rows, vcpu_table_is_complete) { expect_complete<Vcpu>(FdKind::Vcpu); }
TEST(Rows, device_table_is_complete) { expect_complete<Device>(FdKind::Device); }

}  // namespace
}  // namespace mock::vm
