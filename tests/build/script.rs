//! Runs the build script in a package of its own, a copy of what it needs of ours.

use super::build_script::locate;
use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

pub type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

/// Set for the child process that is the build script.
pub const CHILD: &str = "LSMLITE_TEST_IS_BUILD_SCRIPT";

pub struct Package {
    home: TempDir,
    variables: Vec<(String, PathBuf)>,
}

pub struct Outcome {
    pub succeeded: bool,
    pub message: String,
}

impl Package {
    /// A package with our patches and additions, and the text of lsm1 named by LSM1_SOURCE.
    pub fn new() -> Result<Self> {
        let home = tempfile::tempdir()?;
        let patches = home.path().join("src/lsm1/patches");
        fs::create_dir_all(&patches)?;
        fs::create_dir(home.path().join("out"))?;
        for entry in fs::read_dir(ours().join("src/lsm1/patches"))? {
            let path = entry?.path();
            fs::copy(&path, patches.join(path.file_name().unwrap_or_default()))?;
        }
        for entry in fs::read_dir(ours().join("src/lsm1"))? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default();
            // lsm1.c itself is a published package's; the text here is the carrier's.
            if path.extension().is_some_and(|e| e == "c" || e == "h") && name != "lsm1.c" {
                fs::copy(&path, home.path().join("src/lsm1").join(name))?;
            }
        }
        let text = home.path().join("carrier.c");
        fs::write(&text, carrier_text()?)?;
        let package = Self {
            home,
            variables: Vec::new(),
        };
        Ok(package
            .with("LSM1_SOURCE", text)
            .with("LSM1_OPT_LEVEL", "0"))
    }

    pub fn with(mut self, name: &str, value: impl Into<PathBuf>) -> Self {
        self.variables.push((name.to_owned(), value.into()));
        self
    }

    /// A file or folder in this package.
    pub fn path(&self, inner: &str) -> PathBuf {
        self.home.path().join(inner)
    }

    pub fn build(&self) -> Result<Outcome> {
        let target = host()?;
        let mut child = Command::new(env::current_exe()?);
        child
            .args(["--exact", "child", "--nocapture"])
            .env(CHILD, "1")
            .env("CARGO_MANIFEST_DIR", self.home.path())
            .env("OUT_DIR", self.path("out"))
            .env("TARGET", &target)
            .env("HOST", &target)
            .env("OPT_LEVEL", "0");
        for inherited in ["LSM1_LEAVE_OUT", "CC", "CFLAGS", "AR"] {
            child.env_remove(inherited);
        }
        if cfg!(unix) {
            child.env("CARGO_CFG_UNIX", "");
        }
        if target.contains("-apple-") {
            child.env("CARGO_CFG_TARGET_VENDOR", "apple");
        }
        child.envs(self.variables.iter().map(|(name, value)| (name, value)));
        let output = child.output()?;
        Ok(Outcome {
            succeeded: output.status.success(),
            message: String::from_utf8(output.stderr)?,
        })
    }

    /// The message of a build that must fail, with none of Rust's own words in it.
    pub fn complaint(&self) -> Result<String> {
        let outcome = self.build()?;
        assert!(!outcome.succeeded, "the build succeeded");
        assert!(!outcome.message.contains("panicked"), "{}", outcome.message);
        Ok(outcome.message)
    }
}

/// The package that is being tested.
pub fn ours() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The text as the build of this very crate found it.
pub fn carrier_text() -> Result<String> {
    Ok(source()?.text)
}

pub fn source() -> Result<locate::Source> {
    Ok(locate::source(ours(), ours())?)
}

/// The target triple of this machine, as the compiler tells it.
pub fn host() -> Result<String> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("-vV").output()?;
    let said = String::from_utf8(output.stdout)?;
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.ok_or("rustc doesn't tell its host")?.to_owned())
}
