//! What a database does, as spans: here for a subscriber of 40 lines that prints those that took
//! longest. A real program takes one from the crate `tracing-subscriber`.

use std::cell::RefCell;
use std::error::Error;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use lsmlite_rs::LsmDb;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// Every span with its number, and how long it took.
static SPANS: Mutex<Vec<(u64, &str, Duration)>> = Mutex::new(Vec::new());

thread_local! {
    static ENTERED: RefCell<Vec<Instant>> = const { RefCell::new(Vec::new()) };
}

struct Clock;

impl Subscriber for Clock {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "lsmlite_rs" && *metadata.level() <= Level::DEBUG
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        static LAST: AtomicU64 = AtomicU64::new(0);
        let id = LAST.fetch_add(1, Ordering::Relaxed) + 1;
        let begun = (id, span.metadata().name(), Duration::ZERO);
        SPANS.lock().expect("no panic").push(begun);
        Id::from_u64(id)
    }

    fn enter(&self, _: &Id) {
        ENTERED.with_borrow_mut(|entered| entered.push(Instant::now()));
    }

    fn exit(&self, id: &Id) {
        let start = ENTERED.with_borrow_mut(Vec::pop).expect("entered");
        let mut spans = SPANS.lock().expect("no panic");
        for span in spans.iter_mut().filter(|span| span.0 == id.into_u64()) {
            span.2 = start.elapsed();
        }
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &Event<'_>) {}
}

fn main() -> Result<(), Box<dyn Error>> {
    tracing::subscriber::set_global_default(Clock).map_err(|error| error.to_string())?;
    let dir = tempfile::tempdir()?;
    let mut db = LsmDb::open(dir.path().join("traced.lsm"))?;
    for n in 0..20_000_u32 {
        db.insert(n.to_be_bytes(), [7; 100])?;
    }
    db.compact()?;

    let mut spans = SPANS.lock().expect("no panic").clone();
    spans.sort_by_key(|(_, _, took)| std::cmp::Reverse(*took));
    for (_, name, took) in &spans {
        println!("{name:>12} {took:?}");
    }
    assert!(spans.iter().any(|(_, name, _)| *name == "checkpoint"));
    Ok(())
}
