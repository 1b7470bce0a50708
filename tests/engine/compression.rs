//! Pages that pass through a compression hook.

use std::time::Duration;

use crate::harness::{CORRUPT, Config, Db, Rc, within};
use crate::history::{Ground, check};

fn compressed() -> Config {
    Config {
        compression: true,
        block_kib: 64,
        page_size: 1024,
        ..Config::default()
    }
}

// When a merge leaves nothing, its level is freed; finishing the merge then used it again.
#[test]
fn a_merge_may_annihilate_every_key() -> Rc {
    let dir = tempfile::tempdir().expect("temporary directory");
    let db = Db::open(
        &dir.path().join("db"),
        &Config {
            faults: true,
            ..compressed()
        },
    )?;
    for _ in 0..5 {
        for i in 0..200 {
            db.insert(format!("{i:04}").as_bytes(), &[b'v'; 100])?;
        }
        db.flush()?;
        for i in 0..200 {
            db.delete(format!("{i:04}").as_bytes())?;
        }
        db.flush()?;
        db.work(1, -1)?;
        assert_eq!(db.scan()?, []);
    }
    db.close()
}

// A record of size 0 made the reader stand still for ever, or return a page that nobody had
// filled.
#[test]
fn a_record_of_size_zero_is_corruption() {
    within(Duration::from_secs(20), || {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("db");
        let db = Db::open(&path, &compressed()).expect("open");
        for i in 0..400 {
            db.insert(format!("{i:04}").as_bytes(), &[b'v'; 100])
                .expect("insert");
        }
        db.close().expect("close");
        let mut file = std::fs::read(&path).expect("file");
        file[8192..].fill(0); // all but the two checkpoints
        std::fs::write(&path, file).expect("file");

        let db = Db::open(&path, &compressed()).expect("open");
        let mut cursor = db.cursor().expect("cursor");
        assert_eq!(cursor.first(), Err(CORRUPT));
        assert_eq!(cursor.last(), Err(CORRUPT));
    });
}

// --- histories that were found at random and then shrunk

// A page of a block's earlier life was still in the cache, and was taken for the neighbour of
// a page in the block's new life.
#[test]
fn a_reused_block_does_not_bring_back_old_pages() {
    let config = Config {
        page_size: 4096,
        block_kib: 64,
        autoflush_kib: 1,
        automerge: 8,
        max_freelist: 24,
        autocheckpoint_kib: 64,
        compression: true,
        ..quick()
    };
    let ground = Ground {
        config,
        long_key: 100,
    };
    check(
        &ground,
        "i14.53 f i4.141 m2 f w1 i1.15 f i11.177 i5.138 i16.110 i18.110 i1.77 i19.19 w1.4 d17 \
         i16.188 i13.98 i1.187 i6.117 i16.44 f i6.66 f i4.182 i8.162 i17.163 d4 i10.37 d4 \
         i1.164 i12.66 i13.169 i12.199 i11.175 i17.31 f i14.33 w3.10 i4.100 i13.174 i9.176 \
         i0.20 i12.22 l0.2",
    );
}

fn quick() -> Config {
    Config {
        safety: 0,
        ..Config::default()
    }
}
