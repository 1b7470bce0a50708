//! [`MemoryEnv`]: databases without files.

use std::fmt;
use std::path::{Path, PathBuf};

use super::Env;
use super::simulated::Simulation;

/// A disk in memory: databases without files, for tests and caches.
///
/// Its databases live as long as the value and what was cloned from it; each value from
/// [`new`](Self::new) has files of its own. Paths are names only: no directory has to be
/// made. A file can't grow beyond 16 GiB (64 MiB on systems of 32 bits).
///
/// ```
/// # fn main() -> Result<(), lsmlite_rs::LsmError> {
/// use lsmlite_rs::LsmDb;
/// use lsmlite_rs::env::MemoryEnv;
///
/// let env = MemoryEnv::new();
/// let mut db = LsmDb::builder().env(&env).open("scratch.lsm")?;
/// db.insert("key", "value")?;
/// db.close()?;
/// // The database lives on in `env`.
/// let db = LsmDb::builder().env(&env).open("scratch.lsm")?;
/// assert_eq!(db.get("key")?, Some(b"value".to_vec()));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct MemoryEnv {
    simulation: Simulation,
    env: Env,
}

impl MemoryEnv {
    /// An empty disk.
    pub fn new() -> MemoryEnv {
        let simulation = Simulation::reliable();
        let env = Env::over(simulation.system());
        MemoryEnv { simulation, env }
    }

    /// The files, sorted by path. Besides databases there are logs and, in multi-process
    /// mode, shared memory.
    pub fn files(&self) -> Vec<PathBuf> {
        self.simulation.files()
    }

    /// How much memory the files take, in bytes.
    pub fn used_bytes(&self) -> u64 {
        self.simulation.used()
    }

    /// The content of a file; that of a database can be kept, and put into another
    /// environment, while nobody has it open.
    ///
    /// # Errors
    /// There is no such file.
    pub fn read_file(&self, path: impl AsRef<Path>) -> std::io::Result<Vec<u8>> {
        self.simulation.read_file(path.as_ref())
    }

    /// Puts a file with this content in place of the one of this name, if there is one.
    ///
    /// # Errors
    /// The content is larger than a file can be, or there is no memory left.
    pub fn write_file(
        &self,
        path: impl AsRef<Path>,
        content: impl AsRef<[u8]>,
    ) -> std::io::Result<()> {
        self.simulation.write_file(path.as_ref(), content.as_ref())
    }

    /// Removes a file that nobody has open.
    ///
    /// # Errors
    /// There is no such file.
    pub fn remove_file(&self, path: impl AsRef<Path>) -> std::io::Result<()> {
        self.simulation.remove_file(path.as_ref())
    }
}

impl From<&MemoryEnv> for Env {
    fn from(memory: &MemoryEnv) -> Env {
        memory.env.clone()
    }
}

impl From<MemoryEnv> for Env {
    fn from(memory: MemoryEnv) -> Env {
        memory.env
    }
}

impl Default for MemoryEnv {
    fn default() -> Self {
        MemoryEnv::new()
    }
}

impl fmt::Debug for MemoryEnv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryEnv")
            .field("files", &self.files())
            .finish_non_exhaustive()
    }
}
