/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libvdemgmt as a program uses it: prints what each call gives. mgmt_client SOCKET */
#include <libvdemgmt.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_out(const struct vdemgmt_out *out)
{
	size_t at = 0;

	while (at < out->sz) {
		(void)printf("  |%s", out->buf + at);
		at += strlen(out->buf + at) + 1;
	}
}

static void command(struct vdemgmt *conn, const char *text)
{
	struct vdemgmt_out *out = calloc(1, sizeof(*out));
	int code = vdemgmt_sendcmd(conn, text, out);

	(void)printf("%s: %d\n", text, code);
	print_out(out);
	vdemgmt_freeout(out);
}

static void on_event(const char *event, int tag, const char *data)
{
	(void)printf("event %s %d %s", event, tag, data);
}

static void wait_event(struct vdemgmt *conn)
{
	struct pollfd poller = { .fd = vdemgmt_getfd(conn), .events = POLLIN };

	if (poll(&poller, 1, 5000) == 1)
		vdemgmt_asyncrecv(conn);
	else
		(void)puts("no event");
}

int main(int argc, char **argv)
{
	struct vdemgmt *conn = argc == 2 ? vdemgmt_open(argv[1]) : NULL;
	struct vdemgmt *other = argc == 2 ? vdemgmt_open(argv[1]) : NULL;
	struct vdemgmt_out out = { NULL, 0 };
	char **list;

	(void)setvbuf(stdout, NULL, _IONBF, 0);
	if (!conn || !other)
		return 1;
	(void)printf("banner %s\nprompt <%s>\nversion %s\n", vdemgmt_getbanner(conn),
		     vdemgmt_getprompt(conn), vdemgmt_getversion(conn));
	command(conn, "port/showinfo");
	command(conn, "port/create 5");
	command(conn, "port/create 5");
	command(conn, "no/such/command");
	command(conn, "plugin/list");
	(void)printf("without data: %d\n", vdemgmt_sendcmd(conn, "port/showinfo", NULL));
	(void)vdemgmt_sendcmd(conn, "ds/showinfo", &out);
	vdemgmt_rstout(&out);
	(void)printf("reset: %d %zu\n", out.buf == NULL, out.sz);
	list = vdemgmt_commandlist(conn);
	for (size_t i = 0; list && list[i]; i++)
		(void)printf("command %s\n", list[i]);
	vdemgmt_freecommandlist(list);
	(void)printf("register %d\n", vdemgmt_asyncreg(conn, "port/+", on_event));
	(void)printf("again %d\n", vdemgmt_asyncreg(conn, "port/+", on_event));
	(void)printf("unknown %d\n", vdemgmt_asyncreg(conn, "no/such", on_event));
	command(other, "port/create 7");
	wait_event(conn);
	vdemgmt_asyncunreg(conn, "port/+");
	command(other, "port/create 8");
	(void)printf("register %d\n", vdemgmt_asyncreg(conn, "port", on_event));
	command(other, "port/create 9");
	wait_event(conn);
	vdemgmt_close(other);
	vdemgmt_close(conn);
	(void)printf("missing %d\n", vdemgmt_open("/nonexistent/mgmt") == NULL);
	return 0;
}
