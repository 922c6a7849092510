//! AWS Security Token Service.

pub mod account_fact;
