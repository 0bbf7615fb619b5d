/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vde/plugins/cmd_words.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"

#define BLANKS " \t\n\r"

/* Where in the line we are. */
struct scan {
	const char *line;
	const char *at;
	char *out; /* the next byte of the words' text */
};

/* Copies up to the closing quote; 0 or a negative errno. */
static int scan_quoted(struct scan *s, struct error *error)
{
	const char *open = s->at++;

	for (; *s->at && *s->at != *open; s->at++) {
		if (*open == '"' && s->at[0] == '\\' && (s->at[1] == '"' || s->at[1] == '\\'))
			s->at++;
		*s->out++ = *s->at;
	}
	if (!*s->at)
		return error_set_caret(error, EINVAL, s->line, (size_t)(open - s->line),
				       "this quote is not closed");
	s->at++;
	return 0;
}

/* Copies one word and its NUL. */
static int scan_word(struct scan *s, struct error *error)
{
	while (*s->at && !strchr(BLANKS, *s->at)) {
		if (*s->at == '\'' || *s->at == '"') {
			int r = scan_quoted(s, error);

			if (r < 0)
				return r;
			continue;
		}
		if (s->at[0] == '\\' && s->at[1])
			s->at++;
		*s->out++ = *s->at++;
	}
	*s->out++ = '\0';
	return 0;
}

int cmd_words(const char *line, char ***ret, struct error *error)
{
	size_t len = strlen(line);
	size_t most = len / 2 + 2; /* words and the NULL */
	auto_free char **words = malloc(most * sizeof(*words) + len + 1);
	struct scan s = { .line = line, .at = line };
	size_t count = 0;

	if (!words)
		return -ENOMEM;
	s.out = (char *)(words + most);
	while (*(s.at += strspn(s.at, BLANKS))) {
		int r;

		words[count++] = s.out;
		r = scan_word(&s, error);
		if (r < 0)
			return r;
	}
	if (count == 0)
		return error_set(error, EINVAL,
				 "a command is missing; the form is cmd://COMMAND "
				 "ARGUMENTS");
	words[count] = NULL;
	*ret = TAKE_PTR(words);
	return 0;
}
