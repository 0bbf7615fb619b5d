/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host's own frames are kept out by a filter in the kernel. What we send is not heard back: a
 * packet socket does not get its own frames. The host does not hear it either, since it goes out on
 * the wire: an interface plugged in this way joins the network beyond it, not the host.
 */
#include "end_pcap.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <pcap/pcap.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/parse.h"

#define SNAP_LENGTH 9234 /* VDE_ETHBUFSIZE */
#define BUFFER_SIZE (8 << 20) /* bytes: some 800 frames, for bursts */

struct end_pcap {
	struct relay_end end;
	pcap_t *pcap;
	unsigned index; /* of the interface */
	int links_fd;   /* tells of all changes of interfaces, rtnetlink(7) */
};

static int end_pcap_next(struct relay_end *end, struct relay_frame *ret)
{
	struct end_pcap *p = container_of(end, struct end_pcap, end);
	struct pcap_pkthdr *header;
	const u_char *data;
	int r;

	while ((r = pcap_next_ex(p->pcap, &header, &data)) == 1) {
		if (header->caplen == header->len) {
			*ret = (struct relay_frame){ data, header->len };
			return 1;
		}
		end->counters.dropped++; /* longer than any frame of a network */
	}
	if (r == 0 || r == PCAP_ERROR_BREAK)
		return 0;
	log_warning("%s: %s", end->title, pcap_geterr(p->pcap));
	return -ENETDOWN;
}

static int end_pcap_send(struct relay_end *end, const struct relay_frame *frame)
{
	struct end_pcap *p = container_of(end, struct end_pcap, end);

	/* Down, or longer than its MTU, or its queue is full: as a cable would have it. */
	if (pcap_inject(p->pcap, frame->data, frame->len) < 0)
		end->counters.dropped++;
	return 0;
}

/*
 * A packet socket tells only once that its interface went down, and nothing after that: the news may be
 * spent on a frame that was sent, and the interface be deleted later.
 */
static int end_pcap_look(struct relay_end *end)
{
	struct end_pcap *p = container_of(end, struct end_pcap, end);
	char ignored[64], name[IF_NAMESIZE];

	while (recv(p->links_fd, ignored, sizeof(ignored), MSG_DONTWAIT) >= 0 || errno == ENOBUFS)
		;
	if (if_indextoname(p->index, name))
		return 0;
	log_warning("%s: the interface is gone", end->title);
	return -ENETDOWN;
}

static int watch_links(void)
{
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK };
	auto_close int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return -errno;
	return TAKE_FD(fd);
}

static void end_pcap_free(struct relay_end *end)
{
	struct end_pcap *p = container_of(end, struct end_pcap, end);

	pcap_close(p->pcap);
	(void)close(p->links_fd);
	free(p);
}

static const struct relay_end_class end_pcap_class = {
	.name = "interface",
	.next = end_pcap_next,
	.send = end_pcap_send,
	.look = end_pcap_look,
	.free = end_pcap_free,
};

static void cleanup_pcap(pcap_t **pcap)
{
	if (*pcap)
		pcap_close(*pcap);
}

/* The address of an Ethernet interface. */
static int read_address(const char *name, uint8_t mac[6], struct error *error)
{
	auto_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr = { 0 };

	if (str_copy(ifr.ifr_name, sizeof(ifr.ifr_name), name) < 0)
		return error_set_errno(error, ENODEV, "interface '%s'", name);
	if (fd < 0 || ioctl(fd, SIOCGIFHWADDR, &ifr) < 0)
		return error_set_errno(error, errno, "cannot read the address of interface '%s'",
				       name);
	if (ifr.ifr_hwaddr.sa_family != ARPHRD_ETHER)
		return error_set(error, EINVAL, "'%s' is no Ethernet interface", name);
	memcpy(mac, ifr.ifr_hwaddr.sa_data, 6);
	return 0;
}

static int activate(pcap_t *pcap, const char *name, struct error *error)
{
	int r;

	(void)pcap_set_snaplen(pcap, SNAP_LENGTH); /* these fail only on an active handle */
	(void)pcap_set_promisc(pcap, 1);
	(void)pcap_set_immediate_mode(pcap, 1);
	(void)pcap_set_buffer_size(pcap, BUFFER_SIZE);
	r = pcap_activate(pcap);
	if (r == PCAP_ERROR_PERM_DENIED || r == PCAP_ERROR_PROMISC_PERM_DENIED)
		return error_set(error, EPERM,
				 "cannot open the interface '%s': it needs CAP_NET_RAW, run this as "
				 "root", name);
	if (r < 0)
		return error_set(error, r == PCAP_ERROR_NO_SUCH_DEVICE ? ENODEV : EIO,
				 "cannot open the interface '%s': %s", name,
				 *pcap_geterr(pcap) ? pcap_geterr(pcap) : pcap_statustostr(r));
	if (r > 0)
		log_warning("interface '%s': %s", name, pcap_statustostr(r));
	if (pcap_datalink(pcap) != DLT_EN10MB)
		return error_set(error, EINVAL, "'%s' is no Ethernet interface", name);
	return 0;
}

static int keep_out_host(pcap_t *pcap, const char *name, const uint8_t mac[6], struct error *error)
{
	char text[64], address[MAC_TEXT_SIZE];
	struct bpf_program filter;
	int r;

	(void)snprintf(text, sizeof(text), "not ether src %s", format_mac(mac, address));
	r = pcap_compile(pcap, &filter, text, 1, PCAP_NETMASK_UNKNOWN);
	if (r == 0) {
		r = pcap_setfilter(pcap, &filter);
		pcap_freecode(&filter);
	}
	return r < 0 ? error_set(error, EIO, "interface '%s': %s", name, pcap_geterr(pcap)) : 0;
}

int end_pcap_new(const char *name, struct relay_end **ret, struct error *error)
{
	CLEANUP(cleanup_pcap) pcap_t *pcap = NULL;
	auto_close int links_fd = watch_links(); /* before it is looked for */
	char text[PCAP_ERRBUF_SIZE] = "";
	struct end_pcap *p;
	uint8_t mac[6];
	int r;

	if (links_fd < 0)
		return error_set_errno(error, -links_fd, "cannot watch the interface '%s'", name);
	r = read_address(name, mac, error);
	if (r < 0)
		return r;
	pcap = pcap_create(name, text);
	if (!pcap)
		return error_set(error, EIO, "cannot open the interface '%s': %s", name, text);
	r = activate(pcap, name, error);
	if (r == 0)
		r = keep_out_host(pcap, name, mac, error);
	if (r < 0)
		return r;
	if (pcap_setnonblock(pcap, 1, text) < 0)
		return error_set(error, EIO, "interface '%s': %s", name, text);
	p = calloc(1, sizeof(*p));
	if (!p)
		return error_set_errno(error, ENOMEM, "interface '%s'", name);
	p->end = (struct relay_end){
		.class = &end_pcap_class,
		.title = name,
		.in_fd = pcap_get_selectable_fd(pcap),
		.out_fd = pcap_get_selectable_fd(pcap),
		.gone_fd = links_fd,
	};
	p->index = if_nametoindex(name);
	p->links_fd = TAKE_FD(links_fd);
	p->pcap = TAKE_PTR(pcap);
	*ret = &p->end;
	return 0;
}
