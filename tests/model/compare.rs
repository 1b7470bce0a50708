//! Reading a database and comparing what comes with the map.

use crate::expected::{Map, Written};
use crate::store::{Cursor, Outcome, Seek, Store};

/// Seeks and goes up to `n` steps on; `n` = `usize::MAX` reads to the end.
pub fn walk(
    cursor: &mut impl Cursor,
    keys: &[Vec<u8>],
    map: &Map,
    how: Seek,
    k: u32,
    n: usize,
) -> Outcome {
    let up: &mut dyn Iterator<Item = (&u32, &Written)>;
    let (mut ge, mut le, mut eq);
    match how {
        Seek::First | Seek::AtOrAfter => {
            ge = map.range(if how == Seek::First { 0 } else { k }..);
            up = &mut ge;
        }
        Seek::Last | Seek::AtOrBefore => {
            le = map
                .range(..=if how == Seek::Last { u32::MAX } else { k })
                .rev();
            up = &mut le;
        }
        Seek::Exactly => {
            eq = map.range(k..=k);
            up = &mut eq;
        }
    }
    let target = keys.get(k as usize).ok_or("no such key")?;
    cursor.seek(target, how)?;
    let mut step = 0;
    loop {
        let place = || format!("{how:?} {k}, step {step}");
        let expected = up.next();
        compare_record(cursor.record()?, keys, expected).map_err(|e| place() + ": " + &e)?;
        if expected.is_none() || how == Seek::Exactly || step >= n {
            return Ok(());
        }
        cursor.step(how).map_err(|e| place() + ": " + &e)?;
        step += 1;
    }
}

pub fn compare_record(
    found: Option<(Vec<u8>, Vec<u8>)>,
    keys: &[Vec<u8>],
    expected: Option<(&u32, &Written)>,
) -> Outcome {
    let name = |key: &Vec<u8>| match keys.binary_search(key) {
        Ok(k) => format!("key {k}"),
        Err(_) => format!("foreign key {:?}", &key[..key.len().min(20)]),
    };
    match (found, expected) {
        (None, None) => Ok(()),
        (None, Some((k, _))) => Err(format!("nothing, expected key {k}")),
        (Some((key, _)), None) => Err(format!("{}, expected the end", name(&key))),
        (Some((key, value)), Some((k, written))) => {
            if keys.get(*k as usize) != Some(&key) {
                return Err(format!("{}, expected key {k}", name(&key)));
            }
            compare_value(Some(value), Some(written)).map_err(|e| format!("key {k}: {e}"))
        }
    }
}

pub fn compare_value(found: Option<Vec<u8>>, expected: Option<&Written>) -> Outcome {
    let bytes = expected.map(|written| written.bytes());
    if found == bytes {
        return Ok(());
    }
    let show = |value: &Option<Vec<u8>>| match value {
        None => String::from("no value"),
        Some(v) => format!("{} bytes {:?}", v.len(), &v[..v.len().min(8)]),
    };
    Err(format!(
        "{}, expected {} ({expected:?})",
        show(&found),
        show(&bytes)
    ))
}

/// Everything, forwards and backwards, on a new cursor.
pub fn everything<S: Store>(store: &S, keys: &[Vec<u8>], map: &Map) -> Outcome {
    let mut cursor = store.cursor()?;
    walk(&mut cursor, keys, map, Seek::First, 0, usize::MAX)?;
    walk(&mut cursor, keys, map, Seek::Last, 0, usize::MAX)
}

/// All records, without expecting any; keys by their place.
pub fn contents<S: Store>(store: &S, keys: &[Vec<u8>]) -> Outcome<Vec<(u32, Vec<u8>)>> {
    let mut cursor = store.cursor()?;
    cursor.seek(&[], Seek::First)?;
    let mut found = Vec::new();
    while let Some((key, value)) = cursor.record()? {
        let k = keys
            .binary_search(&key)
            .map_err(|_| format!("foreign key {:?}", &key[..key.len().min(20)]))?;
        found.push((k as u32, value));
        if found.len() > keys.len() {
            return Err(String::from("the scan doesn't end"));
        }
        cursor.step(Seek::First)?;
    }
    Ok(found)
}
