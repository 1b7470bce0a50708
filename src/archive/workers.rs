//! Threads that read files, hash and compress, and hand over groups in the order of their jobs.
//!
//! A job has three parts: reading and hashing, at the same time as others; deciding what of it is
//! there already and where the rest goes, one job after the other; compressing, again at the same
//! time. So the same tree gives the same archive, with any number of threads.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::Path;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::decide::Large;
use super::entry::{Content, Piece};
use super::error::ArchiveError;
use super::find::{Found, Skipped};
use super::format;
use super::groups::GroupReader;
use super::plan::{Job, Plan};
use super::progress::Done;

/// How long to wait until progress is shown again.
const PAUSE: Duration = Duration::from_millis(50);

/// What the threads share.
pub(super) struct Work<'a> {
    pub(super) root: &'a Path,
    pub(super) found: &'a [Found],
    pub(super) plan: &'a Plan,
    level: i32,
    /// So many jobs may be begun that aren't handed over.
    window: usize,
    pub(super) done: Done,
    state: Mutex<State>,
    changed: Condvar,
}

/// What has become of the jobs.
#[derive(Default)]
pub(super) struct State {
    /// The next job to be begun, to be decided and to be handed over.
    begun: usize,
    decided: usize,
    handed_over: usize,
    packed: BTreeMap<usize, Option<Group>>,
    is_stopped: bool,
    failure: Option<ArchiveError>,

    pub(super) groups: u32,
    pub(super) unique_bytes: u64,
    /// Contents by their hashes: whole ones, and parts of large files.
    pub(super) whole: HashMap<[u8; 32], Piece>,
    pub(super) parts: HashMap<[u8; 32], Piece>,
    /// Where groups and contents of the older archive are now.
    pub(super) copied: HashMap<u32, u32>,
    pub(super) moved: HashMap<Piece, Piece>,
    pub(super) large: Option<Large>,
    /// By the number of the file; whether it is sure that it was read as it was found.
    pub(super) contents: HashMap<usize, (Content, bool)>,
    pub(super) skipped: Vec<Skipped>,
}

/// A group's number, and what is in it; when it is handed over, the value of its record.
pub(super) type Group = (u32, Vec<u8>);

impl<'a> Work<'a> {
    pub(super) fn new(
        root: &'a Path,
        found: &'a [Found],
        plan: &'a Plan,
        level: i32,
        threads: usize,
    ) -> Work<'a> {
        Work {
            root,
            found,
            plan,
            level,
            window: 4 * threads + 4,
            done: Done::default(),
            state: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'s>(&self, state: MutexGuard<'s, State>) -> MutexGuard<'s, State> {
        self.changed
            .wait(state)
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets all threads end.
    pub(super) fn stop(&self) {
        self.state().is_stopped = true;
        self.changed.notify_all();
    }

    /// Does jobs until there are no more.
    pub(super) fn run(&self, old: Option<GroupReader>) {
        // Also after a panic, so that nobody waits for this thread.
        let mut stop = StopUnless {
            work: self,
            is_done: false,
        };
        if let Err(error) = self.jobs(old) {
            self.state().failure.get_or_insert(error);
            return;
        }
        stop.is_done = true;
    }

    fn jobs(&self, mut old: Option<GroupReader>) -> Result<(), ArchiveError> {
        let failed = |error| ArchiveError::io("compress", self.root, error);
        let mut compressor = zstd::bulk::Compressor::new(self.level).map_err(failed)?;
        let mut pack = |decided: Option<Group>| match decided {
            Some((group, raw)) => {
                let packed = format::pack(&raw, &mut compressor).map_err(failed)?;
                Ok::<_, ArchiveError>(Some((group, packed)))
            }
            None => Ok(None),
        };
        while let Some(number) = self.begin() {
            let job = &self.plan.jobs[number];
            let loaded = match job {
                Job::Copy(group) => match &mut old {
                    Some(old) => self.load_group(*group, old)?,
                    None => return Ok(()),
                },
                Job::Group(sources) => self.load(sources, old.as_mut())?,
                &Job::Chunk(file, part, _) => self.load_chunk(file, part),
            };
            let Some(state) = self.turn(number) else {
                return Ok(());
            };
            let group = match job {
                Job::Copy(group) => Some((self.copy(state, *group), loaded.raw)),
                Job::Group(_) => pack(self.decide(state, loaded))?,
                &Job::Chunk(file, _, is_last) => {
                    pack(self.decide_chunk(state, loaded, file, is_last))?
                }
            };
            self.state().packed.insert(number, group);
            self.changed.notify_all();
        }
        Ok(())
    }

    /// The next job, if it isn't too early for it.
    fn begin(&self) -> Option<usize> {
        let mut state = self.state();
        loop {
            if state.is_stopped || state.begun == self.plan.jobs.len() {
                return None;
            }
            if state.begun < state.handed_over + self.window {
                state.begun += 1;
                return Some(state.begun - 1);
            }
            state = self.wait(state);
        }
    }

    /// Waits until all jobs before this one are decided.
    fn turn(&self, number: usize) -> Option<MutexGuard<'_, State>> {
        let mut state = self.state();
        while state.decided != number && !state.is_stopped {
            state = self.wait(state);
        }
        (!state.is_stopped).then_some(state)
    }

    pub(super) fn decided(&self, mut state: MutexGuard<'_, State>) {
        state.decided += 1;
        drop(state);
        self.changed.notify_all();
    }

    /// The next group, or `None` after the last one.
    ///
    /// # Errors
    /// What ended a thread, or what `show` says.
    pub(super) fn next_group(
        &self,
        show: &mut dyn FnMut(&Done) -> Result<(), ArchiveError>,
    ) -> Result<Option<Group>, ArchiveError> {
        loop {
            show(&self.done)?;
            let mut state = self.state();
            if let Some(error) = state.failure.take() {
                return Err(error);
            }
            let number = state.handed_over;
            if number == self.plan.jobs.len() {
                return Ok(None);
            }
            match state.packed.remove(&number) {
                Some(group) => {
                    state.handed_over += 1;
                    drop(state);
                    self.changed.notify_all();
                    if group.is_some() {
                        return Ok(group);
                    }
                }
                None if state.is_stopped => {
                    let error = io::Error::other("a thread has ended before its time");
                    return Err(ArchiveError::io("pack", self.root, error));
                }
                None => drop(self.changed.wait_timeout(state, PAUSE)),
            }
        }
    }
}

/// Stops all threads when one of them ends in another way than it should.
struct StopUnless<'a> {
    work: &'a Work<'a>,
    is_done: bool,
}

impl Drop for StopUnless<'_> {
    fn drop(&mut self) {
        if !self.is_done {
            self.work.stop();
        }
    }
}
