//! Tearing down a connection that failed, without writing anything.

use std::fs;
use std::path::{Path, PathBuf};

use crate::faults::small;
use crate::harness::{Config, Db, Kind, Rc, calls};

fn log_of(path: &Path) -> PathBuf {
    PathBuf::from(format!("{}-log", path.display()))
}

#[test]
fn abandoning_writes_cuts_and_deletes_nothing() -> Rc {
    for multi_process in [false, true] {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("db");
        let config = Config {
            multi_process,
            ..small()
        };
        let db = Db::open(&path, &config)?;
        for i in 0..300 {
            db.insert(format!("{i:04}").as_bytes(), &[b'v'; 200])?;
        }
        db.begin(2)?;
        db.insert(b"open", b"transaction")?;
        let before = (fs::read(&path).ok(), fs::read(log_of(&path)).ok());
        let written = [Kind::Write, Kind::Sync, Kind::Truncate].map(calls);
        db.abandon();
        assert_eq!(
            written,
            [Kind::Write, Kind::Sync, Kind::Truncate].map(calls)
        );
        assert!(before == (fs::read(&path).ok(), fs::read(log_of(&path)).ok()));

        let db = Db::open(&path, &config)?;
        assert_eq!(db.scan()?.len(), 300);
        db.close()?;
    }
    Ok(())
}
