//! Ordered scans: a range, the newest first, a page at a time.

use std::error::Error;
use std::ops::Bound;

use lsmlite_rs::LsmDb;

fn main() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let mut db = LsmDb::open(dir.path().join("readings.lsm"))?;
    // Keys sort as bytes: times written like this sort as times. For numbers: `to_be_bytes`.
    for day in 1..=30 {
        for hour in [0, 6, 12, 18] {
            let degrees = day % 7 + hour / 3;
            db.insert(
                format!("2024-04-{day:02}T{hour:02}"),
                format!("{degrees} °C"),
            )?;
        }
    }

    println!("10 April:");
    for record in db.range("2024-04-10".."2024-04-11") {
        let (time, degrees) = record?;
        println!(
            "  {}  {}",
            String::from_utf8(time)?,
            String::from_utf8(degrees)?
        );
    }
    assert_eq!(db.range("2024-04-10".."2024-04-11").count(), 4);

    println!("the newest first:");
    for record in db.iter().rev().take(3) {
        println!("  {}", String::from_utf8(record?.0)?);
    }

    println!("pages of 50:");
    let mut start: Bound<Vec<u8>> = Bound::Unbounded;
    let mut pages = Vec::new();
    loop {
        // Each page is a scan of its own: an iterator kept idle would hold a snapshot.
        let page = db.range((start, Bound::Unbounded)).take(50);
        let keys: Vec<_> = page
            .map(|record| Ok(record?.0))
            .collect::<Result<_, Box<dyn Error>>>()?;
        let Some(last) = keys.last() else { break };
        println!(
            "  {} records up to {}",
            keys.len(),
            String::from_utf8_lossy(last)
        );
        start = Bound::Excluded(last.clone());
        pages.push(keys.len());
    }
    assert_eq!(pages, [50, 50, 20]);
    Ok(())
}
