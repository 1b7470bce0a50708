//! Reading: single records, ranges and their ends, the same for everything that can be read.
//!
//! A [`View`] does it; `methods` gives its functions to each public type, `range` and `keys`
//! are the iterators.

mod keys;
mod methods;
mod range;
mod view;

pub use keys::LsmKeys;
pub(crate) use methods::reads;
pub use range::LsmRange;
pub(crate) use view::View;
#[cfg(feature = "typed")]
pub(crate) use view::end_of_prefix;
