//! `--read`: a record of a trace goes through the hub as if it happened now.

use super::complain;
use super::exit::Exit;
use super::mode::ReplayOptions;
use super::outputs;
use crate::records;
use crate::session::{EventSource, Recorded, drive};
use crate::sys::first_sigint::survive_first_sigint;

/// Read a record to its end.
pub(super) fn read(options: &ReplayOptions) -> Exit {
    replay(options).unwrap_or_else(|sentence| {
        complain(&sentence);
        Exit::Failed
    })
}

/// The same; a sentence is the error.
fn replay(options: &ReplayOptions) -> Result<Exit, String> {
    let path = options.record.as_path();
    let name = if path.as_os_str() == "-" {
        survive_first_sigint();
        "standard input".to_owned()
    } else {
        path.display().to_string()
    };
    let record = records::open(path, options.system);
    let record = record.map_err(|why| format!("cannot read {name} (--read): {why}"))?;
    let mut source = Recorded::new(record);
    let (mut session, ending) = outputs::open(&options.outputs, source.origin())?;
    drive(&mut source, &mut session, &mut ());
    let (record, broken) = source.finish();
    for clause in record.lacks() {
        session.miss(&clause);
    }
    for note in record.notes() {
        if ending.says_unseen() {
            session.note(&note);
        } else {
            session.message(&format!("{name}: {note}"));
        }
    }
    for clause in record.passed_over() {
        if ending.says_unseen() {
            session.miss(&clause);
        } else {
            session.message(&format!("{name}: {clause}"));
        }
    }
    let fails = ending.finish(session.finish(true));
    match broken {
        Some(broken) => Err(format!("{name}, {broken}; what came before it was read")),
        None => Ok(fails?.unwrap_or(Exit::Code(0))),
    }
}
