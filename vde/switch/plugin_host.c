/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The functions of vdeplugin.h, which plug-ins call by name: they are exported by the program and
 * know of no instance. So this file holds the process's pointer to its switch, the one exception to
 * the rule that state is an instance's; a second switch in the process gets no plug-ins.
 *
 * Everything a plug-in registers is remembered with the address at which its object is loaded:
 * what its destructor forgets to take back goes when it is unloaded, before the code does.
 *
 * Each category has a struct dbgcl, for the built-in ones our own, for a plug-in's the plug-in's.
 * Callbacks are in its arrays `fun` and `funarg` (which the original made too small on 64 bits).
 * A callback may add and remove callbacks: the loops work by index, and what shifts under them is
 * at worst called again at the next event.
 */
#include "vde/switch/plugin_host.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdarg.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "vde/switch/endpoint.h"
#include "vde/switch/plugin_private.h"

/* An event callback; vdeplugin.h cannot declare it so, since programs give others, too. */
typedef int event_function(struct dbgcl *event, void *arg, va_list values);
/* What dbgcl.fun holds, without a prototype in the public header. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wstrict-prototypes"
typedef int any_function();
#pragma GCC diagnostic pop

#define CALLBACKS_MAX 1024 /* of one category */

struct plugin_command {
	struct dynamic_command dynamic;
	const struct comlist *row; /* the plug-in's */
	const void *base;
	struct plugin_command *next;
};

struct plugin_category {
	struct dbgcl *cl;
	struct debug *debug; /* of a plug-in's own category; NULL: built in, or events only */
	const void *base;    /* NULL: built in */
	struct plugin_category *next;
};

struct plugin_timer {
	struct loop_timer timer;
	struct plugin_host *host;
	unsigned number;
	uint64_t period; /* ns */
	int left;        /* -1: for ever */
	void (*function)(void *arg);
	void *arg;
	const void *base;
	struct plugin_timer *next;
};

static struct plugin_host *the_host;

const void *plugin_base(const void *address)
{
	Dl_info info;

	return dladdr(address, &info) ? info.dli_fbase : NULL;
}

/* Where a table is from; of one that was allocated, what is in it tells. */
static const void *owner_of(const void *table, const void *content, const void *other)
{
	const void *base = plugin_base(table);

	if (!base && content)
		base = plugin_base(content);
	return base || !other ? base : plugin_base(other);
}

/* Commands. */

static int call_row(const struct comlist *row, FILE *file, int id, const char *argument)
{
	char *text = (char *)argument; /* the ABI has no const; NUL-terminated, ours for the call */
	bool with_id = row->type & WITHFD;
	int number = atoi(argument);

	switch (row->type & ~(WITHFILE | WITHFD)) {
	case INTARG:
		if (file)
			return with_id ? ((int (*)(FILE *, int, int))row->doit)(file, id, number)
				       : ((int (*)(FILE *, int))row->doit)(file, number);
		return with_id ? ((int (*)(int, int))row->doit)(id, number)
			       : ((int (*)(int))row->doit)(number);
	case STRARG:
		if (file)
			return with_id ? ((int (*)(FILE *, int, char *))row->doit)(file, id, text)
				       : ((int (*)(FILE *, char *))row->doit)(file, text);
		return with_id ? ((int (*)(int, char *))row->doit)(id, text)
			       : ((int (*)(char *))row->doit)(text);
	default:
		if (file)
			return with_id ? ((int (*)(FILE *, int))row->doit)(file, id)
				       : ((int (*)(FILE *))row->doit)(file);
		return with_id ? ((int (*)(int))row->doit)(id) : ((int (*)(void))row->doit)();
	}
}

/* Runs ROW with a file in memory, whose text goes to the data block. */
static int call_with_file(const struct comlist *row, int id, const char *argument,
			  struct strbuf *out)
{
	auto_free char *text = NULL;
	size_t len = 0;
	FILE *file = open_memstream(&text, &len);
	int result;

	if (!file)
		return -errno;
	result = call_row(row, file, id, argument);
	if (fclose(file) == EOF)
		return -ENOMEM;
	if (out && len) {
		strbuf_append(out, text, len);
		if (text[len - 1] != '\n')
			strbuf_putc(out, '\n');
	}
	return result > 0 ? -result : result < 0 ? COMMAND_LOGOUT : 0;
}

static int run_command(void *context, struct command_call *call)
{
	const struct plugin_command *command = context;
	auto_free char *argument = strdup(call->argument); /* plug-ins may cut it up */
	int id = call->console ? console_id(call->console) : -1;
	int result;

	if (!argument)
		return -ENOMEM;
	if (command->row->type & WITHFILE)
		return call_with_file(command->row, id, argument, call->out);
	result = call_row(command->row, NULL, id, argument);
	return result > 0 ? -result : result < 0 ? COMMAND_LOGOUT : 0;
}

static unsigned row_flags(const struct comlist *row)
{
	if (!row->doit)
		return COMMAND_MENU;
	return row->type & WITHFILE ? COMMAND_TEXT : 0;
}

static void add_command(struct plugin_host *host, const struct comlist *row)
{
	struct plugin_command *command = calloc(1, sizeof(*command));

	if (!command) {
		log_error("no memory for the command %s of a plug-in", row->path);
		return;
	}
	command->row = row;
	command->base = owner_of(row, (const void *)row->doit, row->path);
	command->dynamic = (struct dynamic_command){
		.path = row->path,
		.syntax = row->syntax ? row->syntax : "",
		.help = row->help ? row->help : "",
		.run = row->doit ? run_command : NULL, /* a heading cannot be run */
		.context = command,
		.flags = row_flags(row),
	};
	command->next = host->commands;
	host->commands = command;
	console_add_command(host->sw, &command->dynamic);
}

static void remove_command(struct plugin_host *host, struct plugin_command **at)
{
	struct plugin_command *command = *at;

	*at = command->next;
	console_remove_command(host->sw, &command->dynamic);
	free(command);
}

PUBLIC void addcl(int n, struct comlist *commands)
{
	for (int i = 0; the_host && i < n; i++)
		if (commands[i].path)
			add_command(the_host, &commands[i]);
}

PUBLIC void delcl(int n, struct comlist *commands)
{
	if (!the_host)
		return;
	for (struct plugin_command **at = &the_host->commands; *at;)
		if ((*at)->row >= commands && (*at)->row < commands + n)
			remove_command(the_host, at);
		else
			at = &(*at)->next;
}

/* Categories. */

/* Tells the plug-in's struct who listens: it looks at nfds before it formats anything. */
static void category_changed(const struct debug *debug)
{
	struct dbgcl *cl = debug->owner;
	int *slots = reallocarray(cl->fds, CONSOLE_MAX, sizeof(*slots));
	unsigned count = 0;

	if (slots) {
		cl->fds = slots;
		cl->maxfds = CONSOLE_MAX;
		for (unsigned slot = 0; slot < CONSOLE_MAX; slot++)
			if (debug->subscribers >> slot & 1)
				cl->fds[count++] = (int)slot;
	}
	cl->nfds = (unsigned short)count;
}

static int add_category(struct plugin_host *host, struct dbgcl *cl, const void *base)
{
	struct plugin_category *category = calloc(1, sizeof(*category));
	struct plugin_category **end = &host->categories;

	if (!category)
		return -ENOMEM;
	while (*end)
		end = &(*end)->next;
	category->cl = cl;
	category->base = base;
	*end = category;
	return 0;
}

/* The plug-in's categories: its own and, when they have a help text, for the consoles. */
static void add_plugin_category(struct plugin_host *host, struct dbgcl *cl)
{
	struct plugin_category *category;

	cl->fds = NULL;
	cl->fun = NULL;
	cl->funarg = NULL;
	cl->nfds = cl->nfun = cl->maxfds = cl->maxfun = 0;
	if (add_category(host, cl, owner_of(cl, cl->path, NULL)) < 0) {
		log_error("no memory for the debug category %s of a plug-in", cl->path);
		return;
	}
	if (!cl->help)
		return;
	for (category = host->categories; category->cl != cl; category = category->next)
		;
	category->debug = debug_add_category(host->sw, cl->path, cl->help, cl->tag, cl);
	if (category->debug)
		category->debug->changed = category_changed;
	else
		log_error("no memory for the debug category %s of a plug-in", cl->path);
}

static void remove_category(struct plugin_host *host, struct plugin_category **at)
{
	struct plugin_category *category = *at;
	struct dbgcl *cl = category->cl;

	*at = category->next;
	if (category->debug)
		debug_remove_category(host->sw, category->debug);
	free(cl->fds);
	free(cl->fun);
	free(cl->funarg);
	cl->fds = NULL;
	cl->fun = NULL;
	cl->funarg = NULL;
	cl->nfds = cl->nfun = cl->maxfds = cl->maxfun = 0;
	free(category);
}

static struct plugin_category *find_category(struct plugin_host *host, const struct dbgcl *cl)
{
	struct plugin_category *category = host->categories;

	while (category && category->cl != cl)
		category = category->next;
	return category;
}

PUBLIC void adddbgcl(int n, struct dbgcl *categories)
{
	for (int i = 0; the_host && i < n; i++)
		if (categories[i].path && !find_category(the_host, &categories[i]))
			add_plugin_category(the_host, &categories[i]);
}

PUBLIC void deldbgcl(int n, struct dbgcl *categories)
{
	if (!the_host)
		return;
	for (struct plugin_category **at = &the_host->categories; *at;)
		if ((*at)->base && (*at)->cl >= categories && (*at)->cl < categories + n)
			remove_category(the_host, at);
		else
			at = &(*at)->next;
}

PUBLIC void debugout(struct dbgcl *cl, const char *format, ...)
{
	struct plugin_category *category = the_host ? find_category(the_host, cl) : NULL;
	va_list ap;

	if (!category || !category->debug || !debug_wanted(category->debug))
		return;
	va_start(ap, format);
	debug_vemit(the_host->sw, category->debug, format, ap);
	va_end(ap);
}

/* Events. */

static int find_callback(const struct dbgcl *cl, any_function *function, const void *arg)
{
	for (int i = 0; i < cl->nfun; i++)
		if (cl->fun[i] == function && cl->funarg[i] == arg)
			return i;
	return -ENOENT;
}

static int grow_callbacks(struct dbgcl *cl)
{
	size_t room = cl->maxfun ? 2 * (size_t)cl->maxfun : 8;
	void *fun, *funarg;

	if (room > CALLBACKS_MAX)
		return -ENOSPC;
	fun = reallocarray(cl->fun, room, sizeof(*cl->fun));
	if (!fun)
		return -ENOMEM;
	cl->fun = fun;
	funarg = reallocarray(cl->funarg, room, sizeof(*cl->funarg));
	if (!funarg)
		return -ENOMEM;
	cl->funarg = funarg;
	cl->maxfun = (unsigned short)room;
	return 0;
}

static int add_callback(struct dbgcl *cl, any_function *function, void *arg)
{
	int r;

	if (find_callback(cl, function, arg) >= 0)
		return 0;
	if (cl->nfun == cl->maxfun) {
		r = grow_callbacks(cl);
		if (r < 0)
			return r;
	}
	cl->fun[cl->nfun] = function;
	cl->funarg[cl->nfun] = arg;
	cl->nfun++;
	return 0;
}

static void remove_callback(struct dbgcl *cl, int index)
{
	cl->nfun--;
	for (int i = index; i < cl->nfun; i++) {
		cl->fun[i] = cl->fun[i + 1];
		cl->funarg[i] = cl->funarg[i + 1];
	}
}

PUBLIC int eventadd(any_function *function, const char *path, void *arg)
{
	int result = EINVAL;

	if (!the_host || !function || !path)
		return EINVAL;
	for (struct plugin_category *at = the_host->categories; at; at = at->next) {
		if (!str_starts(at->cl->path, path))
			continue;
		result = -add_callback(at->cl, function, arg);
		if (result)
			return result;
	}
	return result;
}

PUBLIC int eventdel(any_function *function, const char *path, void *arg)
{
	int result = EINVAL;

	if (!the_host || !path)
		return EINVAL;
	for (struct plugin_category *at = the_host->categories; at; at = at->next) {
		int index;

		if (!str_starts(at->cl->path, path))
			continue;
		index = find_callback(at->cl, function, arg);
		if (index >= 0) {
			remove_callback(at->cl, index);
			result = 0;
		} else if (result == EINVAL) {
			result = ENOENT;
		}
	}
	return result;
}

static int call_callback(struct dbgcl *cl, unsigned i, va_list values)
{
	event_function *function = (event_function *)cl->fun[i];
	va_list copy;
	int result;

	va_copy(copy, values);
	result = function(cl, cl->funarg[i], copy);
	va_end(copy);
	return result;
}

static int call_callbacks(struct dbgcl *cl, va_list values)
{
	int result = 0;

	for (unsigned i = 0; i < cl->nfun; i++)
		result = call_callback(cl, i, values);
	return result;
}

PUBLIC int eventout(struct dbgcl *category, ...)
{
	va_list values;
	int result;

	va_start(values, category);
	result = call_callbacks(category, values);
	va_end(values);
	return result;
}

void plugin_host_event(struct vde_switch *sw, enum debug_category category, ...)
{
	struct dbgcl *cl;
	va_list values;

	if (!sw->plugins)
		return;
	cl = &sw->plugins->builtin[category];
	if (!cl->nfun)
		return;
	va_start(values, category);
	(void)call_callbacks(cl, values);
	va_end(values);
}

/* Packets: each callback sees what the one before it made of the frame. */

static int call_packet(struct dbgcl *cl, unsigned i, ...)
{
	va_list values;
	int result;

	va_start(values, i);
	result = call_callback(cl, i, values);
	va_end(values);
	return result;
}

bool plugin_host_wants_packets(const struct vde_switch *sw, bool out)
{
	const struct plugin_host *host = sw->plugins;

	return host && host->builtin[out ? DEBUG_PACKET_OUT : DEBUG_PACKET_IN].nfun > 0;
}

int plugin_host_packet(struct vde_switch *sw, bool out, unsigned port, uint8_t *data, int len)
{
	struct dbgcl *cl = &sw->plugins->builtin[out ? DEBUG_PACKET_OUT : DEBUG_PACKET_IN];
	int most = MAX(sw->settings.max_frame, len);

	for (unsigned i = 0; i < cl->nfun; i++) {
		int result = call_packet(cl, i, (int)port, data, len);

		if (result < 0 || result > most)
			return -EPERM;
		if (result > 0)
			len = result;
	}
	return len;
}

/* Output, ports, time. */

PUBLIC void printoutc(FILE *file, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	if (file) {
		(void)vfprintf(file, format, ap); /* in memory: checked when it is closed */
		(void)fputc('\n', file);
	} else {
		log_messagev(LOG_LEVEL_INFO, format, ap);
	}
	va_end(ap);
}

static enum log_level level_of(int priority)
{
	static const enum log_level levels[] = {
		[LOG_EMERG] = LOG_LEVEL_ERROR,     [LOG_ALERT] = LOG_LEVEL_ERROR,
		[LOG_CRIT] = LOG_LEVEL_ERROR,      [LOG_ERR] = LOG_LEVEL_ERROR,
		[LOG_WARNING] = LOG_LEVEL_WARNING, [LOG_NOTICE] = LOG_LEVEL_NOTICE,
		[LOG_INFO] = LOG_LEVEL_INFO,       [LOG_DEBUG] = LOG_LEVEL_DEBUG,
	};

	return levels[LOG_PRI(priority)];
}

PUBLIC void printlog(int priority, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	log_messagev(level_of(priority), format, ap);
	va_end(ap);
}

PUBLIC uid_t port_user(int port)
{
	const struct port *found = the_host ? port_find(the_host->sw, port) : NULL;

	return found ? found->user : (uid_t)-1;
}

PUBLIC char *port_descr(int port, int endpoint)
{
	const struct port *found = the_host ? port_find(the_host->sw, port) : NULL;
	struct endpoint *ep = found ? found->endpoints : NULL;

	while (ep && endpoint-- > 0)
		ep = ep->next_on_port;
	return ep ? ep->descr : NULL;
}

PUBLIC time_t qtime(void)
{
	const struct vde_switch *sw;

	if (!the_host)
		return 0;
	sw = the_host->sw;
	return (time_t)((loop_now(sw->loop) - sw->start) / NS_PER_SEC);
}

PUBLIC void qtime_csenter(void)
{
}

PUBLIC void qtime_csexit(void)
{
}

PUBLIC int mgmtnewfd(int fd)
{
	return the_host ? -console_adopt(the_host->sw, fd) : EINVAL;
}

/* Timers. */

static void remove_timer(struct plugin_host *host, struct plugin_timer **at)
{
	struct plugin_timer *timer = *at;

	*at = timer->next;
	host->num_timers--;
	loop_timer_cancel(host->sw->loop, &timer->timer);
	free(timer);
}

static struct plugin_timer **find_timer(struct plugin_host *host, unsigned number)
{
	struct plugin_timer **at = &host->timers;

	while (*at && (*at)->number != number)
		at = &(*at)->next;
	return at;
}

/* The function may delete this timer, or any other: it is looked up again afterwards. */
static void timer_fired(struct loop *loop, struct loop_timer *fired)
{
	struct plugin_timer *timer = container_of(fired, struct plugin_timer, timer);
	struct plugin_host *host = timer->host;
	unsigned number = timer->number;
	uint64_t due = fired->due;
	struct plugin_timer **at;

	timer->function(timer->arg);
	at = find_timer(host, number);
	timer = *at;
	if (!timer)
		return;
	if (timer->left > 0)
		timer->left--;
	due = MAX(due + timer->period, loop_now(loop));
	if (timer->left == 0 || loop_timer_set(loop, &timer->timer, due) < 0)
		remove_timer(host, at);
}

PUBLIC unsigned int qtimer_add(time_t period, int times, void (*function)(void *arg), void *arg)
{
	struct plugin_host *host = the_host;
	struct plugin_timer *timer;

	if (!host || !function || host->num_timers == PLUGIN_TIMERS_MAX)
		return 0;
	timer = calloc(1, sizeof(*timer));
	if (!timer)
		return 0;
	do {
		timer->number = ++host->last_timer & INT_MAX;
	} while (!timer->number || *find_timer(host, timer->number));
	timer->host = host;
	timer->period = (uint64_t)MIN(MAX(period, 1), 1000000000) * NS_PER_SEC;
	timer->left = times > 0 ? times : -1;
	timer->function = function;
	timer->arg = arg;
	timer->base = plugin_base((void *)function);
	timer->timer.fire = timer_fired;
	if (loop_timer_set(host->sw->loop, &timer->timer, clock_now() + timer->period) < 0) {
		free(timer);
		return 0;
	}
	timer->next = host->timers;
	host->timers = timer;
	host->num_timers++;
	return timer->number;
}

PUBLIC void qtimer_del(unsigned int number)
{
	struct plugin_timer **at;

	if (!the_host)
		return;
	at = find_timer(the_host, number);
	if (*at)
		remove_timer(the_host, at);
}

/* The instance. */

static void forget_callbacks(struct dbgcl *cl, const void *base)
{
	for (int i = cl->nfun; i-- > 0;)
		if (plugin_base((void *)cl->fun[i]) == base)
			remove_callback(cl, i);
}

void plugin_host_forget(struct plugin_host *host, const void *base)
{
	for (struct plugin_command **at = &host->commands; *at;)
		if ((*at)->base == base)
			remove_command(host, at);
		else
			at = &(*at)->next;
	for (struct plugin_timer **at = &host->timers; *at;)
		if ((*at)->base == base)
			remove_timer(host, at);
		else
			at = &(*at)->next;
	for (struct plugin_category **at = &host->categories; *at;) {
		forget_callbacks((*at)->cl, base);
		if ((*at)->base == base)
			remove_category(host, at);
		else
			at = &(*at)->next;
	}
}

int plugin_host_new(struct vde_switch *sw)
{
	struct plugin_host *host = calloc(1, sizeof(*host));

	if (!host)
		return -ENOMEM;
	host->sw = sw;
	sw->plugins = host;
	for (unsigned i = 0; i < DEBUG_NUM_CATEGORIES; i++) {
		const struct debug *debug = debug_builtin(sw, i);

		host->builtin[i] = (struct dbgcl){
			.path = debug->path,
			.help = debug->help,
			.tag = debug->tag,
		};
		if (add_category(host, &host->builtin[i], NULL) < 0) {
			plugin_host_free(sw);
			return -ENOMEM;
		}
	}
	if (!the_host)
		the_host = host;
	return 0;
}

void plugin_host_free(struct vde_switch *sw)
{
	struct plugin_host *host = sw->plugins;

	if (!host)
		return;
	plugin_unload_all(host);
	while (host->commands)
		remove_command(host, &host->commands);
	while (host->timers)
		remove_timer(host, &host->timers);
	while (host->categories)
		remove_category(host, &host->categories);
	if (the_host == host)
		the_host = NULL;
	sw->plugins = NULL;
	free(host);
}
