//! The feature `tracing`: what is a span, at which level, and what it says.
#![cfg(feature = "tracing")]

mod common;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, Once};
use std::thread;
use std::time::{Duration, Instant};

use common::Result;
use lsmlite_rs::config::BackgroundMode;
use lsmlite_rs::{Disk, LsmDb};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// A span that was seen.
#[derive(Clone, Debug)]
struct Seen {
    id: u64,
    name: &'static str,
    level: Level,
    target: String,
    thread: String,
    /// The span around it, in the same thread.
    parent: Option<u64>,
    fields: BTreeMap<&'static str, String>,
    /// Those that it may have.
    names: Vec<&'static str>,
    has_ended: bool,
}

impl Seen {
    fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }

    fn number(&self, name: &str) -> u64 {
        self.field(name).parse().unwrap_or(0)
    }
}

impl Visit for Seen {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.fields.insert(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.fields.insert(field.name(), format!("{value:?}"));
    }
}

/// Writes down every span.
struct Listener;

static SPANS: Mutex<Vec<Seen>> = Mutex::new(Vec::new());

thread_local! {
    static ENTERED: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

fn spans() -> MutexGuard<'static, Vec<Seen>> {
    SPANS.lock().unwrap()
}

fn with(id: &Id, change: impl FnOnce(&mut Seen)) {
    let mut spans = spans();
    let found = spans.iter_mut().find(|span| span.id == id.into_u64());
    change(found.expect("an unknown span"));
}

impl Subscriber for Listener {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        static LAST: AtomicU64 = AtomicU64::new(0);
        let id = LAST.fetch_add(1, Ordering::Relaxed) + 1;
        let metadata = attributes.metadata();
        let mut seen = Seen {
            id,
            name: metadata.name(),
            level: *metadata.level(),
            target: metadata.target().to_owned(),
            thread: thread::current().name().unwrap_or("").to_owned(),
            parent: ENTERED.with_borrow(|entered| entered.last().copied()),
            fields: BTreeMap::new(),
            names: metadata.fields().iter().map(|field| field.name()).collect(),
            has_ended: false,
        };
        attributes.record(&mut seen);
        spans().push(seen);
        Id::from_u64(id)
    }

    fn record(&self, id: &Id, values: &Record<'_>) {
        with(id, |span| values.record(span));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, id: &Id) {
        ENTERED.with_borrow_mut(|entered| entered.push(id.into_u64()));
    }

    fn exit(&self, id: &Id) {
        let left = ENTERED.with_borrow_mut(|entered| entered.pop());
        assert_eq!(left, Some(id.into_u64()), "not the innermost span");
    }

    fn try_close(&self, id: Id) -> bool {
        with(&id, |span| span.has_ended = true);
        true
    }
}

fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| tracing::subscriber::set_global_default(Listener).expect("the only one"));
}

/// What was seen of the database at this path since the last time.
fn seen(path: &Path) -> Vec<Seen> {
    let path = path.display().to_string();
    let mut seen = spans().clone();
    seen.retain(|span| span.field("path") == path && span.has_ended);
    spans().retain(|span| !seen.iter().any(|known| known.id == span.id));
    seen
}

fn names(seen: &[Seen]) -> Vec<(&'static str, &str)> {
    seen.iter()
        .map(|span| (span.name, span.field("kind")))
        .collect()
}

fn rows(db: &mut LsmDb, rows: std::ops::Range<u32>) -> Result {
    for row in rows {
        db.insert(row.wrapping_mul(0x9e37_79b9).to_be_bytes(), [row as u8; 90])?;
    }
    Ok(())
}

#[test]
fn levels_and_fields_are_as_documented() -> Result {
    listen();
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("levels.lsm");
    let mut db = LsmDb::open(&path)?;
    db.insert("key", "value")?;
    db.compact()?;
    db.close()?;
    let seen = seen(&path);
    for (name, level, fields) in [
        (
            "open",
            Level::INFO,
            &["path", "read_only", "error", "busy"][..],
        ),
        (
            "commit",
            Level::TRACE,
            &["path", "kind", "written_kib", "error", "busy"],
        ),
        (
            "merge",
            Level::DEBUG,
            &["path", "kind", "written_kib", "error", "busy"],
        ),
        (
            "checkpoint",
            Level::DEBUG,
            &["path", "written_kib", "error", "busy"],
        ),
    ] {
        let span = seen.iter().find(|span| span.name == name).ok_or(name)?;
        assert_eq!(
            (span.level, &span.target[..]),
            (level, "lsmlite_rs"),
            "{name}"
        );
        assert_eq!(span.names, fields, "{name}");
        assert_eq!(span.field("error"), "", "{name}");
    }
    assert_eq!(seen[0].field("read_only"), "false");
    Ok(())
}

#[test]
fn each_commit_is_one_span_and_reads_are_none() -> Result {
    listen();
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("commits.lsm");
    let mut db = LsmDb::open(&path)?;
    seen(&path);
    db.insert("a", "1")?;
    assert_eq!(names(&seen(&path)), [("commit", "insert")]);
    db.remove("a")?;
    assert_eq!(names(&seen(&path)), [("commit", "remove")]);
    db.transact(|tx| {
        tx.insert("b", "2")?;
        let mut inner = tx.savepoint()?;
        inner.insert("c", "3")?;
        inner.commit()?;
        tx.remove("a")
    })?;
    assert_eq!(names(&seen(&path)), [("commit", "commit")]);
    db.begin_transaction()?;
    db.update(b"b", b"3")?;
    assert_eq!(names(&seen(&path)), []);
    db.commit_transaction()?;
    assert_eq!(names(&seen(&path)), [("commit", "commit")]);
    drop(db.transaction()?);
    assert_eq!(db.iter().count(), 2);
    db.get("b")?;
    db.stats()?;
    assert_eq!(names(&seen(&path)), []);
    Ok(())
}

#[test]
fn merges_and_checkpoints_say_how_much_they_wrote() -> Result {
    listen();
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("merges.lsm");
    let mut db = LsmDb::builder().autowork(false).open(&path)?;
    rows(&mut db, 0..5000)?;
    assert!(
        seen(&path)
            .iter()
            .all(|span| span.number("written_kib") == 0)
    );
    db.flush()?;
    db.checkpoint()?;
    rows(&mut db, 5000..6000)?;
    db.flush()?;
    let done = db.work(1 << 20)?;
    let spans: Vec<_> = seen(&path)
        .into_iter()
        .filter(|span| span.name != "commit")
        .collect();
    let expected = [
        ("merge", "flush"),
        ("checkpoint", ""),
        ("merge", "flush"),
        ("merge", "work"),
    ];
    assert_eq!(names(&spans), expected);
    let kib: Vec<_> = spans
        .iter()
        .map(|span| span.number("written_kib"))
        .collect();
    assert!((450..900).contains(&kib[0]), "{kib:?}");
    assert!(
        kib[1] >= kib[0] / 2 && (90..200).contains(&kib[2]),
        "{kib:?}"
    );
    assert_eq!(kib[3], u64::from(done));

    db.compact()?;
    let spans = seen(&path);
    let expected = [("merge", "compact"), ("merge", "flush"), ("checkpoint", "")];
    assert_eq!(names(&spans), expected);
    let parents: Vec<_> = spans.iter().map(|span| span.parent).collect();
    assert_eq!(parents, [None, Some(spans[0].id), Some(spans[0].id)]);

    // Writes that do the work themselves say so, too.
    let path = dir.path().join("autowork.lsm");
    let mut db = LsmDb::builder().autoflush_kib(64).open(&path)?;
    rows(&mut db, 0..5000)?;
    let kib: u64 = seen(&path)
        .iter()
        .map(|span| span.number("written_kib"))
        .sum();
    assert!(kib > 400, "{kib}");
    Ok(())
}

#[test]
fn what_the_threads_do_is_seen_in_them() -> Result {
    listen();
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("threads.lsm");
    let mut db = LsmDb::builder()
        .background(BackgroundMode::MergerAndCheckpointer)
        .autoflush_kib(128)
        .autocheckpoint_kib(256)
        .open(&path)?;
    let (mut merged, mut checkpointed) = (0, 0);
    let start = Instant::now();
    for row in 0.. {
        rows(&mut db, row * 100..row * 100 + 100)?;
        for span in seen(&path) {
            let kib = span.number("written_kib");
            match (span.name, &span.thread[..]) {
                ("merge", "lsmlite-merger") => {
                    assert_eq!(span.field("kind"), "background");
                    merged += kib;
                }
                ("checkpoint", "lsmlite-checkpointer") => checkpointed += kib,
                ("commit" | "open", _) => {}
                _ => panic!("{span:?}"),
            }
        }
        if merged > 500 && checkpointed > 500 {
            break;
        }
        assert!(
            start.elapsed() < Duration::from_secs(30),
            "{merged}, {checkpointed}"
        );
    }
    Ok(())
}

#[test]
fn what_failed_is_named_by_its_code() -> Result {
    listen();
    let dir = tempfile::tempdir()?;
    let missing = dir.path().join("missing.lsm");
    let error = LsmDb::builder()
        .create(false)
        .open(&missing)
        .err()
        .ok_or("opened")?;
    let spans = seen(&missing);
    assert_eq!(names(&spans), [("open", "")]);
    assert_eq!(spans[0].field("error"), format!("{:?}", error.code()));
    assert_eq!(spans[0].field("busy"), "false");

    let path = dir.path().join("busy.lsm");
    let (mut db, mut other) = (LsmDb::open(&path)?, LsmDb::open(&path)?);
    seen(&path);
    let transaction = other.transaction()?;
    db.insert("key", "value").unwrap_err();
    drop(transaction);
    let spans = seen(&path);
    assert_eq!(names(&spans), [("commit", "insert")]);
    assert_eq!(
        (spans[0].field("error"), spans[0].field("busy")),
        ("LsmBusy", "true")
    );
    Ok(())
}
