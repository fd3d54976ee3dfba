/* What the C programs of this folder share: a VM with one page of real-mode code at 0x1000, set up as a small VMM does it. */
#ifndef GUEST_SETUP_H
#define GUEST_SETUP_H

#include <err.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

struct vcpu {
  int fd;
  struct kvm_run *run;
};

static inline int must(int result, const char *what) {
  if (result == -1) err(1, "%s", what);
  return result;
}

static inline int open_kvm(void) { return must(open("/dev/kvm", O_RDWR | O_CLOEXEC), "open /dev/kvm"); }

static inline void add_slot(int vm, uint32_t slot, uint64_t gpa, void *memory, uint64_t bytes) {
  struct kvm_userspace_memory_region region = {
      .slot = slot, .guest_phys_addr = gpa, .memory_size = bytes, .userspace_addr = (uintptr_t)memory};
  must(ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region), "KVM_SET_USER_MEMORY_REGION");
}

/* A vcpu that starts at `rip` in real mode with flat segments. */
static inline struct vcpu make_vcpu(int kvm, int vm, unsigned id, uint64_t rip) {
  struct vcpu vcpu;
  vcpu.fd = must(ioctl(vm, KVM_CREATE_VCPU, id), "KVM_CREATE_VCPU");
  int bytes = must(ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), "KVM_GET_VCPU_MMAP_SIZE");
  vcpu.run = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu.fd, 0);
  if (vcpu.run == MAP_FAILED) err(1, "mmap vcpu");
  struct kvm_sregs sregs;
  must(ioctl(vcpu.fd, KVM_GET_SREGS, &sregs), "KVM_GET_SREGS");
  sregs.cs.base = 0;
  sregs.cs.selector = 0;
  must(ioctl(vcpu.fd, KVM_SET_SREGS, &sregs), "KVM_SET_SREGS");
  struct kvm_regs regs = {.rip = rip, .rflags = 2, .rax = id};
  must(ioctl(vcpu.fd, KVM_SET_REGS, &regs), "KVM_SET_REGS");
  return vcpu;
}

static inline void *anonymous_memory(size_t bytes) {
  void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) err(1, "mmap guest memory");
  return memory;
}

#endif
