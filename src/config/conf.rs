//! [`DbConf`]: the settings of 0.2.2.

use std::ffi::OsString;
use std::path::PathBuf;

use super::{LsmHandleMode, LsmMode, Settings};
use crate::compression::{self, LsmCompressionLib};
use crate::error::LsmError;
use crate::metrics::LsmMetrics;

/// Where a database is and how it is opened, for [`Disk::initialize`](crate::Disk::initialize).
///
/// The file is `{path}/{name}.lsm`. Settings that this doesn't cover are in
/// [`LsmDbBuilder`](crate::LsmDbBuilder).
#[derive(Clone, Debug, Default)]
pub struct DbConf {
    db_path: PathBuf,
    db_base_name: String,
    mode: LsmMode,
    handle_mode: LsmHandleMode,
    metrics: Option<LsmMetrics>,
    compression: LsmCompressionLib,
}

impl DbConf {
    /// A database in the folder `db_path`, named `db_name`: read and written, without
    /// background threads, metrics or compression.
    ///
    /// ```
    /// use lsmlite_rs::DbConf;
    /// let conf = DbConf::new("/var/lib/app", "events".to_string());
    /// ```
    pub fn new(db_path: impl Into<PathBuf>, db_name: String) -> Self {
        DbConf {
            db_path: db_path.into(),
            db_base_name: db_name,
            ..DbConf::default()
        }
    }

    /// As [`new`](Self::new), with everything stated.
    ///
    /// A handle in mode `ReadOnly` starts no background thread, whatever `mode` says.
    ///
    /// ```
    /// use lsmlite_rs::{DbConf, LsmCompressionLib, LsmHandleMode, LsmMode};
    /// let conf = DbConf::new_with_parameters(
    ///     "/var/lib/app",
    ///     "events".to_string(),
    ///     LsmMode::LsmBackgroundMerger,
    ///     LsmHandleMode::ReadWrite,
    ///     None,
    ///     LsmCompressionLib::LZ4,
    /// );
    /// ```
    pub fn new_with_parameters(
        db_path: impl Into<PathBuf>,
        db_name: String,
        mode: LsmMode,
        handle_mode: LsmHandleMode,
        metrics: Option<LsmMetrics>,
        compression: LsmCompressionLib,
    ) -> Self {
        DbConf {
            db_path: db_path.into(),
            db_base_name: db_name,
            mode,
            handle_mode,
            metrics,
            compression,
        }
    }

    /// `{path}/{name}.lsm`, put together as 0.2.2 does.
    pub(crate) fn file(&self) -> PathBuf {
        let mut file = OsString::from(&self.db_path);
        file.push("/");
        file.push(&self.db_base_name);
        file.push(".lsm");
        file.into()
    }

    pub(crate) fn metrics(&self) -> Option<LsmMetrics> {
        self.metrics.clone()
    }

    /// The settings of 0.2.2: a missing file is created unless the handle is read-only, and
    /// the codec must be the one that the file was written with.
    pub(crate) fn settings(&self) -> Result<Settings, LsmError> {
        let read_only = self.handle_mode == LsmHandleMode::ReadOnly;
        Ok(Settings {
            background: self.mode.into(),
            read_only,
            create: !read_only,
            codecs: compression::for_compatible_face(self.compression)
                .map_err(|error| error.with_path(&self.file()))?,
            ..Settings::default()
        })
    }
}
