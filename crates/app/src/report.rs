//! The results that an operation reports: data, no text.

pub(crate) mod counts;
pub mod data;
pub(crate) mod judged;
pub(crate) mod restored;
pub mod timeline;
