//! The engine's own interface as a database for histories: it nests transactions and takes
//! changes of its parameters at once.

use std::path::Path;

use crate::ffi;
use crate::harness::{Config, Cursor, Db};
use crate::settings::Settings;
use crate::store::{self, Outcome, Seek, Shape};

fn say(code: crate::harness::Code) -> String {
    format!("{code:?}")
}

fn config(settings: &Settings) -> Config {
    let int = |n: u32| i32::try_from(n).expect("a small number");
    Config {
        page_size: int(settings.page_bytes),
        block_kib: int(settings.block_kib),
        autoflush_kib: int(settings.autoflush_kib),
        autocheckpoint_kib: int(settings.autocheckpoint_kib),
        automerge: int(settings.automerge),
        autowork: settings.autowork > 0,
        mmap: settings.mmap == 1,
        safety: int(settings.safety),
        use_log: settings.log > 0,
        multi_process: settings.multi_process > 0,
        max_freelist: int(settings.free_list),
        read_only: false,
        compression: settings.codec > 0,
        filter_kib: int(settings.filter_kib),
        faults: false,
        trap: false,
        moving_maps: true,
    }
}

impl store::Store for Db {
    type Cursor<'a> = Cursor<'a>;

    fn open(path: &Path, settings: &Settings) -> Outcome<Self> {
        Db::open(path, &config(settings)).map_err(say)
    }

    fn open_reader(path: &Path, settings: &Settings) -> Outcome<Self> {
        Db::open(path, &config(settings)).map_err(say)
    }

    fn close(self) -> Outcome {
        Db::close(self).map_err(say)
    }

    fn insert(&mut self, key: &[u8], value: &[u8]) -> Outcome {
        Db::insert(self, key, value).map_err(say)
    }

    fn delete(&mut self, key: &[u8]) -> Outcome {
        Db::delete(self, key).map_err(say)
    }

    fn delete_range(&mut self, a: &[u8], b: &[u8]) -> Outcome {
        Db::delete_range(self, a, b).map_err(say)
    }

    fn begin(&mut self, _: usize) -> Outcome {
        Db::begin(self, -1).map_err(say)
    }

    fn commit(&mut self, depth: usize) -> Outcome {
        Db::commit(self, depth as i32).map_err(say)
    }

    fn roll_back(&mut self, depth: usize) -> Outcome {
        // lsm1 takes back level n and leaves n open: end it too.
        let rolled_back = match depth {
            0 => Db::rollback(self, 0),
            n => Db::rollback(self, n as i32 + 1).and_then(|()| Db::commit(self, n as i32)),
        };
        rolled_back.map_err(say)
    }

    fn flush(&mut self) -> Outcome {
        Db::flush(self).map_err(say)
    }

    fn work(&mut self, n: u32, kib: u32) -> Outcome {
        Db::work(self, n as i32, kib as i32).map(drop).map_err(say)
    }

    fn checkpoint(&mut self) -> Outcome {
        Db::checkpoint(self).map_err(say)
    }

    fn compact(&mut self) -> Outcome {
        Db::flush(self)
            .and_then(|()| Db::work(self, 1, -1))
            .and_then(|_| Db::checkpoint(self))
            .map_err(say)
    }

    fn auto_merge(&mut self, n: u32) -> Outcome {
        self.set(ffi::LSM_CONFIG_AUTOMERGE, n as i32)
            .map(drop)
            .map_err(say)
    }

    fn auto_flush(&mut self, kib: u32) -> Outcome {
        self.set(ffi::LSM_CONFIG_AUTOFLUSH, kib as i32)
            .map(drop)
            .map_err(say)
    }

    fn cursor(&self) -> Outcome<Cursor<'_>> {
        Db::cursor(self).map_err(say)
    }

    fn get(&self, key: &[u8]) -> Outcome<Option<Vec<u8>>> {
        let value = Db::get(self, key).map_err(say)?;
        match self.get_in_place(key).map_err(say)? == value {
            true => Ok(value),
            false => Err(String::from("lsmlite_get says something else")),
        }
    }

    fn range(&self, a: &[u8], b: &[u8], inclusive: bool) -> Outcome<Vec<(Vec<u8>, Vec<u8>)>> {
        use store::Cursor as _;
        let mut cursor = store::Store::cursor(self)?;
        let mut found = Vec::new();
        store::Cursor::seek(&mut cursor, a, Seek::AtOrAfter)?;
        while let Some(record) = cursor.record()? {
            if record.0.as_slice() > b {
                break;
            }
            if inclusive || (record.0 != a && record.0 != b) {
                found.push(record);
            }
            cursor.step(Seek::AtOrAfter)?;
        }
        Ok(found)
    }

    fn shape(&self) -> Outcome<Shape> {
        let number = |text: &str| text.trim_matches(['{', '}']).parse::<u64>().unwrap_or(0);
        let levels = self.describe(ffi::LSM_INFO_DB_STRUCTURE).map_err(say)?;
        let log = self.describe(ffi::LSM_INFO_LOG_STRUCTURE).map_err(say)?;
        let free = self.describe(ffi::LSM_INFO_FREELIST).map_err(say)?;
        let log: Vec<u64> = log.split_whitespace().map(number).collect();
        let [a, b, c, d, e, f] = log[..] else {
            return Err(format!("a log of {log:?}"));
        };
        Ok(Shape {
            // "{age {first last root pages} {…}} {age …}"
            levels: (levels.split("}} "))
                .filter(|level| !level.is_empty())
                .map(|level| {
                    let mut segments = level.split(" {").skip(1);
                    let left = segments.next().and_then(|s| s.split(' ').nth(3));
                    (left.map_or(0, number) > 0, segments.count())
                })
                .collect(),
            free_blocks: free.matches('{').count() as u32,
            log_position: f,
            log_bytes: b - a + d - c + f - e,
            log_wrapped: b > a || d > c,
            checkpoint_debt_kib: 0,
            waiting_tree_kib: 0,
        })
    }
}

impl store::Cursor for Cursor<'_> {
    fn seek(&mut self, key: &[u8], how: Seek) -> Outcome {
        use crate::harness::Seek as How;
        match how {
            Seek::Exactly => self.seek(key, How::Eq),
            Seek::AtOrAfter => self.seek(key, How::Ge),
            Seek::AtOrBefore => self.seek(key, How::Le),
            Seek::First => self.first(),
            Seek::Last => self.last(),
        }
        .map_err(say)
    }

    fn step(&mut self, how: Seek) -> Outcome {
        let direction = if how.goes_up() { 1 } else { -1 };
        let ahead = self.ahead(direction);
        let step = |cursor: &mut Self| match how.goes_up() {
            true => cursor.next(),
            false => cursor.prev(),
        };
        let Some(first) = ahead.first() else {
            return step(self).map_err(say);
        };
        // By steps, by a jump, or by a jump and steps, as it happens: always to the first one.
        match (first.0.len() + first.1.len()) % 2 {
            0 => step(self).map_err(say)?,
            _ => self.pass(direction, 1).map_err(say)?,
        }
        let rest = self.ahead(direction);
        if Some(first) != self.record()?.as_ref()
            || !ahead[1..].iter().eq(rest.iter().take(ahead.len() - 1))
        {
            return Err(String::from("lsmlite_csr_ahead says something else"));
        }
        Ok(())
    }

    fn record(&self) -> Outcome<Option<(Vec<u8>, Vec<u8>)>> {
        let record = match self.valid() {
            false => None,
            true => Some((self.key().map_err(say)?, self.value().map_err(say)?)),
        };
        match self.record_in_place().map_err(say)? == record {
            true => Ok(record),
            false => Err(String::from("lsmlite_csr_step says something else")),
        }
    }
}
