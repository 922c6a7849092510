//! Components: what a user writes. One file each, and one line here.

pub mod bucket;

use drstack_core::component::{DynComponent, ErasedComponent};

pub use bucket::Bucket;

/// Every component.
pub const ALL: &[&dyn DynComponent] = &[&ErasedComponent::<Bucket>::NEW];
