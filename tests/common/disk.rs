//! A small file system, to fill up.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Result, child, child_argument};

/// A file system of its own, in memory; unmounted when dropped.
pub struct SmallDisk {
    root: PathBuf,
    _dir: tempfile::TempDir,
}

impl SmallDisk {
    /// Runs `test` with a small disk. Who may not mount one does it in a namespace where it
    /// is root.
    pub fn with(test: &str, kib: u32, scenario: impl FnOnce(&SmallDisk) -> Result) -> Result {
        let dir = tempfile::tempdir()?;
        let root = dir.path().join("disk");
        fs::create_dir(&root)?;
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={kib}k"), "tmpfs"])
            .arg(&root)
            .output()?;
        if mount.status.success() {
            return scenario(&SmallDisk { root, _dir: dir });
        }
        assert!(child_argument().is_none(), "no right to mount: {mount:?}");
        let plain = child(test, "")?;
        let mut inside = Command::new("unshare");
        inside.arg("-rm").arg(plain.get_program());
        inside.args(plain.get_args());
        for (name, value) in plain.get_envs() {
            inside.env(name, value.unwrap_or_default());
        }
        let output = inside.output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains("1 passed"), "{output:?}");
        Ok(())
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Takes up all the space that is left.
    pub fn fill(&self) -> Result {
        let (path, chunk) = (self.path("ballast"), [7; 4096]);
        let mut file = fs::File::options().create(true).append(true).open(path)?;
        while std::io::Write::write_all(&mut file, &chunk).is_ok() {}
        Ok(())
    }

    pub fn keep_free(&self, kib: usize) -> Result {
        Ok(fs::write(self.path("ballast"), vec![7; kib << 10])?)
    }

    pub fn make_room(&self) -> Result {
        Ok(fs::remove_file(self.path("ballast"))?)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.root).status();
    }
}
