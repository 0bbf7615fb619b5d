/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Parts that are off: each function goes when its part's own file lands. */
#include <errno.h>

#include "base/util.h"
#include "vde/switch/console.h"
#include "vde/switch/stp.h"

const struct command_table fstp_commands;

int stp_new(struct vde_switch *sw) { (void)sw; return 0; }
void stp_free(struct vde_switch *sw) { (void)sw; }
bool stp_enabled(const struct vde_switch *sw) { (void)sw; return false; }
int stp_enable(struct vde_switch *sw, bool on) { (void)sw; (void)on; return -EBUSY; }
int stp_vlan_added(struct vde_switch *sw, struct vlan *vlan) { (void)sw; (void)vlan; return 0; }
void stp_vlan_removed(struct vde_switch *sw, struct vlan *vlan) { (void)sw; (void)vlan; }
void stp_port_changed(struct vde_switch *sw, struct vlan *vlan, unsigned port) { (void)sw; (void)vlan; (void)port; }
enum port_state stp_port_state(const struct vde_switch *sw, const struct vlan *vlan, unsigned port) { (void)sw; (void)vlan; (void)port; return PORT_FORWARDING; }
bool stp_input(struct vde_switch *sw, struct port *port, struct vlan *vlan, const uint8_t *frame, size_t len) { (void)sw; (void)port; (void)vlan; (void)frame; (void)len; return false; }
