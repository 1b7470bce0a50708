//! Writing: transactions, batches, ranges, and read-modify-write.

mod batch;
mod durability;
mod remove_range;
mod transaction;
mod update;

pub use batch::WriteBatch;
pub use durability::Durability;
pub(crate) use remove_range::{bounds, remove_within};
pub use transaction::Transaction;
