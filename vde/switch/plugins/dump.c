/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shows each frame in hexadecimal to the consoles that subscribed to dump/packetin or packetout. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vdeplugin.h>

#include "base/util.h"

#define LINE_FRAME_MAX 65600 /* bytes of a frame that are shown */

static int dump_active(char *argument);

PUBLIC struct plugin vde_plugin_data = { .name = "dump", .help = "dump packets" };

static struct comlist commands[] = {
	{ .path = "dump", .syntax = "============", .help = "DUMP Packets" },
	{ .path = "dump/active", .syntax = "0/1", .help = "start dumping data",
	  .doit = dump_active, .type = STRARG },
};

enum { DUMP_IN, DUMP_OUT };

static struct dbgcl categories[] = {
	[DUMP_IN] = { .path = "dump/packetin", .help = "dump incoming packet",
		      .tag = 0100 | D_IN },
	[DUMP_OUT] = { .path = "dump/packetout", .help = "dump outgoing packet",
		       .tag = 0100 | D_OUT },
};

static void show(struct dbgcl *category, int port, const unsigned char *frame, int len)
{
	static const char digits[] = "0123456789abcdef";
	char *text = malloc(3 * (size_t)len + 1);
	char *at = text;

	if (!text)
		return; /* the line is lost, the frame passes */
	for (int i = 0; i < len; i++) {
		*at++ = digits[frame[i] >> 4];
		*at++ = digits[frame[i] & 15];
		*at++ = ' ';
	}
	*at = '\0';
	debugout(category, "Pkt: Port %04d len=%04d %s", port, len, text);
	free(text);
}

static int packet(struct dbgcl *event, void *arg, va_list values)
{
	struct dbgcl *category = &categories[event->tag == (D_PACKET | D_IN) ? DUMP_IN : DUMP_OUT];
	int port = va_arg(values, int);
	const unsigned char *frame = va_arg(values, unsigned char *);
	int len = va_arg(values, int);

	(void)arg;
	if (category->nfds && len >= 0)
		show(category, port, frame, MIN(len, LINE_FRAME_MAX));
	return 0;
}

static int dump_active(char *argument)
{
	if (atoi(argument))
		return eventadd(packet, "packet", NULL);
	(void)eventdel(packet, "packet", NULL); /* it may be off already */
	return 0;
}

__attribute__((constructor)) static void begin(void)
{
	ADDCL(commands);
	ADDDBGCL(categories);
}

__attribute__((destructor)) static void end(void)
{
	(void)eventdel(packet, "packet", NULL);
	DELCL(commands);
	DELDBGCL(categories);
}
