/* What a C program does with files, by the functions of wasi-libc. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

static int entries(const char *path) {
  DIR *directory = opendir(path);
  int count = 0;
  if (!directory) return -1;
  while (readdir(directory)) count++;
  closedir(directory);
  return count;
}

static const char *outcome(int result) {
  return result == 0 ? "done" : strerror(errno);
}

int main(void) {
  char line[64];
  struct stat status;
  FILE *file = fopen("/data/new", "w");
  if (!file) return 1;
  fprintf(file, "hello %d\n", 42);
  fclose(file);

  file = fopen("/data/new", "a+");
  fputs("more\n", file);
  rewind(file);
  while (fgets(line, sizeof line, file)) printf("line: %s", line);
  fclose(file);

  printf("mkdir: %s\n", outcome(mkdir("/data/sub", 0755)));
  printf("rename: %s\n", outcome(rename("/data/new", "/data/sub/moved")));
  printf("entries: %d\n", entries("/data/sub"));
  stat("/data/sub/moved", &status);
  printf("size: %d\n", (int) status.st_size);

  printf("symlink: %s\n", outcome(symlink("sub/moved", "/data/link")));
  printf("readlink: %d\n", (int) readlink("/data/link", line, sizeof line));
  lstat("/data/link", &status);
  printf("link: %d\n", S_ISLNK(status.st_mode));
  file = fopen("/data/link", "r");
  printf("through: %s", fgets(line, sizeof line, file));
  fclose(file);

  printf("nofollow: %s\n",
         outcome(open("/data/link", O_RDONLY | O_NOFOLLOW) < 0));
  printf("out: %s\n", outcome(open("/data/../secret", O_RDONLY) < 0));
  printf("link out: %s\n", outcome(symlink("../secret", "/data/out")));
  printf("through it: %s\n", outcome(open("/data/out", O_RDONLY) < 0));

  printf("unlink: %s\n", outcome(unlink("/data/sub/moved")));
  printf("rmdir: %s\n", outcome(rmdir("/data/sub")));
  return 0;
}
