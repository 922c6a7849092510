//! Resources: one AWS object each. One file each, and one line here and in `aws::drivers`.

use drstack_core::kind::DynKind;

/// Every resource kind.
pub const ALL: &[&dyn DynKind] = &[];
