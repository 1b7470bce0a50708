//! What to say about a file whose codec wasn't given.

use super::{USER_IDS, number_in, split_id};

/// Says which codec or dictionary a file with this id needs, as far as that can be told; `known`
/// are the ids of those that were given.
pub(crate) fn unknown(id: u32, mut known: impl Iterator<Item = u32>) -> String {
    let (codec, _) = split_id(id);
    let library = |name, feature, is_there| match is_there {
        true => format!("the file was written with {name}, codec {codec}"),
        false => format!(
            "the file was written with {name}, codec {codec}: enable the feature `{feature}`"
        ),
    };
    if let Some(number) = number_in(codec) {
        return match known.find(|&known| number_in(split_id(known).0) == Some(number)) {
            Some(other) => format!(
                "the file needs zstd dictionary {number} with other contents than those that were \
                 given (their id is {} instead of {codec}): find the one that it was written with",
                split_id(other).0
            ),
            None => format!(
                "the file needs zstd dictionary {number} (codec {codec}): pass it with \
                 `zstd_dictionary`"
            ),
        };
    }
    match codec {
        0 | 1 => "the file has plain pages".to_owned(),
        10_001 => library("LZ4", "lz4", cfg!(feature = "lz4")),
        10_002 => library("zlib", "zlib", cfg!(feature = "zlib")),
        10_003 => library("Zstandard", "zstd", cfg!(feature = "zstd")),
        _ if USER_IDS.contains(&codec) => {
            format!("the file was written with a codec of the id {codec}: pass it with `codec`")
        }
        _ => format!("the codec with the id {codec} isn't known here"),
    }
}
