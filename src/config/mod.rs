//! Settings: [`DbConf`] as in 0.2.2, and everything else through
//! [`LsmDbBuilder`](crate::LsmDbBuilder).

mod conf;
mod memory;
#[cfg(feature = "serde")]
mod mode_serde;
mod modes;
mod preset;
mod settings;

pub use conf::DbConf;
pub use modes::{BackgroundMode, LsmHandleMode, LsmMode, Mmap, Safety};
pub use preset::Preset;
pub(crate) use settings::Settings;
