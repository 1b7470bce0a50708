//! [`FaultEnv`]: a disk that fails on demand.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Env;
use super::simulated::{Call, Failure, PowerLoss, Simulation, When};

/// A simulated disk that loses its power, fills up and fails as you plan it: crash-tests an
/// application without crashing anything.
///
/// Beneath it everything is in memory; above it runs the same code as on a real disk, the
/// engine included. What wasn't synced when the power goes is lost, kept or kept in part,
/// each sector of 512 bytes by itself, and so are new lengths and new, changed and removed
/// names of files. All choices follow from the seed, so that a run that uses the disk from
/// one thread is repeated exactly by its seed.
///
/// A value stands for a process that uses the disk, and so do its clones;
/// [`process`](Self::process) gives another one. Calls are counted over all of them.
///
/// ```
/// # fn main() -> Result<(), lsmlite_rs::LsmError> {
/// use lsmlite_rs::LsmDb;
/// use lsmlite_rs::config::Safety;
/// use lsmlite_rs::env::{Call, FaultEnv};
///
/// for seed in 0..20 {
///     let env = FaultEnv::new(seed);
///     let open = || {
///         let builder = LsmDb::builder().env(&env).safety(Safety::Full);
///         builder.open("orders.lsm")
///     };
///     let mut db = open()?;
///     env.lose_power_within(Call::Any, 50);
///     let mut acknowledged = 0_u32;
///     while db.insert(acknowledged.to_be_bytes(), "an order").is_ok() {
///         acknowledged += 1;
///     }
///     drop(db);
///
///     let loss = env.restart();
///     let db = open()?;
///     for n in 0..acknowledged {
///         assert!(db.contains_key(n.to_be_bytes())?, "seed {seed}: {loss}");
///     }
/// }
/// # Ok(()) }
/// ```
///
/// Directories need not be made. A file can't grow beyond 16 GiB (64 MiB on systems of 32
/// bits).
#[derive(Clone)]
pub struct FaultEnv {
    simulation: Simulation,
    env: Env,
    seed: u64,
}

impl FaultEnv {
    /// An empty disk, on which nothing fails yet.
    pub fn new(seed: u64) -> FaultEnv {
        FaultEnv::over(Simulation::new(seed), seed)
    }

    /// The number that this disk's choices follow from.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Another process that uses the same disk, which databases in multi-process mode allow.
    pub fn process(&self) -> FaultEnv {
        FaultEnv::over(self.simulation.another_process(), self.seed)
    }

    fn over(simulation: Simulation, seed: u64) -> FaultEnv {
        let env = Env::over(simulation.system());
        FaultEnv {
            simulation,
            env,
            seed,
        }
    }
}

impl From<&FaultEnv> for Env {
    fn from(fault: &FaultEnv) -> Env {
        fault.env.clone()
    }
}

impl From<FaultEnv> for Env {
    fn from(fault: FaultEnv) -> Env {
        fault.env
    }
}

/// Power.
impl FaultEnv {
    /// Cuts the power now.
    ///
    /// From now on all calls fail, until [`restart`](Self::restart). Handles that are open
    /// can only be dropped.
    pub fn lose_power(&self) {
        self.simulation.lose_power();
    }

    /// Cuts the power during the `n`-th call of this kind from now; 1 is the next one.
    ///
    /// What this call does may reach the disk, or not, like all that wasn't synced.
    pub fn lose_power_at(&self, call: Call, n: u64) {
        self.simulation.plan_power_loss(call, n);
    }

    /// Cuts the power during one of the next `n` calls of this kind, and returns which one.
    pub fn lose_power_within(&self, call: Call, n: u64) -> u64 {
        self.simulation.plan_power_loss_within(call, n)
    }

    /// True if sectors can be written in part when the power goes. Default: false.
    ///
    /// Disks promise that a sector is written whole or not at all, and lsm1 relies on it.
    pub fn tear_sectors(&self, yes: bool) {
        self.simulation.set_tears(yes);
    }

    /// False between a loss of power and [`restart`](Self::restart).
    pub fn has_power(&self) -> bool {
        self.simulation.has_power()
    }

    /// Switches the power on again, after cutting it if it was on, and says what was lost.
    ///
    /// What was planned and hasn't happened yet stays planned. Handles of before stay dead.
    pub fn restart(&self) -> PowerLoss {
        self.simulation.restart()
    }
}

/// Failures.
impl FaultEnv {
    /// Lets the `n`-th call of this kind from now fail, and no other one; 1 is the next one.
    pub fn fail_at(&self, call: Call, n: u64, failure: Failure) {
        self.simulation.plan_failure(call, When::At(n), failure);
    }

    /// Lets the `n`-th call of this kind from now fail, and all that follow until
    /// [`heal`](Self::heal).
    pub fn fail_from(&self, call: Call, n: u64, failure: Failure) {
        self.simulation.plan_failure(call, When::From(n), failure);
    }

    /// Lets one in `n` calls of this kind fail, by chance, until [`heal`](Self::heal).
    pub fn fail_one_in(&self, call: Call, n: u64, failure: Failure) {
        self.simulation.plan_failure(call, When::OneIn(n), failure);
    }

    /// How many bytes all files together can have. Default: no limit.
    ///
    /// Removing and truncating files makes room again.
    pub fn set_capacity_bytes(&self, bytes: u64) {
        self.simulation.set_capacity(bytes);
    }

    /// Makes each call of this kind so much slower. Default: as fast as memory.
    pub fn set_delay(&self, call: Call, time: Duration) {
        self.simulation.set_delay(call, time);
    }

    /// Forgets all failures, delays and losses of power that were planned, and the capacity.
    pub fn heal(&self) {
        self.simulation.heal();
    }

    /// How many calls of this kind there were. [`Call::Any`] counts all calls to the disk.
    pub fn calls(&self, call: Call) -> u64 {
        self.simulation.count(call)
    }
}

/// Files, looked at and damaged from outside. These calls aren't counted and never fail by
/// plan; they work without power, too, and then show what the restart will find.
impl FaultEnv {
    /// The files, sorted by path. Besides databases there are logs and, in multi-process
    /// mode, shared memory.
    pub fn files(&self) -> Vec<PathBuf> {
        self.simulation.files()
    }

    /// How many bytes the files take.
    pub fn used_bytes(&self) -> u64 {
        self.simulation.used()
    }

    /// The content of a file as a program would read it now, synced or not.
    ///
    /// # Errors
    /// There is no such file.
    pub fn read_file(&self, path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
        self.simulation.read_file(path.as_ref())
    }

    /// Puts a file with this content in place of the one of this name, if there is one. It
    /// is durable at once. Who has the old one open keeps it.
    ///
    /// # Errors
    /// The content is larger than a file can be, or there is no memory left.
    pub fn write_file(&self, path: impl AsRef<Path>, content: impl AsRef<[u8]>) -> io::Result<()> {
        self.simulation.write_file(path.as_ref(), content.as_ref())
    }

    /// Removes a file, for good at once. Who has it open keeps it.
    ///
    /// # Errors
    /// There is no such file.
    pub fn remove_file(&self, path: impl AsRef<Path>) -> io::Result<()> {
        self.simulation.remove_file(path.as_ref())
    }
}

impl fmt::Debug for FaultEnv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultEnv")
            .field("seed", &self.seed)
            .field("process", &self.simulation.process_number())
            .field("files", &self.files())
            .finish_non_exhaustive()
    }
}
