/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An ELF file is mapped segment by segment into a reservation of its whole extent, so that nothing gets
 * between. Behind the file's bytes of a writable segment the whole last page is zeroed: dynamic loaders
 * allocate from its tail. What is in the file is not believed: all that is computed from it is checked
 * against the address space, and the kernel has the last word, since nothing is ever mapped over something.
 */
#include "vuos/resident/loader.h"

#include <linux/fcntl.h>

#include "vuos/resident/context.h"
#include "vuos/resident/elf.h"
#include "vuos/resident/memory.h"
#include "vuos/resident/own_name.h"
#include "vuos/resident/reserved.h"

#define O_CLOEXEC_READ  (O_RDONLY | O_CLOEXEC)
#define HEAD_SIZE       1024 /* most programs have all their headers there, and buffers cost faults */
#define PLACE           0x555555554000ull /* of a program that may be anywhere, without randomization */
#define ROOM            (ELF_ADDRESS_MAX - PLACE)
#define PLACE_BITS      28                /* as mmap(2) has them by default */

#define PROT_NONE       0
#define PROT_READ       1
#define PROT_EXEC       4
#define PROT_READ_WRITE 3
#define MAP_MEMORY      0x22
#define MAP_FIXED       0x10
#define MAP_RESERVE     0x4022   /* private, anonymous, no reservation of memory */
#define MAP_AT          0x104022 /* the same, MAP_FIXED_NOREPLACE */
#define MAP_FILE_FIXED  0x12
#define MAP_ZERO_FIXED  0x32

/* A file that is being mapped. */
struct image {
	const char *path;
	long fd;
	struct elf_extent extent; /* as the file says */
	uint64_t bias; /* what is added to the file's addresses */
	unsigned num;
	const Elf64_Phdr *headers;
	bool is_loader; /* the dynamic loader of another */
	uint64_t headers_memory; /* a mapping with them; 0: they are in the head */
	union {
		Elf64_Ehdr elf;
		char bytes[HEAD_SIZE];
	} head;
};

/* -EFAULT: a file that is shorter than its headers say has nothing there. */
static long clear_bytes(uint64_t begin, uint64_t end)
{
	static const char zeros[256];

	for (uint64_t at = begin; at < end; at += sizeof(zeros))
		if (copy_out(at, zeros, MIN(end - at, sizeof(zeros))) < 0)
			return -EFAULT;
	return 0;
}

static long refuse(const struct image *image, const char *why)
{
	complain(image->path, ": ", why, NULL);
	return -ENOEXEC;
}

/* Of N bytes of the head. Program headers are nearly always in it. */
static long find_headers(struct image *image, long n)
{
	const Elf64_Ehdr *elf = &image->head.elf;
	long len = (long)(elf->e_phnum * sizeof(Elf64_Phdr)), memory;

	image->num = elf->e_phnum;
	image->headers = (const Elf64_Phdr *)(const void *)(image->head.bytes + elf->e_phoff);
	if (elf->e_phoff <= (uint64_t)n && len <= n - (long)elf->e_phoff && elf->e_phoff % 8 == 0)
		return 0;
	memory = NATIVE(__NR_mmap, 0, ELF_HEADERS_MAX, PROT_READ_WRITE, MAP_MEMORY, -1, 0);
	if (is_error(memory))
		return refuse(image, "there is no room in memory");
	image->headers_memory = (uint64_t)memory;
	image->headers = (const Elf64_Phdr *)memory;
	if (NATIVE(__NR_pread64, image->fd, memory, len, elf->e_phoff) != len)
		return refuse(image, "its program headers cannot be read");
	return 0;
}

static long read_head(struct image *image)
{
	long n;

	if (image->fd < 0)
		image->fd = NATIVE(__NR_openat, AT_FDCWD, image->path, O_CLOEXEC_READ, 0);
	if (image->fd < 0) {
		complain(image->path, ": it cannot be opened for reading", NULL);
		return image->fd;
	}
	n = NATIVE(__NR_pread64, image->fd, image->head.bytes, HEAD_SIZE, 0);
	if (n < 0 || !elf_is_program(image->head.bytes, (size_t)n))
		return refuse(image, "not a program for x86-64");
	return find_headers(image, n);
}

static long measure(struct image *image)
{
	const char *why = elf_measure(image->headers, image->num, &image->extent);
	bool has_loader = !image->is_loader && elf_find_loader(image->headers, image->num);

	/* Above the kernel's place for a program with a loader is no more room; nor below the first segment. */
	if (!why && image->head.elf.e_type == ET_DYN &&
	    (has_loader ? image->extent.high : image->extent.first) - image->extent.low > ROOM)
		why = "there is no room in memory";
	if (!why && !image->extent.high && !has_loader)
		why = "it has nothing to load";
	if (!why && !has_loader && image->head.elf.e_entry >= ELF_ADDRESS_MAX)
		why = "it begins at no address";
	return why ? refuse(image, why) : 0;
}

/* Anywhere, at a multiple of ALIGN: what is too much is given back. */
static long reserve_aligned(uint64_t len, uint64_t align)
{
	long memory = NATIVE(__NR_mmap, 0, len + align, PROT_NONE, MAP_RESERVE, -1, 0);
	uint64_t begin = (uint64_t)memory, at = (begin + align - 1) & ~(align - 1);

	if (is_error(memory))
		return memory;
	if (at > begin)
		(void)NATIVE(__NR_munmap, begin, at - begin);
	(void)NATIVE(__NR_munmap, at + len, begin + align - at);
	return (long)at;
}

/* Reserves the extent at WHERE, or (0) anywhere; the bias is set by that. */
static long reserve(struct image *image, uint64_t where)
{
	const struct elf_extent *extent = &image->extent;
	uint64_t len = extent->high - extent->low;
	long at = -ENOMEM;

	if (image->head.elf.e_type == ET_EXEC) {
		/* A dynamic loader takes its place from whatever is there, but not from us. */
		bool apart = extent->high <= RESIDENT_BASE || extent->low >= PAGE_UP(resident_end);

		at = NATIVE(__NR_mmap, extent->low, len, PROT_NONE,
			    image->is_loader && apart ? MAP_RESERVE | MAP_FIXED : MAP_AT, -1, 0);
		if (at != (long)extent->low)
			return refuse(image, "its place in memory is taken");
		return 0;
	}
	if (where)
		at = NATIVE(__NR_mmap, where & ~(extent->align - 1), len, PROT_NONE, MAP_AT, -1, 0);
	if (is_error(at) && extent->align == PAGE)
		at = NATIVE(__NR_mmap, 0, len, PROT_NONE, MAP_RESERVE, -1, 0);
	if (is_error(at))
		at = reserve_aligned(len, extent->align);
	if (is_error(at))
		return refuse(image, "there is no room in memory");
	image->bias = (uint64_t)at - extent->low;
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
			memory_add_code(page, file_end, image->fd, PAGE_DOWN(p->p_offset),
					image->is_loader ? CODE_LOADER : CODE_PROGRAM);
		if (end > file_end && p->p_flags & PF_W && clear_bytes(file_end, zeros) < 0)
			return refuse(image, "it is shorter than its headers say");
	}
	/* The kernel makes them as it makes a heap: they can always be written. */
	if (end > zeros && is_error(NATIVE(__NR_mmap, zeros, PAGE_UP(end) - zeros,
					   PROT_READ_WRITE | (protection(p) & PROT_EXEC), MAP_ZERO_FIXED, -1,
					   0)))
		return refuse(image, "memory for its variables cannot be mapped");
	return 0;
}

static long map_image(struct image *image, const char *path, long fd, uint64_t where)
{
	long r;

	image->path = path;
	image->fd = fd;
	r = read_head(image);
	if (r == 0)
		r = measure(image);
	if (r == 0 && image->extent.high)
		r = reserve(image, where);
	for (unsigned i = 0; r == 0 && i < image->num; i++)
		if (image->headers[i].p_type == PT_LOAD)
			r = map_segment(image, &image->headers[i]);
	return r;
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
	ret->end = image->bias + image->extent.high;
}

/* For /proc/self/exe, which is the file, whatever its name means by then. */
static void keep_program(struct image *image)
{
	if (reserved_add(RESERVED_PROGRAM, (int)image->fd) == 0)
		image->fd = -1;
}

static void done_with(struct image *image)
{
	if (image->fd >= 0)
		(void)NATIVE(__NR_close, image->fd);
	if (image->headers_memory)
		(void)NATIVE(__NR_munmap, image->headers_memory, ELF_HEADERS_MAX);
}

/* The dynamic loader that the program names. */
static long map_loader(const struct image *program, const Elf64_Phdr *named, long fd, struct loaded *ret)
{
	struct image loader = { .fd = fd, .is_loader = true };
	char name[ELF_NAME_MAX];
	long len = (long)MIN(named->p_filesz, sizeof(name)), r = 0;

	if (NATIVE(__NR_pread64, program->fd, name, len, named->p_offset) != len ||
	    !elf_is_loader_name(name, named->p_filesz))
		r = refuse(program, "the name of its dynamic loader cannot be read");
	if (r == 0)
		r = map_image(&loader, name, fd, 0);
	if (r == 0) {
		ret->base = loader.bias + loader.extent.low;
		ret->start = loader.bias + loader.head.elf.e_entry;
	}
	done_with(&loader);
	return r;
}

long load_program(const struct load *load, struct loaded *ret, char *name)
{
	struct image program = { .fd = -1 };
	uint64_t where = PLACE + ((load->random & ((1ull << PLACE_BITS) - 1)) << 12), headers;
	long r = map_image(&program, load->path, load->program, where);
	const Elf64_Phdr *loader = r == 0 ? elf_find_loader(program.headers, program.num) : NULL;

	*ret = (struct loaded){ 0 };
	if (r == 0) {
		ret->entry = ret->start = program.bias + program.head.elf.e_entry;
		if (elf_find_headers(&program.head.elf, program.headers, program.num, &headers))
			ret->headers = program.bias + headers;
		ret->num_headers = program.num;
		describe(&program, ret);
		if (name)
			own_name_ask(program.fd, load->path, name);
	}
	if (loader)
		r = map_loader(&program, loader, load->loader, ret);
	if (r == 0)
		keep_program(&program);
	done_with(&program);
	return r;
}
