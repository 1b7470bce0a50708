//! `DbMetrics` of a build without the feature `metrics`.

use std::convert::Infallible;
use std::time::Duration;

use super::Operation;
use crate::error::LsmError;
use crate::stats::DbStats;

/// The metrics of a build without the feature `metrics`: there are none to be had.
#[derive(Clone, Debug)]
pub struct DbMetrics {
    never: Infallible,
}

impl DbMetrics {
    pub(crate) fn update(&self, _: &DbStats) {
        match self.never {}
    }

    pub(crate) fn observe(&self, _: Operation, _: Duration, _: Option<&LsmError>) {
        match self.never {}
    }

    pub(crate) fn set_failed(&self, _: bool) {
        match self.never {}
    }

    pub(crate) fn add_pages_read(&self, _: u32, _: u64) {
        match self.never {}
    }
}
