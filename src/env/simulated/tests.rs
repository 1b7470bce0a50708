//! The disk compared with a model, and each of its faults by itself.

use std::collections::BTreeSet;
use std::io::{ErrorKind, Result};
use std::mem::MaybeUninit;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::content::SECTOR;
use super::random::Random;
use super::{Call, Failure};
use crate::env::system::{Access, Bytes, Lock, System, SystemFile};
use crate::env::{Env, FaultEnv, MemoryEnv};

fn system_of(env: impl Into<Env>) -> Arc<dyn System> {
    Arc::clone(&env.into().0.system)
}

fn file(system: &dyn System, path: &str) -> Result<Box<dyn SystemFile>> {
    let path = Path::new(path);
    match system.open(path, Access::CreateNew) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            system.open(path, Access::ReadWrite)
        }
        result => result,
    }
}

/// A file whose name is durable.
fn settled(system: &dyn System, path: &str) -> Result<Box<dyn SystemFile>> {
    let file = file(system, path)?;
    system.sync_directory(Path::new("/"))?;
    Ok(file)
}

fn read(file: &dyn SystemFile, len: usize) -> Result<Vec<u8>> {
    let mut buffer = vec![MaybeUninit::new(0xee); len];
    let n = file.read_at(&mut buffer, 0)?;
    // SAFETY: every byte was initialised before the call.
    Ok(buffer[..n]
        .iter()
        .map(|byte| unsafe { byte.assume_init() })
        .collect())
}

fn some_bytes(random: &mut Random) -> Vec<u8> {
    let byte = random.next().to_le_bytes()[0] | 1;
    vec![byte; 1 + random.index(3 * SECTOR)]
}

/// The sector with zeros behind the end of the file.
fn sector(content: &[u8], sector: usize) -> [u8; SECTOR] {
    let mut bytes = [0; SECTOR];
    let from = content.get(sector * SECTOR..).unwrap_or_default();
    let n = from.len().min(SECTOR);
    bytes[..n].copy_from_slice(&from[..n]);
    bytes
}

#[test]
fn synced_sectors_survive_and_others_are_one_of_their_versions() -> Result<()> {
    let (mut older, mut lost, mut shorter, mut crashes) = (0, 0, 0, 0);
    for seed in 0..60 {
        let env = FaultEnv::new(seed);
        let system = system_of(&env);
        let mut random = Random::new(!seed);
        // Everything that the file has been since the last sync.
        let mut versions = vec![Vec::new()];
        let mut open = settled(&*system, "a")?;
        const MAPPED: usize = 4 * SECTOR;
        for _ in 0..200 {
            let mut now = versions.last().cloned().unwrap_or_default();
            match random.below(20) {
                0..=8 => {
                    let bytes = some_bytes(&mut random);
                    let offset = random.index(10 * SECTOR);
                    assert_eq!(open.write_at(&bytes, offset as u64)?, bytes.len());
                    let end = offset + bytes.len();
                    now.resize(now.len().max(end), 0);
                    now[offset..end].copy_from_slice(&bytes);
                }
                9 | 10 => {
                    let length = random.index(14 * SECTOR);
                    open.truncate(length as u64)?;
                    now.resize(length, 0);
                }
                11..=14 if now.len() >= MAPPED => {
                    let bytes = some_bytes(&mut random);
                    let offset = random.index(MAPPED - bytes.len());
                    let part = Bytes {
                        offset: 0,
                        length: MAPPED as u64,
                    };
                    // SAFETY: the file is as long as the mapping until it ends, all bytes
                    // lie in it, and no reference to it is made.
                    unsafe {
                        let at = open.map(part, true)?;
                        let to = at.as_ptr().add(offset);
                        std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len());
                        open.unmap(at, MAPPED);
                    }
                    now[offset..offset + bytes.len()].copy_from_slice(&bytes);
                }
                15..=17 => {
                    open.sync()?;
                    versions.clear();
                }
                18 => {
                    crashes += 1;
                    let loss = env.restart();
                    older += loss.sectors_of_before;
                    lost += loss.sectors_lost;
                    shorter += loss.lengths_lost;
                    assert!(open.sync().is_err(), "it was opened before");
                    open = file(&*system, "a")?;
                    let found = read(&*open, 100 * SECTOR)?;
                    assert!(versions.iter().any(|old| old.len() == found.len()));
                    for i in 0..found.len().div_ceil(SECTOR) {
                        let known = versions.iter().any(|old| {
                            sector(&old[..old.len().min(found.len())], i) == sector(&found, i)
                        });
                        assert!(known, "seed {seed}: sector {i}");
                    }
                    versions.clear();
                    now = found;
                }
                _ => continue,
            }
            assert!(read(&*open, 100 * SECTOR)? == now, "seed {seed}");
            versions.push(now);
        }
    }
    assert!(
        crashes > 100 && older > 100 && lost > 100 && shorter > 10,
        "{crashes} {older} {lost} {shorter}"
    );
    Ok(())
}

#[test]
fn a_torn_sector_has_two_parts_that_it_once_had() -> Result<()> {
    let mut torn = 0;
    for seed in 0..50 {
        let env = FaultEnv::new(seed);
        env.tear_sectors(true);
        let system = system_of(&env);
        let open = settled(&*system, "a")?;
        open.write_at(&[1; 8 * SECTOR], 0)?;
        open.sync()?;
        open.write_at(&[2; 8 * SECTOR], 0)?;
        open.write_at(&[3; 8 * SECTOR], 0)?;
        torn += env.restart().sectors_torn;
        let bytes = env.read_file("a")?;
        for part in bytes.chunks(SECTOR) {
            let changes = part.windows(2).filter(|pair| pair[0] != pair[1]).count();
            assert!(changes <= 1 && part.iter().all(|byte| (1..=3).contains(byte)));
        }
    }
    assert!(torn > 20, "{torn}");
    Ok(())
}

#[test]
fn names_last_once_the_directory_is_synced() -> Result<()> {
    let mut outcomes = BTreeSet::new();
    for seed in 0..100 {
        let env = FaultEnv::new(seed);
        let system = system_of(&env);
        for (path, content) in [("/d/kept", 1), ("/d/removed", 2), ("/d/renamed", 3)] {
            let file = file(&*system, path)?;
            file.write_at(&[content], 0)?;
            file.sync()?;
        }
        system.sync_directory(Path::new("/d"))?;
        system.remove(Path::new("/d/removed"))?;
        system.rename(Path::new("/d/renamed"), Path::new("/d/target"))?;
        file(&*system, "/d/new")?.sync()?;
        file(&*system, "/other/new")?.sync()?;
        system.sync_directory(Path::new("/other"))?;
        env.restart();

        assert_eq!(env.read_file("/d/kept")?, [1]);
        assert_eq!(env.read_file("/other/new")?, b"");
        let from = env.read_file("/d/renamed").ok();
        let to = env.read_file("/d/target").ok();
        assert!(from.is_some() != to.is_some());
        assert_eq!(from.or(to), Some(vec![3]));
        outcomes.insert(env.files());
    }
    assert!(outcomes.len() > 6, "{outcomes:?}");
    Ok(())
}

#[test]
fn a_file_made_anew_under_an_old_name_is_there_whole_or_not_at_all() -> Result<()> {
    let mut seen = BTreeSet::new();
    for seed in 0..100 {
        let env = FaultEnv::new(seed);
        env.write_file("a", b"old")?;
        let system = system_of(&env);
        system.remove(Path::new("a"))?;
        let new = file(&*system, "a")?;
        new.write_at(b"new file", 0)?;
        new.sync()?;
        env.restart();
        seen.insert(env.read_file("a").ok());
    }
    let expected = [None, Some(b"old".to_vec()), Some(b"new file".to_vec())];
    assert_eq!(seen, BTreeSet::from(expected));
    Ok(())
}

#[test]
fn what_a_failed_sync_lost_stays_lost() -> Result<()> {
    let mut lost = 0;
    for seed in 0..50 {
        let env = FaultEnv::new(seed);
        let system = system_of(&env);
        let open = settled(&*system, "a")?;
        open.write_at(&[1; 4 * SECTOR], 0)?;
        open.sync()?;
        open.write_at(&[2; 4 * SECTOR], 0)?;
        env.fail_at(Call::Sync, 1, Failure::Io);
        assert_eq!(open.sync().unwrap_err().raw_os_error(), Some(libc::EIO));
        assert_eq!(read(&*open, 4 * SECTOR)?, [2; 4 * SECTOR]);
        // It claims success, and only what is written from now on becomes durable.
        open.sync()?;
        open.write_at(&[3; SECTOR], 0)?;
        open.sync()?;
        env.restart();
        let found = env.read_file("a")?;
        assert_eq!(found[..SECTOR], [3; SECTOR]);
        assert!(found[SECTOR..].iter().all(|&byte| byte == 1 || byte == 2));
        lost += u32::from(found.contains(&1));
    }
    assert!((1..50).contains(&lost), "{lost}");
    Ok(())
}

#[test]
fn without_power_everything_fails_until_the_restart() -> Result<()> {
    let env = FaultEnv::new(1);
    let system = system_of(&env);
    let other = system_of(env.process());
    let open = settled(&*system, "a")?;
    open.write_at(&[7; 5000], 0)?;
    open.sync()?;
    let whole = Bytes {
        offset: 0,
        length: 5000,
    };
    // SAFETY: the file keeps its length and no reference to the mapping is made.
    let at = unsafe { open.map(whole, true)? };
    env.lose_power_at(Call::Any, 2);
    read(&*open, 1)?;
    let error = read(&*open, 1).unwrap_err();
    assert_eq!(error.to_string(), "the power is off");
    assert!(!env.has_power());
    assert!(other.list(Path::new("/")).is_err());
    assert!(other.open(Path::new("a"), Access::Read).is_err());
    env.restart();
    assert!(read(&*open, 1).is_err(), "it was opened before");
    assert_eq!(read(&*file(&*other, "a")?, 9000)?, [7; 5000]);
    // SAFETY: the mapping wasn't ended; writing to it reaches no file any more.
    unsafe {
        assert_eq!(at.as_ptr().read(), 7);
        at.as_ptr().write(8);
        open.unmap(at, 5000);
    }
    assert_eq!(env.read_file("a")?, [7; 5000]);
    Ok(())
}

#[test]
fn the_same_seed_loses_the_same() -> Result<()> {
    let run = |seed| -> Result<_> {
        let env = FaultEnv::new(seed);
        let system = system_of(&env);
        let open = file(&*system, "a")?;
        let mut random = Random::new(5);
        env.fail_one_in(Call::Write, 4, Failure::Short);
        env.lose_power_within(Call::Write, 100);
        let failed = (0..100).any(|_| {
            let bytes = some_bytes(&mut random);
            open.write_at(&bytes, random.below(20_000)).is_err()
        });
        assert!(failed);
        let loss = env.restart();
        Ok((loss, env.read_file("a").ok()))
    };
    for seed in 0..20 {
        assert_eq!(run(seed)?, run(seed)?);
    }
    assert!((1..20).any(|seed| run(seed).ok() != run(0).ok()));
    Ok(())
}

#[test]
fn a_full_disk_has_room_again_after_truncating_and_removing() -> Result<()> {
    let env = FaultEnv::new(1);
    let system = system_of(&env);
    env.set_capacity_bytes(1000);
    let a = file(&*system, "a")?;
    let b = file(&*system, "b")?;
    assert_eq!(a.write_at(&[1; 600], 0)?, 600);
    assert_eq!(b.write_at(&[2; 600], 0)?, 400);
    let error = b.write_at(&[2; 200], 400).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ENOSPC));
    let more = Bytes {
        offset: 0,
        length: 500,
    };
    assert!(b.allocate(more).is_err());
    assert_eq!(a.write_at(&[3; 600], 0)?, 600, "no more than before");
    a.truncate(500)?;
    b.allocate(more)?;
    assert_eq!(env.used_bytes(), 1000);
    system.remove(Path::new("a"))?;
    assert_eq!(b.write_at(&[2; 1000], 0)?, 1000);
    Ok(())
}

#[test]
fn failures_come_when_they_are_planned() -> Result<()> {
    let env = FaultEnv::new(3);
    let system = system_of(&env);
    let open = file(&*system, "a")?;
    let code = |result: Result<usize>| result.err().and_then(|error| error.raw_os_error());
    env.fail_at(Call::Write, 2, Failure::NoSpace);
    env.fail_from(Call::Write, 4, Failure::Interrupted);
    let write = || code(open.write_at(&[1; 100], 0));
    assert_eq!(write(), None);
    assert_eq!(write(), Some(libc::ENOSPC));
    assert_eq!(write(), None);
    assert_eq!(write(), Some(libc::EINTR));
    assert_eq!(write(), Some(libc::EINTR));
    env.heal();
    assert_eq!(write(), None);
    assert_eq!(env.calls(Call::Write), 6);

    env.fail_from(Call::Write, 1, Failure::Short);
    for _ in 0..50 {
        assert!((1..=100).contains(&open.write_at(&[1; 100], 0)?));
    }
    env.fail_at(Call::Lock, 1, Failure::Refused);
    let byte = Bytes {
        offset: 0,
        length: 1,
    };
    assert!(!open.lock(byte, Lock::Exclusive)?);
    assert!(open.lock(byte, Lock::Exclusive)?);
    let calls = env.calls(Call::Any);
    env.fail_at(Call::Memory, 2, Failure::NoMemory);
    assert!(system.may_allocate(1) && !system.may_allocate(1) && system.may_allocate(1));
    assert_eq!(env.calls(Call::Any), calls);
    Ok(())
}

#[test]
fn locks_belong_to_open_files_and_end_with_them() -> Result<()> {
    let env = FaultEnv::new(3);
    let system = system_of(&env);
    let (a, b) = (file(&*system, "a")?, file(&*system, "a")?);
    let byte = Bytes {
        offset: 100,
        length: 1,
    };
    assert!(a.lock(byte, Lock::Exclusive)?);
    assert!(!b.lock(byte, Lock::Shared)? && b.is_locked(byte, Lock::Shared)?);
    assert!(!a.is_locked(byte, Lock::Exclusive)?);
    assert_eq!(
        system.lock_holder(Path::new("a"), byte, Lock::Shared),
        Some(1)
    );
    drop(a);
    assert!(b.lock(byte, Lock::Shared)?);
    Ok(())
}

#[test]
fn all_mappings_of_a_file_are_one() -> Result<()> {
    let env = MemoryEnv::new();
    let system: Arc<dyn System> = system_of(&env);
    let (a, b) = (file(&*system, "a")?, file(&*system, "a")?);
    let length = 3 << 20;
    a.truncate(length)?;
    let whole = Bytes { offset: 0, length };
    // SAFETY: the file isn't cut short before the mappings end, no reference to them is made,
    // and only this thread uses them.
    unsafe {
        let (at_a, at_b) = (a.map(whole, true)?, b.map(whole, false)?);
        at_a.as_ptr().add(2 << 20).write(9);
        assert_eq!(at_b.as_ptr().add(2 << 20).read(), 9);
        a.write_at(&[4; 100], 5)?;
        assert_eq!(at_b.as_ptr().add(104).read(), 4);
        // It grows without moving.
        a.write_at(&[5], 40 << 20)?;
        assert_eq!(at_b.as_ptr().add(2 << 20).read(), 9);
        a.unmap(at_a, length as usize);
        b.unmap(at_b, length as usize);
    }
    assert_eq!(b.status()?.length, (40 << 20) + 1);
    // What is cut off is gone when the file grows again.
    a.truncate(5)?;
    a.truncate(length)?;
    assert!(env.read_file("a")?.iter().all(|&byte| byte == 0));
    assert_eq!(env.files(), [Path::new("/a")]);
    Ok(())
}

#[test]
fn paths_are_names_only() -> Result<()> {
    let env = MemoryEnv::new();
    let system = system_of(&env);
    file(&*system, "some/where/a.lsm")?;
    assert_eq!(
        system.resolve(Path::new("some/./other/../where/a.lsm"))?,
        Path::new("/some/where/a.lsm")
    );
    assert!(system.status(Path::new("/some/where/a.lsm"))?.is_file);
    assert!(!system.status(Path::new("/some"))?.is_file);
    assert_eq!(system.list(Path::new("/"))?, [Path::new("/some")]);
    let missing = system.status(Path::new("/nowhere")).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    assert!(system.open(Path::new("b"), Access::ReadWrite).is_err());
    assert!(system.resolve(Path::new("/")).is_err());
    Ok(())
}

#[test]
fn a_slow_disk_takes_its_time() -> Result<()> {
    let env = FaultEnv::new(1);
    let system = system_of(&env);
    let open = file(&*system, "a")?;
    env.set_delay(Call::Sync, Duration::from_millis(20));
    let start = Instant::now();
    open.write_at(&[1], 0)?;
    open.sync()?;
    open.sync()?;
    assert!(start.elapsed() >= Duration::from_millis(40));
    Ok(())
}
