//! Formats of values.

use std::collections::BTreeMap;

use lsmlite_rs::typed::{Postcard, Raw, TypedTable, ValueFormat};
use lsmlite_rs::{LsmDb, LsmErrorCode};
use serde::{Deserialize, Serialize, Serializer};

use crate::common::Result;

#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
enum Event {
    Started,
    Moved { by: (i32, i32), why: Option<String> },
    Tagged(BTreeMap<String, Vec<u8>>),
}

#[test]
fn values_come_back_through_serde() -> Result {
    const EVENTS: TypedTable<u64, Event> = TypedTable::new(b"events/");
    let dir = tempfile::tempdir()?;
    let mut db = LsmDb::open(dir.path().join("events.lsm"))?;
    let events = [
        Event::Started,
        Event::Moved {
            by: (-3, 70_000),
            why: Some("wind".into()),
        },
        Event::Tagged([("a".to_string(), vec![0, 255])].into()),
    ];
    for (n, event) in (0..).zip(&events) {
        EVENTS.insert(&mut db, n, event)?;
    }
    let found: Vec<_> = EVENTS.iter(&db).collect::<std::result::Result<_, _>>()?;
    assert_eq!(found, (0..).zip(events).collect::<Vec<_>>());
    Ok(())
}

#[test]
fn bytes_after_a_value_are_an_error() -> Result {
    let mut bytes = Vec::new();
    Postcard::encode(&7_u32, &mut bytes)?;
    assert_eq!(<Postcard as ValueFormat<u32>>::decode(&bytes)?, 7);
    bytes.push(0);
    assert!(<Postcard as ValueFormat<u32>>::decode(&bytes).is_err());
    Ok(())
}

#[test]
fn raw_values_are_what_plain_handles_see() -> Result {
    const BYTES: TypedTable<u8, Vec<u8>, Raw> = TypedTable::new(b"bytes/");
    const IDS: TypedTable<u8, [u8; 4], Raw> = TypedTable::new(b"ids/");
    const NAMES: TypedTable<u8, String, Raw> = TypedTable::new(b"names/");
    const SET: TypedTable<u8, (), Raw> = TypedTable::new(b"set/");
    let dir = tempfile::tempdir()?;
    let mut db = LsmDb::open(dir.path().join("raw.lsm"))?;
    BYTES.insert(&mut db, 1, b"\0\xff".to_vec())?;
    IDS.insert(&mut db, 1, *b"four")?;
    NAMES.insert(&mut db, 1, "née".to_string())?;
    SET.insert(&mut db, 1, ())?;
    assert_eq!(db.get(b"bytes/\x01")?.as_deref(), Some(&b"\0\xff"[..]));
    assert_eq!(db.get(b"names/\x01")?.as_deref(), Some("née".as_bytes()));
    assert_eq!(BYTES.get(&db, 1)?.as_deref(), Some(&b"\0\xff"[..]));
    assert_eq!(IDS.get(&db, 1)?, Some(*b"four"));
    assert_eq!(NAMES.get(&db, 1)?.as_deref(), Some("née"));
    assert_eq!(SET.get(&db, 1)?, Some(()));

    db.insert(b"ids/\x01", b"five!")?;
    db.insert(b"names/\x01", b"\xff")?;
    db.insert(b"set/\x01", b"x")?;
    assert!(IDS.get(&db, 1).unwrap_err().is_corrupt());
    assert!(NAMES.get(&db, 1).unwrap_err().is_corrupt());
    assert!(SET.get(&db, 1).unwrap_err().is_corrupt());
    Ok(())
}

#[derive(Deserialize)]
struct Unwilling;

impl Serialize for Unwilling {
    fn serialize<S: Serializer>(&self, _: S) -> std::result::Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("not today"))
    }
}

#[test]
fn a_value_that_cannot_be_encoded_is_an_error_and_nothing_is_stored() -> Result {
    const TABLE: TypedTable<u8, Unwilling> = TypedTable::new(b"");
    let dir = tempfile::tempdir()?;
    let mut db = LsmDb::open(dir.path().join("unwilling.lsm"))?;
    let error = TABLE.insert(&mut db, 1, Unwilling).unwrap_err();
    assert_eq!(error.code(), LsmErrorCode::LsmConversionErr);
    assert_eq!(error.operation(), "encode a value");
    assert!(error.path().unwrap().ends_with("unwilling.lsm"));
    assert!(!TABLE.contains_key(&db, 1)?);
    Ok(())
}
