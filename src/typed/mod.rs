//! Typed tables: keys and values of Rust types, in the order of the keys, and records that
//! expire. Needs the feature `typed`.
//!
//! A [`TypedTable`] says where records are (behind a prefix of bytes) and what they are. It holds
//! no data and no handle: each call names the database that it works on, so that a table can
//! be a `const` and several can be used at once.
//!
//! ```
//! # fn main() -> Result<(), lsmlite_rs::LsmError> {
//! # let dir = tempfile::tempdir().unwrap();
//! # let path = dir.path().join("demo.lsm");
//! use lsmlite_rs::LsmDb;
//! use lsmlite_rs::typed::TypedTable;
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize, PartialEq, Debug)]
//! struct City {
//!     name: String,
//!     people: u32,
//! }
//!
//! /// Cities by country and postcode.
//! const CITIES: TypedTable<(String, u32), City> = TypedTable::new(b"cities/");
//!
//! let mut db = LsmDb::open(&path)?;
//! let oslo = City { name: "Oslo".into(), people: 717_710 };
//! CITIES.insert(&mut db, ("no", 150), &oslo)?;
//! CITIES.insert(&mut db, ("no", 5003), City { name: "Bergen".into(), people: 291_940 })?;
//!
//! assert_eq!(CITIES.get(&db, ("no", 150))?, Some(oslo));
//! for record in CITIES.prefix(&db, ("no",)).rev() {
//!     let ((country, postcode), city) = record?;
//!     println!("{country} {postcode} {}", city.name);
//! }
//! # Ok(()) }
//! ```
//!
//! # Order
//!
//! The engine orders keys byte by byte (`memcmp`) and knows no other order. [`Key`] encodes a
//! type so that the order of the bytes is that of the values; an order of your own is an
//! encoding of your own. Both ends of a range and iteration in both directions follow from it.
//!
//! # Values
//!
//! Values go through serde and [`Postcard`], a compact format with a documented, stable
//! encoding. [`Raw`] stores bytes as they are; [`ValueFormat`] is the place for others.
//!
//! # Time to live
//!
//! A [`TtlTable`] gives each record a time after which it isn't returned any more;
//! [`TtlTable::remove_expired`] or a [`Sweeper`] removes such records.
//!
//! # What plain handles see
//!
//! All this is a layer over plain records: [`LsmDb::get`](crate::LsmDb::get),
//! [`LsmDb::iter`](crate::LsmDb::iter) and other programs see the prefix, the encoded key and the
//! encoded value, of a [`TtlTable`] also records that have expired. What they write behind a
//! table's prefix must be in its encoding.

mod bytes;
mod clock;
mod compound;
mod error;
mod key;
mod numbers;
mod range;
mod space;
mod store;
mod sweeper;
mod table;
mod time;
mod ttl;
mod value;

pub use clock::{Clock, ManualClock, SystemClock};
pub use error::EncodingError;
pub use key::{Key, KeyPrefix};
pub use range::{TtlRange, TypedKeys, TypedRange};
pub(crate) use store::Readable;
pub use store::{ReadStore, Store, WriteStore};
pub use sweeper::Sweeper;
pub use table::TypedTable;
pub use ttl::TtlTable;
pub use value::{Postcard, Raw, ValueFormat};

/// Types of records, for what holds none: `Send` and `Sync` whatever they are.
type Types<K, V, F> = std::marker::PhantomData<fn() -> (K, V, F)>;
