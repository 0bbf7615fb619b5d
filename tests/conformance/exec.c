/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exec: what may be executed, what passes to the next program, and what it finds. */
#include "conformance.h"

#include <elf.h>
#include <fcntl.h>
#include <pthread.h>
#include <link.h>
#include <sys/auxv.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/stat.h>

/* @show: arguments and environment. */
HELPER(show)
{
	(void)printf("%d:", argc);
	for (int i = 0; i < argc; i++)
		(void)printf(" (%s)", argv[i]);
	for (char **at = environ; *at; at++)
		(void)printf(" {%s}", *at);
	(void)printf("\n");
	return 0;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* @image: what the program knows of itself, without addresses. */
static int count_objects(struct dl_phdr_info *info, size_t size, void *data)
{
	(void)size;
	if (info->dlpi_name[0] == '\0' && info->dlpi_phnum > 3)
		++*(int *)data;
	return 0;
}

static void print_proc(const char *name, const char *path)
{
	char text[4096];
	size_t len = read_file(path, text, sizeof(text));

	for (size_t i = 0; i < len; i++)
		if (text[i] == '\0' || text[i] == '\n')
			text[i] = '|';
	(void)printf(" %s=%s", name, text);
}

HELPER(image)
{
	const ElfW(Phdr) *headers = (const void *)getauxval(AT_PHDR);
	const uint8_t *random = (const void *)getauxval(AT_RANDOM);
	const char *name = (const char *)getauxval(AT_EXECFN);
	int objects = 0, loads = 0, zeros = 0;
	char path[4096];

	(void)argc;
	(void)dl_iterate_phdr(count_objects, &objects);
	for (size_t i = 0; i < getauxval(AT_PHNUM); i++)
		loads += headers[i].p_type == PT_LOAD;
	for (int i = 0; i < 16; i++)
		zeros += random[i] == 0;
	path[readlink("/proc/self/exe", path, sizeof(path) - 1)] = '\0';
	(void)printf("execfn=%s objects=%d loads=%d random=%d pagesz=%lu exe=%s argv0=%s", base_name(name),
		     objects, loads > 1, zeros < 8, getauxval(AT_PAGESZ), base_name(path),
		     base_name(argv[0]));
	(void)printf(" secure=%lu uid=%d entry=%d", getauxval(AT_SECURE), getauxval(AT_UID) == getuid(),
		     getauxval(AT_ENTRY) > 4096);
	print_proc("comm", "/proc/self/comm");
	(void)printf(" stack=%d\n", (uintptr_t)argv % 8 == 0);
	return 0;
}

static void line_of(const char *path)
{
	char text[8192];

	(void)read_file(path, text, sizeof(text));
	text[strcspn(text, "\n")] = '\0';
	say("%s", text);
}

/* In a child whose output is kept: execve, whose error is said if it comes back. */
static void run_path(const char *path, char **argv, char **envp)
{
	pid_t pid;

	(void)unlink("output");
	pid = fork();
	if (pid == 0) {
		int fd = open("output", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

		NEED(dup2(fd, 1) == 1);
		(void)execve(path, argv, envp);
		say("%s", strerrorname_np(errno));
		_exit(0);
	}
	say_status("end", wait_status(pid));
	if (access("output", R_OK) == 0)
		line_of("output");
}

static void try_exec(const char *label, const char *path)
{
	char *argv[] = { (char *)"x", NULL };

	TRY(label, execve(path, argv, environ));
}

static char *no_env[] = { NULL };

CASE(exec_errors, "missing=ENOENT empty=ENOENT directory=EACCES plain=EACCES nothing=ENOEXEC text=ENOEXEC "
		  "component=ENOTDIR long=ENAMETOOLONG loop=ELOOP device=EACCES dangling=ENOENT")
{
	char name[5000];

	memset(name, 'a', sizeof(name));
	name[4999] = '\0';
	write_file("plain", "#!/bin/sh\n", 0600);
	write_file("nothing", "", 0700);
	write_file("text", "echo hello\n", 0700);
	NEED(symlink("loop", "loop") == 0 && symlink("gone", "dangling") == 0);
	try_exec("missing", "missing");
	try_exec("empty", "");
	try_exec("directory", "/");
	try_exec("plain", "./plain");
	try_exec("nothing", "./nothing");
	try_exec("text", "./text");
	try_exec("component", "./text/x");
	try_exec("long", name);
	try_exec("loop", "loop");
	try_exec("device", "/dev/null");
	try_exec("dangling", "dangling");
}

CASE(exec_of_fifo, "fifo=EACCES")
{
	NEED(mkfifo("fifo", 0700) == 0);
	try_exec("fifo", "./fifo");
}

CASE(exec_busy, "busy=ETXTBSY")
{
	int fd;

	copy_file(own_path, "copy", 0700);
	fd = open("copy", O_WRONLY);
	NEED(fd >= 0);
	try_exec("busy", "./copy");
}

CASE_AS_ROOT(exec_without_permission, "private=EACCES directory=EACCES end=exit:0")
{
	NEED(chmod(".", 0755) == 0);
	copy_file("/bin/true", "private", 0700);
	NEED(mkdir("closed", 0700) == 0);
	write_file("closed/x", "#!/bin/sh\n", 0755);
	{
		pid_t pid = fork();

		if (pid == 0) {
			NEED(setgid(65534) == 0 && setuid(65534) == 0);
			try_exec("private", "./private");
			try_exec("directory", "./closed/x");
			_exit(0);
		}
		say_status("end", wait_status(pid));
	}
}

static void write_elf(const char *path, unsigned machine, unsigned class, const char *interpreter)
{
	struct {
		Elf64_Ehdr elf;
		Elf64_Phdr headers[2];
		char interpreter[64];
	} file = { 0 };
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0700);

	memcpy(file.elf.e_ident, ELFMAG, SELFMAG);
	file.elf.e_ident[EI_CLASS] = (uint8_t)class;
	file.elf.e_ident[EI_DATA] = ELFDATA2LSB;
	file.elf.e_ident[EI_VERSION] = EV_CURRENT;
	file.elf.e_type = ET_DYN;
	file.elf.e_machine = (uint16_t)machine;
	file.elf.e_phoff = sizeof(file.elf);
	file.elf.e_phentsize = sizeof(Elf64_Phdr);
	file.elf.e_phnum = 2;
	file.headers[0] = (Elf64_Phdr){ .p_type = PT_INTERP, .p_offset = offsetof(typeof(file), interpreter),
					.p_filesz = strlen(interpreter) + 1 };
	file.headers[1] = (Elf64_Phdr){ .p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_filesz = sizeof(file),
					.p_memsz = sizeof(file), .p_align = 4096 };
	(void)strcpy(file.interpreter, interpreter);
	NEED(write(fd, &file, sizeof(file)) == sizeof(file) && close(fd) == 0);
}

CASE(exec_elf_errors, "machine=ENOEXEC loader=ENOENT loader_directory=EACCES")
{
	write_elf("machine", EM_AARCH64, ELFCLASS64, "/lib64/ld-linux-x86-64.so.2");
	write_elf("loader", EM_X86_64, ELFCLASS64, "/nowhere/ld.so");
	write_elf("loader_directory", EM_X86_64, ELFCLASS64, "/");
	try_exec("machine", "./machine");
	try_exec("loader", "./loader");
	try_exec("loader_directory", "./loader_directory");
}

/* --- arguments ------------------------------------------------------------------------------------- */

CASE(exec_arguments, "end=exit:0 5: (name) (@show) () (a b) (\xc3\xbc) {ONE=1} {=} {odd}")
{
	char *argv[] = { (char *)"name", (char *)"@show", (char *)"", (char *)"a b", (char *)"\xc3\xbc", NULL };
	char *envp[] = { (char *)"ONE=1", (char *)"=", (char *)"odd", NULL };

	run_path(own_path, argv, envp);
}

CASE(exec_empty_environment, "end=exit:0 2: (x) (@show) end=exit:0 2: (x) (@show)")
{
	char *argv[] = { (char *)"x", (char *)"@show", NULL };

	run_path(own_path, argv, no_env);
	run_path(own_path, argv, NULL);
}

CASE(exec_script, "end=exit:0 3: (ARG) (@show) (./script) end=exit:0 4: (x) (@show) (./second) (more)")
{
	char text[5000], *argv[] = { (char *)"ignored", NULL }, *more[] = { (char *)"i", (char *)"more", NULL };

	/* Here the program's name must not have blanks. */
	NEED(symlink(own_path, "ARG") == 0 && symlink(own_path, "x") == 0);
	(void)snprintf(text, sizeof(text), "#!ARG @show\n");
	write_file("script", text, 0700);
	write_file("second", "#! \t x  @show  \t\nrest\n", 0700);
	run_path("./script", argv, no_env);
	run_path("./second", more, no_env);
}

CASE(exec_script_argument, "end=exit:99  end=exit:0 2: (two words) (./plain)")
{
	char *argv[] = { (char *)"a", NULL };

	NEED(symlink(own_path, "x") == 0);
	write_file("words", "#!x @show and more words \n", 0700); /* one argument, which is no helper's name */
	run_path("./words", argv, no_env);
	(void)unlink("output");
	write_file("sh", "#!/bin/sh\necho \"2: (two words) ($0)\"\n", 0700);
	NEED(rename("sh", "plain") == 0);
	run_path("./plain", argv, no_env);
}

CASE(exec_script_errors, "none=ENOEXEC blanks=ENOEXEC missing=ENOENT directory=EACCES plain=EACCES self=ELOOP "
			 "no_newline=exit:0")
{
	pid_t pid;

	write_file("none", "#!\n", 0700);
	write_file("blanks", "#!  \t \n", 0700);
	write_file("missing", "#!/nowhere/at/all\n", 0700);
	write_file("directory", "#!/\n", 0700);
	write_file("file", "x", 0600);
	write_file("plain", "#!./file\n", 0700);
	write_file("self", "#!./self\n", 0700);
	write_file("no_newline", "#!/bin/true", 0700);
	try_exec("none", "./none");
	try_exec("blanks", "./blanks");
	try_exec("missing", "./missing");
	try_exec("directory", "./directory");
	try_exec("plain", "./plain");
	try_exec("self", "./self");
	pid = fork();
	if (pid == 0) {
		try_exec("lost", "./no_newline");
		_exit(1);
	}
	say_status("no_newline", wait_status(pid));
}

/* Scripts whose interpreters are scripts. */
CASE(exec_nested_scripts, "1=exit:0 2=exit:0 3=exit:0 4=exit:0 5=exit:0 6=ELOOP")
{
	char name[10], text[20];

	for (int i = 1; i <= 6; i++) {
		pid_t pid;

		(void)snprintf(name, sizeof(name), "s%d", i);
		(void)snprintf(text, sizeof(text), i == 1 ? "#!/bin/true\n" : "#!s%d\n", i - 1);
		write_file(name, text, 0700);
		pid = fork();
		if (pid == 0) {
			char *argv[] = { (char *)"x", NULL };

			(void)execv(name, argv);
			say("%d=%s", i, strerrorname_np(errno));
			_exit(100);
		}
		if (wait_status(pid) == 0)
			say("%d=exit:0", i);
	}
}

/* What does not fit the kernel's 256 bytes: a name is never cut, an argument is. */
CASE(exec_long_lines, "name=ENOEXEC argument=exit:0 spaces=ENOEXEC fits=exit:0")
{
	static const char *const names[] = { "name", "argument", "spaces", "fits" };
	char text[600];

	for (int i = 0; i < 4; i++) {
		pid_t pid;

		memset(text, i == 2 ? ' ' : 'a', sizeof(text));
		memcpy(text, i == 0 ? "#!/bin/aaaa" : i == 2 ? "#!         " : "#!/bin/true", 11);
		if (i == 1 || i == 3)
			text[11] = ' ';
		text[i == 3 ? 254 : 500] = '\n';
		text[599] = '\0';
		write_file(names[i], text, 0700);
		pid = fork();
		if (pid == 0) {
			char *argv[] = { (char *)"x", NULL };

			(void)execv(names[i], argv);
			say("%s=%s", names[i], strerrorname_np(errno));
			_exit(100);
		}
		if (wait_status(pid) == 0)
			say("%s=exit:0", names[i]);
	}
}

/* @count: how long all arguments are. */
HELPER(count)
{
	size_t len = 0;

	for (int i = 0; i < argc; i++)
		len += strlen(argv[i]) + 1;
	(void)printf("argc=%d len=%zu\n", argc, len);
	return 0;
}

CASE(exec_many_arguments, "end=exit:0 argc=50002 len=300009")
{
	static char *argv[50003];

	argv[0] = (char *)"x";
	argv[1] = (char *)"@count";
	for (int i = 2; i < 50002; i++)
		argv[i] = (char *)"12345";
	run_path(own_path, argv, no_env);
}

CASE(exec_too_large, "long=E2BIG many=E2BIG fits=exit:0 argc=3 len=131081")
{
	static char text[131072 + 1], *argv[4];
	static char *many[60000];
	pid_t pid;

	memset(text, 'x', sizeof(text) - 1);
	argv[0] = (char *)"x";
	argv[1] = (char *)"@count";
	argv[2] = text;
	TRY("long", execve(own_path, argv, no_env));
	text[131071] = '\0';
	for (int i = 0; i < 59999; i++)
		many[i] = text + 131071 - 1000;
	TRY("many", execve(own_path, many, no_env));
	pid = fork();
	if (pid == 0) {
		NEED(freopen("output", "w", stdout));
		(void)execve(own_path, argv, no_env);
		_exit(100);
	}
	say_status("fits", wait_status(pid));
	line_of("output");
}

/* --- descriptors ------------------------------------------------------------------------------------- */

/* @descriptors: which are open. */
HELPER(descriptors)
{
	(void)argc;
	(void)argv;
	(void)printf("open:");
	for (int fd = 0; fd < 1024; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			(void)printf(" %d", fd);
	(void)printf("\n");
	return 0;
}

CASE(exec_descriptors, "end=exit:0 open: 0 1 2 100 101")
{
	char *argv[] = { (char *)"x", (char *)"@descriptors", NULL };

	NEED(syscall(SYS_close_range, 3, ~0u, 0) == 0);
	NEED(dup2(0, 100) == 100 && dup2(0, 101) == 101 && dup3(0, 102, O_CLOEXEC) == 102);
	run_path(own_path, argv, no_env);
}

/* @closed FILE: the same, into a file, since nothing is open. */
HELPER(closed)
{
	int fd;

	if (argc < 3)
		return 1;
	fd = open(argv[2], O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	(void)dprintf(fd, "first=%d exe=%d\n", fd, open("/proc/self/exe", O_RDONLY));
	return 0;
}

CASE(exec_closed_descriptors, "end=exit:0 first=0 exe=1")
{
	pid_t pid = fork();

	if (pid == 0) {
		NEED(syscall(SYS_close_range, 0, ~0u, 0) == 0);
		(void)execl(own_path, "x", "@closed", "closed", NULL);
		_exit(100);
	}
	say_status("end", wait_status(pid));
	line_of("closed");
}

static void exec_fd(int fd, char **argv, const char *label)
{
	pid_t pid = fork();

	if (pid == 0) {
		NEED(freopen("output", "w", stdout));
		(void)fexecve(fd, argv, no_env);
		say("%s=%s", label, strerrorname_np(errno));
		_exit(100);
	}
	say_status(label, wait_status(pid));
}

CASE(exec_by_descriptor, "file=exit:7 cloexec=exit:7 deleted=exit:7 path=exit:7 bad=EBADF bad=exit:100")
{
	char *argv[] = { (char *)"x", (char *)"@exit", (char *)"7", NULL };

	copy_file(own_path, "copy", 0700);
	exec_fd(open(own_path, O_RDONLY), argv, "file");
	exec_fd(open(own_path, O_RDONLY | O_CLOEXEC), argv, "cloexec");
	{
		int fd = open("copy", O_RDONLY | O_CLOEXEC);

		NEED(unlink("copy") == 0);
		exec_fd(fd, argv, "deleted");
	}
	exec_fd(open(own_path, O_PATH), argv, "path");
	exec_fd(999, argv, "bad");
}

static int memory_file(const char *from, unsigned flags)
{
	static char bytes[1 << 16];
	int in = open(from, O_RDONLY | O_CLOEXEC), fd = memfd_create("program", flags);
	ssize_t len;

	while ((len = read(in, bytes, sizeof(bytes))) > 0)
		NEED(write(fd, bytes, (size_t)len) == len);
	NEED(close(in) == 0);
	return fd;
}

CASE(exec_memfd, "cloexec=exit:8 kept=exit:8")
{
	char *argv[] = { (char *)"x", (char *)"@exit", (char *)"8", NULL };

	exec_fd(memory_file(own_path, MFD_CLOEXEC), argv, "cloexec");
	exec_fd(memory_file(own_path, 0), argv, "kept");
}

CASE(exec_memfd_script, "kept=exit:0 hello cloexec=ENOENT cloexec=exit:100")
{
	char *argv[] = { (char *)"x", NULL };
	int fd = memfd_create("script", 0);

	NEED(write(fd, "#!/bin/sh\necho hello\n", 21) == 21);
	exec_fd(fd, argv, "kept");
	line_of("output");
	fd = memfd_create("script", MFD_CLOEXEC);
	NEED(write(fd, "#!/bin/sh\necho hello\n", 21) == 21);
	exec_fd(fd, argv, "cloexec");
}

CASE(exec_at_directory, "end=exit:9 absolute=exit:9 cwd=exit:9")
{
	char *argv[] = { (char *)"x", (char *)"@exit", (char *)"9", NULL };
	int fd;

	NEED(mkdir("directory", 0700) == 0 && symlink(own_path, "directory/program") == 0);
	fd = open("directory", O_RDONLY | O_DIRECTORY);
	for (int i = 0; i < 3; i++) {
		static const char *const labels[] = { "end", "absolute", "cwd" };
		pid_t pid = fork();

		if (pid == 0) {
			if (i == 2)
				NEED(chdir("directory") == 0);
			(void)syscall(SYS_execveat, i == 2 ? AT_FDCWD : fd, i == 1 ? own_path : "program", argv,
				      no_env, 0);
			_exit(100);
		}
		say_status(labels[i], wait_status(pid));
	}
}

/* Linux 6.14 and later say whether they would execute it (AT_EXECVE_CHECK); others, that they do not know. */
CASE(execveat_check, ANYTHING)
{
	const int check = 0x10000;
	char *argv[] = { (char *)"true", NULL };
	int fd = open("/bin/true", O_PATH | O_CLOEXEC);

	TRY("program", syscall(SYS_execveat, AT_FDCWD, "/bin/true", argv, environ, check));
	TRY("open", syscall(SYS_execveat, fd, "", argv, environ, check | AT_EMPTY_PATH));
	TRY("text", syscall(SYS_execveat, AT_FDCWD, "/etc/passwd", argv, environ, check));
	TRY("directory", syscall(SYS_execveat, AT_FDCWD, "/bin", argv, environ, check));
	TRY("nothing", syscall(SYS_execveat, AT_FDCWD, "/nothing", argv, environ, check));
	TRY("more", syscall(SYS_execveat, AT_FDCWD, "/bin/true", argv, environ, check | 1));
	(void)close(fd);
}

/* --- the image ---------------------------------------------------------------------------------------- */

#define IMAGE "objects=1 loads=1 random=1 pagesz=4096 exe=conformance argv0="
#define IMAGE_END " secure=0 uid=1 entry=1 comm="

CASE(exec_image, "end=exit:0 execfn=conformance " IMAGE "me" IMAGE_END "conformance| stack=1")
{
	char *argv[] = { (char *)"me", (char *)"@image", NULL };

	run_path(own_path, argv, environ);
}

CASE(exec_image_by_link, "end=exit:0 execfn=other " IMAGE "me" IMAGE_END "other| stack=1")
{
	char *argv[] = { (char *)"me", (char *)"@image", NULL };

	NEED(symlink(own_path, "other") == 0);
	run_path("./other", argv, environ);
}

/* The name is the script's, in the auxiliary vector and as the command's. */
CASE(exec_image_of_script, "end=exit:0 execfn=script " IMAGE "x" IMAGE_END "script| stack=1")
{
	char *argv[] = { (char *)"me", NULL };

	NEED(symlink(own_path, "x") == 0);
	write_file("script", "#!x @image\n", 0700);
	run_path("./script", argv, environ);
}

CASE(exec_image_self, "end=exit:0 execfn=exe " IMAGE "me" IMAGE_END "exe| stack=1")
{
	char *argv[] = { (char *)"me", (char *)"@image", NULL };

	run_path("/proc/self/exe", argv, environ);
}

/* @proc: what /proc has of arguments and environment. */
HELPER(proc)
{
	(void)argc;
	(void)argv;
	print_proc("cmdline", "/proc/self/cmdline");
	print_proc("environ", "/proc/self/environ");
	(void)printf("\n");
	return 0;
}

CASE(exec_proc, "end=exit:0  cmdline=one|@proc|three| environ=A=1|B=2| end=exit:0  cmdline=one|@proc| environ=")
{
	char *argv[] = { (char *)"one", (char *)"@proc", (char *)"three", NULL };
	char *envp[] = { (char *)"A=1", (char *)"B=2", NULL };

	run_path(own_path, argv, envp);
	argv[2] = NULL;
	run_path(own_path, argv, no_env);
}

/* @mappings: that there is a heap and a stack, and where the program is without randomization. */
HELPER(mappings)
{
	FILE *file = fopen("/proc/self/maps", "re");
	void *heap = sbrk(0);
	char line[4096];
	int stack = 0, has_heap = 0;

	(void)argc;
	(void)argv;
	(void)sbrk(100000);
	while (file && fgets(line, sizeof(line), file)) {
		stack += strstr(line, "[stack]") != NULL;
		has_heap += strstr(line, "[heap]") != NULL;
	}
	(void)printf("stack=%d heap=%d grown=%d\n", stack, has_heap, (char *)sbrk(0) - (char *)heap == 100000);
	return 0;
}

static void exec_mappings(void)
{
	NEED(freopen("output", "w", stdout));
	(void)execl(own_path, "x", "@mappings", NULL);
}

static void exec_unlimited(void)
{
	const struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };

	(void)setrlimit(RLIMIT_STACK, &limit);
	exec_mappings();
}

static void exec_fixed(void)
{
	NEED(personality(ADDR_NO_RANDOMIZE) >= 0);
	exec_mappings();
}

CASE(exec_mappings, "end=exit:0 stack=1 heap=1 grown=1")
{
	say_end("end", exec_mappings);
	line_of("output");
}

CASE(exec_unlimited_stack, "end=exit:0 stack=1 heap=1 grown=1")
{
	say_end("end", exec_unlimited);
	line_of("output");
}

CASE(exec_no_randomization, "end=exit:0 stack=1 heap=1 grown=1")
{
	say_end("end", exec_fixed);
	line_of("output");
}

/* @place: where the program lies, which is always the same without randomization. */
HELPER(place)
{
	(void)argc;
	(void)argv;
	(void)printf("%p %p\n", (void *)helper_place, (void *)&argc);
	return 0;
}

static void exec_place(void)
{
	NEED(personality(ADDR_NO_RANDOMIZE) >= 0 && freopen("output", "w", stdout));
	(void)execl(own_path, "x", "@place", NULL);
}

CASE(exec_same_place, "same=1")
{
	char first[200], second[200];

	(void)wait_status(start(exec_place));
	(void)read_file("output", first, sizeof(first));
	(void)wait_status(start(exec_place));
	(void)read_file("output", second, sizeof(second));
	say("same=%d", first[0] == '0' && strcmp(first, second) == 0);
}

/* --- from threads --------------------------------------------------------------------------------------- */

static void *exec_in_thread(void *argument)
{
	char *argv[] = { (char *)"x", (char *)"@exit", (char *)"11", NULL };

	(void)argument;
	(void)execve(own_path, argv, no_env);
	return NULL;
}

static void *wait_for_good(void *argument)
{
	for (;;)
		(void)pause();
	return argument;
}

static void *getppid_for_good(void *argument)
{
	for (;;)
		(void)getppid();
	return argument;
}

static void exec_beside_threads(void)
{
	pthread_t thread;

	for (int i = 0; i < 5; i++)
		NEED(pthread_create(&thread, NULL, i % 2 ? wait_for_good : getppid_for_good, NULL) == 0);
	NEED(pthread_create(&thread, NULL, exec_in_thread, NULL) == 0);
	for (;;)
		(void)pause();
}

CASE(exec_from_thread, "end=exit:11 end=exit:11 end=exit:11")
{
	for (int i = 0; i < 3; i++)
		say_end("end", exec_beside_threads);
}

CASE(exec_failed_goes_on, "exec=ENOENT count=1000 fds=same")
{
	char *argv[] = { (char *)"x", NULL };
	int before = dup(0), after, count = 0;

	TRY("exec", execve("/nowhere", argv, no_env));
	for (int i = 0; i < 1000; i++)
		count += execve("/", argv, environ) < 0 && errno == EACCES;
	after = dup(0);
	say("count=%d fds=%s", count, after == before + 1 ? "same" : "other");
}

CASE_AS_ROOT(exec_in_chroot, "end=exit:0")
{
	pid_t pid;

	NEED(mkdir("root", 0700) == 0);
	copy_file("/bin/busybox", "root/true", 0755);
	pid = fork();
	if (pid == 0) {
		NEED(chroot("root") == 0 && chdir("/") == 0);
		(void)execl("/true", "true", NULL);
		_exit(100);
	}
	say_status("end", wait_status(pid));
}
