//! The same data with each codec: how large the file becomes, and how long it takes.

use std::error::Error;
use std::fs;
use std::time::Instant;

use lsmlite_rs::LsmDb;
use lsmlite_rs::compression::Compression;

fn main() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let codecs = [
        ("none", Compression::None),
        ("lz4", Compression::LZ4),
        ("zlib", Compression::ZLIB),
        ("zstd", Compression::ZSTD),
        ("zstd 9", Compression::Zstd { level: 9 }),
    ];
    let mut sizes = Vec::new();
    println!("codec       size   write   read all");
    for (name, codec) in codecs {
        let path = dir.path().join(name);
        let start = Instant::now();
        // Only a new file takes the setting: an existing one keeps its codec.
        let mut db = LsmDb::builder().compression(codec).open(&path)?;
        for n in 0..20_000u32 {
            let value = format!("user-{}@example.org, visits: {}", n % 977, n * 31 % 100);
            db.insert(n.to_be_bytes(), value)?;
        }
        db.compact()?;
        db.close()?;
        let write = start.elapsed();

        let start = Instant::now();
        // The codec is recognised by the id in the file.
        let db = LsmDb::builder().read_only(true).open(&path)?;
        assert_eq!(db.iter().count(), 20_000);
        let read = start.elapsed();
        let size = fs::metadata(&path)?.len();
        println!(
            "{name:<8} {:>4} KiB {write:>7.0?} {read:>10.0?}",
            size / 1024
        );
        sizes.push(size);
    }
    assert!(sizes[1..].iter().all(|&size| size < sizes[0] / 2));
    Ok(())
}
