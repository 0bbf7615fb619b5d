/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The sentence behind vde_strerror(). It belongs to the thread, as errno does. It lives in
 * libvdeplug, not in libvdeplug_mod: the loader that opens a plug-in is the one that is asked, and
 * a plug-in finds vde_error_text() as a weak symbol that is absent when another build of
 * libvdeplug loaded it.
 */
#include "vde/plug/strerror.h"

#include <stdarg.h>
#include <stdio.h>

#include <libvdeplug_mod.h>

static _Thread_local struct error last_error;

struct error *plug_error(void)
{
	return &last_error;
}

PUBLIC const char *vde_strerror(void)
{
	return last_error.code ? error_text(&last_error) : "";
}

PUBLIC void vde_error_text(int code, const char *format, ...)
{
	struct error e = { .code = code };
	va_list ap;

	va_start(ap, format); /* into a copy: an argument may be the last sentence itself */
	(void)vsnprintf(e.text, sizeof(e.text), format, ap); /* cut is fine: it is a message */
	va_end(ap);
	last_error = e;
}
