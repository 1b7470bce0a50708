//! Lines as words.
//!
//! Words are separated by white space. Parts in single or double quotes keep theirs; a quote within
//! such a part is written twice. Backslashes mean nothing here: they are the encodings'.

/// A word, and where it begins in the line.
#[derive(Debug, PartialEq, Eq)]
pub struct Word {
    pub start: usize,
    pub text: String,
    /// The quote that isn't closed.
    pub open: Option<char>,
}

/// The words of a line; only the last one may be open.
pub fn split(line: &str) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    let mut is_within = false;
    let mut chars = line.char_indices().peekable();
    while let Some((start, c)) = chars.next() {
        if c.is_whitespace() {
            is_within = false;
            continue;
        }
        if !is_within {
            let text = String::new();
            words.push(Word { start, text, open: None });
            is_within = true;
        }
        let Some(word) = words.last_mut() else { continue };
        if c != '"' && c != '\'' {
            word.text.push(c);
            continue;
        }
        word.open = Some(c);
        while let Some((_, inner)) = chars.next() {
            if inner != c {
                word.text.push(inner);
            } else if chars.next_if(|next| next.1 == c).is_some() {
                word.text.push(c);
            } else {
                word.open = None;
                break;
            }
        }
    }
    words
}

/// The word as it has to be written.
pub fn quote(word: &str) -> String {
    let is_plain = |c: char| !c.is_whitespace() && c != '"' && c != '\'';
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    let mark = if word.contains('"') { '\'' } else { '"' };
    let doubled = word.replace(mark, &format!("{mark}{mark}"));
    format!("{mark}{doubled}{mark}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(line: &str) -> Vec<String> {
        split(line).into_iter().map(|word| word.text).collect()
    }

    #[test]
    fn quotes_keep_spaces_and_backslashes_stay() {
        assert_eq!(texts(r#"  put "a b" c\n'd e' "#), ["put", "a b", r"c\nd e"]);
        assert_eq!(texts(r#""it's" 'it''s' "" "#), ["it's", "it's", ""]);
        assert_eq!(texts(" \t"), [""; 0]);
    }

    #[test]
    fn an_open_quote_is_told() {
        let words = split("get 'a b");
        assert_eq!((words[1].start, words[1].open), (4, Some('\'')));
        assert_eq!(split("get 'a b'")[1].open, None);
    }

    #[test]
    fn quoted_words_are_read_back() {
        for word in ["plain", "", "a b", "it's", "say \"it's\"", "\t", "\\x00"] {
            assert_eq!(texts(&quote(word)), [word]);
        }
    }
}
