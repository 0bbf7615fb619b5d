/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ring_client DIR COUNT: joins the switch at DIR, sends a broadcast frame, prints the COUNT frames that
 * come next. Needs the C library only; docs/ring-protocol.md explains each step. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define NEED(condition) do { if (!(condition)) { perror(#condition); exit(1); } } while (0)
#define ROUND(bytes) (((uint32_t)(bytes) + 7) & ~7u)

enum { HELLO = 1, WELCOME = 2, DESCRIPTION = 5, SIZES = 7, OFFSETS = 8, PAD = 0, FRAME = 1, VNET = 16 };
struct header { uint32_t magic, size; uint16_t major, message; uint32_t error; uint64_t features[2]; };
struct item { uint16_t type, len; };
struct record { uint32_t len; uint16_t type, flags; };
struct words { /* shared, of one direction */
	_Atomic uint32_t head, busy, more[30];
	_Atomic uint32_t tail, punching, yet_more[30];
	_Atomic uint32_t consumer_sleeps, producer_waits;
};
struct ring { struct words *words; uint8_t *data; uint32_t size, own; };

static int control, fds[3]; /* fds: memory, the bell that we ring, the one that we hear */
static struct ring out, in;

static void ring_bell(_Atomic uint32_t *flag)
{
	if (atomic_exchange(flag, 0))
		NEED(write(fds[1], "", 1) == 1);
}

static void join(const char *dir)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	struct { struct header header; struct item item; char text[12]; } hello = {
		{ 0x52454456, sizeof(hello), 1, HELLO, 0, { 0, 0 } }, { DESCRIPTION, 11 }, "ring_client" };
	_Alignas(8) uint8_t answer[4096], *memory, *at = answer + sizeof(struct header);
	union { struct cmsghdr header; char space[CMSG_SPACE(sizeof(fds))]; } rights;
	struct iovec iov = { answer, sizeof(answer) };
	struct msghdr msg = { NULL, 0, &iov, 1, &rights, sizeof(rights), 0 };
	uint32_t sizes[2] = { 0 };
	uint64_t offsets[2] = { 0 };
	struct stat st;
	ssize_t len;

	snprintf(name.sun_path, sizeof(name.sun_path), "%s/ring", dir);
	NEED((control = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)) >= 0);
	NEED(connect(control, (struct sockaddr *)&name, sizeof(name)) == 0);
	NEED(send(control, &hello, sizeof(hello), MSG_NOSIGNAL) == sizeof(hello));
	NEED((len = recvmsg(control, &msg, MSG_CMSG_CLOEXEC)) >= (ssize_t)sizeof(struct header));
	NEED(((struct header *)answer)->message == WELCOME); /* a refusal has a code and a text */
	NEED(!(msg.msg_flags & MSG_CTRUNC) && msg.msg_controllen == sizeof(rights));
	memcpy(fds, CMSG_DATA(&rights.header), sizeof(fds));
	for (struct item item; at + 20 <= answer + len; at += sizeof(item) + (item.len + 3) / 4 * 4) {
		memcpy(&item, at, sizeof(item));
		if (item.type == SIZES)
			memcpy(sizes, at + sizeof(item), sizeof(sizes));
		if (item.type == OFFSETS)
			memcpy(offsets, at + sizeof(item), sizeof(offsets));
	}
	NEED(fstat(fds[0], &st) == 0 && (fcntl(fds[0], F_GET_SEALS) & F_SEAL_SHRINK));
	for (int i = 0; i < 2; i++)
		NEED(sizes[i] && offsets[i] + sizes[i] <= (uint64_t)st.st_size);
	memory = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fds[0], 0);
	NEED(memory != MAP_FAILED);
	out = (struct ring){ (struct words *)memory, memory + offsets[0], sizes[0], 0 };
	in = (struct ring){ (struct words *)(memory + 1024), memory + offsets[1], sizes[1], 0 };
}

static void put_record(uint32_t len, uint16_t type, const void *frame)
{
	uint8_t *at = out.data + (out.own & (out.size - 1));

	memcpy(at, &(struct record){ len, type, 0 }, sizeof(struct record));
	if (type == FRAME) {
		memset(at + sizeof(struct record), 0, VNET); /* nothing is left to be done to it */
		memcpy(at + sizeof(struct record) + VNET, frame, len - VNET);
	}
	out.own += ROUND(sizeof(struct record) + len);
}

static int send_frame(const void *frame, uint32_t len) /* 0: the ring is full */
{
	uint32_t need = ROUND(sizeof(struct record) + VNET + len);
	uint32_t to_end = out.size - (out.own & (out.size - 1)), pad = need > to_end ? to_end : 0;

	if (need + pad > out.size - (out.own - out.words->tail))
		return 0;
	out.words->busy = 1; /* so that the switch takes no memory away */
	while (out.words->punching)
		sched_yield();
	if (pad)
		put_record(pad - (uint32_t)sizeof(struct record), PAD, NULL);
	put_record(VNET + len, FRAME, frame);
	out.words->head = out.own;
	out.words->busy = 0;
	ring_bell(&out.words->consumer_sleeps);
	return 1;
}

static int print_frames(void)
{
	struct record record;
	int count = 0;

	for (; in.own != in.words->head; in.own += ROUND(sizeof(record) + record.len)) {
		const uint8_t *at = in.data + (in.own & (in.size - 1));

		memcpy(&record, at, sizeof(record));
		NEED(at + sizeof(record) + record.len <= in.data + in.size);
		if (record.type != FRAME || record.len < VNET)
			continue; /* padding, and what later versions have */
		printf("%u:", record.len - VNET);
		for (uint32_t i = VNET; i < record.len; i++)
			printf(" %02x", at[sizeof(record) + i]);
		puts("");
		count++;
	}
	in.words->tail = in.own;
	ring_bell(&in.words->producer_waits);
	return fflush(stdout) == 0 ? count : 0;
}

int main(int argc, char **argv)
{
	uint8_t hello[60] = { 255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 1, 0x88, 0xb5, 'h', 'i' };
	char signals[64];

	NEED(argc == 3);
	signal(SIGPIPE, SIG_IGN); /* the switch may end while we ring */
	join(argv[1]);
	NEED(send_frame(hello, sizeof(hello)));
	for (int left = atoi(argv[2]); (left -= print_frames()) > 0;) {
		struct pollfd wait[2] = { { fds[2], POLLIN, 0 }, { control, POLLIN, 0 } };

		in.words->consumer_sleeps = 1; /* say it first, and look again */
		if (in.own != in.words->head)
			continue;
		NEED(poll(wait, 2, -1) > 0 && !wait[1].revents); /* the end of control: it is gone */
		NEED(read(fds[2], signals, sizeof(signals)) > 0);
	}
	return 0;
}
