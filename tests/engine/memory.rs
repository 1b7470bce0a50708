//! What happens when memory runs out.

use crate::faults::{Sweep, compressed, small};
use crate::harness::{Kind, can_allocate};

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
