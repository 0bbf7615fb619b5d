/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which user had which IP address on which port, and when: commands, ranges and output. What is known
 * is kept by iplog_table.c. An address is logged when it is new, or when its port, MAC address or
 * user changed; it is forgotten when nothing came from it for a while, or its port closed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#include <vdeplugin.h>

#include "base/parse.h"
#include "vde/switch/plugins/iplog_table.h"
#include "wire/ether.h"
#include "wire/ip.h"

#define RANGES_MAX  256
#define GC_INTERVAL 10  /* s */
#define GC_EXPIRE   360 /* s */
#define LINE_SIZE   512

struct range {
	uint8_t version;
	uint8_t addr[16];
	unsigned bits;
};

/* The plug-in is loaded once in a process, and its ABI gives it no instance. */
static struct {
	struct iplog_table table;
	struct range ranges[RANGES_MAX];
	unsigned num_ranges;
	char *log_name; /* owned; NULL: no log, "-": syslog */
	int log_fd;
	int interval, expire; /* s */
	unsigned timer;
	bool full; /* said so already */
} iplog = { .log_fd = -1, .interval = GC_INTERVAL, .expire = GC_EXPIRE };

PUBLIC struct plugin vde_plugin_data = { .name = "iplog", .help = "log ip/port/user assignment" };

static struct dbgcl categories[] = {
	{ .path = "iplog/newip", .help = "show new ip addresses", .tag = 0300 | D_PLUS },
};

/* Addresses as text. */

static int family(uint8_t version)
{
	return version == 4 ? AF_INET : AF_INET6;
}

static const char *address_text(uint8_t version, const uint8_t *addr, char text[INET6_ADDRSTRLEN])
{
	const char *r = inet_ntop(family(version), addr, text, INET6_ADDRSTRLEN);

	return r ? r : "?";
}

static const char *user_text(uid_t user, char text[64])
{
	struct passwd *entry = user == (uid_t)-1 ? NULL : getpwuid(user);

	if (user == (uid_t)-1)
		(void)snprintf(text, 64, "NONE");
	else if (entry)
		(void)snprintf(text, 64, "%s", entry->pw_name);
	else
		(void)snprintf(text, 64, "%u", user);
	return text;
}

static int parse_address(const char *text, uint8_t *version, uint8_t addr[16])
{
	memset(addr, 0, 16);
	*version = strchr(text, ':') ? 6 : 4;
	return inet_pton(family(*version), text, addr) == 1 ? 0 : EINVAL;
}

/* Ranges. */

/* Bits of a dotted netmask, or -1 when it has holes. */
static int mask_bits(const char *text)
{
	struct in_addr mask;
	uint32_t bits;

	if (inet_pton(AF_INET, text, &mask) != 1)
		return -1;
	bits = ~ntohl(mask.s_addr);
	return bits & (bits + 1) ? -1 : 32 - __builtin_popcount(bits);
}

static void clear_host_bits(struct range *range)
{
	for (unsigned bit = range->bits; bit < 8 * sizeof(range->addr); bit++)
		range->addr[bit / 8] &= (uint8_t)~(0x80 >> bit % 8);
}

/* ADDRESS, ADDRESS/BITS or IPV4/NETMASK; TEXT is cut up. */
static int parse_range(char *text, struct range *range)
{
	char *slash = strchr(text, '/');
	long long bits;
	int most, r;

	*range = (struct range){ 0 };
	if (slash)
		*slash++ = '\0';
	r = parse_address(text, &range->version, range->addr);
	if (r)
		return r;
	most = range->version == 4 ? 32 : 128;
	bits = most;
	if (slash && parse_decimal(slash, 0, most, &bits) < 0)
		bits = range->version == 4 ? mask_bits(slash) : -1;
	if (bits < 0)
		return EINVAL;
	range->bits = (unsigned)bits;
	clear_host_bits(range);
	return 0;
}

static bool in_range(const struct range *range, uint8_t version, const uint8_t addr[16])
{
	unsigned bytes = range->bits / 8, rest = range->bits % 8;

	return range->version == version && memcmp(range->addr, addr, bytes) == 0 &&
	       (!rest || (range->addr[bytes] ^ addr[bytes]) >> (8 - rest) == 0);
}

static bool wanted(uint8_t version, const uint8_t addr[16])
{
	for (unsigned i = 0; i < iplog.num_ranges; i++)
		if (in_range(&iplog.ranges[i], version, addr))
			return true;
	return false;
}

static unsigned find_range(const struct range *range)
{
	unsigned i = 0;

	while (i < iplog.num_ranges && memcmp(&iplog.ranges[i], range, sizeof(*range)) != 0)
		i++;
	return i;
}

static int range_add(char *argument)
{
	struct range range;
	int r = parse_range(argument, &range);

	if (r)
		return r;
	if (find_range(&range) < iplog.num_ranges)
		return EEXIST;
	if (iplog.num_ranges == RANGES_MAX)
		return ENOSPC;
	iplog.ranges[iplog.num_ranges++] = range;
	return 0;
}

static int range_del(char *argument)
{
	struct range range;
	int r = parse_range(argument, &range);
	unsigned i;

	if (r)
		return r;
	i = find_range(&range);
	if (i == iplog.num_ranges)
		return ENOENT;
	iplog.num_ranges--;
	memmove(&iplog.ranges[i], &iplog.ranges[i + 1],
		(iplog.num_ranges - i) * sizeof(iplog.ranges[0]));
	return 0;
}

static int range_list(FILE *out)
{
	static const uint8_t versions[] = { 4, 6 };
	char text[INET6_ADDRSTRLEN];

	for (unsigned v = 0; v < ARRAY_SIZE(versions); v++)
		for (unsigned i = 0; i < iplog.num_ranges; i++) {
			const struct range *range = &iplog.ranges[i];

			if (range->version == versions[v])
				printoutc(out, "  ipv%u: %s/%u", versions[v],
					  address_text(range->version, range->addr, text),
					  range->bits);
		}
	return 0;
}

/* The log. */

static bool to_syslog(void)
{
	return iplog.log_name && str_equal(iplog.log_name, "-");
}

static int open_log(const char *name)
{
	return open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
}

static void write_log(const char *line)
{
	char text[LINE_SIZE + 32];
	time_t now = time(NULL);
	struct tm tm;
	size_t len;

	if (to_syslog()) {
		syslog(LOG_INFO, "iplog: %s", line);
		return;
	}
	if (iplog.log_fd < 0 || !localtime_r(&now, &tm))
		return;
	len = strftime(text, sizeof(text), "%b %e %H:%M:%S ", &tm);
	len += (size_t)snprintf(text + len, sizeof(text) - len, "%s\n", line);
	if (write(iplog.log_fd, text, len) != (ssize_t)len)
		printlog(LOG_ERR, "iplog: %s: %s", iplog.log_name, strerror(errno));
}

static void announce(const struct iplog_entry *entry)
{
	char line[LINE_SIZE], address[INET6_ADDRSTRLEN], mac[MAC_TEXT_SIZE], user[64];
	const char *descr = port_descr(entry->port, 0);

	(void)snprintf(line, sizeof(line), "ipv%u %s mac=%s port=%d vlan=%u user=%s \"%s\"",
		       entry->version, address_text(entry->version, entry->addr, address),
		       format_mac(entry->mac, mac), entry->port, entry->vlan,
		       user_text(entry->user, user), descr ? descr : "");
	DBGOUT(&categories[0], "%s", line);
	write_log(line);
}

static int set_logfile(char *argument)
{
	int fd = -1;
	char *name = NULL;

	if (*argument) {
		name = strdup(argument);
		if (!name)
			return ENOMEM;
		if (!str_equal(name, "-")) {
			fd = open_log(name);
			if (fd < 0) {
				int code = errno;

				free(name);
				return code;
			}
		}
	}
	if (iplog.log_fd >= 0)
		(void)close(iplog.log_fd);
	free(iplog.log_name);
	iplog.log_name = name;
	iplog.log_fd = fd;
	return 0;
}

/* The log was rotated: go on in a new file of the same name. */
static int hangup(struct dbgcl *event, void *arg, va_list values)
{
	int fd;

	(void)event;
	(void)arg;
	(void)values;
	if (!iplog.log_name || to_syslog())
		return 0;
	fd = open_log(iplog.log_name);
	if (fd < 0) {
		printlog(LOG_ERR, "iplog: %s: %s", iplog.log_name, strerror(errno));
		return 0;
	}
	if (iplog.log_fd >= 0)
		(void)close(iplog.log_fd);
	iplog.log_fd = fd;
	return 0;
}

/* Frames. */

static void seen(const struct iplog_entry *now)
{
	enum iplog_change change = iplog_table_seen(&iplog.table, now);

	if (change == IPLOG_NEW || change == IPLOG_CHANGED)
		announce(now);
	if (change == IPLOG_NO_ROOM && !iplog.full)
		printlog(LOG_WARNING, "iplog: more than %d addresses: new ones are not logged",
			 IPLOG_MAX);
	iplog.full = change == IPLOG_NO_ROOM;
}

static int packet(struct dbgcl *event, void *arg, va_list values)
{
	int port = va_arg(values, int);
	const unsigned char *frame = va_arg(values, unsigned char *);
	int len = va_arg(values, int);
	struct iplog_entry entry = { .port = port, .last = qtime() };
	struct ip_source source;
	struct ether_info info;
	struct cursor c;

	(void)event;
	(void)arg;
	if (len < 0 || ether_parse(frame, (size_t)len, &info) < 0 || info.type == ETHER_TYPE_ARP)
		return 0;
	c = cursor_of(frame + info.header_len, (size_t)len - info.header_len);
	if (ip_find_source(info.type, c, &source) < 0)
		return 0;
	entry.version = source.version;
	memcpy(entry.addr, source.addr, source.version == 4 ? 4 : 16);
	if (!wanted(entry.version, entry.addr))
		return 0;
	memcpy(entry.mac, info.source, sizeof(entry.mac));
	entry.vlan = info.tagged ? VLAN_ID(info.tci) : 0;
	entry.user = port_user(port);
	seen(&entry);
	return 0;
}

static int port_closed(struct dbgcl *event, void *arg, va_list values)
{
	(void)event;
	(void)arg;
	iplog_table_forget_port(&iplog.table, va_arg(values, int));
	return 0;
}

static void collect(void *arg)
{
	(void)arg;
	iplog_table_forget_before(&iplog.table, qtime() - iplog.expire);
}

/* Listings. */

struct listing {
	FILE *out;
	int port;              /* -1: any */
	uid_t user;            /* only with by_user */
	bool by_user;
	const uint8_t *addr;   /* NULL: any */
	uint8_t version;
};

static void list_entry(void *context, const struct iplog_entry *entry)
{
	const struct listing *listing = context;
	char address[INET6_ADDRSTRLEN], user[64];

	if (listing->port >= 0 && entry->port != listing->port)
		return;
	if (listing->by_user && entry->user != listing->user)
		return;
	if (listing->addr && (entry->version != listing->version ||
			      memcmp(entry->addr, listing->addr, sizeof(entry->addr)) != 0))
		return;
	printoutc(listing->out, "ipv%u %s port=%d user=%s", entry->version,
		  address_text(entry->version, entry->addr, address), entry->port,
		  user_text(entry->user, user));
}

static int list(const struct listing *listing)
{
	return iplog_table_walk(&iplog.table, list_entry, (void *)listing);
}

static int ip_list(FILE *out)
{
	return list(&(struct listing){ .out = out, .port = -1 });
}

static int ip_port(FILE *out, int port)
{
	return list(&(struct listing){ .out = out, .port = port });
}

static int ip_user(FILE *out, char *argument)
{
	struct listing listing = { .out = out, .port = -1, .by_user = true };

	return parse_user(argument, &listing.user) < 0 ? EINVAL : list(&listing);
}

static int ip_search(FILE *out, char *argument)
{
	struct listing listing = { .out = out, .port = -1 };
	uint8_t addr[16];
	int r = parse_address(argument, &listing.version, addr);

	listing.addr = addr;
	return r ? r : list(&listing);
}

static int show_info(FILE *out)
{
	printoutc(out, "iplog: ip/port/user logging plugin");
	if (!iplog.log_name)
		printoutc(out, "log disabled");
	else if (to_syslog())
		printoutc(out, "log on syslog");
	else
		printoutc(out, "log on file %s", iplog.log_name);
	printoutc(out, "GC interval %d secs", iplog.interval);
	printoutc(out, "GC expire %d secs", iplog.expire);
	return 0;
}

static int set_interval(int seconds)
{
	if (seconds <= 0)
		return EINVAL;
	qtimer_del(iplog.timer);
	iplog.timer = qtimer_add(seconds, 0, collect, NULL);
	iplog.interval = seconds;
	return iplog.timer ? 0 : ENOMEM;
}

static int set_expire(int seconds)
{
	if (seconds <= 0)
		return EINVAL;
	iplog.expire = seconds;
	return 0;
}

static struct comlist commands[] = {
	{ .path = "iplog", .syntax = "============", .help = "IP/Mac/User Logging" },
	{ .path = "iplog/showinfo", .syntax = "", .help = "Show info on logging",
	  .doit = show_info, .type = NOARG | WITHFILE },
	{ .path = "iplog/logfile", .syntax = "pathname", .help = "Set the logfile (-: syslog)",
	  .doit = set_logfile, .type = STRARG },
	{ .path = "iplog/ipadd", .syntax = "ipaddr/mask", .help = "add an ipv4/v6 range",
	  .doit = range_add, .type = STRARG },
	{ .path = "iplog/ipdel", .syntax = "ipaddr/mask", .help = "del an ipv4/v6 range",
	  .doit = range_del, .type = STRARG },
	{ .path = "iplog/list", .syntax = "", .help = "list ip ranges",
	  .doit = range_list, .type = NOARG | WITHFILE },
	{ .path = "iplog/setgcint", .syntax = "N", .help = "change garbage collector interval",
	  .doit = set_interval, .type = INTARG },
	{ .path = "iplog/setexpire", .syntax = "N", .help = "change iplog entries expire time",
	  .doit = set_expire, .type = INTARG },
	{ .path = "iplog/iplist", .syntax = "", .help = "list active IP",
	  .doit = ip_list, .type = NOARG | WITHFILE },
	{ .path = "iplog/ipport", .syntax = "port", .help = "list active IP on a port",
	  .doit = ip_port, .type = INTARG | WITHFILE },
	{ .path = "iplog/ipuser", .syntax = "user", .help = "list active IP of a user",
	  .doit = ip_user, .type = STRARG | WITHFILE },
	{ .path = "iplog/ipsearch", .syntax = "ipaddr", .help = "search an IP address",
	  .doit = ip_search, .type = STRARG | WITHFILE },
};

__attribute__((constructor)) static void begin(void)
{
	ADDCL(commands);
	ADDDBGCL(categories);
	if (iplog_table_init(&iplog.table) < 0) {
		printlog(LOG_ERR, "iplog: no memory for the table, nothing is logged");
		return;
	}
	(void)set_interval(GC_INTERVAL);
	(void)eventadd(hangup, "sig/hup", NULL);
	(void)eventadd(packet, "packet/in", NULL);
	(void)eventadd(port_closed, "port/-", NULL);
}

__attribute__((destructor)) static void end(void)
{
	(void)eventdel(port_closed, "port/-", NULL);
	(void)eventdel(packet, "packet/in", NULL);
	(void)eventdel(hangup, "sig/hup", NULL);
	qtimer_del(iplog.timer);
	DELCL(commands);
	DELDBGCL(categories);
	iplog_table_done(&iplog.table);
	if (iplog.log_fd >= 0)
		(void)close(iplog.log_fd);
	free(iplog.log_name);
}
