/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libpcap behind one file. pcap_compile() takes a word that is neither a keyword nor a number for
 * the name of a host and asks the name service, during which the switch would stand still. So
 * words are looked at first: keywords, numbers, addresses and what follows `port` or `proto`
 * (files in /etc) pass, others are refused.
 */
#include "vde/switch/capture_filter.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <pcap/pcap.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/parse.h"

#define WORD_MAX       128
#define FRAME_SIZE_MAX 262144

struct capture_filter {
	struct bpf_program program;
};

static const char *const keywords[] = {
	"and", "or", "not", "host", "net", "mask", "port", "portrange", "proto", "protochain",
	"src", "dst", "ether", "gateway", "less", "greater", "len", "broadcast", "multicast",
	"inbound", "outbound", "vlan", "mpls", "pppoed", "pppoes", "geneve", "ifname", "on",
	"ip", "ip6", "arp", "rarp", "tcp", "udp", "sctp", "icmp", "icmp6", "igmp", "igrp", "pim",
	"vrrp", "carp", "ah", "esp", "link", "fddi", "tr", "wlan", "ppp", "slip", "radio",
	"atalk", "aarp", "decnet", "lat", "moprc", "mopdl", "sca", "iso", "esis", "isis", "clnp",
	"stp", "ipx", "netbeui", "llc", "type", "subtype", "dir", "addr1", "addr2", "addr3",
	"addr4", "ra", "ta", "es-is", "is-is", "l1", "l2", "iih", "lsp", "snp", "csnp", "psnp",
	"byte", "rnr", "rset", "action", "reason", "loopback",
};

/* tcpflags, tcp-syn, icmptype, icmp-echo, icmp6code, icmp6-... */
static const char *const keyword_beginnings[] = { "tcp", "icmp" };

static bool is_keyword(const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(keywords); i++)
		if (str_equal(word, keywords[i]))
			return true;
	for (size_t i = 0; i < ARRAY_SIZE(keyword_beginnings); i++)
		if (str_starts(word, keyword_beginnings[i]))
			return true;
	return false;
}

/* Numbers, also as 1.2, 10-20 and 6:2, IPv4 and IPv6 and Ethernet addresses; without `/BITS`. */
static bool is_number(const char *word)
{
	struct in6_addr address;
	uint8_t mac[6];
	char *end;

	(void)strtoul(word, &end, 0);
	if (end != word && *end == '\0')
		return true;
	return word[strspn(word, "0123456789.-:")] == '\0' ||
	       inet_pton(AF_INET6, word, &address) == 1 || parse_mac(word, mac) == 0;
}

/* Words behind these, also behind `and`, `or` and `not`, are looked up in files only. */
static bool wants_service(const char *keyword, bool before)
{
	if (str_equal(keyword, "and") || str_equal(keyword, "or") || str_equal(keyword, "not"))
		return before;
	return str_equal(keyword, "port") || str_equal(keyword, "portrange") ||
	       str_equal(keyword, "proto") || str_equal(keyword, "protochain");
}

/* Takes the next word off *TEXT: a run of what names and addresses are made of. */
static bool next_word(const char **text, char word[WORD_MAX], struct error *error)
{
	const char *at = *text;
	size_t len = 0;

	while (*at && !isalnum((unsigned char)*at) && *at != ':')
		at++;
	while (isalnum((unsigned char)at[len]) || (at[len] && strchr(".:-_", at[len])))
		len++;
	*text = at + len;
	if (len >= WORD_MAX) {
		(void)error_set(error, EINVAL, "a word of the filter is too long");
		len = WORD_MAX - 1;
	}
	memcpy(word, at, len);
	word[len] = '\0';
	return len > 0;
}

static int check_words(const char *text, struct error *error)
{
	char word[WORD_MAX];
	const char *at = text;
	bool service = false;

	while (next_word(&at, word, error)) {
		if (error->code)
			return -error->code;
		if (is_keyword(word))
			service = wants_service(word, service);
		else if (!is_number(word) && !service)
			return error_set_caret(error, EINVAL, text,
					       (size_t)(at - text) - strlen(word),
					       "the switch looks up no names: write the address "
					       "instead of \"%s\"",
					       word);
	}
	return 0;
}

static int compile(const char *text, struct bpf_program *program, struct error *error)
{
	pcap_t *pcap = pcap_open_dead(DLT_EN10MB, FRAME_SIZE_MAX);
	int r = 0;

	if (!pcap)
		return -ENOMEM;
	if (pcap_compile(pcap, program, text, 1, PCAP_NETMASK_UNKNOWN) < 0)
		r = error_set(error, EINVAL, "wrong filter \"%s\": %s", text, pcap_geterr(pcap));
	pcap_close(pcap);
	return r;
}

int capture_filter_new(const char *text, struct capture_filter **ret, struct error *error)
{
	auto_free struct capture_filter *filter = NULL;
	struct error own = { 0 };
	int r;

	*ret = NULL;
	error = error ? error : &own;
	error->code = 0;
	if (text[strspn(text, " \t")] == '\0')
		return 0;
	r = check_words(text, error);
	if (r < 0)
		return r;
	filter = calloc(1, sizeof(*filter));
	if (!filter)
		return -ENOMEM;
	r = compile(text, &filter->program, error);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(filter);
	return 0;
}

void capture_filter_free(struct capture_filter *filter)
{
	if (!filter)
		return;
	pcap_freecode(&filter->program);
	free(filter);
}

bool capture_filter_match(const struct capture_filter *filter, const uint8_t *frame, size_t len)
{
	struct pcap_pkthdr header = { .caplen = (bpf_u_int32)len, .len = (bpf_u_int32)len };

	return !filter || pcap_offline_filter(&filter->program, &header, frame) != 0;
}
