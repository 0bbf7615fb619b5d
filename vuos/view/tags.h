/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Debug tags: a letter, or one of ten digits, for each kind of message that somebody may want to see. */
#pragma once

#include <stdint.h>

#pragma GCC visibility push(hidden)

#define TAG_COUNT 63

/* The bit of a tag with a lower case letter: those of the core. */
#define TAG_CORE(letter) (1ull << (32 + (letter) - 'a'))

/*
 * COLOR are letters of TAG_COLORS, which vudebug(1) explains. RET gets the terminal's escapes for them, and an
 * end.
 */
#define TAG_COLORS      "nrgybmcwNRGYBMCW+-_*#"
#define TAG_ESCAPES_MAX 80
void tags_color(const char *color, char ret[TAG_ESCAPES_MAX]);

/* Its bit's number; -1: it is no tag. The order is A to Z, _, 0 to 4, a to z, 5 to 9. */
int tag_number(char letter);
/* '\0': there is no such tag. */
char tag_letter(unsigned number);
/* "": nobody has given it a meaning. */
const char *tag_name(unsigned number);
/* The bits of the letters of TEXT; 0: one is no tag. "": all that have a name. */
uint64_t tags_parse(const char *text);
/* The letters of TAGS, and an end. */
void tags_print(uint64_t tags, char text[TAG_COUNT + 1]);

#pragma GCC visibility pop
