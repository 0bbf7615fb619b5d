/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vdens.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/utsname.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/json.h"
#include "base/parse.h"

static void report_namespaces(struct json *j, pid_t pid, bool mounts)
{
	static const char *const kinds[] = { "user", "net", "uts", "mnt" };

	json_object(j, "namespaces");
	for (size_t i = 0; i < ARRAY_SIZE(kinds) - !mounts; i++)
		json_format(j, kinds[i], "/proc/%ld/ns/%s", (long)pid, kinds[i]);
	json_end(j);
}

static void report_interface(struct json *j, const struct report_interface *interface)
{
	char mac[MAC_TEXT_SIZE];

	json_object(j, NULL);
	json_string(j, "name", interface->tap.name);
	json_int(j, "index", interface->tap.index);
	json_string(j, "mac", format_mac(interface->tap.mac, mac));
	json_string(j, "vnl", interface->vnl);
	json_string(j, "transport", interface->transport);
	json_end(j);
}

static void report_write(struct strbuf *line, pid_t pid, const struct space_plan *plan,
			 const struct report_interface *interfaces)
{
	struct utsname names;
	struct json j;

	json_init(&j, line);
	json_object(&j, NULL);
	json_int(&j, "pid", pid);
	json_int(&j, "relay_pid", getpid());
	report_namespaces(&j, pid, plan->mounts);
	if (plan->hostname)
		json_string(&j, "hostname", plan->hostname);
	else if (uname(&names) == 0)
		json_string(&j, "hostname", names.nodename);
	json_array(&j, "interfaces");
	for (unsigned i = 0; i < plan->num_interfaces; i++)
		report_interface(&j, &interfaces[i]);
	json_end(&j);
	json_end(&j);
	strbuf_putc(line, '\n');
}

int report_json(const char *file, pid_t pid, const struct space_plan *plan,
		const struct report_interface *interfaces, struct error *error)
{
	auto_strbuf struct strbuf line = { 0 };
	auto_close int opened = -1;
	int fd = STDERR_FILENO, r;

	report_write(&line, pid, plan, interfaces);
	if (line.error)
		return error_set_errno(error, -line.error, "cannot report the namespaces");
	if (file) {
		fd = opened = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
		if (fd < 0)
			return error_set_errno(error, errno, "cannot open '%s'", file);
	}
	r = io_write_all(fd, line.data, line.len);
	return r < 0 ? error_set_errno(error, -r, "cannot write '%s'", file ? file : "stderr") : 0;
}
