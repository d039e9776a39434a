/* Shifts the wall clock of a program by the seconds that the file CLOCK_SHIFT holds, which may change meanwhile.
 * For LD_PRELOAD. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real)
        real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, now);
    const char *path = getenv("CLOCK_SHIFT");
    if (result != 0 || path == NULL || (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE))
        return result;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return result;
    char text[32] = {0};
    if (read(file, text, sizeof text - 1) > 0)
        now->tv_sec += atol(text);
    close(file);
    return result;
}
