//! Diagnostics of `[network.NAME]`.

use drstack_core::diagnostic::codes::Code;

pub(super) const CODES: &[Code] = &[
    (
        "DR220",
        "a network that is not wanted or found",
        "Say `cidr` for a new network, or `vpc`, `subnets` and `security_groups` of one that exists.",
    ),
    (
        "DR221",
        "no zones",
        "State `zones`, two at least; they are asked of the standby region where the stack does not say them.",
    ),
    ("DR222", "a network too small", "Each zone gets a subnet of equal size, /28 at least."),
];
