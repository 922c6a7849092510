//! Amazon DynamoDB.

#[cfg(feature = "aws")]
pub(crate) mod calls;
pub mod standby_table;
pub mod table_copy;
pub mod table_export;
pub mod table_import;
pub mod table_recovery;
pub mod table_replica;
pub mod table_stream;
