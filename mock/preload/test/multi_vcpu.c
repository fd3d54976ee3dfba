/* Four vcpus, a thread each, add to one counter in guest memory with LOCKed increments; no increment may get lost. */
#include <pthread.h>

#include "guest_setup.h"

enum { kVcpus = 4, kRounds = 20000 };

/* mov cx, 20000; again: lock inc dword [0x1800]; loop again; hlt */
static const uint8_t kCode[] = {0xb9, 0x20, 0x4e, 0xf0, 0x66, 0xff, 0x06, 0x00, 0x18, 0xe2, 0xf8, 0xf4};

static void *run_vcpu(void *argument) {
  struct vcpu *vcpu = argument;
  must(ioctl(vcpu->fd, KVM_RUN, 0), "KVM_RUN");
  if (vcpu->run->exit_reason != KVM_EXIT_HLT) errx(1, "exit reason %u", vcpu->run->exit_reason);
  return NULL;
}

int main(void) {
  int kvm = open_kvm();
  int vm = must(ioctl(kvm, KVM_CREATE_VM, 0), "KVM_CREATE_VM");
  uint8_t *memory = anonymous_memory(0x1000);
  memcpy(memory, kCode, sizeof kCode);
  add_slot(vm, 0, 0x1000, memory, 0x1000);
  struct vcpu vcpus[kVcpus];
  pthread_t threads[kVcpus];
  for (unsigned i = 0; i < kVcpus; ++i) vcpus[i] = make_vcpu(kvm, vm, i, 0x1000);
  for (unsigned i = 0; i < kVcpus; ++i) pthread_create(&threads[i], NULL, run_vcpu, &vcpus[i]);
  for (unsigned i = 0; i < kVcpus; ++i) pthread_join(threads[i], NULL);
  uint32_t counter;
  memcpy(&counter, memory + 0x800, sizeof counter);
  printf("counter %u of %u\n", counter, kVcpus * kRounds);
  return counter == kVcpus * kRounds ? 0 : 1;
}
