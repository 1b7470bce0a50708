//! Reading: single records, ranges and their ends, the same for everything that can be read.
//!
//! A [`View`] does it; `methods` gives its functions to each public type, `range` and `keys`
//! are the iterators, whose ends are a [`Reach`](reach::Reach) each. [`RESERVED`] is the part of the key space that plain iterators pass over.

mod ahead;
mod keys;
mod methods;
mod range;
mod reach;
mod view;

/// What the keys of tables begin with: bytes that no text begins with, nor a small number.
pub(crate) const RESERVED: [u8; 8] = *b"\xff\xfeLsmTb\x01";
/// Behind all of them.
pub(crate) const RESERVED_END: [u8; 8] = *b"\xff\xfeLsmTb\x02";

pub use keys::LsmKeys;
pub(crate) use methods::reads;
pub use range::LsmRange;
pub(crate) use view::{View, end_of_prefix};
