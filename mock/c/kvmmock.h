/* kvmmock: a KVM in this process, for programs in any language. Stable C ABI: handles are opaque, structs carry their size, and
 * functions are only ever added.
 *
 *   kvmmock *kvm = kvmmock_create(NULL, NULL, 0);
 *   int fd = kvmmock_open(kvm, "/dev/kvm", O_RDWR | O_CLOEXEC);
 *   int vm = kvmmock_ioctl(kvm, fd, KVM_CREATE_VM, 0);
 *   ...
 *   kvmmock_destroy(kvm);
 *
 * Unless said otherwise a function returns -1 (or NULL, or MAP_FAILED) and sets errno on failure, as the system call that it stands
 * for. All functions are thread-safe except kvmmock_destroy. */
#ifndef KVMMOCK_H
#define KVMMOCK_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define KVMMOCK_API __attribute__((visibility("default")))
#else
#define KVMMOCK_API
#endif

/* Grows when functions are added; what kvmmock_version() of the loaded library returns may be larger. */
#define KVMMOCK_VERSION 1
KVMMOCK_API unsigned kvmmock_version(void);

typedef struct kvmmock kvmmock;

struct kvmmock_options {
  size_t size;         /* sizeof(struct kvmmock_options) */
  const char *profile; /* which kernel to answer as, see kvmmock_profile_name(); NULL: the default */
  const char *device;  /* the path that kvmmock_open() serves; NULL: "/dev/kvm" */
  const char *log;     /* where to report what is not modelled: "stderr" or a file; NULL: nowhere */
  const char *random;  /* what RDRAND and RDSEED read: "host", or a seed as a number; NULL: the same numbers each time */
};

/* A new mock; options may be NULL. On failure NULL, errno EINVAL, and what is wrong with the options in `message` (cut to
 * message_size bytes, always terminated if message_size > 0). */
KVMMOCK_API kvmmock *kvmmock_create(const struct kvmmock_options *options, char *message, size_t message_size);
/* Ends all its objects and closes its descriptors. No call may be under way. NULL does nothing. */
KVMMOCK_API void kvmmock_destroy(kvmmock *mock);

/* --- The KVM. Descriptors are real: poll, dup, fcntl and mmap on them work as usual, but they are closed with kvmmock_close(). */
KVMMOCK_API int kvmmock_open(kvmmock *mock, const char *path, int flags);
/* `argument`: the pointer or the value, as the request defines. */
KVMMOCK_API int kvmmock_ioctl(kvmmock *mock, int fd, unsigned long request, uintptr_t argument);
KVMMOCK_API void *kvmmock_mmap(kvmmock *mock, void *address, size_t length, int prot, int flags, int fd, off_t offset);
KVMMOCK_API int kvmmock_munmap(kvmmock *mock, void *address, size_t length);
KVMMOCK_API int kvmmock_close(kvmmock *mock, int fd);

/* --- Profiles */
/* The name of profile number `index`, oldest kernel first; NULL behind the last one. Lives as long as the library. */
KVMMOCK_API const char *kvmmock_profile_name(size_t index);
/* The profile of this mock. */
KVMMOCK_API const char *kvmmock_profile(const kvmmock *mock);

/* --- Control */
/* Lets calls of `request` fail with `error` (an errno value): the first `skip` calls from now on pass, the next `count` fail.
 * Replaces an earlier plan for the same request; count 0 removes it. The failing call has no effect. EINVAL: error <= 0. */
KVMMOCK_API int kvmmock_fail(kvmmock *mock, unsigned long request, uint64_t skip, uint64_t count, int error);
/* Forgets all such plans. */
KVMMOCK_API void kvmmock_fail_nothing(kvmmock *mock);

/* --- Queries */
/* How many ioctls with this request were made (failed ones too); with request 0 all. */
KVMMOCK_API uint64_t kvmmock_calls(const kvmmock *mock, unsigned long request);
/* "KVM_CREATE_VM" for 0xae01; NULL for a number that KVM does not have. `fd_kind`: 's'ystem, 'v'm, 'c'pu or 'd'evice, since the same
 * number can mean different things. Lives as long as the library. */
KVMMOCK_API const char *kvmmock_request_name(char fd_kind, unsigned long request);

#ifdef __cplusplus
}
#endif

#endif /* KVMMOCK_H */
