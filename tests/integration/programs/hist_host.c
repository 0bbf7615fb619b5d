/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libvdehist as a telnet server uses it: hist_host SOCKET [login]; the terminal is descriptor 0, for
 * reading and writing. With `login`, the password "secret" opens the console. The greeting is read here,
 * unless GREETING is set in the environment: then the library has to.
 */
#include <libvdehist.h>

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

char *prompt = (char *)"host> ";

static const char *path;

static void read_greeting(int fd)
{
	char last = 0, byte = 0;

	while ((last != '$' || byte != ' ') && (last = byte, read(fd, &byte, 1) == 1))
		;
}

static int console(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -1;
	if (!getenv("GREETING"))
		read_greeting(fd);
	(void)fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

static ssize_t term_write(int fd, const void *data, size_t len)
{
	(void)fd;
	return write(0, data, len);
}

static int login(char *text, int len, struct vdehist *h)
{
	if (vdehist_getstatus(h) == HIST_NOCMD) {
		(void)term_write(0, "password: ", 10);
		vdehist_setstatus(h, HIST_PASSWDFLAG);
		return 0;
	}
	if (len != 6 || strcmp(text, "secret") != 0)
		return 3;
	vdehist_setstatus(h, HIST_COMMAND);
	vdehist_setmgmtfd(h, console());
	return 0;
}

int main(int argc, char **argv)
{
	struct vdehist *h;
	int status = 0;

	if (argc < 2)
		return 100;
	path = argv[1];
	vdehist_termwrite = term_write;
	vdehist_logincmd = login;
	h = vdehist_new(0, argc > 2 ? -1 : console());
	if (vdehist_getstatus(h) == HIST_NOCMD)
		(void)term_write(0, "login: ", 7);
	while (!status) {
		struct pollfd pollers[] = { { .fd = 0, .events = POLLIN },
					    { .fd = vdehist_getmgmtfd(h), .events = POLLIN } };

		if (poll(pollers, 2, -1) < 0)
			return 101;
		if (pollers[0].revents)
			status = vdehist_term_to_mgmt(h);
		if (!status && pollers[1].revents)
			(void)vdehist_mgmt_to_term(h);
	}
	vdehist_free(h);
	return status;
}
