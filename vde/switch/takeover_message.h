/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The messages of a takeover (takeover.h): what one switch tells its successor about one thing it has,
 * with the descriptors of that thing. A message is a header and items (type, length, value); the order of
 * items does not matter unless a type is repeated. Numbers are 64 bits, in host byte order, since both
 * processes run on one kernel.
 *
 * A kind of message that the successor does not know ends the takeover: the switch has something that
 * would be lost. Items that it does not know are ignored, so what cannot be left out has to be
 * a kind of its own.
 */
#pragma once

#include "base/strbuf.h"
#include "wire/cursor.h"

#define TAKEOVER_MAGIC    UINT32_C(0x54454456) /* "VDET" */
#define TAKEOVER_VERSION  1           /* of all that follows the request */
#define TAKEOVER_MAX      (96 * 1024) /* bytes of a message */
#define TAKEOVER_CHUNK    (32 * 1024) /* of what comes in parts */
#define TAKEOVER_FDS_MAX  8

enum takeover_kind {
	/* from the old switch */
	TAKEOVER_HELLO = 1,     /* what the successor needs to know before it begins */
	TAKEOVER_SCRIPT = 2,    /* console commands, whole lines */
	TAKEOVER_PORT = 3,      /* counters of a port */
	TAKEOVER_VLAN = 4,      /* and of a VLAN */
	TAKEOVER_ENDPOINT = 5,  /* endpoints of a port come in their order */
	TAKEOVER_QUEUE = 6,     /* frames that the endpoint before did not take yet */
	TAKEOVER_MACS = 7,
	TAKEOVER_TREE = 8,      /* the spanning tree of a VLAN */
	TAKEOVER_DOOR = 9,      /* a listening socket of the directory */
	TAKEOVER_MGMT = 10,     /* the listening socket of the console */
	TAKEOVER_PENDING = 11,  /* a connection that has not asked for a port yet */
	TAKEOVER_CONSOLE = 12,
	TAKEOVER_CONSOLE_BYTES = 13, /* of the console before: what it has said, what it will be told */
	TAKEOVER_DONE = 14,
	TAKEOVER_CAPTURE = 15,
	TAKEOVER_CAPTURE_BYTES = 16, /* of the capture before: what waits for its reader */
	/* from the successor */
	TAKEOVER_COMMIT = 64,
	TAKEOVER_FAILED = 65,   /* with a sentence */
};

enum takeover_item {
	ITEM_VERSION = 1,       /* of the program, text */
	ITEM_NUMBERS = 2,       /* by a table of fields: they only grow at the end */
	ITEM_TEXT = 3,
	ITEM_DIR = 4,
	ITEM_MGMT_PATH = 5,
	ITEM_PID_PATH = 6,
	ITEM_RC_FILE = 7,
	ITEM_MGMT_GROUP = 8,
	ITEM_ALLOW_PATH = 9,    /* repeated */
	ITEM_MAC = 10,
	ITEM_NUMBER = 11,
	ITEM_NAME = 12,
	ITEM_COUNTERS = 13,     /* numbers */
	ITEM_DROP = 14,         /* a number and the reason's name; repeated */
	ITEM_TRANSPORT = 15,    /* which class of endpoint, text */
	ITEM_PATH = 16,
	ITEM_DESCRIPTION = 17,
	ITEM_CLASS = 18,        /* numbers that only the class knows */
	ITEM_FRAME = 19,        /* repeated */
	ITEM_MAC_ENTRIES = 20,  /* an array of struct takeover_mac */
	ITEM_TREE_PORT = 21,    /* numbers; repeated */
	ITEM_FLAG = 22,
	ITEM_BYTES_IN = 23,
	ITEM_BYTES_OUT = 24,
	ITEM_CATEGORY = 25,     /* of debug lines, text; repeated */
	ITEM_FILTER = 26,
	ITEM_INTERFACE = 27,    /* numbers; repeated */
};

struct takeover_message {
	uint16_t kind;
	struct strbuf items;
	int fds[TAKEOVER_FDS_MAX]; /* received: owned until they are taken; to send: borrowed */
	size_t num_fds;
	unsigned next_fd; /* received: the first one not taken yet */
	bool received;
};

/* A field of a struct that goes as a number: bool, or an integer of up to 8 bytes. */
struct takeover_field {
	uint16_t offset;
	uint8_t size;
	bool is_bool;
};
#define TAKEOVER_FIELD(type, name)                                                  \
	{ offsetof(type, name), sizeof(((type *)0)->name),                          \
	  __builtin_types_compatible_p(__typeof__(((type *)0)->name), bool) }

/* Frees, and closes received descriptors that nobody took. Leaves an empty message. */
void takeover_message_done(struct takeover_message *m);
#define auto_takeover_message CLEANUP(takeover_message_done)

/* --- making one; memory trouble shows at takeover_send() ------------------------------------ */

/* Empties M and gives it a kind. */
void takeover_begin(struct takeover_message *m, enum takeover_kind kind);
void takeover_put(struct takeover_message *m, enum takeover_item type, const void *data, size_t len);
/* NULL: nothing. */
void takeover_put_text(struct takeover_message *m, enum takeover_item type, const char *text);
void takeover_put_number(struct takeover_message *m, enum takeover_item type, uint64_t number);
void takeover_put_fields(struct takeover_message *m, enum takeover_item type, const void *object,
			 const struct takeover_field *fields, size_t count);
/* FD stays the caller's. */
void takeover_put_fd(struct takeover_message *m, int fd);

/* --- taking one apart ------------------------------------------------------------------------ */

/* The first item of TYPE; false when there is none. */
bool takeover_get(const struct takeover_message *m, enum takeover_item type, struct cursor *ret);

/* Goes from item to item: *AT begins as takeover_items(M). False at the end. */
struct cursor takeover_items(const struct takeover_message *m);
bool takeover_next(struct cursor *at, uint16_t *ret_type, struct cursor *ret_value);

/* 0 when there is none. */
uint64_t takeover_get_number(const struct takeover_message *m, enum takeover_item type);
/* A copy that the caller owns; NULL when there is none, or no memory. Has no NUL in it. */
char *takeover_get_text(const struct takeover_message *m, enum takeover_item type);
char *takeover_value_text(struct cursor value);
/* Fields that were not told keep what they have; numbers that do not fit in theirs are -EBADMSG. */
int takeover_get_fields(const struct takeover_message *m, enum takeover_item type, void *object,
			const struct takeover_field *fields, size_t count);
int takeover_value_fields(struct cursor value, void *object, const struct takeover_field *fields,
			  size_t count);
/* The next descriptor, the caller's from here on; -1 when there is none left. */
int takeover_take_fd(struct takeover_message *m);

/* --- the connection ------------------------------------------------------------------------- */

struct takeover_link {
	int fd;            /* SOCK_SEQPACKET; owned by whoever made the link */
	uint64_t deadline; /* ns of CLOCK_MONOTONIC: nothing is waited for longer */
};

/* Waits for room. -ETIMEDOUT, -EPIPE, -ENOMEM, -EMSGSIZE ... */
int takeover_send(const struct takeover_link *link, const struct takeover_message *m);

/*
 * Waits for a message, into M (emptied before). -EPIPE at the end; -ETIMEDOUT; -EBADMSG: malformed, or
 * descriptors were lost; -EREMOTEIO: it is a refusal of wire/vde_ring.h, whose sentence is in the
 * item ITEM_TEXT of M.
 */
int takeover_receive(const struct takeover_link *link, struct takeover_message *m);

/* The message in LEN bytes, without descriptors; what takeover_receive() does (for tests). */
int takeover_parse(const void *data, size_t len, struct takeover_message *m);
