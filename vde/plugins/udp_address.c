/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vde/plugins/udp_address.h"

#include <errno.h>

#include "base/parse.h"

#define ARROW "->"

/* A piece of the locator. */
struct piece {
	const char *whole; /* the locator, for the caret */
	const char *at;
	size_t len;
};

static int piece_error(const struct piece *p, struct error *error, const char *what)
{
	return error_set_caret(error, EINVAL, p->whole, (size_t)(p->at - p->whole),
			       "%s; the form is udp://[SOURCE:]PORT->DESTINATION:PORT", what);
}

static int piece_copy(const struct piece *p, char *to, size_t size, struct error *error)
{
	if (p->len >= size)
		return piece_error(p, error, "this is too long");
	memcpy(to, p->at, p->len);
	to[p->len] = '\0';
	return 0;
}

/* Splits HOST:PORT; host stays empty when there is no colon. */
static int split_end(const struct piece *p, struct piece *host, struct piece *port,
		     struct error *error)
{
	bool bracket = p->len && p->at[0] == '[';
	const char *close = bracket ? memchr(p->at, ']', p->len) : NULL;
	const char *colon = memrchr(p->at, ':', p->len);

	*host = (struct piece){ p->whole, p->at, 0 };
	*port = *p;
	if (bracket && (!close || colon != close + 1))
		return piece_error(p, error,
				   close ? "']:PORT' is wanted behind an address in brackets"
					 : "']' is missing");
	if (!colon)
		return 0;
	*port = (struct piece){ p->whole, colon + 1, (size_t)(p->at + p->len - colon - 1) };
	*host = bracket ? (struct piece){ p->whole, p->at + 1, (size_t)(close - p->at - 1) }
			: (struct piece){ p->whole, p->at, (size_t)(colon - p->at) };
	return 0;
}

static int parse_end(const struct piece *p, struct udp_end *ret, struct error *error)
{
	struct piece host, port;
	long long number;
	int r = split_end(p, &host, &port, error);

	if (r == 0 && port.len == 0)
		r = piece_error(&port, error, "a port is missing");
	if (r == 0)
		r = piece_copy(&host, ret->host, sizeof(ret->host), error);
	if (r == 0)
		r = piece_copy(&port, ret->port, sizeof(ret->port), error);
	/* The resolver takes a number that is too large modulo 65536. */
	if (r == 0 && !ret->port[strspn(ret->port, "0123456789")] &&
	    parse_decimal(ret->port, 0, UINT16_MAX, &number) < 0)
		r = piece_error(&port, error, "a port is at most 65535");
	return r;
}

int udp_address_parse(const char *text, struct udp_end *source, struct udp_end *destination,
		      struct error *error)
{
	struct piece whole = { text, text, strlen(text) };
	const char *arrow = strstr(text, ARROW);
	struct piece left, right;
	int r;

	if (!arrow) {
		whole.at += whole.len;
		return piece_error(&whole, error, "'->' is missing");
	}
	left = (struct piece){ text, text, (size_t)(arrow - text) };
	right = (struct piece){ text, arrow + strlen(ARROW), strlen(arrow + strlen(ARROW)) };
	r = parse_end(&left, source, error);
	if (r == 0)
		r = parse_end(&right, destination, error);
	if (r == 0 && !destination->host[0])
		r = piece_error(&right, error, "the destination's address is missing");
	return r;
}
