//! Components: what a user writes. One file each, and one line here.

use drstack_core::component::DynComponent;

/// Every component.
pub const ALL: &[&dyn DynComponent] = &[];
