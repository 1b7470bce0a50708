//! Bytes that nobody encoded.

use std::cmp::Reverse;
use std::time::{Duration, SystemTime};

use lsmlite_rs::typed::{TtlTable, TypedTable};
use lsmlite_rs::{LsmDb, LsmErrorCode};

use crate::common::{Repeat, Result, SplitMix64};
use crate::for_every_key;
use crate::keys::{alone, within};
use crate::samples::Sample;

/// Random bytes, and encodings with a byte changed, added or lost.
fn mangled<K: Sample>(rng: &mut SplitMix64) -> Vec<u8> {
    if rng.one_in(3) {
        let len = rng.below(40) as usize;
        return match rng.one_in(2) {
            true => rng.bytes(len),
            false => (0..len).map(|_| rng.pick(&[0, 1, 2, 0xfe, 0xff])).collect(),
        };
    }
    let mut bytes = alone(&K::random(rng));
    let at = rng.below(bytes.len() as u64 + 1) as usize;
    match rng.below(3) {
        0 => bytes.insert(at, rng.next() as u8),
        1 => bytes.truncate(at),
        _ => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = rng.next() as u8;
            }
        }
    }
    bytes
}

/// What decodes at all is the encoding of what it decodes to: no two keys of one table look
/// the same to the program.
fn either_decode_or_dont<K: Sample>(seed: u64) -> Result {
    let _repeat = Repeat(format!("{} with seed {seed}", std::any::type_name::<K>()));
    let mut rng = SplitMix64::new(seed);
    for _ in 0..5000 {
        let bytes = mangled::<K>(&mut rng);
        if let Ok(key) = K::decode_alone(&bytes) {
            assert_eq!(alone(&key), bytes, "{key:?}");
        }
        let mut rest = bytes.as_slice();
        if let Ok(key) = K::decode(&mut rest) {
            let used = bytes.len() - rest.len();
            assert_eq!(within(&key), bytes[..used], "{key:?}");
        }
    }
    Ok(())
}

#[test]
fn mangled_keys_are_errors_or_other_keys() -> Result {
    for_every_key!(either_decode_or_dont);
    Ok(())
}

#[test]
fn mangled_values_are_errors_or_other_values() -> Result {
    use lsmlite_rs::typed::{Postcard, ValueFormat};
    type Value = (
        String,
        Vec<Option<u64>>,
        [u8; 3],
        std::result::Result<char, f64>,
    );

    let mut rng = SplitMix64::new(1);
    let value: Value = ("text".into(), vec![Some(3), None], [1, 2, 3], Ok('x'));
    let mut encoded = Vec::new();
    Postcard::encode(&value, &mut encoded)?;
    let mut errors = 0;
    for _ in 0..50_000 {
        let mut bytes = encoded.clone();
        for _ in 0..=rng.below(3) {
            let at = rng.below(bytes.len() as u64) as usize;
            bytes[at] = rng.next() as u8;
        }
        bytes.truncate(rng.below(bytes.len() as u64 * 2) as usize);
        errors += u32::from(<Postcard as ValueFormat<Value>>::decode(&bytes).is_err());
    }
    assert!(errors > 10_000, "{errors}");
    Ok(())
}

#[test]
fn a_foreign_record_ends_iteration_with_an_error_that_names_it() -> Result {
    const TABLE: TypedTable<u32, u32> = TypedTable::new(b"t/");
    let dir = tempfile::tempdir()?;
    let mut db = LsmDb::open(dir.path().join("foreign.lsm"))?;
    TABLE.insert(&mut db, 1, 10)?;
    TABLE.insert(&mut db, 3, 30)?;
    db.insert(b"t/\0\0\0\x02x", [5])?;

    let mut forwards = TABLE.iter(&db);
    assert_eq!(forwards.next().transpose()?, Some((1, 10)));
    let error = forwards.next().unwrap().unwrap_err();
    assert_eq!(error.code(), LsmErrorCode::LsmCorrupt);
    assert_eq!(error.operation(), "decode a key");
    assert!(error.path().unwrap().ends_with("foreign.lsm"));
    let text = error.to_string();
    assert!(text.contains(r#"b"t/\x00\x00\x00\x02x""#), "{text}");
    assert!(
        text.contains("other types") && !text.contains("backup"),
        "{text}"
    );
    assert!(forwards.next().is_none());
    assert!(forwards.next_back().is_none());
    drop(forwards);

    let mut backwards = TABLE.iter(&db).rev();
    assert_eq!(backwards.next().transpose()?, Some((3, 30)));
    assert!(backwards.next().unwrap().is_err());
    assert!(backwards.next().is_none());
    drop(backwards);

    db.insert(TABLE.raw_key(9), b"")?;
    let error = TABLE.get(&db, 9).unwrap_err();
    assert_eq!(error.operation(), "decode a value");
    assert!(error.is_corrupt());
    assert!(TABLE.contains_key(&db, 9)?);
    Ok(())
}

#[test]
fn a_record_without_an_expiry_is_an_error_that_a_write_mends() -> Result {
    const TABLE: TtlTable<u8, u8> = TtlTable::new(b"t/");
    let dir = tempfile::tempdir()?;
    let mut db = LsmDb::open(dir.path().join("short.lsm"))?;
    db.insert(b"t/\0\x05", b"1234567")?;
    assert!(TABLE.get(&db, 5).unwrap_err().is_corrupt());
    assert!(TABLE.time_left(&db, 5).unwrap_err().is_corrupt());
    assert!(TABLE.iter(&db).next().unwrap().unwrap_err().is_corrupt());
    assert!(
        TABLE
            .renew(&mut db, 5, Duration::MAX)
            .unwrap_err()
            .is_corrupt()
    );
    TABLE.insert(&mut db, 5, 55, Duration::MAX)?;
    assert_eq!(TABLE.get(&db, 5)?, Some(55));
    Ok(())
}
