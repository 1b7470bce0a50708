//! The order of requests, and when a group is committed.
//!
//! A request takes the lock and is carried out by its own thread, within the one transaction of
//! the group. The first of a group is its leader: it gives up the lock until those who are on
//! their way have joined, and commits for all. While it syncs, the next ones queue for the lock,
//! and are a group when it is done.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::group::Group;
use super::inside::Inside;
use crate::db::LsmDb;
use crate::error::{LsmError, LsmErrorCode};
use crate::write::{Durability, Transaction};

/// A group isn't made larger than this.
const MOST_REQUESTS: usize = 1024;
/// Nor than about this, because a transaction has to fit into memory.
const MOST_KIB: u32 = 16 * 1024;
/// It isn't kept open longer than the last commit took, or this.
const SHORTEST_LIMIT: Duration = Duration::from_millis(2);
/// A sync that takes less isn't worth waiting for anyone.
const CHEAP_SYNC: Duration = Duration::from_micros(60);
const LONGEST_WAIT: Duration = Duration::from_millis(4);

type Panic = Box<dyn Any + Send>;

pub(super) struct Queue {
    /// Requests that are on their way to the lock.
    arriving: AtomicUsize,
    core: Mutex<Core>,
    /// The leader looks again.
    joined: Condvar,
}

struct Core {
    /// `None` when it is closed.
    db: Option<LsmDb>,
    /// The group whose transaction is open.
    open: Option<Open>,
    /// How many requests the next group can expect.
    expected: usize,
    /// How long the last commit took.
    commit_time: Duration,
}

struct Open {
    group: Arc<Group>,
    durability: Durability,
    began: Instant,
    kib_before: u32,
    requests: usize,
    /// Some of them have succeeded.
    is_worth_a_commit: bool,
}

/// What became of a request before its commit.
enum Carried<T, E> {
    Done(T),
    Failed(E),
    Panicked(Panic),
}

impl Queue {
    pub(super) fn new(db: LsmDb) -> Queue {
        Queue {
            arriving: AtomicUsize::new(0),
            core: Mutex::new(Core {
                db: Some(db),
                open: None,
                expected: 1,
                commit_time: Duration::ZERO,
            }),
            joined: Condvar::new(),
        }
    }

    pub(super) fn request<T, E: From<LsmError>>(
        &self,
        durability: Durability,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let inside = self.enter("update")?;
        self.arriving.fetch_add(1, Ordering::SeqCst);
        let mut core = self.lock();
        self.arriving.fetch_sub(1, Ordering::SeqCst);
        let (group, is_leader) = match core.begin(durability) {
            Ok(begun) => begun,
            Err(error) => {
                self.joined.notify_all();
                return Err(error.into());
            }
        };
        let carried = core.carry_out(work);
        if is_leader {
            self.lead(core, &group);
        } else {
            self.follow(core);
        }
        drop(inside);
        let shared = group.hear();
        match carried {
            Carried::Done(value) => shared.map(|()| value).map_err(E::from),
            Carried::Failed(error) => Err(error),
            Carried::Panicked(payload) => resume_unwind(payload),
        }
    }

    /// Commits when all have joined who are to be expected, or it is time.
    fn lead(&self, mut core: MutexGuard<'_, Core>, group: &Arc<Group>) {
        let start = Instant::now();
        let patience = core.patience();
        // When it is gone, somebody else has committed it, because it was full or in the way.
        while core.is_open(group) {
            let wait = if !core.will_sync() || core.is_full() {
                Duration::ZERO
            } else if self.arriving.load(Ordering::SeqCst) > 0 {
                // They will be here in a moment, and say so.
                LONGEST_WAIT
            } else if core.is_complete() {
                Duration::ZERO
            } else {
                patience.saturating_sub(start.elapsed())
            };
            if wait.is_zero() {
                return self.commit(&mut core);
            }
            core = self
                .joined
                .wait_timeout(core, wait)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Leaves the commit to the leader, and tells it when it needn't wait any more.
    fn follow(&self, mut core: MutexGuard<'_, Core>) {
        if core.is_full() {
            self.commit(&mut core);
        } else if core.is_complete() || self.arriving.load(Ordering::SeqCst) == 0 {
            self.joined.notify_all();
        }
    }

    fn commit(&self, core: &mut Core) {
        core.commit(&self.arriving);
        // Its leader may be waiting.
        self.joined.notify_all();
    }

    pub(super) fn exclusive<T>(&self, work: impl FnOnce(&mut LsmDb) -> T) -> Result<T, LsmError> {
        let _inside = self.enter("exclusive")?;
        let mut core = self.lock();
        self.commit(&mut core);
        let db = core.db.as_mut().ok_or_else(|| closed("exclusive"))?;
        // What a panic leaves behind is taken back as well.
        let result = catch_unwind(AssertUnwindSafe(|| work(db)));
        if let Ok(session) = db.session_mut("exclusive") {
            let _ = session.rollback();
        }
        result.or_else(|payload| resume_unwind(payload))
    }

    /// For what neither writes nor sees what is written.
    pub(super) fn look<T>(
        &self,
        work: impl FnOnce(&LsmDb) -> Result<T, LsmError>,
    ) -> Result<T, LsmError> {
        let _inside = self.enter("open a reader")?;
        let core = self.lock();
        work(core.db.as_ref().ok_or_else(|| closed("open a reader"))?)
    }

    pub(super) fn close(&self) -> Result<(), LsmError> {
        let _inside = self.enter("close")?;
        let mut core = self.lock();
        self.commit(&mut core);
        core.db.take().ok_or_else(|| closed("close"))?.close()
    }

    fn enter(&self, operation: &'static str) -> Result<Inside, LsmError> {
        let address = std::ptr::from_ref(self).addr();
        Inside::enter(address).ok_or_else(|| {
            LsmError::new(operation, LsmErrorCode::LsmMisuse).with_message(
                "this thread is carrying out a request of this writer: use its transaction",
            )
        })
    }

    fn lock(&self) -> MutexGuard<'_, Core> {
        // No panic leaves anything half done: see `begin`, `carry_out` and `commit`.
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Core {
    /// Joins the group, or begins one; true for the first.
    fn begin(&mut self, durability: Durability) -> Result<(Arc<Group>, bool), LsmError> {
        let db = self.db.as_mut().ok_or_else(|| closed("update"))?;
        let session = db.session_mut("update")?;
        session.check_durability(durability)?;
        if let Some(open) = &mut self.open {
            open.durability = stronger(open.durability, durability);
            return Ok((Arc::clone(&open.group), false));
        }
        match catch_unwind(AssertUnwindSafe(|| session.begin_new())) {
            Ok(begun) => begun?,
            Err(payload) => {
                let _ = session.rollback();
                resume_unwind(payload);
            }
        }
        let group = Arc::new(Group::default());
        self.open = Some(Open {
            group: Arc::clone(&group),
            durability,
            began: Instant::now(),
            kib_before: session.live_tree_kib(),
            requests: 0,
            is_worth_a_commit: false,
        });
        Ok((group, true))
    }

    fn carry_out<T, E: From<LsmError>>(
        &mut self,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<T, E>,
    ) -> Carried<T, E> {
        // Unwind safety: a transaction that is dropped takes everything back.
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let db = self.db.as_mut().ok_or_else(|| closed("update"))?;
            let mut transaction = Transaction::within(db.session_mut("update")?)?;
            let done = work(&mut transaction)?;
            transaction.commit()?;
            Ok(done)
        }));
        if let Some(open) = &mut self.open {
            open.requests += 1;
            open.is_worth_a_commit |= matches!(outcome, Ok(Ok(_)));
        }
        match outcome {
            Ok(Ok(done)) => Carried::Done(done),
            Ok(Err(error)) => Carried::Failed(error),
            Err(payload) => Carried::Panicked(payload),
        }
    }

    /// Ends the group, if one is open, and tells those who are in it.
    fn commit(&mut self, arriving: &AtomicUsize) {
        let (Some(open), Some(db)) = (self.open.take(), &mut self.db) else {
            return;
        };
        let start = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let session = db.session_mut("commit")?;
            match open.is_worth_a_commit {
                true => session.commit_with(open.durability),
                false => session.rollback(),
            }
        }));
        if open.is_worth_a_commit {
            self.commit_time = start.elapsed();
        }
        // Those who came meanwhile are others than those who wait for this.
        self.expected = open.requests + arriving.load(Ordering::SeqCst);
        if let (false, Ok(session)) = (matches!(outcome, Ok(Ok(()))), db.session_mut("commit")) {
            let _ = session.rollback();
        }
        match outcome {
            Ok(outcome) => open.group.tell(outcome),
            Err(payload) => {
                let error = LsmError::new("commit", LsmErrorCode::LsmError);
                open.group
                    .tell(Err(error.with_message("a page codec panicked")));
                resume_unwind(payload);
            }
        }
    }

    fn is_open(&self, group: &Arc<Group>) -> bool {
        let open = self.open.as_ref();
        open.is_some_and(|open| Arc::ptr_eq(&open.group, group))
    }

    /// Without a sync there is nothing to share.
    fn will_sync(&mut self) -> bool {
        let (Some(open), Some(db)) = (&self.open, &mut self.db) else {
            return false;
        };
        open.is_worth_a_commit
            && db
                .session_mut("update")
                .is_ok_and(|session| session.will_sync(open.durability))
    }

    /// As many have joined as can be expected.
    fn is_complete(&self) -> bool {
        let open = self.open.as_ref();
        open.is_none_or(|open| open.requests >= self.expected)
    }

    fn is_full(&mut self) -> bool {
        let longest = self.commit_time.max(SHORTEST_LIMIT);
        let (Some(open), Some(db)) = (&self.open, &mut self.db) else {
            return false;
        };
        let kib = db
            .session_mut("update")
            .map(|session| session.live_tree_kib());
        open.requests >= MOST_REQUESTS
            || open.began.elapsed() >= longest
            || kib.is_ok_and(|kib| kib.saturating_sub(open.kib_before) >= MOST_KIB)
    }

    /// How long a leader waits for those who wrote a moment ago.
    fn patience(&self) -> Duration {
        match self.commit_time < CHEAP_SYNC {
            true => Duration::ZERO,
            false => (self.commit_time / 2).min(LONGEST_WAIT),
        }
    }
}

/// What satisfies both.
fn stronger(a: Durability, b: Durability) -> Durability {
    let rank = |durability| match durability {
        Durability::None => 0,
        Durability::Default => 1,
        Durability::Sync => 2,
    };
    if rank(a) < rank(b) { b } else { a }
}

fn closed(operation: &'static str) -> LsmError {
    LsmError::new(operation, LsmErrorCode::LsmMisuse)
        .with_message("the writer is closed: open the database again")
}
