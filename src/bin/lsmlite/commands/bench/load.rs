//! The loads.

use std::fs::{self, File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use clap::ValueEnum;
use indicatif::ProgressBar;
use lsmlite_rs::{Durability, LsmDb, LsmDbBuilder, LsmError, Reader, WriteBatch, Writer};

use super::Bench;
use super::measure::{Done, Limits, Usage, Work, drive};
use super::report::Measured;
use crate::context::Context;
use crate::database::{explain, refuse_existing};
use crate::exit::Failure;

/// Bytes of a key: 16 hexadecimal digits.
pub const KEY_BYTES: u64 = 16;
/// Records of one scan.
pub const SCAN_RECORDS: u64 = 100;
/// Bytes of the file that is overwritten without a database, and of each write to it.
const DISK_FILE_BYTES: usize = 1 << 20;
const DISK_WRITE_BYTES: usize = 128;
/// Keys from this number on are nowhere.
const MISSING: u64 = 1 << 63;

/// What is measured, in this order.
#[derive(Copy, Clone, Debug, PartialEq, Eq, ValueEnum)]
pub enum Load {
    Fill,
    FillRandom,
    Read,
    Missing,
    Scan,
    Mixed,
    Commit,
    Disk,
}

/// Where the loads work, and how.
pub struct Bed {
    folder: PathBuf,
    file: PathBuf,
    builder: LsmDbBuilder,
    records: u64,
    value_bytes: usize,
    time: Duration,
    threads: u16,
    /// Records in the database that was filled at random; 0: not yet.
    present: AtomicU64,
}

impl Bed {
    pub fn new(folder: &Path, file: &Path, builder: LsmDbBuilder, options: &Bench) -> Bed {
        Bed {
            folder: folder.to_owned(),
            file: file.to_owned(),
            builder,
            records: options.records,
            value_bytes: options.value_size as usize,
            time: options.seconds.0,
            threads: options.threads,
            present: AtomicU64::new(0),
        }
    }

    /// Does it, and what it needs before.
    pub fn measure(&self, load: Load, context: &Context) -> Result<Measured, Failure> {
        let needs_records = !matches!(load, Load::Fill | Load::FillRandom | Load::Disk);
        if needs_records && self.present() == 0 {
            let bar = context.progress("filling, records", Some(self.records));
            let filled = self.fill(Load::FillRandom, Duration::MAX, &bar);
            bar.finish_and_clear();
            filled?;
        }
        let (what, total) = match load {
            Load::Fill => ("fill, records", Some(self.records)),
            Load::FillRandom => ("fill-random, records", Some(self.records)),
            Load::Read => ("read", None),
            Load::Missing => ("missing", None),
            Load::Scan => ("scan", None),
            Load::Mixed => ("mixed", None),
            Load::Commit => ("commit", None),
            Load::Disk => ("disk", None),
        };
        let bar = context.progress(what, total);
        let before = Usage::now(&self.folder);
        let done = match load {
            Load::Fill | Load::FillRandom => self.fill(load, self.time, &bar),
            Load::Read | Load::Missing | Load::Scan => self.read(load, &bar),
            Load::Mixed | Load::Commit => self.write(load, &bar),
            Load::Disk => self.disk(&bar),
        };
        bar.finish_and_clear();
        let (done, inserted) = done?;
        let usage = Usage::now(&self.folder).since(&before);
        Ok(Measured {
            load,
            done,
            usage,
            inserted_bytes: inserted.map(|n| n * (KEY_BYTES + self.value_bytes as u64)),
        })
    }

    fn present(&self) -> u64 {
        self.present.load(Ordering::Relaxed)
    }

    fn failed(&self) -> impl Fn(LsmError) -> Failure + Copy + use<'_> {
        |error| explain(error, &self.file)
    }

    fn open(&self) -> Result<LsmDb, Failure> {
        self.builder.clone().open(&self.file).map_err(self.failed())
    }

    fn limits(&self, chunk: u64) -> Limits {
        Limits {
            operations: u64::MAX,
            time: self.time,
            chunk,
        }
    }

    fn fill(&self, load: Load, time: Duration, bar: &ProgressBar) -> Result<(Done, Option<u64>), Failure> {
        // One of ours, or nobody's.
        match self.present() > 0 {
            true => remove(&self.file)?,
            false => refuse_existing(&self.file)?,
        }
        self.present.store(0, Ordering::Relaxed);
        let limits = Limits {
            operations: self.records,
            time,
            chunk: 64,
        };
        let key = |number| match load {
            Load::Fill => digits(number),
            _ => key(number),
        };
        let done = self.insert(Durability::Default, limits, bar, |number| number, key)?;
        match load {
            Load::Fill => remove(&self.file)?,
            _ => self.present.store(done.operations, Ordering::Relaxed),
        }
        let inserted = done.operations;
        Ok((done, Some(inserted)))
    }

    fn write(&self, load: Load, bar: &ProgressBar) -> Result<(Done, Option<u64>), Failure> {
        let present = self.present();
        if load == Load::Commit {
            let new = move |number| present + number;
            let done = self.insert(Durability::Sync, self.limits(1), bar, new, key)?;
            let inserted = done.operations;
            self.present.store(present + inserted, Ordering::Relaxed);
            return Ok((done, Some(inserted)));
        }
        let db = self.open()?;
        let readers = self.readers(&db)?;
        let inserted = AtomicU64::new(0);
        let writer = db.into_writer();
        let workers = readers.into_iter().map(|reader| {
            let (writer, inserted) = (writer.clone(), &inserted);
            let mut value = Value::new(self.value_bytes);
            Box::new(move |number| {
                let key = key(mix(number) % present);
                let done = match number % 2 {
                    0 => reader.get_with(key, |_| ()).map(drop),
                    _ => {
                        inserted.fetch_add(1, Ordering::Relaxed);
                        writer.insert(key, value.next(number))
                    }
                };
                done.map_err(self.failed())
            }) as Work<'_>
        });
        let done = drive(self.limits(16), workers.collect(), bar)?;
        writer.close().map_err(self.failed())?;
        Ok((done, Some(inserted.into_inner())))
    }

    /// Inserts a record per operation: by the handle itself, or through a writer that is shared.
    fn insert(
        &self,
        durability: Durability,
        limits: Limits,
        bar: &ProgressBar,
        number_of: impl Fn(u64) -> u64 + Copy + Send + Sync,
        key: impl Fn(u64) -> Key + Copy + Send + Sync,
    ) -> Result<Done, Failure> {
        let mut db = self.open()?;
        if self.threads == 1 {
            let mut value = Value::new(self.value_bytes);
            let mut batch = WriteBatch::new();
            let handle = &mut db;
            let work: Work<'_> = Box::new(|number| {
                let number = number_of(number);
                let done = match durability {
                    Durability::Default => handle.insert(key(number), value.next(number)),
                    _ => {
                        batch.clear();
                        batch.insert(key(number), value.next(number));
                        handle.write_with(&batch, durability)
                    }
                };
                done.map_err(self.failed())
            });
            let done = drive(limits, vec![work], bar)?;
            db.close().map_err(self.failed())?;
            return Ok(done);
        }
        let writer: Writer = db.into_writer().with_durability(durability);
        let workers = (0..self.threads).map(|_| {
            let writer = writer.clone();
            let mut value = Value::new(self.value_bytes);
            Box::new(move |number| {
                let number = number_of(number);
                writer.insert(key(number), value.next(number)).map_err(self.failed())
            }) as Work<'_>
        });
        let done = drive(limits, workers.collect(), bar)?;
        writer.close().map_err(self.failed())?;
        Ok(done)
    }

    fn read(&self, load: Load, bar: &ProgressBar) -> Result<(Done, Option<u64>), Failure> {
        let db = self.open()?;
        let present = self.present();
        let workers = self.readers(&db)?.into_iter().map(|reader| {
            Box::new(move |number| {
                let place = mix(number) % present;
                let done = match load {
                    Load::Scan => scan(&reader, key(place)),
                    Load::Missing => reader.contains_key(key(MISSING + place)).map(drop),
                    _ => reader.get_with(key(place), |_| ()).map(drop),
                };
                done.map_err(self.failed())
            }) as Work<'_>
        });
        let chunk = if load == Load::Scan { 1 } else { 16 };
        let done = drive(self.limits(chunk), workers.collect(), bar)?;
        db.close().map_err(self.failed())?;
        Ok((done, None))
    }

    fn readers(&self, db: &LsmDb) -> Result<Vec<Reader>, Failure> {
        let readers = (0..self.threads).map(|_| db.reader().map_err(self.failed()));
        readers.collect()
    }

    /// What the disk does by itself: each thread overwrites a file of its own.
    fn disk(&self, bar: &ProgressBar) -> Result<(Done, Option<u64>), Failure> {
        let files = (0..self.threads).map(|thread| {
            let mut name = self.file.clone().into_os_string();
            name.push(format!("-disk-{thread}"));
            PathBuf::from(name)
        });
        let files: Vec<_> = files.collect();
        let workers = files.iter().map(|path| {
            let failed = move |error| Failure::io("write to", path, &error);
            let mut file = disk_file(path).map_err(failed)?;
            Ok(Box::new(move |number: u64| {
                let place = number as usize * DISK_WRITE_BYTES % DISK_FILE_BYTES;
                let bytes = [number as u8; DISK_WRITE_BYTES];
                file.seek(SeekFrom::Start(place as u64))
                    .and_then(|_| file.write_all(&bytes))
                    .and_then(|()| file.sync_data())
                    .map_err(failed)
            }) as Work<'_>)
        });
        let workers = workers.collect::<Result<Vec<_>, Failure>>()?;
        let done = drive(self.limits(1), workers, bar)?;
        for path in &files {
            remove(path)?;
        }
        Ok((done, None))
    }
}

fn scan(reader: &Reader, from: Key) -> Result<(), LsmError> {
    let mut records = reader.range(&from[..]..);
    for _ in 0..SCAN_RECORDS {
        if records.next_ref()?.is_none() {
            break;
        }
    }
    Ok(())
}

fn disk_file(path: &Path) -> std::io::Result<File> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(&vec![0; DISK_FILE_BYTES])?;
    file.sync_all()?;
    Ok(file)
}

fn remove(path: &Path) -> Result<(), Failure> {
    fs::remove_file(path).map_err(|error| Failure::io("remove", path, &error))
}

type Key = [u8; KEY_BYTES as usize];

/// Keys that ascend with the number.
fn digits(number: u64) -> Key {
    std::array::from_fn(|place| {
        let digit = (number >> (60 - 4 * place)) & 15;
        b"0123456789abcdef"[digit as usize]
    })
}

/// Keys in an order that looks random; none comes twice.
fn key(number: u64) -> Key {
    digits(mix(number))
}

/// A bijection of 64-bit numbers: the finaliser of SplitMix64.
fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Values: the first half random, the second one the same letter throughout.
struct Value(Vec<u8>);

impl Value {
    fn new(bytes: usize) -> Value {
        Value(vec![b'v'; bytes])
    }

    fn next(&mut self, number: u64) -> &[u8] {
        let half = self.0.len().div_ceil(2);
        for (place, word) in (0..).zip(self.0[..half].chunks_mut(8)) {
            let random = mix(number ^ (place << 40)).to_le_bytes();
            word.copy_from_slice(&random[..word.len()]);
        }
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_ascend_or_are_all_different() {
        assert_eq!(&digits(0xfeed), b"000000000000feed");
        let mut keys: Vec<_> = (0..1000).chain(MISSING..MISSING + 1000).map(key).collect();
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), 2000);
    }

    #[test]
    fn half_of_a_value_is_random() {
        let mut value = Value::new(21);
        let first = value.next(1).to_vec();
        let second = value.next(2).to_vec();
        assert_ne!(first[..11], second[..11]);
        assert_eq!(first[11..], [b'v'; 10]);
        assert_eq!(Value::new(0).next(1), b"");
    }
}
