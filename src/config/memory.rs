//! The memory limit: what it covers, and the settings that follow from it.

use super::settings::refuse;
use super::{BackgroundMode, Settings};
use crate::error::LsmError;

/// The page cache of a background thread's connection.
const WORKER_CACHE_KIB: u32 = 2 * 1024;
/// What a connection takes besides: what belongs to its pages, its log and its merges.
const CONNECTION_KIB: u32 = 512;
/// With smaller trees than this, everything would be merged over and over again.
const LEAST_TREE_KIB: u32 = 256;

impl Settings {
    /// The size at which an in-memory tree is closed. Under a limit, two of them, the filters and
    /// all connections must fit.
    pub(crate) fn tree_kib(&self) -> u32 {
        let room = self
            .room_kib()
            .map_or(u32::MAX, |room| (room - self.filter_kib()) / 2);
        self.autoflush_kib.min(room)
    }

    /// What the filters for missing keys may take: under a limit, an eighth of what the least trees
    /// leave at most.
    pub(crate) fn filter_kib(&self) -> u32 {
        let room = self
            .room_kib()
            .map_or(u32::MAX, |room| room.saturating_sub(2 * LEAST_TREE_KIB) / 8);
        self.filter_memory_kib.min(room)
    }

    /// What the limit leaves to trees and filters.
    fn room_kib(&self) -> Option<u32> {
        let limit = self.memory_limit_kib?;
        Some(limit.saturating_sub(self.connections_kib()))
    }

    /// Says why the limit can't be kept.
    pub(super) fn check_memory(&self) -> Result<(), LsmError> {
        let Some(limit) = self.memory_limit_kib else {
            return Ok(());
        };
        let least = self.connections_kib() + 2 * LEAST_TREE_KIB;
        if limit < least {
            let with = match self.workers() {
                0 => "a handle without background threads",
                1 => "a handle and its background thread",
                _ => "a handle and its two background threads",
            };
            return Err(refuse(format!(
                "memory_limit_kib = {limit} is less than {with} need: {least} at least"
            )));
        }
        if !self.autowork && !self.has_merger() && !self.read_only {
            return Err(refuse(
                "memory_limit_kib can't be kept without somebody who writes memory to the file: \
                 set autowork to true, or choose a background mode with a merger"
                    .to_owned(),
            ));
        }
        Ok(())
    }

    /// What the connections of the handle and its threads take.
    fn connections_kib(&self) -> u32 {
        self.page_cache_kib + CONNECTION_KIB + self.workers() * (WORKER_CACHE_KIB + CONNECTION_KIB)
    }

    /// How many background threads the handle has.
    fn workers(&self) -> u32 {
        match self.background {
            _ if self.read_only => 0,
            BackgroundMode::None => 0,
            BackgroundMode::Merger | BackgroundMode::Checkpointer => 1,
            BackgroundMode::MergerAndCheckpointer => 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limited(background: BackgroundMode, limit: u32) -> Settings {
        Settings {
            background,
            memory_limit_kib: Some(limit),
            ..Settings::default()
        }
    }

    #[test]
    fn the_least_limit_leaves_the_least_trees_and_the_error_names_it() {
        for (background, least) in [
            (BackgroundMode::None, 3072),
            (BackgroundMode::Merger, 5632),
            (BackgroundMode::Checkpointer, 5632),
            (BackgroundMode::MergerAndCheckpointer, 8192),
        ] {
            let settings = limited(background, least);
            settings.check().unwrap();
            assert_eq!(settings.tree_kib(), LEAST_TREE_KIB, "{background:?}");
            for too_small in [0, 1, least - 1] {
                let error = limited(background, too_small).check().unwrap_err();
                assert!(error.to_string().contains(&least.to_string()), "{error}");
            }
        }
    }

    #[test]
    fn a_limit_makes_trees_smaller_and_never_larger() {
        let mut settings = limited(BackgroundMode::None, 10_560);
        assert_eq!((settings.filter_kib(), settings.tree_kib()), (936, 3532));
        settings.filter_memory_kib = 0;
        assert_eq!(settings.tree_kib(), 4000);
        settings.autoflush_kib = 1000;
        assert_eq!(settings.tree_kib(), 1000);
        assert_eq!(limited(BackgroundMode::None, u32::MAX).tree_kib(), 16_384);
        assert_eq!(Settings::default().tree_kib(), 16_384);
    }

    #[test]
    fn a_larger_page_cache_leaves_less_to_trees() {
        let mut settings = limited(BackgroundMode::Merger, 20_480);
        settings.filter_memory_kib = 0;
        assert_eq!(settings.tree_kib(), (20_480 - 2 * 2560) / 2);
        settings.page_cache_kib = 8 * 1024;
        assert_eq!(settings.tree_kib(), (20_480 - 8704 - 2560) / 2);
        settings.page_cache_kib = 20 * 1024;
        let error = settings.check().unwrap_err();
        assert!(error.to_string().contains("24064 at least"), "{error}");
    }

    #[test]
    fn a_limit_that_nobody_keeps_is_refused() {
        let mut settings = limited(BackgroundMode::None, 1 << 20);
        settings.autowork = false;
        let error = settings.check().unwrap_err();
        assert!(error.to_string().contains("autowork"), "{error}");
        settings.background = BackgroundMode::Checkpointer;
        settings.check().unwrap_err();
        settings.background = BackgroundMode::Merger;
        settings.check().unwrap();
    }
}
