// The file-descriptor model (api.rst 2): /dev/kvm gives VMs, VMs give vcpus, each a descriptor of its own. What
// descriptors share with those of any file: close-on-exec, dup, passing, poll, mmap, life time. Mapping a vcpu:
// conformance/vcpu/mmap_test.cpp.
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "conformance/support/rows.hpp"
#include "conformance/system/buffers.hpp"
#include "conformance/vm/tiny_guest.hpp"
#include "kvmapi/system.hpp"

namespace conformance {
namespace {

bool is_close_on_exec(int fd) { return (::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0; }

// A second descriptor of the same file.
class Duplicate {
 public:
  Duplicate(Ctx& t, int fd) : backend_(t.backend()), fd_(::dup(fd)) {
    if (fd_ < 0) t.broken("dup failed");
  }
  Duplicate(const Duplicate&) = delete;
  Duplicate& operator=(const Duplicate&) = delete;
  ~Duplicate() { (void)backend_.close(fd_); }
  int fd() const { return fd_; }

 private:
  kvmapi::Backend& backend_;
  int fd_;
};

// Runs `body` in a fork of this process: its int is the exit status.
template <class Body>
int in_child(Ctx& t, Body body) {
  const pid_t child = ::fork();
  if (child < 0) t.broken("fork failed");
  if (child == 0) ::_exit(body());
  int status = 0;
  if (::waitpid(child, &status, 0) != child) t.broken("waitpid failed");
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// 0 for success, else the errno: what a child can say.
int code(const kvmapi::Result<int>& answer) { return answer.ok() ? 0 : answer.error().value(); }

// --- Opening
KVM_TEST("system.fd", "device_opens_read_write", "api.rst 2")(Ctx& t) {
  const auto fd = t.backend().open(t.target().device.c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_THAT(fd, Succeeds());
  EXPECT_THAT(t.backend().ioctl(*fd, kvmapi::number(Ioctl::GetApiVersion), 0), Returns(12));
  EXPECT_TRUE(t.backend().close(*fd).ok());
}

KVM_TEST("system.fd", "device_opens_read_only_as_well", "kvm_chardev_ops", {.status = Abi::observed})(Ctx& t) {
  const auto fd = t.backend().open(t.target().device.c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_THAT(fd, Succeeds());
  EXPECT_THAT(t.backend().ioctl(*fd, kvmapi::number(Ioctl::GetApiVersion), 0), Returns(12));
  (void)t.backend().close(*fd);
}

KVM_TEST("system.fd", "device_can_be_opened_many_times", "api.rst 2")(Ctx& t) {
  std::vector<kvmapi::System> systems;
  for (int i = 0; i < 8; ++i) systems.push_back(t.must(kvmapi::System::open(t.backend(), t.target().device.c_str())));
  for (auto& system : systems) EXPECT_THAT(system.get_api_version(), Returns(12));
}

KVM_TEST("system.fd", "close_on_exec_is_as_asked_for_at_open", "open(2)")(Ctx& t) {
  const int with = t.must(t.backend().open(t.target().device.c_str(), O_RDWR | O_CLOEXEC));
  const int without = t.must(t.backend().open(t.target().device.c_str(), O_RDWR));
  EXPECT_TRUE(is_close_on_exec(with));
  EXPECT_FALSE(is_close_on_exec(without));
  (void)t.backend().close(with);
  (void)t.backend().close(without);
}

// --- Close-on-exec of what KVM makes: nothing of it is inherited by a program that is executed
KVM_TEST("vm.fd", "is_close_on_exec", "kvm_dev_ioctl_create_vm", {.status = Abi::observed})(Ctx& t) {
  EXPECT_TRUE(is_close_on_exec(t.vm().fd()));
}
KVM_TEST("vcpu.fd", "is_close_on_exec", "create_vcpu_fd", {.status = Abi::observed})(Ctx& t) {
  EXPECT_TRUE(is_close_on_exec(t.vcpu().fd()));
}
KVM_TEST("vm.get_stats_fd", "is_close_on_exec", "kvm_vm_ioctl_get_stats_fd",
         {.needs = {.cap = Cap::BinaryStatsFd}, .status = Abi::observed})
(Ctx& t) { EXPECT_TRUE(is_close_on_exec(t.must(t.vm().get_stats_fd()).fd())); }

// --- Life time
KVM_TEST("system.fd", "closing_it_leaves_its_vms_usable", "api.rst 2")(Ctx& t) {
  auto system = t.must(kvmapi::System::open(t.backend(), t.target().device.c_str()));
  auto vm = t.must(system.create_vm());
  system.close();
  EXPECT_THAT(vm.check_extension(Cap::UserMemory), Returns(1));
  EXPECT_THAT(vm.create_vcpu(0), Succeeds());
}

KVM_TEST("vm.fd", "closing_it_leaves_its_vcpus_usable", "api.rst 2; create_vcpu_fd")(Ctx& t) {
  load(t, {0x40, 0xf4});  // inc ax; hlt
  t.vm().close();
  run_to_halt(t);
  EXPECT_EQ(t.must(t.vcpu().get_regs()).rax, 1u);
}

KVM_TEST("vcpu.fd", "closing_it_before_the_vm_leaves_the_vm_usable", "api.rst 2")(Ctx& t) {
  t.must(t.vm().create_vcpu(0)).close();
  EXPECT_THAT(t.vm().check_extension(Cap::UserMemory), Returns(1));
  EXPECT_THAT(t.vm().set_user_memory_region(slot(0)), Succeeds());
  EXPECT_THAT(t.vm().create_vcpu(1), Succeeds());
}

KVM_TEST("vm.fd", "every_order_of_closing_is_safe", "api.rst 2", {.status = Abi::sane})(Ctx& t) {
  for (int order = 0; order < 6; ++order) {
    auto system = t.must(kvmapi::System::open(t.backend(), t.target().device.c_str()));
    auto vm = t.must(system.create_vm());
    auto vcpu = t.must(vm.create_vcpu(0));
    kvmapi::Fd* fds[] = {&system, &vm, &vcpu};
    const int first = order % 3;
    const int second = (first + 1 + order / 3) % 3;
    fds[first]->close();
    fds[second]->close();
    fds[3 - first - second]->close();
  }
  EXPECT_THAT(t.new_vm().create_vcpu(0), Succeeds());
}

KVM_TEST("vm.fd", "two_hundred_vms_one_after_the_other_leave_nothing_behind", "api.rst 2", {.status = Abi::sane})
(Ctx& t) {
  const int first = t.new_vm().fd();
  for (int i = 0; i < 200; ++i) {
    const kvmapi::Vm vm = t.new_vm();
    ASSERT_EQ(vm.fd(), first) << "after " << i << " VMs";
    ASSERT_THAT(vm.create_vcpu(0), Succeeds());
  }
}

// --- dup
KVM_TEST("vm.fd", "duplicate_keeps_the_vm_alive", "api.rst 2; dup(2)")(Ctx& t) {
  t.must(t.vm().set_user_memory_region(slot(0)));
  const Duplicate second(t, t.vm().fd());
  t.vm().close();
  EXPECT_THAT(t.backend().ioctl(second.fd(), kvmapi::number(Ioctl::CheckExtension), 3), Returns(1));
  const kvmapi::kvm_userspace_memory_region same_place = slot(1);
  EXPECT_THAT(
      t.backend().ioctl(second.fd(), kvmapi::number(Ioctl::SetUserMemoryRegion), reinterpret_cast<u64>(&same_place)),
      FailsWith(EEXIST))
      << "it is another VM";
}

KVM_TEST("vcpu.fd", "duplicate_reaches_the_same_vcpu", "dup(2)")(Ctx& t) {
  auto regs = t.must(t.vcpu().get_regs());
  regs.rbx = 0x4711;
  t.must(t.vcpu().set_regs(regs));
  const Duplicate second(t, t.vcpu().fd());
  kvmapi::kvm_regs got{};
  EXPECT_THAT(t.backend().ioctl(second.fd(), kvmapi::number(Ioctl::GetRegs), reinterpret_cast<u64>(&got)), Returns(0));
  EXPECT_EQ(got.rbx, 0x4711u);
}

KVM_TEST("vcpu.fd", "duplicate_survives_the_original", "dup(2)")(Ctx& t) {
  auto vcpu = t.must(t.vm().create_vcpu(0));
  const Duplicate second(t, vcpu.fd());
  vcpu.close();
  kvmapi::kvm_regs got{};
  EXPECT_THAT(t.backend().ioctl(second.fd(), kvmapi::number(Ioctl::GetRegs), reinterpret_cast<u64>(&got)), Returns(0));
  EXPECT_EQ(got.rip, 0xfff0u);
}

KVM_TEST("system.fd", "duplicate_works", "dup(2)")(Ctx& t) {
  const Duplicate second(t, t.system().fd());
  EXPECT_THAT(t.backend().ioctl(second.fd(), kvmapi::number(Ioctl::GetApiVersion), 0), Returns(12));
}

// --- Passing through a socket, inside one process
KVM_TEST("vm.fd", "passed_through_a_socket_reaches_the_same_vm", "api.rst 2; unix(7) SCM_RIGHTS")(Ctx& t) {
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  char byte = 'x';
  iovec data{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* rights = CMSG_FIRSTHDR(&message);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(sizeof(int));
  const int sent = t.vm().fd();
  std::memcpy(CMSG_DATA(rights), &sent, sizeof sent);
  ASSERT_EQ(::sendmsg(ends[0], &message, 0), 1);
  ASSERT_EQ(::recvmsg(ends[1], &message, MSG_CMSG_CLOEXEC), 1);
  int received = -1;
  std::memcpy(&received, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof received);
  t.must(t.vm().set_user_memory_region(slot(0)));
  const kvmapi::kvm_userspace_memory_region same_place = slot(1);
  EXPECT_THAT(
      t.backend().ioctl(received, kvmapi::number(Ioctl::SetUserMemoryRegion), reinterpret_cast<u64>(&same_place)),
      FailsWith(EEXIST));
  (void)t.backend().close(received);
  ::close(ends[0]);
  ::close(ends[1]);
}

// --- Another process
KVM_TEST("system.fd", "works_in_a_forked_child", "kvm_dev_ioctl", {.status = Abi::observed})(Ctx& t) {
  t.system();
  EXPECT_EQ(in_child(t, [&] { return code(t.system().get_api_version()); }), 0);
}

KVM_TEST("vm.fd", "answers_eio_in_a_forked_child", "api.rst 1; kvm_vm_ioctl")(Ctx& t) {
  t.vm();
  EXPECT_EQ(in_child(t, [&] { return code(t.vm().check_extension(Cap::UserMemory)); }), EIO);
  EXPECT_EQ(in_child(t, [&] { return code(t.vm().set_user_memory_region(slot(0))); }), EIO);
  EXPECT_EQ(in_child(t, [&] { return code(t.vm().raw(0xae7f, u64{0})); }), EIO) << "an unknown number";
}

KVM_TEST("vcpu.fd", "answers_eio_in_a_forked_child", "api.rst 1; kvm_vcpu_ioctl")(Ctx& t) {
  t.vcpu();
  EXPECT_EQ(in_child(t,
                     [&] {
                       kvmapi::kvm_regs regs{};
                       return code(t.vcpu().raw(Ioctl::GetRegs, &regs));
                     }),
            EIO);
  EXPECT_EQ(in_child(t, [&] { return code(t.vcpu().run()); }), EIO);
}

KVM_TEST("vm.fd", "stays_usable_for_the_parent_after_a_child_tried_and_ended", "api.rst 2")(Ctx& t) {
  t.vcpu();
  ASSERT_EQ(in_child(t, [&] { return code(t.vcpu().run()); }), EIO);
  run_once(t);
  EXPECT_THAT(t.vm().check_extension(Cap::UserMemory), Returns(1));
}

KVM_TEST("vm.fd", "child_can_make_vms_of_its_own", "api.rst 2")(Ctx& t) {
  t.vm();
  EXPECT_EQ(in_child(t,
                     [&] {
                       auto vm = t.system().create_vm(0);
                       return vm.ok() ? code(vm->set_user_memory_region(slot(0))) : vm.error().value();
                     }),
            0);
}

// --- Another thread
KVM_TEST("vcpu.fd", "works_from_a_thread_that_did_not_create_it", "api.rst 1 asks for one thread; vcpu_load",
         {.status = Abi::observed})
(Ctx& t) {
  load(t, {0x40, 0xf4});
  int error = -1;
  std::thread([&] { error = code(t.vcpu().run()); }).join();
  EXPECT_EQ(error, 0);
  EXPECT_EQ(t.must(t.vcpu().get_regs()).rax, 1u);
}

KVM_TEST("vm.fd", "works_from_any_thread_of_the_process", "api.rst 1")(Ctx& t) {
  t.vm();
  int error = -1;
  std::thread([&] { error = code(t.vm().set_user_memory_region(slot(0))); }).join();
  EXPECT_EQ(error, 0);
}

// --- poll, mmap
KVM_TEST("vm.fd", "is_always_ready_to_poll", "poll(2), files without a poll operation", {.status = Abi::observed})
(Ctx& t) {
  pollfd entry{.fd = t.vm().fd(), .events = POLLIN | POLLOUT, .revents = 0};
  EXPECT_EQ(::poll(&entry, 1, 0), 1);
  EXPECT_EQ(entry.revents, POLLIN | POLLOUT);
}

KVM_TEST("vcpu.fd", "is_always_ready_to_poll", "poll(2), files without a poll operation", {.status = Abi::observed})
(Ctx& t) {
  pollfd entry{.fd = t.vcpu().fd(), .events = POLLIN | POLLOUT, .revents = 0};
  EXPECT_EQ(::poll(&entry, 1, 0), 1);
  EXPECT_EQ(entry.revents, POLLIN | POLLOUT);
}

template <int kProtection>
constexpr Call kMapVm = [](Ctx& t) { return t.backend().mmap(nullptr, 4096, kProtection, MAP_SHARED, t.vm().fd(), 0); };

constexpr IoctlCase kMmap[] = {
    {.name = "mmap_is_enodev",  // api.rst of old promised guest memory here
     .call = kMapVm<PROT_READ | PROT_WRITE>,
     .expect = fails(ENODEV),
     .status = Abi::observed},
    {.name = "mmap_of_the_device_is_enodev",
     .call =
         [](Ctx& t) { return t.backend().mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, t.system().fd(), 0); },
     .expect = fails(ENODEV),
     .status = Abi::observed},
};
KVM_ROWS("vm.fd", "kvm_vm_fops, kvm_chardev_ops", kMmap);

}  // namespace
}  // namespace conformance
