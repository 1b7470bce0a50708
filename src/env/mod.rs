//! The environment that the engine runs in.

pub(crate) mod system;
