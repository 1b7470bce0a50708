//! Settings: [`DbConf`] as in 0.2.2, and everything else through
//! [`LsmDbBuilder`](crate::LsmDbBuilder).

mod conf;
#[cfg(feature = "serde")]
mod mode_serde;
mod modes;
mod settings;

pub use conf::DbConf;
pub use modes::{BackgroundMode, LsmHandleMode, LsmMode, Mmap, Safety};
pub(crate) use settings::Settings;
