//! A system that exists in memory only, and fails when it is told to.
//!
//! `disk` is the disk and the processes that use it, `directory` the names of its files,
//! `file` a file and those who have it open, `content` what is in it, `memory` where that
//! lies, `locks` who may use it. `faults` says what fails, `power` what a loss of power did.
//!
//! Everything that isn't synced may be lost, sector by sector, in any order: the rules that
//! real file systems give, without the courtesy that most of them add.

mod content;
mod directory;
mod disk;
mod faults;
mod file;
mod locks;
mod memory;
mod power;
mod random;
#[cfg(test)]
mod tests;

pub use faults::{Call, Failure};
pub use power::PowerLoss;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::system::System;
use content::Content;
use disk::{Disk, Process, absolute, lock};
use faults::Turn;
pub(super) use faults::When;

/// A simulated process: its disk, and its view as a system.
#[derive(Clone)]
pub(super) struct Simulation(Arc<Process>);

impl Simulation {
    /// A process on a disk of its own, which follows the plan of this seed.
    pub(super) fn new(seed: u64) -> Simulation {
        Simulation(Arc::new(Disk::new(seed, true).process()))
    }

    /// As [`new`](Self::new), but nothing ever fails.
    pub(super) fn reliable() -> Simulation {
        Simulation(Arc::new(Disk::new(0, false).process()))
    }

    /// Another process on the same disk.
    pub(super) fn another_process(&self) -> Simulation {
        Simulation(Arc::new(self.0.disk.process()))
    }

    pub(super) fn system(&self) -> Arc<dyn System> {
        Arc::clone(&self.0) as Arc<dyn System>
    }

    pub(super) fn process_number(&self) -> u32 {
        self.0.number
    }

    pub(super) fn plan_failure(&self, call: Call, when: When, failure: Failure) {
        let mut state = self.0.disk.state();
        state.faults.add(call, when, Turn::Fails(failure));
    }

    pub(super) fn plan_power_loss(&self, call: Call, n: u64) {
        let mut state = self.0.disk.state();
        state.faults.add(call, When::At(n), Turn::LosesPower);
    }

    /// At one of the next `n` calls; returns which.
    pub(super) fn plan_power_loss_within(&self, call: Call, n: u64) -> u64 {
        let mut state = self.0.disk.state();
        let n = 1 + state.random.below(n);
        state.faults.add(call, When::At(n), Turn::LosesPower);
        n
    }

    pub(super) fn set_delay(&self, call: Call, time: Duration) {
        self.0.disk.state().faults.set_delay(call, time);
    }

    pub(super) fn set_capacity(&self, bytes: u64) {
        self.0.disk.state().capacity = bytes;
    }

    pub(super) fn set_tears(&self, tears: bool) {
        self.0.disk.state().tears = tears;
    }

    /// Forgets everything that was planned.
    pub(super) fn heal(&self) {
        let mut state = self.0.disk.state();
        state.faults.clear();
        state.capacity = u64::MAX;
    }

    pub(super) fn lose_power(&self) {
        self.0.disk.state().lose_power();
    }

    pub(super) fn has_power(&self) -> bool {
        self.0.disk.state().off.is_none()
    }

    pub(super) fn restart(&self) -> PowerLoss {
        let mut state = self.0.disk.state();
        // Pressing the button while everything runs is a loss of power, too.
        state.lose_power();
        state.off.take().unwrap_or_default()
    }

    pub(super) fn count(&self, call: Call) -> u64 {
        self.0.disk.state().faults.count(call)
    }

    pub(super) fn used(&self) -> u64 {
        self.0.disk.state().used()
    }

    pub(super) fn files(&self) -> Vec<PathBuf> {
        let state = self.0.disk.state();
        state
            .directory
            .files()
            .map(|(path, _)| path.clone())
            .collect()
    }

    pub(super) fn read_file(&self, path: &Path) -> io::Result<Vec<u8>> {
        let state = self.0.disk.state();
        let node = state.find(&absolute(path))?;
        let bytes = lock(&node.state).content.read_all();
        Ok(bytes)
    }

    /// Puts a new file in place of the one of this name, on the disk at once.
    pub(super) fn write_file(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let content = Content::with(bytes.to_vec(), self.0.disk.fails())?;
        let mut state = self.0.disk.state();
        let node = state.node(content);
        state.directory.settle(&absolute(path), Some(node));
        Ok(())
    }

    pub(super) fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut state = self.0.disk.state();
        let path = absolute(path);
        state.find(&path)?;
        state.directory.settle(&path, None);
        Ok(())
    }
}
