/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "view.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/util.h"

int view_set_name(struct view *v, const char *name)
{
	struct view_info info = v->info;
	int r;

	if (strpbrk(name, "\n\r\t\033"))
		return -EINVAL;
	memset(info.name, 0, sizeof(info.name));
	r = str_copy(info.name, sizeof(info.name), name);
	if (r == 0)
		r = segment_set(&v->segment, SEGMENT_INFO, &info, sizeof(info));
	if (r == 0)
		v->info = info;
	return r;
}

int view_init(struct view *v, const char *name, struct error *error)
{
	int r;

	*v = (struct view){ .info = { .supervisor = (uint64_t)getpid() } };
	(void)snprintf(v->info.serverid, sizeof(v->info.serverid), "%d", getpid());
	r = segment_writer_init(&v->segment, SEGMENT_SIZE, error);
	if (r < 0)
		return r;
	r = view_set_name(v, name);
	if (r < 0)
		view_free(v);
	return r < 0 ? error_set_errno(error, -r, "the view cannot be called '%s'", name) : 0;
}

void view_free(struct view *v)
{
	segment_writer_free(&v->segment);
}
