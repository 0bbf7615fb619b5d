/* SPDX-License-Identifier: GPL-2.0-or-later */
/* randmac: prints a random MAC address. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/log.h"
#include "base/option.h"
#include "mac_address.h"
#include "oui_list.h"

#define STATUS_USAGE 1
#define STATUS_FATAL 2

struct settings {
	struct mac_wish wish; /* its bits are filled in from the following, after the options */
	bool local, global;
	bool unicast, multicast;
	const char *vendor;
	bool uppercase;
	bool eui64;
};

/* So few bytes come in one piece (getrandom(2)). An address that is not random is of no use. */
static void random_bytes(void *to, size_t len)
{
	while (getrandom(to, len, 0) < 0) {
		if (errno == EINTR)
			continue;
		log_error_errno(errno, "cannot get random bytes from the kernel");
		exit(STATUS_FATAL);
	}
}

static size_t random_below(size_t count)
{
	uint64_t number;

	random_bytes(&number, sizeof(number));
	return (size_t)(number % count); /* its bias is below count / 2^64 */
}

static int set_oui(void *settings, const char *argument, struct error *error)
{
	struct settings *s = settings;
	int r = oui_parse(argument, s->wish.oui);

	s->wish.has_oui = true;
	s->vendor = NULL;
	return r < 0 ? error_set(error, -r, "'%s' is not an OUI: three hexadecimal bytes, as in "
				 "00:16:3e", argument)
		     : 0;
}

static int set_qemu(void *settings, const char *argument, struct error *error)
{
	(void)argument;
	return set_oui(settings, "52:54:00", error);
}

static int set_xen(void *settings, const char *argument, struct error *error)
{
	(void)argument;
	return set_oui(settings, "00:16:3e", error);
}

static const struct option_row rows[] = {
	{ 'l', "local", .kind = OPTION_FLAG, .offset = offsetof(struct settings, local),
	  .help = "locally administered; wins over -g" },
	{ 'g', "global", .kind = OPTION_FLAG, .offset = offsetof(struct settings, global),
	  .help = "globally unique" },
	{ 'u', "unicast", .kind = OPTION_FLAG, .offset = offsetof(struct settings, unicast),
	  .help = "of one interface" },
	{ 'm', "multicast", .kind = OPTION_FLAG, .offset = offsetof(struct settings, multicast),
	  .help = "of a group; wins over -u" },
	{ 'U', "uppercase", .kind = OPTION_FLAG, .offset = offsetof(struct settings, uppercase),
	  .help = "print capital letters" },
	{ 'e', "eui64", .kind = OPTION_FLAG, .offset = offsetof(struct settings, eui64),
	  .help = "print the address as a modified EUI-64" },
	{ 'o', "oui", .kind = OPTION_CALL, .arg = "OUI", .set = set_oui,
	  .help = "begin with these three bytes" },
	{ 'v', "vendor", .kind = OPTION_STRING, .arg = "NAME",
	  .offset = offsetof(struct settings, vendor),
	  .help = "begin with three bytes of that vendor" },
	{ 'q', "qemu", .kind = OPTION_CALL, .set = set_qemu, .help = "begin with 52:54:00" },
	{ 'x', "xen", .kind = OPTION_CALL, .set = set_xen, .help = "begin with 00:16:3e" },
	{ 'h', "help", .kind = OPTION_HELP, .help = "print this help" },
	{ 0, "version", .kind = OPTION_VERSION, .help = "print the version" },
};

static const struct option_program program = {
	.name = "randmac",
	.synopsis = "[OPTION]...",
	.summary = "Prints a random MAC address, locally administered and unicast by default.",
	.rows = rows,
	.num_rows = ARRAY_SIZE(rows),
	.style = OPTION_HELP_STDERR,
	.help_status = STATUS_USAGE,
	.usage_status = STATUS_USAGE,
};

static enum mac_bit wished_bit(bool set, bool clear)
{
	return set ? MAC_BIT_SET : clear ? MAC_BIT_CLEAR : MAC_BIT_KEEP;
}

static void print_address(const struct settings *s)
{
	uint8_t random[MAC_SIZE], mac[MAC_SIZE], eui64[EUI64_SIZE];
	char text[EUI64_TEXT_SIZE];

	random_bytes(random, sizeof(random));
	mac_build(&s->wish, random, mac);
	mac_to_eui64(mac, eui64);
	mac_format(s->eui64 ? eui64 : mac, s->eui64 ? EUI64_SIZE : MAC_SIZE, s->uppercase, text);
	(void)puts(text);
}

int main(int argc, char **argv)
{
	struct settings settings = { 0 };
	struct error error = { 0 };
	int status, first;

	log_set_program("randmac");
	first = option_parse(&program, argc, argv, &settings, &status);
	if (first < 0)
		return status;
	if (first < argc)
		return option_usage_error(&program, "'%s' is too much", argv[first]);
	settings.wish.local = wished_bit(settings.local, settings.global);
	settings.wish.group = wished_bit(settings.multicast, settings.unicast);
	if (settings.vendor) {
		settings.wish.has_oui = true;
		if (oui_list_choose(OUI_LIST_FILE, settings.vendor, random_below,
				    settings.wish.oui, &error) < 0) {
			log_error("%s", error_text(&error));
			return STATUS_FATAL;
		}
	}
	print_address(&settings);
	return fflush(stdout) == 0 ? EXIT_SUCCESS : STATUS_FATAL;
}
