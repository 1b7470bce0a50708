//! Threads that share a writer: each hears its own result, after a commit that they share.
//!
//! `LSMLITE_KILLS` says how many processes are killed, `LSMLITE_POWER_LOSSES` how often the power
//! goes, `LSMLITE_SEED` where the seeds begin.
#![cfg(target_os = "linux")]

#[path = "../common/mod.rs"]
mod common;
mod failures;
mod handle;
mod requests;
mod rows;
mod speed;

use std::sync::Barrier;
use std::thread;

use lsmlite_rs::{LsmDb, LsmDbBuilder, LsmError};

const THREADS: u64 = 8;

type Outcome<T = ()> = std::result::Result<T, LsmError>;

fn small() -> LsmDbBuilder {
    LsmDb::builder()
        .autoflush_kib(64)
        .autocheckpoint_kib(256)
        .page_size_bytes(1024)
        .block_size_kib(64)
}

/// Runs `work` in eight threads and returns what they return.
fn in_threads<T: Send>(work: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let together = Barrier::new(THREADS as usize);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|me| {
                let (work, together) = (&work, &together);
                scope.spawn(move || {
                    together.wait();
                    work(me)
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("no panic"))
            .collect()
    })
}
