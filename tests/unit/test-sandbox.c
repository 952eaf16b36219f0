/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * test-sandbox.c: what each role's list of system calls lets through, and what rules for files do.
 * Each is tried in a process of its own.
 */
#include "filters/daemon/landlock.h"
#include "filters/daemon/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BEGUN = 200 }; /* it could not even begin */

/* How the child ends that does @what: its status, or minus the signal that ended it. */
static int run_child(int (*what)(gconstpointer), gconstpointer data)
{
    int status = 0;
    pid_t pid = fork();

    g_assert_cmpint(pid, >=, 0);
    if (pid == 0)
        _exit(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ? what(data) : BEGUN);
    g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

/* -------------------------------------------------------------------------------------------
 * System calls
 */

typedef struct {
    SeccompRole role;
    gboolean network;
    long call[7]; /* its number and arguments */
} Call;

static int make_call(gconstpointer data)
{
    const Call *call = data;
    const long *words = call->call;

    if (!daemon_seccomp_enter(call->role, call->network))
        return BEGUN;
    errno = 0;
    return syscall(words[0], words[1], words[2], words[3], words[4], words[5], words[6]) >= 0
               ? 0
               : errno;
}

static int call_as(SeccompRole role, gboolean network, const long *words)
{
    Call call = {.role = role, .network = network};

    memcpy(call.call, words, sizeof call.call);
    return run_child(make_call, &call);
}

#define CALL(...) ((const long[7]){__VA_ARGS__})

static void test_worker_denied(void)
{
    const long denied[][7] = {
#ifndef SEAL_SANITIZE
        {SYS_ptrace, PTRACE_TRACEME},
#endif
        {SYS_process_vm_readv, 1},
        {SYS_process_vm_writev, 1},
        {SYS_kcmp, 1, 1},
        {SYS_mount, 0, 0, 0, 0},
        {SYS_umount2, 0},
        {SYS_pivot_root, 0},
        {SYS_chroot, 0},
        {SYS_unshare, CLONE_NEWUSER},
        {SYS_unshare, CLONE_FILES},
        {SYS_setns, -1},
        {SYS_personality, 0},
        {SYS_bpf, 0},
        {SYS_perf_event_open, 0},
        {SYS_userfaultfd, 0},
        {SYS_keyctl, 0},
        {SYS_add_key, 0},
        {SYS_request_key, 0},
        {SYS_open_by_handle_at, -1},
        {SYS_io_setup, 1},
        {SYS_kexec_load, 0},
        {SYS_init_module, 0},
        {SYS_finit_module, -1},
        {SYS_delete_module, 0},
        {SYS_clone, CLONE_NEWUSER | SIGCHLD},
        {SYS_clone, CLONE_NEWNS | SIGCHLD},
        {SYS_ioctl, 0, TIOCSTI, 0},
#ifdef SYS_io_uring_setup
        {SYS_io_uring_setup, 1, 0},
#endif
#ifdef SYS_pidfd_getfd
        {SYS_pidfd_getfd, -1},
#endif
    };

    for (guint i = 0; i < G_N_ELEMENTS(denied); i++) {
        g_test_message("call %ld", denied[i][0]);
        g_assert_cmpint(call_as(SECCOMP_WORKER, TRUE, denied[i]), ==, EPERM);
    }
}

static void test_worker_network(void)
{
    const int families[] = {AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_VSOCK, AF_ALG};

    for (guint i = 0; i < G_N_ELEMENTS(families); i++)
        g_assert_cmpint(
            call_as(SECCOMP_WORKER, FALSE, CALL(SYS_socket, families[i], SOCK_DGRAM, 0)), ==,
            EAFNOSUPPORT);
    g_assert_cmpint(call_as(SECCOMP_WORKER, FALSE, CALL(SYS_socket, AF_UNIX, SOCK_STREAM)), ==, 0);
    g_assert_cmpint(call_as(SECCOMP_WORKER, TRUE, CALL(SYS_socket, AF_INET, SOCK_DGRAM)), ==, 0);
}

static gpointer do_nothing(gpointer data)
{
    return data;
}

/* A thread is started, and a program. */
static int start_program(gconstpointer data)
{
    const char *argv[] = {"true", NULL};
    int status = 1;

    (void)data;
    if (!daemon_seccomp_enter(SECCOMP_WORKER, FALSE))
        return BEGUN;
    g_thread_join(g_thread_new("thread", do_nothing, NULL));
    return g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL,
                        &status, NULL)
               ? status
               : 1;
}

static void test_worker_programs(void)
{
    g_assert_cmpint(run_child(start_program, NULL), ==, 0);
}

static void test_server(void)
{
    guint8 octets[8];
    const long allowed[][7] = {
        {SYS_getpid},
        {SYS_getrandom, (long)octets, sizeof octets},
        {SYS_brk, 0},
        {SYS_mmap, 0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1},
        {SYS_exit_group, 0},
        {SYS_exit, 0},
    };
    const long killed[][7] = {
        {SYS_execve, 0},
        {SYS_socket, AF_UNIX, SOCK_STREAM},
        {SYS_connect, 0},
        {SYS_recvmsg, 0},
        {SYS_kill, 0, SIGWINCH},
        {SYS_ptrace, PTRACE_TRACEME},
        {SYS_clone, SIGCHLD},
        {SYS_mprotect, 0, 4096, PROT_READ | PROT_EXEC},
        {SYS_mmap, 0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1},
        {SYS_seccomp, 0},
        {SYS_setuid, 0},
        {SYS_unlinkat, AT_FDCWD, 0},
#ifndef SEAL_SANITIZE
        {SYS_openat, AT_FDCWD, 0},
        {SYS_read, 0},
        {SYS_prctl, 0},
#endif
    };

    for (guint i = 0; i < G_N_ELEMENTS(allowed); i++)
        g_assert_cmpint(call_as(SECCOMP_SERVER, FALSE, allowed[i]), ==, 0);
    for (guint i = 0; i < G_N_ELEMENTS(killed); i++) {
        g_test_message("call %ld", killed[i][0]);
        g_assert_cmpint(call_as(SECCOMP_SERVER, TRUE, killed[i]), ==, -SIGSYS);
    }
}

/* It forks what is locked in further than itself. */
static int fork_server(gconstpointer data)
{
    int status = 0;
    pid_t pid;

    (void)data;
    if (!daemon_seccomp_enter(SECCOMP_KEEPER, FALSE))
        return BEGUN;
    pid = fork();
    if (pid == 0) {
        if (!daemon_seccomp_enter(SECCOMP_SERVER, FALSE))
            _exit(BEGUN);
        getpid();
        fork();
        _exit(0);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) ? WTERMSIG(status) : 1;
}

static void test_keeper(void)
{
    const long killed[][7] = {
        {SYS_execve, 0},
        {SYS_socket, AF_UNIX, SOCK_STREAM},
        {SYS_kill, 0, SIGWINCH},
        {SYS_clone, CLONE_NEWUSER | SIGCHLD},
        {SYS_ptrace, PTRACE_TRACEME},
#ifndef SEAL_SANITIZE
        {SYS_openat, AT_FDCWD, 0},
#endif
    };

    g_assert_cmpint(run_child(fork_server, NULL), ==, SIGSYS);
    for (guint i = 0; i < G_N_ELEMENTS(killed); i++)
        g_assert_cmpint(call_as(SECCOMP_KEEPER, FALSE, killed[i]), ==, -SIGSYS);
}

#ifdef __x86_64__
/* The numbers of i386 mean other calls: 26 is ptrace there, 39 mkdir. */
static int call_i386(gconstpointer data)
{
    long rc = -1;

    signal(SIGSEGV, SIG_DFL); /* AddressSanitizer has a handler */
    if (!daemon_seccomp_enter(*(const SeccompRole *)data, FALSE))
        return BEGUN;
    __asm__ volatile("int $0x80" : "=a"(rc) : "a"(20) : "memory"); /* getpid */
    return rc > 0 ? 0 : 1;
}

static void test_other_architectures(void)
{
    const SeccompRole roles[] = {SECCOMP_WORKER, SECCOMP_KEEPER, SECCOMP_SERVER};

    for (guint i = 0; i < G_N_ELEMENTS(roles); i++) {
        int status = run_child(call_i386, &roles[i]);

        /* SIGSEGV: this kernel has no such calls. */
        g_assert_true(status == -SIGSYS || status == -SIGSEGV);
        /* Of x32. */
        g_assert_cmpint(call_as(roles[i], TRUE, CALL(0x40000000 | SYS_getpid)), ==, -SIGSYS);
    }
}
#endif

/* -------------------------------------------------------------------------------------------
 * Files
 */

typedef struct {
    char *dir;
    char *inside;  /* a folder that may be read */
    char *outside; /* a file beside it */
    char *written; /* a folder that may be written */
} Tree;

static int use_files(gconstpointer data)
{
    const Tree *tree = data;
    g_autofree char *inner = g_build_filename(tree->inside, "file", NULL);
    g_autofree char *made = g_build_filename(tree->inside, "new", NULL);
    g_autofree char *new = g_build_filename(tree->written, "new", NULL);
    g_autofree char *other = g_build_filename(tree->written, "other", NULL);
    int version = daemon_landlock_version(), rules = daemon_landlock_new(version, FALSE);

    if (rules < 0 || !daemon_landlock_allow(rules, version, tree->inside, LANDLOCK_READ) ||
        !daemon_landlock_allow(rules, version, "/nowhere/at/all", LANDLOCK_READ) ||
        !daemon_landlock_allow(rules, version, tree->written, LANDLOCK_READ | LANDLOCK_WRITE) ||
        !daemon_landlock_enter(rules))
        return BEGUN;
    if (open(inner, O_RDONLY) < 0 || open(new, O_RDWR | O_CREAT | O_TRUNC, 0600) < 0 ||
        open(tree->written, O_TMPFILE | O_RDWR, 0600) < 0 || rename(new, other) != 0 ||
        g_mkdir(new, 0700) != 0 || rmdir(new) != 0 || unlink(other) != 0)
        return 1;
    if (open(tree->outside, O_RDONLY) >= 0 || open(inner, O_WRONLY) >= 0 ||
        open(made, O_WRONLY | O_CREAT, 0600) >= 0 || open(tree->dir, O_RDONLY | O_DIRECTORY) >= 0 ||
        unlink(inner) == 0 || rename(inner, new) == 0 || link(tree->outside, new) == 0)
        return 2;
    if (open("/proc/1/environ", O_RDONLY) >= 0 || open("/etc/passwd", O_RDONLY) >= 0)
        return 3;
    return execl("/bin/true", "true", NULL) == 0 ? 4 : 0;
}

/* Whether a server at @data, a port, can be reached. */
static int connect_to(int rules, gconstpointer data)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(*(const guint16 *)data)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (rules < 0 || !daemon_landlock_enter(rules))
        return BEGUN;
    return connect(fd, (struct sockaddr *)&address, sizeof address) == 0 ? 0 : errno;
}

static int connect_with(gconstpointer data)
{
    return connect_to(daemon_landlock_new(daemon_landlock_version(), TRUE), data);
}

static int connect_without(gconstpointer data)
{
    return connect_to(daemon_landlock_new(daemon_landlock_version(), FALSE), data);
}

static void test_connections(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (daemon_landlock_version() < 4) {
        g_test_skip("this kernel's Landlock does not know of connections");
        return;
    }
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    g_assert_cmpint(bind(fd, (struct sockaddr *)&address, length), ==, 0);
    g_assert_cmpint(listen(fd, 5), ==, 0);
    g_assert_cmpint(getsockname(fd, (struct sockaddr *)&address, &length), ==, 0);
    const guint16 port = ntohs(address.sin_port);
    g_assert_cmpint(run_child(connect_with, &port), ==, 0);
    g_assert_cmpint(run_child(connect_without, &port), ==, EACCES);
    close(fd);
}

static void test_files(void)
{
    Tree tree = {.dir = g_dir_make_tmp("sealpipe-test-XXXXXX", NULL)};
    int version = daemon_landlock_version();

    if (version == 0) {
        g_test_skip("this kernel has no Landlock");
        g_free(tree.dir);
        return;
    }
    g_assert_cmpint(version, >, 0);
    tree.inside = g_build_filename(tree.dir, "inside", NULL);
    tree.written = g_build_filename(tree.dir, "written", NULL);
    tree.outside = g_build_filename(tree.dir, "outside", NULL);
    g_autofree char *inner = g_build_filename(tree.inside, "file", NULL);
    g_assert_cmpint(g_mkdir(tree.inside, 0700), ==, 0);
    g_assert_cmpint(g_mkdir(tree.written, 0700), ==, 0);
    g_assert_true(g_file_set_contents(inner, "x", 1, NULL));
    g_assert_true(g_file_set_contents(tree.outside, "x", 1, NULL));

    g_assert_cmpint(run_child(use_files, &tree), ==, 0);
    g_unlink(inner);
    g_unlink(tree.outside);
    g_rmdir(tree.inside);
    g_rmdir(tree.written);
    g_rmdir(tree.dir);
    g_free(tree.inside);
    g_free(tree.written);
    g_free(tree.outside);
    g_free(tree.dir);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/sandbox/worker/denied", test_worker_denied);
    g_test_add_func("/sandbox/worker/network", test_worker_network);
    g_test_add_func("/sandbox/worker/programs", test_worker_programs);
    g_test_add_func("/sandbox/server", test_server);
    g_test_add_func("/sandbox/keeper", test_keeper);
#ifdef __x86_64__
    g_test_add_func("/sandbox/other-architectures", test_other_architectures);
#endif
    g_test_add_func("/sandbox/files", test_files);
    g_test_add_func("/sandbox/connections", test_connections);
    return g_test_run();
}
