//! Makes the corpus to begin with, anew: `cargo run --bin seeds` in this folder.

use std::error::Error;
use std::fs;
use std::path::Path;

use lsmlite_fuzz::{log, small};
use lsmlite_rs::compression::Compression;
use lsmlite_rs::{Disk, LsmDbBuilder};

fn main() -> Result<(), Box<dyn Error>> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let put = |name: &str, bytes: &[u8]| {
        println!("{name}: {} bytes", bytes.len());
        fs::write(corpus.join(name), bytes)
    };
    put("open_file/empty", b"")?;
    put("open_file/no_database", b"no database")?;
    put("open_file/one_segment", &file(small(), true)?)?;
    put(
        "open_file/segments",
        &file(small().autowork(false).automerge_segments(8), false)?,
    )?;
    put(
        "open_file/lz4",
        &file(small().compression(Compression::LZ4), false)?,
    )?;

    let crashed = log::crashed()?;
    put("log/empty", b"")?;
    put("log/whole", &crashed.log)?;
    put("log/torn", &crashed.log[..crashed.log.len() * 2 / 3])?;

    // Operations are read from the bytes one by one: any bytes are a history.
    let mut state = 1_u32;
    for number in 0..6 {
        let bytes: Vec<u8> = (0..400 + 200 * number)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            })
            .collect();
        put(&format!("history/{number}"), &bytes)?;
    }
    Ok(())
}

/// A database file without the zeros at its end, of even length.
fn file(builder: LsmDbBuilder, compact: bool) -> Result<Vec<u8>, Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("seed.lsm");
    let mut db = builder.open(&path)?;
    for round in 0..4_u8 {
        for i in 0..20 {
            db.insert(
                format!("key {:04}", i * 10 + u16::from(round)),
                vec![round; 10],
            )?;
        }
        db.insert(format!("large {round}"), vec![round; 400])?;
        db.remove(format!("key {:04}", 50 + round))?;
        db.delete_range(b"key 0060", b"key 0090")?;
        db.flush()?;
    }
    if compact {
        db.compact()?;
    }
    db.close()?;
    let mut bytes = fs::read(&path)?;
    let end = bytes
        .iter()
        .rposition(|&byte| byte != 0)
        .map_or(0, |at| at + 1);
    bytes.truncate(end.next_multiple_of(2));
    Ok(bytes)
}
