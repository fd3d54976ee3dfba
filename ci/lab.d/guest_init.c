// The first and only process of a lab guest. Loads the modules of /lab/modules, runs the program of /lab/argv and reports to
// the host: everything it prints, the files it left in /lab/out, its exit status. Reports are frames on I/O port 0xe9
// (QEMU's isa-debugcon): a byte written there has arrived, whatever the kernel does next, and no driver is needed.
// Frame: "KL", one type byte, u32 length, payload. Types: see `kFrames` of boot.py.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { kPort = 0xe9, kHeartbeatMs = 1000, kMaxStrings = 1024 };

static void out_bytes(const void* data, size_t size) {
  __asm__ volatile("rep outsb" : "+S"(data), "+c"(size) : "d"(kPort) : "memory");
}

static void frame_header(char type, uint32_t size) {
  char header[7] = {'K', 'L', type};
  memcpy(header + 3, &size, sizeof size);
  out_bytes(header, sizeof header);
}

static void frame(char type, const void* data, uint32_t size) {
  frame_header(type, size);
  out_bytes(data, size);
}

// Ends the guest: the host knows a set-up failure by the 'L' frame.
static void finish(void) {
  sync();
  reboot(RB_AUTOBOOT);
  for (;;) pause();
}

static void fail(const char* format, ...) {
  char text[512];
  va_list args;
  va_start(args, format);
  int size = vsnprintf(text, sizeof text, format, args);
  va_end(args);
  frame('L', text, size < (int)sizeof text ? size : (int)sizeof text - 1);
  finish();
}

static void mount_one(const char* source, const char* target, const char* type, const char* data) {
  mkdir(target, 0755);
  if (mount(source, target, type, 0, data) != 0 && errno != EBUSY) fail("mount %s: %s", target, strerror(errno));
}

// Whole file, NUL-terminated; size in *size. NULL if absent.
static char* slurp(const char* path, size_t* size) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  struct stat st;
  if (fd < 0 || fstat(fd, &st) != 0) return NULL;
  char* data = calloc(1, st.st_size + 1);
  size_t done = 0;
  for (ssize_t n; done < (size_t)st.st_size && (n = read(fd, data + done, st.st_size - done)) > 0;) done += n;
  close(fd);
  *size = done;
  return data;
}

// NUL-terminated strings of a file as an argv-like array.
static char** strings(const char* path) {
  static const char* none = NULL;
  size_t size = 0;
  char* data = slurp(path, &size);
  if (!data) return (char**)&none;
  char** list = calloc(kMaxStrings + 1, sizeof *list);
  int count = 0;
  for (char* p = data; p < data + size && count < kMaxStrings; p += strlen(p) + 1) list[count++] = p;
  return list;
}

// /lab/modules: pairs of strings: path, parameters.
static void load_modules(void) {
  char** list = strings("/lab/modules");
  for (; list[0] && list[1]; list += 2) {
    int fd = open(list[0], O_RDONLY | O_CLOEXEC);
    if (fd < 0 || (syscall(SYS_finit_module, fd, list[1], 0) != 0 && errno != EEXIST))
      fail("module %s: %s", list[0], strerror(errno));
    close(fd);
  }
}

static void send_file(const char* name) {
  char path[512];
  snprintf(path, sizeof path, "/lab/out/%s", name);
  size_t size = 0;
  char* data = slurp(path, &size);
  if (!data) return;
  frame_header('F', strlen(name) + 1 + size);
  out_bytes(name, strlen(name) + 1);
  out_bytes(data, size);
  free(data);
}

static void send_out_folder(void) {
  DIR* folder = opendir("/lab/out");
  if (!folder) return;
  for (struct dirent* entry; (entry = readdir(folder));)
    if (entry->d_name[0] != '.') send_file(entry->d_name);
  closedir(folder);
}

static int pump(int fd, char type) {
  char buffer[65536];
  ssize_t n = read(fd, buffer, sizeof buffer);
  if (n > 0) frame(type, buffer, n);
  return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

static pid_t start(char** argv, char** env, int out, int err) {
  pid_t child = fork();
  if (child != 0) return child;
  setsid();
  dup2(open("/dev/null", O_RDONLY), 0);
  dup2(out, 1);
  dup2(err, 2);
  ioperm(kPort, 1, 0);
  execve(argv[0], argv, env);
  dprintf(2, "%s: %s\n", argv[0], strerror(errno));
  _exit(127);
}

// Forwards output and heartbeats until the program has ended; returns its wait status.
static int run(char** argv, char** env) {
  int out[2], err[2], status = 0;
  if (pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0) fail("pipe: %s", strerror(errno));
  pid_t child = start(argv, env, out[1], err[1]);
  if (child < 0) fail("fork: %s", strerror(errno));
  close(out[1]), close(err[1]);
  fcntl(out[0], F_SETFL, O_NONBLOCK), fcntl(err[0], F_SETFL, O_NONBLOCK);
  struct pollfd fds[2] = {{out[0], POLLIN, 0}, {err[0], POLLIN, 0}};
  for (int ended = 0; !ended;) {
    if (poll(fds, 2, fds[0].fd < 0 && fds[1].fd < 0 ? 50 : kHeartbeatMs) == 0) frame('H', "", 0);
    if (fds[0].revents && !pump(fds[0].fd, 'O')) fds[0].fd = -1;
    if (fds[1].revents && !pump(fds[1].fd, 'E')) fds[1].fd = -1;
    int one;
    for (pid_t pid; (pid = waitpid(-1, &one, WNOHANG)) > 0;)
      if (pid == child) status = one, ended = 1;
  }
  for (struct pollfd* p = fds; p != fds + 2; ++p)
    while (p->fd >= 0 && poll(p, 1, 0) > 0 && pump(p->fd, p == fds ? 'O' : 'E')) {
    }
  return status;
}

int main(void) {
  if (ioperm(kPort, 1, 1) != 0) return 1;
  mount_one("devtmpfs", "/dev", "devtmpfs", NULL);
  mount_one("proc", "/proc", "proc", NULL);
  mount_one("sysfs", "/sys", "sysfs", NULL);
  mount_one("tmpfs", "/tmp", "tmpfs", NULL);
  mount_one("tmpfs", "/dev/shm", "tmpfs", NULL);
  mount_one("debugfs", "/sys/kernel/debug", "debugfs", NULL);
  mkdir("/lab/out", 0755);
  for (int fd = 0; fd >= 0 && fd < 3;) fd = open("/dev/null", O_RDWR | O_CLOEXEC);  // 0 to 2 must not be taken by a pipe
  struct rlimit files = {65536, 65536}, core = {0, 0};
  setrlimit(RLIMIT_NOFILE, &files);
  setrlimit(RLIMIT_CORE, &core);
  struct utsname name;
  uname(&name);
  load_modules();
  frame('R', name.release, strlen(name.release));
  char** argv = strings("/lab/argv");
  if (!argv[0]) fail("/lab/argv is empty");
  int status = run(argv, strings("/lab/env"));
  send_out_folder();
  frame('X', &status, sizeof status);
  finish();
}
