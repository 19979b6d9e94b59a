/* Loaded with LD_PRELOAD: while the file $EIO_SWITCH is there, what is written below $EIO_UNDER fails with EIO, as on a
   disk that has died under the file system. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int is_dead(int fd) {
  const char *under = getenv("EIO_UNDER"), *dead = getenv("EIO_SWITCH");
  char link[64], path[4096];
  if (under == NULL || dead == NULL || access(dead, F_OK) != 0) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return strncmp(path, under, strlen(under)) == 0;
}

#define REAL(type, name, ...) ((type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name))
#define OR_EIO(fd, call) (is_dead(fd) ? (errno = EIO, -1) : (call))

ssize_t write(int fd, const void *bytes, size_t n) {
  return OR_EIO(fd, REAL(ssize_t, write, int, const void *, size_t)(fd, bytes, n));
}
ssize_t pwrite64(int fd, const void *bytes, size_t n, off64_t at) {
  return OR_EIO(fd, REAL(ssize_t, pwrite64, int, const void *, size_t, off64_t)(fd, bytes, n, at));
}
ssize_t pwrite(int fd, const void *bytes, size_t n, off_t at) {
  return OR_EIO(fd, REAL(ssize_t, pwrite, int, const void *, size_t, off_t)(fd, bytes, n, at));
}
int fsync(int fd) { return OR_EIO(fd, REAL(int, fsync, int)(fd)); }
int fdatasync(int fd) { return OR_EIO(fd, REAL(int, fdatasync, int)(fd)); }
int ftruncate64(int fd, off64_t length) { return OR_EIO(fd, REAL(int, ftruncate64, int, off64_t)(fd, length)); }
