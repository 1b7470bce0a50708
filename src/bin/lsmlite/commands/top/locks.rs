//! Who has locks on a database file, as far as the system shows it.

use std::path::Path;

/// Locks that are held at this moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Locks {
    /// Somebody has the file to himself.
    pub is_exclusive: bool,
    /// Handles that read and write, of all processes.
    pub writers: u32,
    /// Slots of readers that are in use, of 6; several readers may share one.
    pub reader_slots: u32,
    pub is_writing: bool,
    pub is_merging: bool,
    pub is_checkpointing: bool,
}

/// From Linux's list of all locks; `None` elsewhere, or if it doesn't tell.
pub fn locks(file: &Path) -> Option<Locks> {
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::fs::MetadataExt;
        let metadata = file.metadata().ok()?;
        let device = metadata.dev();
        let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
        let name = format!("{major:02x}:{minor:02x}:{}", metadata.ino());
        let text = std::fs::read_to_string("/proc/locks").ok()?;
        Some(of(&text, &name))
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = file;
        None
    }
}

/// Lines such as `7: OFDLCK ADVISORY  WRITE -1 08:01:42 4094 4094`.
#[cfg(target_os = "linux")]
fn of(text: &str, name: &str) -> Locks {
    let mut locks = Locks::default();
    for line in text.lines() {
        let words: Vec<_> = line.split_whitespace().collect();
        let [_, _, _, kind, _, file, first, last] = words[..] else {
            // Those who wait for one have an arrow, and a word more.
            continue;
        };
        let (Ok(first), Ok(last)) = (first.parse::<u64>(), last.parse::<u64>()) else {
            continue;
        };
        if file != name || last >= 4096 || first > last {
            continue;
        }
        // The engine's lock n is the byte 4096 - n.
        for number in 4096 - last..=4096 - first {
            match number {
                2 => locks.is_exclusive |= kind == "WRITE",
                4 => locks.is_writing = true,
                5 => locks.is_merging = true,
                6 => locks.is_checkpointing = true,
                8..=13 => locks.reader_slots += 1,
                14..=29 => locks.writers += 1,
                _ => {}
            }
        }
    }
    locks.reader_slots = locks.reader_slots.min(6);
    locks
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn locks_are_told_by_their_bytes() {
        let text = "\
1: OFDLCK ADVISORY  WRITE -1 fe:00:42 4082 4082
2: OFDLCK ADVISORY  READ -1 fe:00:42 4094 4094
2: -> OFDLCK ADVISORY  WRITE -1 fe:00:42 4094 4094
3: OFDLCK ADVISORY  READ -1 fe:00:42 4087 4088
4: OFDLCK ADVISORY  WRITE -1 fe:00:42 4092 4092
5: POSIX  ADVISORY  WRITE 77 fe:00:43 4091 4091
6: FLOCK  ADVISORY  WRITE 77 fe:00:42 0 EOF
";
        let expected = Locks {
            writers: 1,
            reader_slots: 2,
            is_writing: true,
            ..Locks::default()
        };
        assert_eq!(of(text, "fe:00:42"), expected);
        assert!(of("1: OFDLCK ADVISORY WRITE -1 1:2:3 4094 4094", "1:2:3").is_exclusive);
    }
}
