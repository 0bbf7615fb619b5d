/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vde_pcapplug: joins a network to an Ethernet interface of the host through libpcap. */
#include "end_pcap.h"
#include "plug_program.h"

int main(int argc, char **argv)
{
	static const struct plug_program program = {
		.name = "vde_pcapplug",
		.operand = "INTERFACE",
		.summary = "Plugs what is beyond an Ethernet interface into a network; not the host itself.",
		.open_end = end_pcap_new,
	};

	return plug_program_main(&program, argc, argv);
}
