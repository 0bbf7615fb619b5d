/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From what the user typed to scheme and arguments:
 *
 *	""           ~/.vdeplug/default, else ~/.vde2/default.switch, else it stays empty
 *	a path       of a regular file: its first line instead (one level: that is not followed)
 *	no ://       scheme vde
 *
 * A scheme becomes part of a file name, so only letters, digits and `+-._` may be in it. A file
 * that names a command runs a program for whoever opens it: such a file has to belong to the
 * caller or to root.
 */
#include "vde/plug/locator.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/io.h"

#define SEPARATOR      "://"
#define DEFAULT_SCHEME "vde"
#define COMMAND_MARK   "cmd" SEPARATOR

/* Under the home directory, in the order in which they are looked for. */
static const char *const user_defaults[] = { ".vdeplug/default", ".vde2/default.switch" };

/* The user's default network: a path (malloc'd), or "" without one. NULL: no memory. */
static char *default_network(void)
{
	const char *home = secure_getenv("HOME");

	for (size_t i = 0; home && i < ARRAY_SIZE(user_defaults); i++) {
		struct stat st;
		auto_free char *path = NULL;

		if (asprintf(&path, "%s/%s", home, user_defaults[i]) < 0) {
			path = NULL; /* undefined after a failure */
			return NULL;
		}
		if (lstat(path, &st) == 0)
			return TAKE_PTR(path);
	}
	return strdup("");
}

/* The first line of FD, without its end, as a malloc'd string. */
static int first_line(int fd, const char *path, char **ret, struct error *error)
{
	auto_free char *line = malloc(LOCATOR_MAX + 1);
	size_t len;
	ssize_t n;

	if (!line)
		return error_set_errno(error, ENOMEM, "cannot read '%s'", path);
	n = io_read_full(fd, line, LOCATOR_MAX);
	if (n < 0)
		return error_set_errno(error, (int)-n, "cannot read the locator in '%s'", path);
	line[n] = '\0';
	len = strcspn(line, "\n");
	if (len == LOCATOR_MAX)
		return error_set(error, E2BIG,
				 "the first line of '%s' is no locator: it has more than %d bytes",
				 path, LOCATOR_MAX - 1);
	if (len && line[len - 1] == '\r')
		len--;
	line[len] = '\0';
	*ret = TAKE_PTR(line);
	return 0;
}

/*
 * Replaces *TEXT, a path, by the first line of the file it names. Anything but a regular file is
 * left to the plug-in.
 */
static int follow_file(char **text, struct error *error)
{
	auto_close int fd = -1;
	auto_free char *line = NULL;
	struct stat st;
	int r;

	if (stat(*text, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	fd = open(*text, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return error_set_errno(error, errno, "cannot read the locator in '%s'", *text);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) /* exchanged meanwhile */
		return error_set(error, ESTALE, "'%s' changed while it was opened", *text);
	r = first_line(fd, *text, &line, error);
	if (r < 0)
		return r;
	if (strstr(line, COMMAND_MARK) && st.st_uid != geteuid() && st.st_uid != 0)
		return error_set(error, EPERM,
				 "'%s' names a command to run, and belongs to another user: "
				 "give the locator itself if you trust it", *text);
	free(*text);
	*text = TAKE_PTR(line);
	return 0;
}

static bool scheme_char(char c)
{
	return isalnum((unsigned char)c) || strchr("+-._", c);
}

static int split_scheme(struct locator *l, struct error *error)
{
	const char *separator = strstr(l->text, SEPARATOR);
	size_t len = separator ? (size_t)(separator - l->text) : 0;

	l->args = separator ? separator + strlen(SEPARATOR) : l->text;
	l->scheme = separator ? strndup(l->text, len) : strdup(DEFAULT_SCHEME);
	if (!l->scheme)
		return error_set_errno(error, ENOMEM, "locator");
	if (separator && len == 0)
		return error_set_caret(error, EPROTONOSUPPORT, l->text, 0,
				       "a scheme is missing in front of '://', as in vde://DIRECTORY");
	for (size_t i = 0; separator && i < len; i++)
		if (!scheme_char(l->text[i]))
			return error_set_caret(error, EPROTONOSUPPORT, l->text, i,
					       "a scheme has only letters, digits and + - . _; "
					       "for a path that contains '://' write vde://PATH");
	return 0;
}

int locator_resolve(const char *vnl, struct locator *ret, struct error *error)
{
	__attribute__((cleanup(locator_done))) struct locator l = { 0 };
	int r = 0;

	if (vnl && strlen(vnl) >= LOCATOR_MAX)
		return error_set(error, E2BIG, "the locator has more than %d bytes", LOCATOR_MAX - 1);
	l.text = vnl && *vnl ? strdup(vnl) : default_network();
	if (!l.text)
		return error_set_errno(error, ENOMEM, "locator");
	if (!strstr(l.text, SEPARATOR))
		r = follow_file(&l.text, error);
	if (r == 0)
		r = split_scheme(&l, error);
	if (r < 0)
		return r;
	*ret = l;
	l = (struct locator){ 0 };
	return 0;
}

void locator_done(struct locator *l)
{
	free(l->text);
	free(l->scheme);
	*l = (struct locator){ 0 };
}
