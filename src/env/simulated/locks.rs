//! Locks on bytes of one file, each held by one open file.

use crate::env::system::{Bytes, Lock};

/// Stands for an open file.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) struct Holder {
    /// The open file.
    pub(super) file: u64,
    /// The simulated process that opened it.
    pub(super) process: u32,
}

#[derive(Clone, Debug)]
struct Held {
    holder: Holder,
    begin: u64,
    end: u64,
    exclusive: bool,
}

#[derive(Default, Debug)]
pub(super) struct Locks(Vec<Held>);

impl Locks {
    /// Gives these bytes this lock of this holder, in place of what it held there, unless
    /// another one is in the way.
    pub(super) fn set(&mut self, holder: Holder, bytes: Bytes, lock: Lock) -> bool {
        if self.in_the_way(Some(holder), bytes, lock).is_some() {
            return false;
        }
        let (begin, end) = ends(bytes);
        let mut rest = Vec::new();
        self.0.retain(|held| {
            if held.holder != holder || held.end <= begin || held.begin >= end {
                return true;
            }
            // What reaches beyond these bytes stays.
            if held.begin < begin {
                rest.push(Held {
                    end: begin,
                    ..held.clone()
                });
            }
            if held.end > end {
                rest.push(Held {
                    begin: end,
                    ..held.clone()
                });
            }
            false
        });
        self.0.append(&mut rest);
        if lock != Lock::None {
            self.0.push(Held {
                holder,
                begin,
                end,
                exclusive: lock == Lock::Exclusive,
            });
        }
        true
    }

    /// Who keeps this holder, or anyone, from getting this lock.
    pub(super) fn in_the_way(
        &self,
        holder: Option<Holder>,
        bytes: Bytes,
        lock: Lock,
    ) -> Option<Holder> {
        let (begin, end) = ends(bytes);
        let conflicts = |held: &&Held| {
            Some(held.holder) != holder
                && held.begin < end
                && begin < held.end
                && match lock {
                    Lock::None => false,
                    Lock::Shared => held.exclusive,
                    Lock::Exclusive => true,
                }
        };
        self.0.iter().find(conflicts).map(|held| held.holder)
    }

    /// An open file was closed.
    pub(super) fn drop_all(&mut self, file: u64) {
        self.0.retain(|held| held.holder.file != file);
    }
}

/// As in `fcntl`, length 0 means up to the end, however long the file may become.
fn ends(bytes: Bytes) -> (u64, u64) {
    match bytes.length {
        0 => (bytes.offset, u64::MAX),
        length => (bytes.offset, bytes.offset.saturating_add(length)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Holder = Holder {
        file: 1,
        process: 1,
    };
    const B: Holder = Holder {
        file: 2,
        process: 1,
    };

    fn bytes(offset: u64, length: u64) -> Bytes {
        Bytes { offset, length }
    }

    #[test]
    fn two_open_files_conflict_also_in_one_process() {
        let mut locks = Locks::default();
        assert!(locks.set(A, bytes(10, 1), Lock::Exclusive));
        assert!(!locks.set(B, bytes(10, 1), Lock::Shared));
        assert!(!locks.set(B, bytes(0, 0), Lock::Exclusive));
        assert!(locks.set(B, bytes(11, 1), Lock::Exclusive));
        assert!(locks.set(A, bytes(10, 1), Lock::Exclusive), "its own");
    }

    #[test]
    fn shared_locks_are_shared_until_one_is_converted() {
        let mut locks = Locks::default();
        assert!(locks.set(A, bytes(0, 4), Lock::Shared));
        assert!(locks.set(B, bytes(2, 4), Lock::Shared));
        assert!(!locks.set(A, bytes(0, 4), Lock::Exclusive));
        assert!(locks.set(A, bytes(0, 2), Lock::Exclusive));
        assert_eq!(
            locks.in_the_way(Some(B), bytes(1, 1), Lock::Shared),
            Some(A)
        );
        assert_eq!(locks.in_the_way(Some(B), bytes(2, 2), Lock::Shared), None);
    }

    #[test]
    fn unlocking_the_middle_leaves_both_sides() {
        let mut locks = Locks::default();
        assert!(locks.set(A, bytes(0, 10), Lock::Exclusive));
        assert!(locks.set(A, bytes(4, 2), Lock::None));
        assert!(!locks.set(B, bytes(3, 1), Lock::Shared));
        assert!(locks.set(B, bytes(4, 2), Lock::Shared));
        assert!(!locks.set(B, bytes(6, 1), Lock::Shared));
        locks.drop_all(A.file);
        assert!(locks.set(B, bytes(0, 0), Lock::Exclusive));
    }
}
