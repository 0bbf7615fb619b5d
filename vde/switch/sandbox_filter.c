/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The system calls of a running switch and its plug-ins are a table, from which the seccomp(2) filter
 * is made. Others fail with EPERM, and those that are newer than this file with ENOSYS, so that the
 * C library falls back to an older form. Nothing is ever killed. The kernel keeps the verdict on each
 * number in a bit map, so the length of the program costs nothing.
 */
#include "vde/switch/sandbox_filter.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include "base/log.h"

#if defined(__x86_64__)
#define SANDBOX_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define SANDBOX_ARCH AUDIT_ARCH_AARCH64
#endif

static const int allowed_calls[] = {
	/* memory, also for libraries that plug-ins bring along */
	SYS_brk, SYS_mmap, SYS_munmap, SYS_mremap, SYS_mprotect, SYS_madvise, SYS_msync,
	SYS_memfd_create,

	/* descriptors */
	SYS_read, SYS_write, SYS_readv, SYS_writev, SYS_pread64, SYS_pwrite64, SYS_preadv,
	SYS_pwritev, SYS_preadv2, SYS_pwritev2, SYS_close, SYS_close_range, SYS_dup, SYS_dup3,
	SYS_fcntl, SYS_ioctl, SYS_lseek, SYS_pipe2, SYS_eventfd2, SYS_fsync, SYS_fdatasync,
	SYS_ftruncate, SYS_fallocate, SYS_flock,

	/* waiting, time, signals */
	SYS_epoll_create1, SYS_epoll_ctl, SYS_epoll_pwait, SYS_epoll_pwait2, SYS_ppoll, SYS_pselect6,
	SYS_timerfd_create, SYS_timerfd_settime, SYS_timerfd_gettime, SYS_signalfd4,
	SYS_clock_gettime, SYS_clock_getres, SYS_clock_nanosleep, SYS_nanosleep, SYS_gettimeofday,
	SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_rt_sigpending,
	SYS_rt_sigtimedwait, SYS_sigaltstack, SYS_restart_syscall, SYS_tgkill, SYS_kill,

	/* sockets */
	SYS_socket, SYS_socketpair, SYS_bind, SYS_listen, SYS_accept, SYS_accept4, SYS_connect,
	SYS_getsockname, SYS_getpeername, SYS_getsockopt, SYS_setsockopt, SYS_shutdown,
	SYS_sendto, SYS_recvfrom, SYS_sendmsg, SYS_recvmsg, SYS_sendmmsg, SYS_recvmmsg,

	/* files; landlock says which */
	SYS_openat, SYS_openat2, SYS_newfstatat, SYS_fstat, SYS_statx, SYS_statfs, SYS_fstatfs,
	SYS_faccessat, SYS_faccessat2, SYS_readlinkat, SYS_getdents64, SYS_getcwd, SYS_unlinkat,
	SYS_renameat, SYS_renameat2, SYS_mkdirat, SYS_mknodat, SYS_fchmod, SYS_fchmodat,
	SYS_fchown, SYS_fchownat, SYS_utimensat, SYS_umask, SYS_truncate,

	/* the process itself */
	SYS_exit, SYS_exit_group, SYS_getpid, SYS_gettid, SYS_getppid, SYS_getuid, SYS_geteuid,
	SYS_getgid, SYS_getegid, SYS_getgroups, SYS_getpgid, SYS_getsid, SYS_futex,
	SYS_set_robust_list, SYS_rseq, SYS_prctl, SYS_prlimit64, SYS_getrlimit, SYS_getrusage,
	SYS_sysinfo, SYS_uname, SYS_getrandom, SYS_sched_yield, SYS_sched_getaffinity,

	/* older forms that x86-64 still has */
#ifdef __x86_64__
	SYS_open, SYS_stat, SYS_lstat, SYS_access, SYS_readlink, SYS_unlink, SYS_rmdir, SYS_rename,
	SYS_mkdir, SYS_mknod, SYS_chmod, SYS_chown, SYS_lchown, SYS_dup2, SYS_poll, SYS_select,
	SYS_epoll_wait, SYS_pipe, SYS_getdents, SYS_time, SYS_arch_prctl, SYS_getpgrp,
#endif

	/* the leak check of AddressSanitizer looks at the process from a second one */
#ifdef SANDBOX_SANITIZED
	SYS_clone, SYS_wait4, SYS_ptrace, SYS_process_vm_readv, SYS_sched_getparam, SYS_mincore,
	SYS_sched_getscheduler,
#endif
};

#define NEWEST_CALL SYS_landlock_restrict_self /* the highest number that all our headers know */

#define DENY(code) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (code))

#ifdef SANDBOX_ARCH
/* Of another architecture's calls, which a 64-bit process can make too, none is allowed. */
static const struct sock_filter filter_head[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SANDBOX_ARCH, 1, 0),
	DENY(EPERM),
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
};

static const struct sock_filter filter_tail[] = {
	BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, NEWEST_CALL, 0, 1),
	DENY(ENOSYS),
	DENY(EPERM),
};

int sandbox_filter(struct error *error)
{
	struct sock_filter program[ARRAY_SIZE(filter_head) + 2 * ARRAY_SIZE(allowed_calls) +
				   ARRAY_SIZE(filter_tail)];
	struct sock_fprog filter = { .len = ARRAY_SIZE(program), .filter = program };
	struct sock_filter *at = program;

	memcpy(at, filter_head, sizeof(filter_head));
	at += ARRAY_SIZE(filter_head);
	for (size_t i = 0; i < ARRAY_SIZE(allowed_calls); i++) {
		*at++ = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
						     (uint32_t)allowed_calls[i], 0, 1);
		*at++ = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	}
	memcpy(at, filter_tail, sizeof(filter_tail));
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) == 0) {
		log_debug("sandbox: %zu system calls allowed", ARRAY_SIZE(allowed_calls));
		return 0;
	}
	if (errno != ENOSYS && errno != EINVAL)
		return error_set_errno(error, errno, "cannot set the system call filter");
	log_debug_errno(errno, "sandbox: the kernel has no seccomp filters, calls stay free");
	return 0;
}
#else
int sandbox_filter(struct error *error)
{
	(void)error;
	log_debug("sandbox: no system call filter for this architecture");
	return 0;
}
#endif
