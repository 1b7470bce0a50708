//! What happens when memory runs out.

use crate::faults::{small, sweep};
use crate::harness::{Config, Kind, can_allocate};

// The default allocator wrote to what malloc() returned without looking at it.
#[test]
fn an_impossible_allocation_is_refused() {
    assert!(can_allocate(100));
    assert!(!can_allocate(usize::MAX / 4));
    assert!(!can_allocate(usize::MAX - 3));
}

#[test]
fn every_single_allocation_failure_is_survived() {
    sweep(Kind::Alloc, &small(), 6, 100, 7);
}

#[test]
#[ignore = "not yet true: a fault can end in a crash"]
fn every_single_allocation_failure_is_survived_with_compression() {
    sweep(
        Kind::Alloc,
        &Config {
            compression: true,
            ..small()
        },
        7,
        150,
        5,
    );
}
