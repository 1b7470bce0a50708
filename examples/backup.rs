//! Makes a backup in another thread while the database is written to, and restores it.

use std::error::Error;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use lsmlite_rs::{Backup, LsmDb, Restore};

fn main() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let (path, copy) = (dir.path().join("orders.lsm"), dir.path().join("copy.lsm"));
    let mut db = LsmDb::open(&path)?;
    for n in 0..100_000u32 {
        db.insert(n.to_be_bytes(), format!("order {n}"))?;
    }

    // What is committed now is what will be in the copy.
    let stop = Arc::new(AtomicBool::new(false));
    let asked_to_stop = Arc::clone(&stop);
    let backup = Backup::new(&db)?
        .overwrite(true) // an older copy is replaced when the new one is whole
        .on_progress(move |so_far| {
            println!("{:?}: {} records", so_far.step, so_far.records);
            match asked_to_stop.load(Ordering::Relaxed) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        });
    let target = copy.clone();
    let job = thread::spawn(move || backup.run(target));
    for n in 0..100_000u32 {
        db.insert(n.to_be_bytes(), "overwritten by mistake")?;
    }
    // To end it, and leave nothing behind: stop.store(true, Ordering::Relaxed).
    println!("{}", job.join().map_err(|_| "the callback panicked")??);
    db.close()?;

    Restore::new().overwrite(true).run(&copy, &path)?;
    let db = LsmDb::open(&path)?;
    let order = db.get(77u32.to_be_bytes())?.ok_or("it is gone")?;
    println!("{}", String::from_utf8(order)?);
    Ok(())
}
