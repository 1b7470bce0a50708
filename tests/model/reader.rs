//! A reader: a connection on a thread of its own, which holds a snapshot for a while and
//! compares what it reads with the map as it was then.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use crate::compare::walk;
use crate::expected::Map;
use crate::settings::Settings;
use crate::store::{Outcome, Seek, Store};

enum Order {
    /// Take a snapshot, which must hold this.
    Pin(Arc<Map>),
    Read(Seek, u32, usize),
    Release,
    Close,
}

pub struct Reader {
    orders: Sender<Order>,
    answers: Receiver<Outcome>,
    /// Orders whose answers are still to come.
    pending: usize,
    /// Orders to read aren't waited for.
    concurrent: bool,
    /// The writer's commits, by their number, at the time of the snapshot.
    pub pinned: Option<u32>,
    thread: Option<JoinHandle<()>>,
}

impl Reader {
    pub fn open<S: Store>(
        path: &Path,
        settings: &Settings,
        keys: &Arc<Vec<Vec<u8>>>,
    ) -> Outcome<Reader> {
        let store = S::open_reader(path, settings).map_err(|e| format!("reader: {e}"))?;
        let (orders, inbox) = channel();
        let (outbox, answers) = channel();
        let keys = Arc::clone(keys);
        let thread = std::thread::spawn(move || serve(store, &keys, &inbox, &outbox));
        Ok(Reader {
            orders,
            answers,
            pending: 0,
            concurrent: settings.concurrent > 0,
            pinned: None,
            thread: Some(thread),
        })
    }

    /// Takes a snapshot and tells when it is taken.
    pub fn pin(&mut self, committed: &Map, commits: u32) -> Outcome {
        self.pinned = Some(commits);
        self.order(Order::Pin(Arc::new(committed.clone())))?;
        self.wait()
    }

    pub fn read(&mut self, how: Seek, k: u32, n: usize) -> Outcome {
        self.order(Order::Read(how, k, n))?;
        if self.concurrent && self.pending < 4 {
            return Ok(());
        }
        self.wait()
    }

    pub fn release(&mut self) -> Outcome {
        self.pinned = None;
        self.order(Order::Release)?;
        self.wait()
    }

    pub fn close(mut self) -> Outcome {
        self.order(Order::Close)?;
        let outcome = self.wait();
        self.join();
        outcome
    }

    fn order(&mut self, order: Order) -> Outcome {
        self.pending += 1;
        let gone = "the reader's thread is gone";
        self.orders.send(order).map_err(|_| String::from(gone))
    }

    fn wait(&mut self) -> Outcome {
        while self.pending > 0 {
            self.pending -= 1;
            let answer = self.answers.recv();
            answer.map_err(|_| String::from("the reader's thread has panicked"))??;
        }
        Ok(())
    }

    fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let _ = self.orders.send(Order::Close);
        self.join();
    }
}

fn serve<S: Store>(
    store: S,
    keys: &[Vec<u8>],
    orders: &Receiver<Order>,
    answers: &Sender<Outcome>,
) {
    let say = |outcome: Outcome| {
        let _ = answers.send(outcome.map_err(|e| format!("reader: {e}")));
    };
    let mut next = orders.recv();
    while let Ok(order) = next {
        match order {
            Order::Pin(map) => next = hold(&store, keys, &map, orders, say),
            // Without a snapshot there is nothing to do.
            Order::Read(..) | Order::Release => {
                say(Ok(()));
                next = orders.recv();
            }
            Order::Close => {
                say(store.close());
                return;
            }
        }
    }
}

/// Holds a snapshot until an order comes that ends it; returns that order.
fn hold<S: Store>(
    store: &S,
    keys: &[Vec<u8>],
    map: &Map,
    orders: &Receiver<Order>,
    say: impl Fn(Outcome),
) -> Result<Order, std::sync::mpsc::RecvError> {
    // This one keeps the snapshot; each read has its own beside it.
    let _held = match store.cursor() {
        Ok(cursor) => cursor,
        Err(error) => {
            say(Err(format!("snapshot: {error}")));
            return orders.recv();
        }
    };
    say(Ok(()));
    loop {
        match orders.recv()? {
            Order::Read(how, k, n) => say(store
                .cursor()
                .and_then(|mut cursor| walk(&mut cursor, keys, map, how, k, n))),
            other => return Ok(other),
        }
    }
}
