//! All settings of a database in one place, checked before the engine sees them.

use std::time::Duration;

use super::{BackgroundMode, Mmap, Safety};
use crate::compression::CodecChoice;
use crate::env::{Env, Opening};
use crate::error::{LsmError, LsmErrorCode};
use crate::observe::DbMetrics;
use crate::raw::Param;
#[cfg(unix)]
use crate::recovery::RecoveryHook;

/// What a session is opened with. The defaults are those of 0.2.2.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) env: Env,
    pub(crate) create: bool,
    pub(crate) read_only: bool,
    pub(crate) background: BackgroundMode,
    pub(crate) codecs: CodecChoice,
    pub(crate) safety: Safety,
    /// As asked for; [`tree_kib`](Settings::tree_kib) is what is in force.
    pub(crate) autoflush_kib: u32,
    pub(crate) memory_limit_kib: Option<u32>,
    /// As asked for; [`filter_kib`](Settings::filter_kib) is what is in force.
    pub(crate) filter_memory_kib: u32,
    /// Of the handle, and of each reader and snapshot; background threads have the engine's 2 MiB.
    pub(crate) page_cache_kib: u32,
    pub(crate) page_size_bytes: u32,
    pub(crate) block_size_kib: u32,
    pub(crate) autowork: bool,
    pub(crate) autocheckpoint_kib: u32,
    pub(crate) automerge_segments: u32,
    pub(crate) max_free_list: u32,
    pub(crate) mmap: Mmap,
    pub(crate) use_log: bool,
    pub(crate) multi_process: bool,
    pub(crate) busy_timeout: Duration,
    pub(crate) db_metrics: Option<DbMetrics>,
    #[cfg(unix)]
    pub(crate) on_recovery: Option<RecoveryHook>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            env: Env::default(),
            create: true,
            read_only: false,
            background: BackgroundMode::None,
            codecs: CodecChoice::default(),
            safety: Safety::Normal,
            autoflush_kib: 16 * 1024,
            memory_limit_kib: None,
            filter_memory_kib: 16 * 1024,
            page_cache_kib: 2048,
            page_size_bytes: 4096,
            block_size_kib: 8 * 1024,
            autowork: true,
            autocheckpoint_kib: 4 * 1024,
            automerge_segments: 4,
            max_free_list: 24,
            mmap: Mmap::Off,
            use_log: true,
            multi_process: false,
            busy_timeout: Duration::ZERO,
            db_metrics: None,
            #[cfg(unix)]
            on_recovery: None,
        }
    }
}

impl Settings {
    /// The first rule that the settings break, as an error that names it.
    pub(crate) fn check(&self) -> Result<(), LsmError> {
        within("autoflush_kib", self.autoflush_kib, 0, 1024 * 1024)?;
        power_of_two("page_size_bytes", self.page_size_bytes, 256, 65_536)?;
        power_of_two("block_size_kib", self.block_size_kib, 64, 65_536)?;
        // With less than a page (65,536 bytes at most) between two checkpoints, lsm1 has no
        // room to work and loops for ever.
        if self.autocheckpoint_kib != 0 {
            within(
                "autocheckpoint_kib",
                self.autocheckpoint_kib,
                64,
                i32::MAX as u32,
            )?;
        }
        within("filter_memory_kib", self.filter_memory_kib, 0, 1 << 30)?;
        within("page_cache_kib", self.page_cache_kib, 256, 16 << 20)?;
        within("automerge_segments", self.automerge_segments, 2, 32)?;
        within("max_free_list", self.max_free_list, 2, 24)?;
        if let Mmap::UpToKib(kib) = self.mmap {
            within("mmap limit in KiB", kib, 2, i32::MAX as u32)?;
        }
        if u64::from(self.block_size_kib) * 1024 < 8 * u64::from(self.page_size_bytes) {
            return Err(refuse(format!(
                "a block of {} KiB holds fewer than 8 pages of {} bytes, which makes the engine \
                 destroy data",
                self.block_size_kib, self.page_size_bytes
            )));
        }
        self.check_memory()?;
        if !self.env.can_map() && (self.mmap != Mmap::Off || self.multi_process) {
            return Err(refuse(
                "this environment has no mapped files: set mmap to Off and multi_process to false"
                    .to_owned(),
            ));
        }
        Ok(())
    }

    /// How the caller's own connection opens the file.
    pub(crate) fn opening(&self) -> Opening {
        Opening {
            read_only: self.read_only,
            create: self.create,
            log: self.use_log,
        }
    }

    /// The parameters of the caller's own connection.
    pub(crate) fn params(&self) -> Vec<(Param, i32)> {
        let works = self.autowork && !self.has_merger();
        let mut params = self.shared_params();
        params.push((Param::PageCacheKib, int(self.page_cache_kib)));
        params.push((Param::ReadOnly, i32::from(self.read_only)));
        params.push((Param::Autowork, i32::from(works)));
        params.push((Param::AutocheckpointKib, self.own_autocheckpoint_kib()));
        params
    }

    /// True if a thread of its own flushes and merges.
    pub(super) fn has_merger(&self) -> bool {
        matches!(
            self.background,
            BackgroundMode::Merger | BackgroundMode::MergerAndCheckpointer
        )
    }

    /// After how many KiB the caller's own connection checkpoints; 0: never.
    pub(crate) fn own_autocheckpoint_kib(&self) -> i32 {
        match self.background {
            BackgroundMode::None => int(self.autocheckpoint_kib),
            _ => 0,
        }
    }

    /// The parameters of a background thread's connection, which merges and maybe
    /// checkpoints on the way.
    pub(crate) fn worker_params(&self, checkpoints: bool) -> Vec<(Param, i32)> {
        let mut params = self.shared_params();
        params.push((
            Param::AutocheckpointKib,
            if checkpoints {
                int(self.autocheckpoint_kib)
            } else {
                0
            },
        ));
        params
    }

    fn shared_params(&self) -> Vec<(Param, i32)> {
        vec![
            // A read-only handle of the single-process kind would lock the file for itself.
            (
                Param::MultipleProcesses,
                i32::from(self.multi_process || self.read_only),
            ),
            (
                Param::Safety,
                match self.safety {
                    Safety::Off => 0,
                    Safety::Normal => 1,
                    Safety::Full => 2,
                },
            ),
            (Param::AutoflushKib, int(self.tree_kib())),
            (Param::FilterKib, int(self.filter_kib())),
            // The block first: the engine compares each new size with the other.
            (Param::BlockSizeKib, int(self.block_size_kib)),
            (Param::PageSizeBytes, int(self.page_size_bytes)),
            (Param::AutomergeSegments, int(self.automerge_segments)),
            (Param::MaxFreelist, int(self.max_free_list)),
            (
                Param::MmapKib,
                match self.mmap {
                    Mmap::Off => 0,
                    Mmap::All => 1,
                    Mmap::UpToKib(kib) => int(kib),
                },
            ),
            (Param::UseLog, i32::from(self.use_log)),
        ]
    }
}

/// `check` has bounded every value that comes here.
fn int(value: u32) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

fn within(name: &str, value: u32, least: u32, most: u32) -> Result<(), LsmError> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(refuse(format!(
        "{name} = {value} is outside {least} to {most}"
    )))
}

fn power_of_two(name: &str, value: u32, least: u32, most: u32) -> Result<(), LsmError> {
    within(name, value, least, most)?;
    if value.is_power_of_two() {
        return Ok(());
    }
    Err(refuse(format!("{name} = {value} is not a power of two")))
}

pub(super) fn refuse(message: String) -> LsmError {
    LsmError::new("open", LsmErrorCode::LsmMisuse).with_message(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(settings: Settings) -> String {
        settings.check().unwrap_err().to_string()
    }

    #[test]
    fn the_defaults_pass() {
        Settings::default().check().unwrap();
    }

    #[test]
    fn a_block_must_hold_eight_pages() {
        let with = |page_size_bytes, block_size_kib| Settings {
            page_size_bytes,
            block_size_kib,
            ..Settings::default()
        };
        with(32_768, 256).check().unwrap();
        assert!(message(with(65_536, 256)).contains("fewer than 8 pages"));
        assert!(message(with(65_536, 64)).contains("fewer than 8 pages"));
    }

    #[test]
    fn a_value_out_of_range_is_named() {
        let settings = |change: fn(&mut Settings)| {
            let mut settings = Settings::default();
            change(&mut settings);
            settings
        };
        assert!(message(settings(|s| s.page_size_bytes = 5000)).contains("page_size_bytes"));
        assert!(message(settings(|s| s.block_size_kib = 32)).contains("block_size_kib"));
        assert!(message(settings(|s| s.automerge_segments = 1)).contains("automerge_segments"));
        assert!(message(settings(|s| s.autoflush_kib = 1 << 21)).contains("autoflush_kib"));
        assert!(message(settings(|s| s.max_free_list = 1)).contains("max_free_list"));
        assert!(message(settings(|s| s.mmap = Mmap::UpToKib(1))).contains("mmap"));
    }
}
