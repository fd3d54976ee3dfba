#include "conformance/runner/diagnosis.hpp"

#include <gmock/gmock.h>

#include <cerrno>

namespace conformance {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

HostSigns working() { return {.create_vm_errno = 0, .create_vcpu_errno = 0}; }
HostSigns absent() { return {.open_errno = ENOENT}; }

TEST(Diagnosis, all_good_is_usable) {
  const Diagnosis d = diagnose(working());
  EXPECT_TRUE(d.is_usable);
  EXPECT_THAT(d.remedy, IsEmpty());
}

TEST(Diagnosis, every_failing_step_is_not_usable) {
  for (auto spoil : std::initializer_list<void (*)(HostSigns&)>{
           [](HostSigns& s) { s.open_errno = EACCES; }, [](HostSigns& s) { s.open_errno = ENODEV; },
           [](HostSigns& s) { s.open_errno = EMFILE; }, [](HostSigns& s) { s.api_version = 11; },
           [](HostSigns& s) { s.create_vm_errno = EBUSY; }, [](HostSigns& s) { s.create_vm_errno = EIO; },
           [](HostSigns& s) { s.create_vm_errno = EINVAL; }, [](HostSigns& s) { s.create_vcpu_errno = ENOMEM; },
           [](HostSigns& s) { s.no_answer = "no answer within 20 s"; }}) {
    HostSigns signs = working();
    spoil(signs);
    EXPECT_FALSE(diagnose(signs).is_usable);
    EXPECT_THAT(diagnose(signs).reason, Not(IsEmpty()));
  }
}

TEST(Diagnosis, absent_device_with_a_capable_cpu_is_a_missing_module) {
  HostSigns signs = absent();
  signs.has_vmx = true;
  EXPECT_THAT(diagnose(signs).remedy, HasSubstr("modprobe kvm_intel"));
  signs.has_vmx = false;
  signs.has_svm = true;
  EXPECT_THAT(diagnose(signs).remedy, HasSubstr("modprobe kvm_amd"));
  EXPECT_THAT(diagnose(signs).reason, HasSubstr("not loaded"));
}

TEST(Diagnosis, absent_device_with_a_loaded_module_is_a_missing_node) {
  HostSigns signs = absent();
  signs.has_svm = signs.has_vendor_module = true;
  EXPECT_THAT(diagnose(signs).remedy, HasSubstr("mknod"));
}

TEST(Diagnosis, absent_device_in_a_container_of_a_capable_host) {
  HostSigns signs = absent();
  signs.is_container = signs.has_kvm_module = signs.has_svm = true;
  EXPECT_THAT(diagnose(signs).remedy, HasSubstr("--device=/dev/kvm"));
}

TEST(Diagnosis, absent_device_without_virtualisation) {
  EXPECT_THAT(diagnose(absent()).reason, HasSubstr("neither VMX nor SVM"));
  HostSigns signs = absent();
  signs.is_guest = true;
  EXPECT_THAT(diagnose(signs).reason, HasSubstr("without nested virtualisation"));
}

TEST(Diagnosis, absent_device_of_another_name_is_just_absent) {
  HostSigns signs = absent();
  signs.device = "/dev/other";
  signs.is_container = signs.has_kvm_module = true;
  EXPECT_EQ(diagnose(signs).reason, "/dev/other does not exist");
}

TEST(Diagnosis, missing_permission_names_owner_and_mode) {
  HostSigns signs = working();
  signs.open_errno = EACCES;
  signs.owner = "root:kvm, mode 0660";
  EXPECT_THAT(diagnose(signs).reason, HasSubstr("root:kvm, mode 0660"));
  EXPECT_THAT(diagnose(signs).remedy, AllOf(HasSubstr("usermod -aG kvm"), HasSubstr("udevadm")));
}

TEST(Diagnosis, ebusy_is_another_hypervisor) {
  HostSigns signs = working();
  signs.create_vm_errno = EBUSY;
  EXPECT_THAT(diagnose(signs).reason, HasSubstr("another hypervisor"));
  EXPECT_THAT(diagnose(signs).remedy, HasSubstr("vboxdrv"));
}

TEST(Diagnosis, another_version_is_no_kvm) {
  HostSigns signs = working();
  signs.api_version = -1;
  EXPECT_THAT(diagnose(signs).reason, HasSubstr("is no KVM"));
}

}  // namespace
}  // namespace conformance
