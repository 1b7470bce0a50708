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
        page_size: 256,
        block_kib: 64,
        autoflush_kib: 1,
        automerge: 4,
        max_freelist: 4,
        autocheckpoint_kib: 64,
        compression: true,
        ..quick()
    };
    let ground = Ground {
        config,
        long_key: 0,
    };
    check(
        &ground,
        "i310.1194 w2.2 i83.378 l81.3 i445.2424 i645.2144 i180.659 i509.553 w4 i824.1860 d412 \
         w3 g280.5 i125.293 g253.2 f i554.665 i219.2307 g871.7 l826.4 e74 e554 i449.2128 \
         i18.2900 i111.446 k o i628.2978 s i956.1636 i460.2015 i904.2389 e316 i657.2948 l866.3 \
         i882.92 i104.423 o i982.2602 d285 f i785.2154 i600.2668 i605.2356 l872.6 i99.2394 \
         i790.2267 k s i739.1967 i460.1658 i94.2924 i242.590 i727.2834 i288.1536 i333.789 \
         l693.4 k z i938.2202 w1.2 i790.917 o i640.163 i993.141 i608.138 i729.2064 e41 \
         i517.2983 f g441.4 l416.0 i760.1594 g470.2 i594.1557 g192.5 i960.2550 k i948.961 \
         i491.80 d692 i909.316 d278 w2.9 w4.1 w4.12 d947 l305.6 i524.2749 i916.1842 i65.799 \
         i947.1283 i501.213 i627.1615 w1 f i15.410 z i445.959 e165 i411.2469 i356.1586 d898 o \
         l844.6 i121.965 f i767.2461 w1.7 k i138.494 i929.628 i595.2715 i0.978 i261.2706 \
         i870.286 i409.1770 i785.413 i639.935 g168.3 i795.600 i605.2001 i782.84 g749.1 i558.291 \
         i19.949 i902.2778 g297.1 i345.1552 i640.708 i671.2940 i618.2393 i779.2560 i829.2316 \
         e955 i916.2368 l900.6 i191.146 s d275 i175.2764 g947.1 i883.169 i43.1087 k i66.1159 \
         d971 l264.0 e818 i901.2614 i100.817 l995.3 l453.1 i673.2774 k i862.2039 i498.2140 \
         i889.1500 l468.6 s d31 e986 i990.2150 e864 i325.1337 g99.3 g195.5 i707.2770 z w4.4 \
         i292.2345 i93.1024 i294.404 i74.2654 f w3.1 d991 i618.1602 z i796.260 i125.560 \
         i133.1618 i276.2636 i458.983 i891.691 e402 i546.50 i100.219 i470.2092 i407.641 w2.7 \
         l505.6 l998.0 i935.1511 s f g357.6 s i44.2989 i574.2777 i654.579 z i708.2784 i513.64 k \
         i933.1539 i399.937 i869.2700 i375.1973 i949.2311 l418.0 i58.2730 d458 f i306.154 \
         i643.2743 m5 i98.2237 i782.2753 s i438.150 l775.2 i817.882 i788.1972 s i217.1610 \
         i387.834 e180 i4.2288 w1.6 g437.3 i563.1908 i888.2805 i830.1181 i361.1520 l825.1 \
         i906.1221 f k l684.2 l800.5 i153.83 k w1.9 i896.1751 i293.659 i266.835 i292.1830 \
         g128.3 i392.2751 w2 i471.2364 g978.3 i955.2328 w1.10 d455 i565.113 i494.124 w2.6 \
         g980.3 s i438.402 w2.2 i643.1040 i88.1058 g652.4 i671.2066 g84.6 m2 i771.1221 w4 f \
         d314 i716.496 i519.1367 f k k i986.2266 i866.291 i564.1835 i658.1913 i476.2079 k w1.12 \
         i983.1126 k i557.2017 i81.2807 s d74 k i596.2901 k i382.1014 i206.511 i91.2940 \
         i64.1196 i394.2205 l374.1 i563.2263 l942.7 i315.1445 g372.5 i512.2193 i656.1225 \
         i517.1403 s d378 g818.6 g350.1 i633.2846 f i630.721 w4.10 i411.1008 i249.2007 \
         i574.1640 f g101.0 w4.5 d947 g627.3 i589.695 d120 e390 l536.1 e337 d720 e729 i126.2510 \
         i161.1840 i429.435 k i395.2241 g705.3 i720.1996 i342.2822 w3 i401.2276 i783.1856 \
         i580.112 i428.742 i600.1914 g219.1 g612.2 i870.766 i447.765 i646.85 i782.2087 i415.335 \
         i404.1824 w3.6 i728.750 i878.1895 f i634.2492 e825 i911.1502 i243.347 i972.842 \
         i775.2682 i444.239 i364.271 i4.1127 i998.2941 w4.7 i403.2652 w2.3 m2 i441.2435 w1.3 \
         d817 d481 i94.2406 l154.3 e836 i149.1600 g804.4 i918.467 i1.1919 i666.27 i631.205 \
         i951.2883 l542.2 g82.4 e139 i532.1304 d772 w3 g259.3 e98 w1.12 i109.1837 e394 w2 \
         i9.1183 l66.1 i131.479 i745.1063 g707.3 l949.7 i391.496 l925.1 i416.1619 d812 w2.4 \
         i683.1332 l827.4 i343.1417 i137.133 d389 i342.629 i113.2862 s i617.633 d780 i139.2035 \
         i210.1107 k i745.2862 l48.3 g760.1 l944.7 i953.588 w1.2 i968.279 s i722.770 i157.2423 \
         i371.1213 w1 f w1.2 i42.2702 i70.2174 i930.2132 i665.344 s w4.6 i293.1378 k d668 \
         i87.1220 l304.3 g435.5 i990.917 m2 i753.415 g985.1",
    );
}

fn quick() -> Config {
    Config {
        safety: 0,
        ..Config::default()
    }
}
