/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * attack.c: a worker that was taken over. As soon as a recipient attack@... is looked at, this does
 * what the file `plan` says, one try a line, and writes what became of each into the file `report`:
 *
 *   read PATH, write PATH, create PATH, list PATH, connect PATH, run PATH   files and programs
 *   trace PID, memory PID, proc PID, signal PID                            other processes
 *   call NAME                                                              the kernel
 *   ask HEX, noise COUNT, flood SIZE                                       the keeper
 *   agent PATH COMMAND                                                     gpg-agent
 *
 * "got", with what, or "no", and why.
 */
#include "core/sealpipe.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_RECORD = 8192, PATIENCE_MS = 30000, MAX_FD = 256 };

static FILE *report;

/* -------------------------------------------------------------------------------------------
 * Saying what became of it
 */

static void say(const char *line, gboolean got, const char *what)
{
    fprintf(report, "%s %s: %s\n", got ? "got" : "no", line, what);
}

static void say_errno(const char *line, gboolean got)
{
    say(line, got, got ? "done" : g_strerror(errno));
}

/* -------------------------------------------------------------------------------------------
 * Files
 */

static gboolean read_file(const char *path)
{
    char octets[64];
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    gboolean got = fd >= 0 && read(fd, octets, sizeof octets) >= 0;
    const int why = errno;

    if (fd >= 0)
        close(fd);
    errno = why;
    return got;
}

static gboolean open_to_write(const char *path, int flags)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC | flags, 0600);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static gboolean list_folder(const char *path)
{
    DIR *dir = opendir(path);

    if (dir)
        closedir(dir);
    return dir != NULL;
}

static gboolean connect_to(const char *path)
{
    static const int types[] = {SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM};
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    g_strlcpy(address.sun_path, path, sizeof address.sun_path);
    for (guint i = 0; i < G_N_ELEMENTS(types); i++) {
        int fd = socket(AF_UNIX, types[i] | SOCK_CLOEXEC, 0);
        gboolean got = connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
        const int why = errno;

        close(fd);
        errno = why;
        if (got || errno != EPROTOTYPE)
            return got;
    }
    return FALSE;
}

/* The first line that ends with what the agent thinks of it: OK or ERR. */
static gboolean is_judged(const char *text)
{
    return g_str_has_prefix(text, "OK") || g_str_has_prefix(text, "ERR") || strstr(text, "\nOK") ||
           strstr(text, "\nERR");
}

static gboolean hear_agent(int fd, char *text, gsize size)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    gsize length = 0;

    *text = '\0';
    while (!is_judged(text) && length < size - 1 && poll(&wait, 1, PATIENCE_MS) == 1) {
        gssize got = read(fd, text + length, size - 1 - length);

        if (got <= 0)
            return FALSE;
        length += (gsize)got;
        text[length] = '\0';
    }
    return is_judged(text);
}

/* Asks gpg-agent as gpg does (Assuan). */
static void ask_agent(const char *line, const char *words)
{
    g_auto(GStrv) parts = g_strsplit(words, " ", 2);
    g_autofree char *command = g_strconcat(parts[1] ? parts[1] : "NOP", "\n", NULL);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char text[4096];

    g_strlcpy(address.sun_path, parts[0], sizeof address.sun_path);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        !hear_agent(fd, text, sizeof text) ||
        write(fd, command, strlen(command)) != (gssize)strlen(command) ||
        !hear_agent(fd, text, sizeof text))
        say_errno(line, FALSE);
    else
        say(line, !strstr(text, "ERR"), g_strdelimit(text, "\n", ' '));
    close(fd);
}

/* TRUE where it runs, and as somebody else. */
static gboolean run_program(const char *path)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        execl(path, path, "-u", NULL);
        _exit(99);
    }
    waitpid(pid, &status, 0);
    errno = EACCES;
    return !(WIFEXITED(status) && WEXITSTATUS(status) == 99);
}

/* -------------------------------------------------------------------------------------------
 * Other processes
 */

static gboolean trace(pid_t pid)
{
    return ptrace(PTRACE_ATTACH, pid, NULL, NULL) == 0 ||
           ptrace(PTRACE_SEIZE, pid, NULL, NULL) == 0;
}

static gboolean read_memory(pid_t pid)
{
    char octets[16];
    struct iovec here = {octets, sizeof octets}, there = {(void *)(gintptr)&report, sizeof octets};

    return process_vm_readv(pid, &here, 1, &there, 1, 0) >= 0 ||
           process_vm_writev(pid, &here, 1, &there, 1, 0) >= 0;
}

static void look_into(const char *line, pid_t pid)
{
    static const char *const files[] = {"mem", "environ", "maps", "auxv", "smaps", "stack", NULL};
    static const char *const folders[] = {"fd", "map_files", "task", NULL};

    for (const char *const *name = files; *name; name++) {
        g_autofree char *path = g_strdup_printf("/proc/%d/%s", (int)pid, *name);
        g_autofree char *what = g_strdup_printf("%s %s", line, *name);
        int fd = open(path, g_str_equal(*name, "mem") ? O_RDWR : O_RDONLY);

        if (fd >= 0)
            close(fd);
        /* An empty one gives nothing away. */
        say_errno(what, fd >= 0 && (g_str_equal(*name, "mem") || read_file(path)));
    }
    for (const char *const *name = folders; *name; name++) {
        g_autofree char *path = g_strdup_printf("/proc/%d/%s/3", (int)pid, *name);
        g_autofree char *what = g_strdup_printf("%s %s", line, *name);
        int fd = open(path, O_RDONLY);

        if (fd >= 0)
            close(fd);
        say_errno(what, fd >= 0);
    }
    g_autofree char *root = g_strdup_printf("/proc/%d/root/etc", (int)pid);
    g_autofree char *what = g_strdup_printf("%s root", line);
    say_errno(what, list_folder(root));
}

/* -------------------------------------------------------------------------------------------
 * The kernel
 */

static gboolean call(const char *name)
{
    if (g_str_equal(name, "root"))
        return setuid(0) == 0 || setgid(0) == 0 || setresuid(0, 0, 0) == 0 || seteuid(0) == 0;
    if (g_str_equal(name, "privileges"))
        return prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0;
    if (g_str_equal(name, "unshare"))
        return unshare(CLONE_NEWUSER) == 0 || unshare(CLONE_NEWNS) == 0;
    if (g_str_equal(name, "mount"))
        return mount("none", "/tmp", "tmpfs", 0, NULL) == 0;
    if (g_str_equal(name, "chroot"))
        return chroot("/tmp") == 0;
    if (g_str_equal(name, "network"))
        return socket(AF_INET, SOCK_STREAM, 0) >= 0 || socket(AF_INET6, SOCK_DGRAM, 0) >= 0 ||
               socket(AF_NETLINK, SOCK_RAW, 0) >= 0 || socket(AF_PACKET, SOCK_RAW, 0) >= 0;
    if (g_str_equal(name, "keys"))
        return syscall(SYS_keyctl, 0, -3, 1) >= 0 ||
               syscall(SYS_add_key, "user", "x", "y", 1, -3) >= 0;
    if (g_str_equal(name, "bpf"))
        return syscall(SYS_bpf, 0, NULL, 0) >= 0 || errno != EPERM;
    if (g_str_equal(name, "userfaultfd"))
        return syscall(SYS_userfaultfd, 1) >= 0;
#ifdef SYS_io_uring_setup
    if (g_str_equal(name, "io_uring"))
        return syscall(SYS_io_uring_setup, 1, NULL) >= 0 || errno != EPERM;
#endif
    errno = ENOSYS;
    return FALSE;
}

/* -------------------------------------------------------------------------------------------
 * The keeper
 */

static gboolean is_our_pair(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    int type = 0, listens = 0;
    socklen_t length = sizeof(int);

    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == SOCK_SEQPACKET &&
           getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) == 0 && !listens &&
           getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.pid == getppid();
}

/* -1: nobody has answered. */
static gssize exchange(int fd, const guint8 *record, gsize size, guint8 *answer)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};

    if (send(fd, record, size, MSG_NOSIGNAL) != (gssize)size || poll(&wait, 1, PATIENCE_MS) != 1)
        return -1;
    return recv(fd, answer, MAX_RECORD, 0);
}

/* The generation made both pairs; the keeper's is the one at which somebody answers. */
static int find_keeper(void)
{
    static const guint8 record[] = {'?'};
    guint8 answer[MAX_RECORD];

    for (int fd = 3; fd < MAX_FD; fd++) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};

        if (is_our_pair(fd) && send(fd, record, sizeof record, MSG_NOSIGNAL) == sizeof record &&
            poll(&wait, 1, 1000) == 1 && recv(fd, answer, sizeof answer, 0) > 0 && answer[0] == 1)
            return fd;
    }
    return -1;
}

static void ask(const char *line, int fd, const char *hex)
{
    gsize size = strlen(hex) / 2;
    g_autofree guint8 *record = g_malloc(size + 1);
    guint8 answer[MAX_RECORD + 1];

    for (gsize i = 0; i < size; i++)
        record[i] =
            (guint8)(g_ascii_xdigit_value(hex[2 * i]) << 4 | g_ascii_xdigit_value(hex[2 * i + 1]));
    gssize got = exchange(fd, record, size, answer);
    if (got < 1) {
        say(line, FALSE, "it has ended");
        return;
    }
    answer[got] = '\0';
    g_autofree char *length = g_strdup_printf("%d octets", (int)got - 1);
    say(line, answer[0] == 0, answer[0] == 0 ? length : (const char *)answer + 1);
}

static void make_noise(const char *line, int fd, guint count)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(12);
    guint given = 0;

    for (guint i = 0; i < count; i++) {
        gsize size = (gsize)g_rand_int_range(rand, 1, i % 8 ? 200 : MAX_RECORD);
        g_autofree guint8 *record = g_malloc(size);
        guint8 answer[MAX_RECORD];

        for (gsize k = 0; k < size; k++)
            record[k] = (guint8)g_rand_int_range(rand, 0, 256);
        record[0] = i % 3 == 0 ? 'S' : i % 3 == 1 ? 'U' : record[0];
        if (exchange(fd, record, size, answer) < 1) {
            say(line, TRUE, "it has ended");
            return;
        }
        given += answer[0] == 0;
    }
    g_autofree char *text = g_strdup_printf("%u answers of %u", given, count);
    say(line, given > 0, text);
}

/* -------------------------------------------------------------------------------------------
 * The plan
 */

static void do_keeper(const char *line, const char *verb, const char *what)
{
    int keeper = find_keeper();

    if (keeper < 0) {
        say(line, TRUE, "there is no keeper: nothing was tried");
    } else if (g_str_equal(verb, "ask")) {
        ask(line, keeper, what);
    } else if (g_str_equal(verb, "noise")) {
        make_noise(line, keeper, (guint)atoi(what));
    } else {
        g_autofree guint8 *record = g_malloc0((gsize)atoi(what));
        guint8 answer[MAX_RECORD];

        say(line, exchange(keeper, record, (gsize)atoi(what), answer) > 0, "an answer");
    }
}

static void do_line(const char *line)
{
    g_auto(GStrv) words = g_strsplit(line, " ", 2);
    const char *verb = words[0], *what = words[1] ? words[1] : "";
    const pid_t pid = atoi(what);

    if (g_str_equal(verb, "read"))
        say_errno(line, read_file(what));
    else if (g_str_equal(verb, "write"))
        say_errno(line, open_to_write(what, O_APPEND));
    else if (g_str_equal(verb, "create"))
        say_errno(line, open_to_write(what, O_CREAT | O_EXCL));
    else if (g_str_equal(verb, "list"))
        say_errno(line, list_folder(what));
    else if (g_str_equal(verb, "connect"))
        say_errno(line, connect_to(what));
    else if (g_str_equal(verb, "agent"))
        ask_agent(line, what);
    else if (g_str_equal(verb, "run"))
        say_errno(line, run_program(what));
    else if (g_str_equal(verb, "trace"))
        say_errno(line, trace(pid));
    else if (g_str_equal(verb, "memory"))
        say_errno(line, read_memory(pid));
    else if (g_str_equal(verb, "proc"))
        look_into(line, pid);
    else if (g_str_equal(verb, "signal"))
        say_errno(line, kill(pid, SIGWINCH) == 0);
    else if (g_str_equal(verb, "call"))
        say_errno(line, call(what));
    else
        do_keeper(line, verb, what);
    fflush(report);
}

static gboolean plan(SealModule *self, SealJob *job, SealRecipient *recipient,
                     SealDecision *decision, GError **error)
{
    const char *address = seal_address_text(seal_recipient_address(recipient));
    g_autofree char *text = NULL;

    seal_decision_set_plan(decision, SEAL_PLAN_PASS, "pass", "an attacker is polite");
    if (!g_str_has_prefix(address, "attack@"))
        return TRUE;
    report = fopen(seal_module_string(self, "report"), "w");
    if (!report || !g_file_get_contents(seal_module_string(self, "plan"), &text, NULL, error))
        return report || seal_module_refuse(self, "report", error, "%s", g_strerror(errno));
    g_auto(GStrv) lines = g_strsplit(g_strstrip(text), "\n", -1);
    for (char **line = lines; *line; line++)
        do_line(*line);
    fputs("end\n", report);
    fclose(report);
    return TRUE;
}

static const SealSetting settings[] = {
    {"plan", SEAL_SETTING_STRING, "", .help = "What to try."},
    {"report", SEAL_SETTING_STRING, "", .help = "What became of it."},
    {NULL},
};

static const SealStage stage = {.size = sizeof stage, .name = "attack", .plan = plan};
static const SealStage *const stages[] = {&stage, NULL};

SEAL_MODULE_EXPORT const SealModuleDescriptor seal_module = {
    .head = SEAL_MODULE_HEAD,
    .name = "attack",
    .version = "1.0",
    .summary = "What a worker tries that was taken over",
    .settings = settings,
    .stages = stages,
};
