//! An ordered key/value store in one file, on SQLite's lsm1 engine.

mod background;
pub mod compression;
pub mod config;
mod cursor;
mod db;
mod error;
#[allow(unsafe_code)]
mod ffi;
mod metrics;
mod panic;
mod range;
mod raw;
mod session;
mod traits;

pub use compression::LsmCompressionLib;
pub use config::{DbConf, LsmDbBuilder, LsmHandleMode, LsmMode};
pub use cursor::LsmCursor;
pub use db::LsmDb;
pub use error::{LsmError, LsmErrorCode};
pub use metrics::LsmMetrics;
pub use range::LsmRange;
pub use traits::{Cursor, Disk, LsmCursorSeekOp};
