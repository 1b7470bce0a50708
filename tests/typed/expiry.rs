//! Records that expire, by a clock that the tests move.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use lsmlite_rs::typed::{EncodingError, Key, ManualClock, Postcard, TtlTable};
use lsmlite_rs::{Disk, LsmDb};

use crate::common::{Repeat, Result, SplitMix64, retry, setting};
use crate::samples::Sample;

pub type Table<K, V> = TtlTable<K, V, Postcard, ManualClock>;

pub fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

const NEVER: u64 = u64::MAX;

#[test]
fn a_record_is_there_until_its_time_is_over() -> Result {
    let clock = ManualClock::new(1000);
    let table: Table<String, u32> = TtlTable::new(b"ttl/").with_clock(clock.clone());
    let dir = tempfile::tempdir()?;
    let mut db = LsmDb::open(dir.path().join("ttl.lsm"))?;
    table.insert(&mut db, "short", 1, ms(10))?;
    table.insert(&mut db, "long", 2, ms(20))?;
    table.insert(&mut db, "forever", 3, Duration::MAX)?;
    table.insert(&mut db, "over", 4, ms(0))?;
    assert_eq!(table.get(&db, "over")?, None);

    clock.advance(ms(9));
    assert_eq!(table.get(&db, "short")?, Some(1));
    assert_eq!(table.time_left(&db, "short")?, Some(ms(1)));
    clock.advance(ms(1));
    assert_eq!(table.get(&db, "short")?, None);
    assert_eq!(table.time_left(&db, "short")?, None);
    assert!(!table.renew(&mut db, "short", ms(10))?, "it has expired");
    assert!(!table.renew(&mut db, "unknown", ms(10))?);

    assert!(table.renew(&mut db, "long", ms(30))?);
    clock.advance(ms(29));
    assert_eq!(table.get(&db, "long")?, Some(2));
    clock.advance(ms(1));
    assert_eq!(table.get(&db, "long")?, None);

    clock.advance(Duration::from_secs(1 << 40));
    assert_eq!(table.get(&db, "forever")?, Some(3));
    assert_eq!(table.time_left(&db, "forever")?, Some(Duration::MAX));
    assert_eq!(table.remove_expired(&mut db, usize::MAX)?, 3);
    assert_eq!(
        db.iter().count(),
        1,
        "one record for ever, without an expiry"
    );
    Ok(())
}

#[test]
fn the_time_of_the_system_makes_records_expire() -> Result {
    const TABLE: TtlTable<u8, u8> = TtlTable::new(b"");
    let dir = tempfile::tempdir()?;
    let mut db = LsmDb::open(dir.path().join("system.lsm"))?;
    TABLE.insert(&mut db, 1, 1, Duration::from_secs(1000))?;
    TABLE.insert(&mut db, 2, 2, ms(5))?;
    std::thread::sleep(ms(10));
    let found: Vec<_> = TABLE.iter(&db).collect::<std::result::Result<_, _>>()?;
    assert_eq!(found, [(1, 1)]);
    assert_eq!(TABLE.remove_expired(&mut db, 10)?, 1);
    Ok(())
}

/// An iterator that was made while a record lived doesn't return it later.
#[test]
fn what_expires_during_an_iteration_is_passed_over() -> Result {
    let clock = ManualClock::new(0);
    let table: Table<u8, u8> = TtlTable::new(b"ttl/").with_clock(clock.clone());
    let dir = tempfile::tempdir()?;
    let mut db = LsmDb::open(dir.path().join("during.lsm"))?;
    for n in 0..6 {
        table.insert(&mut db, n, n, ms(if n % 2 == 0 { 100 } else { 10 }))?;
    }
    let mut records = table.iter(&db);
    assert_eq!(records.next().transpose()?, Some((0, 0)));
    assert_eq!(records.next_back().transpose()?, Some((5, 5)));
    clock.advance(ms(10));
    assert_eq!(records.next().transpose()?, Some((2, 2)));
    assert_eq!(records.next_back().transpose()?, Some((4, 4)));
    assert!(records.next().is_none());
    assert!(records.next_back().is_none());
    Ok(())
}

/// Whatever an expired record holds isn't looked at any more.
#[test]
fn an_expired_value_of_another_type_is_no_error() -> Result {
    let clock = ManualClock::new(0);
    let old: Table<u8, u8> = TtlTable::new(b"ttl/").with_clock(clock.clone());
    let new: Table<u8, String> = TtlTable::new(b"ttl/").with_clock(clock.clone());
    let dir = tempfile::tempdir()?;
    let mut db = LsmDb::open(dir.path().join("other.lsm"))?;
    old.insert(&mut db, 1, 200, ms(10))?;
    assert!(new.get(&db, 1).is_err());
    assert!(new.iter(&db).next().unwrap().is_err());
    clock.advance(ms(10));
    assert_eq!(new.get(&db, 1)?, None);
    assert!(new.iter(&db).next().is_none());
    assert_eq!(new.remove_expired(&mut db, 10)?, 1);
    Ok(())
}

#[test]
fn those_that_expired_first_are_removed_first() -> Result {
    let clock = ManualClock::new(0);
    let table: Table<u32, u32> = TtlTable::new(b"ttl/").with_clock(clock.clone());
    let dir = tempfile::tempdir()?;
    let mut db = LsmDb::open(dir.path().join("first.lsm"))?;
    for n in 0..1000 {
        table.insert(&mut db, n, n, ms(u64::from(1000 - n)))?;
    }
    clock.advance(ms(900));
    assert_eq!(table.remove_expired(&mut db, 0)?, 0);
    assert_eq!(table.remove_expired(&mut db, 300)?, 300);
    let stored: Vec<_> = db
        .range(b"ttl/\0".as_slice()..b"ttl/\x01".as_slice())
        .collect();
    assert_eq!(stored.len(), 700);
    assert_eq!(stored.last().unwrap().as_ref().unwrap().0, table_key(699));
    assert_eq!(table.remove_expired(&mut db, usize::MAX)?, 600);
    assert_eq!(table.remove_expired(&mut db, usize::MAX)?, 0);
    assert_eq!(table.iter(&db).count(), 100);
    Ok(())
}

fn table_key(n: u32) -> Vec<u8> {
    [b"ttl/\0".as_slice(), &n.to_be_bytes()].concat()
}

#[test]
fn a_rollback_takes_record_and_expiry_back() -> Result {
    let clock = ManualClock::new(0);
    let table: Table<u8, u8> = TtlTable::new(b"ttl/").with_clock(clock.clone());
    let dir = tempfile::tempdir()?;
    let mut db = LsmDb::open(dir.path().join("rollback.lsm"))?;
    table.insert(&mut db, 1, 1, ms(10))?;
    let before: Vec<_> = db.iter().collect::<std::result::Result<_, _>>()?;
    clock.advance(ms(5));
    db.begin_transaction()?;
    table.insert(&mut db, 1, 2, ms(100))?;
    table.insert(&mut db, 2, 2, ms(100))?;
    assert_eq!(table.get(&db, 1)?, Some(2));
    db.rollback_transaction()?;
    let after: Vec<_> = db.iter().collect::<std::result::Result<_, _>>()?;
    assert_eq!(after, before);

    clock.advance(ms(5));
    db.begin_transaction()?;
    assert_eq!(table.remove_expired(&mut db, 10)?, 1);
    db.rollback_transaction()?;
    assert_eq!(table.remove_expired(&mut db, 10)?, 1);
    Ok(())
}

/// Removal goes by the record, not only by the list of expiries.
#[test]
fn a_record_that_a_plain_handle_has_renewed_is_not_removed() -> Result {
    let clock = ManualClock::new(0);
    let table: Table<u8, u8> = TtlTable::new(b"ttl/").with_clock(clock.clone());
    let dir = tempfile::tempdir()?;
    let mut db = LsmDb::open(dir.path().join("plain.lsm"))?;
    table.insert(&mut db, 1, 42, ms(10))?;
    let mut stored = db.get(b"ttl/\0\x01")?.ok_or("no record")?;
    stored[..8].copy_from_slice(&20_u64.to_be_bytes());
    db.insert(b"ttl/\0\x01", stored)?;
    clock.advance(ms(10));
    assert_eq!(table.remove_expired(&mut db, 10)?, 0);
    assert_eq!(table.get(&db, 1)?, Some(42));
    assert_eq!(stored_expiries(&db), 0);
    Ok(())
}

/// A write that fails half way in a transaction of the caller leaves nothing of itself there.
#[test]
fn a_failed_removal_within_a_transaction_leaves_that_as_it_was() -> Result {
    let clock = ManualClock::new(0);
    let table: Table<u8, u8> = TtlTable::new(b"ttl/").with_clock(clock.clone());
    let dir = tempfile::tempdir()?;
    let mut db = LsmDb::open(dir.path().join("half.lsm"))?;
    table.insert(&mut db, 1, 1, ms(10))?;
    clock.advance(ms(10));

    let mut tx = db.transaction()?;
    tx.insert("before", "")?;
    let broken = [b"ttl/\x01".as_slice(), &10_u64.to_be_bytes(), b"two keys"].concat();
    tx.insert(&broken, "")?;
    assert!(table.remove_expired(&mut tx, 10).unwrap_err().is_corrupt());
    tx.remove(&broken)?;
    assert_eq!(table.remove_expired(&mut tx, 10)?, 1);
    tx.commit()?;
    let left: Vec<_> = db.iter().keys().collect::<std::result::Result<_, _>>()?;
    assert_eq!(left, [b"before"]);
    Ok(())
}

/// A key that can be encoded so many times.
struct Tiring(u8);

thread_local! {
    static STRENGTH: std::cell::Cell<u32> = const { std::cell::Cell::new(u32::MAX) };
}

impl Key for Tiring {
    type Ref<'a> = u8;

    fn by_ref(&self) -> u8 {
        self.0
    }

    fn encode(key: u8, out: &mut Vec<u8>) {
        let left = STRENGTH.get();
        assert!(left > 0, "tired");
        STRENGTH.set(left - 1);
        out.push(key);
    }

    fn decode(input: &mut &[u8]) -> std::result::Result<Self, EncodingError> {
        u8::decode(input).map(Tiring)
    }
}

#[test]
fn a_panic_half_way_leaves_nothing_written() -> Result {
    let clock = ManualClock::new(0);
    let table: Table<Tiring, u8> = TtlTable::new(b"ttl/").with_clock(clock.clone());
    let dir = tempfile::tempdir()?;
    let mut db = LsmDb::open(dir.path().join("panic.lsm"))?;
    table.insert(&mut db, 1, 1, ms(10))?;
    let before: Vec<_> = db.iter().collect::<std::result::Result<_, _>>()?;
    let mut panics = 0;
    for strength in 0.. {
        STRENGTH.set(strength);
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            table.insert(&mut db, 1, 2, ms(20))
        }));
        STRENGTH.set(u32::MAX);
        if result.is_ok() {
            break;
        }
        panics += 1;
        let after: Vec<_> = db.iter().collect::<std::result::Result<_, _>>()?;
        assert_eq!(after, before, "after {strength} encodings");
    }
    assert!(panics > 2, "{panics}");
    assert_eq!(table.get(&db, 1)?, Some(2));
    Ok(())
}

fn stored_expiries(db: &LsmDb) -> usize {
    db.range(b"ttl/\x01".as_slice()..b"ttl/\x02".as_slice())
        .count()
}

fn agrees_with_a_map<K: Sample + Ord>(seed: u64) -> Result {
    let _repeat = Repeat(format!("{} with seed {seed}", std::any::type_name::<K>()));
    let mut rng = SplitMix64::new(seed);
    let mut now = 1_000_000;
    let clock = ManualClock::new(now);
    let table: Table<K, u64> = TtlTable::new(b"ttl/").with_clock(clock.clone());
    let dir = tempfile::tempdir()?;
    let mut db = LsmDb::open(dir.path().join("random.lsm"))?;
    // With what has expired and wasn't removed.
    let mut map: BTreeMap<K, (u64, u64)> = BTreeMap::new();
    for step in 0..600 {
        let key = match map.keys().nth(rng.below(30) as usize) {
            Some(known) => known.clone(),
            None => K::random(&mut rng),
        };
        let ttl = if rng.one_in(10) {
            Duration::MAX
        } else {
            ms(rng.below(50))
        };
        let expiry = match ttl {
            Duration::MAX => NEVER,
            ttl => now + ttl.as_millis() as u64,
        };
        match rng.below(8) {
            0..=2 => {
                table.insert(&mut db, key.by_ref(), step, ttl)?;
                map.insert(key, (expiry, step));
            }
            3 => {
                let is_alive = map.get(&key).is_some_and(|found| found.0 > now);
                assert_eq!(table.renew(&mut db, key.by_ref(), ttl)?, is_alive);
                if is_alive {
                    map.entry(key).and_modify(|found| found.0 = expiry);
                }
            }
            4 => {
                table.remove(&mut db, key.by_ref())?;
                map.remove(&key);
            }
            5 => {
                let by = rng.below(20);
                clock.advance(ms(by));
                now += by;
            }
            6 => {
                let limit = rng.below(12) as usize;
                let mut due: Vec<_> = map
                    .iter()
                    .filter(|(_, (expiry, _))| *expiry <= now)
                    .map(|(key, (expiry, _))| (*expiry, key.clone()))
                    .collect();
                due.sort();
                due.truncate(limit);
                assert_eq!(table.remove_expired(&mut db, limit)?, due.len());
                for (_, key) in due {
                    map.remove(&key);
                }
            }
            _ => {
                let found = table.get(&db, key.by_ref())?;
                let expected = map.get(&key).filter(|found| found.0 > now);
                assert_eq!(found, expected.map(|found| found.1), "{key:?}");
            }
        }
        let alive: Vec<_> = map
            .iter()
            .filter(|(_, (expiry, _))| *expiry > now)
            .map(|(key, (_, value))| (key.clone(), *value))
            .collect();
        let found: Vec<_> = table.iter(&db).collect::<std::result::Result<_, _>>()?;
        assert_eq!(found, alive, "step {step}");
        let mut backwards = table.range(&db, key_range(&alive));
        assert_eq!(backwards.next_back().transpose()?, alive.last().cloned());

        let timed = map.values().filter(|(expiry, _)| *expiry != NEVER).count();
        assert_eq!(stored_expiries(&db), timed, "step {step}");
        assert_eq!(db.iter().count(), map.len() + timed, "step {step}");
    }
    Ok(())
}

/// From the first of these keys on.
fn key_range<K: Sample>(
    alive: &[(K, u64)],
) -> (std::ops::Bound<K::Ref<'_>>, std::ops::Bound<K::Ref<'_>>) {
    let start = alive
        .first()
        .map(|(key, _)| std::ops::Bound::Included(key.by_ref()));
    (
        start.unwrap_or(std::ops::Bound::Unbounded),
        std::ops::Bound::Unbounded,
    )
}

#[test]
fn random_histories_agree_with_a_map_and_every_expiry_is_stored_once() -> Result {
    for seed in 0..setting("LSMLITE_TTL_HISTORIES", 2) {
        agrees_with_a_map::<u8>(seed)?;
        agrees_with_a_map::<String>(seed)?;
        agrees_with_a_map::<(String, i16)>(seed)?;
    }
    Ok(())
}

/// Two handles: one renews what the other one is about to remove.
#[test]
fn a_record_that_was_just_renewed_is_not_removed() -> Result {
    let clock = ManualClock::new(0);
    let table: Table<u8, u32> = TtlTable::new(b"ttl/").with_clock(clock.clone());
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("race.lsm");
    let mut writer = LsmDb::open(&path)?;
    let mut remover = LsmDb::open(&path)?;
    let removed = AtomicUsize::new(0);
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| -> Result {
        let removing = scope.spawn(|| -> Result {
            while !is_over.load(Ordering::SeqCst) {
                let some = retry(|| table.remove_expired(&mut remover, 7))?;
                removed.fetch_add(some, Ordering::SeqCst);
            }
            Ok(())
        });
        let mut renewing = || -> Result {
            for round in 0..300 {
                // Expired, all of them; renewed from one end while they are removed from the
                // other.
                clock.advance(ms(10));
                let (start, before) = (Instant::now(), removed.load(Ordering::SeqCst));
                while round > 0 && removed.load(Ordering::SeqCst) == before {
                    if removing.is_finished() || start.elapsed() > Duration::from_secs(60) {
                        return Err("nothing is removed".into());
                    }
                    std::thread::yield_now();
                }
                for key in (0..50).rev() {
                    retry(|| table.insert(&mut writer, key, round, ms(10)))?;
                }
                let found: Vec<_> = table.iter(&writer).collect::<std::result::Result<_, _>>()?;
                let expected: Vec<_> = (0..50).map(|key| (key, round)).collect();
                if found != expected {
                    return Err(format!("round {round}: {found:?}").into());
                }
            }
            Ok(())
        };
        let renewed = renewing();
        is_over.store(true, Ordering::SeqCst);
        removing.join().map_err(|_| "the remover panicked")??;
        renewed
    })
}
