//! When which call fails, and how: a plan that is repeated exactly by its seed.

use std::io;
use std::time::Duration;

use super::random::Random;

/// A kind of call that a simulated system counts, and that can fail or lose the power.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Call {
    /// Every call below except [`Memory`](Self::Memory).
    Any,
    /// Opening a file that exists.
    Open,
    /// Creating a file.
    Create,
    /// Reading a part of a file.
    Read,
    /// Writing a part of a file.
    Write,
    /// Making a file durable.
    Sync,
    /// Making the names of the files in a directory durable.
    SyncDirectory,
    /// Setting a file's length.
    Truncate,
    /// Taking space on the disk before it is written to.
    Reserve,
    /// Mapping a part of a file into memory.
    Map,
    /// Locking or unlocking a part of a file, or asking for a lock. Unlocking never fails.
    Lock,
    /// Removing a file.
    Remove,
    /// Renaming a file.
    Rename,
    /// Asking for a path, a length or the files in a directory.
    Look,
    /// Allocating memory for the engine. Not a call to the disk.
    Memory,
}

const KINDS: usize = Call::Memory as usize + 1;

/// How a call fails.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Failure {
    /// The disk reports an error (EIO). A write may have been carried out in part. A sync
    /// may have written some sectors; the others never get to the disk unless they are
    /// written again, and a later sync doesn't notice, as on Linux.
    Io,
    /// There is no space left on the disk (ENOSPC).
    NoSpace,
    /// Not permitted (EACCES); for a lock: another one is in the way.
    Refused,
    /// A signal came first (EINTR). Not a failure of the disk: the call is to be repeated.
    /// Only reading, writing and reserving space are affected.
    Interrupted,
    /// A read or write handles only a part of the bytes. Not a failure either. Other calls
    /// aren't affected.
    Short,
    /// There is no memory left (ENOMEM).
    NoMemory,
}

impl Failure {
    pub(super) fn error(self) -> io::Error {
        io::Error::from_raw_os_error(match self {
            Failure::Io | Failure::Short => libc::EIO,
            Failure::NoSpace => libc::ENOSPC,
            Failure::Refused => libc::EACCES,
            Failure::Interrupted => libc::EINTR,
            Failure::NoMemory => libc::ENOMEM,
        })
    }
}

/// What becomes of a call.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Works,
    Fails(Failure),
    /// The power goes while the call is under way.
    LosesPower,
}

#[derive(Copy, Clone, Debug)]
pub(in crate::env) enum When {
    /// At the n-th call from now, once.
    At(u64),
    /// At the n-th call from now and at all that follow.
    From(u64),
    /// At one in so many calls, by chance.
    OneIn(u64),
}

struct Rule {
    call: Call,
    when: When,
    turn: Turn,
}

#[derive(Default)]
pub(super) struct Faults {
    rules: Vec<Rule>,
    counts: [u64; KINDS],
    delays: [Duration; KINDS],
}

impl Faults {
    pub(super) fn count(&self, call: Call) -> u64 {
        self.counts[call as usize]
    }

    pub(super) fn delay(&self, call: Call) -> Duration {
        let any = match call {
            Call::Memory => Duration::ZERO,
            _ => self.delays[Call::Any as usize],
        };
        any + self.delays[call as usize]
    }

    pub(super) fn set_delay(&mut self, call: Call, time: Duration) {
        self.delays[call as usize] = time;
    }

    pub(super) fn add(&mut self, call: Call, when: When, turn: Turn) {
        self.rules.push(Rule { call, when, turn });
    }

    /// Forgets all faults and delays that were planned.
    pub(super) fn clear(&mut self) {
        self.rules.clear();
        self.delays = Default::default();
    }

    /// Counts a call and says what becomes of it.
    pub(super) fn next(&mut self, call: Call, random: &mut Random) -> Turn {
        self.counts[call as usize] += 1;
        if call != Call::Memory {
            self.counts[Call::Any as usize] += 1;
        }
        let mut turn = Turn::Works;
        self.rules.retain_mut(|rule| {
            let concerns = rule.call == call || (rule.call == Call::Any && call != Call::Memory);
            if !concerns {
                return true;
            }
            let (due, stays) = match &mut rule.when {
                When::At(n) | When::From(n) if *n > 1 => {
                    *n -= 1;
                    (false, true)
                }
                When::At(_) => (true, false),
                When::From(_) => (true, true),
                When::OneIn(n) => (random.below(*n) == 0, true),
            };
            // Nothing is worse than losing the power.
            if due && turn != Turn::LosesPower {
                turn = rule.turn;
            }
            stays
        });
        turn
    }
}
