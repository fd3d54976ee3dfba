/* Guest memory of four kinds: anonymous, memfd, a file, and anonymous with a request for huge pages. The guest writes into each;
 * the writes are seen through the mapping and, for files, through read(). */
#define _GNU_SOURCE
#include "guest_setup.h"

enum { kBytes = 4 << 20 };

/* mov al, 0x5a; mov [0x1f00], al; mov dx, 0x3f8; out dx, al; hlt */
static const uint8_t kCode[] = {0xb0, 0x5a, 0xa2, 0x00, 0x1f, 0xba, 0xf8, 0x03, 0xee, 0xf4};

static void run_on(const char *name, uint8_t *memory, int fd) {
  if (memory == MAP_FAILED) err(1, "%s: mmap", name);
  memcpy(memory, kCode, sizeof kCode);
  int kvm = open_kvm();
  int vm = must(ioctl(kvm, KVM_CREATE_VM, 0), "KVM_CREATE_VM");
  add_slot(vm, 0, 0x1000, memory, kBytes);
  struct vcpu vcpu = make_vcpu(kvm, vm, 0, 0x1000);
  must(ioctl(vcpu.fd, KVM_RUN, 0), "KVM_RUN");
  if (vcpu.run->exit_reason != KVM_EXIT_IO) errx(1, "%s: exit reason %u", name, vcpu.run->exit_reason);
  uint8_t out = ((uint8_t *)vcpu.run)[vcpu.run->io.data_offset];
  uint8_t in_file = 0x5a;
  if (fd != -1 && pread(fd, &in_file, 1, 0xf00) != 1) err(1, "%s: pread", name);
  must(ioctl(vcpu.fd, KVM_RUN, 0), "KVM_RUN");
  printf("%s: out %#x, memory %#x, file %#x, exit %u\n", name, out, memory[0xf00], in_file, vcpu.run->exit_reason);
  if (out != 0x5a || memory[0xf00] != 0x5a || in_file != 0x5a || vcpu.run->exit_reason != KVM_EXIT_HLT) exit(1);
  munmap(memory, kBytes);
  close(vcpu.fd);
  close(vm);
  close(kvm);
}

static uint8_t *map(int fd, int flags) { return mmap(NULL, kBytes, PROT_READ | PROT_WRITE, flags, fd, 0); }

int main(void) {
  run_on("anonymous", map(-1, MAP_PRIVATE | MAP_ANONYMOUS), -1);

  int memfd = must(memfd_create("guest", 0), "memfd_create");
  must(ftruncate(memfd, kBytes), "ftruncate");
  run_on("memfd", map(memfd, MAP_SHARED), memfd);

  char path[] = "/tmp/guest-memory-XXXXXX";
  int file = must(mkstemp(path), "mkstemp");
  unlink(path);
  must(ftruncate(file, kBytes), "ftruncate");
  run_on("file", map(file, MAP_SHARED), file);

  uint8_t *huge = map(-1, MAP_PRIVATE | MAP_ANONYMOUS);
  madvise(huge, kBytes, MADV_HUGEPAGE); /* advice: a kernel without huge pages may refuse it */
  run_on("hugepage-advised", huge, -1);
  return 0;
}
