//! Typed access to named tables.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use lsmlite_rs::typed::{EncodingError, Key, ManualClock, TtlTable, TypedTable};
use lsmlite_rs::{LsmDb, WriteBatch};

use crate::common::{Repeat, Result, SplitMix64};

/// Everything that is in the named table.
const WORDS: TypedTable<String, u32> = TypedTable::new(b"");
/// A part of a named table.
const TOTALS: TypedTable<u8, i64> = TypedTable::new(b"totals/");

#[test]
fn typed_records_of_named_tables_are_written_and_read_in_transactions() -> Result {
    let dir = tempfile::tempdir()?;
    let mut db = LsmDb::open(dir.path().join("named.lsm"))?;
    WORDS.insert(&mut db, "plain", 1)?;

    let mut tx = db.transaction()?;
    for word in ["to", "be", "or", "not", "to", "be"] {
        let count = |old: Option<u32>| Some(old.unwrap_or(0) + 1);
        WORDS.update_with(&mut tx.table("words")?, word, count)?;
    }
    let mut sums = tx.table("sums")?;
    TOTALS.insert(&mut sums, 7, -6)?;
    TOTALS.insert(&mut sums, 8, 8)?;
    TOTALS.remove(&mut sums, 8)?;
    assert_eq!(TOTALS.get(&sums, 7)?, Some(-6));
    assert_eq!(WORDS.iter(&tx.read_table("words")?).count(), 4);
    assert_eq!(WORDS.get(&tx.read_table("words")?, "be")?, Some(2));
    tx.commit()?;

    assert_eq!(db.tables()?, ["sums", "words"]);
    assert_eq!(WORDS.first(&db.table("words")?)?, Some(("be".into(), 2)));
    let raw = db.read_table("sums")?.first()?.ok_or("nothing")?;
    assert_eq!(raw.0, TOTALS.raw_key(7), "keys are those of the table");
    // The spaces don't mix.
    assert_eq!(
        WORDS.iter(&db).keys().next().transpose()?,
        Some("plain".into())
    );
    WORDS.remove_range(&mut db.table("words")?, "c"..)?;
    let words = db.read_table("words")?;
    let left = WORDS.iter(&words).keys();
    assert_eq!(left.collect::<std::result::Result<Vec<_>, _>>()?, ["be"]);
    assert_eq!(TOTALS.first(&db.read_table("sums")?)?, Some((7, -6)));
    assert_eq!(WORDS.get(&db, "plain")?, Some(1));
    Ok(())
}

#[test]
fn a_batch_of_typed_writes_goes_to_any_named_table() -> Result {
    let dir = tempfile::tempdir()?;
    let mut db = LsmDb::open(dir.path().join("named.lsm"))?;
    let mut batch = WriteBatch::new();
    for (n, word) in ["a", "b", "c"].into_iter().enumerate() {
        WORDS.insert(&mut batch, word, n as u32)?;
    }
    WORDS.remove_range(&mut batch, "b".."c")?;
    for name in ["one", "two"] {
        db.table(name)?.write(&batch)?;
        let words = WORDS
            .iter(&db.read_table(name)?)
            .collect::<std::result::Result<Vec<_>, _>>();
        assert_eq!(words?, [("a".into(), 0), ("c".into(), 2)]);
    }
    assert_eq!(WORDS.first(&db)?, None);
    Ok(())
}

#[test]
fn readers_and_snapshots_see_typed_records_of_named_tables() -> Result {
    let dir = tempfile::tempdir()?;
    let mut db = LsmDb::open(dir.path().join("named.lsm"))?;
    let (reader, pool) = (db.reader()?, db.reader_pool(1)?);
    assert_eq!(WORDS.first(&reader.read_table("words")?)?, None);
    WORDS.insert(&mut db.table("words")?, "one", 1)?;
    let before = db.snapshot()?;
    WORDS.insert(&mut db.table("words")?, "one", 2)?;
    assert_eq!(WORDS.get(&before.read_table("words")?, "one")?, Some(1));
    assert_eq!(WORDS.get(&reader.read_table("words")?, "one")?, Some(2));
    let pooled = pool.reader()?;
    assert_eq!(WORDS.get(&pooled.read_table("words")?, "one")?, Some(2));

    let writer = db.into_writer();
    writer.update(|tx| WORDS.insert(&mut tx.table("words")?, "one", 3))?;
    assert_eq!(WORDS.get(&reader.read_table("words")?, "one")?, Some(3));
    Ok(())
}

/// A key that can be encoded so many times.
struct Fragile(Cell<u32>);

impl Key for Fragile {
    type Ref<'a> = &'a Fragile;

    fn by_ref(&self) -> &Fragile {
        self
    }

    fn encode(key: &Fragile, out: &mut Vec<u8>) {
        let left = key.0.get().checked_sub(1);
        key.0.set(left.expect("on purpose"));
        out.push(1);
    }

    fn decode(input: &mut &[u8]) -> std::result::Result<Fragile, EncodingError> {
        *input = &[];
        Ok(Fragile(Cell::new(0)))
    }
}

/// A table is made with the first write to it. Here that is taken back, with the transaction within
/// the one that is open; what was written afterwards through the same handle went to a table that
/// nobody could find.
#[test]
fn a_table_whose_making_was_taken_back_is_made_again() -> Result {
    const EXPIRING: TtlTable<Fragile, u32> = TtlTable::new(b"ttl/");
    let dir = tempfile::tempdir()?;
    let mut db = LsmDb::open(dir.path().join("named.lsm"))?;
    let mut panics = 0;
    for allowed in 0.. {
        let name = format!("table {allowed}");
        let mut tx = db.transaction()?;
        let mut table = tx.table(&name)?;
        let key = Fragile(Cell::new(allowed));
        let insert = || EXPIRING.insert(&mut table, &key, 1, Duration::from_secs(3600));
        let outcome = catch_unwind(AssertUnwindSafe(insert));
        let done = outcome.is_ok();
        panics += u32::from(!done);
        assert_eq!(table.stats()?.records, if done { 2 } else { 0 });
        WORDS.insert(&mut table, "here", 1)?;
        assert_eq!(WORDS.get(&table, "here")?, Some(1));
        assert_eq!(table.as_reader().iter().count(), if done { 3 } else { 1 });
        tx.commit()?;
        assert_eq!(
            WORDS.get(&db.read_table(&name)?, "here")?,
            Some(1),
            "{name}"
        );
        if done {
            outcome.map_err(|_| "it panicked")??;
            break;
        }
    }
    // Before the table was made, and after.
    assert!(panics >= 3, "{panics}");
    Ok(())
}

#[test]
fn a_table_that_another_handle_drops_and_makes_is_found_again() -> Result {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("named.lsm");
    let mut one = LsmDb::open(&path)?;
    let mut other = LsmDb::open(&path)?;
    let mut words = one.table("words")?;
    WORDS.insert(&mut other.table("words")?, "made", 1)?;
    assert_eq!(WORDS.get(&words, "made")?, Some(1));
    assert_eq!(words.stats()?.records, 1);
    WORDS.insert(&mut words, "own", 1)?;
    other.drop_table("words")?;
    // Its number is another one now, and the old one is nobody's.
    WORDS.insert(&mut other.table("words")?, "made", 2)?;
    WORDS.update_with(&mut words, "made", |old| old.map(|n| n + 1))?;
    assert_eq!(WORDS.get(&words, "own")?, None);
    assert_eq!(WORDS.get(&other.read_table("words")?, "made")?, Some(3));
    Ok(())
}

#[test]
fn records_of_named_tables_expire() -> Result {
    const SESSIONS: TtlTable<u64, String> = TtlTable::new(b"");
    let dir = tempfile::tempdir()?;
    let mut db = LsmDb::open(dir.path().join("named.lsm"))?;
    let clock = ManualClock::new(1_700_000_000_000);
    let sessions = SESSIONS.with_clock(clock.clone());
    let mut tx = db.transaction()?;
    for n in 0..10 {
        let ttl = Duration::from_secs(1 + n);
        sessions.insert(&mut tx.table("sessions")?, n, "x".to_owned(), ttl)?;
    }
    tx.commit()?;
    clock.advance(Duration::from_secs(5));
    assert_eq!(sessions.iter(&db.read_table("sessions")?).count(), 5);
    assert_eq!(sessions.remove_expired(&mut db.table("sessions")?, 100)?, 5);
    assert!(sessions.renew(&mut db.table("sessions")?, 9, Duration::MAX)?);
    assert_eq!(db.table("sessions")?.stats()?.records, 5 + 4);
    assert_eq!(db.iter().count(), 0);
    Ok(())
}

/// Random writes to two named tables and the plain space, some of them taken back, beside maps.
#[test]
fn typed_named_tables_agree_with_maps() -> Result {
    for seed in 0..6 {
        let _repeat = Repeat(format!("seed {seed}"));
        let mut random = SplitMix64::new(seed);
        let dir = tempfile::tempdir()?;
        let mut db = LsmDb::builder()
            .autoflush_kib(16)
            .page_size_bytes(512)
            .block_size_kib(64)
            .open(dir.path().join("named.lsm"))?;
        let mut maps: [BTreeMap<String, u32>; 2] = Default::default();
        let mut compared = 0;
        for step in 0..60 {
            let mut changed = maps.clone();
            let mut tx = db.transaction()?;
            for _ in 0..random.below(12) {
                let n = random.below(2) as usize;
                let mut table = tx.table(["a", "b"][n])?;
                let word = random.below(60).to_string();
                match random.below(8) {
                    0 => {
                        WORDS.remove_range(&mut table, word.as_str()..)?;
                        changed[n].split_off(&word);
                    }
                    1 | 2 => {
                        WORDS.remove(&mut table, &word)?;
                        changed[n].remove(&word);
                    }
                    3 => {
                        let known = changed[n].get(&word).copied();
                        WORDS.update_with(&mut table, &word, |old| {
                            assert_eq!(old, known);
                            old.map(|count| count + 1)
                        })?;
                        changed[n].entry(word).and_modify(|count| *count += 1);
                    }
                    _ => {
                        WORDS.insert(&mut table, &word, step)?;
                        changed[n].insert(word, step);
                    }
                }
            }
            match random.one_in(3) {
                true => tx.rollback()?,
                false => {
                    tx.commit()?;
                    maps = changed;
                }
            }
            for (name, map) in ["a", "b"].into_iter().zip(&maps) {
                let table = db.read_table(name)?;
                let found: std::result::Result<Vec<_>, _> = WORDS.iter(&table).rev().collect();
                let expected: Vec<_> = map.clone().into_iter().rev().collect();
                assert_eq!(found?, expected, "{name} at step {step}");
                compared += expected.len();
            }
        }
        assert!(compared > 300, "{compared}");
    }
    Ok(())
}
