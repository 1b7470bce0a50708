//! Rows in the order of their requests, and none left out.

use lsmlite_rs::{LsmDb, Transaction, Writer};

use crate::Outcome;
use crate::common::{Result, SplitMix64, contents};

pub const LAST: &[u8] = b"last";

/// The number that counts all requests, from 1.
pub fn number(tx: &Transaction<'_>) -> Outcome<u64> {
    Ok(tx.get(LAST)?.map_or(0, |bytes| {
        u64::from_be_bytes(bytes.try_into().expect("eight bytes"))
    }))
}

pub fn row(number: u64) -> Vec<u8> {
    // In no order.
    [
        b"row".as_slice(),
        &number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes(),
    ]
    .concat()
}

pub fn value(number: u64) -> Vec<u8> {
    SplitMix64::new(number).bytes(number as usize % 150)
}

/// Writes the next row; returns its number.
pub fn append(writer: &Writer) -> Outcome<u64> {
    writer.update(|tx| {
        let next = number(tx)? + 1;
        tx.insert(row(next), value(next))?;
        tx.insert(LAST, next.to_be_bytes())?;
        Ok(next)
    })
}

/// The database holds rows 1 to a number that is at least this one, each as it was written, and
/// nothing else: requests are there as a whole, in their order, without a gap.
pub fn assert_rows(db: &LsmDb, acknowledged: u64, when: &str) -> Result<u64> {
    let found = contents(db)?;
    let last = match found.get(LAST) {
        Some(bytes) => u64::from_be_bytes(bytes[..].try_into()?),
        None => 0,
    };
    assert!(last >= acknowledged, "{when}: {last} of {acknowledged}");
    for number in 1..=last {
        let value = Some(value(number));
        assert!(
            found.get(&row(number)) == value.as_ref(),
            "{when}: {number} of {last}"
        );
    }
    assert_eq!(found.len() as u64, last + u64::from(last > 0), "{when}");
    Ok(last)
}
