//! What happens at the engine's limits.

use lsmlite_rs::{Disk, LsmDb, LsmErrorCode};

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// Offsets into the in-memory trees are 31 bits wide; beyond 2 GiB lsm1 wrote entries over
/// each other. Takes 2 GiB of memory, hence ignored by default.
#[test]
#[ignore = "takes 2 GiB of memory"]
fn a_transaction_beyond_two_gib_is_refused() -> Outcome {
    let dir = tempfile::tempdir()?;
    let mut db = LsmDb::builder()
        .use_log(false)
        .open(dir.path().join("big.lsm"))?;
    db.insert(b"before", b"1")?;
    db.begin_transaction()?;
    let value = vec![7; 64 << 20];
    let mut refused = None;
    for i in 0..40_u32 {
        if let Err(error) = db.insert(i.to_be_bytes(), &value) {
            refused = Some((i, error));
            break;
        }
    }
    let (i, error) = refused.ok_or("2.5 GiB were accepted")?;
    assert_eq!(error.code(), LsmErrorCode::LsmFull);
    assert!(i >= 28, "refused after only {i} values of 64 MiB");
    // Only a rollback may follow, and it leaves the database as it was.
    assert_eq!(db.commit_transaction(), Err(LsmErrorCode::LsmFull));
    db.rollback_transaction()?;
    assert_eq!(db.iter().count(), 1);
    db.insert(b"after", b"2")?;
    db.close()?;
    Ok(())
}

/// The lengths of two entries of 1 GiB were added in 31 bits, and the second was copied past
/// the end of the log's buffer.
#[test]
#[ignore = "takes 5 GiB of memory and 2 GiB of disk"]
fn two_of_the_largest_entries_do_not_overflow_the_log() -> Outcome {
    const LARGEST: usize = (1 << 30) - (1 << 16);
    let dir = tempfile::tempdir()?;
    let mut db = LsmDb::open(dir.path().join("big.lsm"))?;
    db.begin_transaction()?;
    let value = vec![7; LARGEST - 1];
    db.insert(b"a", &value)?;
    // Both fit into the log; together they are more than fits into memory.
    let error = db.insert(b"b", &value).err().ok_or("accepted")?;
    assert_eq!(error.code(), LsmErrorCode::LsmFull);
    db.rollback_transaction()?;
    db.insert(b"a", &value)?;
    assert_eq!(db.get(b"a")?.map(|value| value.len()), Some(LARGEST - 1));
    let error = db.insert(b"ab", &value).err().ok_or("accepted")?;
    assert_eq!(error.code(), LsmErrorCode::LsmConversionErr);
    Ok(())
}
