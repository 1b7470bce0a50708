//! The line editor, in a thread of its own: so that the session, which has the database, can answer
//! what it asks for completions, and hears of signals.

use std::fs::DirBuilder;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::Validator;
use rustyline::{CompletionType, Config, Helper};

use super::lines::Complete;
use super::stopped;
use crate::context::Context;
use crate::exit::{Failure, Status};
use crate::terminal::Modes;

/// Lines that are remembered.
const HISTORY_LINES: usize = 2000;

/// What came of asking for a line.
pub enum Event {
    Line(String),
    /// Ctrl-C.
    GivenUp,
    /// Ctrl-D, or the terminal is gone.
    End,
}

enum Message {
    Ended(Event),
    Complete(String),
    Failed(String),
}

pub struct Editor {
    prompts: Sender<String>,
    messages: Receiver<Message>,
    completions: Sender<(usize, Vec<String>)>,
    /// Those of the terminal before the first line was asked for.
    modes: Modes,
}

impl Editor {
    pub fn new(keeps_history: bool, context: &Context) -> Result<Editor, Failure> {
        let failed = |error: ReadlineError| {
            Failure::new(Status::Failed, format!("can't edit lines: {error}"))
        };
        let modes = Modes::now();
        let history = if keeps_history { history_file() } else { None };
        let config = Config::builder()
            .max_history_size(HISTORY_LINES)
            .and_then(|config| config.history_ignore_dups(true))
            .map_err(failed)?
            .history_ignore_space(true)
            .completion_type(CompletionType::List)
            .build();
        let mut editor: rustyline::Editor<Asking, FileHistory> =
            rustyline::Editor::with_config(config).map_err(failed)?;
        if let Some(path) = &history {
            // None yet, or not ours: then there is nothing to remember.
            match editor.load_history(path) {
                Err(error) if path.exists() => {
                    context.note(format_args!("can't read {}: {error}", path.display()));
                }
                _ => {}
            }
        }
        let (prompts, asked) = channel::<String>();
        let (sender, messages) = channel();
        let (completions, answers) = channel();
        editor.set_helper(Some(Asking {
            questions: sender.clone(),
            answers,
        }));
        thread::spawn(move || {
            for prompt in asked {
                let event = match editor.readline(&prompt) {
                    Ok(line) => {
                        if matches!(editor.add_history_entry(&line), Ok(true)) {
                            if let Some(path) = &history {
                                // A full disk is no reason not to work.
                                let _ = editor.append_history(path);
                            }
                        }
                        Message::Ended(Event::Line(line))
                    }
                    // A signal may be one of before, which the editor has heard of as well.
                    Err(ReadlineError::Interrupted | ReadlineError::Signal(_)) => {
                        Message::Ended(Event::GivenUp)
                    }
                    Err(ReadlineError::Eof) => Message::Ended(Event::End),
                    Err(error) => Message::Failed(error.to_string()),
                };
                if sender.send(event).is_err() {
                    return;
                }
            }
        });
        Ok(Editor {
            prompts,
            messages,
            completions,
            modes,
        })
    }

    /// Asks for a line.
    pub fn ask(&mut self, prompt: &str, complete: Complete<'_>) -> Result<Event, Failure> {
        let gone = || Failure::new(Status::Failed, "the line editor has ended");
        self.prompts.send(prompt.to_owned()).map_err(|_| gone())?;
        loop {
            match self.messages.recv_timeout(Duration::from_millis(100)) {
                Ok(Message::Ended(event)) => return Ok(event),
                Ok(Message::Failed(error)) => {
                    let message = format!("can't read from the terminal: {error}");
                    return Err(Failure::new(Status::Failed, message));
                }
                Ok(Message::Complete(line)) => {
                    self.completions.send(complete(&line)).map_err(|_| gone())?;
                }
                Err(RecvTimeoutError::Timeout) => stopped()?,
                Err(RecvTimeoutError::Disconnected) => return Err(gone()),
            }
        }
    }

    /// The editor may still wait for a key, with the terminal in its own mode.
    pub fn end(&mut self) {
        self.modes.restore();
    }
}

/// Asks the session for completions.
struct Asking {
    questions: Sender<Message>,
    answers: Receiver<(usize, Vec<String>)>,
}

impl Completer for Asking {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        at: usize,
        _: &rustyline::Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        let before = line.get(..at).unwrap_or(line);
        let asked = self.questions.send(Message::Complete(before.to_owned()));
        let answer = asked.ok().and_then(|()| self.answers.recv().ok());
        Ok(answer.unwrap_or((at, Vec::new())))
    }
}

impl Hinter for Asking {
    type Hint = String;
}

impl Highlighter for Asking {}
impl Validator for Asking {}
impl Helper for Asking {}

/// In the folder for the state of programs, as the XDG specification has it; `None` if it can't be
/// made.
fn history_file() -> Option<PathBuf> {
    let named = |name| std::env::var_os(name).map(PathBuf::from);
    let state = match named("XDG_STATE_HOME").filter(|path| path.is_absolute()) {
        Some(path) => path,
        None => named("HOME")?.join(".local").join("state"),
    };
    let folder = state.join("lsmlite");
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(&folder).ok()?;
    Some(folder.join("history"))
}
