/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parts of the resident that are about single instructions.
 *
 * Windows. A signal that finds the thread in the resident's text is not delivered there, but noted
 * (`work`), and delivered when the thread leaves. Between the last test of `work` and the instruction
 * after which the thread is not here any more lies a window that the handler of signals knows by its labels:
 * it sets the instruction pointer back to the test.
 *
 *	native_window .. native_syscall    before a call: then it is not made (CALL_RESTART)
 *	trap_window .. trap_window_end     before the return to the program
 *	fast_window .. fast_jump           the same from a patched call site; on the jump itself the
 *	                                   registers are the program's already
 */
#include "vuos/resident/arch/x86_64/layout.h"
#include <asm/unistd.h>

	.text

/* The kernel starts us here, with the program's stack. */
	.globl	resident_entry
resident_entry:
	mov	%rsp, %rdi
	xor	%ebp, %ebp
	and	$-16, %rsp
	call	resident_start
	hlt

/* _Noreturn void program_enter(uint64_t sp, uint64_t pc): registers as the kernel starts a program with. */
	.globl	program_enter
program_enter:
	mov	%rdi, %rsp
	mov	%rsi, %rcx
	xor	%eax, %eax
	xor	%ebx, %ebx
	xor	%edx, %edx
	xor	%ebp, %ebp
	xor	%esi, %esi
	xor	%edi, %edi
	xor	%r8d, %r8d
	xor	%r9d, %r9d
	xor	%r10d, %r10d
	xor	%r11d, %r11d
	xor	%r12d, %r12d
	xor	%r13d, %r13d
	xor	%r14d, %r14d
	xor	%r15d, %r15d
	testb	$TRACED, %gs:CONTEXT_TRACED
	jnz	traced_start
	jmp	*%rcx

/*
 * Stops of a thread that is traced (traced.h). Its tracer continues it behind the breakpoint, or somewhere
 * else; without a tracer the signal is ignored.
 */
	.globl	traced_start, traced_enter, traced_exit, traced_signal, traced_leave, traced_signal_leave
traced_start:
	int3
	jmp	*%rcx
traced_enter:
	int3
	ret
traced_exit:
	int3
	ret
traced_signal:
	int3
	ret
traced_leave:
	int3
	jmp	trap_leave
traced_signal_leave:
	int3
	jmp	signal_leave

/*
 * The first in a handler of signals, with the frame at rsp, which rbx gets: from here on the GS base is
 * ours. r12 keeps what it was (gs.c).
 */
	.macro	gs_take
	mov	%rsp, %rbx
	mov	%rsp, %rdi
	rdgsbase %rsi
	sub	$8, %rsp
	cld
	call	gs_enter
	mov	%rax, %r12
	mov	%rbx, %rsp
	.endm

/* What the GS base is to be behind the frame at rbx: r12. */
	.macro	gs_choose
	mov	%rbx, %rdi
	mov	%r12, %rsi
	call	gs_leave
	mov	%rax, %r12
	.endm

/* The handler of SIGSYS: the kernel's frame is at rsp, on the resident's stack. rbx keeps it. */
	.balign	16
	.globl	trap_entry, trap_window, trap_leave, trap_window_end
trap_entry:
	gs_take
	mov	%rsp, %rdi
	pushq	%gs:CONTEXT_FRAME
	mov	%rbx, %gs:CONTEXT_FRAME
	cld
	call	trap_handle
	test	%al, %al
	jz	2f
trap_window:
	cmpl	$0, %gs:CONTEXT_WORK
	jne	1f
	testb	$TRACED_STEP, %gs:CONTEXT_TRACED
	jnz	traced_leave
trap_leave:
	movq	$0, %gs:CONTEXT_FRAME
	lea	8(%rbx), %rsp
	mov	%gs:CONTEXT_GS, %rcx
	wrgsbase %rcx			/* the program's: who sets us back to the test makes it ours again */
	mov	$__NR_rt_sigreturn, %eax
trap_window_end:
	syscall
	hlt
1:	mov	%rbx, %gs:CONTEXT_FRAME
	mov	%rbx, %rdi
	call	trap_deliver
	jmp	trap_window
2:	gs_choose				/* a signal that was sent: its frame may be in the resident */
	popq	%gs:CONTEXT_FRAME
	jmp	signal_leave

/*
 * From a patched call site (patch.c): rcx is where to return to, r11 free. The registers stand in one frame
 * of 128 bytes on top of the resident's stack, which is no more than the red zone: a signal that comes while
 * they are restored does not overwrite it.
 *
 * A program that has a GS base of its own comes here with that: then the call's own instruction makes the
 * call, and is trapped. Up to fast_begin a signal, or a fault when that base leads nowhere, does the same.
 */
	.balign	64
	.globl	fast_entry, fast_begin, fast_window, fast_jump
fast_entry:
	movabs	$CONTEXT_MARK_VALUE, %r11
	cmp	%r11, %gs:CONTEXT_MARK
	je	fast_begin
	lea	-2(%rcx), %r11
	jmp	*%r11
fast_begin:
	mov	%rsp, %gs:CONTEXT_PROGRAM_SP
	mov	%gs:CONTEXT_STACK_END, %rsp
	pushq	%gs:CONTEXT_PROGRAM_SP
	push	%rax
	push	%rbx
	push	%rcx
	push	%rdx
	push	%rsi
	push	%rdi
	push	%rbp
	push	%r8
	push	%r9
	push	%r10
	push	%r11
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	cld
	mov	%rsp, %rdi
	call	fast_handle
fast_window:
	cmpl	$0, %gs:CONTEXT_WORK
	jne	fast_work
	.macro	restore_program
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%r11
	pop	%r10
	pop	%r9
	pop	%r8
	pop	%rbp
	pop	%rdi
	pop	%rsi
	pop	%rdx
	pop	%rcx
	pop	%rbx
	pop	%rax
	pop	%rsp
	.endm
	restore_program
fast_jump:
	jmp	*%rcx

/* There is no frame of the kernel's to deliver a signal on: the trapped instruction makes one. */
	.globl	fast_work_jump
fast_work:
	mov	%rsp, %rdi
	call	fast_leave_by_trap
	restore_program
fast_work_jump:
	jmp	*%rcx

/* The handler of all other signals. */
	.balign	16
	.globl	signal_entry, signal_leave, signal_leave_end
signal_entry:
	gs_take
	mov	%rsp, %rdi
	pushq	%gs:CONTEXT_SIGNAL
	mov	%rbx, %gs:CONTEXT_SIGNAL
	cld
	call	signal_handle
	gs_choose
	popq	%gs:CONTEXT_SIGNAL
	testb	$TRACED_STEP, %gs:CONTEXT_TRACED
	jnz	traced_signal_leave
signal_leave:
	lea	8(%rbx), %rsp
	wrgsbase %r12
	mov	$__NR_rt_sigreturn, %eax
signal_leave_end:
	syscall
	hlt

/* Number and arguments of the call that rdi points at. */
	.macro	load_call
	mov	0(%rdi), %rax
	mov	16(%rdi), %rsi
	mov	24(%rdi), %rdx
	mov	32(%rdi), %r10
	mov	40(%rdi), %r8
	mov	48(%rdi), %r9
	mov	8(%rdi), %rdi
	.endm

/*
 * long native_call(const uint64_t call[7]): number and arguments. The one instruction at which calls
 * that may block are made for the program.
 */
	.globl	native_call, native_window, native_syscall
native_call:
	load_call
native_window:
	cmpl	$0, %gs:CONTEXT_WORK
	jne	native_abort
native_syscall:
	syscall
	ret
	.globl	native_abort, native_interrupted
native_abort:
	mov	$CALL_RESTART, %rax
	ret
native_interrupted:
	mov	$-4, %rax			/* -EINTR */
	ret

/*
 * long clone_call(const uint64_t call[7], struct context *child, bool dispatch): as native_call(), for a
 * child that shares our memory. It has its own stack, with a signal frame on top (at rsp - 8), to which it
 * returns when its calls are trapped.
 */
	.globl	clone_call, clone_child, clone_child_end
clone_call:
	push	%r12
	push	%r13
	mov	%rsi, %r12
	mov	%edx, %r13d
	load_call
	syscall
clone_child:
	test	%rax, %rax
	jz	1f
	pop	%r13
	pop	%r12
	ret
1:	wrgsbase %r12
	test	%r13d, %r13d
	jz	2f
	mov	$59, %edi			/* PR_SET_SYSCALL_USER_DISPATCH */
	mov	$1, %esi			/* PR_SYS_DISPATCH_ON */
	mov	$RESIDENT_BASE, %rdx
	mov	$RESIDENT_TEXT_LEN, %r10d
	xor	%r8d, %r8d
	mov	$__NR_prctl, %eax
	syscall
2:	mov	%gs:CONTEXT_GS, %rcx
	wrgsbase %rcx
	mov	$__NR_rt_sigreturn, %eax
clone_child_end:
	syscall
	hlt

/*
 * long clone_call_fast(const uint64_t call[7], struct context *child, uint64_t mask): the same for a call
 * from a patched site. The child has the registers of fast_entry on top of its stack, and leaves by them.
 */
	.globl	clone_call_fast, clone_fast_child, clone_fast_child_end
clone_call_fast:
	push	%r12
	push	%r13
	mov	%rsi, %r12
	mov	%rdx, %r13
	load_call
	syscall
clone_fast_child:
	test	%rax, %rax
	jz	1f
	pop	%r13
	pop	%r12
	ret
1:	wrgsbase %r12
clone_fast_child_end:
	mov	%r13, %rdi
	call	thread_begin
	jmp	fast_window

/*
 * How a thread ends that runs on a stack which others may have next; all signals are blocked.
 *
 * _Noreturn void thread_end_kept(uint32_t *taken, int status): from the store on the stack is not ours.
 */
	.globl	thread_end_kept, thread_end_unmapped
thread_end_kept:
	mov	%rdi, %rcx
	mov	%esi, %edi
	mov	$__NR_exit, %eax
	movl	$0, (%rcx)
	syscall
	hlt

/* _Noreturn void thread_end_unmapped(void *stack, size_t len, int status) */
thread_end_unmapped:
	mov	%edx, %r12d
	mov	$__NR_munmap, %eax
	syscall
	mov	%r12d, %edi
	mov	$__NR_exit, %eax
	syscall
	hlt

/*
 * Copies from or to the program's memory; a fault at copy_fault or string_fault goes on at the label
 * behind it (signals.c).
 *
 * long copy_bytes(void *to, const void *from, size_t len): 0 or -EFAULT.
 */
	.globl	copy_bytes, copy_fault, copy_failed
copy_bytes:
	mov	%rdx, %rcx
copy_fault:
	rep movsb
	xor	%eax, %eax
	ret
copy_failed:
	mov	$-14, %rax
	ret

/*
 * long copy_string(char *to, const char *from, size_t room): its length, -EFAULT, -ENAMETOOLONG. Many calls
 * are made without a path, which is no place for a fault.
 */
	.globl	copy_string, string_fault, string_failed
copy_string:
	test	%rsi, %rsi
	jz	string_failed
	xor	%eax, %eax
1:	cmp	%rdx, %rax
	jae	3f
string_fault:
	movzbl	(%rsi, %rax), %ecx
	mov	%cl, (%rdi, %rax)
	test	%cl, %cl
	jz	2f
	inc	%rax
	jmp	1b
2:	ret
3:	mov	$-36, %rax
	ret
string_failed:
	mov	$-14, %rax
	ret

/* Outside the text: the kernel traps this. */
	.section .trap, "ax", @progbits
	.globl	trap_call, trap_call_end
trap_call:
	syscall
trap_call_end:
	hlt

	.section .note.GNU-stack, "", @progbits
