//! `lsmlite archive verify`.

use clap::Args;
use lsmlite_rs::archive;
use lsmlite_rs::dump::Encoding;

use super::{File, Threads, failure, watch};
use crate::context::Context;
use crate::exit::{Failure, Outcome, Status};
use crate::output::Output;
use crate::records::Format;

/// Check each file in an archive against its hash, and the database that it is
#[derive(Args)]
#[command(after_help = "\
Examples:
  lsmlite archive verify src.lsm
  lsmlite archive verify src.lsm --format json

Prints what is damaged, and nothing if all is well.")]
pub struct Verify {
    #[command(flatten)]
    file: File,
    /// What the output looks like
    #[arg(short, long, value_name = "FORMAT", default_value = "text")]
    format: Format,
    #[command(flatten)]
    threads: Threads,
}

impl Verify {
    pub fn run(self, context: &Context) -> Outcome {
        let archive = self.file.open()?;
        let bar = context.progress("verifying", Some(0));
        let verify = archive::Verify::new(&archive).threads(self.threads.number());
        let checked = verify.on_progress(watch(bar.clone())).run();
        bar.finish_and_clear();
        let check = checked.map_err(|error| failure(error, archive.path()))?;

        let mut out = Output::new();
        if self.format == Format::Csv {
            out.line("member,problem")?;
        }
        let of_members = check.problems.iter().map(|found| {
            let member = found.member.as_ref().map(|path| path.as_os_str().as_encoded_bytes());
            (member, found.problem.clone())
        });
        let damage = check.database.iter().flat_map(|report| &report.damage);
        let of_file = damage.map(|damage| (None, damage.to_string()));
        for (member, problem) in of_members.chain(of_file) {
            out.line(&self.line(member, &problem))?;
        }
        out.finish()?;
        let shown = archive.path().display();
        if check.is_sound() {
            context.note(format_args!(
                "{shown} is sound: {} files of {} bytes",
                check.files, check.bytes
            ));
            return Ok(Status::Done);
        }
        let lost = check.problems.iter().filter(|found| found.member.is_some()).count();
        let message = match lost {
            0 => format!("{shown} is damaged, but all files that it lists are as they were packed"),
            lost => format!("{shown} is damaged, {lost} of its files are lost"),
        };
        Err(Failure::new(Status::Damaged, message).with_advice(format!(
            "restore it from a copy, or `lsmlite archive extract --keep-going {shown} FOLDER`"
        )))
    }

    fn line(&self, member: Option<&[u8]>, problem: &str) -> String {
        let mut line = String::new();
        match self.format {
            Format::Text => {
                if let Some(member) = member {
                    Encoding::Text.encode_into(member, &mut line);
                    line.push_str(": ");
                }
                line.push_str(problem);
            }
            Format::Json => {
                line.push('{');
                if let Some(member) = member {
                    line.push_str("\"member\":");
                    Encoding::Json.encode_into(member, &mut line);
                    line.push(',');
                }
                line.push_str("\"problem\":");
                Encoding::Json.encode_into(problem.as_bytes(), &mut line);
                line.push('}');
            }
            Format::Csv => {
                let mut field = String::new();
                Encoding::Text.encode_into(member.unwrap_or_default(), &mut field);
                crate::records::csv_field(&field, &mut line);
                line.push(',');
                crate::records::csv_field(problem, &mut line);
            }
        }
        line
    }
}
