//! What happens when memory runs out.

use crate::faults::{Sweep, compressed, small};
use crate::harness::{Config, Db, Kind, Rc, can_allocate, fail_nth, heal};

// The default allocator wrote to what malloc() returned without looking at it.
#[test]
fn an_impossible_allocation_is_refused() {
    assert!(can_allocate(100));
    assert!(!can_allocate(usize::MAX / 4));
    assert!(!can_allocate(usize::MAX - 3));
}

#[test]
fn every_single_allocation_failure_is_survived() {
    Sweep {
        kind: Kind::Alloc,
        config: small(),
        seed: 6,
        steps: 100,
        points: 40,
    }
    .run();
}

#[test]
fn every_single_allocation_failure_is_survived_with_compression() {
    Sweep {
        kind: Kind::Alloc,
        config: compressed(),
        seed: 7,
        steps: 100,
        points: 40,
    }
    .run();
}

// An entry that lies in two pieces of shared memory is put together in a buffer. When there was
// none to be had, it counted as the end of the tree, and the flush dropped what followed; the
// next attempt crashed.
#[test]
fn a_flush_without_memory_loses_no_rows() -> Rc {
    let config = Config {
        autoflush_kib: 1024,
        ..small()
    };
    for n in 1.. {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("db");
        let db = Db::open(&path, &config)?;
        for i in 0..40 {
            db.insert(format!("{i:04}").as_bytes(), &[b'v'; 3000])?;
        }
        fail_nth(Kind::Alloc, n);
        let flushed = db.flush();
        if !heal() {
            assert!(n > 20, "{n} allocations only");
            return flushed;
        }
        assert_eq!(db.scan()?.len(), 40, "allocation {n}");
        db.flush()?;
        assert_eq!(db.scan()?.len(), 40, "allocation {n}");
        db.abandon();
        assert_eq!(Db::open(&path, &config)?.scan()?.len(), 40);
    }
    Ok(())
}
