/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Programs that are made to be odd: what exec says of them, and what runs all the same. */
#include "conformance.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>

enum { HEADERS_MAX = 200, FILE_SIZE = 16 << 10, CODE = 12 << 10, NAME = 14 << 10, STATUS = 7 };

/* A program that only ends: one segment with all of the file, and what a case changes. */
struct program {
	union {
		struct {
			Elf64_Ehdr elf;
			Elf64_Phdr headers[HEADERS_MAX];
		};
		uint8_t bytes[FILE_SIZE];
	};
	size_t size;
};

static const uint8_t code[] = {
	0xb8, SYS_exit, 0, 0, 0, /* mov $SYS_exit, %eax */
	0xbf, STATUS, 0, 0, 0,   /* mov $STATUS, %edi */
	0x0f, 0x05,              /* syscall */
};

static struct program *new_program(void)
{
	static struct program p;

	memset(&p, 0, sizeof(p));
	memcpy(p.elf.e_ident, ELFMAG, SELFMAG);
	p.elf.e_ident[EI_CLASS] = ELFCLASS64;
	p.elf.e_ident[EI_DATA] = ELFDATA2LSB;
	p.elf.e_ident[EI_VERSION] = EV_CURRENT;
	p.elf.e_type = ET_DYN;
	p.elf.e_machine = EM_X86_64;
	p.elf.e_entry = CODE;
	p.elf.e_phoff = sizeof(p.elf);
	p.elf.e_phentsize = sizeof(Elf64_Phdr);
	p.elf.e_phnum = 1;
	p.headers[0] = (Elf64_Phdr){ .p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_filesz = FILE_SIZE,
				     .p_memsz = FILE_SIZE, .p_align = PAGE };
	memcpy(p.bytes + CODE, code, sizeof(code));
	p.size = FILE_SIZE;
	return &p;
}

/* The dynamic loader that it names, in a header before the others. */
static void name_loader(struct program *p, const char *name, size_t len)
{
	memmove(&p->headers[1], &p->headers[0], sizeof(p->headers[0]) * p->elf.e_phnum);
	p->headers[0] = (Elf64_Phdr){ .p_type = PT_INTERP, .p_offset = NAME, .p_filesz = len };
	p->elf.e_phnum++;
	memcpy(p->bytes + NAME, name, strlen(name) + 1);
}

static void save(const struct program *p, const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);

	NEED(fd >= 0 && write(fd, p->bytes, p->size) == (ssize_t)p->size && close(fd) == 0);
}

/* How it ends, or the error of exec. */
static void run(const char *label, const struct program *p)
{
	char *argv[] = { (char *)"x", NULL };
	pid_t pid;

	save(p, "program");
	pid = fork();
	if (pid == 0) {
		NEED(freopen("/dev/null", "w", stderr)); /* why it is refused may be said there */
		(void)execv("./program", argv);
		say("%s=%s", label, strerrorname_np(errno));
		_exit(100);
	}
	pid = wait_status(pid);
	if (!WIFEXITED(pid) || WEXITSTATUS(pid) != 100)
		say_status(label, pid);
}

CASE(elf_heads, "plain=exit:7 fixed=exit:7 type=ENOEXEC none=ENOEXEC size=ENOEXEC many=ENOEXEC "
		"far=ENOEXEC short=ENOEXEC")
{
	struct program *p = new_program();

	run("plain", p);
	p->elf.e_type = ET_EXEC;
	p->elf.e_entry += 0x10000000;
	p->headers[0].p_vaddr = 0x10000000;
	run("fixed", p);
	p->elf.e_type = ET_CORE;
	run("type", p);
	p = new_program();
	p->elf.e_phnum = 0;
	run("none", p);
	p = new_program();
	p->elf.e_phentsize = 32;
	run("size", p);
	p = new_program();
	p->elf.e_phnum = 1200;
	run("many", p);
	p = new_program();
	p->elf.e_phoff = 1 << 30;
	run("far", p);
	p = new_program();
	p->size = 100;
	run("short", p);
}

/* More headers than one would read at once, wherever they are. */
CASE(elf_many_headers, "many=exit:7 behind=exit:7 loader=ENOENT odd=exit:7")
{
	struct program *p = new_program();

	p->headers[HEADERS_MAX - 1] = p->headers[0];
	p->headers[0] = (Elf64_Phdr){ .p_type = PT_NOTE };
	p->elf.e_phnum = HEADERS_MAX;
	run("many", p);
	p = new_program();
	p->elf.e_phoff = CODE + 64;
	memcpy(p->bytes + p->elf.e_phoff, &p->headers[0], sizeof(p->headers[0]));
	run("behind", p);
	p = new_program();
	p->headers[150] = (Elf64_Phdr){ .p_type = PT_INTERP, .p_offset = NAME, .p_filesz = 9 };
	(void)strcpy((char *)p->bytes + NAME, "/nowhere");
	p->elf.e_phnum = HEADERS_MAX;
	run("loader", p);
	p = new_program();
	p->elf.e_phoff = CODE + 101;
	memcpy(p->bytes + p->elf.e_phoff, &p->headers[0], sizeof(p->headers[0]));
	run("odd", p);
}

/* exec has taken the old program away by then. */
CASE(elf_segments, "nothing=SIGSEGV longer=SIGSEGV offset=SIGSEGV huge=SIGSEGV above=SIGSEGV align=exit:7 "
		   "odd_align=exit:7 data=exit:7 cut=SIGSEGV entry=SIGSEGV no_address=SIGSEGV")
{
	struct program *p = new_program();

	p->headers[0].p_type = PT_NOTE;
	run("nothing", p);
	p = new_program();
	p->headers[0].p_memsz = 100;
	run("longer", p);
	p = new_program();
	p->headers[0].p_offset = 100;
	run("offset", p);
	p = new_program();
	p->headers[0].p_memsz = 1ull << 60;
	run("huge", p);
	p = new_program();
	p->elf.e_type = ET_EXEC;
	p->headers[0].p_vaddr = 0xffff800000000000;
	run("above", p);
	p = new_program();
	p->headers[0].p_align = 2 << 20;
	run("align", p);
	p->headers[0].p_align = 3 * PAGE + 1;
	run("odd_align", p);
	p = new_program();
	p->elf.e_phnum = 2;
	p->headers[1] = (Elf64_Phdr){ .p_type = PT_LOAD, .p_flags = PF_R | PF_W, .p_vaddr = (1 << 20) + 100,
				      .p_offset = 100, .p_filesz = 1000, .p_memsz = 1 << 20, .p_align = PAGE };
	run("data", p);
	p->headers[1].p_filesz = p->headers[1].p_memsz = 1 << 19;
	p->headers[1].p_memsz += 100;
	run("cut", p);
	p = new_program();
	p->elf.e_entry = 1 << 30;
	run("entry", p);
	p->elf.e_entry = 1ull << 62;
	run("no_address", p);
}

CASE(elf_loaders, "one=ENOEXEC empty=ENOEXEC open=ENOEXEC beyond=EIO long=ENOEXEC missing=ENOENT "
		  "plain=EACCES text=EIO zeros=ELIBBAD works=exit:7 component=ENOTDIR")
{
	struct program *p = new_program();

	name_loader(p, "x", 1);
	run("one", p);
	p->headers[0].p_filesz = 0;
	run("empty", p);
	p = new_program();
	name_loader(p, "./loader", 8);
	run("open", p);
	p->headers[0].p_offset = 1 << 20;
	run("beyond", p);
	p->headers[0].p_filesz = 5000;
	run("long", p);
	p = new_program();
	name_loader(p, "./loader", 9);
	run("missing", p);
	write_file("loader", "text", 0600);
	run("plain", p);
	NEED(chmod("loader", 0700) == 0);
	run("text", p);
	NEED(truncate("loader", 1000) == 0);
	run("zeros", p);
	NEED(unlink("loader") == 0);
	save(new_program(), "loader");
	p = new_program();
	name_loader(p, "./loader", 9);
	p->elf.e_entry = 0; /* nobody begins there */
	run("works", p);
	p = new_program();
	name_loader(p, "./loader/x", 11);
	run("component", p);
}
