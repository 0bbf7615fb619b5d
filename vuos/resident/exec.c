/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation. What the kernel executes is the resident, with the program's arguments. So all that
 * execve(2) may find wrong with the program has to be found before (exec_file.c); of a script the
 * interpreter, up to five times. The program and its dynamic loader stay open, for the new image to map
 * them: what was looked at is what is loaded, whatever its name means there. These descriptors, and that
 * of the state (exec_state.h), are closed at the start of the resident. They are made to survive exec at the
 * last moment only; a child that another thread makes just then closes them (exec_forked()).
 *
 * One more variable of the environment names the state's descriptor, and has behind it the name by which
 * the program was executed: so that name is where the kernel would have it, above the environment.
 *
 * The new argument and environment vectors lie in a mapping; their strings stay where they are, the
 * kernel copies them. The mapping goes with the old image, when exec fails by us, and by the parent
 * after vfork(2).
 */
#include "vuos/resident/exec.h"

#include <linux/fcntl.h>
#include <linux/memfd.h>
#include <linux/resource.h>

#include "vuos/resident/debug.h"
#include "vuos/resident/dispatch.h"
#include "vuos/resident/exec_state.h"
#include "vuos/resident/identity.h"
#include "vuos/resident/known.h"
#include "vuos/resident/reserved.h"
#include "vuos/resident/script.h"
#include "vuos/resident/seccomp.h"
#include "vuos/resident/signals.h"
#include "vuos/resident/trace.h"
#include "vuos/resident/traced.h"

#define SCRIPTS_MAX   5
#define EXTRA_WORDS   32 /* arguments of interpreters, our variable, the ends */
#define TEXTS_SIZE    (SCRIPTS_MAX * (PATH_MAX + EXEC_HEAD) + 2 * PATH_MAX)
#define SEALS         (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE)
#define PASSED        3  /* descriptors: program, loader, state */
#define PASSING_MAX   8  /* threads that execute at the same time */

/* An exec under way. */
struct exec {
	const struct exec_target *target;
	uint64_t *argv; /* its first element: room for more lies before it */
	uint64_t *first;
	uint64_t num_args;
	char *texts;      /* room for strings of ours */
	const char *path; /* of the file: at last the interpreter's */
	char *own_name;   /* of that file; "": it is not known */
	long fd, loader;  /* -1: none */
	uint64_t limit;   /* of descriptors, which is lifted; 0: it is not */
	long len;
	char head[EXEC_HEAD + 1] __attribute__((aligned(8)));
};

/* --- descriptors that survive exec -------------------------------------------------------------- */

static struct passing {
	uint32_t taken;
	long after[PASSED]; /* the descriptors, each plus 1; 0: none */
} passing[PASSING_MAX];

/*
 * For children that do not share our memory. A child of vfork(2) is not noted: its descriptors are its own
 * only. NULL: there is no room, which leaves a child that is made just now with a descriptor too many.
 */
static struct passing *pass(const struct context *c, const long fds[PASSED])
{
	struct passing *found = NULL;

	for (size_t i = 0; !c->is_vfork_child && !found && i < PASSING_MAX; i++)
		if (!__atomic_exchange_n(&passing[i].taken, 1, __ATOMIC_ACQUIRE))
			found = &passing[i];
	for (int i = 0; i < PASSED; i++) {
		if (found)
			found->after[i] = fds[i] + 1;
		if (fds[i] >= 0)
			(void)NATIVE(__NR_fcntl, fds[i], F_SETFD, 0);
	}
	return found;
}

static void pass_failed(struct passing *passed, const long fds[PASSED])
{
	for (int i = 0; i < PASSED; i++)
		if (fds[i] >= 0)
			(void)NATIVE(__NR_fcntl, fds[i], F_SETFD, FD_CLOEXEC);
	if (!passed)
		return;
	for (int i = 0; i < PASSED; i++)
		passed->after[i] = 0;
	__atomic_store_n(&passed->taken, 0, __ATOMIC_RELEASE);
}

void exec_forked(void)
{
	for (size_t i = 0; i < PASSING_MAX; i++) {
		for (int j = 0; passing[i].taken && j < PASSED; j++)
			if (passing[i].after[j])
				(void)NATIVE(__NR_close, passing[i].after[j] - 1);
		passing[i].taken = 0;
	}
}

/* --- the state -------------------------------------------------------------------------------- */

static void add_sections(struct exec_writer *writer, struct context *c, const struct exec *e)
{
	const struct exec_base base = { .trap = process.trap, .patching = process.patching,
					.descriptor = (int32_t)e->fd, .loader = (int32_t)e->loader,
					.is_unnamed = e->target->is_unnamed, .limit = e->limit,
					.is_restricted = process.is_restricted,
					.tells_counters = process.tells_counters };

	(void)exec_state_add(writer, EXEC_BASE, &base, sizeof(base));
	exec_state_add_text(writer, EXEC_PATH, e->path);
	if (e->own_name[0])
		exec_state_add_text(writer, EXEC_NAME, e->own_name);
	trace_save(c, writer);
	exec_state_add_text(writer, EXEC_RESIDENT, process.self);
	reserved_save(writer);
	signals_save(c, writer);
	if (c->tags)
		(void)exec_state_add(writer, EXEC_TAGS, &c->tags, sizeof(c->tags));
	seccomp_save(c, writer);
	known_save(writer);
}

/* The state's file: its descriptor. */
static long state_file(const void *block, size_t len)
{
	long fd = NATIVE(__NR_memfd_create, "umvu", MFD_ALLOW_SEALING | MFD_CLOEXEC), n;

	if (fd < 0)
		return fd;
	n = NATIVE(__NR_write, fd, block, len);
	if (n == (long)len)
		n = NATIVE(__NR_fcntl, fd, F_ADD_SEALS, SEALS);
	if (n == 0)
		return fd;
	(void)NATIVE(__NR_close, fd);
	return n < 0 ? n : -ENOMEM;
}

/* Few states are larger than what the stack has room for: then they are written once more. */
static long make_state(struct context *c, const struct exec *e)
{
	uint64_t room[EXEC_STATE_ROOM / sizeof(uint64_t)];
	struct exec_writer writer;
	size_t len, need;
	long memory, fd;

	exec_state_begin(&writer, room, sizeof(room));
	add_sections(&writer, c, e);
	len = exec_state_end(&writer);
	if (len)
		return state_file(room, len);
	need = PAGE_UP(writer.need);
	memory = NATIVE(__NR_mmap, 0, need, 3, 0x22, -1, 0);
	if (is_error(memory))
		return memory;
	exec_state_begin(&writer, (void *)memory, need);
	add_sections(&writer, c, e);
	fd = state_file((void *)memory, exec_state_end(&writer));
	(void)NATIVE(__NR_munmap, memory, need);
	return fd;
}

/* --- scripts --------------------------------------------------------------------------------------- */

static char *keep_text(struct exec *e, const char *text)
{
	char *kept = e->texts;

	e->texts = text_put(kept, text) + 1;
	return kept;
}

static void put_argument(struct exec *e, const char *text)
{
	*--e->argv = (uint64_t)text;
	e->num_args++;
}

/* The script becomes an argument of its interpreter. */
static long use_interpreter(struct exec *e)
{
	struct context *c = context_here();
	char *interpreter, *argument;
	long r;

	if (!script_line(e->head, &interpreter, &argument))
		return -ENOEXEC;
	if (e->target->is_closed)
		return -ENOENT;
	interpreter = keep_text(e, interpreter);
	if (!e->num_args) {
		e->num_args++; /* there is room for one: argv was empty */
		e->argv[1] = 0;
	}
	*e->argv = (uint64_t)e->path;
	if (argument)
		put_argument(e, keep_text(e, argument));
	put_argument(e, interpreter);
	r = identity_path(c, AT_FDCWD, (uint64_t)interpreter);
	e->path = keep_text(e, c->path);
	return r == -ENOENT ? -EACCES /* the working directory */ : MIN(r, 0);
}

static void close_file(long *fd)
{
	if (*fd >= 0)
		(void)NATIVE(__NR_close, *fd);
	*fd = -1;
}

static long open_file(struct exec *e, const struct exec_name *file)
{
	close_file(&e->fd);
	e->fd = exec_open(file, e->own_name);
	if (e->fd < 0)
		return e->fd;
	e->len = exec_read_head(e->fd, e->head);
	return MIN(e->len, 0);
}

/* Follows scripts, of which the first is open, to a program. */
static long find_program(struct exec *e)
{
	for (int i = 0; e->head[0] == '#' && e->head[1] == '!'; i++) {
		long r = i < SCRIPTS_MAX ? use_interpreter(e) : -ELOOP;

		if (r == 0)
			r = open_file(e, &(struct exec_name){ AT_FDCWD, e->path, 0 });
		if (r < 0)
			return r;
	}
	return exec_look_at_program(e->fd, e->head, (size_t)e->len, e->path, &e->loader);
}

/* --- vectors ----------------------------------------------------------------------------------- */

/* Words of the vector at AT before its end: -EFAULT. */
static long vector_len(uint64_t at, uint64_t *ret)
{
	uint64_t word = 1;

	for (*ret = 0; at; (*ret)++) {
		if (copy_in(&word, at + *ret * sizeof(word), sizeof(word)) < 0)
			return -EFAULT;
		if (!word)
			break;
	}
	return 0;
}

/* By the descriptor, which needs no name: there may be another root, and no /proc. */
static long execute_resident(const uint64_t *argv, const uint64_t *env)
{
	long self = reserved_get(RESERVED_RESIDENT);
	const uint64_t by_name[7] = { __NR_execve, (uint64_t)process.self, (uint64_t)argv, (uint64_t)env };
	const uint64_t by_descriptor[7] = { __NR_execveat, (uint64_t)self, (uint64_t)"", (uint64_t)argv,
					    (uint64_t)env, AT_EMPTY_PATH };

	return native_call(self < 0 ? by_name : by_descriptor);
}

static char *put_variable(char *to, long state, const char *name)
{
	to = text_put_number(text_put(to, EXEC_VARIABLE), (uint64_t)state, 10);
	return text_put(text_put(to, ":"), name);
}

static long do_exec(struct context *c, struct exec *e, uint64_t *env, uint64_t num_env)
{
	uint64_t mask = signals_block_blocked(c);
	const long fds[PASSED] = { e->fd, e->loader, make_state(c, e) };
	struct passing *passed;
	long r = fds[2];

	if (r >= 0) {
		(void)put_variable(e->texts, r, e->target->name);
		env[num_env] = (uint64_t)e->texts;
		env[num_env + 1] = 0;
		passed = pass(c, fds);
		traced_exec(c);
		DEBUG(c, 't', "exec: ", e->target->name, " instead of ", process.program);
		counters_tell();
		r = execute_resident(e->argv, env);
		traced_exec_failed(c);
		pass_failed(passed, fds);
		(void)NATIVE(__NR_close, fds[2]);
	}
	signals_restore(mask);
	return r;
}

static long exec_with_vectors(struct context *c, struct exec *e, uint64_t argv, uint64_t envp)
{
	uint64_t num_env = 0, *env;
	size_t len;
	long memory, r = vector_len(argv, &e->num_args);

	if (r == 0)
		r = vector_len(envp, &num_env);
	if (r < 0)
		return r;
	len = PAGE_UP((e->num_args + num_env + 3 * EXTRA_WORDS) * sizeof(uint64_t) + TEXTS_SIZE);
	memory = NATIVE(__NR_mmap, 0, len, 3, 0x22, -1, 0);
	if (is_error(memory))
		return memory;
	c->scratch = (void *)memory;
	c->scratch_len = len;
	e->argv = e->first = (uint64_t *)memory + EXTRA_WORDS;
	e->texts = (char *)(e->first + e->num_args + num_env + 2 * EXTRA_WORDS);
	env = e->first + e->num_args + EXTRA_WORDS;
	if ((e->num_args && copy_in(e->argv, argv, e->num_args * sizeof(uint64_t)) < 0) ||
	    (num_env && copy_in(env, envp, num_env * sizeof(uint64_t)) < 0))
		r = -EFAULT;
	if (r == 0)
		r = find_program(e);
	if (r == 0)
		r = do_exec(c, e, env, num_env);
	c->scratch = NULL;
	(void)NATIVE(__NR_munmap, memory, len);
	return r;
}

static long try_exec(struct context *c, const struct exec_target *target, uint64_t limit, uint64_t argv,
		     uint64_t envp)
{
	char own_name[PATH_MAX];
	struct exec e = { .target = target, .path = target->name, .own_name = own_name, .fd = -1,
			  .loader = -1, .limit = limit };
	long r = open_file(&e, &target->file);

	if (r == 0)
		r = exec_with_vectors(c, &e, argv, envp);
	close_file(&e.fd);
	close_file(&e.loader);
	return r;
}

/*
 * The kernel needs no descriptors for exec: a program that has opened all it may can execute another one.
 * Then the limit is lifted, as far as it can be, until the resident begins.
 */
long exec_program(struct context *c, const struct exec_target *target, uint64_t argv, uint64_t envp)
{
	struct rlimit64 limit, lifted;
	long r = try_exec(c, target, 0, argv, envp);

	if (r != -EMFILE || NATIVE(__NR_prlimit64, 0, RLIMIT_NOFILE, 0, &limit) < 0)
		return r;
	lifted = limit;
	lifted.rlim_cur = MIN(limit.rlim_cur + RESERVED_ROOM + PASSED, limit.rlim_max);
	if (NATIVE(__NR_prlimit64, 0, RLIMIT_NOFILE, &lifted, 0) < 0)
		return r;
	r = try_exec(c, target, limit.rlim_cur, argv, envp);
	(void)NATIVE(__NR_prlimit64, 0, RLIMIT_NOFILE, &limit, 0);
	return r;
}

/* --- the calls ------------------------------------------------------------------------------------- */

/* By the name at AT; the program's own file has a name that means ours. */
static long exec_by_name(struct context *c, uint64_t at, uint32_t flags, uint64_t argv, uint64_t envp)
{
	char name[PATH_MAX];
	long r = copy_string(name, (const char *)at, sizeof(name));

	if (r >= 0)
		r = identity_path(c, AT_FDCWD, at);
	if (r < 0)
		return r;
	return exec_program(c, &(struct exec_target){ { AT_FDCWD, c->path, flags }, name, false, false }, argv,
			    envp);
}

long call_execve(struct context *c, struct call *call)
{
	return exec_by_name(c, CALL_ARG(call, 0), 0, CALL_ARG(call, 1), CALL_ARG(call, 2));
}

/* By a descriptor, whose name for the program, and for the interpreter of a script, is in /dev/fd. */
static long exec_by_descriptor(struct context *c, int fd, uint64_t at, uint32_t flags, uint64_t argv,
			       uint64_t envp)
{
	char shown[PATH_MAX + sizeof("/dev/fd/2147483647/")];
	struct exec_target target = { .file = { fd, c->path, flags }, .name = shown };
	char *end = text_put_number(text_put(shown, "/dev/fd/"), (uint64_t)fd, 10);
	long marks = NATIVE(__NR_fcntl, fd, F_GETFD), r = 0;

	if (marks < 0)
		return marks;
	target.is_closed = marks & FD_CLOEXEC;
	target.is_unnamed = !c->path[0];
	if (c->path[0]) {
		(void)text_put(text_put(end, "/"), c->path);
		r = identity_path(c, fd, at);
	}
	return r < 0 ? r : exec_program(c, &target, argv, envp);
}

long call_execveat(struct context *c, struct call *call)
{
	int fd = (int)CALL_ARG(call, 0);
	uint32_t flags = (uint32_t)CALL_ARG(call, 4);
	long r = copy_string(c->path, (const char *)CALL_ARG(call, 1), sizeof(c->path));

	if (r < 0)
		return r;
	if (flags & AT_EXECVE_CHECK)
		return native_call(call->raw); /* nothing is executed; -EINVAL: the kernel is older */
	if (flags & ~(uint32_t)(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))
		return -EINVAL;
	if (r == 0 && !(flags & AT_EMPTY_PATH))
		return -ENOENT;
	if (r == 0 && fd == AT_FDCWD)
		return -EACCES; /* the working directory */
	if (c->path[0] == '/' || fd == AT_FDCWD)
		return exec_by_name(c, CALL_ARG(call, 1), flags, CALL_ARG(call, 2), CALL_ARG(call, 3));
	return exec_by_descriptor(c, fd, CALL_ARG(call, 1), flags, CALL_ARG(call, 2), CALL_ARG(call, 3));
}
