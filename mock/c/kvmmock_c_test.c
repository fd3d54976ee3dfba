/* The C interface used as a C program would: run a guest, plan failures, ask what happened. Exit status 0 if all holds. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "kvmmock.h"

static int g_failures;

static void expect(int is_true, const char *claim) {
  if (is_true) return;
  fprintf(stderr, "FAILED: %s (errno %s)\n", claim, strerrorname_np(errno));
  ++g_failures;
}

static void runs_a_guest(void) {
  kvmmock *kvm = kvmmock_create(NULL, NULL, 0);
  expect(kvm != NULL, "a mock with default options");
  int fd = kvmmock_open(kvm, "/dev/kvm", O_RDWR | O_CLOEXEC);
  expect(kvmmock_ioctl(kvm, fd, KVM_GET_API_VERSION, 0) == 12, "the API version is 12");
  int vm = kvmmock_ioctl(kvm, fd, KVM_CREATE_VM, 0);
  unsigned char *memory = mmap(NULL, 0x1000, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  memory[0] = 0xf4; /* hlt */
  struct kvm_userspace_memory_region region = {
      .guest_phys_addr = 0x1000, .memory_size = 0x1000, .userspace_addr = (uintptr_t)memory};
  expect(kvmmock_ioctl(kvm, vm, KVM_SET_USER_MEMORY_REGION, (uintptr_t)&region) == 0, "a memory slot");
  int vcpu = kvmmock_ioctl(kvm, vm, KVM_CREATE_VCPU, 0);
  struct kvm_run *run = kvmmock_mmap(kvm, NULL, 0x3000, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
  expect(run != MAP_FAILED, "the vcpu maps");
  struct kvm_sregs sregs;
  kvmmock_ioctl(kvm, vcpu, KVM_GET_SREGS, (uintptr_t)&sregs);
  sregs.cs.base = sregs.cs.selector = 0;
  kvmmock_ioctl(kvm, vcpu, KVM_SET_SREGS, (uintptr_t)&sregs);
  struct kvm_regs regs = {.rip = 0x1000, .rflags = 2};
  kvmmock_ioctl(kvm, vcpu, KVM_SET_REGS, (uintptr_t)&regs);
  expect(kvmmock_ioctl(kvm, vcpu, KVM_RUN, 0) == 0 && run->exit_reason == KVM_EXIT_HLT, "the guest halts");
  expect(kvmmock_munmap(kvm, run, 0x3000) == 0, "the vcpu unmaps");
  expect(kvmmock_close(kvm, vcpu) == 0 && kvmmock_close(kvm, vm) == 0 && kvmmock_close(kvm, fd) == 0, "all closes");
  expect(kvmmock_close(kvm, fd) == -1 && errno == EBADF, "closing twice is EBADF");
  expect(kvmmock_calls(kvm, KVM_RUN) == 1, "one KVM_RUN was made");
  expect(kvmmock_calls(kvm, 0) == 8, "eight ioctls were made");
  munmap(memory, 0x1000);
  kvmmock_destroy(kvm);
}

static void fails_as_planned(void) {
  kvmmock *kvm = kvmmock_create(NULL, NULL, 0);
  int fd = kvmmock_open(kvm, "/dev/kvm", O_RDWR);
  int vm = kvmmock_ioctl(kvm, fd, KVM_CREATE_VM, 0);
  expect(kvmmock_fail(kvm, KVM_CREATE_VCPU, 2, 1, ENOMEM) == 0, "a plan");
  expect(kvmmock_ioctl(kvm, vm, KVM_CREATE_VCPU, 0) >= 0, "the first vcpu");
  expect(kvmmock_ioctl(kvm, vm, KVM_CREATE_VCPU, 1) >= 0, "the second vcpu");
  expect(kvmmock_ioctl(kvm, vm, KVM_CREATE_VCPU, 2) == -1 && errno == ENOMEM, "the third fails with ENOMEM");
  expect(kvmmock_ioctl(kvm, vm, KVM_CREATE_VCPU, 2) >= 0, "and can be made after that");
  expect(kvmmock_fail(kvm, KVM_RUN, 0, 1, 0) == -1 && errno == EINVAL, "errno 0 is no failure");
  kvmmock_destroy(kvm);
}

static void answers_as_a_chosen_kernel(void) {
  char message[200];
  struct kvmmock_options options = {.size = sizeof options, .profile = "2.6"};
  expect(kvmmock_create(&options, message, sizeof message) == NULL && errno == EINVAL, "an unknown profile is EINVAL");
  expect(strstr(message, "2.6") != NULL && strstr(message, kvmmock_profile_name(0)) != NULL, "the message names the profiles");
  options.profile = kvmmock_profile_name(0);
  options.device = "/dev/other";
  kvmmock *kvm = kvmmock_create(&options, NULL, 0);
  expect(kvm != NULL && strcmp(kvmmock_profile(kvm), options.profile) == 0, "the chosen profile");
  expect(kvmmock_open(kvm, "/dev/kvm", O_RDWR) == -1 && errno == ENOENT, "only its own device opens");
  expect(kvmmock_open(kvm, "/dev/other", O_RDWR) >= 0, "its own device opens");
  kvmmock_destroy(kvm);
  struct kvmmock_options short_options = {.size = sizeof(size_t), .profile = "nonsense beyond the size"};
  kvm = kvmmock_create(&short_options, NULL, 0);
  expect(kvm != NULL, "members beyond the given size are not looked at");
  kvmmock_destroy(kvm);
  kvmmock_destroy(NULL);
}

int main(void) {
  runs_a_guest();
  fails_as_planned();
  answers_as_a_chosen_kernel();
  expect(kvmmock_version() == KVMMOCK_VERSION, "the header is the library's");
  const char *name = kvmmock_request_name('s', KVM_CREATE_VM);
  expect(name != NULL && strcmp(name, "KVM_CREATE_VM") == 0, "requests have names");
  expect(kvmmock_request_name('x', KVM_CREATE_VM) == NULL, "an unknown kind of descriptor has none");
  printf("%d failures\n", g_failures);
  return g_failures == 0 ? 0 : 1;
}
