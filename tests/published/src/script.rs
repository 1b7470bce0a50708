//! Calls of the documented API, right and wrong ones, each noted with its answer. Run on 0.2.2
//! and on our crate, the two transcripts are compared line by line by `tests/published.rs`.

use std::fmt::{self, Debug, Display};
use std::path::{Path, PathBuf};

use lsmlite_rs::*;

use LsmCompressionLib::{LZ4, NoCompression, ZLib, ZStd};
use LsmCursorSeekOp::{LsmCursorSeekEq as Eq, LsmCursorSeekGe as Ge, LsmCursorSeekLe as Le};
use LsmHandleMode::{ReadOnly, ReadWrite};
use LsmMode::{
    LsmBackgroundCheckpointer as Checkpointer, LsmBackgroundMerger as Merger,
    LsmNoBackgroundThreads as NoThread,
};

/// One line per call, `scene: call => answer`.
pub struct Transcript {
    dir: PathBuf,
    scene: &'static str,
    lines: Vec<String>,
}

impl Transcript {
    fn note(&mut self, call: &str, answer: &dyn Debug) {
        let answer = format!("{answer:?}").replace(&*self.dir.to_string_lossy(), "DIR");
        self.lines
            .push(format!("{}: {call} => {answer}", self.scene));
    }

    /// The name of a file of this scene's own.
    fn name(&self, suffix: &str) -> String {
        format!("{}{suffix}", self.scene.replace(' ', "-"))
    }

    fn conf(&self, handle_mode: LsmHandleMode, codec: LsmCompressionLib) -> DbConf {
        let name = self.name("");
        DbConf::new_with_parameters(&self.dir, name, NoThread, handle_mode, None, codec)
    }

    /// The configuration of one file per codec; it can be opened with another one.
    fn conf_of(&self, owner: LsmCompressionLib, codec: LsmCompressionLib) -> DbConf {
        let name = self.name(&format!("-{owner:?}"));
        DbConf::new_with_parameters(&self.dir, name, NoThread, ReadWrite, None, codec)
    }

    fn open(&self, handle_mode: LsmHandleMode, codec: LsmCompressionLib) -> LsmDb {
        connected(self.conf(handle_mode, codec))
    }

    fn fresh(&self) -> LsmDb {
        self.open(ReadWrite, NoCompression)
    }
}

impl Display for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

fn connected(conf: DbConf) -> LsmDb {
    let mut db = LsmDb::default();
    db.initialize(conf).unwrap();
    db.connect().unwrap();
    db
}

/// Makes a call and notes what it answered.
macro_rules! call {
    ($t:ident, $call:expr) => {
        $t.note(stringify!($call), &$call)
    };
}

/// Opens a cursor, notes whether that worked, and goes on with the cursor if so.
macro_rules! with_cursor {
    ($t:ident, $db:ident, $cursor:ident, $body:block) => {
        match $db.cursor_open() {
            #[allow(unused_mut, unused_variables)]
            Ok(mut $cursor) => {
                $t.note(
                    concat!(stringify!($db), ".cursor_open()"),
                    &Ok::<_, ()>("a cursor"),
                );
                $body
            }
            Err(error) => $t.note(
                concat!(stringify!($db), ".cursor_open()"),
                &Err::<(), _>(error),
            ),
        }
    };
}

/// Where the cursor is, in one line.
fn look(t: &mut Transcript, cursor: &LsmCursor) {
    t.note("cursor.valid()", &cursor.valid());
    t.note("cursor.get_key()", &cursor.get_key());
    t.note("cursor.get_value()", &cursor.get_value());
    t.note("cursor.compare(b\"k5\")", &cursor.compare(b"k5"));
}

/// All rows of the file, both ways.
fn walk(t: &mut Transcript, db: &LsmDb) {
    match rows(db) {
        Ok((forward, backward)) => {
            t.note("rows forward", &forward);
            t.note("rows backward", &backward);
        }
        Err(error) => t.note("rows", &error),
    }
}

type Rows = Vec<(String, String)>;

fn rows(db: &LsmDb) -> Result<(Rows, Rows), LsmErrorCode> {
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let (mut forward, mut backward) = (Vec::new(), Vec::new());
    let mut cursor = db.cursor_open()?;
    cursor.first()?;
    while cursor.valid().is_ok() {
        forward.push((text(cursor.get_key()?), text(cursor.get_value()?)));
        cursor.next()?;
    }
    cursor.last()?;
    while cursor.valid().is_ok() {
        backward.push((text(cursor.get_key()?), text(cursor.get_value()?)));
        cursor.prev()?;
    }
    Ok((forward, backward))
}

/// Rows k1, k3, k5, k7.
fn fill(db: &mut LsmDb) {
    for n in [5, 1, 7, 3] {
        db.persist(format!("k{n}").as_bytes(), format!("value {n}").as_bytes())
            .unwrap();
    }
}

type Scene = (&'static str, fn(&mut Transcript));

const SCENES: &[Scene] = &[
    ("before connecting", before_connecting),
    ("connecting", connecting),
    ("names", names),
    ("both globs", both_globs),
    ("a missing directory", a_missing_directory),
    ("an empty file", an_empty_file),
    ("a cursor that is nowhere", a_cursor_that_is_nowhere),
    ("a default cursor", a_default_cursor),
    ("forward", forward),
    ("backward", backward),
    ("seeks", seeks),
    ("comparisons", comparisons),
    ("writes", writes),
    ("empty keys and values", empty_keys_and_values),
    ("large records", large_records),
    ("range deletions", range_deletions),
    ("transactions", transactions),
    ("a close within a transaction", a_close_within_a_transaction),
    ("a drop within a transaction", a_drop_within_a_transaction),
    ("a leaked cursor", a_leaked_cursor),
    ("two handles", two_handles),
    ("a snapshot", a_snapshot),
    ("reopening", reopening),
    ("a folder in the way", a_folder_in_the_way),
    ("read-only", read_only),
    ("read-only beside a writer", read_only_beside_a_writer),
    ("read-only without a file", read_only_without_a_file),
    ("compression ids", compression_ids),
    ("another codec", another_codec),
    ("another codec, read-only", another_codec_read_only),
    ("optimize", optimize),
    ("background threads", background_threads),
    ("metrics", metrics),
    ("conversions", conversions),
];

/// Runs every scene in `dir`.
pub fn run(dir: &Path) -> Transcript {
    let mut t = Transcript {
        dir: dir.to_path_buf(),
        scene: "",
        lines: Vec::new(),
    };
    for (name, scene) in SCENES {
        t.scene = name;
        scene(&mut t);
    }
    t
}

fn before_connecting(t: &mut Transcript) {
    let mut db = LsmDb::default();
    for _ in ["default", "initialized"] {
        call!(t, db.is_initialized());
        call!(t, db.is_connected());
        call!(t, db.get_full_db_path());
        call!(t, db.get_compression_id());
        call!(t, db.persist(b"k", b"v"));
        call!(t, db.update(b"k", b"v"));
        call!(t, db.delete(b"k"));
        call!(t, db.delete_range(b"a", b"b"));
        call!(t, db.optimize());
        call!(t, db.begin_transaction());
        call!(t, db.commit_transaction());
        call!(t, db.rollback_transaction());
        call!(t, db.cursor_open().map(drop));
        call!(t, db.disconnect());
        call!(t, db.initialize(t.conf(ReadWrite, NoCompression)));
    }
}

fn connecting(t: &mut Transcript) {
    let mut db = LsmDb::default();
    call!(t, db.connect());
    call!(t, db.initialize(t.conf(ReadWrite, NoCompression)));
    call!(t, db.initialize(t.conf(ReadWrite, LZ4)));
    for _ in ["first", "again"] {
        call!(t, db.connect());
        call!(t, db.connect());
        call!(t, db.initialize(t.conf(ReadWrite, NoCompression)));
        call!(t, db.is_initialized());
        call!(t, db.is_connected());
        call!(t, db.get_full_db_path());
        call!(t, db.update(b"k", b"v"));
        walk(t, &db);
        call!(t, db.disconnect());
        call!(t, db.disconnect());
        call!(t, db.is_initialized());
        call!(t, db.is_connected());
        call!(t, db.get_full_db_path());
        call!(t, db.persist(b"k", b"v"));
    }
    call!(t, db.initialize(t.conf(ReadWrite, NoCompression)));
}

fn names(t: &mut Transcript) {
    let mut db = LsmDb::default();
    call!(t, db.initialize(DbConf::new(&t.dir, "a\0b".to_string())));
    call!(t, db.is_initialized());
    call!(t, db.get_full_db_path());
    call!(t, db.connect());
    let with_slash = format!("{}/", t.dir.display());
    call!(
        t,
        db.initialize(DbConf::new(with_slash, "größe".to_string()))
    );
    call!(t, db.get_full_db_path());
    call!(t, db.connect());
    call!(t, db.get_full_db_path());
    call!(t, t.dir.join("größe.lsm").exists());
    call!(t, db.disconnect());

    let mut db = LsmDb::default();
    call!(t, db.initialize(DbConf::default()));
    call!(t, db.get_full_db_path());
}

/// Compiles as long as no name of the crate competes with one of the error codes.
fn both_globs(t: &mut Transcript) {
    mod globs {
        use lsmlite_rs::LsmErrorCode::*;
        use lsmlite_rs::*;

        pub fn codes() -> [LsmErrorCode; 5] {
            [LsmError, LsmBusy, LsmIOErr, LsmMisuse, LsmUnknownCode]
        }
    }
    call!(t, globs::codes());
}

fn a_missing_directory(t: &mut Transcript) {
    let missing = t.dir.join("missing");
    let mut db = LsmDb::default();
    call!(t, db.initialize(DbConf::new(&missing, "file".to_string())));
    call!(t, db.connect());
    call!(t, db.is_connected());
    call!(t, db.persist(b"k", b"v"));
    call!(t, db.disconnect());
    std::fs::create_dir(&missing).unwrap();
    call!(t, db.connect());
    call!(t, db.persist(b"k", b"v"));
    call!(t, db.disconnect());
}

fn an_empty_file(t: &mut Transcript) {
    let mut db = t.fresh();
    call!(t, db.get_compression_id());
    with_cursor!(t, db, cursor, {
        look(t, &cursor);
        call!(t, cursor.first());
        look(t, &cursor);
        call!(t, cursor.next());
        call!(t, cursor.prev());
        call!(t, cursor.last());
        look(t, &cursor);
        call!(t, cursor.next());
        call!(t, cursor.prev());
        for op in [Le, Eq, Ge] {
            call!(t, cursor.seek(b"k", op));
            look(t, &cursor);
        }
    });
    call!(t, db.delete(b"k"));
    call!(t, db.delete_range(b"a", b"z"));
    call!(t, db.optimize());
    call!(t, db.begin_transaction());
    call!(t, db.commit_transaction());
    walk(t, &db);
    call!(t, db.disconnect());
}

fn a_cursor_that_is_nowhere(t: &mut Transcript) {
    let mut db = t.fresh();
    fill(&mut db);
    with_cursor!(t, db, cursor, {
        look(t, &cursor);
        call!(t, cursor.next());
        call!(t, cursor.prev());
        look(t, &cursor);
        call!(t, cursor.close());
        call!(t, cursor.close());
        look(t, &cursor);
        call!(t, cursor.first());
        call!(t, cursor.last());
        call!(t, cursor.next());
        call!(t, cursor.prev());
        call!(t, cursor.seek(b"k1", Eq));
    });
}

fn a_default_cursor(t: &mut Transcript) {
    let mut cursor = LsmCursor::default();
    look(t, &cursor);
    call!(t, cursor.first());
    call!(t, cursor.last());
    call!(t, cursor.next());
    call!(t, cursor.prev());
    call!(t, cursor.seek(b"k1", Ge));
    call!(t, cursor.close());

    // To be assigned later, as its documentation says.
    let mut db = t.fresh();
    fill(&mut db);
    let mut declared_ahead = shorten(cursor);
    call!(t, declared_ahead.valid());
    declared_ahead = db.cursor_open().unwrap();
    call!(t, declared_ahead.first());
    look(t, &declared_ahead);
}

/// Compiles as long as a cursor may stand where one of a shorter life is wanted.
fn shorten<'short, 'long: 'short>(cursor: LsmCursor<'long>) -> LsmCursor<'short> {
    cursor
}

fn forward(t: &mut Transcript) {
    let mut db = t.fresh();
    fill(&mut db);
    with_cursor!(t, db, cursor, {
        call!(t, cursor.first());
        for _ in 0..6 {
            look(t, &cursor);
            call!(t, cursor.prev());
            call!(t, cursor.next());
        }
        call!(t, cursor.prev());
        call!(t, cursor.first());
        look(t, &cursor);
        call!(t, cursor.close());
    });
}

fn backward(t: &mut Transcript) {
    let mut db = t.fresh();
    fill(&mut db);
    with_cursor!(t, db, cursor, {
        call!(t, cursor.last());
        for _ in 0..6 {
            look(t, &cursor);
            call!(t, cursor.next());
            call!(t, cursor.prev());
        }
        call!(t, cursor.next());
        call!(t, cursor.last());
        look(t, &cursor);
    });
}

fn seeks(t: &mut Transcript) {
    let mut db = t.fresh();
    fill(&mut db);
    db.delete(b"k3").unwrap();
    for op in [Le, Eq, Ge] {
        for key in ["", "a", "k1", "k2", "k3", "k5", "k5x", "k7", "k8", "z"] {
            // A fresh cursor each: in 0.2.2 an exact seek of a used one may rest on its last key.
            let mut cursor = db.cursor_open().unwrap();
            t.note(
                &format!("cursor.seek({key:?}, {op:?})"),
                &cursor.seek(key.as_bytes(), op),
            );
            look(t, &cursor);
            call!(t, cursor.next());
            look(t, &cursor);
            call!(t, cursor.prev());
            look(t, &cursor);
        }
    }
    with_cursor!(t, db, cursor, {
        call!(t, cursor.first());
        call!(t, cursor.seek(b"k7", Le));
        call!(t, cursor.next());
        call!(t, cursor.prev());
        look(t, &cursor);
        call!(t, cursor.seek(b"k1", Ge));
        call!(t, cursor.prev());
        call!(t, cursor.next());
        look(t, &cursor);
    });
}

fn comparisons(t: &mut Transcript) {
    let mut db = t.fresh();
    db.persist(b"middle", b"").unwrap();
    with_cursor!(t, db, cursor, {
        call!(t, cursor.compare(b"middle"));
        call!(t, cursor.first());
        call!(t, cursor.compare(b"middle"));
        call!(t, cursor.compare(b"mid"));
        call!(t, cursor.compare(b"middles"));
        call!(t, cursor.compare(b"a"));
        call!(t, cursor.compare(b"z"));
        call!(t, cursor.compare(b""));
        call!(t, cursor.compare(b"\xff"));
        call!(t, cursor.next());
        call!(t, cursor.compare(b"middle"));
    });
}

fn writes(t: &mut Transcript) {
    let mut db = t.fresh();
    call!(t, db.persist(b"a", b"1"));
    call!(t, db.persist(b"a", b"2"));
    walk(t, &db);
    call!(t, db.update(b"b", b"3"));
    call!(t, db.update(b"a", b"4"));
    walk(t, &db);
    call!(t, db.delete(b"a"));
    call!(t, db.delete(b"a"));
    call!(t, db.delete(b"never there"));
    walk(t, &db);
    call!(t, Disk::persist(&mut db, b"\0\xff", b"\xff\0"));
    with_cursor!(t, db, cursor, {
        call!(t, cursor.seek(b"\0\xff", Eq));
        call!(t, Cursor::get_key(&cursor));
        call!(t, Cursor::get_value(&cursor));
    });
}

fn empty_keys_and_values(t: &mut Transcript) {
    let mut db = t.fresh();
    call!(t, db.persist(b"", b"value of the empty key"));
    call!(t, db.persist(b"k", b""));
    walk(t, &db);
    with_cursor!(t, db, cursor, {
        call!(t, cursor.seek(b"", Eq));
        look(t, &cursor);
        call!(t, cursor.seek(b"k", Ge));
        look(t, &cursor);
    });
    call!(t, db.disconnect());
    call!(t, db.connect());
    walk(t, &db);
    call!(t, db.delete(b""));
    walk(t, &db);
}

fn large_records(t: &mut Transcript) {
    let (key, value) = (vec![b'k'; 100_000], vec![b'v'; 5_000_000]);
    for codec in [NoCompression, LZ4, ZLib, ZStd] {
        let mut db = connected(t.conf_of(codec, codec));
        call!(t, db.persist(&key, &value));
        call!(t, db.persist(b"small", b"row"));
        call!(t, db.disconnect());
        call!(t, db.connect());
        with_cursor!(t, db, cursor, {
            call!(t, cursor.first());
            call!(t, cursor.get_key().unwrap() == key);
            call!(t, cursor.get_value().unwrap() == value);
        });
    }
}

fn range_deletions(t: &mut Transcript) {
    let mut db = t.fresh();
    fill(&mut db);
    // From a file and not from memory, where 0.2.2 may damage the value at a bound.
    db.disconnect().unwrap();
    db.connect().unwrap();
    call!(t, db.delete_range(b"k5", b"k1"));
    call!(t, db.delete_range(b"k3", b"k3"));
    walk(t, &db);
    call!(t, db.delete_range(b"k1", b"k5"));
    walk(t, &db);
    call!(t, db.delete_range(b"k6", b"k6x"));
    walk(t, &db);
    call!(t, db.delete_range(b"", b"k2"));
    walk(t, &db);
    call!(t, db.delete_range(b"a", b"z"));
    walk(t, &db);
}

fn transactions(t: &mut Transcript) {
    let mut db = t.fresh();
    call!(t, db.commit_transaction());
    call!(t, db.rollback_transaction());

    call!(t, db.begin_transaction());
    call!(t, db.persist(b"a", b"1"));
    walk(t, &db);
    call!(t, db.commit_transaction());
    call!(t, db.commit_transaction());
    call!(t, db.rollback_transaction());
    walk(t, &db);

    call!(t, db.begin_transaction());
    call!(t, db.persist(b"a", b"2"));
    call!(t, db.delete_range(b"", b"z"));
    call!(t, db.persist(b"b", b"2"));
    walk(t, &db);
    call!(t, db.rollback_transaction());
    walk(t, &db);
    call!(t, db.rollback_transaction());
    call!(t, db.commit_transaction());

    call!(t, db.begin_transaction());
    call!(t, db.begin_transaction());
    call!(t, db.persist(b"c", b"3"));
    call!(t, db.begin_transaction());
    call!(t, db.optimize());
    call!(t, db.commit_transaction());
    call!(t, db.rollback_transaction());
    walk(t, &db);

    call!(t, db.begin_transaction());
    call!(t, db.persist(b"d", b"4"));
    call!(t, db.begin_transaction());
    call!(t, db.persist(b"e", b"5"));
    call!(t, db.rollback_transaction());
    call!(t, db.commit_transaction());
    walk(t, &db);
}

fn a_close_within_a_transaction(t: &mut Transcript) {
    let mut db = t.fresh();
    call!(t, db.persist(b"a", b"1"));
    call!(t, db.begin_transaction());
    call!(t, db.persist(b"b", b"2"));
    call!(t, db.disconnect());
    call!(t, db.is_connected());
    walk(t, &db);
    call!(t, db.persist(b"c", b"3"));
    call!(t, db.commit_transaction());
    call!(t, db.disconnect());
    call!(t, db.is_connected());
    call!(t, db.connect());
    walk(t, &db);
}

fn a_drop_within_a_transaction(t: &mut Transcript) {
    let mut db = t.fresh();
    call!(t, db.persist(b"a", b"1"));
    call!(t, db.begin_transaction());
    call!(t, db.persist(b"b", b"2"));
    drop(db);
    let mut db = t.fresh();
    walk(t, &db);
    call!(t, db.persist(b"c", b"3"));
}

fn a_leaked_cursor(t: &mut Transcript) {
    let mut db = t.fresh();
    call!(t, db.persist(b"a", b"1"));
    std::mem::forget(db.cursor_open().unwrap());
    call!(t, db.persist(b"b", b"2"));
    walk(t, &db);
    call!(t, db.disconnect());
    call!(t, db.is_connected());
}

fn two_handles(t: &mut Transcript) {
    let mut one = t.fresh();
    let mut two = t.fresh();
    call!(t, one.persist(b"a", b"1"));
    walk(t, &two);
    call!(t, two.persist(b"b", b"2"));
    walk(t, &one);
    call!(t, one.begin_transaction());
    call!(t, two.begin_transaction());
    call!(t, two.persist(b"c", b"3"));
    call!(t, two.delete(b"a"));
    call!(t, one.persist(b"d", b"4"));
    walk(t, &two);
    call!(t, one.commit_transaction());
    walk(t, &two);
    call!(t, two.begin_transaction());
    call!(t, two.rollback_transaction());
    call!(t, one.disconnect());
    call!(t, two.persist(b"e", b"5"));
    walk(t, &two);
    call!(t, two.disconnect());
}

fn a_snapshot(t: &mut Transcript) {
    let mut one = t.fresh();
    let mut two = t.fresh();
    call!(t, one.persist(b"a", b"1"));
    with_cursor!(t, one, cursor, {
        call!(t, cursor.first());
        call!(t, two.persist(b"b", b"2"));
        call!(t, two.delete(b"a"));
        look(t, &cursor);
        call!(t, cursor.next());
        look(t, &cursor);
        walk(t, &one);
        walk(t, &two);
        call!(t, cursor.close());
    });
    walk(t, &one);
}

fn reopening(t: &mut Transcript) {
    let mut db = t.fresh();
    fill(&mut db);
    drop(db);
    call!(t, t.dir.join("reopening.lsm").exists());
    call!(t, t.dir.join("reopening.lsm-log").exists());
    let mut db = t.fresh();
    walk(t, &db);
    call!(t, db.delete(b"k1"));
    call!(t, db.disconnect());
    call!(t, db.connect());
    walk(t, &db);
}

fn a_folder_in_the_way(t: &mut Transcript) {
    std::fs::create_dir(t.dir.join("a-folder-in-the-way.lsm")).unwrap();
    let mut db = LsmDb::default();
    call!(t, db.initialize(t.conf(ReadWrite, NoCompression)));
    call!(t, db.connect());
    call!(t, db.is_connected());
    call!(t, db.disconnect());
}

fn read_only(t: &mut Transcript) {
    let mut db = t.fresh();
    fill(&mut db);
    db.disconnect().unwrap();

    let mut db = LsmDb::default();
    call!(t, db.initialize(t.conf(ReadOnly, NoCompression)));
    call!(t, db.connect());
    call!(t, db.is_connected());
    // No compression id yet: to ask for it before the first read crashes 0.2.2.
    call!(t, db.persist(b"k", b"v"));
    call!(t, db.update(b"k", b"v"));
    call!(t, db.delete(b"k1"));
    call!(t, db.delete_range(b"a", b"z"));
    call!(t, db.begin_transaction());
    call!(t, db.persist(b"k", b"v"));
    call!(t, db.commit_transaction());
    call!(t, db.rollback_transaction());
    walk(t, &db);
    with_cursor!(t, db, cursor, {
        call!(t, cursor.seek(b"k4", Ge));
        look(t, &cursor);
        call!(t, db.get_compression_id());
    });
    call!(t, db.get_compression_id());
    call!(t, db.disconnect());
    call!(t, db.connect());
    walk(t, &db);
}

fn read_only_beside_a_writer(t: &mut Transcript) {
    let mut writer = t.fresh();
    fill(&mut writer);
    let mut reader = t.open(ReadOnly, NoCompression);
    walk(t, &reader);
    call!(t, writer.persist(b"k9", b"new"));
    walk(t, &reader);
    call!(t, reader.persist(b"k", b"v"));
    call!(t, reader.disconnect());
    call!(t, writer.persist(b"k99", b"newer"));
    walk(t, &writer);
}

fn read_only_without_a_file(t: &mut Transcript) {
    let mut db = LsmDb::default();
    call!(t, db.initialize(t.conf(ReadOnly, NoCompression)));
    call!(t, db.connect());
    call!(t, db.is_connected());
    call!(t, t.dir.join("read-only-without-a-file.lsm").exists());
}

fn compression_ids(t: &mut Transcript) {
    for codec in [NoCompression, LZ4, ZLib, ZStd] {
        let mut db = LsmDb::default();
        call!(t, db.initialize(t.conf_of(codec, codec)));
        call!(t, db.get_compression_id());
        call!(t, db.connect());
        call!(t, db.get_compression_id());
        call!(t, db.persist(b"k", b"v"));
        call!(t, db.get_compression_id());
        call!(t, db.disconnect());
        call!(t, db.get_compression_id());
        call!(t, db.connect());
        call!(t, db.get_compression_id());
        with_cursor!(t, db, cursor, {
            call!(t, db.get_compression_id());
        });
        call!(t, db.get_compression_id());
        walk(t, &db);
    }
}

fn another_codec(t: &mut Transcript) {
    let all = [NoCompression, LZ4, ZLib, ZStd];
    for codec in all {
        let mut db = connected(t.conf_of(codec, codec));
        fill(&mut db);
        db.disconnect().unwrap();

        for other in all.into_iter().filter(|other| *other != codec) {
            let mut db = LsmDb::default();
            let initialized = db.initialize(t.conf_of(codec, other));
            t.note(
                &format!("a file of {codec:?} as one of {other:?}"),
                &initialized,
            );
            call!(t, db.connect());
            call!(t, db.persist(b"k", b"v"));
            call!(t, db.delete(b"k"));
            call!(t, db.delete_range(b"a", b"z"));
            call!(t, db.begin_transaction());
            call!(t, db.cursor_open().map(drop));
            call!(t, db.get_compression_id());
            call!(t, db.is_connected());
            call!(t, db.disconnect());
        }
        walk(t, &connected(t.conf_of(codec, codec)));
    }
}

fn another_codec_read_only(t: &mut Transcript) {
    let mut db = t.open(ReadWrite, ZStd);
    fill(&mut db);
    db.disconnect().unwrap();
    for codec in [NoCompression, LZ4, ZLib, ZStd] {
        let mut db = LsmDb::default();
        t.note(
            &format!("{codec:?}"),
            &db.initialize(t.conf(ReadOnly, codec)),
        );
        call!(t, db.connect());
        call!(t, db.cursor_open().map(drop));
        call!(t, db.persist(b"k", b"v"));
        call!(t, db.disconnect());
    }
}

fn optimize(t: &mut Transcript) {
    let mut db = t.fresh();
    call!(t, db.optimize());
    fill(&mut db);
    call!(t, db.optimize());
    walk(t, &db);
    call!(t, db.disconnect());
    call!(t, db.connect());
    call!(t, db.delete(b"k5"));
    call!(t, db.optimize());
    call!(t, db.optimize());
    walk(t, &db);
}

fn background_threads(t: &mut Transcript) {
    for thread in [Merger, Checkpointer] {
        for handle_mode in [ReadWrite, ReadOnly] {
            let name = t.name(&format!("-{thread:?}"));
            let conf = DbConf::new_with_parameters(&t.dir, name, thread, handle_mode, None, LZ4);
            let mut db = LsmDb::default();
            call!(t, db.initialize(conf));
            call!(t, db.connect());
            call!(t, db.connect());
            call!(t, db.begin_transaction());
            call!(t, db.persist(b"a", b"1"));
            call!(t, db.commit_transaction());
            call!(t, db.persist(b"b", b"2"));
            call!(t, db.delete(b"a"));
            walk(t, &db);
            call!(t, db.disconnect());
            call!(t, db.is_connected());
            call!(t, db.connect());
            walk(t, &db);
        }
    }
}

fn metrics(t: &mut Transcript) {
    use prometheus::{Histogram, HistogramOpts};
    let histogram = || Histogram::with_opts(HistogramOpts::new("name", "help")).unwrap();
    for thread in [NoThread, Merger, Checkpointer] {
        let metrics = LsmMetrics {
            write_times_s: histogram(),
            work_kbs: histogram(),
            work_times_s: histogram(),
            checkpoint_kbs: histogram(),
            checkpoint_times_s: histogram(),
        };
        let mut db = connected(DbConf::new_with_parameters(
            &t.dir,
            t.name(&format!("-{thread:?}")),
            thread,
            ReadWrite,
            Some(metrics.clone()),
            NoCompression,
        ));
        call!(t, db.persist(b"a", b"1"));
        call!(t, db.update(b"b", b"2"));
        call!(t, db.delete(b"a"));
        call!(t, db.begin_transaction());
        call!(t, db.persist(b"c", b"3"));
        call!(t, db.commit_transaction());
        call!(t, db.delete_range(b"a", b"z"));
        call!(t, db.disconnect());
        call!(t, metrics.write_times_s.get_sample_count());
        call!(t, metrics.work_times_s.get_sample_count());
        call!(t, metrics.checkpoint_times_s.get_sample_count());
        // How often, depends on the threads' timing.
        call!(t, metrics.work_kbs.get_sample_count() > 0);
        call!(t, metrics.checkpoint_kbs.get_sample_count() > 0);
    }
}

fn conversions(t: &mut Transcript) {
    for n in (-2..70).chain(9_999..10_006) {
        t.note(
            &format!("LsmErrorCode::try_from({n})"),
            &LsmErrorCode::try_from(n),
        );
        t.note(
            &format!("LsmCursorSeekOp::try_from({n})"),
            &LsmCursorSeekOp::try_from(n),
        );
        t.note(&format!("LsmMode::try_from({n})"), &LsmMode::try_from(n));
        t.note(
            &format!("LsmCompressionLib::try_from({n})"),
            &LsmCompressionLib::try_from(n),
        );
        if let Ok(code) = LsmErrorCode::try_from(n) {
            t.note(&format!("LsmErrorCode {n} as text"), &code.to_string());
            let error: Box<dyn std::error::Error + Send + Sync> = code.into();
            t.note(
                &format!("LsmErrorCode {n} as an error"),
                &error.source().is_none(),
            );
        }
    }
    call!(t, LsmMode::default());
    call!(t, LsmHandleMode::default());
    call!(t, LsmCompressionLib::default());
    call!(t, [ReadOnly as i32, ReadWrite as i32]);
    for mode in [NoThread, Merger, Checkpointer] {
        let text = serde_json::to_string(&mode).unwrap();
        t.note(&format!("{mode:?} as JSON"), &text);
        t.note(
            &format!("{mode:?} from JSON"),
            &serde_json::from_str::<LsmMode>(&text).ok(),
        );
    }
}
