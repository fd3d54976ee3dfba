/* Guest memory that its owner unmaps while a vcpu runs: EFAULT, and nothing else is harmed. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>

#include "guest_setup.h"

static int g_failures;

static void expect(int is_true, const char *claim) {
  if (is_true) return;
  printf("FAILED: %s (errno %s)\n", claim, strerrorname_np(errno));
  ++g_failures;
}

static void nothing(int signal) { (void)signal; }

static struct vcpu g_running;
static void *run_until_error(void *result) {
  *(int *)result = ioctl(g_running.fd, KVM_RUN, 0) == -1 ? errno : 0;
  return NULL;
}

/* jmp short over a load of [0x2000], for ever: mov al, [0x2000]; inc word [0x1800]; jmp */
static const uint8_t kLoop[] = {0xa0, 0x00, 0x20, 0xff, 0x06, 0x00, 0x18, 0xeb, 0xf7};

static void memory_vanishes_under_a_running_vcpu(int kvm) {
  int vm = must(ioctl(kvm, KVM_CREATE_VM, 0), "KVM_CREATE_VM");
  uint8_t *code = anonymous_memory(0x1000), *data = anonymous_memory(0x1000);
  memcpy(code, kLoop, sizeof kLoop);
  add_slot(vm, 0, 0x1000, code, 0x1000);
  add_slot(vm, 1, 0x2000, data, 0x1000);
  g_running = make_vcpu(kvm, vm, 0, 0x1000);
  int result = -1;
  pthread_t thread;
  pthread_create(&thread, NULL, run_until_error, &result);
  while (*(volatile uint16_t *)(code + 0x800) == 0) {
  }
  munmap(data, 0x1000);
  pthread_join(thread, NULL);
  errno = result;
  expect(result == EFAULT, "memory unmapped under a running vcpu is EFAULT");
  struct kvm_regs regs;
  expect(ioctl(g_running.fd, KVM_GET_REGS, &regs) == 0 && regs.rip == 0x1000, "RIP is on the instruction that needs it");
  expect(ioctl(g_running.fd, KVM_RUN, 0) == -1 && errno == EFAULT, "running again is EFAULT again");
  void *back = mmap(data, 0x1000, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  expect(back == data, "the memory comes back");
  *(uint8_t *)data = 0x77;
  g_running.run->immediate_exit = 0;
  pthread_create(&thread, NULL, run_until_error, &result);
  for (uint16_t before = *(volatile uint16_t *)(code + 0x800); *(volatile uint16_t *)(code + 0x800) == before;) {
  }
  g_running.run->immediate_exit = 1;
  pthread_kill(thread, SIGUSR1);
  pthread_join(thread, NULL);
  errno = result;
  expect(result == EINTR, "the guest goes on when the memory is back");
  expect(ioctl(g_running.fd, KVM_GET_REGS, &regs) == 0 && (regs.rax & 0xff) == 0x77, "and reads the new memory");
}

int main(void) {
  signal(SIGUSR1, nothing);
  memory_vanishes_under_a_running_vcpu(open_kvm());
  printf("%d failures\n", g_failures);
  return g_failures == 0 ? 0 : 1;
}
