//! A page codec of one's own: a run of equal bytes becomes its length and the byte.

use std::error::Error;
use std::fs;
use std::sync::Arc;

use lsmlite_rs::LsmDb;
use lsmlite_rs::compression::{CodecError, PageCodec};

struct RunLengths;

impl PageCodec for RunLengths {
    fn id(&self) -> u32 {
        20_001 // is stored in the file; those from 20,000 on are yours
    }
    fn bound(&self, plain_len: usize) -> usize {
        2 * plain_len
    }
    fn compress(&self, plain: &[u8], out: &mut [u8]) -> Result<usize, CodecError> {
        let mut n = 0;
        for run in plain.chunk_by(u8::eq).flat_map(|run| run.chunks(255)) {
            out[n..n + 2].copy_from_slice(&[run.len() as u8, run[0]]);
            n += 2;
        }
        Ok(n)
    }
    fn decompress(&self, packed: &[u8], out: &mut [u8]) -> Result<usize, CodecError> {
        let mut n = 0;
        for pair in packed.chunks_exact(2) {
            let end = n + usize::from(pair[0]);
            let run = out.get_mut(n..end);
            run.ok_or_else(|| CodecError::new("more than a page"))?
                .fill(pair[1]);
            n = end;
        }
        Ok(n)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("runs.lsm");
    let builder = LsmDb::builder().codec(Arc::new(RunLengths));

    let mut db = builder.clone().open(&path)?;
    for n in 0..1000u32 {
        db.insert(n.to_be_bytes(), vec![n as u8; 1000])?;
    }
    db.close()?;
    let size = fs::metadata(&path)?.len();
    println!("1000 values of 1000 equal bytes: a file of {size} bytes");
    assert!(size < 100_000);
    let db = builder.read_only(true).open(&path)?;
    assert_eq!(db.get(77u32.to_be_bytes())?, Some(vec![77; 1000]));
    // Without the codec the file can't be read.
    let error = LsmDb::builder().create(false).open(&path)?.get(b"").err();
    println!("without the codec: {}", error.ok_or("it was read")?);
    Ok(())
}
