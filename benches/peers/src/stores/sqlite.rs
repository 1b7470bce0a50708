//! SQLite, through rusqlite: write-ahead log, `synchronous=NORMAL` as its documentation recommends
//! with that (`FULL` where commits are synced), prepared statements. Small records are in a table without
//! rowid, larger ones in one with rowid and an index, as its documentation says. A reader is a
//! connection of its own, inside one transaction.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension};

use crate::child::data::glance;
use crate::child::{Key, Reader, Result, Settings, Store};

const INSERT: &str = "INSERT OR REPLACE INTO records VALUES (?1, ?2)";
const GET: &str = "SELECT value FROM records WHERE key = ?1";

pub struct Sqlite {
    connection: Connection,
    path: PathBuf,
    cache_bytes: usize,
}

pub struct SqliteReader {
    /// In a transaction.
    kept: Connection,
    anew: Connection,
}

fn connect(path: &Path, cache_bytes: usize) -> Result<Connection> {
    let connection = Connection::open(path)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    let kib = cache_bytes as i64 / 1024;
    connection.pragma_update(None, "cache_size", -kib)?;
    Ok(connection)
}

impl Store for Sqlite {
    type Reader<'a> = SqliteReader;

    fn open(dir: &Path, settings: &Settings) -> Result<Sqlite> {
        if settings.zstd.is_some() {
            return Err("SQLite has no codec".into());
        }
        let path = dir.join("sqlite");
        let cache_bytes = settings.cache_bytes;
        let connection = connect(&path, cache_bytes)?;
        let synchronous = if settings.sync { "FULL" } else { "NORMAL" };
        connection.pragma_update(None, "synchronous", synchronous)?;
        let rowid = match settings.value_bytes {
            ..=200 => " WITHOUT ROWID",
            _ => "",
        };
        let columns = "(key BLOB PRIMARY KEY NOT NULL, value BLOB NOT NULL)";
        connection.execute_batch(&format!(
            "CREATE TABLE IF NOT EXISTS records {columns}{rowid}"
        ))?;
        Ok(Sqlite {
            connection,
            path,
            cache_bytes,
        })
    }

    fn put(&mut self, key: &Key, value: &[u8]) -> Result<()> {
        let mut insert = self.connection.prepare_cached(INSERT)?;
        insert.execute((&key[..], value))?;
        Ok(())
    }

    fn put_batch(&mut self, records: &[(Key, &[u8])]) -> Result<()> {
        let records = records.iter().map(|(key, value)| (*key, *value));
        self.ingest(records)
    }

    fn ingest<'v>(&mut self, records: impl Iterator<Item = (Key, &'v [u8])>) -> Result<()> {
        let transaction = self.connection.transaction()?;
        let mut insert = transaction.prepare_cached(INSERT)?;
        for (key, value) in records {
            insert.execute((&key[..], value))?;
        }
        drop(insert);
        Ok(transaction.commit()?)
    }

    fn compact(self) -> Result<Sqlite> {
        self.connection.execute_batch("VACUUM")?;
        let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
        self.connection.query_row(checkpoint, (), |_| Ok(()))?;
        Ok(self)
    }

    fn reader(&self) -> Result<SqliteReader> {
        let kept = connect(&self.path, self.cache_bytes)?;
        kept.execute_batch("BEGIN")?;
        let anew = connect(&self.path, self.cache_bytes)?;
        Ok(SqliteReader { kept, anew })
    }

    fn close(self) -> Result<()> {
        self.connection.close().map_err(|(_, error)| error)?;
        Ok(())
    }
}

fn get(connection: &Connection, key: &Key) -> Result<Option<u64>> {
    let mut get = connection.prepare_cached(GET)?;
    let found = get.query_row([&key[..]], |row| Ok(glance(row.get_ref(0)?.as_blob()?)));
    Ok(found.optional()?)
}

impl Reader for SqliteReader {
    fn get(&mut self, key: &Key) -> Result<Option<u64>> {
        get(&self.kept, key)
    }

    fn get_anew(&mut self, key: &Key) -> Result<Option<u64>> {
        get(&self.anew, key)
    }

    fn scan(
        &mut self,
        from: Option<&Key>,
        backwards: bool,
        limit: u64,
        mut show: impl FnMut(&[u8], &[u8]),
    ) -> Result<()> {
        let query = match (from, backwards) {
            (Some(_), _) => "SELECT key, value FROM records WHERE key >= ?1 ORDER BY key LIMIT ?2",
            (None, false) => "SELECT key, value FROM records ORDER BY key LIMIT ?1",
            (None, true) => "SELECT key, value FROM records ORDER BY key DESC LIMIT ?1",
        };
        let mut statement = self.kept.prepare_cached(query)?;
        let limit = i64::try_from(limit).unwrap_or(-1);
        let mut rows = match from {
            Some(key) => statement.query((&key[..], limit))?,
            None => statement.query([limit])?,
        };
        while let Some(row) = rows.next()? {
            show(row.get_ref(0)?.as_blob()?, row.get_ref(1)?.as_blob()?);
        }
        Ok(())
    }
}
