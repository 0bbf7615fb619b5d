/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wire/vde_control.h"

#include <ctype.h>

static bool address_valid(const struct sockaddr_un *address)
{
	return address->sun_family == AF_UNIX && address->sun_path[0] != '\0' &&
	       memchr(address->sun_path, '\0', sizeof(address->sun_path)) != NULL;
}

static void take_description(struct cursor *c, char description[VDE_CONTROL_DESCR_SIZE])
{
	size_t len = MIN(c->left, VDE_CONTROL_DESCR_SIZE - 1);
	const char *text = cursor_take(c, len);

	len = strnlen(text, len); /* some clients send the NUL */
	for (size_t i = 0; i < len; i++)
		description[i] = iscntrl((unsigned char)text[i]) ? '?' : text[i];
	description[len] = '\0';
}

enum vde_control_verdict vde_control_parse(const void *data, size_t len, struct vde_control *ret)
{
	struct cursor c = cursor_of(data, len);
	struct vde_control request = { .version = VDE_CONTROL_VERSION };
	uint32_t magic = cursor_host32(&c);
	uint32_t word = cursor_host32(&c);

	if (len >= sizeof(magic) && magic != VDE_CONTROL_MAGIC)
		return VDE_CONTROL_BAD_MAGIC;
	if (!c.ok)
		return VDE_CONTROL_SHORT;
	if (word == VDE_CONTROL_VERSION) {
		word = cursor_host32(&c);
	} else if (word <= VDE_CONTROL_NEW_PORT_0) {
		request.version = 1;
		(void)cursor_take(&c, 6); /* the MAC address was never used */
	} else {
		ret->version = word;
		return VDE_CONTROL_BAD_VERSION;
	}
	request.type = (uint8_t)word;
	request.port = word >> 8;
	if (!cursor_copy(&c, &request.address, sizeof(request.address)))
		return VDE_CONTROL_SHORT;
	if (!address_valid(&request.address))
		return VDE_CONTROL_BAD_ADDRESS;
	take_description(&c, request.description);
	*ret = request;
	return VDE_CONTROL_OK;
}

size_t vde_control_build(const struct vde_control *request, uint8_t out[VDE_CONTROL_MAX])
{
	uint32_t words[3] = { VDE_CONTROL_MAGIC, VDE_CONTROL_VERSION,
			      request->type | request->port << 8 };
	size_t len = strnlen(request->description, VDE_CONTROL_DESCR_SIZE - 1);
	uint8_t *at = (uint8_t *)mempcpy(out, words, sizeof(words));

	at = (uint8_t *)mempcpy(at, &request->address, sizeof(request->address));
	at = (uint8_t *)mempcpy(at, request->description, len);
	return (size_t)(at - out);
}
