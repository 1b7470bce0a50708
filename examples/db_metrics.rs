//! Two databases, their metrics in one registry, and what Prometheus reads of them.

use std::error::Error;

use lsmlite_rs::{DbMetrics, LsmDb};
use prometheus::{Registry, TextEncoder};

fn main() -> Result<(), Box<dyn Error>> {
    let registry = Registry::new();
    let dir = tempfile::tempdir()?;
    let open = |name: &str| -> Result<LsmDb, Box<dyn Error>> {
        let metrics = DbMetrics::new(name)?;
        metrics.register(&registry)?;
        let path = dir.path().join(name).with_extension("lsm");
        Ok(LsmDb::builder().db_metrics(metrics).open(path)?)
    };
    let (mut users, mut events) = (open("users")?, open("events")?);
    users.insert("anna", "anna@example.org")?;
    for n in 0..10_000_u32 {
        events.insert(n.to_be_bytes(), [7; 100])?;
    }
    events.flush()?;

    // See `prometheus_metrics` for a server that answers with this.
    let text = TextEncoder::new().encode_to_string(&registry.gather())?;
    for line in text.lines().filter(|line| !line.contains("_bucket")) {
        println!("{line}");
    }
    let inserted = "lsmlite_inserted_bytes_total{database=\"events\"} 1040000";
    assert!(text.lines().any(|line| line == inserted));
    Ok(())
}
