/* What a program may do to descriptors, and the errno that it must get. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "guest_setup.h"

static int g_failures;

static void expect(int is_true, const char *claim) {
  if (is_true) return;
  printf("FAILED: %s (errno %s)\n", claim, strerrorname_np(errno));
  ++g_failures;
}

static void duplicates_keep_the_vm_alive(int kvm) {
  int vm = must(ioctl(kvm, KVM_CREATE_VM, 0), "KVM_CREATE_VM");
  int copy = dup(vm), high = fcntl(vm, F_DUPFD_CLOEXEC, 200), placed = dup3(vm, 300, O_CLOEXEC);
  expect(copy > 0 && high >= 200 && placed == 300, "dup, F_DUPFD_CLOEXEC and dup3 work");
  expect(close(vm) == 0, "the original closes");
  expect(ioctl(vm, KVM_CHECK_EXTENSION, 0) == -1 && errno == EBADF, "a closed descriptor is EBADF");
  expect(ioctl(copy, KVM_CHECK_EXTENSION, KVM_CAP_USER_MEMORY) == 1, "a copy still answers");
  expect(dup2(kvm, placed) == placed && ioctl(placed, KVM_GET_API_VERSION, 0) == 12, "dup2 over a vm gives the other kind");
  expect(ioctl(high, KVM_GET_API_VERSION, 0) == -1 && errno == ENOTTY, "a system ioctl on a vm is ENOTTY");
  close(copy);
  close(high);
  close(placed);
  expect(close(copy) == -1 && errno == EBADF, "closing twice is EBADF");
}

static void maps_in_strange_ways(int kvm, int vm) {
  expect(mmap(NULL, 4096, PROT_READ, MAP_SHARED, vm, 0) == MAP_FAILED && errno == ENODEV, "a vm can not be mapped");
  struct vcpu vcpu = make_vcpu(kvm, vm, 3, 0);
  struct kvm_run *again = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu.fd, 0);
  again->immediate_exit = 1;
  expect(vcpu.run->immediate_exit == 1, "two mappings of a vcpu show one page");
  close(vcpu.fd);
  again->immediate_exit = 0;
  expect(vcpu.run->immediate_exit == 0, "a mapping outlives the descriptor");
  munmap(again, 4096);
}

static void child_of_fork(int vm, struct vcpu vcpu) {
  pid_t child = fork();
  if (child == 0) {
    int good = ioctl(vm, KVM_CHECK_EXTENSION, KVM_CAP_USER_MEMORY) == -1 && errno == EIO;
    good &= ioctl(vcpu.fd, KVM_RUN, 0) == -1 && errno == EIO;
    int kvm = open("/dev/kvm", O_RDWR);
    good &= ioctl(kvm, KVM_CREATE_VM, 0) >= 0;
    _exit(good ? 0 : 1);
  }
  int status;
  waitpid(child, &status, 0);
  expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "a child's inherited vm answers EIO, its own works");
}

static void *call_often(void *argument) {
  int fd = *(int *)argument;
  for (int i = 0; i < 5000; ++i) ioctl(fd, KVM_CHECK_EXTENSION, i & 255);
  return NULL;
}

static void calls_from_many_threads(int vm) {
  pthread_t threads[4];
  for (int i = 0; i < 4; ++i) pthread_create(&threads[i], NULL, call_often, &vm);
  for (int i = 0; i < 4; ++i) pthread_join(threads[i], NULL);
  expect(ioctl(vm, KVM_CHECK_EXTENSION, KVM_CAP_USER_MEMORY) == 1, "the vm answers after calls from four threads");
}

static void probing(void) {
  struct stat status;
  expect(stat("/dev/kvm", &status) == 0 && S_ISCHR(status.st_mode), "stat shows a character device");
  expect(access("/dev/kvm", R_OK | W_OK) == 0, "access allows reading and writing");
  expect(open("/dev/kvm-not-there", O_RDWR) == -1 && errno == ENOENT, "other paths go to the C library");
  expect(ioctl(0, KVM_GET_API_VERSION, 0) == -1, "other descriptors go to the C library");
}

int main(void) {
  probing();
  int kvm = open_kvm();
  int vm = must(ioctl(kvm, KVM_CREATE_VM, 0), "KVM_CREATE_VM");
  struct vcpu vcpu = make_vcpu(kvm, vm, 0, 0);
  duplicates_keep_the_vm_alive(kvm);
  maps_in_strange_ways(kvm, vm);
  child_of_fork(vm, vcpu);
  calls_from_many_threads(vm);
  printf("%d failures\n", g_failures);
  return g_failures == 0 ? 0 : 1;
}
