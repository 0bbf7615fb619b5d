/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The system calls of a running switch: CALL(name) rows for sandbox.c, which includes this file in a
 * table. What is not here fails with EPERM.
 */

/* memory, also for libraries that plug-ins bring along */
CALL(brk) CALL(mmap) CALL(munmap) CALL(mremap) CALL(mprotect) CALL(madvise) CALL(msync)
CALL(memfd_create)

/* descriptors */
CALL(read) CALL(write) CALL(readv) CALL(writev) CALL(pread64) CALL(pwrite64) CALL(preadv)
CALL(pwritev) CALL(preadv2) CALL(pwritev2) CALL(close) CALL(close_range) CALL(dup) CALL(dup3)
CALL(fcntl) CALL(ioctl) CALL(lseek) CALL(pipe2) CALL(eventfd2) CALL(fsync) CALL(fdatasync)
CALL(ftruncate) CALL(fallocate) CALL(flock)

/* waiting, time, signals */
CALL(epoll_create1) CALL(epoll_ctl) CALL(epoll_pwait) CALL(epoll_pwait2) CALL(ppoll) CALL(pselect6)
CALL(timerfd_create) CALL(timerfd_settime) CALL(timerfd_gettime) CALL(signalfd4)
CALL(clock_gettime) CALL(clock_getres) CALL(clock_nanosleep) CALL(nanosleep) CALL(gettimeofday)
CALL(rt_sigaction) CALL(rt_sigprocmask) CALL(rt_sigreturn) CALL(rt_sigpending)
CALL(rt_sigtimedwait) CALL(sigaltstack) CALL(restart_syscall) CALL(tgkill) CALL(kill)

/* sockets */
CALL(socket) CALL(socketpair) CALL(bind) CALL(listen) CALL(accept) CALL(accept4) CALL(connect)
CALL(getsockname) CALL(getpeername) CALL(getsockopt) CALL(setsockopt) CALL(shutdown)
CALL(sendto) CALL(recvfrom) CALL(sendmsg) CALL(recvmsg) CALL(sendmmsg) CALL(recvmmsg)

/* files; landlock says which */
CALL(openat) CALL(openat2) CALL(newfstatat) CALL(fstat) CALL(statx) CALL(statfs) CALL(fstatfs)
CALL(faccessat) CALL(faccessat2) CALL(readlinkat) CALL(getdents64) CALL(getcwd) CALL(unlinkat)
CALL(renameat) CALL(renameat2) CALL(mkdirat) CALL(mknodat) CALL(fchmod) CALL(fchmodat)
CALL(fchown) CALL(fchownat) CALL(utimensat) CALL(umask) CALL(truncate)

/* the process itself */
CALL(exit) CALL(exit_group) CALL(getpid) CALL(gettid) CALL(getppid) CALL(getuid) CALL(geteuid)
CALL(getgid) CALL(getegid) CALL(getgroups) CALL(getpgid) CALL(getsid) CALL(futex)
CALL(set_robust_list) CALL(rseq) CALL(prctl) CALL(prlimit64) CALL(getrlimit) CALL(getrusage)
CALL(sysinfo) CALL(uname) CALL(getrandom) CALL(sched_yield) CALL(sched_getaffinity)

/* older forms that x86-64 still has */
#ifdef __x86_64__
CALL(open) CALL(stat) CALL(lstat) CALL(access) CALL(readlink) CALL(unlink) CALL(rmdir) CALL(rename)
CALL(mkdir) CALL(mknod) CALL(chmod) CALL(chown) CALL(lchown) CALL(dup2) CALL(poll) CALL(select)
CALL(epoll_wait) CALL(pipe) CALL(getdents) CALL(time) CALL(arch_prctl) CALL(getpgrp)
#endif

/* the leak check of AddressSanitizer looks at the process from a second one */
#ifdef SANDBOX_SANITIZED
CALL(clone) CALL(wait4) CALL(ptrace) CALL(process_vm_readv) CALL(sched_getparam) CALL(mincore)
CALL(sched_getscheduler)
#endif
