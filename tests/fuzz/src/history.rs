//! The bytes are a history of operations on a sound database, whose contents must be those of
//! an ordered map after each.

use std::collections::BTreeMap;

use arbitrary::{Arbitrary, Unstructured};
use lsmlite_rs::compression::Compression;
use lsmlite_rs::{Disk, LsmDb, LsmDbBuilder};

use crate::small;

#[derive(Arbitrary, Debug)]
enum Operation {
    Insert { key: u8, length: u16 },
    Remove(u8),
    RemoveRange(u8, u8),
    Begin,
    Commit,
    Rollback,
    Flush,
    Work(u8),
    Checkpoint,
    Compact,
    Scan,
    Reopen,
}

#[derive(Arbitrary, Debug)]
struct Setting {
    large_pages: bool,
    compressed: bool,
    autowork: bool,
    late_flush: bool,
    more_segments: bool,
}

impl Setting {
    fn builder(&self) -> LsmDbBuilder {
        small()
            .page_size_bytes(if self.large_pages { 4096 } else { 256 })
            .compression(match self.compressed {
                true => Compression::LZ4,
                false => Compression::None,
            })
            .autowork(self.autowork)
            .autoflush_kib(if self.late_flush { 64 } else { 1 })
            .automerge_segments(if self.more_segments { 8 } else { 2 })
    }
}

type Model = BTreeMap<Vec<u8>, Vec<u8>>;

/// Key 0 is the empty one; some are long.
fn key(number: u8) -> Vec<u8> {
    let repeat = if number % 16 == 15 {
        300
    } else {
        usize::from(number > 0)
    };
    number.to_be_bytes().repeat(repeat)
}

/// Runs the history. Bytes that don't make one are ignored.
pub fn run(bytes: &[u8]) {
    let mut bytes = Unstructured::new(bytes);
    let Ok(setting) = Setting::arbitrary(&mut bytes) else {
        return;
    };
    let operations: Vec<_> = match bytes.arbitrary_iter::<Operation>() {
        Ok(all) => all.map_while(Result::ok).take(2_000).collect(),
        Err(_) => return,
    };
    replay(&setting, &operations).expect("no operation on a sound database fails");
}

fn replay(setting: &Setting, operations: &[Operation]) -> Result<(), Box<dyn std::error::Error>> {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("fuzz.lsm");
    let mut db = setting.builder().open(&path)?;
    let mut model = Model::new();
    // The contents before the open transaction.
    let mut before: Option<Model> = None;
    for (number, operation) in operations.iter().enumerate() {
        match *operation {
            Operation::Insert { key: k, length } => {
                let value = vec![number as u8; usize::from(length % 3_000)];
                db.insert(key(k), &value)?;
                model.insert(key(k), value);
            }
            Operation::Remove(k) => {
                db.remove(key(k))?;
                model.remove(&key(k));
            }
            Operation::RemoveRange(from, to) => {
                let (from, to) = (key(from), key(to));
                db.delete_range(&from, &to)?;
                // Both bounds survive.
                model.retain(|key, _| *key <= from || *key >= to);
            }
            Operation::Begin if before.is_none() => {
                db.begin_transaction()?;
                before = Some(model.clone());
            }
            Operation::Commit if before.is_some() => {
                db.commit_transaction()?;
                before = None;
            }
            Operation::Rollback => {
                if let Some(before) = before.take() {
                    db.rollback_transaction()?;
                    model = before;
                }
            }
            Operation::Scan => compare(&db, &model, number)?,
            // The rest is for times without a transaction.
            _ if before.is_some() => {}
            Operation::Flush => db.flush()?,
            Operation::Work(kib) => drop(db.work(u32::from(kib))?),
            Operation::Checkpoint => drop(db.checkpoint()?),
            Operation::Compact => db.compact()?,
            Operation::Reopen => {
                db.close()?;
                db = setting.builder().open(&path)?;
            }
            Operation::Begin | Operation::Commit => {}
        }
    }
    if before.is_some() {
        db.commit_transaction()?;
    }
    compare(&db, &model, operations.len())?;
    db.close()?;
    compare(&setting.builder().open(&path)?, &model, operations.len())
}

fn compare(db: &LsmDb, model: &Model, number: usize) -> Result<(), Box<dyn std::error::Error>> {
    let forwards: Vec<_> = db.iter().collect::<Result<_, _>>()?;
    let mut backwards: Vec<_> = db.iter().rev().collect::<Result<_, _>>()?;
    backwards.reverse();
    let expected: Vec<_> = model.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
    assert!(forwards == expected, "forwards, after operation {number}");
    assert!(backwards == expected, "backwards, after operation {number}");
    for k in (0..=u8::MAX).step_by(7) {
        assert!(
            db.get(key(k))?.as_ref() == model.get(&key(k)),
            "get, after operation {number}"
        );
    }
    Ok(())
}
