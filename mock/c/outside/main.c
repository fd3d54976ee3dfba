#include <fcntl.h>
#include <kvmmock.h>
#include <stdio.h>

int main(void) {
  kvmmock *kvm = kvmmock_create(NULL, NULL, 0);
  int fd = kvmmock_open(kvm, "/dev/kvm", O_RDWR);
  printf("API version %d\n", kvmmock_ioctl(kvm, fd, 0xae00, 0));
  kvmmock_destroy(kvm);
  return 0;
}
