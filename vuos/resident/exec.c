/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation. What the kernel executes is the resident, with the program's arguments; the
 * program's path and what else must pass is in a file of memory (exec_state.h), whose descriptor is named
 * by one more variable of the environment. So all that
 * execve(2) may find wrong with the program has to be found before: whether it exists, may be executed
 * and read, is a regular file, and an ELF file of this architecture or a script; of a script the
 * interpreter, up to five times.
 *
 * The new argument and environment vectors lie in a mapping; their strings stay where they are, the
 * kernel copies them. The mapping goes with the old image, when exec fails by us, and by the parent
 * after vfork(2).
 */
#include "vuos/resident/exec.h"

#include <linux/elf.h>
#include <linux/fcntl.h>
#include <linux/memfd.h>
#include <linux/stat.h>

#include "vuos/resident/dispatch.h"
#include "vuos/resident/exec_state.h"
#include "vuos/resident/identity.h"
#include "vuos/resident/reserved.h"
#include "vuos/resident/seccomp.h"
#include "vuos/resident/signals.h"
#include "vuos/resident/trace.h"

#define SCRIPTS_MAX   5
#define HEAD_SIZE     256
#define EXTRA_WORDS   32 /* arguments of interpreters, our variable, the ends */
#define TEXTS_SIZE    (SCRIPTS_MAX * (PATH_MAX + HEAD_SIZE))
#define O_CLOEXEC_READ 02000000
#define MODE_OFFSET   24 /* st_mode in struct stat */
#define STAT_SIZE     144
#define X_OK          1
#define SEALS         (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

/* An exec under way. */
struct exec {
	uint64_t *argv; /* its first element: room for more lies before it */
	uint64_t *first;
	uint64_t num_args;
	char *texts; /* room for strings of ours */
	const char *path;
	char head[HEAD_SIZE + 1];
};

/* --- the state -------------------------------------------------------------------------------- */

static void add_sections(struct exec_writer *writer, struct context *c, const char *path, int descriptor)
{
	const struct exec_base base = { .trap = process.trap, .patching = process.patching,
					.descriptor = descriptor };

	(void)exec_state_add(writer, EXEC_BASE, &base, sizeof(base));
	exec_state_add_text(writer, EXEC_PATH, path);
	trace_save(c, writer);
	exec_state_add_text(writer, EXEC_RESIDENT, process.self);
	reserved_save(writer);
	signals_save(c, writer);
	seccomp_save(c, writer);
}

/* The state's file: its descriptor, which outlives exec. */
static long state_file(const void *block, size_t len)
{
	long fd = NATIVE(__NR_memfd_create, "umvu", MFD_ALLOW_SEALING), n;

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
static long make_state(struct context *c, const char *path, int descriptor)
{
	uint64_t room[EXEC_STATE_ROOM / sizeof(uint64_t)];
	struct exec_writer writer;
	size_t len, need;
	long memory, fd;

	exec_state_begin(&writer, room, sizeof(room));
	add_sections(&writer, c, path, descriptor);
	len = exec_state_end(&writer);
	if (len)
		return state_file(room, len);
	need = PAGE_UP(writer.need);
	memory = NATIVE(__NR_mmap, 0, need, 3, 0x22, -1, 0);
	if (is_error(memory))
		return memory;
	exec_state_begin(&writer, (void *)memory, need);
	add_sections(&writer, c, path, descriptor);
	fd = state_file((void *)memory, exec_state_end(&writer));
	(void)NATIVE(__NR_munmap, memory, need);
	return fd;
}

/* --- what is to be executed ---------------------------------------------------------------- */

/* Whether the file may be executed, and its first bytes: 0, or what execve(2) says. */
static long look_at(struct exec *e)
{
	char status[STAT_SIZE];
	long fd, n, r = NATIVE(__NR_stat, e->path, status); /* first: opening a FIFO would wait */

	if (r == 0 && !S_ISREG(*(uint32_t *)(status + MODE_OFFSET)))
		r = -EACCES;
	if (r == 0)
		r = NATIVE(__NR_faccessat, AT_FDCWD, e->path, X_OK);
	if (r < 0)
		return r;
	fd = NATIVE(__NR_openat, AT_FDCWD, e->path, O_CLOEXEC_READ, 0);
	if (fd < 0)
		return fd;
	n = NATIVE(__NR_read, fd, e->head, HEAD_SIZE);
	(void)NATIVE(__NR_close, fd);
	e->head[MAX(n, 0)] = '\0';
	return r < 0 ? r : MIN(n, 0);
}

static bool is_program(const char *head)
{
	const Elf64_Ehdr *elf = (const Elf64_Ehdr *)(const void *)head;

	return memcmp(elf->e_ident, ELFMAG, SELFMAG) == 0 && elf->e_ident[EI_CLASS] == ELFCLASS64 &&
	       elf->e_machine == EM_X86_64 && (elf->e_type == ET_EXEC || elf->e_type == ET_DYN);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static char *skip_blanks(char *at)
{
	while (is_blank(*at))
		at++;
	return at;
}

static char *skip_word(char *at)
{
	while (*at && !is_blank(*at))
		at++;
	return at;
}

/* The interpreter and its one argument (NULL: none) of the line in the head, which is cut. False: none. */
static bool script_line(char *head, char **interpreter, char **argument)
{
	char *end = head, *at;
	bool cut;

	while (*end && *end != '\n')
		end++;
	cut = !*end && end == head + HEAD_SIZE; /* longer than the kernel reads */
	while (end > head && is_blank(end[-1]))
		end--;
	*end = '\0';
	*interpreter = skip_blanks(head + 2);
	at = skip_word(*interpreter);
	if (cut && !*at)
		return false; /* a name is not cut; an argument is */
	*argument = *at ? skip_blanks(at) : NULL;
	*at = '\0';
	return **interpreter != '\0';
}

static char *keep_text(struct exec *e, const char *text)
{
	char *kept = e->texts;

	e->texts = text_put(kept, text) + 1;
	return kept;
}

/* The script becomes an argument of its interpreter. */
static long use_interpreter(struct exec *e)
{
	char *interpreter, *argument;

	if (!script_line(e->head, &interpreter, &argument))
		return -ENOEXEC;
	interpreter = keep_text(e, interpreter);
	if (!e->num_args) {
		e->num_args++; /* there is room for one: argv was empty */
		e->argv[1] = 0;
	}
	*e->argv = (uint64_t)e->path;
	if (argument) {
		*--e->argv = (uint64_t)keep_text(e, argument);
		e->num_args++;
	}
	*--e->argv = (uint64_t)interpreter;
	e->num_args++;
	e->path = interpreter;
	return 0;
}

/* Follows scripts to a program. The first file was looked at. */
static long find_program(struct exec *e)
{
	for (int i = 0; i <= SCRIPTS_MAX; i++) {
		long r = i ? look_at(e) : 0;

		if (r < 0)
			return r;
		if (e->head[0] != '#' || e->head[1] != '!')
			return is_program(e->head) ? 0 : -ENOEXEC;
		r = i < SCRIPTS_MAX ? use_interpreter(e) : -ELOOP;
		if (r < 0)
			return r;
	}
	return -ELOOP;
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

static long do_exec(struct context *c, struct exec *e, uint64_t envp, uint64_t num_env, int descriptor)
{
	uint64_t *env = e->first + e->num_args + EXTRA_WORDS;
	long state, r = find_program(e);
	uint64_t mask;

	if (r < 0)
		return r;
	if (num_env && copy_in(env, envp, num_env * sizeof(*env)) < 0)
		return -EFAULT;
	mask = signals_block_blocked(c);
	state = make_state(c, e->path, descriptor);
	if (state < 0) {
		signals_restore(mask);
		return state;
	}
	(void)text_put_number(text_put(e->texts, EXEC_VARIABLE), (uint64_t)state, 10);
	env[num_env] = (uint64_t)e->texts;
	env[num_env + 1] = 0;
	r = execute_resident(e->argv, env);
	(void)NATIVE(__NR_close, state);
	signals_restore(mask);
	return r;
}

long exec_program(struct context *c, const char *path, uint64_t argv, uint64_t envp, int descriptor)
{
	struct exec e = { .path = path };
	uint64_t num_env = 0;
	size_t len;
	long memory, r = look_at(&e);

	if (r == 0)
		r = vector_len(argv, &e.num_args);
	if (r == 0)
		r = vector_len(envp, &num_env);
	if (r < 0)
		return r;
	len = PAGE_UP((e.num_args + num_env + 3 * EXTRA_WORDS) * sizeof(uint64_t) + TEXTS_SIZE);
	memory = NATIVE(__NR_mmap, 0, len, 3, 0x22, -1, 0);
	if (is_error(memory))
		return memory;
	c->scratch = (void *)memory;
	c->scratch_len = len;
	e.first = (uint64_t *)memory + EXTRA_WORDS;
	e.argv = e.first;
	e.texts = (char *)(e.first + e.num_args + num_env + 2 * EXTRA_WORDS);
	if (e.num_args && copy_in(e.argv, argv, e.num_args * sizeof(uint64_t)) < 0)
		r = -EFAULT;
	if (r == 0)
		r = do_exec(c, &e, envp, num_env, descriptor);
	c->scratch = NULL;
	(void)NATIVE(__NR_munmap, memory, len);
	return r;
}

/* --- the calls ------------------------------------------------------------------------------------- */

long call_execve(struct context *c, struct call *call)
{
	long r = identity_path(c, AT_FDCWD, CALL_ARG(call, 0));

	if (r < 0)
		return r;
	return exec_program(c, c->path, CALL_ARG(call, 1), CALL_ARG(call, 2), -1);
}

/* /proc/self/fd/N, into the context's path. */
static void descriptor_path(struct context *c, uint64_t fd)
{
	(void)text_put_number(text_put(c->path, "/proc/self/fd/"), fd, 10);
}

/*
 * What DESCRIPTOR is open at; for a file without a name a duplicate that outlives exec. *RET_FD: -1:
 * none.
 */
static long name_of(struct context *c, int fd, int *ret_fd)
{
	char link[PATH_MAX];
	long n, copy;

	descriptor_path(c, (uint64_t)fd);
	n = NATIVE(__NR_readlink, c->path, link, sizeof(link) - 1);
	if (n < 0)
		return n == -ENOENT ? -EBADF : n;
	link[n] = '\0';
	*ret_fd = -1;
	if (link[0] == '/' && NATIVE(__NR_faccessat, AT_FDCWD, link, 0) == 0) {
		(void)text_put(c->path, link);
		return 0;
	}
	copy = NATIVE(__NR_dup, fd);
	if (copy < 0)
		return copy;
	descriptor_path(c, (uint64_t)copy);
	*ret_fd = (int)copy;
	return 0;
}

long call_execveat(struct context *c, struct call *call)
{
	int fd = (int)CALL_ARG(call, 0), keep = -1;
	uint64_t flags = CALL_ARG(call, 4);
	char status[STAT_SIZE], name[PATH_MAX];
	long r = copy_string(name, (const char *)CALL_ARG(call, 1), sizeof(name));

	if (r < 0)
		return r;
	if (flags & ~(uint64_t)(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))
		return -EINVAL;
	if (name[0] == '/' || fd == AT_FDCWD) {
		r = identity_path(c, AT_FDCWD, CALL_ARG(call, 1));
	} else {
		r = name[0] || flags & AT_EMPTY_PATH ? name_of(c, fd, &keep) : -ENOENT;
		if (r >= 0 && name[0] && text_len(c->path) + text_len(name) + 2 > sizeof(c->path))
			r = -ENAMETOOLONG;
		if (r >= 0 && name[0])
			(void)text_put(text_put(c->path + text_len(c->path), "/"), name);
	}
	if (r >= 0 && flags & AT_SYMLINK_NOFOLLOW && name[0]) {
		r = NATIVE(__NR_lstat, c->path, status);
		if (r == 0 && S_ISLNK(*(uint32_t *)(status + MODE_OFFSET)))
			r = -ELOOP;
	}
	if (r >= 0)
		r = exec_program(c, c->path, CALL_ARG(call, 2), CALL_ARG(call, 3), keep);
	if (keep >= 0)
		(void)NATIVE(__NR_close, keep);
	return r;
}
