//! Writing: transactions, batches, ranges, sorted records, and read-modify-write.

mod batch;
mod durability;
mod ingest;
mod remove_range;
mod transaction;
mod update;

pub use batch::WriteBatch;
pub use durability::Durability;
pub(crate) use ingest::{Failed, ingest};
pub(crate) use remove_range::{bounds, remove_within};
pub use transaction::Transaction;
pub(crate) use update::{compares, update};
