/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A plug-in is a shared object with the data symbol `vdeplug_ops`. It is opened so that its own
 * names win over the program's (RTLD_DEEPBIND). Plug-ins that nest locators call vde_open_real()
 * without naming this library as needed, so this library is made visible to them first, however the
 * program came by it.
 */
#include "vde/plug/loader.h"

#include <dlfcn.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "vde/plug/batch.h"
#include "vde/plug/search.h"
#include "vde/plug/strerror.h"

/* The run-time library of a sanitized build refuses RTLD_DEEPBIND. */
#if defined(__SANITIZE_ADDRESS__)
#define PLUGIN_BIND RTLD_NOW
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define PLUGIN_BIND RTLD_NOW
#endif
#endif
#ifndef PLUGIN_BIND
#define PLUGIN_BIND (RTLD_NOW | RTLD_DEEPBIND)
#endif

#define OPS_SYMBOL "vdeplug_ops"
#define EXT_SYMBOL "vdeplug_ops_ext"

static void cleanup_dlclose(void **handle)
{
	if (*handle)
		(void)dlclose(*handle);
}

/* A program that loaded this library privately (dlopen) hides its symbols from plug-ins. */
static void publish_own_symbols(void)
{
	Dl_info info;
	void *self;

	if (!dladdr((const void *)plug_load, &info) || !info.dli_fname)
		return;
	self = dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_GLOBAL);
	if (self)
		(void)dlclose(self); /* the count only: it is loaded, since this code runs */
}

/* An open object that is a plug-in. */
struct candidate {
	void *handle; /* owned */
	const struct vdeplug_module *ops;
	const struct vdeplug_ops_ext *ext;
};

/* Opens FILE; -EPROTONOSUPPORT with the dynamic linker's words when it is not a plug-in. */
static int candidate_open(const char *file, struct candidate *ret, struct error *error)
{
	CLEANUP(cleanup_dlclose) void *handle = dlopen(file, PLUGIN_BIND);
	const struct vdeplug_ops_ext *ext;

	if (!handle)
		return error_set(error, EPROTONOSUPPORT, "plug-in cannot be loaded: %s", dlerror());
	ret->ops = dlsym(handle, OPS_SYMBOL);
	if (!ret->ops)
		return error_set(error, EPROTONOSUPPORT, "'%s' is not a plug-in: it lacks the symbol "
				 OPS_SYMBOL, file);
	ext = dlsym(handle, EXT_SYMBOL);
	ret->ext = ext && ext->size >= sizeof(ext->size) ? ext : NULL;
	ret->handle = TAKE_PTR(handle);
	return 0;
}

/* Whether the plug-in has that operation: it may be older than the library. */
#define HAS_OP(ext, op)                                                                     \
	((ext) && (ext)->size >= offsetof(struct vdeplug_ops_ext, op) + sizeof((ext)->op) && \
	 (ext)->op)

static VDECONN *candidate_open_tap(const struct candidate *c, char *args,
				   const struct plug_request *request)
{
	if (HAS_OP(c->ext, vde_open_tap))
		return c->ext->vde_open_tap(args, request->descr, request->interface_version,
					    request->args, *request->tap);
	(void)error_set(plug_error(), EOPNOTSUPP, "this kind of network does not take interfaces");
	errno = EOPNOTSUPP;
	return NULL;
}

/* Calls the plug-in's open on a copy of ARGS, which it may change. */
static int candidate_connect(const struct candidate *c, const char *args,
			     const struct plug_request *request, VDECONN **ret)
{
	auto_free char *copy = strdup(args);
	auto_free struct plug_module *module = calloc(1, sizeof(*module));
	VDECONN *conn;

	if (!copy || !module)
		return -ENOMEM;
	errno = 0;
	conn = request->tap ? candidate_open_tap(c, copy, request)
			    : c->ops->vde_open_real(copy, request->descr,
						    request->interface_version, request->args);
	if (!conn)
		return errno > 0 ? -errno : -EINVAL; /* some forget to say */
	module->ops = *c->ops;
	module->ext = c->ext;
	module->frames_only = request->frames_only;
	conn->handle = c->handle;
	conn->module = &TAKE_PTR(module)->ops;
	*ret = conn;
	return 0;
}

/* Tries one directory; -EPROTONOSUPPORT means that the search goes on. */
static int plug_try(const char *dir, const struct locator *l, const struct plug_request *request,
		    VDECONN **ret, struct error *error)
{
	auto_free char *file = plug_file_name(dir, l->scheme);
	struct candidate c = { 0 };
	int r;

	if (!file)
		return -ENOMEM;
	if (*dir && access(file, F_OK) < 0)
		return -EPROTONOSUPPORT;
	r = candidate_open(file, &c, *dir ? error : NULL);
	if (r < 0)
		return r;
	r = candidate_connect(&c, l->args, request, ret);
	if (r < 0)
		(void)dlclose(c.handle);
	return r;
}

int plug_load(const struct locator *l, const struct plug_request *request, VDECONN **ret,
	      struct error *error)
{
	__attribute__((cleanup(plug_search_done))) struct plug_search search = { 0 };
	struct error broken = { 0 };
	int r = plug_search_init(&search);

	if (r < 0)
		return r;
	publish_own_symbols();
	r = -EPROTONOSUPPORT;
	for (size_t i = 0; r == -EPROTONOSUPPORT && i < search.count; i++)
		r = plug_try(search.dirs[i], l, request, ret, broken.code ? NULL : &broken);
	if (r != -EPROTONOSUPPORT || plug_error()->code)
		return r;
	if (broken.code)
		*error = broken;
	else
		plug_search_explain(&search, l->text, l->scheme, error);
	return r;
}

int plug_unload(VDECONN *conn)
{
	auto_free struct plug_module *module = container_of(conn->module, struct plug_module, ops);
	void *handle = conn->handle;
	int r = module->ops.vde_close(conn);

	batch_done(module);
	if (r == 0)
		(void)dlclose(handle);
	return r;
}
