//! `LsmDb::stats` and `LsmDb::work`: what is told is what is there.

mod common;

use common::{Result, contents};
use lsmlite_rs::compression::Compression;
use lsmlite_rs::{Cursor, Disk, LsmDb, LsmDbBuilder, LsmErrorCode};

fn rows(db: &mut LsmDb, rows: std::ops::Range<u32>) -> Result {
    for row in rows {
        db.insert(row.wrapping_mul(0x9e37_79b9).to_be_bytes(), [row as u8; 90])?;
    }
    Ok(())
}

#[test]
fn writes_are_in_memory_and_in_the_log_until_they_are_flushed() -> Result {
    let dir = tempfile::tempdir()?;
    let mut db = LsmDb::open(dir.path().join("s.lsm"))?;
    let empty = db.stats()?;
    assert!(empty.levels.is_empty() && empty.log_bytes == 0 && empty.free_blocks == 0);

    rows(&mut db, 0..1000)?;
    let before = db.stats()?;
    assert!(before.live_tree_kib >= 90, "{before}");
    assert!(before.log_bytes >= 90_000, "{before}");
    assert_eq!(before.segments(), 0);

    db.flush()?;
    let after = db.stats()?;
    assert_eq!((after.levels.len(), after.segments()), (1, 1), "{after}");
    assert_eq!(after.live_tree_kib + after.waiting_tree_kib, 0, "{after}");
    assert!((90_000..130_000).contains(&after.levels[0].bytes));
    assert!(after.pages_written > 0 && after.checkpoint_debt_kib >= 90);
    db.checkpoint()?;
    assert_eq!(db.stats()?.checkpoint_debt_kib, 0);
    Ok(())
}

#[test]
fn write_amplification_is_what_reached_the_file_for_what_was_given() -> Result {
    let dir = tempfile::tempdir()?;
    let mut db = LsmDb::open(dir.path().join("s.lsm"))?;
    let begin = db.stats()?;
    assert_eq!(
        begin.write_amplification_since(&begin),
        None,
        "nothing given"
    );
    rows(&mut db, 0..3000)?;
    let once = db.stats()?;
    let (key, value) = db.first()?.ok_or("no record")?;
    assert_eq!(once.bytes_given, 3000 * (key.len() + value.len()) as u64);
    db.flush()?;
    let flushed = db.stats()?.write_amplification_since(&begin);
    assert!(
        flushed.is_some_and(|n| (1.0..1.6).contains(&n)),
        "{flushed:?}"
    );

    // All of it again, and both merged into one: three times for two.
    rows(&mut db, 0..3000)?;
    db.compact()?;
    let merged = db.stats()?.write_amplification_since(&begin);
    assert!(
        merged.is_some_and(|n| (1.5..2.2).contains(&n)),
        "{merged:?}"
    );

    // What is ingested, removed or collected counts, too.
    let before = db.stats()?.bytes_given;
    db.ingest([("x", "123"), ("y", "45")])?;
    db.remove("y")?;
    let mut batch = lsmlite_rs::WriteBatch::new();
    batch.insert("z", "6789");
    db.write(&batch)?;
    assert_eq!(db.stats()?.bytes_given - before, 7 + 1 + 5);
    Ok(())
}

#[test]
fn work_stops_in_the_middle_of_a_merge_and_goes_on_later() -> Result {
    let dir = tempfile::tempdir()?;
    let builder = LsmDb::builder().autowork(false).block_size_kib(64);
    let mut db = builder.open(dir.path().join("s.lsm"))?;
    for i in 0..4 {
        rows(&mut db, i * 3000..(i + 1) * 3000)?;
        db.flush()?;
    }
    assert_eq!(db.stats()?.segments(), 4);
    assert!(!db.stats()?.is_merging());

    assert!(db.work(64)? > 0);
    let halfway = db.stats()?;
    assert!(halfway.is_merging(), "{halfway}");
    assert!(halfway.levels[0].segments() > 2, "{halfway}");
    assert!(halfway.to_string().contains("being merged from"));
    assert_eq!(contents(&db)?.len(), 12_000);

    while db.work(64)? > 0 {}
    let merged = db.stats()?;
    assert_eq!((merged.segments(), merged.is_merging()), (1, false));
    assert!(merged.free_blocks > 0, "{merged}");
    assert_eq!(contents(&db)?.len(), 12_000);
    Ok(())
}

#[test]
fn stats_may_be_asked_for_in_a_transaction_and_beside_a_cursor() -> Result {
    let dir = tempfile::tempdir()?;
    let mut db = LsmDb::open(dir.path().join("s.lsm"))?;
    rows(&mut db, 0..1000)?;
    db.flush()?;
    db.begin_transaction()?;
    rows(&mut db, 1000..1500)?;
    let mut cursor = db.cursor_open()?;
    cursor.first()?;
    assert_eq!(db.stats()?.segments(), 1);
    let mut count = 0;
    while cursor.valid().is_ok() {
        count += 1;
        cursor.next()?;
        if count % 100 == 0 {
            db.stats()?;
        }
    }
    assert_eq!(count, 1500);
    drop(cursor);
    db.rollback_transaction()?;
    assert_eq!(contents(&db)?.len(), 1000);
    Ok(())
}

#[test]
fn the_file_is_as_large_as_stats_say_with_every_kind_of_page() -> Result {
    for (name, builder, is_packed) in [
        ("plain", LsmDb::builder(), false),
        ("checksums", LsmDb::builder().page_checksums(true), true),
        #[cfg(feature = "zstd")]
        (
            "zstd",
            LsmDb::builder().compression(lsmlite_rs::compression::Compression::Zstd { level: 1 }),
            true,
        ),
    ] {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("s.lsm");
        let mut db = builder.block_size_kib(64).open(&path)?;
        assert_eq!(db.stats()?.file_bytes(), 0);
        rows(&mut db, 0..20_000)?;
        db.flush()?;
        let stats = db.stats()?;
        db.close()?;
        let length = std::fs::metadata(&path)?.len();
        assert_eq!(
            (stats.is_packed, stats.block_size_kib),
            (is_packed, 64),
            "{name}: {stats}"
        );
        let file = stats.file_bytes();
        assert!(
            file >= length && file - length < 3 << 16,
            "{name}: {length}, {stats}"
        );
        let used = stats.segment_bytes();
        assert!(used < file && used > file * 3 / 4, "{name}: {stats}");
        assert_eq!(stats.pages(), (!is_packed).then_some(used / 4096));
        assert!(
            u64::from(stats.pages_written_in_total) * 4096 >= used * 9 / 10,
            "{name}: {stats}"
        );
    }
    Ok(())
}

#[test]
fn a_read_only_handle_has_no_stats() -> Result {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("s.lsm");
    LsmDb::open(&path)?.close()?;
    let db = LsmDb::builder().read_only(true).open(&path)?;
    let error = db.stats().unwrap_err();
    assert_eq!(error.code(), LsmErrorCode::LsmReadOnly);
    Ok(())
}

#[cfg(feature = "serde")]
#[test]
fn stats_are_serialised_by_name() -> Result {
    let dir = tempfile::tempdir()?;
    let mut db = LsmDb::open(dir.path().join("s.lsm"))?;
    rows(&mut db, 0..10)?;
    db.flush()?;
    let json = serde_json::to_value(db.stats()?)?;
    assert_eq!(json["levels"][0]["bytes"], 4096);
    assert_eq!(json["is_packed"], false);
    assert_eq!(json["page_size_bytes"], 4096);
    assert_eq!(json["log_wrapped"], false);
    assert_eq!(json.as_object().map(serde_json::Map::len), Some(20));
    assert!(json["bytes_given"].as_u64() > Some(0));
    Ok(())
}

// With a page at a time, each call wrote one record, a page for it and the b-tree above.
#[test]
fn work_in_the_smallest_pieces_gets_to_its_end() -> Result {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("s.lsm");
    let builder = LsmDb::builder().autowork(false).block_size_kib(64);
    let mut db = builder.clone().automerge_segments(32).open(&path)?;
    for run in 0..6 {
        rows(&mut db, run * 2000..(run + 1) * 2000)?;
        db.flush()?;
    }
    db.close()?;

    let mut db = builder.automerge_segments(2).open(&path)?;
    let flushed = db.stats()?;
    assert_eq!(flushed.segments(), 6, "{flushed}");
    let mut calls = 0;
    while db.work(1)? > 0 {
        calls += 1;
        assert!(calls < 500, "{}", db.stats()?);
    }
    let merged = db.stats()?;
    assert!(merged.segments() < flushed.segments(), "{merged}");
    // Each record once, and the b-tree for each piece.
    let written = merged.pages_written - flushed.pages_written;
    assert!(written < 800, "{written}: {merged}");
    assert_eq!(db.iter().count(), 12_000);
    Ok(())
}

#[test]
fn a_larger_cache_holds_what_a_smaller_one_reads_again() -> Result {
    let dir = tempfile::tempdir()?;
    for codec in [None, Some(Compression::Zstd { level: 3 })] {
        let path = dir.path().join(format!("{codec:?}"));
        let builder = match codec {
            Some(codec) => LsmDb::builder().compression(codec),
            None => LsmDb::builder(),
        };
        let mut db = builder.clone().open(&path)?;
        rows(&mut db, 0..50_000)?;
        db.compact()?;
        db.close()?;
        let read_again = |builder: LsmDbBuilder| -> Result<(u32, u32)> {
            let db = builder.open(&path)?;
            assert_eq!(db.iter().count(), 50_000);
            let first = db.stats()?.pages_read;
            assert_eq!(db.iter().count(), 50_000);
            Ok((first, db.stats()?.pages_read - first))
        };
        let (first, again) = read_again(builder.clone())?;
        assert!(again > first / 2, "{again} of {first}");
        let (first, again) = read_again(builder.page_cache_kib(16 * 1024))?;
        // The two pages that say which checkpoint is in use, if any.
        assert!(again <= 2, "{again} of {first}");
    }
    for kib in [0, 255, u32::MAX] {
        let refused = LsmDb::builder()
            .page_cache_kib(kib)
            .open(dir.path().join("n"));
        let message = refused.err().expect("refused").to_string();
        assert!(message.contains("page_cache_kib"), "{message}");
    }
    Ok(())
}

#[test]
fn pages_in_the_cache_are_counted() -> Result {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("s.lsm");
    let mut db = LsmDb::open(&path)?;
    rows(&mut db, 0..5000)?;
    db.compact()?;
    db.close()?;

    let db = LsmDb::open(&path)?;
    assert_eq!(db.iter().count(), 5000);
    let first = db.stats()?;
    assert_eq!(db.iter().count(), 5000);
    let second = db.stats()?;
    // Half a MiB fits into the cache: what had to be read before is found now.
    assert!(first.pages_read > 100, "{first}");
    assert_eq!(second.pages_read, first.pages_read, "{second}");
    let found = second.cache_hits - first.cache_hits;
    assert!(found >= u64::from(first.pages_read) / 2, "{second}");
    Ok(())
}
