// The first and only process of a lab guest. Loads the modules of /lab/modules, runs the program of /lab/argv and
// reports to the host: everything it prints, the files it left in /lab/out, its exit status. Reports are frames on I/O
// port 0xe9 (QEMU's isa-debugcon): a byte written there has arrived, whatever the kernel does next, and no driver is
// needed. Frame: "KL", one type byte, u32 length, payload. Types: see FRAMES of boot.py.
//
// Descriptor 3 of the program is for its progress. Before a test can kill the kernel, the line that names it must have
// left the guest: this process and (if /lab/supervised exists) the program have real-time priority, their children have
// not.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
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

enum { kPort = 0xe9, kHeartbeatMs = 1000, kProgressFd = 3, kOwnPriority = 50, kProgramPriority = 40 };

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
  char** list = calloc(size + 1, sizeof *list);
  int count = 0;
  for (char* p = data; p < data + size; p += strlen(p) + 1) list[count++] = p;
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

static void set_priority(int priority) {
  const struct sched_param param = {.sched_priority = priority};
  sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &param);
}

// What the program writes comes back through pipes: its standard output, standard error and progress.
struct stream {
  char type;
  int target;  // descriptor in the program
  int pipe[2];
};

static pid_t start(char** argv, char** env, const struct stream* streams, int count) {
  pid_t child = fork();
  if (child != 0) return child;
  setsid();
  dup2(open("/dev/null", O_RDONLY | O_CLOEXEC), 0);
  for (int i = 0; i < count; ++i) dup2(streams[i].pipe[1], streams[i].target);
  ioperm(kPort, 1, 0);
  if (access("/lab/supervised", F_OK) == 0) set_priority(kProgramPriority);
  execve(argv[0], argv, env);
  dprintf(2, "%s: %s\n", argv[0], strerror(errno));
  _exit(127);
}

// Forwards output and heartbeats until the program has ended; returns its wait status.
static int run(char** argv, char** env) {
  enum { kStreams = 3 };
  struct stream streams[kStreams] = {{'P', kProgressFd, {-1, -1}}, {'O', 1, {-1, -1}}, {'E', 2, {-1, -1}}};
  struct pollfd fds[kStreams];
  for (int i = 0; i < kStreams; ++i) {
    if (pipe2(streams[i].pipe, O_CLOEXEC) != 0) fail("pipe: %s", strerror(errno));
    // Far from 0 to 3, so that dup2 in the program can not hit a pipe that is still needed.
    for (int end = 0; end < 2; ++end) streams[i].pipe[end] = fcntl(streams[i].pipe[end], F_DUPFD_CLOEXEC, 64);
    fcntl(streams[i].pipe[0], F_SETFL, O_NONBLOCK);
    fds[i] = (struct pollfd){streams[i].pipe[0], POLLIN, 0};
  }
  set_priority(kOwnPriority);
  int status = 0, open_streams = kStreams;
  pid_t child = start(argv, env, streams, kStreams);
  if (child < 0) fail("fork: %s", strerror(errno));
  for (int i = 0; i < kStreams; ++i) close(streams[i].pipe[1]);
  for (int ended = 0; !ended;) {
    if (poll(fds, kStreams, open_streams ? kHeartbeatMs : 50) == 0) frame('H', "", 0);
    for (int i = 0; i < kStreams; ++i)
      if (fds[i].fd >= 0 && fds[i].revents && !pump(fds[i].fd, streams[i].type)) fds[i].fd = -1, --open_streams;
    int one;
    for (pid_t pid; (pid = waitpid(-1, &one, WNOHANG)) > 0;)
      if (pid == child) status = one, ended = 1;
  }
  for (int i = 0; i < kStreams; ++i)
    while (fds[i].fd >= 0 && poll(&fds[i], 1, 0) > 0 && pump(fds[i].fd, streams[i].type)) {
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
  for (int fd = 0; fd >= 0 && fd < 3;)
    fd = open("/dev/null", O_RDWR | O_CLOEXEC);  // 0 to 2 must not be taken by a pipe
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
