//! Locks between processes: which bytes of the file stand for what.
//!
//! lsm1 locks single bytes in front of byte 4096, lock 1 the last of them. This crate adds
//! one before those: a read-only handle holds it shared for as long as it is open, and who
//! wants the file to itself asks for it. Programs with another lsm1 know nothing of it.

use std::io;

use super::system::{Bytes, Lock, SystemFile};

/// One behind the byte of lock 1.
const END: u64 = 4096;
/// lsm1 numbers its locks from 1 to this.
const COUNT: u64 = 32;
/// Shared by the processes that have the file open; the one that has it to itself holds it
/// alone.
pub(super) const OPEN: u64 = 2;

/// Where read-only handles show themselves.
pub(super) const READERS: Bytes = Bytes {
    offset: END - COUNT - 1,
    length: 1,
};

/// All bytes that anybody locks.
pub(super) const ALL: Bytes = Bytes {
    offset: END - COUNT - 1,
    length: COUNT + 1,
};

/// Where these locks of lsm1 are: `count` of them from the number `first` upwards.
pub(super) fn bytes(first: u64, count: u64) -> Bytes {
    Bytes {
        offset: END.saturating_sub(first.saturating_add(count).saturating_sub(1)),
        length: count,
    }
}

/// Sets one of lsm1's locks; false if somebody is in the way.
pub(super) fn set(file: &dyn SystemFile, number: u64, kind: Lock) -> io::Result<bool> {
    let bytes = bytes(number, 1);
    if !file.lock(bytes, kind)? {
        return Ok(false);
    }
    // Readers of other processes can't see what a process does that has the file to itself.
    if number == OPEN && kind == Lock::Exclusive && file.is_locked(READERS, kind)? {
        file.lock(bytes, Lock::None)?;
        return Ok(false);
    }
    Ok(true)
}

/// Shows read-only handles. Returns whether that worked, and whether no open file claims the
/// database for itself.
pub(super) fn announce_reader(file: &dyn SystemFile) -> io::Result<(bool, bool)> {
    // First show, then look; writers lock first, then look: so one of two sees the other.
    let shown = file.lock(READERS, Lock::Shared)?;
    Ok((shown, !file.is_locked(bytes(OPEN, 1), Lock::Shared)?))
}
