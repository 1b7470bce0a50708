//! Histories that once went wrong, made small. What isn't stated is plain (see
//! `Settings::from_str`).

use lsmlite_rs::LsmDb;

use crate::common::Result;
use crate::harness::Db;
use crate::runner::kept;

// A cursor on its way past the pages of a large value read a cell that they don't have, when
// the mapping grew just then.
#[test]
fn a_mapping_that_grows_while_a_cursor_passes_large_values() -> Result {
    kept::<Db>(
        "page_bytes=512 block_kib=512 autoflush_kib=2 free_list=2 mmap=1 readers=2 keys=150 \
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

// A nested transaction jumped over the part of the log that recovery needs, and was rolled
// back: later commits were written over that part.
#[test]
fn a_nested_rollback_across_a_jump_of_the_log_loses_nothing() -> Result {
    kept::<Db>(
        "page_bytes=512 autoflush_kib=0 autocheckpoint_kib=0 automerge=2 free_list=3 \
         safety=1 value_bytes=3000 nesting=4: \
         i3.2938 i1.1650 i20.2922 i0.2193 i20.2917 i4.1385 i17.2245 i2.1299 i6.2530 i2.2602 \
         i4.1472 i19.2579 i3.2249 i14.2454 i3.1828 i17.1104 i15.2720 i16.1293 i8.1957 \
         i5.1006 i10.2377 i20.1865 i8.674 i7.1960 i10.2699 i5.2207 i11.863 i2.2159 i16.1234 \
         i8.2389 i9.1432 i6.2333 i9.1796 i6.1731 i10.1536 i7.2097 i5.745 i15.1522 i20.2897 \
         i3.1149 i8.1453 i18.2905 i8.1164 i18.833 i17.621 i19.2802 i12.1035 i4.676 i5.2771 \
         i6.2797 i0.2507 i10.1057 i2.2394 i13.1336 i18.1055 i0.2595 i18.1782 i2.2997 \
         i4.1111 i1.788 i4.485 i13.1225 i15.1852 i7.400 i10.559 i9.1729 i4.276 i13.1214 \
         i8.2967 i8.223 i16.1625 i12.820 i18.2604 i8.393 i14.1582 i8.476 k i20.2636 \
         i10.2983 i6.1551 i3.2379 i12.2760 i19.2368 i0.1849 i18.1083 i14.1417 i10.1966 \
         i5.1080 i13.1672 i5.1520 i12.1665 i9.2705 i6.1051 i8.2570 i6.739 i6.2341 i4.1314 \
         i1.812 i3.1664 i3.2407 i13.513 i18.1033 i0.2521 i3.1741 i3.2519 i5.1305 i2.1119 \
         i3.1215 i5.836 i18.2048 i3.1560 i10.1297 i20.2516 i9.1977 i2.518 i13.1196 i17.435 \
         i1.1696 i6.1464 i8.1107 i17.2405 i8.2925 i7.2528 i5.1045 i4.2402 i0.1005 i17.1798 \
         i9.2557 i0.2022 i20.2787 i7.2372 i4.507 i13.2475 i11.2907 i8.2235 i7.2060 i6.2794 \
         i1.2224 i10.2745 i4.1938 i6.551 i4.1997 i9.2083 b i11.2929 b i5.2630 i2.2770 \
         i6.1890 i6.669 u i4.2832 C i11.2944 i20.2094 y",
    )
}
