/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * seccomp.c: one program of the kernel's for each role: the architecture first, since numbers mean
 * other calls on another one, then a list. The kernel remembers what it always allows, so that the
 * length of a list costs nothing.
 */
#include "filters/daemon/seccomp.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* clang-format off */
#if defined __x86_64__ && defined __LP64__
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined __aarch64__ && defined __AARCH64EL__
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#elif defined __riscv && __riscv_xlen == 64
#define ARCHITECTURE AUDIT_ARCH_RISCV64
#elif defined __powerpc64__ && defined __LITTLE_ENDIAN__
#define ARCHITECTURE AUDIT_ARCH_PPC64LE
#elif defined __s390x__
#define ARCHITECTURE AUDIT_ARCH_S390X
#elif defined __i386__
#define ARCHITECTURE AUDIT_ARCH_I386
#elif defined __arm__ && defined __ARMEL__
#define ARCHITECTURE AUDIT_ARCH_ARM
#else
#define ARCHITECTURE 0 /* none that is known here: it is said, and refused */
#endif
/* clang-format on */

/* Of the other ABI of x86-64, whose numbers are on no list. */
#define X32_BIT 0x40000000U

#ifdef __s390x__
enum { CLONE_FLAGS = 1 };
#else
enum { CLONE_FLAGS = 0 };
#endif

#define NAMESPACES                                                                                 \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |  \
     CLONE_NEWNET)

enum { MAX_PROGRAM = 512 };

typedef struct {
    struct sock_filter steps[MAX_PROGRAM];
    guint count;
} Program;

/* -------------------------------------------------------------------------------------------
 * Lists. Numbers that this kernel's headers lack are left out.
 */

/* GPGME starts gpg, which does what any program does: what none of them needs is named. */
static const int WORKER_DENIED[] = {
    /* Other processes */
    SYS_process_vm_readv, SYS_process_vm_writev, SYS_kcmp,
#ifndef SEAL_SANITIZE /* which looks for leaks by it */
    SYS_ptrace,
#endif
#ifdef SYS_pidfd_getfd
    SYS_pidfd_getfd,
#endif
#ifdef SYS_process_madvise
    SYS_process_madvise,
#endif
#ifdef SYS_process_mrelease
    SYS_process_mrelease,
#endif
    /* Other views of the system */
    SYS_mount, SYS_umount2, SYS_pivot_root, SYS_chroot, SYS_unshare, SYS_setns, SYS_personality,
#ifdef SYS_fsopen
    SYS_open_tree, SYS_move_mount, SYS_fsopen, SYS_fsconfig, SYS_fsmount, SYS_fspick,
#endif
#ifdef SYS_mount_setattr
    SYS_mount_setattr,
#endif
    /* Parts of the kernel in which much was found */
    SYS_bpf, SYS_perf_event_open, SYS_userfaultfd, SYS_keyctl, SYS_add_key, SYS_request_key,
    SYS_open_by_handle_at, SYS_fanotify_init, SYS_vmsplice, SYS_io_setup, SYS_io_submit,
    SYS_io_destroy, SYS_io_getevents, SYS_io_cancel, SYS_remap_file_pages, SYS_migrate_pages,
    SYS_move_pages, SYS_mbind, SYS_set_mempolicy,
#ifdef SYS_io_uring_setup
    SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register,
#endif
#ifdef SYS_modify_ldt
    SYS_modify_ldt,
#endif
    /* The machine */
    SYS_kexec_load, SYS_init_module, SYS_finit_module, SYS_delete_module, SYS_reboot, SYS_swapon,
    SYS_swapoff, SYS_acct, SYS_quotactl, SYS_settimeofday, SYS_clock_settime, SYS_clock_adjtime,
    SYS_adjtimex, SYS_sethostname, SYS_setdomainname, SYS_vhangup, SYS_syslog, SYS_nfsservctl,
#ifdef SYS_kexec_file_load
    SYS_kexec_file_load,
#endif
#ifdef SYS_quotactl_fd
    SYS_quotactl_fd,
#endif
#ifdef SYS_iopl
    SYS_iopl, SYS_ioperm,
#endif
    -1};

/* Requests and answers, the memory for them, and what OpenSSL asks for beside: random octets, and
 * whether it is a child by now. */
static const int SERVER_ALLOWED[] = {
    SYS_recvfrom, SYS_sendto, SYS_write, SYS_brk, SYS_munmap, SYS_mremap, SYS_madvise,
    SYS_getrandom, SYS_futex, SYS_getpid, SYS_gettid, SYS_clock_gettime, SYS_gettimeofday,
    SYS_sched_yield, SYS_restart_syscall, SYS_rt_sigreturn, SYS_rt_sigprocmask, SYS_exit,
    SYS_exit_group,
#ifdef SYS_recv
    SYS_recv, SYS_send, /* where they are calls of their own */
#endif
#ifdef SYS_socketcall
    SYS_socketcall,
#endif
#ifdef SYS_clock_gettime64
    SYS_clock_gettime64, SYS_futex_time64,
#endif
#ifdef SYS_mmap2
    SYS_mmap2, /* its offset differs, its protection does not: see below */
#endif
#ifdef SEAL_SANITIZE
    /* What a report is made with. */
    SYS_sigaltstack, SYS_prctl, SYS_openat, SYS_read, SYS_close, SYS_readlinkat, SYS_tgkill,
    SYS_prlimit64, SYS_getrusage, SYS_sched_getaffinity, SYS_rt_sigaction,
#ifdef SYS_readlink
    SYS_readlink, SYS_stat,
#endif
#endif
    -1};

/* A socket is received, a server forked, and locked in; files that are held are looked at; and all
 * of the above, which it cannot give back to its servers. */
static const int KEEPER_ALLOWED[] = {SYS_recvmsg, SYS_sendmsg, SYS_close, SYS_set_robust_list,
                                     SYS_prctl,   SYS_seccomp, SYS_wait4, SYS_waitid,
                                     SYS_ppoll,   SYS_read,    SYS_fstat, SYS_newfstatat,
#ifdef SYS_poll
                                     SYS_poll,
#endif
#ifdef SYS_fork
                                     SYS_fork,
#endif
#ifdef SYS_rseq
                                     SYS_rseq,
#endif
                                     -1};

/* -------------------------------------------------------------------------------------------
 * Steps
 */

static void add_step(Program *program, guint16 code, guint8 yes, guint8 no, guint32 k)
{
    if (program->count < MAX_PROGRAM)
        program->steps[program->count++] = (struct sock_filter){code, yes, no, k};
}

static void load_word(Program *program, gsize offset)
{
    add_step(program, BPF_LD | BPF_W | BPF_ABS, 0, 0, (guint32)offset);
}

static void load_number(Program *program)
{
    load_word(program, offsetof(struct seccomp_data, nr));
}

/* The low half: what is looked at here is an int, or flags in the low bits. */
static void load_argument(Program *program, guint i)
{
    gsize offset = offsetof(struct seccomp_data, args) + i * sizeof(guint64);

    load_word(program, offset + (G_BYTE_ORDER == G_BIG_ENDIAN ? sizeof(guint32) : 0));
}

static void end_with(Program *program, guint32 what)
{
    add_step(program, BPF_RET | BPF_K, 0, 0, what);
}

static void end_if_equal(Program *program, guint32 value, guint32 what)
{
    add_step(program, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, value);
    end_with(program, what);
}

static void end_each(Program *program, const int *numbers, guint32 what)
{
    for (; *numbers >= 0; numbers++)
        end_if_equal(program, (guint32)*numbers, what);
}

/* For the call @number: where all bits of @mask in argument @i are 0, @what_none, else @what_any.
 */
static void end_by_bits(Program *program, int number, guint i, guint32 mask, guint32 what_none,
                        guint32 what_any)
{
    add_step(program, BPF_JMP | BPF_JEQ | BPF_K, 0, 4, (guint32)number);
    load_argument(program, i);
    add_step(program, BPF_JMP | BPF_JSET | BPF_K, 0, 1, mask);
    end_with(program, what_any);
    end_with(program, what_none);
}

/* The same by whether the argument is @value. */
static void end_by_value(Program *program, int number, guint i, guint32 value, guint32 what_equal,
                         guint32 what_other)
{
    add_step(program, BPF_JMP | BPF_JEQ | BPF_K, 0, 4, (guint32)number);
    load_argument(program, i);
    add_step(program, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, value);
    end_with(program, what_equal);
    end_with(program, what_other);
}

static void begin_program(Program *program)
{
    program->count = 0;
    load_word(program, offsetof(struct seccomp_data, arch));
    add_step(program, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, ARCHITECTURE);
    end_with(program, SECCOMP_RET_KILL_PROCESS);
    load_number(program);
#ifdef __x86_64__
    add_step(program, BPF_JMP | BPF_JGE | BPF_K, 0, 1, X32_BIT);
    end_with(program, SECCOMP_RET_KILL_PROCESS);
#endif
}

static guint32 fail_with(int number)
{
    return SECCOMP_RET_ERRNO | ((guint32)number & SECCOMP_RET_DATA);
}

/* -------------------------------------------------------------------------------------------
 * Programs
 */

static void write_worker(Program *program, gboolean network)
{
    end_each(program, WORKER_DENIED, fail_with(EPERM));
    end_by_bits(program, SYS_clone, CLONE_FLAGS, NAMESPACES, SECCOMP_RET_ALLOW, fail_with(EPERM));
#ifdef SYS_clone3
    /* Its flags lie in memory. Whoever calls it tries clone() then. */
    end_if_equal(program, SYS_clone3, fail_with(ENOSYS));
#endif
    end_by_value(program, SYS_ioctl, 1, TIOCSTI, fail_with(EPERM), SECCOMP_RET_ALLOW);
    if (!network)
        end_by_value(program, SYS_socket, 0, AF_UNIX, SECCOMP_RET_ALLOW, fail_with(EAFNOSUPPORT));
    end_with(program, SECCOMP_RET_ALLOW);
}

static void write_keeper(Program *program, gboolean forks)
{
    end_each(program, SERVER_ALLOWED, SECCOMP_RET_ALLOW);
    if (forks) {
        end_each(program, KEEPER_ALLOWED, SECCOMP_RET_ALLOW);
        end_by_bits(program, SYS_clone, CLONE_FLAGS, NAMESPACES, SECCOMP_RET_ALLOW,
                    SECCOMP_RET_KILL_PROCESS);
#ifdef SYS_clone3
        end_if_equal(program, SYS_clone3, fail_with(ENOSYS));
#endif
    }
    /* Memory, but none that can be run. */
#ifdef SYS_mmap
    end_by_bits(program, SYS_mmap, 2, PROT_EXEC, SECCOMP_RET_ALLOW, SECCOMP_RET_KILL_PROCESS);
#endif
    end_by_bits(program, SYS_mprotect, 2, PROT_EXEC, SECCOMP_RET_ALLOW, SECCOMP_RET_KILL_PROCESS);
    end_with(program, SECCOMP_RET_KILL_PROCESS);
}

gboolean daemon_seccomp_enter(SeccompRole role, gboolean network)
{
    static Program program;

    if (!ARCHITECTURE) {
        errno = ENOSYS;
        return FALSE;
    }
    begin_program(&program);
    if (role == SECCOMP_WORKER)
        write_worker(&program, network);
    else
        write_keeper(&program, role == SECCOMP_KEEPER);
    g_assert(program.count < MAX_PROGRAM);
    const struct sock_fprog all = {.len = (unsigned short)program.count, .filter = program.steps};
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &all) == 0;
}
