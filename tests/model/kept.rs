//! Histories that once went wrong, made small. What isn't stated is plain (see
//! `Settings::from_str`).

use lsmlite_rs::LsmDb;

use crate::common::Result;
use crate::runner::kept;

// A cursor on its way past the pages of a large value read a cell that they don't have, when
// the mapping grew just then.
#[test]
fn a_mapping_that_grows_while_a_cursor_passes_large_values() -> Result {
    kept::<LsmDb>(
        "page_bytes=512 block_kib=512 autoflush_kib=2 free_list=2 mmap=32 readers=2 keys=150 \
         key_shape=1 value_bytes=3000 ranges=0: \
         i119.2717 i125.2386 i29.1801 i123.1410 i118.483 i119.248 i54.1283 i134.0 i104.1603 \
         i109.227 L1.119.10 i62.2416 i78.2803 i120.2835 i121.1770 i89.1920 i125.1160 i85.1254 \
         i122.1254 i101.1202 i10.2608 i98.1744 i106.148 i97.427 i128.1669 w2.5 i135.90 i100.69 \
         i60.460 i71.2753 N1 w4.11 i47.0 i128.300 i46.2395 l35.1 i51.654 L0.69.10 i51.1525 \
         i49.2140 i42.1984 i66.1206 i45.1759 i64.1289 i52.2635 k f i48.1104 i45.2304 i71.696 \
         a64 i50.1264 i68.2006 i128.451 i47.1613 L1.52.0 i52.1157 i14.1960 i77.765 i16.94 \
         i128.1742 i25.1473 j24.36.10 i122.655 i10.2526 i144.1794 i6.1815 e23 i11.2337 w1.9 \
         w1.1048576 N0 i136.2859 S0",
    )
}

// A writer closed beside a reader and left its tree in the memory that the reader kept; the
// next one wrote it again, with a log position of before.
#[test]
fn a_writer_that_came_back_beside_a_reader_loses_nothing() -> Result {
    kept::<LsmDb>(
        "page_bytes=32768 block_kib=512 autoflush_kib=1 readers=1 read_only=1 autowork=0 keys=60: \
         N0 i33.8398 i48.356 o d0 w1.14 k i15.454 y",
    )?;
    kept::<LsmDb>(
        "autoflush_kib=4 autocheckpoint_kib=0 multi_process=1 readers=3 read_only=1 autowork=0 \
         key_shape=2: \
         N2 i5.1453 i19.2752 d6 x w4.6 i20.2592 k i12.2747 y",
    )
}
