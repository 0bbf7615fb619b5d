/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vuos/view/tags.h"

static const char letters[TAG_COUNT + 1] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ_01234abcdefghijklmnopqrstuvwxyz56789";

/* Lower case for the core, upper case for modules. An array of arrays: the resident has no relocations. */
static const struct {
	char letter, name[10];
} names[] = {
	{ 'a', "ACTION" },    { 'c', "CHOICE" }, { 'd', "FD_TABLE" }, { 'f', "FILETABLE" }, { 'm', "MODULE" },
	{ 'n', "NESTED" },    { 'p', "PATH" },	 { 's', "SYSCALL" },  { 't', "THREADS" },   { 'v', "VNODE" },
	{ 'B', "VUBINFMT" },  { 'D', "VUDEV" },	 { 'F', "VUFUSE" },   { 'M', "VUMISC" },    { 'N', "VUNET" },
	{ 'U', "+FUSE" },     { 'V', "VUFS" },
};
#define NAMES (sizeof(names) / sizeof(names[0]))

int tag_number(char letter)
{
	for (int i = 0; i < TAG_COUNT; i++)
		if (letters[i] == letter)
			return i;
	return -1;
}

char tag_letter(unsigned number)
{
	return number < TAG_COUNT ? letters[number] : '\0';
}

const char *tag_name(unsigned number)
{
	for (unsigned i = 0; i < NAMES; i++)
		if (names[i].letter == tag_letter(number))
			return names[i].name;
	return "";
}

uint64_t tags_parse(const char *text)
{
	uint64_t tags = 0;

	for (unsigned i = 0; !*text && i < NAMES; i++)
		tags |= 1ull << tag_number(names[i].letter);
	for (; *text; text++) {
		if (tag_number(*text) < 0)
			return 0;
		tags |= 1ull << tag_number(*text);
	}
	return tags;
}

void tags_print(uint64_t tags, char text[TAG_COUNT + 1])
{
	for (unsigned i = 0; i < TAG_COUNT; i++)
		if (tags >> i & 1)
			*text++ = letters[i];
	*text = '\0';
}

/* ECMA-48, SGR: the parameter of each letter of TAG_COLORS. */
void tags_color(const char *color, char ret[TAG_ESCAPES_MAX])
{
	static const char colors[] = TAG_COLORS;
	static const char parameters[sizeof(colors) - 1][3] = {
		"30", "31", "32", "33", "34", "35", "36", "37", "40", "41", "42", "43", "44", "45", "46", "47",
		"1", "2", "4", "5", "7",
	};
	char *end = ret + TAG_ESCAPES_MAX - sizeof("\033[30m");

	for (; *color && ret < end; color++) {
		for (unsigned i = 0; i < sizeof(colors) - 1; i++) {
			if (colors[i] != *color)
				continue;
			*ret++ = '\033';
			*ret++ = '[';
			for (const char *at = parameters[i]; *at; at++)
				*ret++ = *at;
			*ret++ = 'm';
		}
	}
	*ret = '\0';
}
