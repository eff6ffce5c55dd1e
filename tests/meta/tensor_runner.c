/* Run tensor_kernel.c, which this file includes, on many directories: one process for all.
 *
 * Each line of the file that is its argument is a directory with right.npy, which is the output that
 * is right. The first directory whose output or exit status differs is printed; it ends with 1.
 */
#define main kernel_main
#include "tensor_kernel.c"
#undef main

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static int same(const char *folder)
{
    char path[4096];
    static char right[1 << 20], got[1 << 20];
    size_t sizes[2];
    int k;
    for (k = 0; k < 2; k++) {
        FILE *file;
        snprintf(path, sizeof path, "%s/%s", folder, k ? "out_q.npy" : "right.npy");
        file = fopen(path, "rb");
        if (!file) return 0;
        sizes[k] = fread(k ? got : right, 1, sizeof got, file);
        fclose(file);
        if (k) unlink(path);
    }
    return sizes[0] == sizes[1] && !memcmp(right, got, sizes[0]);
}

int main(int count, char **words)
{
    static char folders[1 << 22]; /* all at once: a child that exits moves the parent's place */
    FILE *list = count == 2 ? fopen(words[1], "r") : NULL;
    char *folder;
    if (!list || fread(folders, 1, sizeof folders - 1, list) == 0) return 2;
    fclose(list);
    for (folder = strtok(folders, "\n"); folder; folder = strtok(NULL, "\n")) {
        int status = 1;
        pid_t child = fork();
        if (!child) {
            char *given[] = {words[0], folder, NULL};
            alarm(2);
            if (!freopen("/dev/null", "w", stderr)) _exit(9);
            exit(kernel_main(2, given));
        }
        waitpid(child, &status, 0);
        if (status || !same(folder)) {
            printf("%s\n", folder);
            return 1;
        }
    }
    return 0;
}
