//! A disk that can lose its power, and the processes that use it.

use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime};

use super::content::Content;
use super::directory::Directory;
use super::faults::{Call, Failure, Faults, Turn};
use super::file::{Node, OpenFile};
use super::power::PowerLoss;
use super::random::Random;
use crate::env::system::{Access, Bytes, Identity, Lock, Status, System, SystemFile};

/// Simulated disks are told apart from each other, and from real devices, by their number.
static DISKS: AtomicU64 = AtomicU64::new(u64::MAX / 2);

pub(super) struct Disk {
    device: u64,
    /// False: nothing ever fails, and nothing is kept in order to be lost.
    fails: bool,
    state: Mutex<State>,
    processes: AtomicU32,
}

pub(super) struct State {
    pub(super) directory: Directory<Node>,
    pub(super) faults: Faults,
    pub(super) random: Random,
    pub(super) capacity: u64,
    /// Files that were opened before the last loss of power are dead.
    pub(super) generation: u64,
    /// What happened, while the power is off.
    pub(super) off: Option<PowerLoss>,
    pub(super) tears: bool,
    files: u64,
}

pub(super) fn power_is_off() -> io::Error {
    io::Error::other("the power is off")
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Disk {
    pub(super) fn new(seed: u64, fails: bool) -> Arc<Disk> {
        Arc::new(Disk {
            device: DISKS.fetch_add(1, Ordering::Relaxed),
            fails,
            state: Mutex::new(State {
                directory: Directory::new(fails),
                faults: Faults::default(),
                random: Random::new(seed),
                capacity: u64::MAX,
                generation: 0,
                off: None,
                tears: false,
                files: 0,
            }),
            processes: AtomicU32::new(1),
        })
    }

    pub(super) fn device(&self) -> u64 {
        self.device
    }

    pub(super) fn fails(&self) -> bool {
        self.fails
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Begins a call. The state stays locked until it has been carried out, so that the power
    /// goes before or after it.
    pub(super) fn begin(&self, call: Call) -> io::Result<(MutexGuard<'_, State>, Turn)> {
        let mut state = self.state();
        let delay = state.faults.delay(call);
        if !delay.is_zero() {
            drop(state);
            thread::sleep(delay);
            state = self.state();
        }
        if state.off.is_some() {
            return Err(power_is_off());
        }
        let State { faults, random, .. } = &mut *state;
        let turn = faults.next(call, random);
        Ok((state, turn))
    }

    /// For calls that change nothing, or nothing that could be lost: they work or fail.
    pub(super) fn simply(&self, call: Call) -> io::Result<MutexGuard<'_, State>> {
        let (mut state, turn) = self.begin(call)?;
        match turn {
            Turn::Works | Turn::Fails(Failure::Short | Failure::Interrupted) => Ok(state),
            Turn::Fails(failure) => Err(failure.error()),
            Turn::LosesPower => Err(state.lose_power()),
        }
    }

    /// For calls that change the disk at once: if the power goes just then, the change may
    /// be there or not.
    pub(super) fn change<T>(
        &self,
        call: Call,
        change: impl FnOnce(&mut State) -> io::Result<T>,
    ) -> io::Result<T> {
        let (mut state, turn) = self.begin(call)?;
        match turn {
            Turn::Works | Turn::Fails(Failure::Short) => change(&mut state),
            Turn::Fails(Failure::Interrupted) if call != Call::Reserve => change(&mut state),
            Turn::Fails(failure) => Err(failure.error()),
            Turn::LosesPower => {
                let _ = change(&mut state);
                Err(state.lose_power())
            }
        }
    }

    /// A process of its own on this disk.
    pub(super) fn process(self: &Arc<Disk>) -> Process {
        Process {
            disk: Arc::clone(self),
            number: self.processes.fetch_add(1, Ordering::Relaxed),
        }
    }
}

impl State {
    /// Cuts the power and decides what the disk holds from now on. Returns the error of all
    /// calls until the restart.
    pub(super) fn lose_power(&mut self) -> io::Error {
        if self.off.is_some() {
            return power_is_off();
        }
        let mut loss = PowerLoss::default();
        let names = self.directory.after_power_loss(&mut self.random, &mut loss);
        // Nobody can use the old files any more; those who mapped them still have the memory.
        self.directory = Directory::new(true);
        self.generation += 1;
        for (path, node) in names {
            let bytes =
                lock(&node.state)
                    .content
                    .after_power_loss(&mut self.random, self.tears, &mut loss);
            match Content::with(bytes, true) {
                Ok(content) => {
                    let node = self.node(content);
                    self.directory.settle(&path, Some(node));
                }
                // No address space is left for the simulation itself.
                Err(_) => loss.names_lost += 1,
            }
        }
        self.off = Some(loss);
        power_is_off()
    }

    /// A file without a name.
    pub(super) fn node(&mut self, content: Content) -> Arc<Node> {
        self.files += 1;
        Arc::new(Node::new(self.files, content))
    }

    /// Bytes that the files take. A file without a name takes none.
    pub(super) fn used(&self) -> u64 {
        self.directory
            .files()
            .map(|(_, node)| lock(&node.state).content.length() as u64)
            .sum()
    }

    /// Bytes by which files may still grow.
    pub(super) fn free(&self) -> u64 {
        match self.capacity {
            u64::MAX => u64::MAX,
            capacity => capacity.saturating_sub(self.used()),
        }
    }

    pub(super) fn find(&self, path: &Path) -> io::Result<&Arc<Node>> {
        self.directory
            .get(path)
            .ok_or_else(|| io::Error::from_raw_os_error(libc::ENOENT))
    }
}

/// The path from the root, without `.` and `..`; there are no links.
pub(super) fn absolute(path: &Path) -> PathBuf {
    let mut absolute = PathBuf::from("/");
    for component in path.components() {
        match component {
            Component::Normal(name) => absolute.push(name),
            Component::ParentDir => {
                absolute.pop();
            }
            _ => {}
        }
    }
    absolute
}

/// What a simulated process sees of a disk.
pub(super) struct Process {
    pub(super) disk: Arc<Disk>,
    pub(super) number: u32,
}

impl System for Process {
    fn resolve(&self, path: &Path) -> io::Result<PathBuf> {
        drop(self.disk.simply(Call::Look)?);
        if path.file_name().is_none() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the path names no file",
            ));
        }
        Ok(absolute(path))
    }

    fn status(&self, path: &Path) -> io::Result<Status> {
        let state = self.disk.simply(Call::Look)?;
        let path = absolute(path);
        match state.directory.get(&path) {
            Some(node) => Ok(node.status(self.disk.device, 1)),
            None if state.directory.is_directory(&path) => Ok(Status {
                identity: Identity {
                    device: self.disk.device,
                    inode: 0,
                },
                length: 0,
                names: 1,
                modified: None,
                is_file: false,
            }),
            None => Err(io::Error::from_raw_os_error(libc::ENOENT)),
        }
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn SystemFile>> {
        let path = absolute(path);
        let open = |node: &Arc<Node>, state: &State| {
            OpenFile::new(self, Arc::clone(node), access, state.generation)
        };
        let file = if access == Access::CreateNew {
            self.disk.change(Call::Create, |state| {
                if state.directory.get(&path).is_some() || state.directory.is_directory(&path) {
                    return Err(io::Error::from_raw_os_error(libc::EEXIST));
                }
                let node = state.node(Content::new(self.disk.fails)?);
                state.directory.create(&path, Arc::clone(&node));
                Ok(open(&node, state))
            })?
        } else {
            let state = self.disk.simply(Call::Open)?;
            open(state.find(&path)?, &state)
        };
        Ok(Box::new(file))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let path = absolute(path);
        self.disk.change(Call::Remove, |state| {
            state.find(&path)?;
            state.directory.remove(&path);
            Ok(())
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let (from, to) = (absolute(from), absolute(to));
        self.disk.change(Call::Rename, |state| {
            state.find(&from)?;
            state.directory.rename(&from, &to);
            Ok(())
        })
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        self.disk
            .simply(Call::SyncDirectory)?
            .directory
            .sync(&absolute(directory));
        Ok(())
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        let state = self.disk.simply(Call::Look)?;
        Ok(state.directory.list(&absolute(directory)))
    }

    fn now(&self) -> Duration {
        SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default()
    }

    fn sleep(&self, time: Duration) {
        // Nobody waits in the dark.
        if self.disk.state().off.is_none() {
            thread::sleep(time);
        }
    }

    fn may_allocate(&self, _: usize) -> bool {
        if !self.disk.fails {
            return true;
        }
        let mut state = self.disk.state();
        let State { faults, random, .. } = &mut *state;
        match faults.next(Call::Memory, random) {
            Turn::Works => true,
            Turn::Fails(_) => false,
            Turn::LosesPower => {
                state.lose_power();
                true
            }
        }
    }

    fn lock_holder(&self, path: &Path, bytes: Bytes, wanted: Lock) -> Option<u32> {
        let node = Arc::clone(self.disk.state().directory.get(&absolute(path))?);
        let found = lock(&node.state).locks.in_the_way(None, bytes, wanted)?;
        Some(found.process)
    }
}
