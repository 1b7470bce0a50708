//! Several threads that go through one list.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, Thread};
use std::time::Duration;

use super::entry::{Content, Entry};
use super::error::ArchiveError;
use super::progress::{Done, Show};

/// How long to wait until progress is shown again.
const PAUSE: Duration = Duration::from_millis(50);

/// What can be read without unpacking anything twice.
pub(super) enum Batch {
    /// Entries by their numbers: small files of one group in the order of their places there, or
    /// empty ones.
    Small(Vec<usize>),
    /// A file that is more than one piece.
    Large(usize),
}

/// Files in the order of the groups that they are in. Only those that `is_wanted`.
pub(super) fn batches(entries: &[Entry], is_wanted: impl Fn(&Entry) -> bool) -> Vec<Batch> {
    let (mut small, mut large) = (Vec::new(), Vec::new());
    for (number, entry) in entries.iter().enumerate() {
        if let (Content::File { pieces, .. }, true) = (&entry.content, is_wanted(entry)) {
            match pieces.as_slice() {
                [] => small.push((None, number)),
                [piece] => small.push((Some(*piece), number)),
                _ => large.push(Batch::Large(number)),
            }
        }
    }
    small.sort_unstable();
    let groups =
        small.chunk_by(|a, b| a.0.map(|piece| piece.group) == b.0.map(|piece| piece.group));
    let groups = groups.map(|group| Batch::Small(group.iter().map(|small| small.1).collect()));
    large.into_iter().chain(groups).collect()
}

/// Files and bytes of what is wanted.
pub(super) fn total(entries: &[Entry], is_wanted: impl Fn(&Entry) -> bool) -> (u64, u64) {
    let files = entries
        .iter()
        .filter(|entry| entry.hash().is_some() && is_wanted(entry));
    files.fold((0, 0), |(files, bytes), entry| {
        (files + 1, bytes + entry.size())
    })
}

/// Does `work` for each batch, in one thread for each of `tools`, and `meanwhile` in this one.
///
/// # Errors
/// The first that there is, or that `show` wants no more.
pub(super) fn for_each<T: Send, R>(
    batches: &[Batch],
    tools: Vec<T>,
    work: impl Fn(&Batch, &mut T) -> Result<(), ArchiveError> + Sync,
    meanwhile: impl FnOnce() -> R,
    mut show: impl FnMut() -> Result<(), ArchiveError>,
) -> Result<R, ArchiveError> {
    let next = AtomicUsize::new(0);
    let is_stopped = AtomicBool::new(false);
    let running = AtomicUsize::new(tools.len());
    let failure = Mutex::new(None);
    thread::scope(|scope| {
        let caller = thread::current();
        let _stop = SetAtEnd(&is_stopped);
        for mut tool in tools {
            let (next, is_stopped, running) = (&next, &is_stopped, &running);
            let (failure, work, caller) = (&failure, &work, caller.clone());
            let body = move || {
                let _end = CountAtEnd(running, caller);
                while !is_stopped.load(Ordering::Relaxed) {
                    let Some(batch) = batches.get(next.fetch_add(1, Ordering::Relaxed)) else {
                        return;
                    };
                    if let Err(error) = work(batch, &mut tool) {
                        is_stopped.store(true, Ordering::Relaxed);
                        let mut failure = failure.lock().unwrap_or_else(PoisonError::into_inner);
                        failure.get_or_insert(error);
                    }
                }
            };
            let spawned = thread::Builder::new().name("lsmlite-archive".to_owned());
            spawned.spawn_scoped(scope, body).map_err(|error| {
                ArchiveError::io(
                    "start a thread for",
                    std::path::Path::new("the archive"),
                    error,
                )
            })?;
        }
        let result = meanwhile();
        while running.load(Ordering::Acquire) > 0 {
            show()?;
            thread::park_timeout(PAUSE);
        }
        show()?;
        Ok::<_, ArchiveError>(result)
    })
    .and_then(|result| {
        let failure = failure.into_inner().unwrap_or_else(PoisonError::into_inner);
        failure.map_or(Ok(result), Err)
    })
}

struct SetAtEnd<'a>(&'a AtomicBool);

impl Drop for SetAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Also when the thread panics.
struct CountAtEnd<'a>(&'a AtomicUsize, Thread);

impl Drop for CountAtEnd<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Release);
        self.1.unpark();
    }
}

/// What [`for_each`] shows.
pub(super) fn showing<'a>(
    done: &'a Done,
    show: &'a mut Option<Show>,
    total: (u64, u64),
) -> impl FnMut() -> Result<(), ArchiveError> + 'a {
    move || done.show(show, total)
}
