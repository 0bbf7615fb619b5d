/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes frames to a file in the classic pcap format (the switch's own capture commands write
 * pcap-ng, filter, and never wait; this one is for those who know the original's commands). Each frame
 * is there as it comes in and once for each port it leaves on, unless one port was chosen.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include <vdeplugin.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "base/util.h"

#define PCAP_MAGIC          UINT32_C(0xa1b2c3d4) /* times in microseconds */
#define PCAP_ETHERNET       1
#define DEFAULT_FILE        "vde_dump.cap"
#define DEFAULT_SNAP_LEN    65535
#define ALL_PORTS           (-1)

struct pcap_file_header {
	uint32_t magic;
	uint16_t major, minor;
	int32_t zone;
	uint32_t sigfigs;
	uint32_t snap_len;
	uint32_t link_type;
};

struct pcap_record {
	uint32_t seconds, microseconds;
	uint32_t captured, original;
};

/* The plug-in is loaded once in a process, and its ABI gives it no instance. */
static struct {
	FILE *file; /* NULL: not open */
	char *name; /* owned; NULL: DEFAULT_FILE */
	uint32_t snap_len;
	int port;
	bool buffered;
	bool failed; /* said so already */
} pdump = { .snap_len = DEFAULT_SNAP_LEN, .port = ALL_PORTS, .buffered = true };

PUBLIC struct plugin vde_plugin_data = {
	.name = "pdump", .help = "dump packets to file, in pcap format"
};

enum { PDUMP_IN, PDUMP_OUT };

static struct dbgcl categories[] = {
	[PDUMP_IN] = { .path = "pdump/packetin", .help = "dump incoming packet to file",
		       .tag = 0100 | D_IN },
	[PDUMP_OUT] = { .path = "pdump/packetout", .help = "dump outgoing packet to file",
			.tag = 0100 | D_OUT },
};

static const char *file_name(void)
{
	return pdump.name ? pdump.name : DEFAULT_FILE;
}

static void close_file(void)
{
	if (pdump.file && fclose(pdump.file) == EOF)
		printlog(LOG_ERR, "pdump: %s: %s", file_name(), strerror(errno));
	pdump.file = NULL;
}

/* Opens NAME anew and writes the header; tells OUT what is wrong. */
static int open_file(FILE *out, const char *name)
{
	struct pcap_file_header header = {
		.magic = PCAP_MAGIC,
		.major = 2,
		.minor = 4,
		.snap_len = pdump.snap_len,
		.link_type = PCAP_ETHERNET,
	};
	auto_close int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
				 0600);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "w");

	if (!file) {
		int code = errno;

		printoutc(out, "cannot open %s: %s%s", name, strerror(code),
			  code == EACCES ? " (a running switch writes only where --allow-path lets it)"
					 : "");
		printoutc(out, "ERROR: cannot dump to %s", name);
		return EINVAL;
	}
	(void)TAKE_FD(fd);
	close_file();
	pdump.file = file;
	pdump.failed = false;
	(void)fwrite(&header, sizeof(header), 1, file); /* an error shows at the flush */
	return fflush(file) == EOF ? errno : 0;
}

static void write_frame(const unsigned char *frame, uint32_t len)
{
	struct pcap_record record = { .captured = MIN(len, pdump.snap_len), .original = len };
	struct timeval now;

	(void)gettimeofday(&now, NULL); /* cannot fail */
	record.seconds = (uint32_t)now.tv_sec;
	record.microseconds = (uint32_t)now.tv_usec;
	(void)fwrite(&record, sizeof(record), 1, pdump.file);
	(void)fwrite(frame, record.captured, 1, pdump.file);
	if (!pdump.buffered)
		(void)fflush(pdump.file);
	if (ferror(pdump.file) && !pdump.failed) {
		pdump.failed = true;
		printlog(LOG_ERR, "pdump: %s: %s; frames are missing in it", file_name(),
			 strerror(errno));
	}
}

static int packet(struct dbgcl *event, void *arg, va_list values)
{
	struct dbgcl *category = &categories[event->tag == (D_PACKET | D_IN) ? PDUMP_IN : PDUMP_OUT];
	int port = va_arg(values, int);
	const unsigned char *frame = va_arg(values, unsigned char *);
	int len = va_arg(values, int);

	(void)arg;
	if (len < 0 || (pdump.port != ALL_PORTS && pdump.port != port))
		return 0;
	if (pdump.file)
		write_frame(frame, (uint32_t)len);
	DBGOUT(category, "Port %04d len=%04d", port, len);
	return 0;
}

static int set_active(FILE *out, char *argument)
{
	int r;

	if (!atoi(argument)) {
		r = eventdel(packet, "packet", NULL);
		if (pdump.file)
			(void)fflush(pdump.file); /* errors are kept for close_file() */
		return r;
	}
	r = pdump.file ? 0 : open_file(out, file_name());
	return r ? r : eventadd(packet, "packet", NULL);
}

static int set_filename(FILE *out, char *argument)
{
	char *name;
	int r;

	if (*argument) {
		name = strdup(argument);
		r = name ? open_file(out, name) : ENOMEM;
		if (r) {
			free(name);
			return r;
		}
		free(pdump.name);
		pdump.name = name;
	}
	printoutc(out, "dumpfile=%s", file_name());
	return 0;
}

static int set_buffered(char *argument)
{
	pdump.buffered = atoi(argument) != 0;
	if (!pdump.buffered && pdump.file)
		return fflush(pdump.file) == EOF ? errno : 0;
	return 0;
}

/* Takes effect in the next file, whose header tells it; 0: whole frames. */
static int set_snap_len(FILE *out, char *argument)
{
	long long len;

	if (*argument) {
		if (parse_decimal(argument, 0, INT32_MAX, &len) < 0)
			return EINVAL;
		pdump.snap_len = len ? (uint32_t)len : DEFAULT_SNAP_LEN;
		if (pdump.file)
			return open_file(out, file_name());
	}
	printoutc(out, "snaplen=%u", pdump.snap_len);
	return 0;
}

static int set_port(FILE *out, char *argument)
{
	long long port;

	if (str_equal(argument, "all")) {
		pdump.port = ALL_PORTS;
	} else if (*argument) {
		if (parse_decimal(argument, 0, INT32_MAX, &port) < 0)
			return EINVAL;
		pdump.port = (int)port;
	}
	if (pdump.port == ALL_PORTS)
		printoutc(out, "port=all");
	else
		printoutc(out, "port=%d", pdump.port);
	return 0;
}

static struct comlist commands[] = {
	{ .path = "pdump", .syntax = "============", .help = "DUMP Packets to file" },
	{ .path = "pdump/active", .syntax = "0/1", .help = "start dumping data",
	  .doit = set_active, .type = STRARG | WITHFILE },
	{ .path = "pdump/filename", .syntax = "<file>",
	  .help = "set/show output filename (default: " DEFAULT_FILE ")",
	  .doit = set_filename, .type = STRARG | WITHFILE },
	{ .path = "pdump/buffered", .syntax = "0/1", .help = "set buffered/unbuffered dump",
	  .doit = set_buffered, .type = STRARG },
	{ .path = "pdump/snaplen", .syntax = "[N]",
	  .help = "set/show bytes kept of a frame; begins the file anew",
	  .doit = set_snap_len, .type = STRARG | WITHFILE },
	{ .path = "pdump/port", .syntax = "[N|all]", .help = "set/show the port that is dumped",
	  .doit = set_port, .type = STRARG | WITHFILE },
};

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
	close_file();
	free(pdump.name);
	pdump.name = NULL;
}
