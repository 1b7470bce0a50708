//! Metrics of a database, served over HTTP as Prometheus asks for them.

use std::error::Error;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use lsmlite_rs::{LsmDb, LsmMetrics};
use prometheus::{Registry, TextEncoder};

fn main() -> Result<(), Box<dyn Error>> {
    let registry = Registry::new();
    let metrics = LsmMetrics::new("events")?;
    metrics.register(&registry)?;

    let dir = tempfile::tempdir()?;
    let path = dir.path().join("events.lsm");
    let mut db = LsmDb::builder().metrics(metrics).open(path)?;
    for n in 0..1000u32 {
        db.insert(n.to_be_bytes(), "event")?;
    }

    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    // A real program serves all of `listener.incoming()`.
    let server = thread::spawn(move || answer(listener.accept()?.0, &registry));

    println!("GET http://{address}/metrics");
    let mut client = TcpStream::connect(address)?;
    write!(client, "GET /metrics HTTP/1.1\r\nHost: {address}\r\n\r\n")?;
    let mut response = String::new();
    client.read_to_string(&mut response)?;
    server.join().map_err(|_| "the server panicked")??;

    let lines = response.lines();
    for line in lines.filter(|line| line.contains("write_times_s")) {
        println!("{line}");
    }
    assert!(response.contains("events_write_times_s_count 1000"));
    Ok(())
}

/// Reads a request, whatever it asks for, and answers with all metrics.
fn answer(mut stream: TcpStream, registry: &Registry) -> io::Result<()> {
    let mut request = BufReader::new(stream.try_clone()?).lines();
    while request
        .next()
        .transpose()?
        .is_some_and(|line| !line.is_empty())
    {}
    let body = TextEncoder::new().encode_to_string(&registry.gather());
    let body = body.map_err(io::Error::other)?;
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\n";
    let length = body.len();
    write!(
        stream,
        "{head}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}
