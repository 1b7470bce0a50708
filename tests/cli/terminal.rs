//! A terminal for the program: a pseudo-terminal of the system's.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::run::{Place, Result, signal, wait_for};

pub struct Terminal {
    child: Child,
    keyboard: File,
    screen: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
    /// What was waited for is before this.
    seen: usize,
}

impl Terminal {
    /// Runs the program with these arguments, separated by spaces, on a terminal of so many columns.
    pub fn run(place: &Place, arguments: &str, columns: u16) -> Result<Terminal> {
        let keyboard = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
        grantpt(&keyboard)?;
        unlockpt(&keyboard)?;
        let size = Winsize {
            ws_row: 24,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&keyboard, size)?;
        let name = ptsname(&keyboard, Vec::new())?.into_string()?;
        let side = OpenOptions::new().read(true).write(true).open(name)?;
        // Makes it the terminal whose keys send signals.
        let mut command = Command::new("setsid");
        command.args(["--ctty", env!("CARGO_BIN_EXE_lsmlite")]);
        command
            .args(arguments.split(' '))
            .current_dir(place.folder.path());
        command
            .env("TERM", "xterm")
            .env("NO_COLOR", "1")
            .env("XDG_STATE_HOME", place.path("state"));
        command
            .stdin(side.try_clone()?)
            .stdout(side.try_clone()?)
            .stderr(side);
        let child = command.spawn()?;
        drop(command);
        let keyboard = File::from(keyboard);
        let mut output = keyboard.try_clone()?;
        let screen = Arc::new(Mutex::new(Vec::new()));
        let written = Arc::clone(&screen);
        let reader = std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            // An error is the end: nobody has the other side any more.
            while let Ok(n @ 1..) = output.read(&mut buffer) {
                written.lock().unwrap().extend_from_slice(&buffer[..n]);
            }
        });
        Ok(Terminal {
            child,
            keyboard,
            screen,
            reader: Some(reader),
            seen: 0,
        })
    }

    pub fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until these words come, after those that were waited for before.
    #[track_caller]
    pub fn expect(&mut self, words: &str) {
        let (screen, seen) = (&self.screen, &mut self.seen);
        wait_for(&format!("{words:?}"), || {
            let screen = screen.lock().unwrap();
            let mut windows = screen[*seen..].windows(words.len());
            let found = windows.position(|window| window == words.as_bytes());
            *seen += found.map_or(0, |at| at + words.len());
            found.is_some()
        });
    }

    /// Everything that was written so far.
    pub fn screen(&self) -> String {
        String::from_utf8_lossy(&self.screen.lock().unwrap()).into_owned()
    }

    pub fn signal(&self, name: &str) -> Result {
        signal(&self.child, name)
    }

    /// Waits for the program's end; its status.
    pub fn end(mut self) -> (i32, String) {
        let status = self.child.wait().unwrap();
        self.reader.take().unwrap().join().unwrap();
        (status.code().unwrap(), self.screen())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let screen = self.screen();
            let end = screen.chars().rev().take(500).collect::<Vec<_>>();
            eprintln!(
                "the screen: {:?}",
                end.into_iter().rev().collect::<String>()
            );
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
