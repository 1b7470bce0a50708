//! Typed tables: keys and values of Rust types, an index, and records that expire.

use std::cmp::Reverse;
use std::error::Error;
use std::time::Duration;

use lsmlite_rs::LsmDb;
use lsmlite_rs::typed::{Raw, TtlTable, TypedTable};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct Player {
    name: String,
    team: String,
    points: u32,
}

const PLAYERS: TypedTable<u64, Player> = TypedTable::new(b"players/");
/// Players by team, those with most points first.
const RANKING: TypedTable<(String, Reverse<u32>, u64), (), Raw> = TypedTable::new(b"ranking/");
/// Who is logged in.
const SESSIONS: TtlTable<[u8; 16], u64> = TtlTable::new(b"sessions/");

fn main() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let mut db = LsmDb::open(dir.path().join("game.lsm"))?;

    let players = [("ada", "red", 12), ("bo", "blue", 40), ("cy", "red", 31)];
    let mut tx = db.transaction()?;
    for (id, (name, team, points)) in (1..).zip(players) {
        let (name, team) = (name.to_string(), team.to_string());
        RANKING.insert(&mut tx, (&team, Reverse(points), id), ())?;
        PLAYERS.insert(&mut tx, id, Player { name, team, points })?;
    }
    tx.commit()?;

    let mut reds = Vec::new();
    for entry in RANKING.prefix(&db, ("red",)) {
        let ((_, Reverse(points), id), ()) = entry?;
        let player = PLAYERS.get(&db, id)?.ok_or("a ranked player is missing")?;
        println!("{points:>3} {}", player.name);
        reds.push(player.name);
    }
    assert_eq!(reds, ["cy", "ada"]);

    SESSIONS.insert(&mut db, &[7; 16], 1, Duration::from_millis(500))?;
    assert_eq!(SESSIONS.get(&db, &[7; 16])?, Some(1));
    std::thread::sleep(Duration::from_millis(600));
    assert_eq!(SESSIONS.get(&db, &[7; 16])?, None);
    println!(
        "{} session expired",
        SESSIONS.remove_expired(&mut db, 1000)?
    );
    Ok(db.close()?)
}
