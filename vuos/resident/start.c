/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The resident begins: on the stack that the kernel has made for it, which becomes the program's. Our
 * variable is taken out of the environment (all behind it moves down by one word, so the alignment of
 * the stack stays), the auxiliary vector tells of the program instead of us, and the kernel is told the
 * same, for core dumps, debuggers and /proc.
 */
#include <linux/auxvec.h>
#include <linux/fcntl.h>
#include <linux/prctl.h>
#include <linux/resource.h>

#include "vuos/resident/debug.h"
#include "vuos/resident/exec.h"
#include "vuos/resident/exec_state.h"
#include "vuos/resident/known.h"
#include "vuos/resident/loader.h"
#include "vuos/resident/reserved.h"
#include "vuos/resident/seccomp.h"
#include "vuos/resident/signals.h"
#include "vuos/resident/thread_list.h"
#include "vuos/resident/trace.h"
#include "vuos/view/segment.h"

#define STATUS_NOT_EXECUTABLE 126
#define STATUS_NOT_FOUND      127
#define COMMAND_MAX           16
#define STATE_ROOM            2048 /* for the state, if it is not larger: the stack is the program's */
#define PROT_READ             1
#define MAP_PRIVATE           2
#define SEEK_END              2
#define ADDR_NO_RANDOMIZE     0x0040000
#define PROT_GROWSDOWN        0x01000000
#define HEAP_RANDOM_PAGES     0x1fff

struct process process __attribute__((aligned(PAGE)));

static char first_stack[STACK_SIZE] __attribute__((aligned(PAGE)));

void resident_start(uint64_t *sp); /* from entry.S */

/* What the kernel has put on the stack. */
struct stack {
	uint64_t argc;
	uint64_t *argv, *envp, *auxv;
	uint64_t auxv_len; /* words, with the end */
};

static uint64_t *behind_end(uint64_t *words)
{
	while (*words)
		words++;
	return words + 1;
}

static struct stack read_stack(uint64_t *sp)
{
	struct stack stack = { .argc = sp[0], .argv = sp + 1, .envp = sp + 1 + sp[0] + 1 };
	uint64_t *end;

	stack.auxv = end = behind_end(stack.envp);
	while (*end)
		end += 2;
	stack.auxv_len = (uint64_t)(end + 2 - stack.auxv);
	return stack;
}

/* Takes our variable out: the last of that name, as a program may have its own. NULL: there is none. */
static const char *take_variable(struct stack *stack)
{
	uint64_t *at = stack->envp, *end = stack->auxv + stack->auxv_len, *ours = NULL;
	const char *value;

	for (uint64_t *each = at; *each; each++)
		if (text_begins((const char *)*each, EXEC_VARIABLE))
			ours = each;
	if (!ours)
		return NULL;
	at = ours;
	value = (const char *)*at + text_len(EXEC_VARIABLE);
	memmove(at, at + 1, (size_t)(end - at - 1) * sizeof(*at));
	stack->auxv--;
	return value;
}

static uint64_t *find_entry(const struct stack *stack, uint64_t type)
{
	for (uint64_t *at = stack->auxv; *at; at += 2)
		if (*at == type)
			return at + 1;
	return NULL;
}

static void set_entry(const struct stack *stack, uint64_t type, uint64_t value)
{
	uint64_t *at = find_entry(stack, type);

	if (at)
		*at = value;
}

static void tell_program(const struct stack *stack, const struct loaded *program, const char *name)
{
	set_entry(stack, AT_PHDR, program->headers);
	set_entry(stack, AT_PHNUM, program->num_headers);
	set_entry(stack, AT_BASE, program->base);
	set_entry(stack, AT_ENTRY, program->entry);
	set_entry(stack, AT_EXECFN, (uint64_t)name);
}

/*
 * Behind the last string of a vector; what is behind that of the environment is our variable's, and
 * left out.
 */
static uint64_t strings_end(const uint64_t *vector, uint64_t begin)
{
	uint64_t last = 0;

	for (; *vector; vector++)
		last = *vector;
	return last ? last + text_len((const char *)last) + 1 : begin;
}

/* The kernel may not know how: then it keeps what it has, which only /proc shows. */
static void tell_kernel(const struct stack *stack, const struct loaded *program, uint64_t random)
{
	uint64_t heap = program->end + (random ? (random >> 32 & HEAP_RANDOM_PAGES) * PAGE : 0);
	uint64_t strings = stack->argc ? stack->argv[0] : (uint64_t)stack->auxv;
	struct prctl_mm_map map = {
		.start_code = program->code, .end_code = MAX(program->code_end, program->code),
		.start_data = program->data, .end_data = MAX(program->data_end, program->data),
		.start_brk = heap, .brk = heap, .start_stack = (uint64_t)(stack->argv - 1),
		.arg_start = strings, .arg_end = strings_end(stack->argv, strings),
		.auxv = (void *)stack->auxv,
		.auxv_size = (uint32_t)(stack->auxv_len * sizeof(uint64_t)), .exe_fd = (uint32_t)-1,
	};

	map.env_start = stack->envp[0] ? stack->envp[0] : map.arg_end;
	map.env_end = strings_end(stack->envp, map.env_start);
	(void)NATIVE(__NR_prctl, PR_SET_MM, PR_SET_MM_MAP, &map, sizeof(map), 0);
}

/* From AT_RANDOM, of whose 16 bytes the program uses others; 0 when it is to be always the same. */
static uint64_t random_number(const struct stack *stack)
{
	const uint64_t *at = find_entry(stack, AT_RANDOM);
	uint64_t number;

	if (!at || NATIVE(__NR_personality, 0xffffffff) & ADDR_NO_RANDOMIZE)
		return 0;
	memcpy(&number, (const void *)(*at + 8), sizeof(number));
	number *= 0x9e3779b97f4a7c15ull; /* the program shall not see it in its addresses */
	return number ^ number >> 29;
}

/*
 * The state that the variable's *VALUE names, into ROOM bytes at BLOCK, or into a mapping. NULL: none.
 * *VALUE becomes the program's name behind it.
 */
static const void *read_state(const char **value, void *block, size_t room)
{
	long fd = *value && **value ? (long)text_take_number(value, 10) : -1;
	long n = fd < 0 ? fd : NATIVE(__NR_pread64, fd, block, room, 0);
	long len = n == (long)room ? NATIVE(__NR_lseek, fd, 0, SEEK_END) : n;
	const void *state = block;

	if (len > n && len <= EXEC_STATE_MAX)
		state = (const void *)NATIVE(__NR_mmap, 0, len, PROT_READ, MAP_PRIVATE, fd, 0);
	(void)NATIVE(__NR_close, fd);
	if (fd < 0 || *(*value)++ != ':')
		return NULL;
	if (len <= 0 || is_error((long)state) || !exec_state_is_valid(state, (size_t)len) ||
	    !exec_state_text(state, EXEC_PATH))
		return NULL;
	return state;
}

/* Of a text in the state, a copy that stays; "": there is none. */
static const char *keep_text(const char *text)
{
	char *kept = process.texts + process.texts_len;

	if (!text || text_len(text) >= PATH_MAX)
		return "";
	process.texts_len += (size_t)(text_put(kept, text) + 1 - kept);
	return kept;
}

/* Debug tags: of the thread that has executed this, or of the view. Most programs never map the segment. */
static void start_tags(struct context *c, const void *state)
{
	const uint64_t *tags = exec_state_find(state, EXEC_TAGS, sizeof(*tags), NULL);
	uint64_t active = 0;

	if (tags)
		c->tags = *tags;
	(void)NATIVE(__NR_pread64, reserved_get(RESERVED_SEGMENT), &active, sizeof(active),
		     offsetof(struct segment_header, tags));
	if (c->tags | active)
		debug_on();
}

static struct context *begin(const void *state)
{
	const struct exec_base *base = exec_state_find(state, EXEC_BASE, sizeof(*base), NULL);
	struct context *c = &process.first;

	process.trap = (enum trap)base->trap;
	process.patching = (enum patching)base->patching;
	process.is_restricted = base->is_restricted;
	process.tells_counters = base->tells_counters;
	reserved_start(state);
	process.self = keep_text(exec_state_text(state, EXEC_RESIDENT));
	process.program = keep_text(exec_state_text(state, EXEC_NAME));
	c->self = c;
	c->stack_end = (uint64_t)(first_stack + sizeof(first_stack));
	c->actions = process.actions;
	context_set(c);
	thread_list_begin(c);
	seccomp_start(c, state);
	signals_start(c, state);
	known_start(state);
	start_tags(c, state);
	return c;
}

/* Why the script with that HEAD does not run. */
static _Noreturn void no_interpreter(const char *path, char head[EXEC_HEAD + 1], long error)
{
	char *interpreter, *argument;

	if (!script_line(head, &interpreter, &argument))
		complain(path, ": its first line names no interpreter", NULL);
	else
		complain(path, ": its interpreter ", interpreter,
			 NATIVE(__NR_faccessat, AT_FDCWD, interpreter, 0) < 0 ? " does not exist"
			 : error == -ENOENT ? " needs one that does not exist"
			 : error == -EACCES ? " may not be executed"
			 : error == -ELOOP  ? " is a script in its turn, and so on too many times"
					    : " cannot be executed", NULL);
	give_up(error == -ENOENT ? STATUS_NOT_FOUND : STATUS_NOT_EXECUTABLE);
}

/* The first program may be a script, which only exec follows: then this process begins again. */
static void follow_script(struct context *c, const char *path, const struct stack *stack)
{
	const struct exec_target target = { { AT_FDCWD, path, 0 }, path, false, false };
	char head[EXEC_HEAD + 1] = "";
	long fd = NATIVE(__NR_openat, AT_FDCWD, path, O_CLOEXEC, 0);

	if (fd >= 0) {
		(void)exec_read_head(fd, head);
		(void)NATIVE(__NR_close, fd);
	}
	if (head[0] == '#' && head[1] == '!')
		no_interpreter(path, head, exec_program(c, &target, (uint64_t)stack->argv,
							(uint64_t)stack->envp));
}

/*
 * The command's name, as the kernel gives it. Of what was executed by a descriptor only newer kernels take
 * the file's: which they have done with us.
 */
static void set_command(const struct exec_base *base, const char *name)
{
	static const char deleted[] = " (deleted)";
	char command[COMMAND_MAX] = { 0 };
	size_t len;

	name = text_base_name(name);
	len = text_len(name);
	if (base->is_unnamed && NATIVE(__NR_prctl, PR_GET_NAME, command) == 0 &&
	    text_begins(text_base_name(process.self), command)) {
		name = text_base_name(process.program);
		len = text_len(name);
		if (len > sizeof(deleted) && text_equal(name + len - (sizeof(deleted) - 1), deleted))
			len -= sizeof(deleted) - 1;
	}
	len = MIN(len, sizeof(command) - 1);
	memcpy(command, name, len);
	command[len] = '\0';
	(void)NATIVE(__NR_prctl, PR_SET_NAME, command);
}

/* exec has lifted the limit of descriptors, to have room for its own. */
static void set_limit_back(const struct exec_base *base)
{
	struct rlimit64 limit;

	if (!base->limit || NATIVE(__NR_prlimit64, 0, RLIMIT_NOFILE, 0, &limit) < 0)
		return;
	limit.rlim_cur = base->limit;
	(void)NATIVE(__NR_prlimit64, 0, RLIMIT_NOFILE, &limit, 0);
}

/* After exec, there is nothing to go back to: the kernel's answer is SIGSEGV. At first there is umvu's. */
static _Noreturn void not_loaded(const struct exec_base *base)
{
	const struct action action = { 0 };

	if (base->descriptor >= 0) {
		(void)NATIVE(__NR_rt_sigaction, SIGSEGV, &action, NULL, sizeof(action.mask));
		(void)NATIVE(__NR_tgkill, NATIVE(__NR_getpid), NATIVE(__NR_gettid), SIGSEGV);
	}
	give_up(STATUS_NOT_EXECUTABLE);
}

static void load(const struct exec_base *base, const char *path, uint64_t random, struct loaded *ret)
{
	const struct load load = { .path = path, .program = base->descriptor, .loader = base->loader,
				   .random = random };

	char *name = *process.program ? NULL : process.texts + process.texts_len;

	if (load_program(&load, ret, name) < 0)
		not_loaded(base);
	if (name)
		process.program = name;
}

void resident_start(uint64_t *sp)
{
	struct stack stack = read_stack(sp);
	uint64_t room[STATE_ROOM / sizeof(uint64_t)];
	const char *name = take_variable(&stack);
	const void *state = read_state(&name, room, sizeof(room));
	const struct exec_base *base;
	const char *path;
	struct loaded program;
	struct context *c;
	uint64_t random;

	if (!state) {
		complain("this is a part of umvu, which starts it", NULL);
		give_up(STATUS_NOT_EXECUTABLE);
	}
	base = exec_state_find(state, EXEC_BASE, sizeof(*base), NULL);
	path = exec_state_text(state, EXEC_PATH);
	c = begin(state);
	/* The code of traces is not mapped for others: resident.lds. */
	if (exec_state_find(state, EXEC_TRACE, 0, NULL))
		trace_start(state, (uint64_t)stack.argv, (uint64_t)stack.envp);
	if (base->descriptor < 0)
		follow_script(c, path, &stack);
	set_limit_back(base);
	random = random_number(&stack);
	load(base, path, random, &program);
	if (program.executable_stack)
		(void)NATIVE(__NR_mprotect, PAGE_DOWN(sp), PAGE, 7 | PROT_GROWSDOWN);
	set_command(base, name);
	tell_program(&stack, &program, name);
	tell_kernel(&stack, &program, random);
	if (process.trap == TRAP_FILTER_NEW && trap_filter() < 0) {
		complain("the kernel has no seccomp filters", NULL);
		give_up(STATUS_NOT_EXECUTABLE);
	}
	trap_on();
	program_enter((uint64_t)sp, program.start);
}
