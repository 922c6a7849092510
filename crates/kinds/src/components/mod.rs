//! Components: what a user writes. One file each, and one line here.

pub mod bucket;
pub mod image;
pub mod network;
pub mod pool;
pub mod table;
pub mod traffic;

use drstack_core::component::{DynComponent, ErasedComponent};

pub use bucket::Bucket;
pub use image::Image;
pub use network::Network;
pub use pool::Pool;
pub use table::Table;
pub use traffic::Traffic;

/// Every component.
pub const ALL: &[&dyn DynComponent] = &[
    &ErasedComponent::<Bucket>::NEW,
    &ErasedComponent::<Image>::NEW,
    &ErasedComponent::<Network>::NEW,
    &ErasedComponent::<Pool>::NEW,
    &ErasedComponent::<Table>::NEW,
    &ErasedComponent::<Traffic>::NEW,
];

/// The default of switches that are on.
fn yes() -> bool {
    true
}
