/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The two parts of vdeterm: the terminal (vdeterm.c) and its completion (vdeterm_complete.c). */
#pragma once

#include <stdbool.h>

#include "vde/mgmt/client.h"

/* Names that only the console knows. */
enum word_kind { WORDS_COMMANDS, WORDS_EVENTS, WORDS_PLUGINS, NUM_WORD_KINDS };

/* Zero-initialised; words_done() releases it. */
struct console_words {
	char **list[NUM_WORD_KINDS]; /* owned, NULL-terminated; NULL while unknown */
};

/* The command that lists words of KIND; NULL when the console has no such command. */
const char *words_command(const struct console_words *words, enum word_kind kind);

/* Takes the answer to it. */
void words_learn(struct console_words *words, enum word_kind kind, const struct mgmt_reply *reply);
void words_done(struct console_words *words);

/* Lets readline complete from WORDS, which it borrows for good. */
void complete_from(const struct console_words *words);
