/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An ELF file is mapped segment by segment into a reservation of its whole extent, so that nothing gets
 * between. Behind the file's bytes of a writable segment the whole last page is zeroed: dynamic loaders
 * allocate from its tail. What is in the file is not believed: all that is computed from it is checked
 * against the address space, and the kernel has the last word, since nothing is ever mapped over something.
 */
#include "vuos/resident/loader.h"

#include "vuos/resident/memory.h"

#include <linux/elf.h>
#include <linux/fcntl.h>

#define O_CLOEXEC_READ  02000000
#define HEAD_SIZE       4096
#define HEADERS_MAX     ((HEAD_SIZE - sizeof(Elf64_Ehdr)) / sizeof(Elf64_Phdr))
#define ADDRESS_MAX     0x7ffffffff000ull
#define PLACE           0x555555554000ull /* of a program that may be anywhere, without randomization */
#define PLACE_BITS      28                /* as mmap(2) has them by default */

#define PROT_NONE       0
#define PROT_READ       1
#define PROT_EXEC       4
#define MAP_RESERVE     0x4022   /* private, anonymous, no reservation of memory */
#define MAP_AT          0x104022 /* the same, MAP_FIXED_NOREPLACE */
#define MAP_FILE_FIXED  0x12
#define MAP_ZERO_FIXED  0x32

/* A file that is being mapped. */
struct image {
	const char *path;
	long fd;
	uint64_t low, high; /* extent, as the file says */
	uint64_t align;
	uint64_t bias; /* what is added to the file's addresses */
	unsigned num;
	const Elf64_Phdr *headers;
	union {
		Elf64_Ehdr elf;
		char bytes[HEAD_SIZE];
	} head;
	char interpreter[PATH_MAX]; /* "": none */
};

static long refuse(const struct image *image, const char *why)
{
	complain(image->path, ": ", why, NULL);
	return -ENOEXEC;
}

static long read_head(struct image *image)
{
	const Elf64_Ehdr *elf = &image->head.elf;
	long n;

	image->fd = NATIVE(__NR_openat, AT_FDCWD, image->path, O_CLOEXEC_READ, 0);
	if (image->fd < 0) {
		complain(image->path, ": it cannot be opened for reading", NULL);
		return image->fd;
	}
	n = NATIVE(__NR_pread64, image->fd, image->head.bytes, HEAD_SIZE, 0);
	if (n < (long)sizeof(*elf) || memcmp(elf->e_ident, ELFMAG, SELFMAG) != 0 ||
	    elf->e_ident[EI_CLASS] != ELFCLASS64 || elf->e_machine != EM_X86_64)
		return refuse(image, "not a program for x86-64");
	if (elf->e_phentsize != sizeof(Elf64_Phdr) || elf->e_phnum == 0 || elf->e_phnum > HEADERS_MAX ||
	    elf->e_phoff > (uint64_t)n || elf->e_phnum * sizeof(Elf64_Phdr) > (uint64_t)n - elf->e_phoff)
		return refuse(image, "its program headers are not where they are expected");
	image->headers = (const Elf64_Phdr *)(const void *)(image->head.bytes + elf->e_phoff);
	image->num = elf->e_phnum;
	return 0;
}

static bool is_sane(const Elf64_Phdr *p)
{
	return p->p_filesz <= p->p_memsz && p->p_memsz < ADDRESS_MAX && p->p_vaddr < ADDRESS_MAX &&
	       p->p_vaddr + p->p_memsz < ADDRESS_MAX && p->p_vaddr % PAGE == p->p_offset % PAGE &&
	       p->p_align <= ADDRESS_MAX / 4 && !(p->p_align & (p->p_align - 1));
}

static long measure(struct image *image)
{
	image->low = UINT64_MAX;
	image->align = PAGE;
	for (unsigned i = 0; i < image->num; i++) {
		const Elf64_Phdr *p = &image->headers[i];

		if (p->p_type == PT_INTERP) {
			if (p->p_filesz < 2 || p->p_filesz >= sizeof(image->interpreter) ||
			    NATIVE(__NR_pread64, image->fd, image->interpreter, p->p_filesz, p->p_offset) !=
				    (long)p->p_filesz)
				return refuse(image, "the name of its dynamic loader cannot be read");
			image->interpreter[p->p_filesz] = '\0';
		}
		if (p->p_type != PT_LOAD)
			continue;
		if (!is_sane(p))
			return refuse(image, "a segment that cannot be");
		image->low = MIN(image->low, PAGE_DOWN(p->p_vaddr));
		image->high = MAX(image->high, PAGE_UP(p->p_vaddr + p->p_memsz));
		image->align = MAX(image->align, p->p_align);
	}
	return image->low < image->high ? 0 : refuse(image, "it has nothing to load");
}

/* Reserves the extent at WHERE, or (0) anywhere; the bias is set by that. */
static long reserve(struct image *image, uint64_t where)
{
	uint64_t len = image->high - image->low;
	long at = -ENOMEM;

	if (image->head.elf.e_type == ET_EXEC) {
		at = NATIVE(__NR_mmap, image->low, len, PROT_NONE, MAP_AT, -1, 0);
		if (at != (long)image->low)
			return refuse(image, "its place in memory is taken");
		return 0;
	}
	if (where)
		at = NATIVE(__NR_mmap, where & ~(image->align - 1), len, PROT_NONE, MAP_AT, -1, 0);
	if (is_error(at) && image->align == PAGE)
		at = NATIVE(__NR_mmap, 0, len, PROT_NONE, MAP_RESERVE, -1, 0);
	if (is_error(at)) {
		at = NATIVE(__NR_mmap, 0, len + image->align, PROT_NONE, MAP_RESERVE, -1, 0);
		if (is_error(at))
			return refuse(image, "there is no room in memory");
		at = (long)(((uint64_t)at + image->align - 1) & ~(image->align - 1));
	}
	image->bias = (uint64_t)at - image->low;
	return 0;
}

static int protection(const Elf64_Phdr *p)
{
	return (p->p_flags & PF_R ? 1 : 0) | (p->p_flags & PF_W ? 2 : 0) | (p->p_flags & PF_X ? 4 : 0);
}

static long map_segment(const struct image *image, const Elf64_Phdr *p)
{
	uint64_t begin = image->bias + p->p_vaddr, file_end = begin + p->p_filesz;
	uint64_t end = begin + p->p_memsz, page = PAGE_DOWN(begin), zeros = page;

	if (p->p_filesz) {
		if (is_error(NATIVE(__NR_mmap, page, file_end - page, protection(p), MAP_FILE_FIXED,
				    image->fd, PAGE_DOWN(p->p_offset))))
			return refuse(image, "a segment cannot be mapped");
		zeros = PAGE_UP(file_end);
		if (protection(p) == (PROT_READ | PROT_EXEC))
			memory_add_code(page, file_end);
		/* A file that is shorter than its headers say faults here, as it would in the kernel. */
		if (end > file_end && p->p_flags & PF_W)
			memset((void *)file_end, 0, PAGE_UP(file_end) - file_end);
	}
	if (end > zeros && is_error(NATIVE(__NR_mmap, zeros, PAGE_UP(end) - zeros, protection(p),
					   MAP_ZERO_FIXED, -1, 0)))
		return refuse(image, "memory for its variables cannot be mapped");
	return 0;
}

static long map_image(struct image *image, const char *path, uint64_t where)
{
	long r;

	image->path = path;
	r = read_head(image);
	if (r == 0)
		r = measure(image);
	if (r == 0)
		r = reserve(image, where);
	for (unsigned i = 0; r == 0 && i < image->num; i++)
		if (image->headers[i].p_type == PT_LOAD)
			r = map_segment(image, &image->headers[i]);
	return r;
}

/* Where the program headers are in memory: 0: nowhere. */
static uint64_t headers_address(const struct image *image)
{
	uint64_t at = image->head.elf.e_phoff;

	for (unsigned i = 0; i < image->num; i++)
		if (image->headers[i].p_type == PT_PHDR)
			return image->bias + image->headers[i].p_vaddr;
	for (unsigned i = 0; i < image->num; i++) {
		const Elf64_Phdr *p = &image->headers[i];

		if (p->p_type == PT_LOAD && p->p_offset <= at && at < p->p_offset + p->p_filesz)
			return image->bias + p->p_vaddr + at - p->p_offset;
	}
	return 0;
}

/* Code and data as the kernel shows them in /proc/PID/stat, and the stack's permission. */
static void describe(const struct image *image, struct loaded *ret)
{
	ret->code = ret->data = UINT64_MAX;
	for (unsigned i = 0; i < image->num; i++) {
		const Elf64_Phdr *p = &image->headers[i];
		uint64_t begin = image->bias + p->p_vaddr;

		if (p->p_type == PT_GNU_STACK)
			ret->executable_stack = p->p_flags & PF_X;
		if (p->p_type != PT_LOAD)
			continue;
		ret->code = MIN(ret->code, begin);
		if (p->p_flags & PF_X)
			ret->code_end = MAX(ret->code_end, begin + p->p_filesz);
		ret->data = ret->data == UINT64_MAX ? begin : MAX(ret->data, begin);
		ret->data_end = MAX(ret->data_end, begin + p->p_filesz);
	}
	ret->end = image->bias + image->high;
}

static void file_name(long fd, const char *path, char *name)
{
	char link[64];
	long n;

	(void)text_put_number(text_put(link, "/proc/self/fd/"), (uint64_t)fd, 10);
	n = NATIVE(__NR_readlink, link, name, PATH_MAX - 1);
	if (n > 0)
		name[n] = '\0';
	else
		(void)text_put(name, path);
}

long load_program(const char *path, uint64_t random, struct loaded *ret, char *name)
{
	struct image program = { .fd = -1 }, loader = { .fd = -1 };
	uint64_t where = PLACE + ((random & ((1ull << PLACE_BITS) - 1)) << 12);
	long r = map_image(&program, path, where);

	*ret = (struct loaded){ 0 };
	if (r == 0 && program.interpreter[0])
		r = map_image(&loader, program.interpreter, 0);
	if (r == 0) {
		ret->entry = ret->start = program.bias + program.head.elf.e_entry;
		ret->headers = headers_address(&program);
		ret->num_headers = program.num;
		describe(&program, ret);
		file_name(program.fd, path, name);
	}
	if (r == 0 && loader.fd >= 0) {
		ret->base = loader.bias + loader.low;
		ret->start = loader.bias + loader.head.elf.e_entry;
	}
	if (program.fd >= 0)
		(void)NATIVE(__NR_close, program.fd);
	if (loader.fd >= 0)
		(void)NATIVE(__NR_close, loader.fd);
	return r;
}
