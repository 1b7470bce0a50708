//! Keys made of other keys: tuples, `Option` and `Reverse`.

use std::cmp::Reverse;

use super::error::EncodingError;
use super::key::{Key, KeyPrefix, take};

impl<T: Key> Key for Option<T> {
    type Ref<'a> = Option<T::Ref<'a>>;

    fn by_ref(&self) -> Option<T::Ref<'_>> {
        self.as_ref().map(T::by_ref)
    }

    fn encode(key: Option<T::Ref<'_>>, out: &mut Vec<u8>) {
        out.push(u8::from(key.is_some()));
        if let Some(key) = key {
            T::encode(key, out);
        }
    }

    fn decode(input: &mut &[u8]) -> Result<Self, EncodingError> {
        match take(input, "an Option")? {
            [0] => Ok(None),
            [1] => Ok(Some(T::decode(input)?)),
            [other] => Err(EncodingError::new(format!("{other} isn't an Option"))),
        }
    }
}

/// No encoding is the beginning of another one, so two of them differ at a byte of both, and
/// its complement turns their order round.
impl<T: Key> Key for Reverse<T> {
    type Ref<'a> = Reverse<T::Ref<'a>>;

    fn by_ref(&self) -> Reverse<T::Ref<'_>> {
        Reverse(self.0.by_ref())
    }

    fn encode(key: Reverse<T::Ref<'_>>, out: &mut Vec<u8>) {
        let start = out.len();
        T::encode(key.0, out);
        for byte in &mut out[start..] {
            *byte = !*byte;
        }
    }

    fn decode(input: &mut &[u8]) -> Result<Self, EncodingError> {
        let plain: Vec<u8> = input.iter().map(|byte| !byte).collect();
        let mut rest = plain.as_slice();
        let key = T::decode(&mut rest)?;
        *input = &input[input.len() - rest.len()..];
        Ok(Reverse(key))
    }
}

macro_rules! tuple {
    ($($part:ident $n:tt),*) => {
        impl<$($part: Key),*> Key for ($($part,)*) {
            type Ref<'a> = ($($part::Ref<'a>,)*);

            fn by_ref(&self) -> Self::Ref<'_> {
                ($(self.$n.by_ref(),)*)
            }

            fn encode(key: Self::Ref<'_>, out: &mut Vec<u8>) {
                $($part::encode(key.$n, out);)*
            }

            fn decode(input: &mut &[u8]) -> Result<Self, EncodingError> {
                Ok(($($part::decode(input)?,)*))
            }
        }
    };
}

tuple!(A 0, B 1);
tuple!(A 0, B 1, C 2);
tuple!(A 0, B 1, C 2, D 3);
tuple!(A 0, B 1, C 2, D 3, E 4);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5);

macro_rules! tuple_prefix {
    ($(($($part:ident $n:tt),*) of ($($all:ident),*);)*) => {$(
        impl<'a, $($all: Key),*> KeyPrefix<($($all,)*)> for ($($part::Ref<'a>,)*) {
            fn encode_prefix(&self, out: &mut Vec<u8>) {
                $($part::encode(self.$n, out);)*
            }
        }
    )*};
}

tuple_prefix! {
    (A 0) of (A, B);
    (A 0) of (A, B, C);
    (A 0, B 1) of (A, B, C);
    (A 0) of (A, B, C, D);
    (A 0, B 1) of (A, B, C, D);
    (A 0, B 1, C 2) of (A, B, C, D);
    (A 0) of (A, B, C, D, E);
    (A 0, B 1) of (A, B, C, D, E);
    (A 0, B 1, C 2) of (A, B, C, D, E);
    (A 0, B 1, C 2, D 3) of (A, B, C, D, E);
    (A 0) of (A, B, C, D, E, F);
    (A 0, B 1) of (A, B, C, D, E, F);
    (A 0, B 1, C 2) of (A, B, C, D, E, F);
    (A 0, B 1, C 2, D 3) of (A, B, C, D, E, F);
    (A 0, B 1, C 2, D 3, E 4) of (A, B, C, D, E, F);
}
