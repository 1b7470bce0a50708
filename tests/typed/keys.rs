//! Encodings of keys.

use std::cmp::Reverse;
use std::time::{Duration, SystemTime};

use lsmlite_rs::typed::Key;

use crate::common::{Repeat, Result, SplitMix64};
use crate::for_every_key;
use crate::samples::Sample;

pub fn alone<K: Key>(key: &K) -> Vec<u8> {
    let mut bytes = Vec::new();
    K::encode_alone(key.by_ref(), &mut bytes);
    bytes
}

pub fn within<K: Key>(key: &K) -> Vec<u8> {
    let mut bytes = Vec::new();
    K::encode(key.by_ref(), &mut bytes);
    bytes
}

fn keep_order<K: Sample>(seed: u64) -> Result {
    let _repeat = Repeat(format!("{} with seed {seed}", std::any::type_name::<K>()));
    let mut rng = SplitMix64::new(seed);
    let keys: Vec<K> = (0..200).map(|_| K::random(&mut rng)).collect();
    for a in &keys {
        for b in &keys {
            let order = a.order(b);
            assert_eq!(alone(a).cmp(&alone(b)), order, "{a:?} {b:?}");
            let (a_bytes, b_bytes) = (within(a), within(b));
            assert_eq!(a_bytes.cmp(&b_bytes), order, "{a:?} {b:?}");
            assert!(
                order.is_eq() || !a_bytes.starts_with(&b_bytes),
                "{b:?} begins {a:?}"
            );
        }
    }
    Ok(())
}

#[test]
fn encodings_have_the_order_of_their_values() -> Result {
    for_every_key!(keep_order);
    Ok(())
}

fn come_back<K: Sample>(seed: u64) -> Result {
    let _repeat = Repeat(format!("{} with seed {seed}", std::any::type_name::<K>()));
    let mut rng = SplitMix64::new(seed);
    for _ in 0..2000 {
        let key = K::random(&mut rng);
        let found = K::decode_alone(&alone(&key))?;
        assert!(found.order(&key).is_eq(), "{key:?} became {found:?}");

        // Within another key something follows, which is left.
        let mut bytes = within(&key);
        let after = Vec::<u8>::random(&mut rng);
        bytes.extend_from_slice(&after);
        let mut rest = bytes.as_slice();
        let found = K::decode(&mut rest)?;
        assert!(found.order(&key).is_eq(), "{key:?} became {found:?}");
        assert_eq!(rest, after, "{key:?}");
    }
    Ok(())
}

#[test]
fn keys_come_back_from_their_encodings() -> Result {
    for_every_key!(come_back);
    Ok(())
}

/// The bytes are a format of files: they must not change.
#[test]
fn encodings_are_what_the_documentation_says() {
    assert_eq!(alone(&0x0102_u16), [1, 2]);
    assert_eq!(alone(&-1_i16), [0x7f, 0xff]);
    assert_eq!(alone(&true), [1]);
    assert_eq!(alone(&'a'), [0, 0, 0, b'a']);
    assert_eq!(alone(&1.0_f32), [0xbf, 0x80, 0, 0]);
    assert_eq!(alone(&-1.0_f32), [0x40, 0x7f, 0xff, 0xff]);
    assert_eq!(alone(&"a\0b".to_string()), b"a\0b");
    assert_eq!(alone(&("a\0b".to_string(), 7_u8)), b"a\0\xffb\0\0\x07");
    assert_eq!(alone(&Some(5_u8)), [1, 5]);
    assert_eq!(alone(&None::<u8>), [0]);
    assert_eq!(alone(&Reverse(5_u8)), [0xfa]);
    let expected = [0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 3];
    assert_eq!(alone(&Duration::new(2, 3)), expected);
    let before = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
    let expected = [0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];
    assert_eq!(alone(&before), expected);
}
