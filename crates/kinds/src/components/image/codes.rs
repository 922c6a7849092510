//! Diagnostics of `[image.NAME]`.

use drstack_core::diagnostic::codes::Code;

pub(super) const CODES: &[Code] = &[(
    "DR219",
    "image not found",
    "Images of one's own are copied; images of others are found by name and owner in the standby region, where their publisher has to have put them.",
)];
