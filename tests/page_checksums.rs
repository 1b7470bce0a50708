//! Page checksums: a damaged file gives the last state, an earlier one, or an error.

use std::collections::BTreeMap;

use lsmlite_rs::LsmDb;
use lsmlite_rs::compression::Compression;
use lsmlite_rs::config::Safety;

type Result<T = (), E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

/// Page n is record n, and every page checksum fits.
#[test]
fn a_file_with_page_checksums_comes_back_whole() -> Result {
    for compression in [
        Compression::None,
        Compression::LZ4,
        Compression::ZLIB,
        Compression::ZSTD,
    ] {
        for page in [256, 4096, 16_384] {
            let dir = tempfile::tempdir()?;
            let path = dir.path().join("whole.lsm");
            let mut model = BTreeMap::new();

            for round in 0..6_u32 {
                let mut db = LsmDb::builder()
                    .compression(compression)
                    .page_checksums(true)
                    .safety(Safety::Off)
                    .page_size_bytes(page)
                    .block_size_kib(if page > 8192 { 512 } else { 64 })
                    .autoflush_kib(64)
                    .autocheckpoint_kib(64)
                    .open(&path)?;
                for i in 0..600_u32 {
                    let key = (i * 7919 + round * 13) % 2000;
                    let value: Vec<u8> = (0..key % 700).map(|j| (j * key + round) as u8).collect();
                    db.insert(key.to_be_bytes(), &value)?;
                    model.insert(key.to_be_bytes().to_vec(), value);
                }
                if round == 3 {
                    db.compact()?;
                }
                let forwards: Vec<_> = db.iter().collect::<std::result::Result<_, _>>()?;
                assert!(
                    forwards.iter().map(|(k, v)| (k, v)).eq(&model),
                    "{compression:?} {page}"
                );
                let backwards: Vec<_> = db.iter().rev().collect::<std::result::Result<_, _>>()?;
                assert!(
                    backwards.iter().rev().eq(&forwards),
                    "{compression:?} {page}"
                );
                db.close()?;
            }
        }
    }
    Ok(())
}
