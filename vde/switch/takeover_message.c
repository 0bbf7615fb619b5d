/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vde/switch/takeover_message.h"

#include <poll.h>
#include <sys/socket.h>
#include <time.h>

#include "base/clock.h"
#include "base/io.h"
#include "wire/vde_ring.h"

#define ITEM_ALIGN  8
#define RETRY_NS    NS_PER_MSEC /* after the kernel had too many descriptors on their way */

struct message_header {
	uint32_t magic;
	uint32_t size; /* of the whole message */
	uint16_t version;
	uint16_t kind;
	uint32_t num_fds;
};

struct item_header {
	uint16_t type;
	uint16_t reserved;
	uint32_t len; /* of the value, without padding */
};

void takeover_message_done(struct takeover_message *m)
{
	for (unsigned i = m->next_fd; m->received && i < m->num_fds; i++)
		(void)close(m->fds[i]);
	strbuf_done(&m->items);
	*m = (struct takeover_message){ 0 };
}

/* --- making ---------------------------------------------------------------------------------- */

void takeover_begin(struct takeover_message *m, enum takeover_kind kind)
{
	struct strbuf items;

	strbuf_clear(&m->items);
	m->items.limit = TAKEOVER_MAX - sizeof(struct message_header);
	items = m->items;
	m->items = (struct strbuf){ 0 };
	takeover_message_done(m);
	m->items = items;
	m->kind = (uint16_t)kind;
}

void takeover_put(struct takeover_message *m, enum takeover_item type, const void *data, size_t len)
{
	static const char zeros[ITEM_ALIGN];
	struct item_header header = { .type = (uint16_t)type, .len = (uint32_t)len };

	strbuf_append(&m->items, &header, sizeof(header));
	strbuf_append(&m->items, data, len);
	strbuf_append(&m->items, zeros, -len % ITEM_ALIGN);
}

void takeover_put_text(struct takeover_message *m, enum takeover_item type, const char *text)
{
	if (text)
		takeover_put(m, type, text, strlen(text));
}

void takeover_put_number(struct takeover_message *m, enum takeover_item type, uint64_t number)
{
	takeover_put(m, type, &number, sizeof(number));
}

static uint64_t field_number(const void *object, const struct takeover_field *field)
{
	const char *at = (const char *)object + field->offset;
	uint64_t number = 0;

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	memcpy((char *)&number + sizeof(number) - field->size, at, field->size);
#else
	memcpy(&number, at, field->size);
#endif
	return number;
}

static void field_set(void *object, const struct takeover_field *field, uint64_t number)
{
	char *to = (char *)object + field->offset;

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	memcpy(to, (char *)&number + sizeof(number) - field->size, field->size);
#else
	memcpy(to, &number, field->size);
#endif
}

void takeover_put_fields(struct takeover_message *m, enum takeover_item type, const void *object,
			 const struct takeover_field *fields, size_t count)
{
	uint64_t numbers[64];

	if (count > ARRAY_SIZE(numbers)) {
		m->items.error = -EMSGSIZE;
		return;
	}
	for (size_t i = 0; i < count; i++)
		numbers[i] = field_number(object, &fields[i]);
	takeover_put(m, type, numbers, count * sizeof(numbers[0]));
}

void takeover_put_fd(struct takeover_message *m, int fd)
{
	if (m->num_fds < TAKEOVER_FDS_MAX)
		m->fds[m->num_fds++] = fd;
	else
		m->items.error = -EMSGSIZE;
}

/* --- taking apart ---------------------------------------------------------------------------- */

struct cursor takeover_items(const struct takeover_message *m)
{
	return cursor_of(m->items.data, m->items.len);
}

bool takeover_next(struct cursor *at, uint16_t *ret_type, struct cursor *ret_value)
{
	struct item_header header;

	if (!at->left || !cursor_copy(at, &header, sizeof(header)))
		return false;
	*ret_value = cursor_cut(at, header.len);
	(void)cursor_take(at, -(size_t)header.len % ITEM_ALIGN);
	*ret_type = header.type;
	return at->ok;
}

bool takeover_get(const struct takeover_message *m, enum takeover_item type, struct cursor *ret)
{
	struct cursor at = takeover_items(m);
	uint16_t found;

	while (takeover_next(&at, &found, ret))
		if (found == type)
			return true;
	return false;
}

uint64_t takeover_get_number(const struct takeover_message *m, enum takeover_item type)
{
	struct cursor value;
	uint64_t number = 0;

	if (takeover_get(m, type, &value))
		(void)cursor_copy(&value, &number, sizeof(number));
	return number;
}

char *takeover_value_text(struct cursor value)
{
	size_t len = value.left;

	return strndup(len ? cursor_take(&value, len) : "", len);
}

char *takeover_get_text(const struct takeover_message *m, enum takeover_item type)
{
	struct cursor value;

	return takeover_get(m, type, &value) ? takeover_value_text(value) : NULL;
}

int takeover_value_fields(struct cursor value, void *object, const struct takeover_field *fields,
			  size_t count)
{
	uint64_t number;

	for (size_t i = 0; i < count && value.left; i++) {
		if (!cursor_copy(&value, &number, sizeof(number)))
			return -EBADMSG;
		if (fields[i].is_bool ? number > 1 : fields[i].size < sizeof(number) &&
						     number >> (8 * fields[i].size))
			return -EBADMSG;
		field_set(object, &fields[i], number);
	}
	return 0;
}

int takeover_get_fields(const struct takeover_message *m, enum takeover_item type, void *object,
			const struct takeover_field *fields, size_t count)
{
	struct cursor value;

	return takeover_get(m, type, &value) ? takeover_value_fields(value, object, fields, count)
					     : -EBADMSG;
}

int takeover_take_fd(struct takeover_message *m)
{
	return m->next_fd < m->num_fds ? m->fds[m->next_fd++] : -1;
}

/* --- the connection -------------------------------------------------------------------------- */

/* Room for the descriptors of a message, aligned as the kernel wants it. */
union control {
	struct cmsghdr align;
	char data[CMSG_SPACE(TAKEOVER_FDS_MAX * sizeof(int))];
};

/* Until FD is ready for EVENTS (POLLIN, POLLOUT; or at its end) or the deadline. */
static int link_wait(const struct takeover_link *link, short events)
{
	struct pollfd pollfd = { .fd = link->fd, .events = events };
	uint64_t now;
	int r;

	do {
		struct timespec left;

		now = clock_now();
		if (now >= link->deadline)
			return -ETIMEDOUT;
		left = (struct timespec){ .tv_sec = (time_t)((link->deadline - now) / NS_PER_SEC),
					  .tv_nsec = (long)((link->deadline - now) % NS_PER_SEC) };
		r = ppoll(&pollfd, 1, &left, NULL);
	} while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r == 0 ? -ETIMEDOUT : 0;
}

/* What sendmsg(2) has failed with: 0 when it may be tried again. */
static int link_retry(const struct takeover_link *link, int code)
{
	const struct timespec pause = { .tv_nsec = RETRY_NS };

	switch (code) {
	case EINTR:
		return 0;
	case EAGAIN:
		return link_wait(link, POLLOUT);
	case ETOOMANYREFS: /* until the other side has taken some */
	case ENOBUFS:
		if (clock_now() >= link->deadline)
			return -ETIMEDOUT;
		(void)nanosleep(&pause, NULL);
		return 0;
	default:
		return -code;
	}
}

int takeover_send(const struct takeover_link *link, const struct takeover_message *m)
{
	struct message_header header = { .magic = TAKEOVER_MAGIC, .version = TAKEOVER_VERSION,
					 .size = (uint32_t)(sizeof(header) + m->items.len),
					 .kind = m->kind, .num_fds = m->num_fds };
	struct iovec iov[] = { { &header, sizeof(header) }, { m->items.data, m->items.len } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = ARRAY_SIZE(iov) };
	size_t len = m->num_fds * sizeof(int);
	union control control = { 0 };
	int r = 0;

	if (m->items.error)
		return m->items.error;
	if (m->num_fds) {
		control.align = (struct cmsghdr){ .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS,
						  .cmsg_len = CMSG_LEN(len) };
		memcpy(CMSG_DATA(&control.align), m->fds, len);
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(len);
	}
	while (r == 0 && sendmsg(link->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		r = link_retry(link, errno);
	return r;
}

static bool items_whole(const struct takeover_message *m)
{
	struct cursor at = takeover_items(m), value;
	uint16_t type;

	while (takeover_next(&at, &type, &value))
		;
	return at.ok && at.left == 0;
}

/* A refusal comes as the ring protocol has it, since the request was one of that. */
static int parse_refusal(const void *data, size_t len, struct takeover_message *m)
{
	struct vde_ring_message_parts parts;

	if (vde_ring_parse(data, len, &parts) < 0 || parts.message != VDE_RING_REFUSAL)
		return -EBADMSG;
	takeover_put_text(m, ITEM_TEXT, parts.text[0] ? parts.text : strerror((int)parts.error));
	return m->items.error ? m->items.error : -EREMOTEIO;
}

int takeover_parse(const void *data, size_t len, struct takeover_message *m)
{
	struct cursor c = cursor_of(data, len);
	struct message_header header;

	if (!cursor_copy(&c, &header, sizeof(header)))
		return -EBADMSG;
	if (header.magic == VDE_RING_MAGIC)
		return parse_refusal(data, len, m);
	if (header.magic != TAKEOVER_MAGIC || header.size != len || header.num_fds != m->num_fds)
		return -EBADMSG;
	if (header.version != TAKEOVER_VERSION)
		return -EPROTONOSUPPORT;
	m->kind = header.kind;
	strbuf_append(&m->items, c.at, c.left);
	if (m->items.error)
		return m->items.error;
	return items_whole(m) ? 0 : -EBADMSG;
}

int takeover_receive(const struct takeover_link *link, struct takeover_message *m)
{
	char data[TAKEOVER_MAX];
	union control control;
	struct iovec iov = { .iov_base = data, .iov_len = sizeof(data) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	ssize_t n;
	int r;

	takeover_begin(m, 0);
	m->received = true;
	while ((n = recvmsg(link->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC)) < 0) {
		r = errno == EINTR ? 0 : errno == EAGAIN ? link_wait(link, POLLIN) : -errno;
		if (r < 0)
			return r;
	}
	io_take_fds(&msg, m->fds, TAKEOVER_FDS_MAX, &m->num_fds);
	if (n == 0)
		return -EPIPE;
	if (msg.msg_flags & (MSG_CTRUNC | MSG_TRUNC))
		return -EBADMSG;
	return takeover_parse(data, (size_t)n, m);
}
