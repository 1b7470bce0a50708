//! What is in the file: no more than was put there, and nothing is believed blindly.

use lsmlite_rs::LsmDb;

type Outcome = Result<(), Box<dyn std::error::Error>>;

const PAGE: usize = 4096;

/// Offset from the end of a page of the flags (two bytes) and, in a b-tree page, of the
/// number of its last child (eight bytes).
const FLAGS: usize = 4;
const LAST_CHILD: usize = 12;
const BTREE: u8 = 1;

/// The engine looked such a page up before the start of its page table.
#[test]
fn a_page_number_before_the_first_block_is_corruption() -> Outcome {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("a.lsm");
    let mut db = LsmDb::open(&path)?;
    for i in 0..5000_u32 {
        db.insert(i.to_be_bytes(), [7; 100])?;
    }
    db.compact()?;
    db.close()?;

    let mut bytes = std::fs::read(&path)?;
    let mut damaged = 0;
    for page in bytes.chunks_exact_mut(PAGE).skip(2) {
        if page[PAGE - FLAGS + 1] & BTREE != 0 {
            page[PAGE - LAST_CHILD..][..8].fill(0xff);
            damaged += 1;
        }
    }
    assert!(damaged > 0, "no b-tree page found");
    std::fs::write(&path, bytes)?;

    let db = LsmDb::open(&path)?;
    let error = db.get(4999_u32.to_be_bytes()).err().ok_or("it was read")?;
    assert!(error.is_corrupt(), "{error}");
    Ok(())
}

/// Pages were written with whatever the memory held that they were made of.
#[test]
fn the_file_contains_nothing_that_was_not_written() -> Outcome {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("a.lsm");
    let secret = [0xa5_u8; 64];
    let mut db = LsmDb::open(&path)?;
    for i in 0..5000_u32 {
        db.insert(i.to_be_bytes(), [7; 100])?;
    }
    // Every second piece is freed, so that the pieces aren't joined and given back.
    let mut memory: Vec<Vec<u8>> = (0..400).map(|_| vec![0xa5; PAGE]).collect();
    memory
        .iter_mut()
        .step_by(2)
        .for_each(|piece| *piece = Vec::new());
    std::hint::black_box(&memory);
    db.flush()?;
    db.close()?;
    let bytes = std::fs::read(&path)?;
    assert!(!bytes.windows(secret.len()).any(|run| run == secret));
    Ok(())
}
