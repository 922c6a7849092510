//! Components: what a user writes. One file each, and one line here.

pub mod bucket;
pub mod check;
pub mod fence;
pub mod image;
pub mod network;
pub mod pool;
pub mod table;
pub mod traffic;

use drstack_core::component::{DynComponent, ErasedComponent};

pub use bucket::Bucket;
pub use check::Check;
pub use fence::Fence;
pub use image::Image;
pub use network::Network;
pub use pool::Pool;
pub use table::Table;
pub use traffic::Traffic;

/// Every component.
pub const ALL: &[&dyn DynComponent] = &[
    &ErasedComponent::<Bucket>::NEW,
    &ErasedComponent::<Fence>::NEW,
    &ErasedComponent::<Image>::NEW,
    &ErasedComponent::<Network>::NEW,
    &ErasedComponent::<Pool>::NEW,
    &ErasedComponent::<Table>::NEW,
    &ErasedComponent::<Traffic>::NEW,
];

/// What stands below any of them: `[[pool.inference.check]]`.
pub const CHECK: &dyn DynComponent = &ErasedComponent::<Check>::NEW;

/// What buckets and tables call the name of what they copy, for whoever refers to them.
const PRIMARY: &str = "primary";

/// The default of switches that are on.
fn yes() -> bool {
    true
}
