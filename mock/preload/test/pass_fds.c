/* Sends its vm and vcpu descriptors to itself over a Unix socket, closes the originals and goes on with what it received. */
#include <sys/socket.h>

#include "guest_setup.h"

static const uint8_t kCode[] = {0xf4}; /* hlt */

static void send_fds(int socket, const int *fds, unsigned count) {
  char byte = 'x', control[CMSG_SPACE(4 * sizeof(int))] = {0};
  struct iovec data = {&byte, 1};
  struct msghdr message = {
      .msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_SPACE(count * sizeof(int))};
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(count * sizeof(int));
  memcpy(CMSG_DATA(header), fds, count * sizeof(int));
  if (sendmsg(socket, &message, 0) != 1) err(1, "sendmsg");
}

static void receive_fds(int socket, int *fds, unsigned count) {
  char byte, control[CMSG_SPACE(4 * sizeof(int))];
  struct iovec data = {&byte, 1};
  struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  if (recvmsg(socket, &message, 0) != 1) err(1, "recvmsg");
  memcpy(fds, CMSG_DATA(CMSG_FIRSTHDR(&message)), count * sizeof(int));
}

int main(void) {
  int sockets[2];
  must(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), "socketpair");
  int kvm = open_kvm();
  int vm = must(ioctl(kvm, KVM_CREATE_VM, 0), "KVM_CREATE_VM");
  uint8_t *memory = anonymous_memory(0x1000);
  memcpy(memory, kCode, sizeof kCode);
  add_slot(vm, 0, 0x1000, memory, 0x1000);
  struct vcpu vcpu = make_vcpu(kvm, vm, 0, 0x1000);

  int fds[2] = {vm, vcpu.fd};
  send_fds(sockets[0], fds, 2);
  close(vm);
  close(vcpu.fd);
  receive_fds(sockets[1], fds, 2);

  must(ioctl(fds[0], KVM_CHECK_EXTENSION, KVM_CAP_USER_MEMORY), "KVM_CHECK_EXTENSION");
  must(ioctl(fds[1], KVM_RUN, 0), "KVM_RUN");
  printf("exit reason %u through received descriptors\n", vcpu.run->exit_reason);
  return vcpu.run->exit_reason == KVM_EXIT_HLT ? 0 : 1;
}
