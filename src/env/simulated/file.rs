//! A file of a simulated disk, and the open files that lead to it.

use std::io;
use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use super::content::Content;
use super::disk::{Disk, Process, State, lock, power_is_off};
use super::faults::{Call, Failure, Turn};
use super::locks::{Holder, Locks};
use super::memory::LIMIT;
use crate::env::system::{Access, Bytes, Identity, Lock, Status, SystemFile};

/// A file, whatever its name.
pub(super) struct Node {
    inode: u64,
    /// Taken after the disk's state.
    pub(super) state: Mutex<NodeState>,
}

pub(super) struct NodeState {
    pub(super) content: Content,
    pub(super) locks: Locks,
}

impl Node {
    pub(super) fn new(inode: u64, content: Content) -> Node {
        Node {
            inode,
            state: Mutex::new(NodeState {
                content,
                locks: Locks::default(),
            }),
        }
    }

    pub(super) fn status(&self, device: u64, names: u64) -> Status {
        Status {
            identity: Identity {
                device,
                inode: self.inode,
            },
            length: lock(&self.state).content.length() as u64,
            names,
            modified: None,
            is_file: true,
        }
    }
}

static OPEN_FILES: AtomicU64 = AtomicU64::new(0);

pub(super) struct OpenFile {
    disk: Arc<Disk>,
    node: Arc<Node>,
    holder: Holder,
    writable: bool,
    generation: u64,
    device: u64,
}

impl OpenFile {
    pub(super) fn new(
        process: &Process,
        node: Arc<Node>,
        access: Access,
        generation: u64,
    ) -> OpenFile {
        OpenFile {
            disk: Arc::clone(&process.disk),
            node,
            holder: Holder {
                file: OPEN_FILES.fetch_add(1, Ordering::Relaxed),
                process: process.number,
            },
            writable: access != Access::Read,
            generation,
            device: process.disk.device(),
        }
    }

    fn content(&self) -> MutexGuard<'_, NodeState> {
        lock(&self.node.state)
    }

    /// A file that was opened before the power went is of no use after it.
    fn check(&self, state: &State) -> io::Result<()> {
        if state.generation != self.generation {
            return Err(power_is_off());
        }
        Ok(())
    }

    fn check_writable(&self) -> io::Result<()> {
        if !self.writable {
            return Err(io::Error::from_raw_os_error(libc::EBADF));
        }
        Ok(())
    }

    /// How many of `wanted` bytes at `offset` there is room for.
    fn room(&self, state: &State, offset: usize, wanted: usize) -> usize {
        // The disk's files are locked one by one for this: this one must not be locked now.
        let free = state.free();
        let length = self.content().content.length();
        let end = usize::try_from(free)
            .unwrap_or(usize::MAX)
            .saturating_add(length);
        wanted.min(end.saturating_sub(offset))
    }
}

fn position(offset: u64) -> io::Result<usize> {
    usize::try_from(offset)
        .ok()
        .filter(|offset| *offset <= LIMIT)
        .ok_or_else(|| io::Error::from_raw_os_error(libc::EFBIG))
}

impl SystemFile for OpenFile {
    fn status(&self) -> io::Result<Status> {
        let state = self.disk.simply(Call::Look)?;
        self.check(&state)?;
        let named = state
            .directory
            .files()
            .any(|(_, node)| Arc::ptr_eq(node, &self.node));
        Ok(self.node.status(self.device, u64::from(named)))
    }

    fn read_at(&self, buffer: &mut [MaybeUninit<u8>], offset: u64) -> io::Result<usize> {
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        if !self.disk.fails() {
            return Ok(self.content().content.read(buffer, offset));
        }
        let (mut state, turn) = self.disk.begin(Call::Read)?;
        self.check(&state)?;
        let mut wanted = buffer.len();
        match turn {
            Turn::Works => {}
            Turn::Fails(Failure::Short) => wanted = part(&mut state, wanted),
            Turn::Fails(failure) => return Err(failure.error()),
            Turn::LosesPower => return Err(state.lose_power()),
        }
        Ok(self.content().content.read(&mut buffer[..wanted], offset))
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.check_writable()?;
        let offset = position(offset)?;
        if !self.disk.fails() {
            self.content().content.write(bytes, offset)?;
            return Ok(bytes.len());
        }
        let (mut state, turn) = self.disk.begin(Call::Write)?;
        self.check(&state)?;
        let room = self.room(&state, offset, bytes.len());
        let write = |n: usize| self.content().content.write(&bytes[..n], offset);
        let n = match turn {
            Turn::Works => room,
            Turn::Fails(Failure::Short) => part(&mut state, room),
            Turn::Fails(failure) => {
                if failure == Failure::Io {
                    // Some of it may have been written.
                    write(state.random.index(room + 1))?;
                }
                return Err(failure.error());
            }
            Turn::LosesPower => {
                write(room)?;
                return Err(state.lose_power());
            }
        };
        if n == 0 && !bytes.is_empty() {
            return Err(Failure::NoSpace.error());
        }
        write(n)?;
        Ok(n)
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.check_writable()?;
        let length = position(length)?;
        self.disk.change(Call::Truncate, |state| {
            self.check(state)?;
            if self.room(state, 0, length) < length {
                return Err(Failure::NoSpace.error());
            }
            self.content().content.set_length(length)
        })
    }

    fn allocate(&self, bytes: Bytes) -> io::Result<()> {
        self.check_writable()?;
        let end = position(bytes.offset.saturating_add(bytes.length))?;
        self.disk.change(Call::Reserve, |state| {
            self.check(state)?;
            if self.room(state, 0, end) < end {
                return Err(Failure::NoSpace.error());
            }
            let content = &mut self.content().content;
            content.set_length(end.max(content.length()))
        })
    }

    fn sync(&self) -> io::Result<()> {
        if !self.disk.fails() {
            return Ok(());
        }
        let (mut state, turn) = self.disk.begin(Call::Sync)?;
        self.check(&state)?;
        let mut node = self.content();
        match turn {
            Turn::Works | Turn::Fails(Failure::Short | Failure::Interrupted) => {
                node.content.sync();
                Ok(())
            }
            Turn::Fails(failure) => {
                node.content.fail_to_sync(&mut state.random);
                Err(failure.error())
            }
            Turn::LosesPower => {
                drop(node);
                Err(state.lose_power())
            }
        }
    }

    fn lock(&self, bytes: Bytes, wanted: Lock) -> io::Result<bool> {
        let (mut state, turn) = self.disk.begin(Call::Lock)?;
        self.check(&state)?;
        match turn {
            Turn::Works | Turn::Fails(Failure::Short | Failure::Interrupted) => {}
            Turn::Fails(_) if wanted == Lock::None => {}
            Turn::Fails(Failure::Refused) => return Ok(false),
            Turn::Fails(failure) => return Err(failure.error()),
            Turn::LosesPower => return Err(state.lose_power()),
        }
        Ok(self.content().locks.set(self.holder, bytes, wanted))
    }

    fn is_locked(&self, bytes: Bytes, wanted: Lock) -> io::Result<bool> {
        let state = self.disk.simply(Call::Lock)?;
        self.check(&state)?;
        let node = self.content();
        Ok(node
            .locks
            .in_the_way(Some(self.holder), bytes, wanted)
            .is_some())
    }

    unsafe fn map(&self, bytes: Bytes, writable: bool) -> io::Result<NonNull<u8>> {
        if writable {
            self.check_writable()?;
        }
        let begin = position(bytes.offset)?;
        let end = position(bytes.offset.saturating_add(bytes.length))?;
        let state = self.disk.simply(Call::Map)?;
        self.check(&state)?;
        let at = self.content().content.map(begin..end, writable);
        // The mapping keeps the file, as it does on a real system.
        std::mem::forget(Arc::clone(&self.node));
        Ok(at)
    }

    unsafe fn unmap(&self, at: NonNull<u8>, length: usize) {
        if self.content().content.unmap(at, length) {
            // SAFETY: this mapping was made by `map`, which took a count for it, and it is
            // off the list, so that the count is given back once.
            unsafe { Arc::decrement_strong_count(Arc::as_ptr(&self.node)) };
        }
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        self.content().locks.drop_all(self.holder.file);
    }
}

/// A part of `whole`, but something.
fn part(state: &mut State, whole: usize) -> usize {
    match whole {
        0 => 0,
        _ => 1 + state.random.index(whole),
    }
}
